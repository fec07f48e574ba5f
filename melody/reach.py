"""Reach: how far songs composed from memories lie on the way from songs without a memory to the songs shown.

Songs are described by the distributions of `melody.descriptors`: time signature, pitch classes above the last note,
note values, intervals and range. Without a memory reach is 0; it is 1 for songs as near to the songs shown as these are
to each other.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from melody import regions
from melody.descriptors import Descriptors, describe_all
from melody.errors import UserError

if TYPE_CHECKING:
    from melody.lstm import TrainedNetwork

COMPOSED = 64  # songs with, and as many without memories
FEWEST = 5  # songs shown; of fewer no distance can be estimated
ROUNDS = 1000  # of the bootstrap
SMALLEST_STD = 0.05  # so that kinds of notes that hardly occur do not count more than others
NEAR = 1.0  # squared distance in standard deviations, too small for measuring how much of it is left
LITTLE = 0.25  # reach below which a warning is printed
ASPECTS = "in meter, scale, note values, intervals and range"
SampleMemories = Callable[[int, np.random.Generator], np.ndarray]  # (count, rng) -> (count, memory)


class Reach(NamedTuple):
    """The result of `measure`. `share` and its 95 % interval are None if too few songs are shown, or if songs without a
    memory are already near to them."""

    shown: int  # songs
    share: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def parse(cls, record: dict) -> Self:
        """The inverse of `_asdict`. Raises `ValueError` or `TypeError` if the record is damaged."""
        found = cls(**record)
        numbers = [found.shown, *(value for value in found[1:] if value is not None)]
        if len(numbers) not in (1, len(found)) or not all(type(value) in (int, float) for value in numbers):
            raise ValueError(f"reach is {record}")
        return found

    def text(self, name: str, own: bool) -> str:
        """One line in plain words; `own` songs are the user's, on which the network can be trained further."""
        if self.share is None and self.shown < regions.FEW:
            return f"too few songs of {name} ({self.shown}) to tell whether composed songs are like them"
        if self.share is None:
            return f"songs without a memory already sound much like these {self.shown:,} songs of {name} ({ASPECTS})"
        way = f"{self.share:.0%} of the way from songs without a memory to those of {name}"
        way += f" (95 % interval {self.low:.0%} to {self.high:.0%}; {ASPECTS})"
        if self.low > 0 and self.share >= LITTLE:
            return f"songs composed from these memories lie {way}"
        command = f"python train_lstm.py --from weights --songs PATH --name {name}"
        advice = f"; to train the network on them: {command}" if own else ""
        more = "little" if self.low > 0 else "perhaps no" if self.share >= LITTLE else "no"
        return f"warning: these songs sound {more} more like {name} than without a memory: {way}{advice}"


def resampled(songs: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mean description (rounds, numbers) and mean product of two different songs (rounds,).

    The first row is that of the songs (count, numbers) themselves, the others are of bootstrap samples. These are one
    song smaller, so that a mean varies as much as that of other songs would.
    """
    count = len(songs)
    weights = np.concatenate([np.ones((1, count)), rng.multinomial(count - 1, np.full(count, 1 / count), ROUNDS)])
    sums, total = weights @ songs, weights.sum(axis=1)
    pairs = total**2 - (weights**2).sum(axis=1)
    products = (sums**2).sum(axis=1) - weights**2 @ (songs**2).sum(axis=1)
    return sums / total[:, None], products / np.where(pairs, pairs, np.nan)


def squared_distance(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Squared Euclidean distance of the mean descriptions of two sets, see `resampled`; without bias, so it may be
    negative. It is the squared maximum mean discrepancy with a linear kernel (Gretton et al. 2012, eq. 3)."""
    return one[1] + other[1] - 2 * (one[0] * other[0]).sum(axis=1)


def measure(shown: np.ndarray, without: np.ndarray, composed: np.ndarray, seed: int) -> Reach:
    """The reach of composed songs, from descriptions (songs, numbers) of songs shown, without a memory, and composed.

    1 - distance(composed, shown) / distance(without, shown), with a percentile bootstrap interval over all three. Each
    number is divided by its standard deviation over songs without a memory.
    """
    if len(shown) < FEWEST:
        return Reach(len(shown))
    rng = np.random.default_rng(seed)
    std = np.maximum(without.std(axis=0), SMALLEST_STD)
    target, *others = (resampled(rows / std, rng) for rows in (shown, without, composed))
    start, left = (squared_distance(target, songs) for songs in others)
    if np.nanquantile(start, 0.025) <= NEAR:
        return Reach(len(shown))
    share = 1 - np.sqrt(np.maximum(left, 0) / np.where(start > 0, start, np.nan))
    low, high = np.nanquantile(share, (0.025, 0.975))
    return Reach(len(shown), *(round(float(value), 3) for value in (share[0], low, high)))


def load_network(weights: Path, settings: dict, shown: np.ndarray) -> TrainedNetwork:
    """The network that memories with these settings, and descriptions of the songs shown, belong to.

    Raises `UserError`, which names the command that makes the memories again, if it is another one.
    """
    from melody import lstm  # late: it needs Keras

    trained = lstm.load(weights)
    size = Descriptors(trained.vocabulary, 0).size
    if settings["network"] != trained.fingerprint or shown.shape[1] != size:
        command = regions.memories_command(regions.flag(settings["regions"], settings.get("name", "")))
        made = f"the memories belong to network {settings['network']}, with {shown.shape[1]} numbers for each song"
        wanted = f"not to {trained.fingerprint}, with {size}"
        raise UserError(f"{made}, {wanted}; make them again with: {command} --overwrite")
    return trained


def measure_memories(trained: TrainedNetwork, shown: np.ndarray, sample: SampleMemories, seed: int, **options) -> Reach:
    """Compose songs from sampled memories, and as many without, and measure their reach.

    `shown` are descriptions (songs, numbers) of the songs shown; `options` are those of `Sampler.compose`.
    """
    from melody import memory, sampling  # late: it needs Keras

    rng = np.random.default_rng(seed)
    memories = sample(COMPOSED, rng)
    sampler = sampling.Sampler(trained.network, trained.vocabulary, guided=options["guidance"] != 0)
    states = memory.unpack(np.concatenate([np.zeros_like(memories), memories]), sampler.shape.states)
    songs = sampler.compose(states, rng.spawn(2 * COMPOSED), **options)
    without, composed = (describe_all(part, trained.vocabulary) for part in (songs[:COMPOSED], songs[COMPOSED:]))
    return measure(shown, without, composed, seed)
