"""Stage 2: train the network on the training songs of the collection.

reads   data/songs.h5, data/vocabulary.json, data/split.json
writes  weights/lstm.weights.h5     the best weights, by bits per note on validation songs
        weights/lstm.json           vocabulary, settings, versions, history
        weights/lstm-copies.h5      hashes of the training songs, see melody/copies.py
        weights/lstm-history.csv    and .png, .svg: bits per note, epoch by epoch
        weights/lstm-checkpoint.weights.h5   the state of the training, for --resume

    python train_lstm.py            a new network: one to two hours on two cores
    python train_lstm.py --resume   continues after the last complete epoch
"""

import argparse

from melody.cli import init_keras, run
from melody.flags import add_pitch_only, add_training_start, parser

SETTINGS = (
    "embedding units layers dense dropout epochs batch bptt_length windows_per_stream transpose_probability "
    "synthetic_probability auxiliary_weight learning_rate warmup_steps precision"
).split()


def main() -> None:
    args = arguments()
    init_keras(args)
    from melody.training import train  # Keras takes 5 s to load, which --help need not wait for

    settings = {name: getattr(args, name) for name in ("pitch_only", *SETTINGS, "seed")}
    train(args, "lstm", "python train_lstm.py", settings)


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, "data", "weights", *SETTINGS)
    add_pitch_only(flags)
    add_training_start(flags)
    return flags.parse_args()


if __name__ == "__main__":
    run(main)
