"""Stage 2: train the network on the training songs of the collection.

reads   data/songs.h5, data/vocabulary.json, data/split.json
writes  weights/lstm.weights.h5     the best weights, by bits per note on validation songs
        weights/lstm.json           vocabulary, settings, versions, history
        weights/lstm-history.csv    and .png, .svg: bits per note, epoch by epoch
        weights/lstm-checkpoint.weights.h5   what --resume needs

    python train_lstm.py            a new network: about half an hour on two cores
    python train_lstm.py --resume   continues after the last complete epoch
"""

import argparse

import config
from melody.cli import above_zero, in_range, init_keras, parser, positive, run, share, size

NUMBERS = {  # flag: the kind of number it takes
    "embedding": size, "units": size, "layers": in_range(1, 64, int), "dense": size, "dropout": in_range(0, 0.99),
    "epochs": positive, "batch": size, "bptt_length": size, "windows_per_stream": size, "transpose_probability": share,
    "learning_rate": above_zero, "warmup_steps": positive,
}  # fmt: skip


def main() -> None:
    args = arguments()
    init_keras(args)
    from melody.training import train  # Keras takes 5 s to load, which --help need not wait for

    settings = {name: getattr(args, name) for name in (*NUMBERS, "precision", "seed")}
    train(args, "lstm", "python train_lstm.py", settings)


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, config.SEED, data=config.DATA, weights=config.WEIGHTS)
    for name, kind in NUMBERS.items():
        default = getattr(config, name.upper())
        flags.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default, help=f"default: {default}")
    flags.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default=config.PRECISION,
                       help=f"of the arithmetic while training (default: {config.PRECISION})")  # fmt: skip
    what = flags.add_mutually_exclusive_group()
    what.add_argument("--resume", action="store_true", help="continue after the last complete epoch")
    what.add_argument("--overwrite", action="store_true", help="start again and replace the weights")
    return flags.parse_args()


if __name__ == "__main__":
    run(main)
