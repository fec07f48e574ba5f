"""Meter: time signatures, bars and beat positions.

All times are exact, in quarter notes. A beat position is the time since the bar line. The notes of an incomplete first
bar (the pickup) stand at its end:

    3/4 with a pickup of one quarter:   4d | 4g 4a 4b |      beat positions   2   0 1 2
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import lcm
from typing import NamedTuple

import numpy as np

CROSSING, DOWNBEAT, ENDS_FULL = -26.7, 4.65, 0.08  # weights of `estimate_pickup`, fitted to 1,200 training songs
LAST_ON_DOWNBEAT, LAST_ON_HALF, NO_PICKUP, LONG_PICKUP = 0.35, 0.55, 0.15, 0.2
MOST_NOTES = 1000  # that `estimate_pickup` looks at
FREE = "free"  # the time signature of songs without meter, and of songs whose bars make no sense


class Rhythm(NamedTuple):
    """The time values of a note: the rest before it and its duration."""

    rest_before: Fraction
    duration: Fraction


class Opening(NamedTuple):
    """How a song begins: its time signature and its pickup."""

    time_signature: str
    pickup: Fraction


class Bars(NamedTuple):
    """Beat position of each note and length of its bar, (notes,) each, both 0 without meter; and the pickup."""

    beat: list[Fraction]
    length: list[Fraction]
    pickup: Fraction


def bar_length(time_signature: str) -> Fraction:
    """Quarter notes in a bar; 0 if the text is not a time signature.

    >>> bar_length("6/8"), bar_length("X")
    (Fraction(3, 1), Fraction(0, 1))
    """
    named = re.fullmatch(r"([1-9]\d{0,2})/([1-9]\d{0,2})", time_signature)
    return Fraction(4 * int(named[1]), int(named[2])) if named else Fraction(0)


def bars_of(
    onsets: Sequence[Fraction],
    end: Fraction,
    bar_lines: Iterable[Fraction],
    signatures: Sequence[tuple[Fraction, str]],
) -> Bars | None:
    """The bars of a song from its bar lines (in order) and time signatures; None if the bars do not fit the meter.

    Every bar must be full, except a short bar that the next one completes (as at a repeat sign), and the last bar.
    """
    lengths = [(time, bar_length(words)) for time, words in signatures]
    known = {length for _, length in lengths if length}
    edges = [Fraction(0)]
    for time in bar_lines:
        if edges[-1] < time < end:
            edges.append(time)
    edges.append(end)
    parts: list[tuple[Fraction, ...]] = []  # of each bar line: its time, the beat position there, the bar's length
    pickup = filled = Fraction(0)  # `filled`: of an unfinished bar
    for number, (start, stop) in enumerate(pairwise(edges)):
        size, beat = stop - start, filled
        length = next((length for time, length in reversed(lengths) if time <= start), Fraction(0))
        length = size if length and size in known else length  # a change of meter that is not marked
        if number == 0 and 0 < size < length and len(edges) > 2:
            pickup, beat = size, length - size
        if filled and length and beat + size != length and stop != end:
            return None  # a short bar without its complement
        filled = beat + size if beat + size < length else Fraction(0)
        if length and beat + size > length:
            return None
        parts.append((start, beat if length else Fraction(0), length))
    starts = [float(start) for start, _, _ in parts]  # floats compare faster, and differ where the fractions do
    found = [(onset, *parts[bisect_right(starts, float(onset)) - 1]) for onset in onsets]
    beats = [beat + onset - start if length else Fraction(0) for onset, start, beat, length in found]
    return Bars(beats, [length for *_, length in found], pickup)


def estimate_bars(
    onsets: Sequence[Fraction], durations: Sequence[Fraction], signatures: Sequence[tuple[Fraction, str]]
) -> Bars:
    """The bars of a song from its time signatures alone, as in MIDI.

    A change of meter begins a bar, from which the earlier bars are counted back. Without a change the pickup is
    estimated.
    """
    if not signatures:
        return Bars([Fraction(0)] * len(onsets), [Fraction(0)] * len(onsets), Fraction(0))
    starts, lengths = [time for time, _ in signatures], [bar_length(words) for _, words in signatures]
    pickup = Fraction(0)
    if lengths[0] and starts[0] == 0:
        pickup = starts[1] % lengths[0] if starts[1:] else estimate_pickup(onsets, durations, signatures[0][1])
        starts[0] = pickup
    parts = [max(bisect_right(starts, onset) - 1, 0) for onset in onsets]
    beats = [
        (onset - starts[i]) % lengths[i] if lengths[i] else Fraction(0) for onset, i in zip(onsets, parts, strict=True)
    ]
    return Bars(beats, [lengths[i] for i in parts], pickup)


def estimate_pickup(onsets: Sequence[Fraction], durations: Sequence[Fraction], time_signature: str) -> Fraction:
    """The pickup of a melody without bar lines, as in MIDI, estimated from its first `MOST_NOTES` notes.

    Among all positions of the first bar line, the best one lets few notes cross a bar line, puts long notes on
    downbeats, and lets the last note begin a bar or half a bar and complete it.
    """
    length = bar_length(time_signature)
    times = [*onsets[:MOST_NOTES], *durations[:MOST_NOTES], length]
    if not length or not onsets:
        return Fraction(0)
    unit = lcm(*(time.denominator for time in times))  # whole numbers of 1/unit quarter notes from here on
    *times, length = (int(time * unit) for time in times)
    onset, duration = np.array(times).reshape(2, -1)
    pickup = np.unique(np.concatenate([onset, onset + duration, [0]]) % length)
    beat = (onset - pickup[:, None]) % length  # (pickups, notes)
    score = (
        CROSSING * (beat + duration > length).mean(1)
        + DOWNBEAT * ((beat == 0) @ duration) / duration.sum()
        + ENDS_FULL * ((beat[:, -1] + duration[-1]) % length == 0)
        + LAST_ON_DOWNBEAT * (beat[:, -1] == 0)
        + LAST_ON_HALF * (2 * beat[:, -1] == length)
        + NO_PICKUP * (pickup == 0)
        - LONG_PICKUP * pickup / length
    )
    return Fraction(int(pickup[score.argmax()]), unit)


def first_beat(opening: Opening) -> Fraction:
    """The beat position at the start of a song: the pickup fills the end of a bar."""
    length = bar_length(opening.time_signature)
    return (length - opening.pickup) % length if length else Fraction(0)


def closing_rest(opening: Opening, beat: Fraction) -> Fraction:
    """The rest, in quarter notes, after a song that ends at a beat position: it fills the last bar, with the pickup."""
    length = bar_length(opening.time_signature)
    return (first_beat(opening) - beat) % length if length else Fraction(0)
