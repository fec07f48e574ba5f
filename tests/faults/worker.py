"""Run many commands in one process, which imports Keras once and loads the same weights once; a command that hangs or
crashes ends it."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from melody.errors import UserError
from melody.formats.corpus import read_songs
from melody.formats.limits import Unreadable
from melody.song import song_from_record
from tests.faults.commands import TIME_LIMIT, Result, Row, digests, kill, not_one_line, start

CODE = """
import json, os, runpy, sys, traceback, warnings
from melody import models
from melody.provenance import fingerprint
known, streams, load = {}, [os.dup(number) for number in range(2)], models.Models
def loaded(weights, load_vae):
    key = fingerprint(*(path.read_bytes() for path in sorted(weights.iterdir()) if path.is_file()))
    if key not in known:
        known.clear()
        known[key] = load(weights, load_vae)
    return known[key]
models.Models = loaded
warnings.filterwarnings("ignore", ".* found in sys.modules after import", RuntimeWarning)
for line in os.fdopen(os.dup(0), "r"):
    words, folder = json.loads(line)
    for number, name in ((1, "out"), (2, "err")):
        with open(f"{folder}/{name}", "wb") as file:
            os.dup2(file.fileno(), number)
    sys.argv, status = words, 0
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush(), sys.stderr.flush()
    os.write(streams[1], f"{status}\\n".encode())
"""


class Worker:
    """Runs stages one after another. The flags are those of `commands.call`."""

    def __init__(self, folder: Path):
        self.folder, self.process = folder, None

    def call(self, stage: str, *flags: object) -> Result:
        if not self.process or self.process.poll() is not None:
            self.process = start([sys.executable, "-c", CODE], stdin=subprocess.PIPE)
        process, started = self.process, time.monotonic()
        timer = threading.Timer(TIME_LIMIT, lambda: kill(process))
        timer.start()
        process.stdin.write(json.dumps([[stage, *map(str, flags)], str(self.folder)]).encode() + b"\n")
        process.stdin.flush()
        status = process.stdout.readline()
        timer.cancel()
        texts = ((self.folder / name).read_text(encoding="utf-8", errors="replace") for name in ("out", "err"))
        return Result(int(status or process.wait()), *texts, 0, time.monotonic() - started)

    def close(self) -> None:
        if self.process:
            self.process.communicate()


def fault_of(result: Result, before: dict[str, str], root: Path) -> str:
    """What is wrong with a command in the folder `root`: "" if it has written whole songs and nothing else, or if it
    ended with one line `error: …` and has written nothing."""
    after = digests(root)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    if result.status:
        return not_one_line(result) or f"it has written {sorted(changed)[:5]}" * bool(changed)
    if result.error:
        return f"stderr: {result.error[-300:]}"
    if replaced := sorted(changed & before.keys()):
        return f"it has changed {replaced[:5]}"
    try:
        for path in sorted(root / name for name in changed if name.endswith(".mid")):
            composed = song_from_record(json.loads(path.with_suffix(".json").read_text()))
            read_songs(path, root)
            for suffix in (".abc", ".krn", ".musicxml") if path.with_suffix(".abc").exists() else ():
                (again,) = read_songs(path.with_suffix(suffix), root)
                if (again.pitch, again.duration) != (composed.pitch, composed.duration):
                    return f"{path.with_suffix(suffix).name} has other notes than the record"
    except (OSError, ValueError, UserError, Unreadable) as damage:
        return f"damaged: {damage}"
    return ""


class Case(NamedTuple):
    """A command whose words may hold {root}, beside a file with other content."""

    name: str
    line: str
    file: str = ""
    content: bytes | Callable[[Path], object] = b""  # or what changes the file


def try_all(
    fault: str, cases: Sequence[Case], fraction: float, seed: int, scratch: Path, clean: Path, bar: tqdm
) -> Row:
    """Run a share of the cases, each in a new copy of the folder `clean`."""
    chosen = random.Random(seed).sample(cases, max(4, round(fraction * len(cases))))
    bar.total = (bar.total or 0) + len(chosen)
    worker, root, remarks = Worker(scratch), scratch / "case", []
    for case in chosen:
        shutil.copytree(clean, root)
        if callable(case.content):
            case.content(root / case.file)
        elif case.file:
            (root / case.file).write_bytes(case.content)
        before = digests(root)
        stage, *words = (word.format(root=root) for word in case.line.split())
        out = ("--out", root / "out") if stage == "generate_song" else ()
        result = worker.call(stage, "--data", root / "data", "--weights", root / "weights", *out, *words)
        if wrong := fault_of(result, before, root):
            remarks.append(f"{case.name}: {wrong}")
        shutil.rmtree(root)
        bar.update()
    worker.close()
    return Row(fault, len(chosen), len(remarks), remarks)
