"""What each stage costs for a unit of work, beyond one process and beyond memory: the figures of docs/scaling.md.

writes  results/scaling.json   rows: what, size, unit, workers, seconds, CPU seconds, peak memory

    python -m benchmarks.variations essen-folksong-collection copies --songs 100000
    python -m benchmarks.scaling preprocess --songs copies     reads files with all cores
    python -m benchmarks.scaling cluster --songs copies/0000   on 1 and 2 workers of a Dask scheduler, started here
    python -m benchmarks.scaling simulated --size 1000000      all but the reading of so many songs, which are random
    python -m benchmarks.scaling agreement                     hashed and exact groups of the songs of data/
    python -m benchmarks.scaling training --data big           what train_lstm.py holds in memory
    python -m benchmarks.scaling stages                        memories, a VAE and songs, with data/ and weights/
    python -m benchmarks.scaling --table                       the table of docs/scaling.md

A row of the same work is replaced.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import preprocess
from benchmarks.run import machine
from benchmarks.worker import peak_mb
from melody.atomic import load_json, write_json
from melody.cli import log, run
from melody.errors import UserError
from melody.flags import ROOT, parser, positive

COMMAND = "python -m benchmarks.scaling"
PORT = 18787
TRAINING = "--units 128 --layers 2 --embedding 16 --dense 64 --epochs 1".split()  # a small network
PLURALS = {"song": "songs", "memory": "memories"}
STEPS = 3  # of training
MEMORIES, SONGS = 500, 32
HEADER = "work, size, workers, seconds, CPU seconds, CPU per unit, peak memory of the command".split(", ")


def main() -> None:
    args = arguments()
    path = args.out / "scaling.json"
    if args.table:
        return print(table(load_json(path, COMMAND, list)))
    with tempfile.TemporaryDirectory() as folder:
        rows = CASES[args.case](args, Path(folder))
    known = load_json(path, COMMAND, list) if path.exists() else []
    same = {(row["work"], row["size"], row["workers"]) for row in rows}
    rows = [row for row in known if (row["work"], row["size"], row["workers"]) not in same] + rows
    write_json(path, sorted(rows, key=lambda row: (row["work"], row["size"], row["workers"])))
    log(args, table(rows))


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, "data", "weights", out="RESULTS")
    flags.add_argument("case", nargs="?", choices=CASES, help="what is measured")
    flags.add_argument("--songs", metavar="DIR", help="song files (default: those in data/essen)")
    flags.add_argument("--size", type=positive, default=1_000_000, metavar="N", help="songs (default: 1,000,000)")
    flags.add_argument("--table", action="store_true", help="print the table of an earlier run")
    args = flags.parse_args()
    if not (args.case or args.table):
        flags.error(f"name one of {', '.join(CASES)}, or --table")
    return args


def measured(work: str, size: int, unit: str, workers: int, *command: object, backend: str = "") -> dict:
    """A row: what it takes to run a command from its start to its end. Raises `UserError` if it fails."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | ({"KERAS_BACKEND": backend} if backend else {})
    start = time.perf_counter()
    words = [sys.executable, *map(str, command), "--quiet"]
    process = subprocess.Popen(words, cwd=ROOT, env=environment, stderr=subprocess.PIPE)
    error = process.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise UserError(f"{' '.join(words[1:])} failed: {error.strip().splitlines()[-1:]}")
    cpu = usage.ru_utime + usage.ru_stime
    figures = {"seconds": time.perf_counter() - start, "cpu_seconds": cpu, "peak_mb": peak_mb(usage)}
    return {"work": work, "size": size, "unit": unit, "workers": workers} | figures | {"machine": machine()}


# Cases


def read(args: argparse.Namespace, folder: Path) -> list[dict]:
    """preprocess.py on all cores."""
    songs, data = args.songs or args.data / "essen", folder / "data"
    row = measured("preprocess.py", 0, "song", os.cpu_count(), "-m", "preprocess", "--songs", songs, "--data", data)
    return [row | {"size": songs_in(data)}]


def songs_in(data: Path) -> int:
    return sum(map(len, load_json(data / "split.json", preprocess.COMMAND).values()))


def cluster(args: argparse.Namespace, folder: Path) -> list[dict]:
    """preprocess.py on 1 and 2 workers; the command itself does little."""
    rows = []
    for workers in (1, 2):
        data = folder / f"data-{workers}"
        command = ("-m", "preprocess", "--songs", args.songs or args.data / "essen", "--data", data)
        with dask(workers, folder) as address:
            row = measured("preprocess.py --cluster", 0, "song", workers, *command, "--cluster", address)
        rows.append(row | {"size": songs_in(data)})
    return rows


@contextmanager
def dask(workers: int, folder: Path) -> Iterator[str]:
    """The address of a scheduler on this machine, once all workers are there."""
    from distributed import Client

    address = f"tcp://127.0.0.1:{PORT}"
    flags = ["--no-dashboard", "--local-directory", str(folder)]
    commands = [["scheduler", "--host", "127.0.0.1", "--port", str(PORT), "--no-dashboard"]]
    commands += [["worker", address, "--nthreads", "1", *flags]] * workers
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": ROOT}
    words = ([sys.executable, "-m", f"distributed.cli.dask_{program}", *rest] for program, *rest in commands)
    running = [subprocess.Popen(command, **quiet) for command in words]
    try:
        with Client(address, timeout=120) as client:
            client.wait_for_workers(workers, timeout=120)
        yield address
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait()


def simulated(args: argparse.Namespace, folder: Path) -> list[dict]:
    """What preprocess.py does with songs once they are read."""
    command = "-c", f"from benchmarks import simulated; simulated.write({args.size}, {str(folder / 'data')!r})"
    return [measured("preprocess.py without reading", args.size, "song", 1, *command)]


def agreement(args: argparse.Namespace, folder: Path) -> list[dict]:
    """Pairs of songs in one group of near-duplicates, by the exact way and by hashing."""
    from melody import dataset, minhash, split

    intervals = dataset.load(args.data).intervals
    found = {}
    for way, groups in (("exactly", split.near_duplicates), ("by hashing", minhash.near_duplicates)):
        start, cpu = time.perf_counter(), time.process_time()
        numbers = groups(intervals, len(intervals))
        times = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}
        found[way] = numbers, times
    exact, hashed = found["exactly"][0], found["by hashing"][0]
    both = np.unique(np.stack([exact, hashed]), axis=1, return_inverse=True)[1].ravel()
    pairs = {"pairs": pairs_of(exact), "pairs_hashed": pairs_of(hashed), "pairs_both": pairs_of(both)}
    row = {"size": len(intervals), "unit": "song", "workers": 1, "peak_mb": None}
    about = {"machine": machine()} | pairs
    return [{"work": f"near-duplicates {way}", **row} | found[way][1] | about for way in found]


def pairs_of(groups: np.ndarray) -> int:
    counts = np.bincount(groups)
    return int((counts * (counts - 1) // 2).sum())


def training(args: argparse.Namespace, folder: Path) -> list[dict]:
    """What train_lstm.py holds in memory when it begins to train on the songs of `data`."""
    songs = songs_in(args.data)
    words = [*map(str, ("train_lstm.py", "--data", args.data, "--weights", folder, *TRAINING)), "--quiet"]
    command = "-c", f"from benchmarks import simulated; simulated.first_steps({words}, {STEPS})"
    return [measured(f"train_lstm.py, its first {STEPS} steps", songs, "song", 1, *command)]


def stages(args: argparse.Namespace, folder: Path) -> list[dict]:
    """Memories, a VAE and songs of a region, with the shipped network."""
    data, weights = folder / "data", shutil.copytree(args.weights, folder / "weights")
    data.mkdir()
    for path in args.data.glob("*.[hj]*"):
        shutil.copy(path, data)
    both = "--data", data, "--weights", weights, "--regions", "china"
    memories = "-m", "generate_memories", *both, "--count", MEMORIES
    songs = "-m", "generate_song", *both[2:], "--out", folder / "songs", "--count", SONGS
    return [
        measured("generate_memories.py", MEMORIES, "memory", 1, *memories),
        measured("vae.train, one region", MEMORIES, "memory", 1, "-m", "vae.train", *both, "--overwrite"),
        measured("generate_song.py", SONGS, "song", 1, *songs),
    ]


CASES = {
    "preprocess": read,
    "cluster": cluster,
    "simulated": simulated,
    "agreement": agreement,
    "training": training,
    "stages": stages,
}


def table(rows: list[dict]) -> str:
    """The rows as a Markdown table, and what hashing found."""
    lines = [f"| {' | '.join(HEADER)} |", "| --- | --: | --: | --: | --: | --: | --: |"]
    for row in rows:
        cpu, peak = row["cpu_seconds"], row["peak_mb"]
        cells = row["work"], f"{row['size']:,} {PLURALS[row['unit']]}", str(row["workers"]), f"{row['seconds']:,.0f}"
        cells += (f"{cpu:,.0f}", f"{1000 * cpu / row['size']:.2f} ms") if cpu else ("", "")
        cells += (f"{peak:,.0f} MB" if peak else "",)
        lines.append(f"| {' | '.join(cells)} |")
    for row in rows:
        if row["work"].endswith("by hashing"):
            found = f"{row['pairs_both']:,} of the {row['pairs']:,} pairs of songs in one group"
            lines += ["", f"Hashing found {found}, and {row['pairs_hashed'] - row['pairs_both']:,} others."]
    return "\n".join(lines)


if __name__ == "__main__":
    run(main)
