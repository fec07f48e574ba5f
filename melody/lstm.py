"""The network: a stack of Keras LSTM layers that predicts the next note, and how it is loaded.

The layers are built once, in `build`. Three views share them: `melody.training` trains them on streams,
`melody.scoring` predicts given songs and encodes them as states, `melody.sampling` composes. The network sees integers,
whose meaning `melody.batching` defines, and the candidates that `melody.lookback` finds in the song so far.
"""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from melody import checkpoint, lookback, memory, records
from melody.backend import check_memory
from melody.errors import UserError
from melody.fast_lstm import LSTM
from melody.records import NetworkRecord, Shape
from melody.vocabulary import Vocabulary

COMMAND = "python train_lstm.py"
MATCH_EMBEDDING = 16  # dimensions of the embedding of a match length


class InputEmbedding(layers.Layer):
    """The network's input, (…, columns) integers -> (…, features): one embedding for every note, another for lengths.

    The columns are those of `melody.lookback`, and the control token if the network reads one; 0: no region.
    """

    def __init__(self, shape: Shape, **kwargs):
        super().__init__(name="input_embedding", **kwargs)
        self.pitch = layers.Embedding(shape.notes + 2, shape.embedding, dtype=self.dtype_policy, name="pitch")
        self.match_length = layers.Embedding(
            lookback.MAX_MATCH + 1, MATCH_EMBEDDING, dtype=self.dtype_policy, name="match_length"
        )
        self.region = None
        if shape.regions:
            self.region = layers.Embedding(shape.regions + 1, shape.embedding, dtype=self.dtype_policy, name="region")

    def call(self, inputs):
        note, *candidates = (inputs[..., k] for k in range(lookback.COLUMNS))
        parts = [self.pitch(note), *map(self.pitch, candidates[::2]), *map(self.match_length, candidates[1::2])]
        if self.region:
            parts.append(self.region(inputs[..., lookback.COLUMNS]))
        return ops.concatenate(parts, axis=-1)


class OutputHead(layers.Layer):
    """[the LSTM's output, the embedded input, the input] -> logits (…, notes + 1).

    The logit of a candidate note is raised by a learned copy logit, as in a pointer network with a vocabulary beside it
    (Merity et al. 2017, Pointer Sentinel Mixture Models).
    """

    def __init__(self, shape: Shape, **kwargs):
        super().__init__(name="output_head", **kwargs)
        self.dense = layers.Dense(shape.dense, activation="relu", dtype=self.dtype_policy, name="dense")
        self.logits = layers.Dense(shape.notes + 1, dtype="float32", name="logits")
        self.copy_logit = layers.Dense(lookback.CANDIDATES, dtype="float32", name="copy_logit")

    def call(self, tensors):
        output, embedded, inputs = tensors
        x = self.dense(ops.concatenate([output, embedded], axis=-1))
        logits, copy_logits = self.logits(x), self.copy_logit(x)
        for k in range(lookback.CANDIDATES):
            note, length = inputs[..., 1 + 2 * k], inputs[..., 2 + 2 * k]
            raised = copy_logits[..., k] * ops.cast(length > 0, copy_logits.dtype)
            logits += raised[..., None] * ops.one_hot(note, logits.shape[-1], dtype=logits.dtype)
        return logits


def build(shape: Shape, dropout: float = 0.0, dtype: str = "float32") -> keras.Model:
    """The network: [inputs (batch, time, columns), states] -> [logits (batch, time, notes + 1), states].

    The states, (batch, units) each, are those of `melody.memory.state_names`; zeros at the start.
    """
    columns, names = lookback.COLUMNS + (shape.regions > 0), memory.state_names(shape.layers)
    inputs = keras.Input((None, columns), dtype="int32", name="inputs")
    before = {name: keras.Input((shape.units,), name=name) for name in names}
    after = {}
    x = embedded = InputEmbedding(shape, dtype=dtype)(inputs)
    for k in range(1, shape.layers + 1):
        x = layers.Dropout(dropout, dtype=dtype, name=f"dropout_{k}")(x) if k > 1 else x
        lstm = LSTM(shape.units, return_sequences=True, return_state=True, dtype=dtype, name=f"lstm_{k}")
        x, after[f"h_{k}"], after[f"c_{k}"] = lstm(x, initial_state=[before[f"h_{k}"], before[f"c_{k}"]])
    x = layers.Dropout(dropout, dtype=dtype, name=f"dropout_{shape.layers + 1}")(x)
    logits = OutputHead(shape, dtype=dtype)([x, embedded, inputs])
    return keras.Model([inputs, *before.values()], [logits, *(after[name] for name in names)], name="network")


def parameters(shape: Shape) -> int:
    """The least number of weights of `build(shape)`, without building it: its embedding and matrices of units."""
    lstm = (2 * shape.layers - 1) * 4 * shape.units**2
    return shape.notes * shape.embedding + lstm + shape.units * shape.dense


@dataclass(frozen=True)
class TrainedNetwork:
    """A network with its weights and its record."""

    network: keras.Model
    record: NetworkRecord
    command: str = COMMAND  # that trains it

    @property
    def vocabulary(self) -> Vocabulary:
        return self.record.vocabulary

    @property
    def held_out(self) -> dict[str, list[str]]:
        """Names of the songs that it was not trained on, by part of the split."""
        return self.record.held_out

    @property
    def fingerprint(self) -> str:
        """Of the weights file."""
        return self.record.weights


def load(folder: Path, name: str = "lstm", command: str = COMMAND) -> TrainedNetwork:
    """Load `<name>.json` and `<name>.weights.h5`.

    Raises `UserError` if they are missing, damaged, of two trainings, or too large for this machine.
    """
    path, weights = folder / f"{name}.json", folder / f"{name}.weights.h5"
    again = f"{command}{' --overwrite' * weights.exists()}"
    record = records.load(NetworkRecord, path, again)
    check_memory(4 * parameters(record.shape), f"the network of {path}", "use a machine with more memory")
    network = checkpoint.load_weights(build(record.shape), weights, again, record.weights)
    return TrainedNetwork(network, record, command)


def check_vocabulary(trained: TrainedNetwork, vocabulary: Vocabulary) -> None:
    """Raises `UserError` if the songs have another vocabulary than the network."""
    if trained.vocabulary != vocabulary:
        raise UserError(
            f"the network knows {trained.vocabulary} ({trained.vocabulary.fingerprint}); the songs are in {vocabulary} "
            f"({vocabulary.fingerprint}); train it on them: {trained.command} --weights DIR"
        )


def shape_of(network: keras.Model) -> Shape:
    """The shape that a network was built with."""
    embedding, dense = network.get_layer("input_embedding"), network.get_layer("output_head").dense
    count, regions = (len(network.inputs) - 1) // 2, embedding.region.input_dim - 1 if embedding.region else 0
    units = network.get_layer("lstm_1").units
    return Shape(embedding.pitch.input_dim - 2, embedding.pitch.output_dim, units, count, dense.units, regions)


def zero_states(network: keras.Model, batch: int) -> list[np.ndarray]:
    """The unconditional initial state: (batch, units) zeros for each h and c."""
    return [np.zeros((batch, state.shape[-1]), np.float32) for state in network.inputs[1:]]
