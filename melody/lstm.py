"""The network: a stack of Keras LSTM layers that foretells the next note, and the views on it.

The layers are built once, in `build`. Three views share them: `melody.training` trains them on streams, `Reader` and
`foretold` let them read songs, `Player` composes with them. The network sees integers, of which `melody.batching` says
what they mean, beside them what `melody.lookback` finds in the song so far, and knows no MIDI.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from melody import checkpoint, lookback
from melody.atomic import load_json
from melody.cli import size
from melody.errors import UserError
from melody.fast_lstm import LSTM
from melody.vocabulary import Vocabulary

COMMAND = "python train_lstm.py"
LENGTH = 16  # numbers that stand for the length of a recalled passage


@dataclass(frozen=True)
class Shape:
    """What fixes the network's weights; saved beside them."""

    notes: int  # in the vocabulary
    embedding: int  # numbers that stand for a note
    units: int  # of each LSTM layer
    layers: int
    dense: int  # units between the LSTM and the answer
    regions: int = 0  # that it can be told, by numbers from 1; 0: it has no such input

    @property
    def states(self) -> int:
        """h and c of each layer."""
        return 2 * self.layers

    @property
    def memory(self) -> int:
        """Numbers in a memory."""
        return self.states * self.units


class InputEmbedding(layers.Layer):
    """What is read and recalled, (…, columns) integers -> (…, numbers): the same embedding for every note.

    The columns are those of `melody.lookback`, and the region's number where the network is told regions; 0: none.
    """

    def __init__(self, shape: Shape, **kwargs):
        super().__init__(name="input_embedding", **kwargs)
        self.pitch = layers.Embedding(shape.notes + 2, shape.embedding, dtype=self.dtype_policy, name="pitch")
        self.match_length = layers.Embedding(lookback.LONGEST + 1, LENGTH, dtype=self.dtype_policy, name="match_length")
        self.region = None
        if shape.regions:
            self.region = layers.Embedding(shape.regions + 1, shape.embedding, dtype=self.dtype_policy, name="region")

    def call(self, entry):
        note, *places = (entry[..., k] for k in range(lookback.COLUMNS))
        parts = [self.pitch(note), *map(self.pitch, places[::2]), *map(self.match_length, places[1::2])]
        if self.region:
            parts.append(self.region(entry[..., lookback.COLUMNS]))
        return ops.concatenate(parts, axis=-1)


class OutputHead(layers.Layer):
    """[the LSTM's output, what `Entry` made, entry] -> logits (…, notes + 1).

    A recalled note may be pointed at: how far its logit is raised is learnt, as in a pointer network with a vocabulary
    beside it (Merity et al. 2017, Pointer Sentinel Mixture Models).
    """

    def __init__(self, shape: Shape, **kwargs):
        super().__init__(name="output_head", **kwargs)
        self.dense = layers.Dense(shape.dense, activation="relu", dtype=self.dtype_policy, name="dense")
        self.logits = layers.Dense(shape.notes + 1, dtype="float32", name="logits")
        self.copy_logit = layers.Dense(lookback.PLACES, dtype="float32", name="copy_logit")

    def call(self, inputs):
        output, made, entry = inputs
        x = self.dense(ops.concatenate([output, made], axis=-1))
        logits, trust = self.logits(x), self.copy_logit(x)
        for k in range(lookback.PLACES):
            note, length = entry[..., 1 + 2 * k], entry[..., 2 + 2 * k]
            raised = trust[..., k] * ops.cast(length > 0, trust.dtype)
            logits += raised[..., None] * ops.one_hot(note, logits.shape[-1], dtype=logits.dtype)
        return logits


def build(shape: Shape, dropout: float = 0.0, dtype: str = "float32") -> keras.Model:
    """The network: [entry (batch, time, columns), states] -> [logits (batch, time, notes + 1), states].

    `states`, (batch, units) each, are h and c of each layer, in the order of `melody.memory`; zeros where nothing has
    been read.
    """
    entry = keras.Input((None, lookback.COLUMNS + (shape.regions > 0)), dtype="int32", name="read")
    states = [keras.Input((shape.units,), name=f"{'hc'[k % 2]}_{k // 2 + 1}") for k in range(shape.states)]
    x = made = InputEmbedding(shape, dtype=dtype)(entry)
    after = []
    for k in range(shape.layers):
        x = layers.Dropout(dropout, dtype=dtype, name=f"dropout_{k + 1}")(x) if k else x
        lstm = LSTM(shape.units, return_sequences=True, return_state=True, dtype=dtype, name=f"lstm_{k + 1}")
        x, h, c = lstm(x, initial_state=states[2 * k : 2 * k + 2])
        after += [h, c]
    x = layers.Dropout(dropout, dtype=dtype, name=f"dropout_{shape.layers + 1}")(x)
    return keras.Model([entry, *states], [OutputHead(shape, dtype=dtype)([x, made, entry]), *after], name="network")


@dataclass(frozen=True)
class TrainedNetwork:
    """A network as stage 2 left it, with what is written beside its weights."""

    network: keras.Model
    vocabulary: Vocabulary
    record: dict  # lstm.json
    held_out: dict[str, list[str]]  # part of the split: names of the songs it was not trained on
    fingerprint: str  # of the weights
    command: str = COMMAND  # the command


def load(folder: Path, name: str = "lstm", command: str = COMMAND) -> TrainedNetwork:
    """Read lstm.json and lstm.weights.h5, or those of another name and command.

    Raises `Problem` when they are missing, damaged, or not of one training.
    """
    path, about = folder / f"{name}.weights.h5", folder / f"{name}.json"
    record = load_json(about, command)
    try:
        vocabulary = Vocabulary(record["vocabulary"])
        settings = record["settings"]
        sizes = (size(str(settings[number])) for number in ("embedding", "units", "layers", "dense"))
        shape = Shape(len(vocabulary), *sizes, regions=len(record.get("regions", ())))
        held_out = {part: [str(name) for name in record["held_out"][part]] for part in ("validation", "test")}
        written = str(record["weights"])
    except (KeyError, TypeError, ArgumentTypeError) as missing:
        raise UserError(f"{about} is damaged ({missing}); make it again with: {command}") from None
    network = checkpoint.load_weights(build(shape), path, command, written)
    return TrainedNetwork(network, vocabulary, record, held_out, written, command)


def check_vocabulary(trained: TrainedNetwork, vocabulary: Vocabulary) -> None:
    """Raises `Problem` when songs are written in another vocabulary than the network's."""
    if trained.vocabulary != vocabulary:
        raise UserError(
            f"the network knows {trained.vocabulary} ({trained.vocabulary.fingerprint}); the songs are in {vocabulary} "
            f"({vocabulary.fingerprint}); train it on them: {trained.command}"
        )


def shape_of(network: keras.Model) -> Shape:
    """The shape a network was built with."""
    entry, dense = network.get_layer("input_embedding"), network.get_layer("output_head").dense
    count, regions = (len(network.inputs) - 1) // 2, entry.region.input_dim - 1 if entry.region else 0
    units = network.get_layer("lstm_1").units
    return Shape(entry.pitch.input_dim - 2, entry.pitch.output_dim, units, count, dense.units, regions)


def zero_states(network: keras.Model, batch: int) -> list[np.ndarray]:
    """The state of a network that has read nothing: (batch, units) zeros for each h and c."""
    return [np.zeros((batch, entry.shape[-1]), np.float32) for entry in network.inputs[1:]]


# Reading
