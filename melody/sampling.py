"""Composing: the network samples songs note by note."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import ops

from melody import lookback, memory
from melody.backend import jit_compile
from melody.lstm import shape_of

MIN_BATCH = 32  # songs; so few are continued until the last has ended: a new batch size is a new graph to compile


class SamplingCell(keras.layers.Layer):
    """One note: look back, step the network's own LSTM cells, sample the next note with a uniform random number.

    A step's input is (random number, temperature, guidance), and the control token if the network reads one. With
    `guided`, two states advance side by side, one from the memory and one from zero without a control token, and the
    guidance w moves their logits apart: logits = zero + (1 + w) (memory - zero), as in classifier-free guidance (Ho &
    Salimans 2022, eq. 6). The first two states are `history` and `match` of `melody.lookback.Lookback`.
    """

    def __init__(self, network: keras.Model, guided: bool):
        super().__init__(name="sampling_cell")
        shape = shape_of(network)
        self.embedding, self.head = network.get_layer("input_embedding"), network.get_layer("output_head")
        self.cells = [network.get_layer(f"lstm_{k}").cell for k in range(1, shape.layers + 1)]
        self.notes, self.guided, self.names = shape.notes, guided, memory.state_names(shape.layers)
        self.step_size = 3 + (shape.regions > 0)
        self.state_size = [lookback.HORIZON] * 2 + [shape.units] * (shape.states * (2 if guided else 1))
        self.output_size = 1

    def call(self, step, states, training=None):
        uniform, temperature, guidance, *region_id = ops.split(step, self.step_size, axis=-1)
        history, match, *states = states
        inputs = unconditional = look_back(history, match, self.notes)
        if region_id:
            number = ops.cast(region_id[0], "int32")
            inputs = ops.concatenate([inputs, number], axis=1)
            unconditional = ops.concatenate([unconditional, ops.zeros_like(number)], axis=1)
        if self.guided:  # (batch, units) twice -> (2 * batch, units): one product a layer serves both
            half = len(states) // 2
            inputs = ops.concatenate([inputs, unconditional])
            states = [ops.concatenate(pair) for pair in zip(states[:half], states[half:], strict=True)]
        logits, states = self.advance(inputs, states)
        if self.guided:
            conditional, zero = ops.split(logits, 2)
            logits = zero + (1.0 + guidance) * (conditional - zero)
            halves = [ops.split(state, 2) for state in states]
            states = [half[0] for half in halves] + [half[1] for half in halves]
        is_start = ops.cast(history[:, :1] == self.notes, logits.dtype)  # a song has at least one note
        logits = ops.concatenate([logits[:, : self.notes], logits[:, self.notes :] - 1e9 * is_start], axis=-1)
        cumulative = ops.cumsum(ops.softmax(logits / temperature), axis=-1)
        # the last sum may fall short of 1 by rounding, so it is not compared
        note = ops.sum(ops.cast(cumulative[:, :-1] <= uniform, "float32"), axis=-1, keepdims=True)
        match = (match + 1.0) * ops.cast(history == note, "float32")
        return note, [ops.concatenate([note, history[:, :-1]], axis=1), match, *states]

    def advance(self, inputs, states):
        """Logits (batch, notes + 1) and new states of the network after one input, (batch, columns)."""
        states = dict(zip(self.names, states, strict=True))
        x = embedded = self.embedding(inputs)
        for k, cell in enumerate(self.cells, start=1):
            x, (states[f"h_{k}"], states[f"c_{k}"]) = cell(x, [states[f"h_{k}"], states[f"c_{k}"]])
        return self.head([x, embedded, inputs]), [states[name] for name in self.names]


def look_back(history, match, notes: int):
    """The network's input after the last note, (batch, lookback.COLUMNS): `Lookback.candidates` in keras.ops."""
    columns = [history[:, :1]]
    rank = match * lookback.HORIZON - ops.arange(lookback.HORIZON, dtype="float32")  # no two positions share a rank
    for _ in range(lookback.CANDIDATES):
        best = ops.max(rank, axis=1, keepdims=True)
        found = ops.cast(best > 0, "float32")
        followed = ops.sum(history * ops.cast(rank == best, "float32"), axis=1, keepdims=True)
        note = found * followed + (1.0 - found) * notes
        columns += [note, found * ops.clip(ops.ceil(best / lookback.HORIZON), 0.0, lookback.MAX_MATCH)]
        rank = ops.where(history == note, -1.0, rank)
    return ops.cast(ops.concatenate(columns, axis=1), "int32")


class Sampler:
    """Composes songs, all of a batch at once: a Keras RNN whose inputs are random numbers, and its state a memory.

    For a single song TensorFlow takes as long to dispatch an operation as to compute it, so XLA fuses them where it
    can; for several songs compiling would take longer than it saves.
    """

    def __init__(self, network: keras.Model, guided: bool):
        cell = SamplingCell(network, guided)
        steps = keras.Input((None, cell.step_size))
        before = [keras.Input((size,)) for size in cell.state_size]
        notes, *after = keras.layers.RNN(cell, return_sequences=True, return_state=True)(steps, initial_state=before)
        self.shape, self.guided = shape_of(network), guided
        self.model = keras.Model([steps, *before], [notes, *after], name="sampler")
        self.single = keras.Model(self.model.inputs, self.model.outputs, name="single_sampler")
        self.single.compile(jit_compile=jit_compile())

    def compose(
        self,
        memories: Sequence[np.ndarray],
        rngs: Sequence[np.random.Generator],
        *,
        temperature: float,
        guidance: float,
        length: int,
        window: int = 64,
        region_ids: np.ndarray | None = None,
        on_song: Callable[[int, np.ndarray], None] = lambda index, notes: None,
    ) -> list[np.ndarray]:
        """Songs of at most `length` notes, one for each row of the states `memories`, (songs, units) each.

        A song ends where the network ends it. Its random numbers come from its own generator in `rngs`, so it is the
        same song whatever is composed beside it. `region_ids` (songs,) are the control tokens, for a network that
        reads them; None: all 0. `on_song(index, notes)` is called as soon as a song has ended, shortest songs first.
        """
        end, count = self.shape.notes, len(rngs)
        start = lookback.Lookback(count, end)
        start.append(np.full(count, end))  # the end of one song is the start of the next
        states = [start.history.astype(np.float32), start.match.astype(np.float32), *memories]
        if self.guided:
            states += [np.zeros_like(state) for state in memories]
        region_ids = np.zeros(count) if region_ids is None else region_ids
        songs: list[np.ndarray] = [np.zeros(0, np.int32)] * count
        active, ended = np.arange(count), np.zeros(count, bool)
        model = self.single if count == 1 else self.model
        while not ended.all():
            if active.size > MIN_BATCH:
                active, states = active[~ended[active]], [state[~ended[active]] for state in states]
            inputs = np.empty((active.size, window, self.model.inputs[0].shape[-1]), np.float32)
            inputs[..., 1:3] = temperature, guidance
            inputs[..., 3:] = region_ids[active, None, None]
            inputs[..., 0] = [rngs[s].random(window, np.float32) for s in active]
            notes, *states = (np.asarray(array) for array in model.predict_on_batch([inputs, *states]))
            for row, s in zip(notes[..., 0].astype(np.int32), active, strict=True):
                if ended[s]:
                    continue
                song = np.concatenate([songs[s], row])
                songs[s] = song[: np.append(np.flatnonzero(song == end), length)[0]][:length]
                ended[s] = end in row or len(song) >= length
                if ended[s]:
                    on_song(int(s), songs[s])
        return songs
