"""A song: one melody with durations, rests and phrases; its onsets, bars and record (JSON)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from melody.errors import UserError
from melody.meter import bar_length
from melody.vocabulary import Spelling

LONGEST = 10_000  # quarter notes in a note or rest: more than an hour
LOWEST = 24  # MIDI number, C1; below C0 the names are ambiguous (C-1), and nobody sings there
HIGHEST = 127  # MIDI number, G9, the highest that MIDI can write
LONGEST_NAME = 7  # letters of a note name: C----10 at most
SMALLEST = 1 / 64  # quarter notes in a composed note
SLOWEST, FASTEST = 4, 1000  # quarter notes per minute; MIDI cannot store a slower tempo
RESOLUTION = 96  # parts of a quarter note; durations are rounded to fractions with at most this denominator


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


def with_bars(song: Song) -> Song:
    """The song with the beat positions and bar lengths that follow from its time signature and pickup."""
    length, beats, time = bar_length(song.meter), [], -exact(song.pickup)
    for duration, rest in zip(song.duration, song.rest_before, strict=True):
        time += exact(rest)
        beats.append(float(time % length) if length else 0.0)
        time += exact(duration)
    return replace(song, beat=beats, bar=[float(length)] * len(beats))


def exact(quarters: float) -> Fraction:
    """A time in quarter notes as the fraction that it was before it was stored as a float."""
    return Fraction(float(quarters)).limit_denominator(RESOLUTION)


def song_record(song: Song, number: int, settings: Mapping[str, object]) -> dict:
    """The record of a composed song (the JSON file beside its MIDI file), with the settings that made it."""
    times = {"meter": song.meter, "pickup": song.pickup, "rest_after": song.rest_after, "key": song.key}
    notes = {"notes": song.pitch, "durations": song.duration, "rests": song.rest_before}
    phrases = [index for index, begins in enumerate(song.phrase) if begins]
    record = {"title": song.title, "number": number, **settings, **times, **notes, "phrases": phrases}
    check_record(record, song.title)
    return record


def song_from_record(record: object, source: object = "the song's record") -> Song:
    """The song in a record. If the record is damaged, raises `UserError`, which names `source` and the field."""
    check_record(record, source)
    times = {name: record[name] for name in ("meter", "pickup", "rest_after", "key")}
    phrases, title = set(record["phrases"]), record["title"]
    marks = [index in phrases for index in range(len(record["notes"]))]
    return with_bars(Song(title, record["notes"], record["durations"], record["rests"], marks, title=title, **times))


def check_record(record: object, source: object) -> None:
    """Raise `UserError` if a field that a song needs is missing or invalid."""
    if not isinstance(record, Mapping):
        raise UserError(f"{source} is damaged: it is not a JSON object; compose the song again")
    regions, notes, meter = record.get("regions", []), record.get("notes"), record.get("meter")
    count = len(notes) if isinstance(notes, list) else -1
    valid = {
        "title": isinstance(record.get("title"), str),
        "number": _is_number(record.get("number"), 1, math.inf, int),
        "notes": count >= 0 and all(map(_is_note, notes)),
        "durations": _are_times(record.get("durations"), count, SMALLEST),
        "rests": _are_times(record.get("rests"), count, 0),
        "phrases": _are_times(record.get("phrases"), None, 0, count - 1, int),
        "meter": isinstance(meter, str) and (not meter or 0 < bar_length(meter) <= LONGEST),
        "pickup": _is_number(record.get("pickup"), 0, LONGEST),
        "rest_after": _is_number(record.get("rest_after"), 0, LONGEST),
        "key": isinstance(record.get("key"), str),
        "tempo": _is_number(record.get("tempo"), SLOWEST, FASTEST),
        "instrument": _is_number(record.get("instrument", 0), 0, 127, int),
        "name": isinstance(record.get("name", ""), str),
        "regions": isinstance(regions, list) and all(isinstance(region, str) for region in regions),
    }
    for field, is_valid in valid.items():
        if not is_valid:
            value = repr(record[field])[:40] if field in record else "missing"
            raise UserError(f"{source} is damaged: {field} is {value}; compose the song again")
    length, pickup = bar_length(meter), exact(record["pickup"])
    filled = sum(map(exact, (*record["durations"], *record["rests"], record["rest_after"])))
    for part, quarters, is_valid in (
        ("its pickup has", pickup, not pickup or pickup < length),
        ("its notes and rests fill", filled, not length or filled % length == 0),  # the pickup completes the last bar
    ):
        if not is_valid:
            sides = f"{part} {float(quarters):g} quarter notes, a bar of {meter or 'free meter'} has {float(length):g}"
            raise UserError(f"{source} is damaged: {sides}; compose the song again")


def _are_times(values: object, count: int | None, low: float, high: float = LONGEST, kind: type | tuple = (int, float)):
    """Whether this is a list of `count` numbers from `low` to `high`."""
    is_list = isinstance(values, list) and count in (None, len(values))
    return is_list and all(_is_number(value, low, high, kind) for value in values)


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
