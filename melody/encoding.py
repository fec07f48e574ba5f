"""Songs <-> integers: what the network reads of a song, and the song that its integers stand for.

In the arrays `len(vocabulary)` is the start of a song as an input and its end as a target; `len(vocabulary) + 1` is the
start of a transposed song. One index beyond the rhythms, openings, time signatures or beat positions is any other one.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from copy import copy
from typing import NamedTuple

import numpy as np

from melody.automaton import observe
from melody.dataset import BLOCK, Dataset
from melody.meter import FREE, Opening, Rhythm, bar_length, closing_rest
from melody.rhythms import ends_of, openings_of, rhythms_of
from melody.song import SMALLEST, Song, with_bars
from melody.vocabulary import RhythmVocabulary, Vocabulary

MOST_RHYTHMS = 95  # in the vocabulary: 99.99 % of the notes of the Essen collection
FEWEST_SONGS = 2  # of training, with an opening of the vocabulary
NO_PHRASE, PHRASE, UNKNOWN = range(3)  # whether a phrase begins with a note
PITCH, RHYTHM, PHRASES, SIGNATURE, BEAT, NEXT_PITCH, NEXT_RHYTHM = range(7)  # columns of `inputs`
TOKENS = NEXT_RHYTHM + 1
HEADS = ("pitch", "rhythm", "phrase", "opening")  # columns of `targets`


class EncodedSong(NamedTuple):
    """A song as integers of a vocabulary. Without rhythms in the vocabulary only the pitches mean something."""

    pitch: np.ndarray  # (notes,)
    rhythm: np.ndarray  # (notes,)
    phrase: np.ndarray  # (notes,): NO_PHRASE, PHRASE or UNKNOWN
    beat: np.ndarray  # (notes + 1,): beat position before each note and its rest, and after the last note
    signature: int
    opening: int


def rhythm_vocabulary(songs: Dataset, training: Sequence[int]) -> RhythmVocabulary:
    """The commonest rhythms and openings of the training songs, and what songs in one meter do in their bars."""
    return rhythm_vocabulary_of(lambda: [(songs, training)])


def rhythm_vocabulary_of(blocks: Callable[[], Iterable[tuple[Dataset, Sequence[int]]]]) -> RhythmVocabulary:
    """The same of songs that come in blocks, each with the indices of its training songs; `blocks` is called twice."""
    counts, found = Counter(), Counter()
    for songs, training in blocks():
        (symbols, number), openings = rhythms_of(songs), openings_of(songs)
        of_training = np.repeat(np.isin(np.arange(len(songs)), training), np.diff(songs.start))
        times = np.bincount(number[of_training], minlength=len(symbols)).tolist()
        for symbol, notes in zip(symbols, times, strict=True):
            counts[symbol] += notes if symbol.duration >= SMALLEST else 0
        found.update(openings[s] for s in training)
    rhythms = [symbol for symbol, _ in sorted((+counts).items(), key=lambda item: (-item[1], item[0]))[:MOST_RHYTHMS]]
    common = {one: n for one, n in sorted(found.items(), key=lambda item: (-item[1], item[0])) if n >= FEWEST_SONGS}
    in_one_meter = (song for block in blocks() for song in _in_one_meter(*block, rhythms, common))
    return RhythmVocabulary(rhythms, common, *_sorted(*observe(rhythms, in_one_meter)))


def with_bars_of(vocabulary: Vocabulary, songs: Dataset, chosen: Sequence[int]) -> Vocabulary:
    """The vocabulary with what the chosen songs do in their bars too, as far as it has their beat positions.

    Its integers mean what they meant, but songs can be composed that have these bars.
    """
    known = vocabulary.rhythm
    transitions, endings = observe(known.rhythms, _in_one_meter(songs, chosen, known.rhythms, known.openings))
    for signature, beats in known.transitions.items():
        for beat, found in beats.items():
            transitions.setdefault(signature, {}).setdefault(beat, set()).update(found)
    for opening, beats in known.endings.items():
        endings.setdefault(opening, set()).update(beats)
    positions = set(known.beats)
    transitions = {
        signature: {beat: found for beat, found in beats.items() if beat in positions}
        for signature, beats in transitions.items()
    }
    endings = {opening: beats & positions for opening, beats in endings.items()}
    rhythm = RhythmVocabulary(known.rhythms, known.openings, *_sorted(transitions, endings))
    return Vocabulary(vocabulary.names, rhythm)


def _in_one_meter(
    songs: Dataset, chosen: Sequence[int], rhythms: Sequence[Rhythm], known: Container[Opening]
) -> Iterator[tuple[Opening, list[int]]]:
    """The opening and the indices of the rhythms, -1 for any other one, of those songs that keep a known meter."""
    (symbols, number), openings = rhythms_of(songs), openings_of(songs)
    index = {symbol: k for k, symbol in enumerate(rhythms)}
    indices = np.array([index.get(symbol, -1) for symbol in symbols], int)[number]
    for s in chosen:
        row = slice(*songs.start[s : s + 2])
        if openings[s] in known and (songs.bar[row] == float(bar_length(openings[s].time_signature))).all():
            yield openings[s], indices[row].tolist()


def _sorted(transitions: dict, endings: dict) -> tuple[dict, dict]:
    transitions = {
        signature: {beat: sorted(found) for beat, found in sorted(beats.items())}
        for signature, beats in sorted(transitions.items())
    }
    return transitions, {one: sorted(beats) for one, beats in endings.items()}


def encode(songs: Dataset, vocabulary: Vocabulary) -> list[EncodedSong]:
    """All songs as integers of the vocabulary; their pitches already are."""
    return list(EncodedSongs(songs, vocabulary))


class EncodedSongs(Sequence[EncodedSong]):
    """Songs as integers of the vocabulary, each made when it is asked for.

    An encoded song fills 2 kB; what it is made of, beside the file that `songs` are mapped to, 2 or 3 bytes a note.
    """

    def __init__(self, songs: Dataset, vocabulary: Vocabulary):
        self.songs, self.chosen = songs, range(len(songs))
        blocks = (songs.part(first, first + BLOCK) for first in range(0, max(len(songs), 1), BLOCK))
        columns = zip(*(_integers(block, vocabulary) for block in blocks), strict=True)
        self.rhythm, self.end, self.begin, self.signature, self.opening = map(np.concatenate, columns)

    def of(self, chosen: Sequence[int]) -> "EncodedSongs":
        """Some of these songs, whose integers both share."""
        some = copy(self)
        some.chosen = [self.chosen[k] for k in chosen]
        return some

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, k: int) -> EncodedSong:
        s = self.chosen[k]
        row = slice(*self.songs.start[s : s + 2])
        marks = self.songs.phrase[row].astype(np.int32)
        phrase = marks if marks.any() else np.full_like(marks, UNKNOWN)
        beat = np.append(self.begin[s], self.end[row]).astype(np.int32)
        pitch, rhythm = self.songs.song(s).astype(np.int32), self.rhythm[row].astype(np.int32)
        return EncodedSong(pitch, rhythm, phrase, beat, int(self.signature[s]), int(self.opening[s]))


def _integers(songs: Dataset, vocabulary: Vocabulary) -> tuple[np.ndarray, ...]:
    """Of each note its rhythm and the beat position at its end; of each song the first one, meter and opening."""
    known = vocabulary.rhythm
    (symbols, rhythm), (positions, end), openings = rhythms_of(songs), ends_of(songs), openings_of(songs)
    firsts = [known.beat_positions(opening, [])[0] for opening in openings]
    signatures = [opening.time_signature for opening in openings]
    return (
        _indices(symbols, known.rhythms)[rhythm],
        _indices(positions, known.beats)[end],
        _indices(firsts, known.beats),
        _indices(signatures, known.signatures),
        _indices(openings, known.openings),
    )


def _indices(values: Sequence, known: Iterable) -> np.ndarray:
    """The index of each value among those that are known; one beyond them for any other."""
    index = {value: k for k, value in enumerate(known)}
    return np.array([index.get(value, len(index)) for value in values], np.min_scalar_type(len(index)))


def composed(
    vocabulary: Vocabulary, opening: int, pitch: np.ndarray, rhythm: np.ndarray, phrase: np.ndarray
) -> EncodedSong:
    """The song of integers that were sampled: with its time signature and beat positions."""
    known = vocabulary.rhythm
    if not known.rhythms:
        return pitches_alone(pitch)
    named = list(known.openings)[opening]
    positions = known.beat_positions(named, (known.rhythms[r] for r in rhythm))
    index = {beat: number for number, beat in enumerate(known.beats)}
    beat = np.array([index.get(position, len(index)) for position in positions], np.int32)
    return EncodedSong(pitch, rhythm, phrase, beat, known.signatures.index(named.time_signature), opening)


def pitches_alone(pitch: np.ndarray) -> EncodedSong:
    """A song of which nothing but the pitches is known."""
    zeros = np.zeros(len(pitch) + 1, np.int32)
    return EncodedSong(pitch, zeros[1:], zeros[1:], zeros, 0, 0)


def decode(song: EncodedSong, vocabulary: Vocabulary, name: str = "") -> Song:
    """The song that the integers of a composed song stand for; without rhythms all notes are quarter notes."""
    pitch, known = vocabulary.decode(song.pitch), vocabulary.rhythm
    if not known.rhythms:
        equal = Song(name, pitch, [1.0] * len(pitch), [0.0] * len(pitch), [False] * len(pitch), title=name)
        return with_bars(equal)
    opening = list(known.openings)[song.opening]
    rhythms = [known.rhythms[r] for r in song.rhythm]
    decoded = Song(
        name,
        pitch,
        [float(one.duration) for one in rhythms],
        [float(one.rest_before) for one in rhythms],
        (song.phrase == PHRASE).tolist(),
        title=name,
        meter="" if opening.time_signature == FREE else opening.time_signature,
        pickup=float(opening.pickup),
        rest_after=float(closing_rest(opening, known.beat_positions(opening, rhythms)[-1])),
    )
    return with_bars(decoded)


def inputs(song: EncodedSong, vocabulary: Vocabulary, transposed: bool = False) -> np.ndarray:
    """What the network reads of a song before each note and before its end, (notes + 1, TOKENS) integers.

    The last note, its rhythm and whether it began a phrase; the time signature and beat position of the note to come;
    and this note and its rhythm, which only those heads read that predict what comes after them. Without rhythms in
    the vocabulary the last note alone, (notes + 1, 1).

    >>> song = EncodedSong(np.array([5, 7]), *np.zeros((2, 2), int), np.zeros(3, int), 0, 0)
    >>> inputs(song, Vocabulary(["C4", "D4"])).tolist()  # 2 is the start
    [[2], [5], [7]]
    """
    notes, rhythms = len(vocabulary), len(vocabulary.rhythm.rhythms)
    last = np.concatenate([[notes + transposed], song.pitch]).astype(np.int32)
    if not rhythms:
        return last[:, None]
    rhythm = np.concatenate([[rhythms], song.rhythm, [rhythms]])
    phrase = np.concatenate([[NO_PHRASE], song.phrase])
    signature = np.full(len(last), song.signature)
    columns = [last, rhythm[:-1], phrase, signature, song.beat, np.append(song.pitch, notes), rhythm[1:]]
    return np.stack(columns, axis=1).astype(np.int32)


def targets(song: EncodedSong, vocabulary: Vocabulary) -> np.ndarray:
    """What the heads predict, (notes + 1, HEADS) integers, -1 where there is nothing to predict; see `inputs`.

    Without rhythms in the vocabulary pitches alone, (notes + 1, 1).
    """
    notes, known = len(vocabulary), vocabulary.rhythm
    pitch = np.append(song.pitch, notes).astype(np.int32)
    if not known.rhythms:
        return pitch[:, None]
    rhythm = np.append(np.where(song.rhythm < len(known.rhythms), song.rhythm, -1), -1)
    phrase = np.append(np.where(song.phrase == UNKNOWN, -1, song.phrase), -1)
    opening = np.full(len(pitch), -1)
    opening[0] = song.opening if song.opening < len(known.openings) else -1
    return np.stack([pitch, rhythm, phrase, opening], axis=1).astype(np.int32)
