"""Stage 6: measure the network and its VAEs against songs never heard, baselines and bars.

reads   data/songs.h5, data/vocabulary.json, weights/lstm.*, weights/vae-*.*
        weights/token.*            where it is there: the network told regions, by python -m evaluation.control_token
writes  results/evaluation.json    every figure, M1 to M12, with its interval, baselines, real songs and bar
        results/evaluation.md      all of it as tables
        results/latent-plane, steering, features   .png and .svg

    python evaluate.py             everything: 25 minutes on two cores
    python evaluate.py --quick     the same with fewer songs, into results/evaluation-quick.json: under five minutes
    python evaluate.py --only M1 M9      these metrics, into results/evaluation-part.json
    python evaluate.py --table     print the tables of README.md from results/evaluation.json
"""

import argparse
import logging
import shlex
import sys
import time
from pathlib import Path

from melody.atomic import atomic_write, load_json, write_json
from melody.cli import init_keras, log, progress, run
from melody.errors import UserError
from melody.flags import folder, parser

PARTS = [f"M{k}" for k in range(1, 13)]
NEEDED = ([], ["china"], ["deutschl"])  # the regions that the bars are about; none: all songs


def main() -> None:
    args = arguments()
    path = args.out / "-".join(["evaluation", *["quick"] * args.quick, *["part"] * (args.only != PARTS)])
    path = path.with_suffix(".json")
    if args.table:
        from evaluation.report import headlines

        return print(headlines(load_json(path, "python evaluate.py")))
    init_keras(args)
    from evaluation.report import markdown

    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of every new length of songs
    since = time.monotonic()
    context = prepare(args)
    found = measure(context, args)
    record = {"about": about(), "metrics": found, **described(context, args)}
    write_json(path, record)  # so that no figure is lost if drawing is stopped
    with atomic_write(path.with_suffix(".md")) as beside:
        beside.write_text(markdown(record) + "\n", encoding="utf-8")
    write_json(path, record | {"curve": draw(context, args), "seconds": round(time.monotonic() - since)})
    held = [line["holds"] for lines in found.values() for line in lines if line["holds"] is not None]
    log(args, f"{sum(held)} of {len(held)} bars hold; wrote {path}")


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, "data", "weights", "temperature", "guidance", "length")
    flags.add_argument("--out", type=folder, default="results", metavar="DIR", help="(default: results)")
    flags.add_argument("--quick", action="store_true", help="fewer songs, wider intervals")
    flags.add_argument("--table", action="store_true", help="print the tables of an evaluation that is there")
    flags.add_argument(
        "--only", nargs="+", choices=PARTS, default=PARTS, metavar="M", help="of M1 … M12 (default: all)"
    )
    return flags.parse_args()


def prepare(args: argparse.Namespace):
    """Load all that is measured. Raises `Problem` when something is missing or does not fit."""
    from evaluation import context
    from melody import dataset, lstm
    from melody.split import split_from_held_out

    songs, trained = dataset.load(args.data), lstm.load(args.weights)
    lstm.check_vocabulary(trained, songs.vocabulary)
    split, token = split_from_held_out(songs, trained.held_out), load_token(args, trained)
    return context.Context(
        songs, split, trained, load_vaes(args.weights, trained.fingerprint), context.QUICK if args.quick else context.FULL,
        args.seed, args.temperature, args.guidance, args.length, token,
    )  # fmt: skip


def load_token(args: argparse.Namespace, trained):
    """The network that is told regions; None, said in a line, when it has not been made.

    Raises `Problem` when it knows other notes, or has heard other songs, than the network it is measured beside.
    """
    from evaluation.control_token import COMMAND
    from melody import lstm

    path = args.weights / "token.json"
    if not path.exists():
        log(args, f"{path} is not there, so no region token is measured; it is made with: {COMMAND}")
        return None
    token = lstm.load(args.weights, "token", COMMAND)
    lstm.check_vocabulary(token, trained.vocabulary)
    if token.held_out != trained.held_out:
        raise UserError(f"{path} holds out other songs than lstm.json beside it; train it again: {COMMAND} --overwrite")
    return token


def load_vaes(folder: Path, network: str) -> dict:
    """Every VAE of a folder that knows this network's memories, by the name of its region."""
    from melody.regions import file_name, flag
    from vae import sample

    vaes = {}
    for path in sorted(folder.glob("vae-*.json")):
        name = path.stem.removeprefix("vae-")
        vaes[name], record = sample.load(folder, name, flag(name.split("+")))
        record.check_network(network)
    for constraints in NEEDED:
        if file_name(constraints) not in vaes:
            sample.load(folder, file_name(constraints), flag(constraints))  # raises the error that names the commands
    return vaes


def metrics() -> dict:
    from evaluation import generation_quality, memory_quality, prediction, steering

    return prediction.METRICS | steering.METRICS | memory_quality.METRICS | generation_quality.METRICS


def about() -> dict[str, str]:
    """What each metric asks, in a sentence or two."""
    return {name: " ".join(metrics()[name].__doc__.split()) for name in PARTS}


def measure(context, args: argparse.Namespace) -> dict[str, list[dict]]:
    """The rows of every metric, told as they are found."""
    from evaluation.report import shown

    found = {}
    with progress(args.only, args.quiet, unit="metric") as bar:
        for name in bar:
            bar.set_description(name)
            found[name] = metrics()[name](context)
            for line in found[name]:
                bars = f", must be {line['must']}: {'yes' if line['holds'] else 'no'}" if line["must"] else ""
                log(args, f"{name:3} {line['what']}: {shown(line['ours'])}{bars}")
    return found


def draw(context, args: argparse.Namespace) -> list[dict]:
    """The pictures, and the curve of steering and caricature against guidance and temperature."""
    from evaluation import figures

    if args.only != PARTS:
        return []
    lines = figures.curve(
        context, figures.GUIDANCES[:3] if args.quick else figures.GUIDANCES, () if args.quick else figures.TEMPERATURES
    )
    figures.steering_picture(args.out / "steering", context, lines)
    figures.latent_picture(args.out / "latent-plane", context)
    figures.feature_picture(args.out / "features", context)
    return lines


def described(context, args: argparse.Namespace) -> dict:
    """What made the figures: command, settings, seed, fingerprints of all that was measured."""
    from dataclasses import asdict

    from melody.provenance import file_fingerprint
    from melody.split import split_fingerprint

    return {
        "command": "python " + shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "settings": {name: getattr(args, name) for name in ("temperature", "guidance", "length", "quick")}
        | asdict(context.sizes),
        "seed": args.seed,
        "fingerprints": {
            "network": context.trained.fingerprint,
            **({"token": context.token.fingerprint} if context.token else {}),
            "vocabulary": context.vocabulary.fingerprint,
            "split": split_fingerprint(context.songs, context.split),
            **{
                f"vae-{name}": file_fingerprint(args.weights / f"vae-{name}.weights.h5")
                for name in sorted(context.vaes)
            },
        },
    }


if __name__ == "__main__":
    run(main)
