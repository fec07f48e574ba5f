"""Fits memories to songs of the user's own by gradient descent; the weights of the network stay as they are.

After songs of a tradition that the network was not trained on its state says little of them, though it may know states
that say much. So one offset is added to all memories, under which the beginnings of these songs are as probable as it
can make them: for recurrent networks what prompt tuning is for Transformers (Lester, Al-Rfou & Constant 2021, The Power
of Scale for Parameter-Efficient Prompt Tuning).
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from melody import lookback, memory
from melody.cli import progress
from melody.lstm import shape_of
from melody.scoring import Tokens

NOTES = 32  # of each song, from its start
BATCH = 16  # songs in a step
LEARNING_RATE = 0.06  # of Adam
PENALTY = 0.02  # nats a note for a squared length of 1 of the offset, divided by the songs: a Gaussian prior


class OffsetModel(keras.Model):
    """[tokens (BATCH, NOTES, columns), states] -> logits of each head after the states with the offset.

    The logits are those that songs are composed from: with guidance w, zero + (1 + w) (memory - zero), where zero are
    the logits after the initial state zero.
    """

    def __init__(self, network: keras.Model, guidance: float, penalty: float):
        super().__init__(name="offset_model")
        self.shape, self.network, self.guidance, self.penalty = shape_of(network), network, guidance, penalty
        network.trainable = False
        names = memory.state_names(self.shape.layers)
        self.offset = [self.add_weight(shape=(1, self.shape.units), initializer="zeros", name=name) for name in names]
        self.built = True

    def call(self, inputs, training=None):
        tokens, *states = inputs
        heads = self._heads(tokens, [state + offset for state, offset in zip(states, self.offset, strict=True)])
        if not self.guidance:
            return heads
        zero = self._heads(tokens, [ops.zeros_like(state) for state in states])
        return [one + self.guidance * (one - other) for one, other in zip(heads, zero, strict=True)]

    def _heads(self, tokens, states) -> list:
        return self.network([tokens, *states])[: -len(states)]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """`nats` and the penalty."""
        return nats(y, y_pred) + self.penalty * sum(ops.sum(ops.square(offset)) for offset in self.offset)


def nats(targets, logits: Sequence):
    """The nats of all heads for each note; `targets` (songs, notes, heads), -1 for none, `logits` as of the network."""
    counted, total = ops.cast(targets >= 0, "float32"), 0.0
    for k, head in enumerate(logits):
        found = keras.losses.sparse_categorical_crossentropy(ops.maximum(targets[..., k], 0), head, from_logits=True)
        total += ops.sum(found * counted[..., k])
    return total / ops.maximum(ops.sum(counted[..., 0]), 1.0)


def fit_offset(
    network: keras.Model,
    songs: Sequence[Tokens],
    memories: np.ndarray,
    steps: int,
    guidance: float,
    rng: np.random.Generator,
    quiet: bool = True,
) -> np.ndarray:
    """The offset, (memory,) float32, of memories (count, memory) of some songs, for composing with a guidance.

    In each of the `steps` the first notes of random songs are predicted, each after a random one of the memories.
    """
    model = OffsetModel(network, guidance, PENALTY / len(songs))
    model.compile(keras.optimizers.Adam(LEARNING_RATE))
    read, wanted = first_notes(songs)
    for _ in progress(range(steps), quiet, unit="step", desc="fitting memories"):
        chosen = rng.choice(len(songs), BATCH, replace=len(songs) < BATCH)
        tokens = lookback.with_candidates(read[chosen], model.shape.notes, model.shape.rhythms)
        states = memory.unpack(memories[rng.integers(len(memories), size=BATCH)], model.shape.states)
        model.train_on_batch([tokens, *states], wanted[chosen])
    return np.concatenate([ops.convert_to_numpy(offset)[0] for offset in model.offset]).astype(np.float32)


def first_notes(songs: Sequence[Tokens]) -> tuple[np.ndarray, np.ndarray]:
    """The first NOTES inputs and targets of songs, filled up to these: (songs, NOTES, columns) each."""

    def first(rows: np.ndarray, fill: int) -> np.ndarray:
        return np.pad(rows[:NOTES], ((0, max(NOTES - len(rows), 0)), (0, 0)), constant_values=fill)

    return np.stack([first(read, 0) for read, _ in songs]), np.stack([first(wanted, -1) for _, wanted in songs])
