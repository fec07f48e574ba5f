"""The networks that the network is compared with, trained on the same streams.

reads   data/songs.h5, data/vocabulary.json, data/split.json
        weights/lstm.json              the settings of the network that they are compared with
writes  weights/<name>.weights.h5      the best weights, by bits per note on validation songs
        weights/<name>.json            vocabulary, settings, versions, history
        weights/<name>-copies.h5       hashes of the training songs, see melody/copies.py
        weights/<name>-history.csv     and .png, .svg: bits per note, epoch by epoch
        weights/<name>-checkpoint.weights.h5   what --resume needs

    python -m evaluation.baselines token            as long as the training of the network
    python -m evaluation.baselines token --resume   continues after the last complete epoch

token                     the network with the region of each song as an input: the word that its file name begins with
pitch-only                the network that reads and predicts pitches alone
transformer               a Transformer decoder that reads what the network reads
transformer-no-lookback   the same without the candidates of the lookback

The settings are those of weights/lstm.json but for what the name says; those of a Transformer are in its module.
"""

import argparse
from functools import partial

from melody.cli import init_keras, run
from melody.flags import add_training_start, parser

COMMAND = "python -m evaluation.baselines"
TOKEN, PITCH_ONLY, TRANSFORMER = "token", "pitch-only", "transformer"
NO_LOOKBACK = f"{TRANSFORMER}-no-lookback"
NAMES = (TOKEN, PITCH_ONLY, TRANSFORMER, NO_LOOKBACK)
TOKEN_PROBABILITY = 0.9  # of training streams with their region; the others train the network without, for guidance


def main() -> None:
    args = arguments()
    init_keras(args)
    from melody import lstm, records  # Keras takes 5 s to load, which --help need not wait for
    from melody.records import NetworkRecord
    from melody.training import train

    settings = records.load(NetworkRecord, args.weights / "lstm.json", lstm.COMMAND).settings | {"seed": args.seed}
    train(args, args.name, f"{COMMAND} {args.name}", changed(args.name, settings), builder(args.name))


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, "data", "weights")
    flags.add_argument("name", choices=NAMES, help="the network that is trained")
    add_training_start(flags)
    return flags.parse_args()


def changed(name: str, settings: dict) -> dict:
    """The settings of the network with what makes a baseline of it."""
    from evaluation import transformer

    changes = dict.fromkeys((TRANSFORMER, NO_LOOKBACK), transformer.settings(settings))
    changes |= {TOKEN: {"token_probability": TOKEN_PROBABILITY}, PITCH_ONLY: {"pitch_only": True}}
    return settings | changes.get(name, {})


def builder(name: str):
    """What builds the network of a baseline from its shape, as `lstm.build`."""
    from evaluation import transformer
    from melody import lstm

    known = {TRANSFORMER: transformer.build, NO_LOOKBACK: partial(transformer.build, with_lookback=False)}
    return known.get(name, lstm.build)


if __name__ == "__main__":
    run(main)
