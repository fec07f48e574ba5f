"""The network: a stack of Keras LSTM layers that foretells the next note, and the views on it.

The layers are built once, in `build`. Three views share them: `melody.training` trains them on streams, `Reader` and
`foretold` let them read songs, `Player` composes with them. The network sees integers, of which `melody.dataset` says
what they mean, beside them what `melody.recall` finds in the song so far, and knows no MIDI.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from melody import recall, weights
from melody.files import read_json
from melody.stage import Problem, size
from melody.time_loop import LSTM, jit_compile
from melody.vocabulary import Vocabulary

MADE_BY = "python train_lstm.py"
LENGTH = 16  # numbers that stand for the length of a recalled passage
FEW = 32  # songs; so few go on together until the last has ended, since another batch size is another graph to compile


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


class Entry(layers.Layer):
    """What is read and recalled, (…, columns) integers -> (…, numbers): the same embedding for every note.

    The columns are those of `melody.recall`, and the region's number where the network is told regions; 0: none.
    """

    def __init__(self, shape: Shape, **kwargs):
        super().__init__(name="entry", **kwargs)
        self.note = layers.Embedding(shape.notes + 2, shape.embedding, dtype=self.dtype_policy, name="note")
        self.length = layers.Embedding(recall.LONGEST + 1, LENGTH, dtype=self.dtype_policy, name="length")
        self.region = None
        if shape.regions:
            self.region = layers.Embedding(shape.regions + 1, shape.embedding, dtype=self.dtype_policy, name="region")

    def call(self, entry):
        note, *places = (entry[..., k] for k in range(recall.COLUMNS))
        parts = [self.note(note), *map(self.note, places[::2]), *map(self.length, places[1::2])]
        if self.region:
            parts.append(self.region(entry[..., recall.COLUMNS]))
        return ops.concatenate(parts, axis=-1)


class Answer(layers.Layer):
    """[the LSTM's output, what `Entry` made, entry] -> logits (…, notes + 1).

    A recalled note may be pointed at: how far its logit is raised is learnt, as in a pointer network with a vocabulary
    beside it (Merity et al. 2017, Pointer Sentinel Mixture Models).
    """

    def __init__(self, shape: Shape, **kwargs):
        super().__init__(name="answer", **kwargs)
        self.dense = layers.Dense(shape.dense, activation="relu", dtype=self.dtype_policy, name="dense")
        self.logits = layers.Dense(shape.notes + 1, dtype="float32", name="logits")
        self.trust = layers.Dense(recall.PLACES, dtype="float32", name="trust")

    def call(self, inputs):
        output, made, entry = inputs
        x = self.dense(ops.concatenate([output, made], axis=-1))
        logits, trust = self.logits(x), self.trust(x)
        for k in range(recall.PLACES):
            note, length = entry[..., 1 + 2 * k], entry[..., 2 + 2 * k]
            raised = trust[..., k] * ops.cast(length > 0, trust.dtype)
            logits += raised[..., None] * ops.one_hot(note, logits.shape[-1], dtype=logits.dtype)
        return logits


def build(shape: Shape, dropout: float = 0.0, dtype: str = "float32") -> keras.Model:
    """The network: [entry (batch, time, columns), states] -> [logits (batch, time, notes + 1), states].

    `states`, (batch, units) each, are h and c of each layer, in the order of `melody.memory`; zeros where nothing has
    been read.
    """
    entry = keras.Input((None, recall.COLUMNS + (shape.regions > 0)), dtype="int32", name="read")
    states = [keras.Input((shape.units,), name=f"{'hc'[k % 2]}_{k // 2 + 1}") for k in range(shape.states)]
    x = made = Entry(shape, dtype=dtype)(entry)
    after = []
    for k in range(shape.layers):
        x = layers.Dropout(dropout, dtype=dtype, name=f"dropout_{k + 1}")(x) if k else x
        lstm = LSTM(shape.units, return_sequences=True, return_state=True, dtype=dtype, name=f"lstm_{k + 1}")
        x, h, c = lstm(x, initial_state=states[2 * k : 2 * k + 2])
        after += [h, c]
    x = layers.Dropout(dropout, dtype=dtype, name=f"dropout_{shape.layers + 1}")(x)
    return keras.Model([entry, *states], [Answer(shape, dtype=dtype)([x, made, entry]), *after], name="network")


@dataclass(frozen=True)
class Trained:
    """A network as stage 2 left it, with what is written beside its weights."""

    network: keras.Model
    vocabulary: Vocabulary
    record: dict  # lstm.json
    held_out: dict[str, list[str]]  # part of the split: names of the songs it was not trained on
    fingerprint: str  # of the weights
    made_by: str = MADE_BY  # the command


def load(folder: Path, name: str = "lstm", made_by: str = MADE_BY) -> Trained:
    """Read lstm.json and lstm.weights.h5, or those of another name and command.

    Raises `Problem` when they are missing, damaged, or not of one training.
    """
    path, about = folder / f"{name}.weights.h5", folder / f"{name}.json"
    record = read_json(about, made_by)
    try:
        vocabulary = Vocabulary(record["vocabulary"])
        settings = record["settings"]
        sizes = (size(str(settings[number])) for number in ("embedding", "units", "layers", "dense"))
        shape = Shape(len(vocabulary), *sizes, regions=len(record.get("regions", ())))
        held_out = {part: [str(name) for name in record["held_out"][part]] for part in ("validation", "test")}
        written = str(record["weights"])
    except (KeyError, TypeError, ArgumentTypeError) as missing:
        raise Problem(f"{about} is damaged ({missing}); make it again with: {made_by}") from None
    network = weights.load(build(shape), path, made_by, written)
    return Trained(network, vocabulary, record, held_out, written, made_by)


def must_know(trained: Trained, vocabulary: Vocabulary) -> None:
    """Raises `Problem` when songs are written in another vocabulary than the network's."""
    if trained.vocabulary != vocabulary:
        raise Problem(
            f"the network knows {trained.vocabulary} ({trained.vocabulary.fingerprint}); the songs are in {vocabulary} "
            f"({vocabulary.fingerprint}); train it on them: {trained.made_by}"
        )


def shape_of(network: keras.Model) -> Shape:
    """The shape a network was built with."""
    entry, dense = network.get_layer("entry"), network.get_layer("answer").dense
    count, regions = (len(network.inputs) - 1) // 2, entry.region.input_dim - 1 if entry.region else 0
    units = network.get_layer("lstm_1").units
    return Shape(entry.note.input_dim - 2, entry.note.output_dim, units, count, dense.units, regions)


def zero_states(network: keras.Model, batch: int) -> list[np.ndarray]:
    """The state of a network that has read nothing: (batch, units) zeros for each h and c."""
    return [np.zeros((batch, entry.shape[-1]), np.float32) for entry in network.inputs[1:]]


# Reading


class Reader:
    """Lets a network read, and keeps its states."""

    def __init__(self, network: keras.Model):
        self.model = keras.Model(network.inputs, network.outputs[1:], name="reader")
        self.notes = shape_of(network).notes

    def read(self, rows: np.ndarray, batch: int = 256) -> list[np.ndarray]:
        """The states after reading each row of integers, (songs, time) -> (songs, units) each, from the zero state."""
        parts = []
        for block in _batches(rows, batch):
            before = zero_states(self.model, len(block))
            parts.append(self.model.predict_on_batch([recall.entries(block, self.notes), *before]))
        return [np.concatenate([np.asarray(state) for state in states]) for states in zip(*parts, strict=True)]


def foretold(
    network: keras.Model,
    songs: Sequence[tuple[np.ndarray, np.ndarray]],
    states: Sequence[np.ndarray] | None = None,
    batch: int = 256,
    told: np.ndarray | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """For each song, shortest first, its place and its log2 probabilities, (time, notes + 1).

    `songs` are pairs of what is read and what is to be foretold; `states` (songs, units) each, where the songs start;
    none: from zero. `told` (songs,) are the numbers of their regions, for a network that is told them.
    """
    notes = shape_of(network).notes
    order = np.argsort([len(answer) for _, answer in songs], kind="stable")
    for places in _batches(order, batch):
        longest = len(songs[places[-1]][0])
        longest = -(-longest // 32) * 32 if longest > 16 else longest  # few lengths, so that few graphs are compiled
        rows = np.stack([np.pad(songs[s][0], (0, longest - len(songs[s][0]))) for s in places])
        before = zero_states(network, len(places)) if states is None else [state[places] for state in states]
        entries = recall.entries(rows, notes, None if told is None else told[places])
        logits = np.asarray(network.predict_on_batch([entries, *before])[0], np.float64)
        logits = (logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)) / np.log(2)
        for s, logs in zip(places, logits, strict=True):
            yield s, logs[: len(songs[s][1])]


def song_bits(
    network: keras.Model,
    songs: Sequence[tuple[np.ndarray, np.ndarray]],
    states: Sequence[np.ndarray] | None = None,
    batch: int = 256,
    told: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Bits that the network needs for each answer of each song, (time,) a song, the last for the song's end."""
    bits: list[np.ndarray] = [np.zeros(0)] * len(songs)
    for s, logs in foretold(network, songs, states, batch, told):
        bits[s] = -logs[np.arange(len(logs)), songs[s][1]]
    return bits


def _batches(rows: np.ndarray, batch: int) -> Iterator[np.ndarray]:
    return (rows[first : first + batch] for first in range(0, len(rows), batch))


# Composing


class ComposingCell(keras.layers.Layer):
    """One note: look back, step the network's own LSTM cells, draw the next note by a uniform number.

    A step reads (uniform number, temperature, guidance), and the region's number if the network is told regions. Two
    states run side by side, one from the memory and one from zero, told no region, and their answers are set apart by
    the guidance w: logits = zero + (1 + w) (memory - zero), as in classifier-free guidance (Ho & Salimans 2022, eq. 6).
    Without `guided` the zero state is left out. The first two states are `heard` and `match` of `melody.recall.Recall`.
    """

    def __init__(self, network: keras.Model, guided: bool):
        super().__init__(name="composing_cell")
        shape = shape_of(network)
        self.entry, self.answer = network.get_layer("entry"), network.get_layer("answer")
        self.cells = [network.get_layer(f"lstm_{k + 1}").cell for k in range(shape.layers)]
        self.notes, self.guided = shape.notes, guided
        self.step_size = 3 + (shape.regions > 0)
        self.state_size = [recall.REACH] * 2 + [shape.units] * (shape.states * (2 if guided else 1))
        self.output_size = 1

    def look_back(self, heard, match):
        """The entry of the last note heard, (batch, recall.COLUMNS): `melody.recall.Recall.places` in keras.ops."""
        columns = [heard[:, :1]]
        order = match * recall.REACH - ops.arange(recall.REACH, dtype="float32")  # no two of a song are alike
        for _ in range(recall.PLACES):
            best = ops.max(order, axis=1, keepdims=True)
            found = ops.cast(best > 0, "float32")
            followed = ops.sum(heard * ops.cast(order == best, "float32"), axis=1, keepdims=True)
            note = found * followed + (1.0 - found) * self.notes
            columns += [note, found * ops.clip(ops.ceil(best / recall.REACH), 0.0, recall.LONGEST)]
            order = ops.where(heard == note, -1.0, order)
        return ops.cast(ops.concatenate(columns, axis=1), "int32")

    def call(self, step, states, training=None):
        uniform, temperature, guidance, *told = ops.split(step, self.step_size, axis=-1)
        heard, match, *states = states
        entry = plain = self.look_back(heard, match)
        for number in told:
            number = ops.cast(number, "int32")
            entry, plain = (ops.concatenate([entry, one], axis=1) for one in (number, ops.zeros_like(number)))
        if self.guided:  # (batch, units) twice -> (2 * batch, units): one product a layer serves both
            half = len(states) // 2
            entry = ops.concatenate([entry, plain])
            states = [ops.concatenate(pair) for pair in zip(states[:half], states[half:], strict=True)]
        x = made = self.entry(entry)
        after = []
        for k, cell in enumerate(self.cells):
            x, pair = cell(x, list(states[2 * k : 2 * k + 2]))
            after += pair
        logits = self.answer([x, made, entry])
        if self.guided:
            steered, zero = ops.split(logits, 2)
            logits = zero + (1.0 + guidance) * (steered - zero)
            halves = [ops.split(state, 2) for state in after]
            after = [half[0] for half in halves] + [half[1] for half in halves]
        begins = ops.cast(heard[:, :1] == self.notes, logits.dtype)  # a song has at least one note
        logits = ops.concatenate([logits[:, : self.notes], logits[:, self.notes :] - 1e9 * begins], axis=-1)
        reached = ops.cumsum(ops.softmax(logits / temperature), axis=-1)
        # the last sum may fall short of 1 by rounding, so it is not compared
        note = ops.sum(ops.cast(reached[:, :-1] <= uniform, "float32"), axis=-1, keepdims=True)
        match = (match + 1.0) * ops.cast(heard == note, "float32")
        return note, [ops.concatenate([note, heard[:, :-1]], axis=1), match, *after]


class Player:
    """Composes songs, all of a batch at once: a Keras RNN whose input is the draws and whose initial state a memory.

    For a lone song TensorFlow takes as long to go from one operation to the next as to work them out, so XLA makes one
    of them where it can; for more songs that gains less than it takes to compile.
    """

    def __init__(self, network: keras.Model, guided: bool):
        cell = ComposingCell(network, guided)
        draws = keras.Input((None, cell.step_size))
        before = [keras.Input((size,)) for size in cell.state_size]
        notes, *after = keras.layers.RNN(cell, return_sequences=True, return_state=True)(draws, initial_state=before)
        self.shape, self.guided = shape_of(network), guided
        self.model = keras.Model([draws, *before], [notes, *after], name="player")
        self.lone = keras.Model(self.model.inputs, self.model.outputs, name="lone_player")
        self.lone.compile(jit_compile=jit_compile())

    def compose(
        self,
        memories: Sequence[np.ndarray],
        rngs: Sequence[np.random.Generator],
        *,
        temperature: float,
        guidance: float,
        length: int,
        window: int = 64,
        regions: np.ndarray | None = None,
        told: Callable[[int], None] = lambda notes: None,
    ) -> list[np.ndarray]:
        """Songs of at most `length` notes, one for each row of the six states `memories`, (songs, units) each.

        A song ends where the network ends it; its draws come from its own generator of `rngs`, so that it is the same
        song whatever is composed beside it. `regions` (songs,) are their numbers, for a network that is told
        them; None: all 0. `told` hears how many songs have ended, after each window of notes.
        """
        end = self.shape.notes
        looking = recall.Recall(len(rngs), end)
        looking.read(np.full(len(rngs), end))  # the end of one song is the start of the next
        states = [looking.heard.astype(np.float32), looking.match.astype(np.float32), *memories]
        if self.guided:
            states += [np.zeros_like(state) for state in memories]
        songs: list[np.ndarray] = [np.zeros(0, np.int32)] * len(rngs)
        regions = np.zeros(len(rngs)) if regions is None else regions
        going, unended = np.arange(len(rngs)), np.ones(len(rngs), bool)
        model = self.lone if len(rngs) == 1 else self.model
        while unended.any():
            if going.size > FEW:
                going, states = going[unended], [state[unended] for state in states]
            draws = np.empty((going.size, window, self.model.inputs[0].shape[-1]), np.float32)
            draws[..., 1:3] = temperature, guidance
            draws[..., 3:] = regions[going, None, None]
            draws[..., 0] = [rngs[s].random(window, np.float32) for s in going]
            notes, *states = (np.asarray(array) for array in model.predict_on_batch([draws, *states]))
            for row, s in zip(notes[..., 0].astype(np.int32), going, strict=True):
                songs[s] = np.concatenate([songs[s], row])
            unended = np.array([end not in songs[s] and len(songs[s]) < length for s in going], bool)
            told(len(rngs) - np.count_nonzero(unended))
        return [song[: np.append(np.flatnonzero(song == end), length)[0]][:length] for song in songs]
