"""The stages of the project as benchmark programs: each function sets one up and returns it."""

import math
from argparse import Namespace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks import Round, synthetic
from generate_memories import Reader, write_memories
from melody.sampling import Sampler
from melody.training import Trainer
from vae.train import Trainer as VaeTrainer


def training(shape: dict, training: dict, batches: int) -> Round:
    """Train for one epoch of `batches` batches of streams; work is predicted notes (with their rhythms)."""
    trainer, epochs = Trainer(*synthetic.dataset_of(songs_for(training, batches)), shape | training), count()

    def run_round() -> float:
        steps: list[dict] = []
        trainer.epoch(next(epochs), steps.append)
        return len(steps) * training["batch"] * training["bptt_length"]

    return run_round


def songs_for(training: dict, batches: int) -> int:
    """How many synthetic songs fill this many batches of streams, with few left over."""
    notes = training["batch"] * training["windows_per_stream"] * training["bptt_length"]
    return max(int((batches + 0.4) * notes / (synthetic.MEAN_LENGTH + 1)), batches * training["batch"])


def memories(shape: dict, memories: int, notes: int, songs: int) -> Round:
    """Make memories of `notes` notes and write them, as stage 3 does; work is memories."""
    trained, (dataset, split) = synthetic.network(shape), synthetic.dataset_of(200)
    settings = {"seed": 0, "songs": songs, "notes": notes, "similar": 20, "mid_song_fraction": 0.5}
    flags = Namespace(memory_notes=notes, cluster=None, quiet=True)

    def run_round() -> float:
        with TemporaryDirectory() as folder:
            reader = Reader(flags, trained, dataset, split["training"])
            write_memories(Path(folder) / "memories.h5", reader, memories, settings)
        return memories

    return run_round


def matrix_product(shape: dict, notes: int, size: int) -> Round:
    """Products of two float32 matrices (size, size); work is the memories that as many operations would make.

    Counted are the multiplications of the LSTM layers alone: 4 units x (inputs + units) per note and layer.
    """
    network = synthetic.network(shape).network
    cells = [network.get_layer(f"lstm_{k + 1}").cell for k in range(shape["layers"])]
    operations = 2 * notes * sum(math.prod(w.shape) for cell in cells for w in (cell.kernel, cell.recurrent_kernel))
    left, right = np.random.default_rng(0).standard_normal((2, size, size), np.float32)

    def run_round() -> float:
        for _ in range(4):
            left @ right
        return 4 * 2 * size**3 / operations

    return run_round


def sampling(shape: dict, songs: int, length: int, guidance: float, pitch_only: bool = False) -> Round:
    """Compose `songs` songs of `length` notes in one batch; work is notes, also those after the last full bar."""
    trained = synthetic.network(shape, pitch_only)
    synthetic.set_end_logit(trained.network, -50.0)
    sampler, rng = Sampler(trained.network, trained.vocabulary, guided=guidance != 0), np.random.default_rng(0)
    states = [rng.normal(0, 0.3, (songs, shape["units"])).astype("float32") for _ in range(2 * shape["layers"])]

    def run_round() -> float:
        rngs = [np.random.default_rng(k) for k in range(songs)]
        return length * len(sampler.compose(states, rngs, temperature=1.0, guidance=guidance, length=length))

    return run_round


def vae(settings: dict, memory: int, memories: int) -> Round:
    """Train on memories for one epoch, with its validation, as stage 4 does; work is memories."""
    trainer, epochs = VaeTrainer(synthetic.memories(memories, memory), settings), count()

    def run_round() -> float:
        trainer.epoch(next(epochs), lambda row: None)
        return memories

    return run_round
