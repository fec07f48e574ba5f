"""Composing: the network samples songs note by note."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from melody import lookback
from melody.backend import jit_compile
from melody.curation import longest_loop
from melody.encoding import NO_PHRASE, EncodedSong, composed
from melody.errors import UserError
from melody.lstm import shape_of
from melody.sampling_cell import ILLEGAL, SamplingCell
from melody.vocabulary import RhythmVocabulary, Vocabulary

MIN_BATCH = 32  # songs; so few stay together until the last has ended: a new batch size may need a new graph
LOOP = 12  # notes of a loop that is too long: so long are those of one real song in 200, but of one sampled song in 15
RESTARTS = 5  # of a song, at most
FEWEST_SONGS = 10  # of training in a time signature that songs are composed in


class Sampler:
    """Composes songs, all of a batch at once: a Keras RNN whose inputs are random numbers, and its state a memory.

    For a single song TensorFlow takes as long to dispatch an operation as to compute it, so XLA fuses them where it
    can; for several songs compiling would take longer than it saves.
    """

    def __init__(self, network: keras.Model, vocabulary: Vocabulary, guided: bool):
        cell = SamplingCell(network, vocabulary.rhythm, guided)
        steps = keras.Input((None, cell.step_size))
        before = [keras.Input((size,)) for size in cell.state_size]
        notes, *after = keras.layers.RNN(cell, return_sequences=True, return_state=True)(steps, initial_state=before)
        self.shape, self.guided, self.vocabulary = shape_of(network), guided, vocabulary
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
        min_batch: int = MIN_BATCH,
        region_ids: np.ndarray | None = None,
        meters: Sequence[str] = (),
        begun: Sequence[EncodedSong] | None = None,
        unconditional: Sequence[np.ndarray] | None = None,
        on_song: Callable[[int, EncodedSong], None] = lambda index, song: None,
    ) -> list[EncodedSong]:
        """Songs of at most `length` notes, one for each row of the states `memories`, (songs, units) each.

        A song ends where the network ends it; one that would be longer is cut where a bar is full and a song may end.
        One that is caught in a loop, which repeats a few notes over and over, is composed again from its memory.
        Its random numbers come from its own generator in `rngs`, so it is the same song whatever is composed beside it.
        `region_ids` (songs,) are the control tokens, for a network that reads them; None: all 0. `meters` are the time
        signatures to choose from; none: all. `begun` are songs to continue, one for each row: the states have read all
        of their notes but the last, and what is returned goes on from there; with guidance `unconditional` are the
        states that have read them without a memory. After each `window` of notes the songs that have ended are left
        out of a batch of more than `min_batch`. `on_song(index, song)` is called as soon as a song has ended, shortest
        songs first. Raises `UserError` for a time signature that the network cannot compose in.
        """
        count, end = len(rngs), self.shape.notes
        states = [*(self._at_start(count, meters) if begun is None else self._after(begun)), *memories]
        if self.guided:
            states += [np.zeros_like(state) for state in memories] if unconditional is None else unconditional
        region_ids = np.zeros(count) if region_ids is None else region_ids
        no_events = np.zeros((0, self.model.outputs[0].shape[-1]), np.int32)
        events, restarts, first = [no_events] * count, np.zeros(count, int), states
        songs: list[EncodedSong | None] = [None] * count
        active, ended = np.arange(count), np.zeros(count, bool)
        model = self.single if count == 1 else self.model
        while not ended.all():
            if active.size > min_batch:
                active, states = active[~ended[active]], [state[~ended[active]] for state in states]
            inputs = self._inputs(rngs, active, window, temperature, guidance, region_ids)
            notes, *states = (np.array(array) for array in model.predict_on_batch([inputs, *states]))
            for k, (row, s) in enumerate(zip(notes.astype(np.int32), active, strict=True)):
                if ended[s]:
                    continue
                events[s] = np.concatenate([events[s], row])
                ended[s] = end in row[:, 0] or len(events[s]) >= length
                if not ended[s]:
                    continue
                song = self._song(events[s], length, begun and begun[s])
                if longest_loop(song.pitch) >= LOOP and restarts[s] < RESTARTS:
                    events[s], ended[s], restarts[s] = no_events, False, restarts[s] + 1
                    for state, start in zip(states, first, strict=True):
                        state[k] = start[s]
                else:
                    songs[s] = song
                    on_song(int(s), song)
        return songs

    def _inputs(self, rngs, active, window: int, temperature: float, guidance: float, region_ids) -> np.ndarray:
        """The steps of the active songs, see `SamplingCell`."""
        inputs = np.empty((active.size, window, self.model.inputs[0].shape[-1]), np.float32)
        if self.shape.regions:
            inputs[..., -1] = region_ids[active, None]
        inputs[..., 1:3] = temperature, guidance
        random = np.array([rngs[s].random((window, self.model.outputs[0].shape[-1]), np.float32) for s in active])
        inputs[..., 0], inputs[..., 3 : random.shape[-1] + 2] = random[..., 0], random[..., 1:]
        return inputs

    def _at_start(self, count: int, meters: Sequence[str]) -> list[np.ndarray]:
        """The states of the lookback and the bars before the first note."""
        shape, rhythm = self.shape, self.vocabulary.rhythm
        start = lookback.Lookback(count, shape.notes, shape.rhythms)
        # the end of one song is the start of the next
        start.append(np.full(count, shape.notes), np.full(count, shape.rhythms))
        states = [start.history, start.match]
        if shape.rhythms:
            possible = openings_in(rhythm, meters)
            openings = np.tile(np.where(possible, 0.0, ILLEGAL), (count, 1))
            states += [start.rhythms, np.zeros((count, 1)), np.full((count, 1), NO_PHRASE), openings]
        elif meters:
            raise UserError("this network knows pitches alone, so it composes in no meter; leave out --meter")
        return [state.astype(np.float32) for state in states]

    def _after(self, songs: Sequence[EncodedSong]) -> list[np.ndarray]:
        """The states of the lookback and the bars after the notes of songs; they are equally many in each."""
        shape = self.shape
        looked = lookback.Lookback(len(songs), shape.notes, shape.rhythms)
        looked.append(np.full(len(songs), shape.notes), np.full(len(songs), shape.rhythms))
        for pitch, rhythm in zip(*(np.stack([song[k] for song in songs], axis=1) for k in (0, 1)), strict=True):
            looked.append(pitch, rhythm)
        states = [looked.history, looked.match]
        if shape.rhythms:
            bars = np.array([[self._state(song.opening, song.rhythm)] for song in songs])
            marks = np.array([song.phrase[-1:] for song in songs])
            states += [looked.rhythms, bars, marks, np.zeros((len(songs), shape.openings))]
        return [state.astype(np.float32) for state in states]

    def can_continue(self, song: EncodedSong) -> bool:
        """Whether the notes of a song are legal in the bar automaton."""
        if not self.shape.rhythms:
            return True
        known = song.opening < self.shape.openings and (song.rhythm < self.shape.rhythms).all()
        return bool(known) and self._state(song.opening, song.rhythm) >= 0

    def _state(self, opening: int, rhythms: np.ndarray) -> int:
        """The state of the bar automaton after some rhythms, -1 if one of them is illegal."""
        automaton = self.vocabulary.rhythm.automaton
        state = automaton.start[opening]
        for rhythm in rhythms:
            if state < 0 or not automaton.legal[state, rhythm]:
                return -1
            state = automaton.next_state[state, rhythm]
        return int(state)

    def _song(self, events: np.ndarray, length: int, begun: EncodedSong | None) -> EncodedSong:
        """The song that was sampled, at most `length` notes of it."""
        notes = int(np.append(np.flatnonzero(events[:, 0] == self.shape.notes), len(events))[0])
        if not self.shape.rhythms:
            pitch = events[: min(notes, length), 0]
            return composed(self.vocabulary, 0, pitch, np.zeros_like(pitch), np.zeros_like(pitch))
        opening = begun.opening if begun else int(events[0, 3])
        before = begun.rhythm if begun else ()
        if notes >= length:
            notes = self.vocabulary.rhythm.automaton.cut(self._state(opening, before), events[:length, 1])
        pitch, rhythm, phrase, _ = events[:notes].T
        song = composed(self.vocabulary, opening, pitch, np.concatenate([before, rhythm]).astype(np.int32), phrase)
        return song._replace(rhythm=rhythm, beat=song.beat[len(before) :])


def openings_in(rhythm: RhythmVocabulary, meters: Sequence[str]) -> np.ndarray:
    """The openings that songs are composed from, (openings,) bool: those of `meters`, or all.

    Raises `UserError` for a time signature that has too few training songs, and if no opening leads to an ending.
    """
    songs, possible = meters_of(rhythm), rhythm.automaton.start >= 0
    if not possible.any():
        raise UserError("in the vocabulary of this network no song can end; train it again: python train_lstm.py")
    for meter in meters:
        if songs.get(meter, 0) < FEWEST_SONGS:
            known = ", ".join(f"{one} ({number})" for one, number in songs.items() if number >= FEWEST_SONGS)
            read = f"the network read {songs.get(meter, 0)} songs in {meter}, too few to compose in it"
            raise UserError(f"{read}; choose from (songs read): {known}")
    chosen = np.array([not meters or opening.time_signature in meters for opening in rhythm.openings], bool)
    return possible & chosen


def meters_of(rhythm: RhythmVocabulary) -> dict[str, int]:
    """The time signatures that songs can begin in and their numbers of training songs, the commonest first."""
    songs: dict[str, int] = {}
    for (opening, number), start in zip(rhythm.openings.items(), rhythm.automaton.start, strict=True):
        songs[opening.time_signature] = songs.get(opening.time_signature, 0) + number * bool(start >= 0)
    return dict(sorted(songs.items(), key=lambda item: -item[1]))
