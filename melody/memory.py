"""A memory: the network's whole state, laid out as one row of numbers. The order lives here and nowhere else.

A stack of three LSTM layers has six states, (batch, units) each: [h_1, c_1, h_2, c_2, h_3, c_3]. A memory is these side
by side, (batch, 6 * units).

>>> pack([np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])])
array([[1., 2., 3., 4.]], dtype=float32)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def pack(states: Sequence[np.ndarray]) -> np.ndarray:
    """States, (batch, units) each, to memories, (batch, states * units)."""
    return np.concatenate([np.asarray(state, np.float32) for state in states], axis=1)


def unpack(memories: np.ndarray, states: int) -> list[np.ndarray]:
    """Memories, (batch, states * units), to their states, (batch, units) each."""
    return np.split(np.asarray(memories, np.float32), states, axis=1)


def input_sequence(songs: Sequence[np.ndarray], chosen: Sequence[int], notes: int, start: int) -> np.ndarray:
    """What the network reads for one memory: the last `notes` entries of the chosen songs, each begun by `start`.

    Songs with fewer entries than that are read again.

    >>> reading([np.array([5, 7]), np.array([3])], [0, 1], notes=4, start=9)
    array([5, 7, 9, 3], dtype=int32)
    """
    row = np.concatenate([part for s in chosen for part in ([start], songs[s])]).astype(np.int32)
    return np.tile(row, -(-notes // len(row)))[-notes:]


def sample_songs(songs: int, each: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """The places of the songs that `count` memories read, (count, each); none twice where there are enough."""
    return np.stack([rng.choice(songs, each, replace=songs < each) for _ in range(count)])


def sample_inputs(
    songs: Sequence[np.ndarray],
    drawn: np.ndarray,
    notes: int,
    start: int,
    within: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """What is read for memories of the songs at `drawn` (count, each): (count, notes), see `reading`.

    A share `within` of the memories is taken somewhere within their last song, the others at its end.
    """
    rows = []
    for chosen in drawn:
        heard = [songs[s] for s in chosen]
        if rng.random() < within:
            heard[-1] = heard[-1][: rng.integers(1, len(heard[-1]) + 1)]
        rows.append(input_sequence(heard, range(len(heard)), notes, start))
    return np.stack(rows)
