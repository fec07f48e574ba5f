"""Composing: the network samples a song note by note."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import ops

from melody import lookback
from melody.fast_lstm import jit_compile
from melody.lstm import shape_of

FEW = 32  # songs; so few go on together until the last has ended, since another batch size is another graph to compile


class SamplingCell(keras.layers.Layer):
    """One note: look back, step the network's own LSTM cells, draw the next note by a uniform number.

    A step reads (uniform number, temperature, guidance), and the region's number if the network is told regions. Two
    states run side by side, one from the memory and one from zero, told no region, and their answers are set apart by
    the guidance w: logits = zero + (1 + w) (memory - zero), as in classifier-free guidance (Ho & Salimans 2022, eq. 6).
    Without `guided` the zero state is left out. The first two states are `heard` and `match` of `melody.lookback.Recall`.
    """

    def __init__(self, network: keras.Model, guided: bool):
        super().__init__(name="composing_cell")
        shape = shape_of(network)
        self.entry, self.answer = network.get_layer("input_embedding"), network.get_layer("output_head")
        self.cells = [network.get_layer(f"lstm_{k + 1}").cell for k in range(shape.layers)]
        self.notes, self.guided = shape.notes, guided
        self.step_size = 3 + (shape.regions > 0)
        self.state_size = [lookback.REACH] * 2 + [shape.units] * (shape.states * (2 if guided else 1))
        self.output_size = 1

    def look_back(self, heard, match):
        """The entry of the last note heard, (batch, recall.COLUMNS): `melody.lookback.Recall.places` in keras.ops."""
        columns = [heard[:, :1]]
        order = match * lookback.REACH - ops.arange(lookback.REACH, dtype="float32")  # no two of a song are alike
        for _ in range(lookback.PLACES):
            best = ops.max(order, axis=1, keepdims=True)
            found = ops.cast(best > 0, "float32")
            followed = ops.sum(heard * ops.cast(order == best, "float32"), axis=1, keepdims=True)
            note = found * followed + (1.0 - found) * self.notes
            columns += [note, found * ops.clip(ops.ceil(best / lookback.REACH), 0.0, lookback.LONGEST)]
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


class Sampler:
    """Composes songs, all of a batch at once: a Keras RNN whose input is the draws and whose initial state a memory.

    For a lone song TensorFlow takes as long to go from one operation to the next as to work them out, so XLA makes one
    of them where it can; for more songs that gains less than it takes to compile.
    """

    def __init__(self, network: keras.Model, guided: bool):
        cell = SamplingCell(network, guided)
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
        region_ids: np.ndarray | None = None,
        on_song: Callable[[int, np.ndarray], None] = lambda index, notes: None,
    ) -> list[np.ndarray]:
        """Songs of at most `length` notes, one for each row of the states `memories`, (songs, units) each.

        A song ends where the network ends it. Its random numbers come from its own generator in `rngs`, so it is the
        same song whatever is composed beside it. `region_ids` (songs,) are the control tokens, for a network that
        reads them; None: all 0. `on_song(index, notes)` is called as soon as a song has ended, shortest songs first.
        """
        end, count = self.shape.notes, len(rngs)
        history = lookback.Lookback(count, end)
        history.read(np.full(count, end))  # the end of one song is the start of the next
        states = [history.heard.astype(np.float32), history.match.astype(np.float32), *memories]
        if self.guided:
            states += [np.zeros_like(state) for state in memories]
        region_ids = np.zeros(count) if region_ids is None else region_ids
        songs: list[np.ndarray] = [np.zeros(0, np.int32)] * count
        active, ended = np.arange(count), np.zeros(count, bool)
        model = self.lone if count == 1 else self.model
        while not ended.all():
            if active.size > FEW:
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
