"""Write a song as ABC, version 2.1."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from melody import key
from melody.atomic import atomic_write
from melody.errors import UserError
from melody.formats.abc_accidentals import ALTERATION
from melody.meter import bar_length
from melody.notation import FREE, Measure, Piece, lines, measures
from melody.song import Song, printable
from melody.vocabulary import FIFTHS, STEPS, Spelling

LENGTH, UNIT = "L:1/8", Fraction(1, 2)  # the unit of durations, and it in quarter notes
BARS = 4  # in a line of a song without phrases
SIGNS = {alter: sign for sign, alter in ALTERATION.items()}


def write_abc(path: Path, song: Song, records: Mapping[str, object] | None = None, tempo: float | None = None) -> None:
    """Write the song as an ABC file of one tune; see `abc`."""
    with atomic_write(path) as temporary:
        temporary.write_text(abc(song, records, tempo), encoding="utf-8", newline="\n")


def abc(song: Song, records: Mapping[str, object] | None = None, tempo: float | None = None) -> str:
    """The song as the text of an ABC file, a line per phrase; `records` (regions, seed) become notes (`N:seed: 3`).

    `tempo` is in quarter notes per minute. Raises `UserError` for an invalid song (see `check_song`), and for a note
    with more than two sharps or flats.
    """
    bars = measures(song)
    fields = [("X", 1), ("T", song.title or song.name)]
    fields += [("O", song.area)] if song.area else []
    fields += [("N", f"{name}: {value}") for name, value in (records or {}).items()]
    text = ["%abc-2.1", *(f"{letter}:{_escaped(text)}" for letter, text in fields), f"M:{_meter(bars[0])}", LENGTH]
    text += [f"Q:1/4={tempo:g}"] if tempo else []
    return "\n".join([*text, f"K:{key_field(song)}", _Body(song).text(bars)]) + "\n"


def key_field(song: Song) -> str:
    """`Gm` for a song in g minor; the major key of the signature if the tonic is unknown."""
    if re.fullmatch("[A-Ga-g][#-]?", song.key) and key.stated(song.key) is not None:
        return song.key.replace("-", "b").capitalize() + "m" * song.key.islower()
    return key.MAJOR_KEYS[key.signature(song.key, song.pitch) + 7]


def _escaped(text: object) -> str:
    """The text in one line. In ABC a backslash begins a code, % a comment, and `T:|` and `T::` are music."""
    return re.sub(r"^(?=[|:])", " ", re.sub(r"([\\%])", r"\\\1", printable(text)))


def _meter(bar: Measure) -> str:
    return "none" if bar.signature == FREE else bar.signature


class _Body:
    """The notes of a tune, written bar by bar; tracks the accidentals that hold in a bar."""

    def __init__(self, song: Song):
        self.phrased = sum(song.phrase) > 1
        self.line_starts = {line.start for line in lines(song)} if self.phrased else set()
        self.key = key.alterations(key.signature(song.key, song.pitch))
        self.in_bar: dict[str, int] = {}  # alterations since the bar line, by letter and by letter and octave

    def text(self, bars: Sequence[Measure]) -> str:
        written = [self._bar(bars[0])]
        for before, bar in pairwise(bars):
            written += [self._between(before, bar), self._bar(bar)]
        text = "".join(written) + "|]"
        text = re.sub(r"(^|\|)((?: *z[0-9/]*)+)\n", r"\1\n\2 ", text, flags=re.MULTILINE)  # a rest begins the line
        return re.sub(r"\s*\n\s*", "\n", text).strip()  # an empty line would end the tune

    def _between(self, before: Measure, bar: Measure) -> str:
        """The bar line, change of meter or new line between two bars. Lines without meter have no bar lines."""
        line = ""
        if before.length or bar.length:
            self.in_bar, line = {}, "|"
        if bar.signature:
            return f"{line}\nM:{_meter(bar)}\n{LENGTH}\n"  # music21 ignores a single field after a bar line
        starts_line = not bar.length or (not self.phrased and bar.number % BARS == 1)
        return line + "\n" * starts_line

    def _bar(self, bar: Measure) -> str:
        """The notes and rests of a bar, with a space before those on a beat: ABC beams what no space divides."""
        if bar.signature:
            self.beam = _beam(bar.signature)
        beat = Fraction(0) if bar.number else bar.length - sum(piece.value.quarters for piece in bar.pieces)
        written = []
        for group in tuplets(bar.pieces):
            begins_line = any(piece.first and piece.note in self.line_starts for piece in group)
            written.append("\n" if begins_line else " " * (beat % self.beam == 0))
            odd = _odd(group[0])
            normal = 2 ** (odd.bit_length() - 1)  # the notes in whose time the notes of a tuplet are played: 2 for 3
            if odd > 1:
                written.append("(3" if len(group) == odd == 3 else f"({odd}:{normal}:{len(group)}")
            written += [self._piece(piece, Fraction(odd, normal)) for piece in group]
            beat += sum(piece.value.quarters for piece in group)
        return "".join(written)

    def _piece(self, piece: Piece, factor: Fraction) -> str:
        name = self._note(piece.pitch) if piece.pitch else "z"
        return f"{name}{_length(piece.value.quarters / UNIT * factor)}{'-' * (not piece.last)}"

    def _note(self, name: str) -> str:
        """The letter of a note, with an accidental unless all readers know it: some let one hold in all octaves."""
        note = Spelling(name)
        octave, step = divmod(note.step, 7)
        alter = (note.fifth - FIFTHS[step]) // 7
        if alter not in SIGNS:
            raise UserError(f"{name} has more than two sharps or flats, which ABC cannot write")
        letter = STEPS[step]
        signature = self.key.get(letter, 0)
        letter_octave = letter + "," * (4 - octave) if octave < 5 else letter.lower() + "'" * (octave - 5)
        holds = {self.in_bar.get(letter, signature), self.in_bar.get(letter_octave, signature)}
        if holds == {alter}:
            return letter_octave
        self.in_bar |= {letter: alter, letter_octave: alter}
        return SIGNS[alter] + letter_octave


def _beam(signature: str) -> Fraction:
    """Quarter notes that a beam may join: a beat, and in 3/8 or 5/8 the bar."""
    if signature == FREE:
        return Fraction(1)
    count, part = map(int, signature.split("/"))
    if part < 8:
        return Fraction(4, part)
    return Fraction(12, part) if count % 3 == 0 else bar_length(signature) if count % 2 else Fraction(1)


def tuplets(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """The pieces in groups: those of a tuplet together, each other one alone."""
    group, filled = [], Fraction(0)
    for piece in pieces:
        if group and _odd(group[0]) != _odd(piece):
            yield group
            group, filled = [], Fraction(0)
        group.append(piece)
        filled += piece.value.quarters
        if filled.denominator & (filled.denominator - 1) == 0:  # it ends where a plain note can begin
            yield group
            group, filled = [], Fraction(0)
    if group:
        yield group


def _odd(piece: Piece) -> int:
    """The notes of the tuplet that a piece belongs to; 1 for a plain note."""
    odd = piece.value.quarters.denominator
    while odd % 2 == 0:
        odd //= 2
    return odd


def _length(units: Fraction) -> str:
    """`""` for one unit, `3`, `/2`, `3/2`."""
    above = "" if units.numerator == 1 else str(units.numerator)
    return above if units.denominator == 1 else f"{above}/{units.denominator}"
