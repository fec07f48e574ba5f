"""One step of composing, as a cell of a Keras RNN."""

import keras
import numpy as np
from keras import ops

from melody import lookback, memory
from melody.lstm import shape_of, token_columns
from melody.records import Shape
from melody.vocabulary import RhythmVocabulary

ILLEGAL = -1e9  # added to the logit of what cannot follow


class SamplingCell(keras.layers.Layer):
    """One note: look back, step the network's own LSTM cells, sample with uniform random numbers.

    A step's input is a random number, temperature and guidance; then, if the network knows rhythms, three further
    random numbers; and the control token if it reads one. Its output is the pitch; then the rhythm, whether a phrase
    begins, and the opening. With `guided`, two states advance side by side, one from the memory and one from zero
    without a control token, and the guidance w moves their logits apart: logits = zero + (1 + w) (memory - zero), as in
    classifier-free guidance (Ho & Salimans 2022, eq. 6).

    The first two states are `history` and `match` of `melody.lookback.Lookback`. With rhythms four more follow: the
    lookback's `rhythms`, the state of the bar automaton, whether the last note began a phrase, and the logits to add to
    those of the openings. What the automaton forbids is not sampled. The temperature is that of the notes: the opening
    is sampled as the network predicts it, so that rare time signatures stay as common as they are; and the song ends
    as often as predicted from the memory, without guidance, which would make songs shorter.
    """

    def __init__(self, network: keras.Model, rhythm: RhythmVocabulary, guided: bool):
        super().__init__(name="sampling_cell")
        self.shape = shape = shape_of(network)
        names = ("output_head", "rhythm_head", "phrase_head", "opening_head") if shape.rhythms else ("output_head",)
        self.embedding, self.heads = network.get_layer("input_embedding"), [network.get_layer(name) for name in names]
        self.cells = [network.get_layer(f"lstm_{k}").cell for k in range(1, shape.layers + 1)]
        self.guided, self.names = guided, memory.state_names(shape.layers)
        self.output_size = len(self.heads)
        self.step_size = 2 + self.output_size + (shape.regions > 0)
        self.state_size = [lookback.HORIZON] * 2 + [shape.units] * (shape.states * (2 if guided else 1))
        if shape.rhythms:
            self.state_size[2:2] = [lookback.HORIZON, 1, 1, shape.openings]
            self.automaton = _Tables(rhythm)

    def call(self, step, states, training=None):
        if not self.shape.rhythms:
            return self._sample_pitch(step, states)
        return self._sample_note(step, states)

    def _sample_pitch(self, step, states):
        history, match, *states = states
        output, inputs, context, states = self._advance(step, [history, match], states)
        illegal = self._no_end(history[:, :1] == self.shape.notes)
        pitch = self._sample_or_end(self.heads[0]([inputs, output, context]), illegal, step)
        return pitch, [*_append(history, match, pitch), *states]

    def _sample_note(self, step, states):
        history, match, rhythms, bar, phrase, openings, *states = states
        tables, shape, is_start = self.automaton, self.shape, history[:, :1] == self.shape.notes
        temperature = step[:, 1:2]
        state = ops.cast(bar[:, 0], "int32")
        columns = [rhythms[:, :1], phrase, tables.signature(state), tables.beat(state)]
        output, inputs, embedded, states = self._advance(step, [history, match, rhythms], states, columns)
        opening = self._sample(self._guide(self.heads[3](output), step) + openings, step[:, 5:6])
        opened = ops.take(tables.start, ops.cast(opening[:, 0], "int32"))
        state = ops.where(is_start[:, 0], opened, state)
        illegal = ops.take(tables.illegal, state, axis=0)  # (batch, rhythms + 1), to be added to logits
        signature, beat = (self._both(table(state)[:, 0]) for table in (tables.signature, tables.beat))
        context = self.embedding.context(embedded, ops.cast(signature, "int32"), ops.cast(beat, "int32"))
        dead_end = ops.max(illegal[:, :-1], axis=1, keepdims=True)  # no rhythm may follow, so the song ends
        no_pitch = ops.concatenate([ops.repeat(dead_end, shape.notes, axis=1), illegal[:, -1:]], axis=1)
        illegal_pitch = no_pitch + self._no_end(is_start)
        pitch = self._sample_or_end(self.heads[0]([inputs, output, context]), illegal_pitch, step)
        sampled = self.embedding.pitch(ops.cast(self._both(pitch[:, 0]), "int32"))
        logits = self._guide(self.heads[1]([inputs, output, context, sampled]), step)
        rhythm = self._sample((logits + illegal[:, :-1]) / temperature, step[:, 3:4])
        number = ops.cast(self._both(rhythm[:, 0]), "int32")
        logits = self._guide(self.heads[2]([inputs, output, context, sampled, self.embedding.rhythm(number)]), step)
        begins = self._sample(logits / temperature, step[:, 4:5])
        following = ops.take(tables.next_state, state * shape.rhythms + ops.cast(rhythm[:, 0], "int32"))
        rhythms = ops.concatenate([rhythm, rhythms[:, :-1]], axis=1)
        carried = [*_append(history, match, pitch), rhythms, ops.cast(following, "float32")[:, None], begins, openings]
        return ops.concatenate([pitch, rhythm, begins, opening], axis=1), [*carried, *states]

    def _advance(self, step, looked, states, columns=()):
        """The LSTM's output, its input, what it read of the input, and its new states; twice if guided."""
        history, *_ = looked
        tokens = [history[:, :1], *columns]
        tokens += [ops.zeros_like(history[:, :1])] * (
            token_columns(self.shape) - len(tokens)
        )  # the note to come is not known
        inputs = unconditional = ops.cast(
            ops.concatenate([*tokens, look_back(*looked, shape=self.shape)], axis=1), "int32"
        )
        if self.shape.regions:
            number = ops.cast(step[:, -1:], "int32")
            inputs = ops.concatenate([inputs, number], axis=1)
            unconditional = ops.concatenate([unconditional, ops.zeros_like(number)], axis=1)
        if self.guided:  # (batch, units) twice -> (2 * batch, units): one product a layer serves both
            half = len(states) // 2
            inputs = ops.concatenate([inputs, unconditional])
            states = [ops.concatenate(pair) for pair in zip(states[:half], states[half:], strict=True)]
        states = dict(zip(self.names, states, strict=True))
        x = embedded = self.embedding.embed(inputs)
        for k, cell in enumerate(self.cells, start=1):
            x, (states[f"h_{k}"], states[f"c_{k}"]) = cell(x, [states[f"h_{k}"], states[f"c_{k}"]])
        states = [states[name] for name in self.names]
        if self.guided:
            halves = [ops.split(state, 2) for state in states]
            states = [half[0] for half in halves] + [half[1] for half in halves]
        return x, inputs, embedded, states

    def _no_end(self, is_start):
        """What to add to the logits of pitches and END: a song has at least one note."""
        zeros = ops.zeros_like(is_start, dtype="float32")
        return ops.concatenate(
            [ops.repeat(zeros, self.shape.notes, axis=1), ILLEGAL * ops.cast(is_start, "float32")], axis=1
        )

    def _both(self, values):
        """What both halves of a guided batch read alike."""
        return ops.concatenate([values, values]) if self.guided else values

    def _guide(self, logits, step):
        if not self.guided:
            return logits
        conditional, zero = ops.split(logits, 2)
        return zero + (1.0 + step[:, 2:3]) * (conditional - zero)

    def _sample_or_end(self, logits, illegal, step):
        """A pitch, or END: guidance and temperature choose among pitches, and the memory alone when the song ends."""
        from_memory = ops.split(logits, 2)[0] if self.guided else logits
        end = ops.softmax(from_memory + illegal)[:, -1:]
        pitches = ops.softmax((self._guide(logits, step) + illegal)[:, :-1] / step[:, 1:2])
        return _index(ops.concatenate([(1.0 - end) * pitches, end], axis=1), step[:, :1])

    def _sample(self, logits, random):
        """An index for each song, (batch, 1) float, by a random number of each, (batch, 1)."""
        if logits.shape[-1] == 1:  # Keras warns of a softmax over one
            return ops.zeros_like(random)
        return _index(ops.softmax(logits), random)


def _index(probabilities, random):
    """Which of the probabilities, (batch, values), a random number of each song, (batch, 1), falls on: (batch, 1)."""
    cumulative = ops.cumsum(probabilities, axis=-1)
    reached = random * cumulative[:, -1:]  # by rounding the sum is not always 1
    return ops.sum(ops.cast(cumulative[:, :-1] <= reached, "float32"), axis=-1, keepdims=True)


class _Tables:
    """The bar automaton as tensors, by its states; and the network's time signature and beat position in a state."""

    def __init__(self, rhythm: RhythmVocabulary):
        automaton, openings = rhythm.automaton, list(rhythm.openings)
        signatures = [rhythm.signatures.index(openings[opening].time_signature) for opening, _ in automaton.states]
        beats = [rhythm.beats.index(beat) for _, beat in automaton.states]
        self.positions = np.stack([signatures, beats], axis=1).astype(np.float32)
        self.illegal = np.where(automaton.legal, 0.0, ILLEGAL).astype(np.float32)
        self.next_state, self.start = automaton.next_state.ravel(), np.maximum(automaton.start, 0)

    def signature(self, state):
        return ops.take(self.positions[:, :1], state, axis=0)

    def beat(self, state):
        return ops.take(self.positions[:, 1:], state, axis=0)


def _append(history, match, pitch):
    """`history` and `match` after one more note, see `Lookback.append`."""
    match = (match + 1.0) * ops.cast(history == pitch, "float32")
    return ops.concatenate([pitch, history[:, :-1]], axis=1), match


def look_back(history, match, *rhythms, shape: Shape):
    """The columns of the candidates, (batch, CANDIDATES * columns): `Lookback.candidates` in keras.ops."""
    columns = []
    rank = match * lookback.HORIZON - ops.arange(lookback.HORIZON, dtype="float32")  # no two positions share a rank
    for _ in range(lookback.CANDIDATES):
        best = ops.max(rank, axis=1, keepdims=True)
        found, here = ops.cast(best > 0, "float32"), ops.cast(rank == best, "float32")
        pitch, *rhythm = (
            found * ops.sum(values * here, axis=1, keepdims=True) + (1.0 - found) * none
            for values, none in zip((history, *rhythms), (shape.notes, shape.rhythms), strict=False)
        )
        columns += [pitch, found * ops.clip(ops.ceil(best / lookback.HORIZON), 0.0, lookback.MAX_MATCH), *rhythm]
        rank = ops.where(history == pitch, -1.0, rank)
    return ops.concatenate(columns, axis=1)
