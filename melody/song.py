"""A song: one melody with its durations, rests and phrases; its onsets, its note values, its record (JSON)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from melody.errors import UserError
from melody.vocabulary import Spelling

LONGEST = 10_000  # quarter notes that a note or rest may last: more than an hour
LONGEST_NAME = 7  # letters of a note name: C----10 at most
SMALLEST, LARGEST = 1 / 64, 64  # quarter notes that a composed note may last
SLOWEST, FASTEST = 4, 1000  # quarter notes per minute; a MIDI file has no room for slower
RESOLUTION = 96  # parts of a quarter note; durations are rounded to fractions with at most this denominator
WHOLE = 4  # quarter notes; a longer note is tied
DOTS = ((0, Fraction(1)), (1, Fraction(3, 2)), (2, Fraction(7, 4)))  # and their factor on the duration


@dataclass(frozen=True)
class Song:
    """One melody. Times are in quarter notes; tied notes are one note; grace notes are left out.

    `rest_before` is the rest right before each note, `phrase` marks the notes that begin a phrase (known in kern only).
    `chords` counts the chords reduced to their top note, `parts` the parts of the source, of which the first is read.
    """

    name: str  # path in its collection, without suffix: asia/china/han/han0001
    pitch: list[str]  # names such as C4, F#5, B-3
    duration: list[float]
    rest_before: list[float]
    phrase: list[bool]
    area: str = ""
    title: str = ""
    key: str = ""  # tonic: F is F major, d is D minor; where only the signature is known: k[b-]
    meter: str = ""  # 3/4; X for free meter
    chords: int = 0
    parts: int = 1


def check_song(song: Song) -> None:
    """Raise `UserError` unless the song's lists have equal lengths and its durations and rests are valid."""
    name = song.name or "the song"
    if not len(song.pitch) == len(song.duration) == len(song.rest_before):
        counts = f"{len(song.pitch)} pitches, {len(song.duration)} durations and {len(song.rest_before)} rests"
        raise UserError(f"{name} has {counts}; each note needs one of each")
    for quarters in (*song.duration, *song.rest_before):
        if not 0 <= quarters <= LONGEST:
            raise UserError(f"{name} has a note or rest of {quarters} quarter notes; allowed are 0 to {LONGEST:,}")


def onsets(song: Song) -> list[tuple[float, float]]:
    """Begin and end of each note, in quarter notes from the start of the song."""
    check_song(song)
    spans, now = [], 0.0
    for duration, rest in zip(song.duration, song.rest_before, strict=True):
        begin = now + rest
        now = begin + duration
        spans.append((begin, now))
    return spans


def note_values(quarters: float) -> list[tuple[int, int, Fraction]]:
    """The notated notes that add up to a duration, longest first: (number, dots, quarter notes).

    4 is a quarter note, 12 a third of one. The duration is rounded to a denominator of at most `RESOLUTION`.

    >>> [(number, dots) for number, dots, _ in note_values(5 / 4)]
    [(4, 0), (16, 0)]
    """
    left, values = Fraction(quarters).limit_denominator(RESOLUTION), []
    while left:
        odd = left.denominator
        while odd % 2 == 0:
            odd //= 2
        values.append(_longest_value(left, odd))
        left -= values[-1][2]
    return values


def _longest_value(left: Fraction, odd: int) -> tuple[int, int, Fraction]:
    """The longest of the notes 4 / odd, half of it, a quarter of it …, plain or dotted, within `left` quarter notes."""
    number = odd
    while True:
        for dots, factor in reversed(DOTS if odd == 1 else DOTS[:1]):
            quarters = Fraction(WHOLE, number) * factor
            if quarters <= left:
                return number, dots, quarters
        number *= 2


def song_record(title: str, number: int, notes: Sequence[str], settings: Mapping[str, object]) -> dict:
    """The record (JSON beside the MIDI file) of a composed song.

    `settings` are what made it: `note_length` (quarter notes), `tempo` (quarter notes per minute), regions, seed …
    """
    record = {"title": title, "number": number, **settings, "notes": list(notes)}
    check_record(record, title)
    return record


def song_from_record(record: object, source: object = "the song's record") -> Song:
    """The song of a record. Raises `UserError`, which names `source` and the field, for a record that is damaged."""
    check_record(record, source)
    notes, length = record["notes"], float(record["note_length"])
    rests, phrases = [0.0] * len(notes), [False] * len(notes)
    return Song(record["title"], notes, [length] * len(notes), rests, phrases, title=record["title"])


def check_record(record: object, source: object) -> None:
    """Raise `UserError` unless the fields that a reader of a record uses are there and valid."""
    if not isinstance(record, Mapping):
        raise UserError(f"{source} is damaged: it is not a JSON object; compose the song again")
    valid = {
        "title": isinstance(record.get("title"), str),
        "number": _is_number(record.get("number"), 1, math.inf, int),
        "notes": isinstance(record.get("notes"), list) and all(map(_is_note, record["notes"])),
        "note_length": _is_number(record.get("note_length"), SMALLEST, LARGEST),
        "tempo": _is_number(record.get("tempo"), SLOWEST, FASTEST),
        "instrument": _is_number(record.get("instrument", 0), 0, 127, int),
        "regions": _is_list_of_text(record.get("regions", [])),
    }
    for field, is_valid in valid.items():
        if not is_valid:
            value = repr(record[field])[:40] if field in record else "missing"
            raise UserError(f"{source} is damaged: {field} is {value}; compose the song again")


def _is_number(value: object, low: float, high: float, kind: type | tuple = (int, float)) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and low <= value <= high


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _is_note(name: object) -> bool:
    """Whether this is the name of a note that MIDI can hold."""
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        return False
    try:
        return 0 <= Spelling(name).midi <= 127
    except UserError:
        return False
