"""The settings of a training, and those of a fine-tuning, some of which have values of their own in config.py."""

import argparse
import os
import re
from contextlib import suppress
from pathlib import Path

SHAPE = ("embedding", "units", "layers", "dense")  # of a new network
TRAINING = tuple(
    "dropout epochs batch bptt_length windows_per_stream transpose_probability synthetic_probability "
    "auxiliary_weight learning_rate warmup_steps precision".split()
)
OWN = {
    name: f"FINE_TUNING_{name.upper()}"
    for name in ("epochs", "windows_per_stream", "learning_rate", "warmup_steps", "auxiliary_weight", "own_share")
}
SHARED = tuple(name for name in TRAINING if name not in OWN)
BFLOAT16 = re.compile(r"\b(avx512_bf16|amx_bf16)\b")  # instructions of a processor


def training(args: argparse.Namespace) -> dict:
    """The settings of a training from its flags."""
    return {name: getattr(args, name) for name in ("pitch_only", *SHAPE, *TRAINING, "seed")}


def fine_tuning(args: argparse.Namespace, of_network: dict) -> dict:
    """The settings of a fine-tuning from its flags and the settings of the network that it goes on with."""
    kept = {name: of_network[name] for name in ("pitch_only", *SHAPE)}
    return kept | {name: getattr(args, name) for name in (*SHARED, *OWN, "seed")}


def chosen_precision(text: str) -> str:
    """The precision of a flag; `auto` is mixed_bfloat16 where a processor or GPU is made for it, else float32.

    Elsewhere bfloat16 is several times as slow as float32, and in JAX on any processor.
    """
    if text != "auto":
        return text
    fast = Path("/dev/nvidiactl").exists()
    if not fast and os.environ.get("KERAS_BACKEND") != "jax":
        with suppress(OSError):  # not Linux
            fast = bool(BFLOAT16.search(Path("/proc/cpuinfo").read_text(encoding="utf-8")))
    return "mixed_bfloat16" if fast else "float32"
