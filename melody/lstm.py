"""The network: a stack of Keras LSTM layers that foretells the next note, and the views on it.

The layers are built once, in `build`. Three views share them: `melody.training` trains them on streams, `Reader` and
`song_bits` let them read songs, `Player` composes with them. The network sees integers, of which `melody.dataset` says
what they mean, and knows no MIDI.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from melody import weights
from melody.files import file_fingerprint, read_json
from melody.stage import Problem
from melody.vocabulary import Vocabulary

MADE_BY = "python train_lstm.py"


@dataclass(frozen=True)
class Shape:
    """What fixes the network's weights; saved beside them."""

    notes: int  # in the vocabulary
    embedding: int  # numbers that stand for a note
    units: int  # of each LSTM layer
    layers: int
    dense: int  # units between the LSTM and the answer

    @property
    def states(self) -> int:
        """h and c of each layer."""
        return 2 * self.layers

    @property
    def memory(self) -> int:
        """Numbers in a memory."""
        return self.states * self.units


def build(shape: Shape, dropout: float = 0.0, dtype: str = "float32") -> keras.Model:
    """The network: [read (batch, time), states (batch, units) each] -> [logits (batch, time, notes + 1), states].

    `states` are h and c of each layer, in the order of `melody.memory`; zeros where nothing has been read.
    """
    read = keras.Input((None,), dtype="int32", name="read")
    states = [keras.Input((shape.units,), name=f"{'hc'[k % 2]}_{k // 2 + 1}") for k in range(shape.states)]
    x = layers.Embedding(shape.notes + 2, shape.embedding, dtype=dtype, name="embedding")(read)
    after = []
    for k in range(shape.layers):
        x = layers.Dropout(dropout, dtype=dtype, name=f"dropout_{k + 1}")(x) if k else x
        lstm = layers.LSTM(shape.units, return_sequences=True, return_state=True, dtype=dtype, name=f"lstm_{k + 1}")
        x, h, c = lstm(x, initial_state=states[2 * k : 2 * k + 2])
        after += [h, c]
    x = layers.Dropout(dropout, dtype=dtype, name=f"dropout_{shape.layers + 1}")(x)
    x = layers.Dense(shape.dense, activation="relu", dtype=dtype, name="dense")(x)
    logits = layers.Dense(shape.notes + 1, dtype="float32", name="logits")(x)
    return keras.Model([read, *states], [logits, *after], name="network")


@dataclass(frozen=True)
class Trained:
    """A network as stage 2 left it, with what is written beside its weights."""

    network: keras.Model
    vocabulary: Vocabulary
    record: dict  # lstm.json
    fingerprint: str  # of the weights


def load(folder: Path) -> Trained:
    """Read lstm.json and lstm.weights.h5. Raises `Problem` when they are missing, damaged, or not of one training."""
    path, record = folder / "lstm.weights.h5", read_json(folder / "lstm.json", MADE_BY)
    try:
        vocabulary = Vocabulary(record["vocabulary"])
        settings = record["settings"]
        shape = Shape(len(vocabulary), *(settings[name] for name in ("embedding", "units", "layers", "dense")))
        written = record["weights"]
    except (KeyError, TypeError) as missing:
        raise Problem(f"{folder / 'lstm.json'} is damaged ({missing}); make it again with: {MADE_BY}") from None
    network = weights.load(build(shape), path, MADE_BY)
    if file_fingerprint(path) != written:
        raise Problem(
            f"{path} ({file_fingerprint(path)}) is not the file that {folder / 'lstm.json'} tells of ({written})"
        )
    return Trained(network, vocabulary, record, written)


def must_know(trained: Trained, vocabulary: Vocabulary) -> None:
    """Raises `Problem` when songs are written in another vocabulary than the network's."""
    if trained.vocabulary != vocabulary:
        raise Problem(
            f"the network knows {trained.vocabulary}; the songs are in {vocabulary}; train it on them: {MADE_BY}"
        )


def shape_of(network: keras.Model) -> Shape:
    """The shape a network was built with."""
    embedding, dense = network.get_layer("embedding"), network.get_layer("dense")
    count = (len(network.inputs) - 1) // 2
    return Shape(embedding.input_dim - 2, embedding.output_dim, network.get_layer("lstm_1").units, count, dense.units)


def zero_states(network: keras.Model, batch: int) -> list[np.ndarray]:
    """The state of a network that has read nothing: (batch, units) zeros for each h and c."""
    return [np.zeros((batch, entry.shape[-1]), np.float32) for entry in network.inputs[1:]]


# Reading


class Reader:
    """Lets a network read, and keeps its states."""

    def __init__(self, network: keras.Model):
        self.model = keras.Model(network.inputs, network.outputs[1:], name="reader")

    def read(self, tokens: np.ndarray) -> list[np.ndarray]:
        """The states after reading each row of `tokens`, (songs, time) -> (songs, units) each, from the zero state."""
        return [
            np.asarray(state) for state in self.model.predict_on_batch([tokens, *zero_states(self.model, len(tokens))])
        ]


def song_bits(
    network: keras.Model,
    songs: Sequence[tuple[np.ndarray, np.ndarray]],
    states: Sequence[np.ndarray] | None = None,
    batch: int = 128,
) -> list[np.ndarray]:
    """Bits that the network needs for each answer of each song, (time,) a song, the last for the song's end.

    `songs` are pairs of what is read and what is to be foretold; `states` (songs, units) each, where the songs start;
    none: from zero.
    """
    bits: list[np.ndarray] = [np.zeros(0)] * len(songs)
    order = np.argsort([len(answer) for _, answer in songs], kind="stable")
    for places in _batches(order, batch):
        longest = -(-len(songs[places[-1]][0]) // 32) * 32  # few different lengths, so that few graphs are compiled
        tokens = np.stack([np.pad(songs[s][0], (0, longest - len(songs[s][0]))) for s in places])
        before = zero_states(network, len(places)) if states is None else [state[places] for state in states]
        logits = np.asarray(network.predict_on_batch([tokens, *before])[0], np.float64)
        logits -= np.logaddexp.reduce(logits, axis=-1, keepdims=True)
        for row, s in zip(logits, places, strict=True):
            answer = songs[s][1]
            bits[s] = -row[np.arange(len(answer)), answer] / np.log(2)
    return bits


def _batches(rows: np.ndarray, batch: int) -> Iterator[np.ndarray]:
    return (rows[first : first + batch] for first in range(0, len(rows), batch))


# Composing


class ComposingCell(keras.layers.Layer):
    """One note: embed the last one, step the network's own LSTM cells, draw the next by a uniform number.

    A step reads (uniform number, temperature, guidance). Two states run side by side, one from the memory and one from
    zero, and their answers are set apart by the guidance w: logits = zero + (1 + w) (memory - zero), as in
    classifier-free guidance (Ho & Salimans 2022, eq. 6). Without `guided` the zero state is left out.
    """

    def __init__(self, network: keras.Model, guided: bool):
        super().__init__(name="composing_cell")
        shape = shape_of(network)
        self.embedding, self.dense, self.logits = (network.get_layer(name) for name in ("embedding", "dense", "logits"))
        self.cells = [network.get_layer(f"lstm_{k + 1}").cell for k in range(shape.layers)]
        self.guided = guided
        self.state_size = [1] + [shape.units] * (shape.states * (2 if guided else 1))
        self.output_size = 1

    def call(self, step, states, training=None):
        uniform, temperature, guidance = ops.split(step, 3, axis=-1)
        before, states = states[0], states[1:]
        last = ops.cast(before[:, 0], "int32")
        if self.guided:  # (batch, units) twice -> (2 * batch, units): one product a layer serves both
            half = len(states) // 2
            last = ops.concatenate([last, last])
            states = [ops.concatenate(pair) for pair in zip(states[:half], states[half:], strict=True)]
        x, after = self.embedding(last), []
        for k, cell in enumerate(self.cells):
            x, pair = cell(x, list(states[2 * k : 2 * k + 2]))
            after += pair
        logits = self.logits(self.dense(x))
        if self.guided:
            steered, zero = ops.split(logits, 2)
            logits = zero + (1.0 + guidance) * (steered - zero)
            halves = [ops.split(state, 2) for state in after]
            after = [half[0] for half in halves] + [half[1] for half in halves]
        end = logits.shape[-1] - 1
        begins = ops.cast(before == end, logits.dtype)  # a song has at least one note
        logits = ops.concatenate([logits[:, :end], logits[:, end:] - 1e9 * begins], axis=-1)
        reached = ops.cumsum(ops.softmax(logits / temperature), axis=-1)
        # the last sum may fall short of 1 by rounding, so it is not compared
        note = ops.sum(ops.cast(reached[:, :-1] <= uniform, "float32"), axis=-1, keepdims=True)
        return note, [note, *after]


class Player:
    """Composes songs, all of a batch at once: a Keras RNN whose input is the draws and whose initial state a memory."""

    def __init__(self, network: keras.Model, guided: bool):
        cell = ComposingCell(network, guided)
        draws = keras.Input((None, 3))
        before = [keras.Input((size,)) for size in cell.state_size]
        notes, *after = keras.layers.RNN(cell, return_sequences=True, return_state=True)(draws, initial_state=before)
        self.shape, self.guided = shape_of(network), guided
        self.model = keras.Model([draws, *before], [notes, *after], name="player")

    def compose(
        self,
        memories: Sequence[np.ndarray],
        rngs: Sequence[np.random.Generator],
        *,
        temperature: float,
        guidance: float,
        length: int,
        window: int = 64,
        told: Callable[[int], None] = lambda notes: None,
    ) -> list[np.ndarray]:
        """Songs of at most `length` notes, one for each row of the six states `memories`, (songs, units) each.

        A song ends where the network ends it; its draws come from its own generator of `rngs`, so that it is the same
        song whatever is composed beside it. `told` hears how many songs have ended, after each window of notes.
        """
        end = self.shape.notes
        states = [np.full((len(rngs), 1), end, np.float32), *memories]  # the end of one song is the start of the next
        if self.guided:
            states += [np.zeros_like(state) for state in memories]
        songs: list[np.ndarray] = [np.zeros(0, np.int32)] * len(rngs)
        going = np.arange(len(rngs))
        while going.size:
            draws = np.empty((going.size, window, 3), np.float32)
            draws[:] = 0.0, temperature, guidance
            draws[..., 0] = [rngs[s].random(window, np.float32) for s in going]
            notes, *states = (np.asarray(array) for array in self.model.predict_on_batch([draws, *states]))
            for row, s in zip(notes[..., 0].astype(np.int32), going, strict=True):
                songs[s] = np.concatenate([songs[s], row])
            unended = np.array([end not in songs[s] and len(songs[s]) < length for s in going])
            going, states = going[unended], [state[unended] for state in states]
            told(len(rngs) - going.size)
        return [song[: np.append(np.flatnonzero(song == end), length)[0]][:length] for song in songs]
