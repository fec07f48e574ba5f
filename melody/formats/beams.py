"""The beams of a measure: over a beat, and over two beats of eighth notes in half a bar of 4/4 or a bar of 2/4."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate, groupby

from melody.meter import bar_length
from melody.notation import FREE, Measure, Piece

EIGHTH = Fraction(1, 2)  # quarter notes


def beams(measure: Measure, signature: str) -> list[list[str]]:
    """The beams of each piece, the one of the eighth notes first: start, continue, stop, left or right (a short one).

    >>> from melody.note_values import Value
    >>> dotted, sixteenth = Value(8, 1, Fraction(3, 4)), Value(16, 0, Fraction(1, 4))
    >>> beams(Measure(1, "", Fraction(0), Fraction(2), [Piece("C4", dotted), Piece("C4", sixteenth)]), "2/4")
    [['start'], ['stop', 'left']]
    """
    found: list[list[str]] = [[] for _ in measure.pieces]
    for group in _groups(measure, signature):
        counts = [0, *(flags(measure.pieces[index]) for index, _ in group), 0]
        for (index, beat), before, own, after in zip(group, counts, counts[1:], counts[2:], strict=False):
            for level in range(1, own + 1):
                joined = level <= before, level <= after
                short = "left" if before and beat / measure.pieces[index].value.quarters % 2 else "right"
                short = short if after else "left"
                found[index] += [{(1, 1): "continue", (1, 0): "stop", (0, 1): "start"}.get(joined, short)]
    return found


def flags(piece: Piece) -> int:
    """The flags of a note: 1 for an eighth note, also of a triplet; 0 for a rest."""
    number = piece.value.number
    while number % 2 == 0 and number:
        number //= 2
    plain = piece.value.number // max(number, 1) * {3: 2}.get(number, 4 if number > 1 else 1)
    return max(plain.bit_length() - 3, 0) if piece.pitch else 0


def _groups(measure: Measure, signature: str) -> Iterator[Sequence[tuple[int, Fraction]]]:
    """The notes under one beam: (index, beat position) of each, at least two."""
    lengths = [piece.value.quarters for piece in measure.pieces]
    first = measure.length - sum(lengths) if measure.number == 0 else Fraction(0)
    beats = list(accumulate(lengths, initial=first))[:-1]
    period = _period(signature)
    pairs = signature.endswith("/4") and int(signature[:-2]) % 2 == 0
    mixed = {beat // 2 for beat, length in zip(beats, lengths, strict=True) if length != EIGHTH}

    def group(index: int) -> tuple:
        """What the notes under one beam share."""
        half = beats[index] // 2
        span = (2, half) if pairs and half not in mixed else (period, beats[index] // period)
        return flags(measure.pieces[index]) == 0 and index, span

    for _, indices in groupby(range(len(beats)), key=group):
        found = [(index, beats[index]) for index in indices]
        if len(found) > 1:
            yield found


def _period(signature: str) -> Fraction:
    """Quarter notes that a beam may join: a beat, in 3/8 or 5/8 the bar, and in free meter a quarter note."""
    if signature == FREE:
        return Fraction(1)
    count, part = map(int, signature.split("/"))
    if part < 8:
        return Fraction(4, part)
    return Fraction(12, part) if count % 3 == 0 else bar_length(signature) if count % 2 else Fraction(1)
