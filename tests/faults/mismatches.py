"""Files that do not belong together, are of another kind, or hold code: one-line errors, and no code runs."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from melody.atomic import write_json
from tests.faults.commands import Row, call, digests, not_one_line
from tests.faults.workspace import Workspace, copy_of


class PickleThatWritesAFile:
    """Creates a file when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def edit_json(path: Path, change: Callable[[dict], object]) -> None:
    """Change a JSON file."""
    content = json.loads(path.read_text())
    write_json(path, change(content) or content)


def cases_of(workspace: Workspace, scratch: Path) -> dict[str, Callable[[Path], tuple]]:
    """By name: (how the input of a stage is changed, stage, flags, regular expressions that its error contains)."""
    other = copy_of(workspace, scratch / "other-network")
    flags = other.commands()
    call("train_lstm", *flags["train_lstm"], "--overwrite", "--seed", 5, "--units", 7)
    call("generate_memories", *flags["generate_memories"], "--overwrite")
    call("vae.train", *flags["vae.train"], "--overwrite")
    mark = scratch / "mark"
    network = (r"[0-9a-f]{16}.*[0-9a-f]{16}",)

    def take(*names: str) -> Callable[[Path], None]:
        return lambda root: [shutil.copy(other.root / name, root / name) for name in names]

    def write(name: str, content: bytes) -> Callable[[Path], None]:
        return lambda root: (root / name).write_bytes(content)

    def shorten(name: str) -> Callable[[Path], None]:
        return lambda root: os.truncate(root / name, (root / name).stat().st_size // 2)

    def alter(name: str, change: Callable) -> Callable[[Path], None]:
        return lambda root: edit_json(root / name, change)

    lstm, vae = (
        ("weights/lstm.weights.h5", "weights/lstm.json"),
        ("weights/vae-china.weights.h5", "weights/vae-china.json"),
    )
    trap = pickle.dumps(PickleThatWritesAFile(mark))
    npy = (
        b"\x93NUMPY\x01\x00v\x00"
        + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117)
        + b"\n"
        + trap
    )
    keras = keras_file_with_code(mark)
    cases = {
        "another network": (take(*lstm), "generate_song", (), network),
        "weights of another network": (take(lstm[0]), "generate_song", (), network),
        "a record of another network": (take(lstm[1]), "generate_memories", ("--overwrite",), network),
        "a VAE of other memories": (take(*vae), "generate_song", (), network),
        "weights of another VAE": (take(vae[0]), "vae.sample", ("--overwrite",), network),
        "memories of another network": (take(*lstm), "generate_memories", (), network),
        "memories of another network, resumed": (
            take("data/memories/china.h5"),
            "vae.train",
            ("--resume",),
            ("made with", "now it is"),
        ),
        "another size, resumed": (lambda root: None, "train_lstm", ("--resume", "--units", "9"), ("units 6", "9")),
        "another size of the VAE, resumed": (
            lambda root: None,
            "vae.train",
            ("--resume", "--latent", "3"),
            ("latent 2", "3"),
        ),
        "another split, resumed": (
            alter("data/split.json", lambda split: split | {"training": split["test"], "test": split["training"]}),
            "train_lstm",
            ("--resume",),
            ("split [0-9a-f]{16}", "now it is [0-9a-f]{16}"),
        ),
        "another vocabulary": (
            alter("data/vocabulary.json", lambda known: known["pitches"].append("G##9")),
            "generate_memories",
            ("--overwrite",),
            network,
        ),
        "a vocabulary too short": (
            alter("data/vocabulary.json", lambda known: known | {"pitches": known["pitches"][:2]}),
            "train_lstm",
            ("--overwrite",),
            ("songs.h5", "vocabulary.json"),
        ),
        "a rhythm that is not a time": (
            alter("data/vocabulary.json", lambda known: known["rhythms"].append("0 -1")),
            "train_lstm",
            ("--overwrite",),
            ("vocabulary.json", "preprocess"),
        ),
        "an opening without a pickup": (
            alter("data/vocabulary.json", lambda known: known["openings"].update({"3/4": 9})),
            "train_lstm",
            ("--overwrite",),
            ("vocabulary.json", "preprocess"),
        ),
        "a transition to a rhythm that is not there": (
            alter("data/vocabulary.json", lambda known: known["transitions"].update({"4/4": {"0": [999]}})),
            "generate_memories",
            ("--overwrite",),
            ("vocabulary.json", "preprocess"),
        ),
        "weights of another vocabulary of rhythms": (
            alter(lstm[1], lambda record: record["vocabulary"]["rhythms"].append("0 7")),
            "generate_song",
            (),
            ("lstm.weights.h5",),
        ),
        "weights of another vocabulary of openings": (
            alter(lstm[1], lambda record: record["vocabulary"]["openings"].update({"7/4 0": 9})),
            "generate_song",
            (),
            ("lstm.weights.h5",),
        ),
        "a meter that nobody trained on": (lambda root: None, "generate_song", ("--meter", "7/8"), ("7/8", "4/4")),
        "a vocabulary of numbers": (
            write("data/vocabulary.json", b"[1, 2]"),
            "train_lstm",
            ("--overwrite",),
            ("preprocess",),
        ),
        "a split of other songs": (
            write("data/split.json", b'{"training": ["x"], "validation": [], "test": []}'),
            "train_lstm",
            ("--overwrite",),
            ("split.json", "songs.h5"),
        ),
        "a size larger than memory": (
            alter(lstm[1], lambda record: record["settings"].update(units=10**9)),
            "generate_song",
            (),
            ("lstm.json",),
        ),
        "a size that is a word": (
            alter(lstm[1], lambda record: record["settings"].update(units="many")),
            "generate_song",
            (),
            ("lstm.json",),
        ),
        "a VAE without sizes": (
            alter(vae[1], lambda record: record["settings"].update(hidden=None)),
            "generate_song",
            (),
            ("vae-china.json",),
        ),
        "memories of another region": (
            lambda root: shutil.copy(root / "data/memories/china.h5", root / "data/memories/han.h5"),
            "vae.train",
            ("--regions", "han"),
            ("china", "han"),
        ),
        "sampled memories in place of real ones": (
            lambda root: shutil.copy(root / "data/memories/china-sampled.h5", root / "data/memories/china.h5"),
            "vae.train",
            ("--overwrite",),
            ("china.h5",),
        ),
    }
    readers = {
        "data/songs.h5": "train_lstm",
        "data/vocabulary.json": "train_lstm",
        "data/split.json": "train_lstm",
        "weights/lstm.json": "generate_song",
        "weights/lstm.weights.h5": "generate_song",
        "weights/vae-china.json": "generate_song",
        "weights/vae-china.weights.h5": "generate_song",
        "data/memories/china.h5": "vae.train",
        "weights/lstm-checkpoint.weights.h5": "train_lstm",
        "weights/vae-china-checkpoint.weights.h5": "vae.train",
    }
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


def keras_file_with_code(mark: Path) -> bytes:
    """A .keras file whose configuration holds code that creates a file."""
    code = {"class_name": "__lambda__", "config": {"code": f"open({str(mark)!r}, 'w')"}}
    layer = {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l", "function": code}}
    config = {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": [layer]}}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", "{}")
    return file.getvalue()


def mismatches(fraction: float, seed: int, scratch: Path, workspace: Workspace, bar: tqdm) -> list[Row]:
    """Files that do not belong together, are of another kind, or hold code."""
    cases = cases_of(workspace, scratch)
    names = sorted(random.Random(seed).sample(sorted(cases), max(8, round(fraction * len(cases)))))
    bar.total = (bar.total or 0) + len(names)
    remarks = []
    for name in names:
        change, stage, flags, words = cases[name]
        own = copy_of(workspace, scratch / "other")
        change(own.root)
        before = digests(own.root)
        wrong = not_one_line(own.run(stage, *flags), *words)
        wrong = wrong or "something was written" * (digests(own.root) != before)
        wrong = wrong or "code was executed" * (scratch / "mark").exists()
        remarks += [f"{name}: {wrong}"] if wrong else []
        shutil.rmtree(own.root)
        bar.update()
    return [Row("files that do not match, are of another kind, or hold code", len(names), len(remarks), remarks)]
