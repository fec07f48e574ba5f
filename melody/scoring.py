"""What a trained network predicts of given songs, and its states after reading them."""

from collections.abc import Iterator, Sequence

import keras
import numpy as np

from melody import lookback
from melody.lstm import shape_of, zero_states

Tokens = tuple[np.ndarray, np.ndarray]  # inputs (time, tokens) and targets (time, heads) of a song: `melody.encoding`


class StateEncoder:
    """Encodes rows of tokens as the states of a network that has read them."""

    def __init__(self, network: keras.Model):
        self.shape = shape_of(network)
        self.model = keras.Model(network.inputs, network.outputs[-self.shape.states :], name="state_encoder")

    def encode(
        self, rows: np.ndarray, states: Sequence[np.ndarray] | None = None, batch: int = 128
    ) -> list[np.ndarray]:
        """The states after each row of tokens, (songs, time, tokens) -> (songs, units) each; before it `states`, or
        zero."""
        parts, before = [], zero_states(self.model, len(rows)) if states is None else states
        for first in range(0, len(rows), batch):
            block = slice(first, first + batch)
            inputs = lookback.with_candidates(rows[block], self.shape.notes, self.shape.rhythms)
            parts.append(self.model.predict_on_batch([inputs, *(state[block] for state in before)]))
        return [np.concatenate([np.asarray(state) for state in states]) for states in zip(*parts, strict=True)]


def log_probs(
    network: keras.Model,
    songs: Sequence[Tokens],
    states: Sequence[np.ndarray] | None = None,
    batch: int = 256,
    region_ids: np.ndarray | None = None,
) -> Iterator[tuple[int, list[np.ndarray]]]:
    """For each song, shortest first: its index and the log2 probabilities of each head, (time, values) each.

    `states` (songs, units) each are the initial states, zero if None. `region_ids` (songs,) are the control tokens, for
    a network that reads them.
    """
    shape = shape_of(network)
    order = np.argsort([len(targets) for _, targets in songs], kind="stable")
    for indices in _batches(order, batch):
        longest = len(songs[indices[-1]][0])
        longest = -(-longest // 32) * 32 if longest > 16 else longest  # few lengths, so few graphs are compiled
        rows = np.stack([np.pad(songs[s][0], ((0, longest - len(songs[s][0])), (0, 0))) for s in indices])
        before = zero_states(network, len(indices)) if states is None else [state[indices] for state in states]
        ids = None if region_ids is None else region_ids[indices, None]
        inputs = lookback.with_candidates(rows, shape.notes, shape.rhythms, ids)
        heads = network.predict_on_batch([inputs, *before])[: len(network.outputs) - len(before)]
        heads = [np.asarray(logits, np.float64) for logits in heads]
        heads = [(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)) / np.log(2) for logits in heads]
        for k, s in enumerate(indices):
            yield s, [head[k, : len(songs[s][1])] for head in heads]


def information_content(
    network: keras.Model,
    songs: Sequence[Tokens],
    states: Sequence[np.ndarray] | None = None,
    batch: int = 256,
    region_ids: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Bits of each target of each song, (time, heads) per song; NaN where a head has nothing to predict.

    The first head is that of the pitch, whose last target is the song's end. Arguments as `log_probs`.
    """
    bits: list[np.ndarray] = [np.zeros(0)] * len(songs)
    for s, heads in log_probs(network, songs, states, batch, region_ids):
        targets = songs[s][1].T
        times = np.arange(targets.shape[1])
        columns = [
            np.where(target < 0, np.nan, -head[times, target]) for head, target in zip(heads, targets, strict=True)
        ]
        bits[s] = np.stack(columns, axis=1)
    return bits


def _batches(rows: np.ndarray, batch: int) -> Iterator[np.ndarray]:
    return (rows[first : first + batch] for first in range(0, len(rows), batch))
