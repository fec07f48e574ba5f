"""The region token: the network once more, told the region of each song; what its memories have to beat.

reads   data/songs.h5, data/vocabulary.json, data/split.json
        weights/lstm.json             the settings of the network that it is measured beside
writes  weights/token.weights.h5      the best weights, by bits per note on validation songs
        weights/token.json            vocabulary, regions that it is told, settings, versions, history
        weights/token-history.csv     and .png, .svg: bits per note, epoch by epoch
        weights/token-checkpoint.weights.h5   all that --resume needs

    python -m evaluation.token            as long as the network beside it took
    python -m evaluation.token --resume   goes on after the last whole epoch

Sizes, streams, epochs and optimizer are those of weights/lstm.json; all that is added is an embedding of the region,
which is told by the letters that a song's file name begins with.
"""

import argparse

import config
from melody.files import read_json
from melody.stage import Problem, begin, parser, run, say

MADE_BY = "python -m evaluation.token"
TOLD = 0.9  # share of streams whose region is told; the others teach what to expect, and be guided from, without one


def main() -> None:
    args = arguments()
    begin(args)
    from melody import dataset
    from melody.run import Run
    from melody.training import Lessons

    songs = dataset.load(args.data)
    split = dataset.load_split(args.data, songs)
    settings = settings_of_network(args) | {"seed": args.seed, "split": dataset.split_fingerprint(songs, split)}
    held_out = {part: [songs.name[s] for s in split[part]] for part in dataset.PARTS[1:]}
    lessons = Lessons(songs, split, settings | {"told": TOLD})
    say(args, f"{len(lessons.known)} regions, from {len(split['training'])} training songs; {songs.vocabulary}")
    training = Run(
        args.weights, "token", trainer=lessons.trainer, kept=lessons.kept, judge="validation_bits",
        settings=lessons.settings, made_by=MADE_BY,
        record={"vocabulary": songs.vocabulary.names, "regions": lessons.known, "held_out": held_out},
    )  # fmt: skip
    epochs = settings["epochs"]
    with training.alone():
        say(args, f"epochs done: {training.begin(args.resume, args.overwrite)} of {epochs}")
        training.train(epochs, lessons.steps, lessons.epoch, args.quiet)
    say(args, f"{training.best:.3f} bits per note on validation songs; wrote {training.weights}")


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, config.SEED, data=config.DATA, weights=config.WEIGHTS)
    what = flags.add_mutually_exclusive_group()
    what.add_argument("--resume", action="store_true", help="go on after the last whole epoch")
    what.add_argument("--overwrite", action="store_true", help="begin anew, over the weights that are there")
    return flags.parse_args()


def settings_of_network(args: argparse.Namespace) -> dict:
    """What the network was trained with. Raises `Problem` when lstm.json is missing or damaged."""
    from melody.lstm import MADE_BY

    path = args.weights / "lstm.json"
    try:
        return read_json(path, MADE_BY)["settings"]
    except (KeyError, TypeError):
        raise Problem(f"{path} is damaged; make it again with: {MADE_BY}") from None


if __name__ == "__main__":
    run(main)
