"""Programs measured side by side, in alternating rounds. Each runs in processes of its own.

This process has to stay small: on Linux a child's peak memory is never less than its parent's was when it began.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.worker import peak
from melody.errors import UserError

ROOT = Path(__file__).parents[1]


class NotRun(Exception):
    """A program that cannot run here; the message says what it needs."""


@dataclass
class Measured:
    """What the rounds of a program gave."""

    work: list[float] = field(default_factory=list)  # of each round, in the program's own unit
    seconds: list[float] = field(default_factory=list)
    peak: float = 0.0  # MB, the most that one process of it held
    why: str = ""  # it was not run
    remark: str = ""  # what it says of its work

    @property
    def rate(self) -> float:
        """Work a second, the median over the rounds."""
        return median(work / seconds for work, seconds in zip(self.work, self.seconds, strict=True))

    @property
    def time(self) -> float:
        """Seconds of a round, the median."""
        return median(self.seconds)


@dataclass
class Worker:
    """A program that stays loaded: `benchmarks.worker` runs it, so that only the work itself is timed."""

    program: str  # benchmarks.adapters.composing
    settings: dict
    backend: str = "tensorflow"  # Keras's
    process: subprocess.Popen | None = None

    def begin(self) -> str:
        """Start it, and wait until it has run a round that does not count; its remark."""
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed in `end`
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", self.program, json.dumps(self.settings)],
            env=os.environ | {"KERAS_BACKEND": self.backend}, cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
        )  # fmt: skip
        said = self._answer()
        if "missing" in said:
            self.end()
            raise NotRun(f"pip install {said['missing']}")
        return said["remark"]

    def one_round(self) -> tuple[float, float, float]:
        """Work, seconds, and 0 for the peak, which is known in the end."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = self._answer()
        return answer["work"], answer["seconds"], 0.0

    def end(self) -> float:
        """Let it go; its peak memory in MB."""
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        said = self.process.stdout.readline()
        self.process.stdout.close()
        self.process.wait()
        self.errors.close()
        return json.loads(said)["peak"] if said else 0.0

    def _answer(self) -> dict:
        said = self.process.stdout.readline()
        if not said:
            raise failed(self.program, self.errors)
        return json.loads(said)


@dataclass
class Command:
    """A whole process, from the interpreter's start to its end: a round each time."""

    arguments: Sequence[str]
    work: float = 1.0
    before: Callable[[], object] = lambda: None  # what makes the place ready; not timed
    backend: str = "tensorflow"

    def begin(self) -> str:
        """A round that does not count: files are in the disk cache from here on."""
        self.one_round()
        return ""

    def one_round(self) -> tuple[float, float, float]:
        """Work, seconds and peak memory in MB, of the process or the largest of its own."""
        self.before()
        with tempfile.TemporaryFile("w+") as errors:
            since = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, *map(str, self.arguments)], env=os.environ | {"KERAS_BACKEND": self.backend}, cwd=ROOT,
                stdout=subprocess.DEVNULL, stderr=errors,
            )  # fmt: skip
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - since
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise failed(" ".join(map(str, self.arguments)), errors)
        return self.work, seconds, peak(usage)

    def end(self) -> float:
        return 0.0


def failed(what: str, errors) -> UserError:
    """The error of a program that broke down, with the last that it said."""
    errors.seek(0)
    said = [line for line in errors.read().splitlines() if line.strip()]
    return UserError(f"{what} broke down: {said[-1] if said else 'it said nothing'}")


def alternate(programs: dict[str, Worker | Command], rounds: int, told: Callable[[], object]) -> dict[str, Measured]:
    """Run all programs in turn, `rounds` times, every other time backwards; `told` is called after each.

    What cannot run here says why in its `Measured`.
    """
    found = {name: Measured() for name in programs}
    going = {}
    try:
        for name, program in programs.items():
            try:
                found[name].remark = program.begin()
                going[name] = program
            except NotRun as needs:
                found[name].why = str(needs)
            told()
        for k in range(rounds):
            for name in list(going)[:: -1 if k % 2 else 1]:
                work, seconds, most = going[name].one_round()
                found[name].work.append(work)
                found[name].seconds.append(seconds)
                found[name].peak = max(found[name].peak, most)
                told()
    finally:
        for name, program in going.items():
            found[name].peak = max(found[name].peak, program.end())
    return found
