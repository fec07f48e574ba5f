"""Measure our speed and memory beside what a user would run instead, all in one run on one machine.

reads   the kern edition and the MIDI edition of the Essen collection, where they are; all else is invented
writes  results/benchmarks.json   a list of rows: work, beside, ratio, must, aim, holds; medians, rounds, peak memory
        results/growth-*.png, .svg    time and peak memory against size

    python -m benchmarks.run --kern essen-folksong-collection    everything: twenty minutes on two idle cores
    python -m benchmarks.run --only training composing           these benchmarks, into results/benchmarks-part.json
    python -m benchmarks.run --quick    each once, at toy size, into results/benchmarks-quick.json: shows that all run
    python -m benchmarks.run --table    print the tables of results/benchmarks.json, as they stand in README.md

Each program runs in a process of its own; those compared take turns, five times. PyTorch and JAX are not among the
requirements: `pip install torch jax`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

import config
import train_lstm
from benchmarks.cases import CASES, FULL, QUICK, Setup, songs_in
from benchmarks.harness import Command, Measured, NotRun
from benchmarks.report import row, shown, tables
from melody.atomic import load_json, write_json
from melody.cli import log, parser, progress, run
from melody.errors import UserError
from vae import train

PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "music21")
INVENTED = {"songs": 400, "files": 12}  # songs of the network; files of songs, for a quick run
UNJUDGED = dict.fromkeys(("must", "aim", "holds", "aim_holds", "memory_must", "memory_holds"))  # at toy size
TINY = {"embedding": 3, "units": 4, "layers": 2, "dense": 5}


def main() -> None:
    args = arguments()
    path = args.out / "-".join(["benchmarks", *["quick"] * args.quick, *["part"] * (args.only != list(CASES))])
    path = path.with_suffix(".json")
    if args.table:
        return print(tables(load_json(path, "python -m benchmarks.run", list)))
    with TemporaryDirectory() as scratch:
        rows = measure(place_of(args, Path(scratch)), args, path)
    draw(args.out, rows, args)
    held = [line["holds"] for line in rows if line["holds"] is not None]
    bars = f"{sum(held)} of {len(held)} bars hold; " if held else ""
    log(args, f"{bars}wrote {path}")


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, config.SEED, out="results")
    flags.add_argument("--kern", type=Path, metavar="DIR", help="the kern edition, as cloned (default: it is not read)")
    flags.add_argument(
        "--midi", type=Path, metavar="DIR", help="the MIDI edition (default: where preprocess.py put it, if it did)"
    )
    flags.add_argument("--quick", action="store_true", help="each once, at toy size, on invented songs")
    flags.add_argument("--table", action="store_true", help="print the tables of a run that is there")
    flags.add_argument(
        "--only", nargs="+", choices=list(CASES), default=list(CASES), metavar="NAME", help=f"of: {' '.join(CASES)}"
    )
    return flags.parse_args()


def place_of(args: argparse.Namespace, scratch: Path) -> Setup:
    """Lay out what is measured. Raises `Problem` for a folder that holds no songs."""
    learning = {name: getattr(config, name.upper()) for name in train_lstm.NUMBERS}
    shape = {name: learning.pop(name) for name in TINY}
    learning |= {"precision": config.PRECISION, "seed": args.seed}
    vae = {name: getattr(config, f"VAE_{name.upper()}" if name in train.SHARED else name.upper())
           for name in train.NUMBERS}  # fmt: skip
    vae |= {"hidden": config.HIDDEN, "seed": args.seed}
    if args.quick:
        shape, learning, vae = (
            TINY,
            learning | {"batch": 2, "bptt_length": 4, "windows_per_stream": 2},
            vae | {"hidden": [6, 5]},
        )
    prepare = Command(["-m", "benchmarks.synthetic", scratch, json.dumps(INVENTED | {"shape": shape, "vae": vae})])
    prepare.one_round()
    midi = Path(config.DATA, "essen")
    editions = {"kern": args.kern, "midi": args.midi or (midi if midi.exists() else None)}
    if args.quick:
        editions = {name: scratch / name for name in editions}
    for folder in editions.values():
        if folder and not songs_in(folder):
            raise UserError(f"no songs in {folder}")
    editions = {name: folder and folder.resolve() for name, folder in editions.items()}
    memory = {"notes": config.MEMORY_NOTES, "songs": config.MEMORY_SONGS}
    return Setup(scratch, editions, QUICK if args.quick else FULL, shape, learning, vae, memory, config.GUIDANCE)


def measure(place: Setup, args: argparse.Namespace, path: Path) -> list[dict]:
    """The rows of every benchmark, told and written as they are found, so that a run cut short leaves what it has."""
    rows, here = [], machine()
    with progress(args.only, args.quiet, unit="benchmark") as bar:
        place.told = bar.refresh
        for name in bar:
            bar.set_description(name)
            try:
                found = CASES[name](place)
            except NotRun as needs:
                found = [row(CASES[name].__doc__, Measured(why=str(needs)), unit="")]
            for line in found:
                rows.append(line | {"machine": here} | (UNJUDGED if args.quick else {}))
                log(args, told(rows[-1]))
            write_json(path, rows)
    return rows


def told(line: dict) -> str:
    """A row in a line of words."""
    figure = f"{shown(line['ratio'])} × {line['beside']}" if line["ratio"] else line["remark"]
    bar = f", must be {line['must']}: {'yes' if line['holds'] else 'no'}" if line["holds"] is not None else ""
    ours = f" ({shown(line['ours'])} {line['unit']}, {line['peak_mb']:,.0f} MB)" if line["ours"] else ""
    return f"{line['work']}: {figure}{ours}{bar}"


def machine() -> str:
    """The processor and what runs on it, in words."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), cpu)
    packages = [f"{name} {found}" for name in PACKAGES if (found := installed(name))]
    return f"{cpu}, {os.cpu_count()} cores; Python {platform.python_version()}, {', '.join(packages)}"


def installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def draw(folder: Path, rows: list[dict], args: argparse.Namespace) -> None:
    """A picture of each series of sizes."""
    from melody.plots import growth

    for series in () if args.quick else dict.fromkeys(line["series"] for line in rows if "series" in line):
        points = [line for line in rows if line.get("series") == series]
        growth(folder / f"growth-{series.removesuffix('.py')}", points)


if __name__ == "__main__":
    run(main)
