"""What the backend runs on: the kind of device, whether XLA is there, and how much memory is available."""

import os
import re
from contextlib import suppress
from pathlib import Path

import keras
from keras import ops

from melody.errors import UserError

GIB = 2**30  # bytes


def on_cpu() -> bool:
    """Whether the backend computes on a CPU, not on a GPU or TPU."""
    return "cpu" in str(ops.zeros(()).device).lower()


def jit_compile() -> bool | str:
    """The argument of `Model.compile`: on a CPU Keras leaves out TensorFlow's XLA unless asked for it."""
    if keras.backend.backend() != "tensorflow" or not on_cpu():
        return "auto"
    import tensorflow

    return tensorflow.test.is_built_with_xla()


def available_memory() -> int | None:
    """Bytes that this process may still use: of the machine and of its container; None if the system does not say."""
    limits = []
    if hasattr(os, "sysconf"):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path, pattern, unit in (
        ("/proc/meminfo", r"MemAvailable: *(\d+) kB", 1024),
        ("/sys/fs/cgroup/memory.max", r"(\d+)", 1),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", r"(\d+)", 1),
    ):
        with suppress(OSError):  # not Linux, or no container
            limits += [unit * int(size) for size in re.findall(pattern, Path(path).read_text(encoding="ascii"))]
    return min(limits, default=None)


def check_memory(needed: int, what: str, remedy: str) -> None:
    """Raises `UserError` if `needed` bytes, at the least, are more than there are; called before anything is built."""
    available = available_memory()
    if available is not None and needed > available:
        raise UserError(
            f"{what} needs at least {needed / GIB:,.1f} GiB of memory, and {available / GIB:,.1f} GiB are available; "
            f"{remedy}"
        )
