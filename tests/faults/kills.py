"""Interruption: a killed run loses nothing, and its continuation gives what an undisturbed run gives."""

from __future__ import annotations

import contextlib
import random
import subprocess
import time
from pathlib import Path

from tqdm import tqdm

from tests.faults.commands import Row, command, digests, finish, kill, start
from tests.faults.workspace import WRITES, Workspace, copy_of


def kills(count: int, seed: int, scratch: Path, workspace: Workspace, bar: tqdm) -> list[Row]:
    """kill -9 at random moments: the next run, or --resume, ends with the same files as an undisturbed one."""
    rng, rows = random.Random(seed), []
    fractions = {
        "preprocess": 0.15,
        "train_lstm": 0.25,
        "generate_memories": 0.15,
        "vae.train": 0.25,
        "generate_song": 0.2,
    }
    for stage, fraction in fractions.items():
        goal = max(1, round(count * fraction))
        own, done, lost = copy_of(workspace, scratch / f"kill-{stage}", stage), 0, []
        seconds, expected = working_time(own, stage), digests(own.root)
        clear(own, stage)
        while done < goal:
            hits, remark = chain(own, stage, min(3, goal - done), seconds, rng, expected)
            done += hits
            lost += [remark] * hits if remark else []
            bar.update(hits)
            clear(own, stage)
        rows.append(Row(f"kill -9 of {stage}", done, len(lost), lost))
    return rows


def clear(workspace: Workspace, stage: str) -> None:
    for pattern in WRITES[stage]:
        for path in workspace.root.glob(pattern):
            path.unlink()


def is_locked(workspace: Workspace) -> bool:
    return any(any(workspace.root.glob(f"{depth}.lock-*")) for depth in ("", "*/", "*/*/"))


def wait_for_work(workspace: Workspace, process: subprocess.Popen) -> None:
    """Wait until a stage has its lock, so that its work is interrupted and not the start of Python."""
    while process.poll() is None and not is_locked(workspace):
        time.sleep(0.002)


def working_time(workspace: Workspace, stage: str) -> float:
    """Seconds from a stage's lock to its end, undisturbed."""
    process = start(command(stage, *workspace.commands()[stage]))
    wait_for_work(workspace, process)
    started = time.monotonic()
    finish(process)
    return time.monotonic() - started


def chain(
    workspace: Workspace, stage: str, most: int, seconds: float, rng: random.Random, expected: dict
) -> tuple[int, str]:
    """Kill a stage and its continuation `most` times, then let it finish: the number of kills, and what was lost."""
    hits = 0
    for _ in range(most):
        process = start(next_command(workspace, stage))
        for lock in workspace.root.rglob(".lock-*"):
            lock.unlink()  # of the killed run; a new lock shows that this run has started its work
        wait_for_work(workspace, process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0, seconds))
        hits += process.poll() is None
        kill(process)
        process.communicate()
    result = finish(start(next_command(workspace, stage)))
    if result.status:
        return max(hits, 1), f"status {result.status}: {result.error[-300:]}"
    found = digests(workspace.root)
    other = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    other = [name for name in other if "/." not in name]  # for example the lock of a run that was killed at its end
    return max(hits, 1), f"differs from an undisturbed run: {other[:5]}" if other else ""


def next_command(workspace: Workspace, stage: str) -> list[str]:
    """The command that continues a stage where it was stopped."""
    flags = workspace.commands()[stage]
    if stage in ("train_lstm", "vae.train"):
        name = "lstm" if stage == "train_lstm" else "vae-china"
        files = [workspace.root / "weights" / f"{name}{end}" for end in ("-checkpoint.weights.h5", ".weights.h5")]
        return command(stage, *flags, *["--resume"] * any(file.exists() for file in files))
    if stage == "generate_song":
        songs = len(list((workspace.root / "songs/china").glob("[0-9]*.mid")))  # without temporary files
        flags = (*flags[:-1], str(max(1, int(flags[-1]) - songs)))
        return command(stage, *flags, *["--overwrite"] * (songs >= 300))
    return command(stage, *flags)
