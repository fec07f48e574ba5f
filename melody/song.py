"""A song: one melody with durations, rests and phrases; its onsets, notated durations and record (JSON)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from melody.errors import UserError
from melody.vocabulary import Spelling

LONGEST = 10_000  # quarter notes in a note or rest: more than an hour
LONGEST_NAME = 7  # letters of a note name: C----10 at most
SMALLEST, LARGEST = 1 / 64, 64  # quarter notes in a composed note
SLOWEST, FASTEST = 4, 1000  # quarter notes per minute; MIDI cannot store a slower tempo
RESOLUTION = 96  # parts of a quarter note; durations are rounded to fractions with at most this denominator
WHOLE = 4  # quarter notes; a longer note is tied
DOTS = ((0, Fraction(1)), (1, Fraction(3, 2)), (2, Fraction(7, 4)))  # and their factor on the duration


@dataclass(frozen=True)
class Song:
    """One melody. Times are in quarter notes; tied notes are joined; grace notes are left out.

    `rest_before` is the rest before each note; `phrase` marks the notes that begin a phrase (only kern has phrases).
    `beat` is the onset of each note in quarter notes from the bar line, `bar` the length of that bar, 0 without bars;
    both are empty in a song that was not read. `pickup` is the incomplete bar before the first bar line.
    `chords` counts the chords reduced to their highest note; `parts` counts the parts of the source (only the first
    one is read).
    """

    name: str  # path in its collection, without suffix: asia/china/han/han0001
    pitch: list[str]  # names such as C4, F#5, B-3
    duration: list[float]
    rest_before: list[float]
    phrase: list[bool]
    area: str = ""
    title: str = ""
    key: str = ""  # F is F major, d is D minor; k[b-] if only the signature is known
    meter: str = ""  # 3/4; X for free meter
    chords: int = 0
    parts: int = 1
    beat: Sequence[float] = ()
    bar: Sequence[float] = ()
    pickup: float = 0.0
    rest_after: float = 0.0  # after the last note
    genre: str = ""  # as in the source (kern !!!AGN)


def check_song(song: Song) -> None:
    """Raise `UserError` if the song's lists differ in length or a duration or rest is invalid."""
    name = song.name or "the song"
    if not len(song.pitch) == len(song.duration) == len(song.rest_before):
        counts = f"{len(song.pitch)} pitches, {len(song.duration)} durations and {len(song.rest_before)} rests"
        raise UserError(f"{name} has {counts}; each note needs one of each")
    for quarters in (*song.duration, *song.rest_before, song.rest_after):
        if not 0 <= quarters <= LONGEST:
            raise UserError(f"{name} has a note or rest of {quarters} quarter notes; allowed are 0 to {LONGEST:,}")


def onsets(song: Song) -> list[tuple[float, float]]:
    """Start and end of each note, in quarter notes from the start of the song."""
    check_song(song)
    spans, end = [], 0.0
    for duration, rest in zip(song.duration, song.rest_before, strict=True):
        start = end + rest
        end = start + duration
        spans.append((start, end))
    return spans


def printable(text: object) -> str:
    """The text on one line, without characters that UTF-8, XML or a terminal cannot show."""
    return "".join(filter(str.isprintable, " ".join(str(text).split())))


def note_values(quarters: float) -> list[tuple[int, int, Fraction]]:
    """The tied notes that notate a duration, longest first: (number, dots, quarter notes).

    Number 4 is a quarter note, 12 a third of one. The duration is rounded to a denominator of at most `RESOLUTION`.

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
    """The longest note, plain or dotted, of at most `left` quarter notes; its number is `odd` times a power of two."""
    number = odd
    while True:
        for dots, factor in reversed(DOTS if odd == 1 else DOTS[:1]):
            quarters = Fraction(WHOLE, number) * factor
            if quarters <= left:
                return number, dots, quarters
        number *= 2


def song_record(title: str, number: int, notes: Sequence[str], settings: Mapping[str, object]) -> dict:
    """The record of a composed song (the JSON file beside its MIDI file).

    `settings` made the song: `note_length` (quarter notes), `tempo` (quarter notes per minute), regions, seed …
    """
    record = {"title": title, "number": number, **settings, "notes": list(notes)}
    check_record(record, title)
    return record


def song_from_record(record: object, source: object = "the song's record") -> Song:
    """The song in a record. If the record is damaged, raises `UserError`, which names `source` and the field."""
    check_record(record, source)
    notes, length = record["notes"], float(record["note_length"])
    rests, phrases = [0.0] * len(notes), [False] * len(notes)
    return Song(record["title"], notes, [length] * len(notes), rests, phrases, title=record["title"])


def check_record(record: object, source: object) -> None:
    """Raise `UserError` if a field that a song needs is missing or invalid."""
    if not isinstance(record, Mapping):
        raise UserError(f"{source} is damaged: it is not a JSON object; compose the song again")
    regions = record.get("regions", [])
    valid = {
        "title": isinstance(record.get("title"), str),
        "number": _is_number(record.get("number"), 1, math.inf, int),
        "notes": isinstance(record.get("notes"), list) and all(map(_is_note, record["notes"])),
        "note_length": _is_number(record.get("note_length"), SMALLEST, LARGEST),
        "tempo": _is_number(record.get("tempo"), SLOWEST, FASTEST),
        "instrument": _is_number(record.get("instrument", 0), 0, 127, int),
        "regions": isinstance(regions, list) and all(isinstance(region, str) for region in regions),
    }
    for field, is_valid in valid.items():
        if not is_valid:
            value = repr(record[field])[:40] if field in record else "missing"
            raise UserError(f"{source} is damaged: {field} is {value}; compose the song again")


def _is_number(value: object, low: float, high: float, kind: type | tuple = (int, float)) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and low <= value <= high


def _is_note(name: object) -> bool:
    """Whether this is the name of a MIDI note (0 to 127)."""
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        return False
    try:
        return 0 <= Spelling(name).midi <= 127
    except UserError:
        return False
