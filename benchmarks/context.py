"""What the benchmark cases use in common: how much they measure, where, and with which settings."""

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

from benchmarks import REGION
from benchmarks.harness import Command, Measurement, Unavailable, Worker, alternate

SIZES = {  # how much one round measures: in a full run, in a quick run
    "rounds": (5, 1),
    "parsed_files": (300, 3),  # by music21
    "batches": (2, 1),  # of streams, in training
    "window_batches": (24, 2),  # in training the 2018 implementation
    "memories": (512, 4),
    "memories_2018": (16, 2),
    "songs": (256, 3),  # composed in one batch
    "length": (128, 5),  # notes per song
    "length_2018": (32, 3),
    "matrix": (2048, 64),  # rows and columns of the matrix product
    "vae_memories": (4000, 40),
    "scaling_copies": ((1, 2, 4, 8), (1, 2)),  # of the collection
    "scaling_songs": ((1, 8, 64, 512, 4096), (1, 3)),
    "scaling_memories": ((1000, 10_000, 100_000), (3, 6)),
    "scaling_notes": (8, 4),  # per memory; few, so that many memories fit into the time
}


@dataclass
class Context:
    """Folders and settings of one run. `scratch` holds synthetic data, untrained weights and synthetic songs."""

    scratch: Path
    editions: dict[str, Path | None]  # "kern" and "midi": folder of the collection, None where it is missing
    settings: dict  # of config.py, in lower case
    sizes: SimpleNamespace  # SIZES of a full or a quick run

    @cached_property
    def shape(self) -> dict:
        """The sizes of the network."""
        return {name: self.settings[name] for name in ("embedding", "units", "layers", "dense")}

    @cached_property
    def vae(self) -> dict:
        """The settings of vae.train."""
        names = {name: name for name in ("latent", "mixture", "beta", "hidden", "seed")}
        names |= {name: f"vae_{name}" for name in ("epochs", "batch", "learning_rate")}
        return {name: self.settings[setting] for name, setting in names.items()}

    def measure(self, programs: dict[str, Worker | Command]) -> dict[str, Measurement]:
        return alternate(programs, self.sizes.rounds)

    def preprocess(self, folder: Path, files: int, name: str = "new") -> Command:
        """Stage 1 on a folder of songs; earlier output is deleted before each round."""
        data = self.scratch / name
        arguments = ["preprocess.py", "--songs", folder, "--data", data, "--quiet"]
        return Command(arguments, files, lambda: shutil.rmtree(data, ignore_errors=True))

    def stage(self, script: str, count: int, *flags: object) -> Command:
        """Another stage makes `count` songs or memories, with the untrained weights."""
        folders = ["--weights", self.scratch / "weights", "--regions", REGION, "--quiet", "--overwrite"]
        return Command([script, *folders, "--count", count, *flags], count)

    def edition(self, *names: str) -> Path:
        """The folder of the first of these editions that is available."""
        for name in names:
            if self.editions[name]:
                return self.editions[name]
        raise Unavailable(f"--{names[0]} names the folder of the {names[0]} edition")


def song_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in (".krn", ".mid"))
