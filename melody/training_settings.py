"""The settings of a training, and those of a fine-tuning, some of which have values of their own in config.py."""

import argparse

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


def training(args: argparse.Namespace) -> dict:
    """The settings of a training from its flags."""
    return {name: getattr(args, name) for name in ("pitch_only", *SHAPE, *TRAINING, "seed")}


def fine_tuning(args: argparse.Namespace, of_network: dict) -> dict:
    """The settings of a fine-tuning from its flags and the settings of the network that it goes on with."""
    kept = {name: of_network[name] for name in ("pitch_only", *SHAPE)}
    return kept | {name: getattr(args, name) for name in (*SHARED, *OWN, "seed")}
