"""Measures programs side by side in alternating rounds; each runs in processes of its own.

This process stays small: on Linux the peak memory of a child is never less than its parent's at the fork.
"""

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
from typing import IO

from benchmarks.worker import peak_mb
from melody.errors import UserError

ROOT = Path(__file__).parents[1]


class Unavailable(Exception):
    """A program that cannot run here; the message says what it needs."""


@dataclass
class Measurement:
    """The rounds of one program."""

    work: list[float] = field(default_factory=list)  # per round, in the unit of the program
    seconds: list[float] = field(default_factory=list)  # per round
    peak_mb: float = 0.0  # of its largest process
    missing: str = ""  # what it needs, where it cannot run
    remark: str = ""

    @property
    def rate(self) -> float:
        """Work per second, median over the rounds."""
        return median(work / seconds for work, seconds in zip(self.work, self.seconds, strict=True))

    @property
    def time(self) -> float:
        """Seconds per round, median."""
        return median(self.seconds)


@dataclass
class Worker:
    """A program that stays loaded, run by `benchmarks.worker`, so that its start is not timed."""

    program: str  # adapters.sampling
    settings: dict
    backend: str = "tensorflow"  # of Keras

    def start(self) -> str:
        """Start it and wait for the end of its warm-up round; returns its remark."""
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed in `stop`
        arguments = ["-m", "benchmarks.worker", self.program, json.dumps(self.settings, default=str)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = launch(arguments, self.errors, self.backend, **pipes)
        reply = self._reply()
        if "missing" in reply:
            self.stop()
            raise Unavailable(f"pip install {reply['missing']}")
        return reply["remark"]

    def run_round(self) -> tuple[float, float]:
        """Work and seconds."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        reply = self._reply()
        return reply["work"], reply["seconds"]

    def stop(self) -> float:
        """End it; returns its peak memory in MB."""
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        line = self.process.stdout.readline()
        self.process.stdout.close()
        self.process.wait()
        self.errors.close()
        return json.loads(line)["peak_mb"] if line else 0.0

    def _reply(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise failure(self.program, self.errors)
        return json.loads(line)


@dataclass
class Command:
    """A whole process per round, from the start of the interpreter to its end."""

    arguments: Sequence[object]
    work: float = 1.0
    prepare: Callable[[], object] = lambda: None  # before each round; not timed
    peak_mb: float = 0.0  # of the largest process so far

    def start(self) -> str:
        """A warm-up round, which brings the files into the disk cache."""
        self.run_round()
        return ""

    def run_round(self) -> tuple[float, float]:
        """Work and seconds."""
        self.prepare()
        with tempfile.TemporaryFile("w+") as errors:
            start = time.perf_counter()
            process = launch(self.arguments, errors, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise failure(" ".join(map(str, self.arguments)), errors)
        self.peak_mb = max(self.peak_mb, peak_mb(usage))
        return self.work, seconds

    def stop(self) -> float:
        return self.peak_mb


def launch(arguments: Sequence[object], errors: IO, backend: str = "tensorflow", **pipes) -> subprocess.Popen:
    """Start Python with these arguments in the folder of the scripts."""
    environment = os.environ | {"KERAS_BACKEND": backend}
    return subprocess.Popen([sys.executable, *map(str, arguments)], env=environment, cwd=ROOT, stderr=errors, **pipes)


def failure(program: str, errors: IO) -> UserError:
    """The error of a program that failed, with the last line it printed."""
    errors.seek(0)
    lines = [line for line in errors.read().splitlines() if line.strip()]
    return UserError(f"{program} failed: {lines[-1] if lines else 'it printed nothing'}")


def alternate(programs: dict[str, Worker | Command], rounds: int) -> dict[str, Measurement]:
    """Run all programs in turn, `rounds` times, in reverse order every other time."""
    found, running = {name: Measurement() for name in programs}, {}
    try:
        for name, program in programs.items():
            try:
                found[name].remark = program.start()
                running[name] = program
            except Unavailable as reason:
                found[name].missing = str(reason)
        for k in range(rounds):
            for name in list(running)[:: -1 if k % 2 else 1]:
                work, seconds = running[name].run_round()
                found[name].work.append(work)
                found[name].seconds.append(seconds)
    finally:
        for name, program in running.items():
            found[name].peak_mb = program.stop()
    return found
