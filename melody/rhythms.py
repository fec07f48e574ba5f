"""What the arrays of songs say: the rhythm of each note, the beat position at its end, and the opening of each song."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from melody.dataset import Dataset
from melody.meter import FREE, Opening, Rhythm, bar_length
from melody.song import exact


def openings_of(songs: Dataset) -> list[Opening]:
    """The opening of each song; that of a song without bars is free."""
    bars = np.maximum.reduceat(np.append(songs.bar, 0), songs.start[:-1]) if len(songs) else []
    metric = (np.asarray(bars) > 0) & (np.diff(songs.start) > 0)
    return [
        Opening(meter, exact(pickup)) if has_bars and bar_length(meter) else Opening(FREE, Fraction(0))
        for meter, pickup, has_bars in zip(songs.meter, songs.pickup, metric, strict=True)
    ]


def rhythms_of(songs: Dataset) -> tuple[list[Rhythm], np.ndarray]:
    """The rhythms of the songs, and the index of that of every note."""
    return _each(lambda rest, duration: Rhythm(exact(rest), exact(duration)), songs.rest_before, songs.duration)


def ends_of(songs: Dataset) -> tuple[list[Fraction], np.ndarray]:
    """The beat positions at the ends of notes, 0 without bars, and the index of that of every note."""

    def end(beat: float, duration: float, bar: float) -> Fraction:
        return (exact(beat) + exact(duration)) % exact(bar) if bar > 0 else Fraction(0)

    return _each(end, songs.beat, songs.duration, songs.bar)


def _each(function: Callable, *columns: np.ndarray) -> tuple[list, np.ndarray]:
    """`function` of each different row of the columns, and the index of that of every row."""
    number = np.zeros(len(columns[0]), np.int64)  # equal for equal rows; one column at a time is four times as fast
    for column in columns:
        values, inverse = np.unique(column, return_inverse=True)
        _, first, number = np.unique(number * len(values) + inverse, return_index=True, return_inverse=True)
    return [function(*row) for row in zip(*(column[first].tolist() for column in columns), strict=True)], number
