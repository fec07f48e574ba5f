"""Measure speed and memory of every stage, compared with what a user would run instead, in one run on one machine.

reads   the kern edition and the MIDI edition of the Essen collection, where they are; all other data is synthetic
writes  results/benchmarks.json   a list of rows: case, stage, workload, baseline, ratio, target, met, value, peak_mb …
        results/scaling-*.png, .svg    time and peak memory against size

    python -m benchmarks.run --kern essen-folksong-collection    everything: half an hour on two idle cores
    python -m benchmarks.run --only train_lstm sample_songs      these cases, into results/benchmarks-part.json
    python -m benchmarks.run --quick    every case once, at toy size, into results/benchmarks-quick.json: a smoke test
    python -m benchmarks.run --table    print the tables of results/benchmarks.json, as in docs/benchmarks.md

Each program runs in its own process; compared programs take turns, five times. PyTorch and JAX are not among the
requirements: `pip install torch jax`.
"""

import argparse
import json
import os
import platform
from importlib.metadata import distributions
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import config
from benchmarks.cases import CASES
from benchmarks.context import SIZES, Context, song_files
from benchmarks.harness import Command, Measurement, Unavailable
from benchmarks.report import Comparison, row, shown, tables
from melody.atomic import load_json, write_json
from melody.cli import log, progress, run
from melody.errors import UserError
from melody.flags import parser
from melody.plots import scaling
from melody.training_settings import chosen_precision

PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "music21")
SYNTHETIC = {"songs": 400, "files": 12}  # songs in data/; song files of a quick run
TOY = {"embedding": 3, "units": 4, "layers": 2, "dense": 5, "hidden": [6, 5]}
TOY |= {"batch": 2, "bptt_length": 4, "windows_per_stream": 2}
TARGETS = "target met stretch_target stretch_met memory_target memory_met".split()


def main() -> None:
    args = arguments()
    parts = ["benchmarks", *["quick"] * args.quick, *["part"] * (args.only != list(CASES))]
    path = args.out / f"{'-'.join(parts)}.json"
    if args.table:
        return print(tables(load_json(path, "python -m benchmarks.run", list)))
    with TemporaryDirectory() as scratch:
        rows = measure(context_of(args, Path(scratch)), args, path)
    points = [line for line in rows if "size" in line and not args.quick]
    for stage in dict.fromkeys(line["stage"] for line in points):
        scaling(args.out / f"scaling-{stage}", [line for line in points if line["stage"] == stage])
    met = [line["met"] for line in rows if line["met"] is not None]
    log(args, f"{f'{sum(met)} of {len(met)} targets met; ' if met else ''}wrote {path}")


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, out="RESULTS")
    flags.add_argument("--kern", type=Path, metavar="DIR", help="folder of the kern edition (default: not measured)")
    flags.add_argument("--midi", type=Path, metavar="DIR", help="folder of the MIDI edition (default: in config.DATA)")
    flags.add_argument("--quick", action="store_true", help="every case once, at toy size, on synthetic songs")
    flags.add_argument("--table", action="store_true", help="print the tables of an earlier run")
    cases = {"choices": list(CASES), "default": list(CASES), "metavar": "CASE"}
    flags.add_argument("--only", nargs="+", **cases, help=f"cases to measure (default: all of {' '.join(CASES)})")
    return flags.parse_args()


def context_of(args: argparse.Namespace, scratch: Path) -> Context:
    """Write the synthetic data and weights. Raises `UserError` for a folder without songs."""
    settings = {name.lower(): value for name, value in vars(config).items() if name.isupper()}
    settings["precision"] = chosen_precision(config.PRECISION)
    settings |= {"seed": args.seed, "pitch_only": False}
    downloaded = Path(config.DATA, "essen")
    editions = {"kern": args.kern, "midi": args.midi or (downloaded if downloaded.exists() else None)}
    if args.quick:
        settings |= TOY
        editions = {name: scratch / name for name in editions}
    editions = {name: folder and folder.resolve() for name, folder in editions.items()}
    sizes = SimpleNamespace(**{name: full_and_quick[args.quick] for name, full_and_quick in SIZES.items()})
    context = Context(scratch, editions, settings, sizes)
    synthetic = SYNTHETIC | {"shape": context.shape, "vae": context.vae}
    Command(["-m", "benchmarks.synthetic", scratch, json.dumps(synthetic)]).run_round()
    for edition in filter(None, editions.values()):
        if not song_files(edition):
            raise UserError(f"no songs in {edition}; name the folder of an edition with --kern or --midi")
    return context


def measure(context: Context, args: argparse.Namespace, path: Path) -> list[dict]:
    """The rows of every case, written after each, so that an interrupted run keeps what it has measured."""
    rows, here = [], machine()
    for name in (bar := progress(args.only, args.quiet, unit="case")):
        bar.set_description(name)
        stage, unit, memory_target, case = CASES[name]
        try:
            found, comparisons = case(context)
        except Unavailable as reason:
            found, comparisons = {name: Measurement(missing=str(reason))}, [Comparison(name)]
        for comparison in comparisons:
            line = {"case": name, "stage": stage} | row(comparison, found, unit, memory_target) | {"machine": here}
            rows.append(line | dict.fromkeys(TARGETS if args.quick else ()))  # speed at toy size says nothing
            log(args, summary(rows[-1]))
        write_json(path, rows)
    return rows


def summary(line: dict) -> str:
    """A row in one line."""
    ratio = f"{shown(line['ratio'])} × {line['baseline']}" if line["ratio"] else line["remark"]
    target = f", target {line['target']} {'met' if line['met'] else 'not met'}" if line["met"] is not None else ""
    value = f" ({shown(line['value'])} {line['unit']}, {line['peak_mb']:,.0f} MB)" if line["value"] else ""
    return f"{line['workload']}: {ratio}{value}{target}"


def machine() -> str:
    """The processor and the versions of what runs on it."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), cpu)
    versions = {package.name: package.version for package in distributions()}
    packages = [f"{name} {versions[name]}" for name in PACKAGES if name in versions]
    return f"{cpu}, {os.cpu_count()} cores; Python {platform.python_version()}, {', '.join(packages)}"


if __name__ == "__main__":
    run(main)
