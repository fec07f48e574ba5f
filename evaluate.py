"""Stage 6: measure the network and its VAEs on songs that neither was trained on.

reads   data/songs.h5, data/vocabulary.json, weights/lstm.*, weights/vae-*.*
        weights/token.*, pitch-only.*, transformer*.*   those that exist: the networks of evaluation/baselines.py
writes  results/evaluation.json, .md         every figure on test songs, the same as tables (--part test)
        results/evaluation-validation.*      the same on validation songs (default), for choices of settings
        results/listening.html   with --listen: a page for your ears, with songs of your copy of the collection
        results/memory-plane, steering, features, traversal, mixing   .png and .svg, on test songs only

    python evaluate.py                 validation songs: an hour on two cores
    python evaluate.py --part test     test songs, for the published tables
    python evaluate.py --quick         fewer songs and no figures, into evaluation-quick-*: five to seven minutes
    python evaluate.py --only M1 M9    these metrics, into evaluation-partial-*
    python evaluate.py --listen        write a page to tell real songs from composed ones, and no figures
    python evaluate.py --table docs    print the tables of docs/evaluation.md, or those of README.md (readme)

Real memories of held-out songs come from the part that is not measured.
"""

import argparse
import logging
import shlex
import sys
import time
from dataclasses import asdict
from pathlib import Path

from evaluation import report
from melody import cluster
from melody.atomic import atomic_write, load_json, write_json
from melody.cli import init_keras, log, progress, run
from melody.errors import UserError
from melody.flags import add_cluster, parser

METRICS = [*(f"M{k}" for k in range(1, 13)), "E1", "E2", "E3", "E5", "E6", "E7", *(f"R{k}" for k in range(1, 10))]
NEEDED = (["china"], ["deutschl"])  # the regions that the targets are about
TABLES = {"docs": report.docs_tables, "readme": report.readme_table}


def main() -> None:
    args = arguments()
    if args.table:
        return print(TABLES[args.table](load_json(result_path(args), "python evaluate.py --part test")))
    init_keras(args)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of every new song length
    started = time.monotonic()
    context = load_context(args)
    if args.listen:
        return listen(context, args)
    path, rows = result_path(args), measure(context, args)
    record = about(context) | {"rows": rows, **description(context, args)}
    write_json(path, record)  # before figures are drawn, so that no number is lost if drawing stops
    with atomic_write(path.with_suffix(".md")) as file:
        file.write_text(report.docs_tables(record) + "\n", encoding="utf-8")
    write_json(path, record | {"curve": draw(context, args, rows), "seconds": round(time.monotonic() - started)})
    met = [row["met"] for row in rows if row["met"] is not None]
    log(args, f"{sum(met)} of {len(met)} targets met; wrote {path}")


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, "data", "weights", "temperature", "guidance", "length", out="RESULTS")
    measured = "held-out songs that are measured (default: validation; test for --table)"
    flags.add_argument("--part", choices=("validation", "test"), help=measured)
    flags.add_argument("--quick", action="store_true", help="fewer songs, wider intervals, no figures")
    flags.add_argument("--table", choices=TABLES, help="print tables of an evaluation that exists")
    listen = "write a page of 20 excerpts, half of them real songs, on which you say which; nothing is measured"
    flags.add_argument("--listen", action="store_true", help=listen)
    only = {"choices": METRICS, "default": METRICS, "help": f"of {', '.join(METRICS)} (default: all)"}
    flags.add_argument("--only", nargs="+", metavar="METRIC", **only)
    add_cluster(flags)
    args = flags.parse_args()
    args.part = args.part or ("test" if args.table else "validation")
    return args


def result_path(args: argparse.Namespace) -> Path:
    """results/evaluation.json for a whole run on test songs; every other kind of run has its own name."""
    words = ["evaluation", *["quick"] * args.quick, *["partial"] * (args.only != METRICS)]
    return args.out / ("-".join([*words, *["validation"] * (args.part == "validation")]) + ".json")


def listen(context, args: argparse.Namespace) -> None:
    """Write the page of `evaluation.listening`. It holds songs of the collection, so it is not for others."""
    from evaluation.listening import write_listening_page

    log(args, f"wrote {write_listening_page(args.out, context)}; it holds real songs, so keep it to yourself")


def load_context(args: argparse.Namespace):
    """Everything that is measured. Raises `UserError` when something is missing or does not fit."""
    from evaluation import context  # these import Keras, which takes four seconds that --table and --help do not need
    from melody import dataset, lstm
    from melody.split import split_from_held_out

    songs, trained = dataset.load(args.data), lstm.load(args.weights)
    lstm.check_vocabulary(trained, songs.vocabulary)
    split, sizes = split_from_held_out(songs, trained.held_out), context.QUICK if args.quick else context.FULL
    vaes, records = load_vaes(args.weights, trained.fingerprint)
    choices = args.part, sizes, args.seed, args.temperature, args.guidance, args.length
    return context.Context(songs, split, trained, vaes, records, *choices, load_baselines(args, trained))


def load_baselines(args: argparse.Namespace, trained) -> dict:
    """The networks of `evaluation.baselines` that have been trained, by name; a line says which have not.

    Raises `UserError` when one has other pitches or held-out songs than the network that it is compared with.
    """
    from evaluation import baselines
    from melody import lstm

    found = {}
    for name in baselines.NAMES:
        command = f"{baselines.COMMAND} {name}"
        if not (args.weights / f"{name}.json").exists():
            log(args, f"{args.weights / name}.json does not exist, so it is left out; train it with: {command}")
            continue
        found[name] = lstm.load(args.weights, name, command, baselines.builder(name))
        lstm.check_vocabulary(found[name], trained.vocabulary)
        if found[name].held_out != trained.held_out:
            path = args.weights / f"{name}.json"
            raise UserError(f"{path} holds out other songs than lstm.json; train it again: {command} --overwrite")
    return found


def load_vaes(folder: Path, network: str) -> tuple[dict, dict]:
    """The VAEs of regions and their records, by the name of their region."""
    from melody.regions import ALL, file_name, flag
    from vae import sample

    vaes, records = {}, {}
    for path in sorted(folder.glob("vae-*.json")):
        name = path.stem.removeprefix("vae-")
        vae, record = sample.load(folder, name, flag([] if name == ALL else name.split("+")))
        if record.memories.get("regions") is not None:  # the others are of songs of the user's own
            record.check_network(network)
            vaes[name], records[name] = vae, record
    for constraints in NEEDED:
        if file_name(constraints) not in vaes:
            sample.load(folder, file_name(constraints), flag(constraints))  # raises the error that names the commands
    return vaes, records


def load_metrics() -> dict:
    from evaluation import (
        generation_quality,
        memory_content,
        memory_quality,
        mixing,
        prediction,
        rhythm_quality,
        steering,
        traversal,
    )

    memory = memory_content, memory_quality, mixing, traversal
    modules = prediction, steering, *memory, generation_quality, rhythm_quality
    return {name: metric for module in modules for name, metric in module.METRICS.items()}


def about(context) -> dict[str, dict[str, str]]:
    """What each metric asks, in a sentence, and what each condition is."""
    from evaluation import conditions

    names, metrics = (*conditions.available(context), conditions.REAL), load_metrics()
    questions = {name: " ".join(metrics[name].__doc__.split()) for name in METRICS}
    return {"about": questions, "conditions": {name: conditions.ABOUT[name] for name in names}}


def measure(context, args: argparse.Namespace) -> list[dict]:
    """The rows of all metrics, each logged when it has been computed."""
    rows, metrics = {}, load_metrics()
    if args.cluster:
        found = cluster.results(args.cluster, "evaluate:rows_of", args.only, args, "evaluate:load_context")
    else:
        found = (rows_of(context, name) for name in args.only)
    with progress(args.only, args.quiet, unit="metric") as bar:
        for name in bar:
            bar.set_description(name)
            computed, seconds = next(found)
            for row in computed:
                # What takes no guidance is computed beside every guidance and reported once
                rows.setdefault(tuple(row[field] for field in report.FIELDS), row)
            log(args, f"{name:3} {seconds:.0f} s: {' '.join(metrics[name].__doc__.split())}")
            for row in rows.values():
                if row["metric"] == name and row["target"]:
                    text = report.label(row["measure"], row["region"], row["notes"])
                    log(args, f"    {text}: {report.cell(row)}, target {row['target']}: {report.MET[row['met']]}")
    return list(rows.values())


def rows_of(context, name: str) -> tuple[list[dict], float]:
    """The rows of a metric, and the seconds that it took."""
    started = time.monotonic()
    return list(load_metrics()[name](context)), time.monotonic() - started


def draw(context, args: argparse.Namespace, rows: list[dict]) -> list[dict]:
    """The curve of steering and overshoot by guidance and temperature; the figures only from a whole test run."""
    from evaluation import figures, mixing, traversal

    if args.quick or args.only != METRICS:
        return []
    curve = figures.curve(context, figures.GUIDANCES, figures.TEMPERATURES)
    if args.part == "test":
        figures.steering_figure(args.out / "steering", context, curve)
        figures.memory_figure(args.out / "memory-plane", context)
        figures.feature_figure(args.out / "features", context)
        traversal.traversal_figure(args.out / "traversal", context)
        mixing.mixing_figure(args.out / "mixing", rows)
    return curve


def description(context, args: argparse.Namespace) -> dict:
    """How the figures were made: command, settings, seed, fingerprints of everything that was measured."""
    from melody.provenance import file_fingerprint
    from melody.split import split_fingerprint

    names = ("part", "temperature", "guidance", "length", "quick")
    vaes = {f"vae-{name}": file_fingerprint(args.weights / f"vae-{name}.weights.h5") for name in sorted(context.vaes)}
    baselines = {name: baseline.fingerprint for name, baseline in context.baselines.items()}
    split = split_fingerprint(context.songs, context.split)
    fingerprints = {"network": context.trained.fingerprint, **baselines, "vocabulary": context.vocabulary.fingerprint}
    return {
        "command": "python " + shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "settings": {name: getattr(args, name) for name in names} | asdict(context.sizes),
        "seed": args.seed,
        "fingerprints": fingerprints | {"split": split, **vaes},
    }


if __name__ == "__main__":
    run(main)
