"""The control token: the network again, with the region of each song as an input; the baseline of the memories.

reads   data/songs.h5, data/vocabulary.json, data/split.json
        weights/lstm.json             the settings of the network that it is compared with
writes  weights/token.weights.h5      the best weights, by bits per note on validation songs
        weights/token.json            vocabulary, regions of the control tokens, settings, versions, history
        weights/token-history.csv     and .png, .svg: bits per note, epoch by epoch
        weights/token-checkpoint.weights.h5   what --resume needs

    python -m evaluation.control_token            as long as the training of the network
    python -m evaluation.control_token --resume   continues after the last complete epoch

Sizes, streams, epochs and optimizer are those of weights/lstm.json; the only addition is an embedding of the region,
which is the word that a song's file name begins with.
"""

import argparse

from melody.cli import init_keras, run
from melody.flags import add_training_start, parser

COMMAND = "python -m evaluation.control_token"
TOKEN_PROBABILITY = 0.9  # of training streams with their region; the others train the network without, for guidance


def main() -> None:
    args = arguments()
    init_keras(args)
    from melody import lstm, records  # Keras takes 5 s to load, which --help need not wait for
    from melody.records import NetworkRecord
    from melody.training import train

    settings = records.load(NetworkRecord, args.weights / "lstm.json", lstm.COMMAND).settings
    train(args, "token", COMMAND, settings | {"seed": args.seed, "token_probability": TOKEN_PROBABILITY})


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, "data", "weights")
    add_training_start(flags)
    return flags.parse_args()


if __name__ == "__main__":
    run(main)
