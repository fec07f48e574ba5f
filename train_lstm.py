"""Stage 2: train the network on the training songs of the collection.

reads   data/songs.h5, data/vocabulary.json, data/split.json
writes  weights/lstm.weights.h5     the best weights, by bits per note on validation songs
        weights/lstm.json           vocabulary, settings, versions, history
        weights/lstm-history.csv    and .png, .svg: bits per note, epoch by epoch
        weights/lstm-checkpoint.weights.h5   all that --resume needs

    python train_lstm.py            a new network: about half an hour on two cores
    python train_lstm.py --resume   goes on after the last whole epoch
"""

import argparse

import config
from melody.cli import above_zero, in_range, init_keras, log, parser, positive, run, share, size
from melody.errors import UserError

NUMBERS = {  # flag: the kind of number it takes
    "embedding": size, "units": size, "layers": in_range(1, 64, int), "dense": size, "dropout": in_range(0, 0.99),
    "epochs": positive, "batch": size, "bptt_length": size, "windows_per_stream": size, "transpose_probability": share,
    "learning_rate": above_zero, "warmup_steps": positive,
}  # fmt: skip


def main() -> None:
    args = arguments()
    init_keras(args)
    from melody import dataset
    from melody.checkpoint import TrainingRun
    from melody.split import PARTS, load_split, split_fingerprint
    from melody.training import Trainer

    songs = dataset.load(args.data)
    split = load_split(args.data, songs)
    if not split["validation"]:
        raise UserError(
            f"{len(songs)} songs are too few: none is left to judge the network by; preprocess.py reads more"
        )
    log(args, f"{len(split['training'])} training and {len(split['validation'])} validation songs; {songs.vocabulary}")
    settings = {name: getattr(args, name) for name in (*NUMBERS, "precision", "seed")}
    settings["split"] = split_fingerprint(songs, split)
    held_out = {part: [songs.name[s] for s in split[part]] for part in PARTS[1:]}
    trainer = Trainer(songs, split, settings)
    training = TrainingRun(
        args.weights, "lstm", model=trainer.model, eval_model=trainer.eval_model, monitor="validation_bits",
        settings=settings, record={"vocabulary": songs.vocabulary.names, "held_out": held_out},
        command="python train_lstm.py",
    )  # fmt: skip
    with training.lock():
        log(args, f"epochs done: {training.start(args.resume, args.overwrite)} of {args.epochs}")
        training.train(args.epochs, trainer.steps, trainer.epoch, args.quiet)
    log(args, f"{training.best:.3f} bits per note on validation songs; wrote {training.weights}")


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, config.SEED, data=config.DATA, weights=config.WEIGHTS)
    for name, kind in NUMBERS.items():
        default = getattr(config, name.upper())
        flags.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default, help=f"default: {default}")
    flags.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default=config.PRECISION,
                       help=f"of the arithmetic while training (default: {config.PRECISION})")  # fmt: skip
    what = flags.add_mutually_exclusive_group()
    what.add_argument("--resume", action="store_true", help="go on after the last whole epoch")
    what.add_argument("--overwrite", action="store_true", help="begin anew, over the weights that are there")
    return flags.parse_args()


if __name__ == "__main__":
    run(main)
