"""What the benchmark cases share: how much they measure, where, and with which settings."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import REGION
from benchmarks.harness import Command, Measurement, Unavailable, Worker, alternate


@dataclass(frozen=True)
class Sizes:
    """How much one round measures."""

    rounds: int
    parsed_files: int  # by music21
    batches: int  # of streams, in training
    window_batches: int  # in training the 2018 implementation
    memories: int
    memories_2018: int
    songs: int  # composed in one batch
    length: int  # notes per song
    length_2018: int
    matrix: int  # rows and columns of the matrix product
    vae_memories: int
    scaling_copies: tuple[int, ...]  # of the collection
    scaling_songs: tuple[int, ...]
    scaling_memories: tuple[int, ...]
    scaling_notes: int  # per memory; few, so that many memories fit into the time


SCALING = (1, 2, 4, 8), (1, 8, 64, 512, 4096), (1000, 10_000, 100_000)
FULL = Sizes(5, 300, 2, 24, 512, 16, 256, 128, 32, 2048, 4000, *SCALING, 8)
QUICK = Sizes(1, 3, 1, 2, 4, 2, 3, 5, 3, 64, 40, (1, 2), (1, 3), (3, 6), 4)


@dataclass
class Context:
    """Folders and settings of one run. `scratch` holds synthetic data, untrained weights and synthetic songs."""

    scratch: Path
    editions: dict[str, Path | None]  # "kern" and "midi": folder of the collection, None where it is missing
    sizes: Sizes
    shape: dict  # of the network: embedding, units, layers, dense
    training: dict  # the other settings of train_lstm.py
    vae: dict  # settings of vae.train
    memory: dict  # notes and songs of a memory
    guidance: float
    on_round: Callable[[], object] = lambda: None

    def measure(self, **programs: Worker | Command) -> dict[str, Measurement]:
        return alternate(programs, self.sizes.rounds, self.on_round)

    def preprocess(self, folder: Path, files: int, name: str = "new") -> Command:
        """Stage 1 on a folder of songs; earlier output is deleted before each round."""
        data = self.scratch / name
        arguments = ["preprocess.py", "--songs", folder, "--data", data, "--quiet"]
        return Command(arguments, files, lambda: shutil.rmtree(data, ignore_errors=True))

    def stage(self, script: str, *flags: object, work: float = 1.0) -> Command:
        """Another stage, with the synthetic songs and the untrained weights."""
        folders = ["--weights", self.scratch / "weights", "--regions", REGION, "--quiet", "--overwrite"]
        return Command([script, *folders, *flags], work)

    def edition(self, name: str) -> Path:
        if not self.editions[name]:
            raise Unavailable(f"--{name} names the folder of the {name} edition")
        return self.editions[name]


def song_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in (".krn", ".mid"))
