"""The note values that notate a duration where it stands in its bar, as in Gould, Behind Bars (2011)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import NamedTuple

BREVE = 8  # quarter notes; a longer note is tied
DOTS = ((2, Fraction(7, 4)), (1, Fraction(3, 2)), (0, Fraction(1)))  # and their factor on the duration
SHORTEST = Fraction(1, 32)  # quarter notes between the weakest positions of a bar


class Value(NamedTuple):
    """A note value: number 4 is a quarter note, 12 a third of one, 0 a breve; and its quarter notes, dots included."""

    number: int
    dots: int
    quarters: Fraction


def note_values(quarters: Fraction) -> list[Value]:
    """The values of the tied notes that notate a duration without meter, longest first.

    >>> [(value.number, value.dots) for value in note_values(Fraction(5, 4))]
    [(4, 0), (16, 0)]
    """
    values = []
    while quarters:
        values.append(_longest_value(quarters))
        quarters -= values[-1].quarters
    return values


@lru_cache(maxsize=2**14)
def values_in_bar(begin: Fraction, end: Fraction, signature: str, is_rest: bool = False) -> tuple[Value, ...]:
    """The values of a note or rest from one beat position to another, so that the beats of the bar are seen.

    >>> [str(value.quarters) for value in values_in_bar(Fraction(0), Fraction(2), "6/8")]
    ['3/2', '1/2']
    """
    whole, levels = note_values(end - begin), _levels(signature)
    strongest = _strongest_inside(begin, end, levels)
    legible = _legible_rest if is_rest else _legible_note
    if strongest == len(levels) or (len(whole) == 1 and legible(whole[0], begin, end, strongest, signature)):
        return tuple(whole)
    period = levels[strongest]
    first, last = (begin // period + 1) * period, (ceil(end / period) - 1) * period
    middle = first if _level(begin, levels) > strongest else last
    parts = (begin, middle), (middle, end)
    return tuple(value for part in parts for value in values_in_bar(*part, signature, is_rest))


def _longest_value(left: Fraction) -> Value:
    """The longest value, plain or dotted, of at most `left` quarter notes, in the tuplet of its denominator."""
    odd = left.denominator
    while odd % 2 == 0:
        odd //= 2
    length = Fraction(BREVE if odd == 1 else BREVE // 2, odd)
    while True:
        for dots, factor in DOTS if odd == 1 else DOTS[-1:]:
            if length * factor <= left:
                return Value(int(4 / length), dots, length * factor)
        length /= 2


@lru_cache
def _levels(signature: str) -> tuple[Fraction, ...]:
    """Distances of the positions in a bar, from strong to weak: bars, halves of it, beats, parts of a beat.

    >>> [str(level) for level in _levels("6/8")[:3]]
    ['3', '3/2', '1/2']
    """
    beats, unit = _beats(signature)
    levels = [beats * unit]
    while beats % 2 == 0:
        beats //= 2
        levels.append(levels[-1] / 2)
    if beats > 1:
        levels.append(levels[-1] / beats)
    if _is_compound(signature):
        levels.append(unit / 3)
    while levels[-1] > SHORTEST:
        levels.append(levels[-1] / 2)
    return tuple(levels)


def _beats(signature: str) -> tuple[int, Fraction]:
    """The number of beats and their length in quarter notes: 6/8 has two of three eighth notes."""
    count, denominator = map(int, signature.split("/"))
    return (count // 3, Fraction(12, denominator)) if _is_compound(signature) else (count, Fraction(4, denominator))


def _is_compound(signature: str) -> bool:
    count = int(signature.partition("/")[0])
    return count % 3 == 0 and count > 3


def _level(position: Fraction, levels: Sequence[Fraction]) -> int:
    return next((index for index, period in enumerate(levels) if position % period == 0), len(levels))


def _strongest_inside(begin: Fraction, end: Fraction, levels: Sequence[Fraction]) -> int:
    """The level of the strongest position between two others."""
    inside = (index for index, period in enumerate(levels) if (begin // period + 1) * period < end)
    return next(inside, len(levels))


def _legible_note(value: Value, begin: Fraction, end: Fraction, strongest: int, signature: str) -> bool:
    """Whether a note may hide the strongest position inside it: short long short is a common syncopation."""
    levels, (_, beat) = _levels(signature), _beats(signature)
    if value.number & (value.number - 1):  # a tuplet
        frames = (value.quarters * size for size in (3, 1.5, 5, 2.5, 7, 3.5))
        return any(end <= (begin // Fraction(frame) + 1) * Fraction(frame) for frame in frames)
    edge = min(_level(begin, levels), _level(end, levels))
    if _is_compound(signature) and strongest <= levels.index(beat):
        return begin % beat == end % beat == 0
    return edge <= strongest + (not value.dots)


def _legible_rest(value: Value, begin: Fraction, end: Fraction, strongest: int, signature: str) -> bool:
    """Whether a rest stands on a stronger position than all inside it, and ends its beat or is shorter."""
    levels, (beats, beat) = _levels(signature), _beats(signature)
    if end - begin == levels[0]:
        return True
    if value.dots and value.quarters > beat:
        return False
    in_three = beats % 3 == 0 and levels[strongest] == beat
    return _level(begin, levels) < strongest and not in_three
