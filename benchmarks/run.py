"""Measure speed and memory of every stage, compared with what a user would run instead, in one run on one machine.

reads   the kern edition and the MIDI edition of the Essen collection, where they are; all other data is synthetic
writes  results/benchmarks.json   a list of rows: case, stage, workload, baseline, ratio, target, met, value, peak_mb …
        results/scaling-*.png, .svg    time and peak memory against size

    python -m benchmarks.run --kern essen-folksong-collection    everything: twenty minutes on two idle cores
    python -m benchmarks.run --only train_lstm sample_songs      these cases, into results/benchmarks-part.json
    python -m benchmarks.run --quick    every case once, at toy size, into results/benchmarks-quick.json: a smoke test
    python -m benchmarks.run --table    print the tables of results/benchmarks.json, as in docs/benchmarks.md

Each program runs in its own process; compared programs take turns, five times. PyTorch and JAX are not among the
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
from benchmarks.cases import CASES
from benchmarks.context import FULL, QUICK, Context, song_files
from benchmarks.harness import Command, Measurement, Unavailable
from benchmarks.report import row, shown, tables
from melody.atomic import load_json, write_json
from melody.cli import log, progress, run
from melody.errors import UserError
from melody.flags import parser
from melody.plots import scaling

PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "music21")
SYNTHETIC = {"songs": 400, "files": 12}  # songs in data/; song files of a quick run
TOY_SHAPE = {"embedding": 3, "units": 4, "layers": 2, "dense": 5}
TRAINING = (
    "dropout epochs batch bptt_length windows_per_stream transpose_probability learning_rate warmup_steps precision"
).split()


def main() -> None:
    args = arguments()
    parts = ["benchmarks", *["quick"] * args.quick, *["part"] * (args.only != list(CASES))]
    path = args.out / f"{'-'.join(parts)}.json"
    if args.table:
        return print(tables(load_json(path, "python -m benchmarks.run", list)))
    with TemporaryDirectory() as scratch:
        rows = measure(context_of(args, Path(scratch)), args, path)
    if not args.quick:
        draw(args.out, rows)
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
    shape = {name: getattr(config, name.upper()) for name in TOY_SHAPE}
    training = {name: getattr(config, name.upper()) for name in TRAINING} | {"seed": args.seed}
    vae = {name: getattr(config, f"VAE_{name.upper()}") for name in ("epochs", "batch", "learning_rate")}
    vae |= {name: getattr(config, name.upper()) for name in ("latent", "mixture", "beta", "hidden", "seed")}
    if args.quick:
        shape, vae = TOY_SHAPE, vae | {"hidden": [6, 5]}
        training |= {"batch": 2, "bptt_length": 4, "windows_per_stream": 2}
    synthetic = json.dumps(SYNTHETIC | {"shape": shape, "vae": vae})
    Command(["-m", "benchmarks.synthetic", scratch, synthetic]).run_round()
    downloaded = Path(config.DATA, "essen")
    editions = {"kern": args.kern, "midi": args.midi or (downloaded if downloaded.exists() else None)}
    if args.quick:
        editions = {name: scratch / name for name in editions}
    for edition in filter(None, editions.values()):
        if not song_files(edition):
            raise UserError(f"no songs in {edition}; name the folder of an edition with --kern or --midi")
    editions = {name: folder and folder.resolve() for name, folder in editions.items()}
    memory = {"notes": config.MEMORY_NOTES, "songs": config.MEMORY_SONGS}
    return Context(scratch, editions, QUICK if args.quick else FULL, shape, training, vae, memory, config.GUIDANCE)


def measure(context: Context, args: argparse.Namespace, path: Path) -> list[dict]:
    """The rows of every case, written after each, so that an interrupted run keeps what it has measured."""
    rows, here = [], machine()
    with progress(args.only, args.quiet, unit="case") as bar:
        context.on_round = bar.refresh
        for name in bar:
            bar.set_description(name)
            try:
                found = CASES[name](context)
            except Unavailable as reason:
                found = [row(name, name, name, Measurement(missing=str(reason)), unit="")]
            for line in found:
                if args.quick:  # speed at toy size says nothing
                    line |= dict.fromkeys(
                        ("target", "met", "stretch_target", "stretch_met", "memory_target", "memory_met")
                    )
                rows.append(line | {"machine": here})
                log(args, summary(line))
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
    packages = [f"{name} {found}" for name in PACKAGES if (found := installed(name))]
    return f"{cpu}, {os.cpu_count()} cores; Python {platform.python_version()}, {', '.join(packages)}"


def installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def draw(folder: Path, rows: list[dict]) -> None:
    """A figure per stage whose scaling was measured."""
    points = [line for line in rows if "size" in line]
    for stage in dict.fromkeys(line["stage"] for line in points):
        scaling(folder / f"scaling-{stage}", [line for line in points if line["stage"] == stage])


if __name__ == "__main__":
    run(main)
