"""The network: a stack of Keras LSTM layers that predicts the next note, and how it is loaded.

The layers are built once, in `build`. Three views share them: `melody.training` trains them on streams,
`melody.scoring` predicts given songs and encodes them as states, `melody.sampling` composes. The network sees integers,
whose meaning `melody.encoding` defines, and the candidates that `melody.lookback` finds in the song so far.

One step of the LSTM reads the last note. From its output the heads predict in turn the opening (at the start of a
song), the pitch, the rhythm given the pitch, and whether a phrase begins given both. With a vocabulary without rhythms
the network predicts pitches alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from melody import checkpoint, encoding, lookback, memory, records
from melody.atomic import MOST_COMPRESSED
from melody.backend import check_memory
from melody.errors import UserError
from melody.fast_lstm import LSTM
from melody.records import NetworkRecord, Shape
from melody.vocabulary import Vocabulary

COMMAND = "python train_lstm.py"
MATCH_EMBEDDING = 16  # dimensions of the embedding of a match length
RHYTHM_EMBEDDING, PHRASE_EMBEDDING, SIGNATURE_EMBEDDING, BEAT_EMBEDDING = 32, 8, 16, 24
PHRASE_DENSE = 64  # units between the LSTM and the phrase's logits
OUTPUT_HEADS = {"pitch": "output_head", "rhythm": "rhythm_head", "phrase": "phrase_head"}  # names of the layers
MARKS = 3  # what is known of a phrase mark: none, a phrase begins, unknown


class InputEmbedding(layers.Layer):
    """The network's input, (…, columns) integers, as vectors.

    Returns what the LSTM reads, what the heads read beside its output, and the pitch and rhythm to come: (…, features)
    each; of a network without rhythms the first two alone, which are the same. The columns are those of
    `melody.encoding.inputs` and `melody.lookback`, and the control token if the network reads one; 0: no region.

    At the start of a song the opening is still to be predicted, so the LSTM reads any time signature and beat position
    as unknown there; the heads after the opening read them.
    """

    def __init__(self, shape: Shape, **kwargs):
        super().__init__(name="input_embedding", **kwargs)
        self.network_shape = shape

        def embedding(name: str, values: int, size: int):
            return layers.Embedding(values, size, dtype=self.dtype_policy, name=name)

        self.pitch = embedding("pitch", shape.notes + 2, shape.embedding)
        self.match_length = embedding("match_length", lookback.MAX_MATCH + 1, MATCH_EMBEDDING)
        self.region = embedding("region", shape.regions + 1, shape.embedding) if shape.regions else None
        if shape.rhythms:
            self.rhythm = embedding("rhythm", shape.rhythms + 1, RHYTHM_EMBEDDING)
            self.phrase = embedding("phrase", MARKS, PHRASE_EMBEDDING)
            self.signature = embedding("signature", shape.signatures + 1, SIGNATURE_EMBEDDING)
            self.beat = embedding("beat", shape.beats + 1, BEAT_EMBEDDING)

    def call(self, inputs):
        embedded = self.embed(inputs)
        if not self.network_shape.rhythms:
            return embedded, embedded
        context = self.context(embedded, inputs[..., encoding.SIGNATURE], inputs[..., encoding.BEAT])
        next_note = self.pitch(inputs[..., encoding.NEXT_PITCH]), self.rhythm(inputs[..., encoding.NEXT_RHYTHM])
        return embedded, context, *next_note

    def embed(self, inputs):
        """What the LSTM reads."""
        shape, found = self.network_shape, candidates(self.network_shape)
        parts = [self.pitch(inputs[..., column]) for column in (encoding.PITCH, *(pitch for pitch, *_ in found))]
        parts += [self.match_length(inputs[..., length]) for _, length, *_ in found]
        if self.region:
            parts.append(self.region(inputs[..., -1]))
        if shape.rhythms:
            is_start = inputs[..., encoding.PITCH] >= shape.notes
            parts += [self.rhythm(inputs[..., column]) for column in (encoding.RHYTHM, *(one[2] for one in found))]
            parts += [
                self.phrase(inputs[..., encoding.PHRASES]),
                self.signature(ops.where(is_start, shape.signatures, inputs[..., encoding.SIGNATURE])),
                self.beat(ops.where(is_start, shape.beats, inputs[..., encoding.BEAT])),
            ]
        return ops.concatenate(parts, axis=-1)

    def context(self, embedded, signature, beat):
        """What the heads after the opening read beside the LSTM's output."""
        return ops.concatenate([embedded, self.signature(signature), self.beat(beat)], axis=-1)


class OutputHead(layers.Layer):
    """[inputs, features …] -> logits (…, outputs): a dense layer between the features and the logits.

    `copied` are the columns of the inputs with a value that is predicted and the length of the match that it comes
    from. The logit of that value is raised by a learned copy logit, as in a pointer network with a vocabulary beside it
    (Merity et al. 2017, Pointer Sentinel Mixture Models).
    """

    def __init__(self, name: str, dense: int, outputs: int, copied: Sequence[tuple[int, int]] = (), **kwargs):
        super().__init__(name=name, **kwargs)
        self.dense = layers.Dense(dense, activation="relu", dtype=self.dtype_policy, name="dense")
        self.logits = layers.Dense(outputs, dtype="float32", name="logits")
        self.copied = list(copied)
        self.copy_logit = layers.Dense(len(copied), dtype="float32", name="copy_logit") if copied else None

    def call(self, tensors):
        inputs, *features = tensors
        x = self.dense(ops.concatenate(features, axis=-1))
        logits = self.logits(x)
        copy_logits = self.copy_logit(x) if self.copied else None
        for k, (value, length) in enumerate(self.copied):
            value, outputs = inputs[..., value], logits.shape[-1]
            is_there = ops.logical_and(inputs[..., length] > 0, value < outputs)
            raised = copy_logits[..., k] * ops.cast(is_there, copy_logits.dtype)
            logits += raised[..., None] * ops.one_hot(ops.minimum(value, outputs - 1), outputs, dtype=logits.dtype)
        return logits

    def divide_logits(self, temperature: float) -> None:
        """Change the weights so that all logits are divided by a temperature."""
        for layer in (self.logits, self.copy_logit):
            if layer is not None:
                layer.set_weights([weight / temperature for weight in layer.get_weights()])


def token_columns(shape: Shape) -> int:
    """Columns of the network's input before those of the candidates."""
    return encoding.TOKENS if shape.rhythms else 1


def candidates(shape: Shape) -> list[range]:
    """The columns of each candidate: pitch, match length, and rhythm if the network reads rhythms."""
    first, size = token_columns(shape), lookback.candidate_columns(shape.rhythms > 0)
    return [range(first + k * size, first + (k + 1) * size) for k in range(lookback.CANDIDATES)]


def predict(shape: Shape, dtype: str, inputs, x, context, next_note: Sequence) -> list:
    """The logits of each head, in the order of `melody.encoding.HEADS`, from the output x of what reads the inputs.

    `context` and `next_note`, the embeddings of the pitch and the rhythm to come, are those of `InputEmbedding`.
    """
    name, found = OUTPUT_HEADS, candidates(shape)
    copied = [(column, length) for column, length, *_ in found]
    logits = [OutputHead(name["pitch"], shape.dense, shape.notes + 1, copied, dtype=dtype)([inputs, x, context])]
    if not shape.rhythms:
        return logits
    pitch, rhythm = next_note
    copied = [(column, length) for _, length, column in found]
    rhythms = OutputHead(name["rhythm"], shape.dense, shape.rhythms, copied, dtype=dtype)
    phrases = OutputHead(name["phrase"], PHRASE_DENSE, 2, dtype=dtype)
    logits += [rhythms([inputs, x, context, pitch]), phrases([inputs, x, context, pitch, rhythm])]
    return [*logits, layers.Dense(shape.openings, dtype="float32", name="opening_head")(x)]


def build(shape: Shape, dropout: float = 0.0, dtype: str = "float32") -> keras.Model:
    """The network: [inputs (batch, time, columns), states] -> [logits of each head (batch, time, values), states].

    The heads are those of `melody.encoding.HEADS`, or pitch alone. The states, (batch, units) each, are those of
    `melody.memory.state_names`; zeros at the start.
    """
    columns, names = candidates(shape)[-1].stop + (shape.regions > 0), memory.state_names(shape.layers)
    inputs = keras.Input((None, columns), dtype="int32", name="inputs")
    before = {name: keras.Input((shape.units,), name=name) for name in names}
    after = {}
    x, context, *next_note = InputEmbedding(shape, dtype=dtype)(inputs)
    for k in range(1, shape.layers + 1):
        x = layers.Dropout(dropout, dtype=dtype, name=f"dropout_{k}")(x) if k > 1 else x
        lstm = LSTM(shape.units, return_sequences=True, return_state=True, dtype=dtype, name=f"lstm_{k}")
        x, after[f"h_{k}"], after[f"c_{k}"] = lstm(x, initial_state=[before[f"h_{k}"], before[f"c_{k}"]])
    x = layers.Dropout(dropout, dtype=dtype, name="output")(x)
    logits = predict(shape, dtype, inputs, x, context, next_note)
    return keras.Model([inputs, *before.values()], [*logits, *(after[name] for name in names)], name="network")


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


def load(folder: Path, name: str = "lstm", command: str = COMMAND, build: Callable = build) -> TrainedNetwork:
    """Load `<name>.json` and `<name>.weights.h5`; `build` makes the network of a shape.

    Raises `UserError` if they are missing, damaged, of two trainings, or too large for this machine.
    """
    path, weights = folder / f"{name}.json", folder / f"{name}.weights.h5"
    again = f"{command}{' --overwrite' * weights.exists()}"
    record = records.load(NetworkRecord, path, again)
    if weights.exists() and 2 * parameters(record.shape) > MOST_COMPRESSED * weights.stat().st_size:  # float16
        raise UserError(f"{path} is damaged: {weights} is too small for its network; make both again with: {again}")
    check_memory(4 * parameters(record.shape), f"the network of {path}", "use a machine with more memory")
    network = checkpoint.load_weights(build(record.shape), weights, again, record.weights)
    return TrainedNetwork(network, record, command)


def check_vocabulary(trained: TrainedNetwork, vocabulary: Vocabulary) -> None:
    """Raises `UserError` if the songs have other pitches than the network; rhythms it does not know count as others."""
    if trained.vocabulary.names != vocabulary.names:
        raise UserError(
            f"the network knows {trained.vocabulary} ({trained.vocabulary.fingerprint}); the songs are in {vocabulary} "
            f"({vocabulary.fingerprint}); train it on them: {trained.command} --weights DIR"
        )


def shape_of(network: keras.Model) -> Shape:
    """The shape that a network was built with."""
    return network.get_layer("input_embedding").network_shape


def zero_states(network: keras.Model, batch: int) -> list[np.ndarray]:
    """The unconditional initial state: (batch, units) zeros for each h and c."""
    return [np.zeros((batch, state.shape[-1]), np.float32) for state in network.inputs[1:]]
