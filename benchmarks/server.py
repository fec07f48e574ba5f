"""How long does one wait for songs of the playground, when its server is warm?

reads   weights/, and data/ if it is there
writes  results/server.json   for each wait the median of seven requests for Chinese songs, in seconds

    python -m benchmarks.server            starts the server of serve.py, on two idle cores: a minute
    python -m benchmarks.server --table    the table of docs/playground.md
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from statistics import median

from benchmarks.harness import ROOT
from benchmarks.run import machine
from melody.atomic import load_json, write_json
from melody.cli import log, run
from melody.errors import UserError
from melody.flags import parser

COMMAND = "python -m benchmarks.server"
ROUNDS, SONGS = 7, 8
TARGETS = {"one song": 1.0, f"the first of {SONGS} songs": None, f"{SONGS} songs": 3.0}  # seconds


def main() -> None:
    args = arguments()
    path = args.out / "server.json"
    if args.table:
        return print(table(load_json(path, COMMAND)["rows"]))
    with tempfile.TemporaryDirectory() as out:
        flags = ["--port", "0", "--no-browser", "--out", out]
        server = subprocess.Popen([sys.executable, "serve.py", *flags], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            rows = measured(port_of(server))
        finally:
            server.terminate()
            server.wait()
    write_json(path, {"command": COMMAND, "machine": machine(), "rows": rows})
    log(args, f"{table(rows)}\nwrote {path}")


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, out="RESULTS")
    flags.add_argument("--table", action="store_true", help="print the table of an earlier run")
    return flags.parse_args()


def port_of(server: subprocess.Popen) -> int:
    """The port of a server, when it is ready. Raises `UserError` if it ends before."""
    for line in server.stdout:
        if found := re.search(r"http://\S+:(\d+) is ready", line):
            return int(found[1])
    raise UserError("serve.py ended before it was ready")


def measured(port: int) -> list[dict]:
    """The waits. The first requests, which are not counted, wait until the server is warm."""
    one, several = (
        [wait(port, songs, seed) for seed in range(ROUNDS + 1)][1:] for songs in (1, SONGS)
    )  # each a first song and all songs
    found = [all_songs for _, all_songs in one], [first for first, _ in several], [last for _, last in several]
    return [
        {"wait": name, "seconds": median(seconds), "target": target}
        for (name, target), seconds in zip(TARGETS.items(), found, strict=True)
    ]


def wait(port: int, songs: int, seed: int) -> tuple[float, float]:
    """Seconds until the first song of a request, and until the last one."""
    connection, times, began = HTTPConnection("127.0.0.1", port), [], time.perf_counter()
    connection.request("POST", "/compose", f"mix=china%3D1&count={songs}&seed={seed}")
    for line in connection.getresponse():
        times += [time.perf_counter() - began] * ("html" in json.loads(line))
    if len(times) != songs:
        raise UserError(f"the server composed {len(times)} of {songs} songs")
    return times[0], times[-1]


def table(rows: list[dict]) -> str:
    """The rows as a Markdown table."""
    lines = ["| warm server | time | target |", "| --- | --: | --: |"]
    for row in rows:
        target = f"under {row['target']:g} s" if row["target"] else ""
        lines.append(f"| {row['wait']} | {row['seconds']:.2f} s | {target} |")
    return "\n".join(lines)


if __name__ == "__main__":
    run(main)
