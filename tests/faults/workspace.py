"""A folder where every stage has run at toy size."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from tests.faults.commands import Result, call
from tests.synthetic import kern, melodies

CHINA = ("--regions", "china")
SMALL = (
    "--embedding 4 --units 6 --layers 2 --dense 5 --epochs 4 --batch 4 --bptt-length 8 --windows-per-stream 2 "
    "--warmup-steps 2"
).split()
TINY = "--latent 2 --hidden 8 --epochs 4 --batch 16 --length 20".split()


class Workspace(NamedTuple):
    """Folders of one run of all stages, and the commands that run them there."""

    root: Path

    def commands(self) -> dict[str, tuple[str, ...]]:
        data, weights = ("--data", str(self.root / "data")), ("--weights", str(self.root / "weights"))
        return {
            "preprocess": (*data, "--songs", str(self.root / "essen"), "--jobs", "1"),
            "train_lstm": (*data, *weights, *SMALL),
            "generate_memories": (*data, *weights, *CHINA, "--count", "600", "--memory-notes", "20"),
            "vae.train": (*data, *weights, *CHINA, *TINY),
            "vae.sample": (*data, *weights, *CHINA, "--count", "500"),
            "generate_song": (*weights, "--out", str(self.root / "songs"), *CHINA, "--count", "300"),
        }

    def run(self, stage: str, *more: str, **settings) -> Result:
        return call(stage, *self.commands()[stage], *more, **settings)


WRITES = {  # output of each stage
    "preprocess": ("data/songs.h5", "data/vocabulary.json", "data/split.json", "data/skipped.csv"),
    "train_lstm": ("weights/lstm*",),
    "generate_memories": ("data/memories/china.h5",),
    "vae.train": ("weights/vae-china*",),
    "vae.sample": ("data/memories/china-sampled.h5",),
    "generate_song": ("songs/china/*",),
}


def write_two_regions(folder: Path) -> None:
    for name, notes in melodies(40).items():
        path = folder / f"{name}.krn"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(kern(notes))


def run_all(root: Path, bar: tqdm) -> Workspace:
    """A workspace where every stage has run. Raises `RuntimeError` if one fails undisturbed."""
    workspace = Workspace(root)
    write_two_regions(root / "essen")
    for stage in WRITES:
        bar.set_description(stage)
        result = workspace.run(stage)
        if result.status:
            raise RuntimeError(f"{stage} failed undisturbed: {result.error}")
        bar.update()
    return workspace


def copy_of(workspace: Workspace, root: Path, without: str = "") -> Workspace:
    """A copy of a workspace, without the output of the stage `without`."""
    shutil.copytree(workspace.root, root)
    for pattern in WRITES.get(without, ()):
        for path in list(root.glob(pattern)):
            path.unlink()
    return Workspace(root)
