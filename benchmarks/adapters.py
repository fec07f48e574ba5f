"""Our own stages as they are: each function here gives one that does a round, and says how much work that was."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count as counting
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks import synthetic
from melody.vocabulary import ESSEN

Round = Callable[[], float]


def training(shape: dict, learning: dict, batches: int) -> Round:
    """Train on `batches` batches of streams, with all that belongs to an epoch; work is useful notes."""
    from melody.training import Trainer

    settings = shape | learning
    songs, split = synthetic.loaded(songs_for(learning, batches))
    trainer, numbers = Trainer(songs, split, settings), counting()

    def one_round() -> float:
        steps: list[dict] = []
        trainer.epoch(next(numbers), steps.append)
        return len(steps) * settings["batch"] * settings["bptt_length"]

    return one_round


def songs_for(learning: dict, batches: int) -> int:
    """Invented songs that fill this many batches of streams, and not one more where streams hold several songs."""
    entries = learning["batch"] * learning["windows_per_stream"] * learning["bptt_length"]
    return max(int((batches + 0.4) * entries / (synthetic.MEAN + 1)), batches * learning["batch"])


def memories(shape: dict, count: int, notes: int, songs: int) -> Round:
    """Make memories of `notes` entries and write them, as stage 3 does; work is memories."""
    from generate_memories import write_memories

    network, (heard, split) = synthetic.network(shape), synthetic.loaded(200)
    settings = {"seed": 0, "count": count, "songs": songs, "notes": notes, "mid_song_fraction": 0.5}

    def one_round() -> float:
        with TemporaryDirectory() as folder:
            write_memories(Path(folder) / "memories.h5", network, heard, split["training"], settings, quiet=True)
        return count

    return one_round


def product(shape: dict, notes: int, size: int) -> Round:
    """A product of two float32 matrices of `size` x `size`; work is memories: those its multiplications would make.

    Counted are the products of the LSTM layers alone, 4 units x (what is read + units) for each entry and layer.
    """
    kernels = [
        weight.shape for weight in synthetic.network(shape).weights if weight.path.endswith(("/kernel", "_kernel"))
        and "lstm_cell" in weight.path
    ]  # fmt: skip
    flop = 2 * notes * sum(rows * columns for rows, columns in kernels)
    one, other = np.random.default_rng(0).standard_normal((2, size, size), np.float32)

    def one_round() -> float:
        for _ in range(4):
            one @ other
        return 4 * 2 * size**3 / flop

    return one_round


def composing(shape: dict, songs: int, length: int, guidance: float) -> Round:
    """Compose `songs` songs of `length` notes side by side, none of which ends before; work is notes."""
    from melody import sampling

    network = synthetic.network(shape)
    synthetic.endings(network, -50.0)
    player = sampling.Sampler(network, guided=guidance != 0)
    rng = np.random.default_rng(0)
    memories = [rng.normal(0, 0.3, (songs, shape["units"])).astype("float32") for _ in network.inputs[1:]]

    def one_round() -> float:
        rngs = [np.random.default_rng(k) for k in range(songs)]
        return sum(map(len, player.compose(memories, rngs, temperature=1.0, guidance=guidance, length=length)))

    return one_round


def vae(settings: dict, memory: int, count: int) -> Round:
    """See `count` memories once, with all that belongs to an epoch of stage 4; work is memories."""
    from vae.train import Trainer

    trainer, numbers = Trainer(invented_memories(count, memory), settings), counting()

    def one_round() -> float:
        trainer.epoch(next(numbers), lambda row: None)
        return count

    return one_round


def invented_memories(count: int, memory: int) -> np.ndarray:
    """(count, memory) float32: eight causes that each number has a share of, and noise."""
    rng = np.random.default_rng(0)
    causes = rng.standard_normal((count, 8), np.float32) @ rng.standard_normal((8, memory), np.float32)
    return 0.1 * causes + 0.1 * rng.standard_normal((count, memory), np.float32)


def song_notes(count: int) -> list[np.ndarray]:
    """Invented songs as integers of the vocabulary."""
    return [np.array(ESSEN.encode(song.pitch)) for song in synthetic.songs(count)]
