"""A cluster that is interrupted: a killed worker costs nothing, a killed scheduler one line."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

from tqdm import tqdm

from tests.faults.commands import Row, call, command, digests, finish, not_one_line, start
from tests.faults.workspace import write_two_regions
from tests.test_cluster import start as start_dask
from tests.test_cluster import start_scheduler, stop, worker_flags

LONGEST = 10.0  # seconds after the start of the command until something is killed


def cluster(count: int, seed: int, scratch: Path, bar: tqdm) -> list[Row]:
    """kill -9 of a worker or of the scheduler while preprocess.py reads songs on two workers."""
    rng, rows, songs = random.Random(seed), [], scratch / "cluster-songs"
    write_two_regions(songs)
    call("preprocess", "--songs", songs, "--data", scratch / "cluster-data")
    expected = digests(scratch / "cluster-data")
    for fault in ("worker", "scheduler"):
        lost = []
        for number in range(count):
            folder = scratch / f"{fault}-{number}"
            folder.mkdir()
            lost += filter(None, [interrupted(fault, folder, songs, rng.uniform(0, LONGEST), expected)])
            bar.update()
        rows.append(Row(f"kill -9 of a {fault} of a cluster", count, len(lost), lost))
    return rows


def interrupted(fault: str, folder: Path, songs: Path, delay: float, expected: dict) -> str:
    """What was lost when preprocess.py was run on a cluster of which something was killed."""
    scheduler, address = start_scheduler(folder)
    workers = [start_dask("worker", *worker_flags(address, folder)) for _ in range(2)]
    flags = ("--songs", songs, "--data", folder / "data")
    try:
        process = start(command("preprocess", *flags, "--cluster", address))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(delay)
        if fault == "scheduler":
            stop(scheduler)
        else:
            kill_child(workers[0])
        result = finish(process)
    finally:
        for left in (*workers, scheduler):
            with contextlib.suppress(ProcessLookupError):
                stop(left)
    if result.status and fault == "scheduler":
        half = [str(path) for path in folder.glob("data/**/*")]
        problem = not_one_line(result, "the scheduler at .* has|no Dask scheduler answers at")
        if problem or half:
            return problem or f"left behind: {half}"
        result = call("preprocess", *flags)
    if result.status:
        return f"status {result.status}: {result.error[-300:]}"
    return "" if digests(folder / "data") == expected else "differs from an undisturbed run"


def kill_child(nanny: subprocess.Popen) -> None:
    """Kill the process that does the work of a Dask worker; its nanny starts another one."""
    for _ in range(100):
        children = Path(f"/proc/{nanny.pid}/task/{nanny.pid}/children").read_text().split()
        if children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(children[-1]), signal.SIGKILL)
            return
        time.sleep(0.1)
