"""What a trained network predicts of given songs, and its states after reading them."""

from collections.abc import Iterator, Sequence

import keras
import numpy as np

from melody import lookback
from melody.lstm import shape_of, zero_states


class StateEncoder:
    """Encodes rows of integers as the states of a network that has read them."""

    def __init__(self, network: keras.Model):
        self.model = keras.Model(network.inputs, network.outputs[1:], name="state_encoder")
        self.notes = shape_of(network).notes

    def encode(self, rows: np.ndarray, batch: int = 256) -> list[np.ndarray]:
        """The states after each row of integers, (songs, time) -> (songs, units) each; the initial state is zero."""
        parts = []
        for block in _batches(rows, batch):
            inputs = [lookback.network_inputs(block, self.notes), *zero_states(self.model, len(block))]
            parts.append(self.model.predict_on_batch(inputs))
        return [np.concatenate([np.asarray(state) for state in states]) for states in zip(*parts, strict=True)]


def log_probs(
    network: keras.Model,
    songs: Sequence[tuple[np.ndarray, np.ndarray]],
    states: Sequence[np.ndarray] | None = None,
    batch: int = 256,
    region_ids: np.ndarray | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """For each song, shortest first: its index and its log2 probabilities, (time, notes + 1).

    `songs` are pairs of inputs and targets, see `melody.batching.inputs_and_targets`; `states` (songs, units) each are
    the initial states, zero if None. `region_ids` (songs,) are the control tokens, for a network that reads them.
    """
    notes = shape_of(network).notes
    order = np.argsort([len(targets) for _, targets in songs], kind="stable")
    for indices in _batches(order, batch):
        longest = len(songs[indices[-1]][0])
        longest = -(-longest // 32) * 32 if longest > 16 else longest  # few lengths, so few graphs are compiled
        rows = np.stack([np.pad(songs[s][0], (0, longest - len(songs[s][0]))) for s in indices])
        before = zero_states(network, len(indices)) if states is None else [state[indices] for state in states]
        inputs = lookback.network_inputs(rows, notes, None if region_ids is None else region_ids[indices])
        logits = np.asarray(network.predict_on_batch([inputs, *before])[0], np.float64)
        logits = (logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)) / np.log(2)
        for s, log2_probs in zip(indices, logits, strict=True):
            yield s, log2_probs[: len(songs[s][1])]


def information_content(
    network: keras.Model,
    songs: Sequence[tuple[np.ndarray, np.ndarray]],
    states: Sequence[np.ndarray] | None = None,
    batch: int = 256,
    region_ids: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Bits of each target of each song, (time,) per song, the last for the song's end; arguments as `log_probs`."""
    bits: list[np.ndarray] = [np.zeros(0)] * len(songs)
    for s, log2_probs in log_probs(network, songs, states, batch, region_ids):
        bits[s] = -log2_probs[np.arange(len(log2_probs)), songs[s][1]]
    return bits


def _batches(rows: np.ndarray, batch: int) -> Iterator[np.ndarray]:
    return (rows[first : first + batch] for first in range(0, len(rows), batch))
