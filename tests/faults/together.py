"""Two processes that train together, of which one is killed: the other ends in one line, and --resume loses nothing."""

from __future__ import annotations

import contextlib
import random
import subprocess
import time
from pathlib import Path

from tqdm import tqdm

from tests.faults.commands import Result, Row, call, command, digests, environment, finish, kill, not_one_line, start
from tests.faults.workspace import SMALL, write_two_regions
from tests.test_distribution import free_address

ENDS = "another process of this training has ended|did not come within|does not answer"


def together(count: int, seed: int, scratch: Path, bar: tqdm) -> list[Row]:
    """kill -9 of either process at random moments; then both go on."""
    rng, rows, data = random.Random(seed), [], scratch / "together-data"
    write_two_regions(scratch / "together-songs")
    call("preprocess", "--songs", scratch / "together-songs", "--data", data)
    started = time.monotonic()
    if any(result.status for result in map(finish, both(data, scratch / "together"))):
        raise RuntimeError("two processes fail undisturbed")
    seconds, expected = time.monotonic() - started, digests(scratch / "together")
    for victim in (0, 1):
        lost = []
        for number in range(count):
            folder = scratch / f"together-{victim}-{number}"
            lost += filter(None, [interrupted(victim, data, folder, rng.uniform(0, seconds), expected)])
            bar.update()
        rows.append(Row(f"kill -9 of process {victim} of 2 in training", count, len(lost), lost))
    return rows


def both(data: Path, weights: Path, *more: str) -> list[subprocess.Popen]:
    """Processes 0 and 1 of a training."""
    flags = (
        "--data",
        data,
        "--weights",
        weights,
        *SMALL,
        "--quiet",
        "--processes",
        2,
        "--address",
        free_address(),
        *more,
    )
    backend = environment(KERAS_BACKEND="jax")
    return [start(command("train_lstm", *flags, "--process", k), env=backend) for k in (0, 1)]


def interrupted(victim: int, data: Path, weights: Path, delay: float, expected: dict) -> str:
    """What was lost when one of two processes was killed."""
    processes = both(data, weights)
    with contextlib.suppress(subprocess.TimeoutExpired):
        processes[victim].wait(delay)
    kill(processes[victim])
    results: list[Result] = [finish(process) for process in processes]
    problem = not_one_line(results[1 - victim], ENDS) if results[1 - victim].status else ""
    if problem:
        return problem
    begun = any((weights / f"lstm{end}").exists() for end in ("-checkpoint.weights.h5", ".weights.h5"))
    for result in map(finish, both(data, weights, *["--resume"] * begun)):
        if result.status:
            return f"status {result.status}: {result.error[-300:]}"
    found = {name: digest for name, digest in digests(weights).items() if not name.startswith(".")}
    return "" if found == expected else "differs from an undisturbed training"
