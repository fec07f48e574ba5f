"""Measures of rhythm and meter: pure functions of songs in one meter.

A song that is free, changes its meter, or has a rhythm or beat position outside the vocabulary has no `BarSong`. Times
are integers: `BarSong.unit` of them are a quarter note, counted from the bar line at or before the start of the song.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from fractions import Fraction
from math import lcm
from typing import NamedTuple

import numpy as np

from melody.automaton import BarAutomaton
from melody.encoding import PHRASE, UNKNOWN, EncodedSong
from melody.key import find_key
from melody.meter import bar_length
from melody.song import Song, exact
from melody.vocabulary import Spelling, Vocabulary

SHUFFLES = 10  # other songs whose rhythms each song is given


class BarSong(NamedTuple):
    """A song in one meter."""

    pitch: np.ndarray  # (notes,)
    onset: np.ndarray  # (notes,)
    duration: np.ndarray  # (notes,)
    time_signature: str
    start: int  # where the song begins: the pickup fills the end of its bar
    bar: int  # its length
    unit: int  # in a quarter note


class Clock:
    """The times of a vocabulary as integers."""

    def __init__(self, vocabulary: Vocabulary):
        known = vocabulary.rhythm
        self.signatures = known.signatures
        bars = [bar_length(signature) for signature in known.signatures]
        times = [*(time for rhythm in known.rhythms for time in rhythm), *known.beats, *bars]
        self.unit = lcm(*(time.denominator for time in times))
        self.rest, self.duration = (self._integers(column) for column in zip(*known.rhythms, strict=True))
        self.beats, self.bars = self._integers(known.beats), self._integers(bars)

    def _integers(self, times: Iterable[Fraction]) -> np.ndarray:
        return np.array([int(time * self.unit) for time in times], np.int64)

    def read(self, song: EncodedSong) -> BarSong | None:
        """The song in time; None if it is not in one meter."""
        known = song.signature < len(self.bars) and self.bars[song.signature] and len(song.rhythm)
        if not known or song.rhythm.max() >= len(self.rest) or song.beat.max() >= len(self.beats):
            return None
        rest, duration, beat = self.rest[song.rhythm], self.duration[song.rhythm], self.beats[song.beat]
        bar, start = int(self.bars[song.signature]), int(beat[0])
        end = start + np.cumsum(rest + duration)
        if (end % bar != beat[1:]).any():
            return None
        signature = self.signatures[song.signature]
        return BarSong(song.pitch, end - duration, duration, signature, start, bar, self.unit)


# Distributions


def histograms(*parts: Sequence[Sequence[Hashable]]) -> list[np.ndarray]:
    """(songs, kinds) of each part: how often each kind of value occurs in each song, which is a list of values.

    >>> [counts.tolist() for counts in histograms(["ab", "a"], ["bb"])]
    [[[1, 1], [1, 0]], [[0, 2]]]
    """
    kinds: dict[Hashable, int] = {}
    numbers = [[[kinds.setdefault(value, len(kinds)) for value in song] for song in part] for part in parts]
    rows = [[np.bincount(np.array(song, int), minlength=len(kinds)) for song in part] for part in numbers]
    return [np.array(part, int).reshape(len(part), len(kinds)) for part in rows]


def total_variation(counts: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Half of the sum of absolute differences of the shares of each kind, 0 to 1: (…, kinds) and (kinds,) to (…).

    >>> float(total_variation(np.array([2, 2]), np.array([5, 0])))
    0.5
    """
    one, two = (some / np.maximum(some.sum(axis=-1, keepdims=True), 1) for some in (counts, other))
    return np.abs(one - two).sum(axis=-1) / 2


def onset_positions(song: BarSong | None, time_signature: str) -> list[int]:
    """The beat position of the onset of every note; [] if the song has not this time signature."""
    return (song.onset % song.bar).tolist() if song and song.time_signature == time_signature else []


# Repeated rhythms


def bar_rhythms(song: BarSong) -> list[bytes]:
    """The rhythm of each bar: onsets and durations of the notes that begin in it; the pickup is left out."""
    number, rhythms = song.onset // song.bar, np.stack([song.onset % song.bar, song.duration], axis=1)
    return [rhythms[number == bar].tobytes() for bar in range(song.start > 0, number[-1] + 1)]


def repeated_bars(song: BarSong | None, distance: int) -> tuple[int, int]:
    """How many bars have the rhythm of the bar `distance` before, and how many could; (0, 0) for None."""
    bars = bar_rhythms(song) if song else []
    pairs = list(zip(bars, bars[distance:], strict=False))
    return sum(one == other for one, other in pairs), len(pairs)


def chance_of_equal(values: Iterable[Hashable]) -> float:
    """The probability that two of the values, chosen at random, are equal.

    >>> chance_of_equal("aab")
    0.3333333333333333
    """
    counts = np.array(list(Counter(values).values()))
    total = counts.sum()
    return float((counts * (counts - 1)).sum() / max(total * (total - 1), 1))


def shuffled(song: BarSong, rng: np.random.Generator) -> BarSong:
    """The song with its rhythms, a rest and a duration each, in random order."""
    end = song.onset + song.duration
    order = rng.permutation(len(end))
    duration = song.duration[order]
    return song._replace(
        onset=song.start + np.cumsum(np.diff(end, prepend=song.start)[order]) - duration, duration=duration
    )


# Phrases and endings


def quarters(vocabulary: Vocabulary) -> np.ndarray:
    """(rhythms + 1,): the duration of each rhythm in quarter notes; that of any other one is nan."""
    return np.array([*(float(rhythm.duration) for rhythm in vocabulary.rhythm.rhythms), np.nan])


def phrase_lengths(song: EncodedSong) -> np.ndarray:
    """(phrases,): the notes of each phrase; [] if phrases are unknown. The first note begins one."""
    if not len(song.phrase) or (song.phrase == UNKNOWN).any():
        return np.zeros(0, int)
    return np.diff(np.unique([0, *np.flatnonzero(song.phrase == PHRASE), len(song.phrase)]))


def durations(song: EncodedSong, table: np.ndarray, last: bool) -> tuple[float, int]:
    """Sum and number of the durations, in quarter notes, of the last notes of phrases, or of all others.

    `table` from `quarters`. (0, 0) if phrases are unknown.
    """
    ends = np.cumsum(phrase_lengths(song)) - 1
    if not len(ends):
        return 0.0, 0
    found = table[song.rhythm][np.isin(np.arange(len(song.rhythm)), ends) == last]
    return float(np.nansum(found)), int(np.isfinite(found).sum())


# Pitch and meter


def above_tonic(song: BarSong, vocabulary: Vocabulary) -> tuple[np.ndarray, bool]:
    """Semitones of each note above the tonic, 0 to 11, and whether the mode is minor; by `find_key`."""
    key = find_key(vocabulary.decode(song.pitch), song.duration / song.unit)
    tonic = Spelling(f"{key[0].upper()}{key[1:]}4").midi
    return (np.array(vocabulary.midi)[song.pitch] - tonic) % 12, key.islower()


def about_notes(song: BarSong, vocabulary: Vocabulary) -> np.ndarray:
    """(notes, 3) bool: whether each note is the tonic, begins a bar, and is longer than the mean note."""
    tonic = above_tonic(song, vocabulary)[0] == 0
    return np.stack([tonic, song.onset % song.bar == 0, song.duration > song.duration.mean()], axis=1)


def on_strong_beat(song: BarSong) -> np.ndarray:
    """(notes,) bool: onset on the first beat, or in the middle of a bar in 4, 6 or 12."""
    halves = song.time_signature.split("/")[0] in ("4", "6", "12")
    return song.onset % (song.bar // 2 if halves else song.bar) == 0


def triad_on_strong_beats(
    songs: Sequence[BarSong | None], vocabulary: Vocabulary, rng: np.random.Generator
) -> np.ndarray:
    """(songs,): share of the notes on strong beats that belong to the tonic triad, less that with other rhythms.

    These are those of `SHUFFLES` other songs each, as far as the shorter of both songs lasts. nan for None, and where
    no note is on a strong beat.
    """
    strong = [song and on_strong_beat(song) for song in songs]
    known = [k for k, song in enumerate(songs) if song]
    found = np.full(len(songs), np.nan)
    for k in known:
        above, minor = above_tonic(songs[k], vocabulary)
        triad = np.isin(above, (0, 3 if minor else 4, 7))
        by_chance = [_share(triad, strong[other]) for other in rng.choice(known, SHUFFLES)]
        if np.isfinite(by_chance).any():
            found[k] = _share(triad, strong[k]) - np.nanmean(by_chance)
    return found


def _share(values: np.ndarray, chosen: np.ndarray) -> float:
    """The mean of the chosen values; nan if there are none."""
    notes = min(len(values), len(chosen))
    picked = values[:notes][chosen[:notes]]
    return float(picked.mean()) if len(picked) else np.nan


# Bars


def is_full(song: Song) -> bool:
    """Whether every bar of a song in one meter is full, its last bar together with the pickup; True without meter."""
    bar, beat = bar_length(song.meter), -exact(song.pickup)
    for rest, duration, position in zip(song.rest_before, song.duration, song.beat, strict=True):
        beat += exact(rest)
        if bar and beat % bar != exact(position):
            return False
        beat += exact(duration)
    return not bar or (beat + exact(song.rest_after) + exact(song.pickup)) % bar == 0


def rhythm_line(song: EncodedSong) -> np.ndarray:
    """(notes,): rhythm, beat position and time signature of each note as one integer."""
    return (song.signature * 1000 + song.beat[:-1].astype(np.int64)) * 1000 + song.rhythm


def states(song: EncodedSong, automaton: BarAutomaton) -> np.ndarray | None:
    """(notes + 1,): the states of the bar automaton before each note and at the end; None if a step is illegal."""
    state = automaton.start[song.opening] if song.opening < len(automaton.openings) else -1
    found = [state]
    for rhythm in song.rhythm:
        if state < 0 or rhythm >= len(automaton.rhythms) or not automaton.legal[state, rhythm]:
            return None
        state = automaton.next_state[state, rhythm]
        found.append(state)
    return np.array(found) if state >= 0 and automaton.legal[state, -1] else None
