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
