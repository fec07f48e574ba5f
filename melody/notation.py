"""A song as it is notated: its measures, each with notes and rests of one value, for the writers of scores.

A note that no single value notates, that crosses a bar line or that hides a beat is written as tied notes:

    3/4 with a pickup, a rest at the end:   4c | 2d [4e | 4e] 4f | 4g 4r      the last bar completes the pickup
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from melody.meter import bar_length
from melody.note_values import Value, note_values, values_in_bar
from melody.song import RESOLUTION, Song, check_song, exact

TUPLETS = (3, 5, 7)  # notes in the time of two or four
LINE = 16  # quarter notes in a line of a song without phrase marks
LONGEST_LINE = 24  # quarter notes; a longer phrase takes several lines
FREE = "X"  # the time signature of measures without meter, as in kern


class Piece(NamedTuple):
    """A notated note or rest. A note of the song is one piece or several, all tied but the last."""

    pitch: str | None  # None is a rest
    value: Value
    note: int = -1  # its index in the song
    first: bool = True  # it is not tied to the piece before
    last: bool = True  # it is not tied to the piece after
    begins: bool = False  # a phrase begins with it
    ends: bool = False  # a phrase ends with it


class Measure(NamedTuple):
    """A measure, or in free meter a line. Times are in quarter notes."""

    number: int  # 0 is a pickup
    signature: str  # the time signature if it changes here, `FREE` without meter; else ""
    start: Fraction  # since the start of the song
    length: Fraction  # of the full bar; 0 in free meter
    pieces: list[Piece]


class Event(NamedTuple):
    """A note or rest with its start and end in quarter notes."""

    start: Fraction
    end: Fraction
    pitch: str | None = None
    note: int = -1
    begins: bool = False
    ends: bool = False


def measures(song: Song) -> list[Measure]:
    """The song cut at its bar lines, the rest after the last note included; at least one measure.

    Without bars, if its beat positions contradict each other, or if no time signature is as long as one of its bars, it
    is cut into lines (see `lines`).
    A bar that the source divides, as at a repeat sign, is one measure. Raises `UserError` for an invalid song.
    """
    events = _events(song)
    bars = _bars(song, events)
    signatures = ["", *(_signature(length, song.meter) for _, length in bars)]
    if not bars or None in signatures:
        bars = _free_bars(song, events)
        signatures = ["", *[FREE] * len(bars)]
    cut = []
    for number, ((start, length), (before, signature)) in enumerate(
        zip(bars, pairwise(signatures), strict=True), start=bars[0][0] >= 0
    ):
        cut.append(Measure(number, signature * (signature != before), max(start, Fraction(0)), length, []))
    starts = [*(start for start, _ in bars), events[-1].end if events else 0]
    for event in events:
        for index in range(bisect_right(starts, event.start) - 1, bisect_left(starts, event.end)):
            stop = min(event.end, starts[index + 1])
            cut[index].pieces.extend(_pieces(event, starts[index], stop, signatures[index + 1]))
    return cut


def lines(song: Song) -> list[slice]:
    """The notes of each line: a phrase, or `LINE` quarter notes in a song without phrase marks."""
    phrased = sum(song.phrase) > 1
    longest = LONGEST_LINE if phrased else LINE
    starts, filled = [], 0.0
    for index, (duration, rest) in enumerate(zip(song.duration, song.rest_before, strict=True)):
        if not starts or (phrased and song.phrase[index]) or filled + rest + duration > longest:
            starts.append(index)
            filled = 0.0
        filled += rest + duration
    return [slice(begin, end) for begin, end in pairwise([*starts, len(song.pitch)])]


def _notated(quarters: float) -> Fraction:
    """A time in quarter notes: exact up to septuplets, else rounded to a `RESOLUTION`th."""
    time = exact(quarters)
    if not any(odd * 2**7 % time.denominator == 0 for odd in TUPLETS):
        time = Fraction(round(quarters * RESOLUTION), RESOLUTION)
    return time


def _events(song: Song) -> list[Event]:
    """The notes and rests in order."""
    check_song(song)
    begins = [*(song.phrase or [False] * len(song.pitch)), True]
    events, now, in_phrase = [], Fraction(0), False
    for index, name in enumerate(song.pitch):
        start = now + _notated(song.rest_before[index])
        in_phrase = in_phrase or begins[index]
        end = start + max(_notated(song.duration[index]), Fraction(1, RESOLUTION))
        events += [Event(now, start)] * (start > now)
        events.append(Event(start, end, name, index, begins[index], in_phrase and begins[index + 1]))
        now = end
    return events + [Event(now, now + _notated(song.rest_after))] * (song.rest_after > 0)


def _free_bars(song: Song, events: Sequence[Event]) -> list[tuple[Fraction, Fraction]]:
    """The start of each line of a song without bars, and 0 for its length."""
    onsets = [event.start for event in events if event.pitch is not None]
    return [(Fraction(0), Fraction(0)), *((onsets[line.start], Fraction(0)) for line in lines(song)[1:])]


def _bars(song: Song, events: Sequence[Event]) -> list[tuple[Fraction, Fraction]]:
    """Start and length of each bar; [] if there are none or if they contradict each other.

    The first may start before the song (a pickup). A line in free meter between bars has length 0.
    """
    if not any(song.bar):
        return []
    free_lines = {line.start for line in lines(song)}
    bars: list[tuple[Fraction, Fraction]] = []
    for note in (event for event in events if event.pitch is not None):
        length, beat = _notated(song.bar[note.note]), _notated(song.beat[note.note])
        start = note.start - beat if length else note.start
        if not bars:
            bars.append((start - ceil(start / length) * length if length else Fraction(0), length))
        if not length and not bars[-1][1] and note.note not in free_lines:
            continue
        bars += _empty_bars(*bars[-1], start, length)
        if start > bars[-1][0]:
            bars.append((start, length))
        elif (start, length) != bars[-1]:
            return []
    return [*bars, *_empty_bars(*bars[-1], events[-1].end, Fraction(0))]


def _empty_bars(last: Fraction, size: Fraction, start: Fraction, length: Fraction) -> Iterator[tuple]:
    """The bars up to `start`, in which no note begins: of the next `length` if these fill the gap, else of the last."""
    at = last + size
    while size and at < start:
        size = length if length and (start - at) % length == 0 else size
        yield at, size
        at += size


def _signature(length: Fraction, meter: str) -> str | None:
    """The time signature of a bar: the song's own, or one of the same length, if possible with its denominator.

    None if no denominator that a time signature can have fits, as in a bar of quintuplets that the source leaves open.
    """
    if not length or bar_length(meter) == length:
        return meter if length else FREE
    own = [int(meter.partition("/")[2])] if bar_length(meter) else []
    fitting = (part for part in (*own, *(2**n for n in range(2, 10))) if (length * part / 4).denominator == 1)
    denominator = next(fitting, None)
    return denominator and f"{length * denominator / 4}/{denominator}"


def _pieces(event: Event, bar: Fraction, stop: Fraction, signature: str) -> Iterator[Piece]:
    """The pieces of an event in the measure that starts at `bar`, up to `stop`."""
    begin, is_rest = max(event.start, bar, Fraction(0)), event.pitch is None
    free = signature == FREE
    values = note_values(stop - begin) if free else values_in_bar(begin - bar, stop - bar, signature, is_rest)
    for index, value in enumerate(values):
        first = is_rest or (index == 0 and begin == event.start)
        last = is_rest or (index == len(values) - 1 and stop == event.end)
        yield Piece(event.pitch, value, event.note, first, last, event.begins and first, event.ends and last)
