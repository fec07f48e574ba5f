"""Measures programs side by side in alternating rounds; each runs in processes of its own.

This process stays small: on Linux the peak memory of a child is never less than its parent's at the fork.
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

    program: str  # benchmarks.adapters.sampling
    settings: dict
    backend: str = "tensorflow"  # of Keras
    process: subprocess.Popen | None = None

    def start(self) -> str:
        """Start it and wait for the end of its warm-up round; returns its remark."""
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed in `stop`
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", self.program, json.dumps(self.settings)],
            env=os.environ | {"KERAS_BACKEND": self.backend},
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
        )
        reply = self._reply()
        if "missing" in reply:
            self.stop()
            raise Unavailable(f"pip install {reply['missing']}")
        return reply["remark"]

    def run_round(self) -> tuple[float, float, float]:
        """Work, seconds, and 0: the peak memory is known when it stops."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        reply = self._reply()
        return reply["work"], reply["seconds"], 0.0

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

    arguments: Sequence[str]
    work: float = 1.0
    prepare: Callable[[], object] = lambda: None  # before each round; not timed

    def start(self) -> str:
        """A warm-up round, which brings the files into the disk cache."""
        self.run_round()
        return ""

    def run_round(self) -> tuple[float, float, float]:
        """Work, seconds, and peak memory in MB of the largest process."""
        self.prepare()
        with tempfile.TemporaryFile("w+") as errors:
            start = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, *map(str, self.arguments)],
                env=os.environ | {"KERAS_BACKEND": "tensorflow"},
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise failure(" ".join(map(str, self.arguments)), errors)
        return self.work, seconds, peak_mb(usage)

    def stop(self) -> float:
        return 0.0


def failure(program: str, errors) -> UserError:
    """The error of a program that failed, with the last line it printed."""
    errors.seek(0)
    lines = [line for line in errors.read().splitlines() if line.strip()]
    return UserError(f"{program} failed: {lines[-1] if lines else 'it printed nothing'}")


def alternate(
    programs: dict[str, Worker | Command], rounds: int, on_round: Callable[[], object]
) -> dict[str, Measurement]:
    """Run all programs in turn, `rounds` times, in reverse order every other time; call `on_round` after each."""
    found = {name: Measurement() for name in programs}
    running = {}
    try:
        for name, program in programs.items():
            try:
                found[name].remark = program.start()
                running[name] = program
            except Unavailable as reason:
                found[name].missing = str(reason)
            on_round()
        for k in range(rounds):
            for name in list(running)[:: -1 if k % 2 else 1]:
                work, seconds, peak = running[name].run_round()
                found[name].work.append(work)
                found[name].seconds.append(seconds)
                found[name].peak_mb = max(found[name].peak_mb, peak)
                on_round()
    finally:
        for name, program in running.items():
            found[name].peak_mb = max(found[name].peak_mb, program.stop())
    return found
