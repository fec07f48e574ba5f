"""Cause the faults that users meet, count them, and count what was lost: every stage as a command, at toy size.

writes  results/faults.json   for each fault how often it was tried, and how often something was lost

    python -m tests.faults            full counts: about two hours
    python -m tests.faults --quick    a twentieth of them, or two stages, with a new seed, into faults-quick.json
    python -m tests.faults --table    the table of results/faults.json, as in docs/robustness.md

ESSEN_KERN, a .tar.gz of the kern edition, adds real songs to the synthetic ones that are damaged.
"""

from __future__ import annotations

import argparse
import functools
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from melody.atomic import load_json, write_json
from melody.cli import run
from melody.flags import Flags, natural
from melody.formats.limits import LARGEST
from tests.faults.bad_songs import bad_songs
from tests.faults.cluster import cluster
from tests.faults.commands import Row
from tests.faults.concurrent import concurrent, repeatable
from tests.faults.kills import kills
from tests.faults.machine import machine
from tests.faults.mismatches import mismatches
from tests.faults.requests import requests
from tests.faults.settings import many_songs, settings
from tests.faults.sources import sources
from tests.faults.together import together
from tests.faults.weights import weights
from tests.faults.workspace import WRITES, Workspace, run_all

CAMPAIGNS = (
    "bad_songs kills cluster machine concurrent mismatches sources weights settings requests many_songs repeatable"
).split()


def faults(args: argparse.Namespace, scratch: Path) -> dict:
    """Run the campaigns in `args.only`; returns the record that is written."""
    fraction = 0.05 if args.quick else 1.0
    stages = random.Random(args.seed).sample(list(WRITES), 2) if args.quick else list(WRITES)
    campaigns: dict[str, Callable[[Path, tqdm], list[Row]]] = {
        "bad_songs": lambda folder, bar: bad_songs(round(5000 * fraction), args.seed, folder, bar),
        "kills": lambda folder, bar: kills(round(50 * fraction), args.seed, folder, workspace(), bar),
        "cluster": lambda folder, bar: (  # minutes each; test_cluster and test_distribution try it too
            [] if args.quick else cluster(5, args.seed, folder, bar) + together(5, args.seed, folder, bar)
        ),
        "machine": lambda folder, bar: machine(stages, folder, workspace(), bar),
        "concurrent": lambda folder, bar: concurrent(stages, 1 if args.quick else 3, folder, workspace(), bar),
        "mismatches": lambda folder, bar: mismatches(fraction, args.seed, folder, workspace(), bar),
        "sources": lambda folder, bar: sources(fraction, args.seed, folder, workspace(), bar),
        "weights": lambda folder, bar: weights(fraction, args.seed, folder, workspace(), bar),
        "settings": lambda folder, bar: settings(fraction, args.seed, folder, workspace(), bar),
        "requests": lambda folder, bar: requests(round(5000 * fraction), args.seed, folder, workspace(), bar),
        "many_songs": lambda folder, bar: many_songs(1200 if args.quick else 10_000, folder, workspace(), bar),
        "repeatable": lambda folder, bar: repeatable(folder, workspace(), bar),
    }

    @functools.cache
    def workspace() -> Workspace:
        with tqdm(total=len(WRITES), disable=None, leave=False) as bar:
            return run_all(scratch / "workspace", bar)

    rows, started = [], time.monotonic()
    for name in args.only:
        with tqdm(desc=name, disable=None) as bar:
            folder = scratch / name
            folder.mkdir()
            found = campaigns[name](folder, bar)
        rows += [
            {"campaign": name, **row._asdict()} | {"remarks": row.remarks[:20] if row.lost else []} for row in found
        ]
        for row in found:
            for remark in row.remarks[:5] if row.lost else ():
                print(f"{row.fault}: {remark}", file=sys.stderr)
    words = ["python -m tests.faults", *["--quick"] * args.quick, f"--seed {args.seed}"]
    return {
        "command": " ".join(words),
        "seconds": round(time.monotonic() - started),
        "largest_mb": LARGEST,
        "rows": rows,
    }


def table(record: dict) -> str:
    """The rows as a Markdown table."""
    lines = ["| fault | tried | lost |", "|---|---|---|"]
    lines += [f"| {row['fault']} | {row['tried']:,} | {row['lost']:,} |" for row in record["rows"]]
    return "\n".join(lines)


def main() -> None:
    flags = Flags(__doc__)
    flags.add_argument(
        "--quick", action="store_true", help="a twentieth of the counts, or two stages, into faults-quick.json"
    )
    flags.add_argument(
        "--seed",
        type=natural,
        default=argparse.SUPPRESS,
        help="of all random numbers (default: 0; with --quick a new one)",
    )
    flags.add_argument(
        "--only",
        nargs="+",
        default=CAMPAIGNS,
        choices=CAMPAIGNS,
        metavar="CAMPAIGN",
        help=f"of {' '.join(CAMPAIGNS)}; into faults-part.json",
    )
    flags.add_argument("--out", type=Path, default=Path("results"), metavar="DIR", help="folder (default: results)")
    flags.add_argument("--table", action="store_true", help="print the table of an earlier run")
    args = flags.parse_args()
    path = args.out / f"faults{'-quick' * args.quick}{'-part' * (args.only != CAMPAIGNS)}.json"
    if args.table:
        return print(table(load_json(path, "python -m tests.faults")))
    if "seed" not in args:
        args.seed = random.SystemRandom().randrange(2**32) if args.quick else 0
    print(f"seed {args.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
        Path(scratch).chmod(0o755)
        record = faults(args, Path(scratch))
    write_json(path, record)
    print(table(record))
    print(f"wrote {path} after {record['seconds']} seconds")
    sys.exit(any(row["lost"] for row in record["rows"]))


if __name__ == "__main__":
    run(main)
