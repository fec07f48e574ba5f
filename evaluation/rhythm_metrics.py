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

from melody.encoding import PHRASE, UNKNOWN, EncodedSong
from melody.meter import bar_length
from melody.vocabulary import Vocabulary

TRIAD = (0, 3, 4, 7)  # semitones above the tonic: the chord tones of the minor and the major tonic


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


def in_one_meter(songs: Iterable[EncodedSong], vocabulary: Vocabulary) -> list[BarSong]:
    """The songs in one meter, in time; the others are left out."""
    clock = Clock(vocabulary)
    return [found for found in map(clock.read, songs) if found]


# Distributions


def shares(values: Iterable[Hashable]) -> dict[Hashable, float]:
    """How often each value occurs, as a share of all."""
    counts = Counter(values)
    return {value: count / counts.total() for value, count in counts.items()}


def total_variation(one: dict[Hashable, float], other: dict[Hashable, float]) -> float:
    """Half of the sum of absolute differences of two distributions, 0 to 1.

    >>> total_variation({"3/4": 0.5, "2/4": 0.5}, {"2/4": 1.0})
    0.5
    """
    return sum(abs(one.get(value, 0.0) - other.get(value, 0.0)) for value in {**one, **other}) / 2


def onset_positions(songs: Iterable[BarSong]) -> list[int]:
    """The beat position of the onset of every note."""
    return [beat for song in songs for beat in (song.onset % song.bar).tolist()]


# Repeated rhythms


def bar_rhythms(song: BarSong) -> list[bytes]:
    """The rhythm of each bar: onsets and durations of the notes that begin in it; of the pickup too."""
    number, places = song.onset // song.bar, np.stack([song.onset % song.bar, song.duration], axis=1)
    return [places[number == bar].tobytes() for bar in range(number[-1] + 1)]


def repeated_bars(songs: Iterable[BarSong], distance: int) -> np.ndarray:
    """(songs, 2): how many bars have the rhythm of the bar `distance` before, and how many could."""
    rows = []
    for bars in map(bar_rhythms, songs):
        pairs = list(zip(bars, bars[distance:], strict=False))
        rows.append((sum(one == other for one, other in pairs), len(pairs)))
    return np.array(rows, int).reshape(-1, 2)
