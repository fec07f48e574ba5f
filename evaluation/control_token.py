"""The region token: the network once more, told the region of each song; what its memories have to beat.

reads   data/songs.h5, data/vocabulary.json, data/split.json
        weights/lstm.json             the settings of the network that it is measured beside
writes  weights/token.weights.h5      the best weights, by bits per note on validation songs
        weights/token.json            vocabulary, regions that it is told, settings, versions, history
        weights/token-history.csv     and .png, .svg: bits per note, epoch by epoch
        weights/token-checkpoint.weights.h5   all that --resume needs

    python -m evaluation.control_token            as long as the network beside it took
    python -m evaluation.control_token --resume   goes on after the last whole epoch

Sizes, streams, epochs and optimizer are those of weights/lstm.json; all that is added is an embedding of the region,
which is told by the letters that a song's file name begins with.
"""

import argparse

import config
from melody.atomic import load_json
from melody.cli import init_keras, log, parser, run
from melody.errors import UserError

COMMAND = "python -m evaluation.control_token"
TOKEN_PROBABILITY = (
    0.9  # share of streams whose region is told; the others teach what to expect, and be guided from, without one
)


def main() -> None:
    args = arguments()
    init_keras(args)
    from melody import dataset
    from melody.checkpoint import TrainingRun
    from melody.split import PARTS, load_split, split_fingerprint
    from melody.training import Trainer

    songs = dataset.load(args.data)
    split = load_split(args.data, songs)
    settings = settings_of_network(args) | {"seed": args.seed, "split": split_fingerprint(songs, split)}
    held_out = {part: [songs.name[s] for s in split[part]] for part in PARTS[1:]}
    trainer = Trainer(songs, split, settings | {"token_probability": TOKEN_PROBABILITY})
    log(args, f"{len(trainer.region_names)} regions, from {len(split['training'])} training songs; {songs.vocabulary}")
    training = TrainingRun(
        args.weights, "token", model=trainer.model, eval_model=trainer.eval_model, monitor="validation_bits",
        settings=trainer.settings, command=COMMAND,
        record={"vocabulary": songs.vocabulary.names, "regions": trainer.region_names, "held_out": held_out},
    )  # fmt: skip
    epochs = settings["epochs"]
    with training.lock():
        log(args, f"epochs done: {training.start(args.resume, args.overwrite)} of {epochs}")
        training.train(epochs, trainer.steps, trainer.epoch, args.quiet)
    log(args, f"{training.best:.3f} bits per note on validation songs; wrote {training.weights}")


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, config.SEED, data=config.DATA, weights=config.WEIGHTS)
    what = flags.add_mutually_exclusive_group()
    what.add_argument("--resume", action="store_true", help="go on after the last whole epoch")
    what.add_argument("--overwrite", action="store_true", help="begin anew, over the weights that are there")
    return flags.parse_args()


def settings_of_network(args: argparse.Namespace) -> dict:
    """What the network was trained with. Raises `Problem` when lstm.json is missing or damaged."""
    from melody.lstm import COMMAND

    path = args.weights / "lstm.json"
    try:
        return load_json(path, COMMAND)["settings"]
    except (KeyError, TypeError):
        raise UserError(f"{path} is damaged; make it again with: {COMMAND}") from None


if __name__ == "__main__":
    run(main)
