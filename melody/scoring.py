"""What a trained network predicts of given songs, and the states that reading them leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import keras
import numpy as np

from melody import lookback
from melody.lstm import shape_of, zero_states


class StateEncoder:
    """Lets a network read, and keeps its states."""

    def __init__(self, network: keras.Model):
        self.model = keras.Model(network.inputs, network.outputs[1:], name="reader")
        self.notes = shape_of(network).notes

    def encode(self, rows: np.ndarray, batch: int = 256) -> list[np.ndarray]:
        """The states after reading each row of integers, (songs, time) -> (songs, units) each, from the zero state."""
        parts = []
        for block in _batches(rows, batch):
            before = zero_states(self.model, len(block))
            parts.append(self.model.predict_on_batch([lookback.network_inputs(block, self.notes), *before]))
        return [np.concatenate([np.asarray(state) for state in states]) for states in zip(*parts, strict=True)]


def log_probs(
    network: keras.Model,
    songs: Sequence[tuple[np.ndarray, np.ndarray]],
    states: Sequence[np.ndarray] | None = None,
    batch: int = 256,
    region_ids: np.ndarray | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """For each song, shortest first, its place and its log2 probabilities, (time, notes + 1).

    `songs` are pairs of what is read and what is to be foretold; `states` (songs, units) each, where the songs start;
    none: from zero. `region_ids` (songs,) are the numbers of their regions, for a network that is told them.
    """
    notes = shape_of(network).notes
    order = np.argsort([len(answer) for _, answer in songs], kind="stable")
    for places in _batches(order, batch):
        longest = len(songs[places[-1]][0])
        longest = -(-longest // 32) * 32 if longest > 16 else longest  # few lengths, so that few graphs are compiled
        rows = np.stack([np.pad(songs[s][0], (0, longest - len(songs[s][0]))) for s in places])
        before = zero_states(network, len(places)) if states is None else [state[places] for state in states]
        entries = lookback.network_inputs(rows, notes, None if region_ids is None else region_ids[places])
        logits = np.asarray(network.predict_on_batch([entries, *before])[0], np.float64)
        logits = (logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)) / np.log(2)
        for s, logs in zip(places, logits, strict=True):
            yield s, logs[: len(songs[s][1])]


def information_content(
    network: keras.Model,
    songs: Sequence[tuple[np.ndarray, np.ndarray]],
    states: Sequence[np.ndarray] | None = None,
    batch: int = 256,
    region_ids: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Bits that the network needs for each answer of each song, (time,) a song, the last for the song's end."""
    bits: list[np.ndarray] = [np.zeros(0)] * len(songs)
    for s, logs in log_probs(network, songs, states, batch, region_ids):
        bits[s] = -logs[np.arange(len(logs)), songs[s][1]]
    return bits


def _batches(rows: np.ndarray, batch: int) -> Iterator[np.ndarray]:
    return (rows[first : first + batch] for first in range(0, len(rows), batch))


# Composing
