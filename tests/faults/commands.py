"""Run the scripts as commands, and see how they end and what they leave."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
TIME_LIMIT = 600  # seconds after which a command counts as hanging
LINE = re.compile(r"error: .+\n")


class Row(NamedTuple):
    """A line of the table: how often a fault was tried, and how often something was lost."""

    fault: str
    tried: int
    lost: int
    remarks: list[str]


class Result(NamedTuple):
    """How a command ended."""

    status: int
    output: str
    error: str
    memory: int  # peak, bytes
    seconds: float


def command(stage: str, *flags: object) -> list[str]:
    return [sys.executable, "-m", stage, *map(str, flags)]


def environment(**more: str) -> dict[str, str]:
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
    return os.environ | quiet | more


def start(words: list[str], **settings) -> subprocess.Popen:
    settings = {"env": environment(), "cwd": ROOT} | settings
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, **settings)


def finish(process: subprocess.Popen) -> Result:
    """Wait for a command. One that hangs is killed, and returns the status of a kill."""
    started, timer = time.monotonic(), threading.Timer(TIME_LIMIT, lambda: kill(process))
    timer.start()
    output, error = process.communicate()
    timer.cancel()
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    texts = output.decode(errors="replace"), error.decode(errors="replace")
    return Result(process.returncode, *texts, memory, time.monotonic() - started)


def kill(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def call(stage: str, *flags: object, **settings) -> Result:
    return finish(start(command(stage, *flags), **settings))


def not_one_line(result: Result, *words: str, status: int = 2) -> str:
    """What is wrong if an error is not one line `error: …` with this status and these regular expressions; else ""."""
    if result.status != status or not LINE.fullmatch(result.error):
        return f"status {result.status}: {result.error[-300:]}"
    missing = [word for word in words if not re.search(word, result.error)]
    return f"{missing} is not in: {result.error}" if missing else ""


def digests(folder: Path) -> dict[str, str]:
    """Every path below a folder with the hash of its content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "not a file"
        except PermissionError:
            digest = "unreadable"
        found[str(path.relative_to(folder))] = digest
    return found
