"""Humdrum kern -> notes. music21 parses each distinct token once; this module walks the lines, which is faster."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from music21.humdrum.spineParser import hdStringToNote

from melody.formats.limits import Unreadable
from melody.formats.song_builder import SongBuilder, note_name
from melody.meter import bars_of
from melody.song import Song

RECORD = re.compile(r"!!!(ARE|OTL|AGN)[^:]*:\s*(.*?)\s*$")
TONIC = re.compile(r"\*([A-Ga-g][#-]*):")
METER = re.compile(r"\*M(\d+/\d+|X|FREI)")


class KernNote(NamedTuple):
    """A token of a kern spine: a note, the highest note of a chord, or a rest (its name is "")."""

    name: str
    duration: Fraction  # quarter notes
    tied: bool  # to the previous note
    grace: bool
    chord: bool


def read(content: bytes, name: str) -> list[Song]:
    """The first `**kern` spine of a Humdrum file. Latin-1, because Essen files contain the byte 0xFF."""
    melody, about, column, parts = SongBuilder(), {}, -1, 0
    bar_lines, time_signatures = [], []
    for number, line in enumerate(content.decode("latin-1").split("\n"), start=1):
        sign, fields = line[:1], line.rstrip("\r").split("\t")
        if sign == "!":
            _kern_record(line, about)
        elif sign == "*" and "**kern" in fields and not parts:
            column, parts = fields.index("**kern"), fields.count("**kern")
        elif sign == "*" and column >= len(fields):
            raise Unreadable(f"line {number} has no column {column + 1}, where the spine is")
        elif sign == "*" and column >= 0:
            _kern_key(fields[column], about)
            if meter := METER.match(fields[column]):
                time_signatures.append((melody.time, meter[1].replace("FREI", "X")))
            column = next_column(column, fields)
        elif sign == "=":
            bar_lines.append(melody.time)
        elif fields[0] and 0 <= column < len(fields) and fields[column] != ".":
            _add_kern(melody, fields[column], number)
    if not parts:
        raise Unreadable("not a kern file: no **kern spine")
    about["meter"] = time_signatures[0][1] if time_signatures else ""
    return [melody.song(name, bars_of(melody.onset, melody.time, bar_lines, time_signatures), parts, **about)]


def next_column(column: int, fields: list[str]) -> int:
    """The index of a column after a line that splits, joins, exchanges, adds or ends spines; -1 if it has ended.

    >>> next_column(1, ["*^", "*"])
    2
    """
    if fields[column] == "*-":
        return -1
    joined = [fields[i : i + 2] == ["*v", "*v"] for i in range(column)]
    index = sum({"*^": 2, "*+": 2, "*-": 0}.get(field, 1) for field in fields[:column]) - sum(joined)
    if fields[column] == "*x":
        index += -1 if fields[:column].count("*x") % 2 else 1
    return index


def _kern_record(line: str, about: dict) -> None:
    record = RECORD.match(line)
    if record and record[2]:
        about.setdefault({"ARE": "area", "OTL": "title", "AGN": "genre"}[record[1]], record[2])


def _kern_key(field: str, about: dict) -> None:
    tonic = TONIC.match(field)
    if tonic and about.get("key", "k[").startswith("k["):
        about["key"] = tonic[1]
    elif field.startswith("*k["):
        about.setdefault("key", field[1:])


def _add_kern(melody: SongBuilder, token: str, number: int) -> None:
    try:
        note = kern_note(token)
    except Unreadable:
        raise
    except Exception as problem:
        raise Unreadable(f"line {number}: {token[:40]!r} is not a note") from problem
    if note.grace:
        return
    melody.phrase_begins |= "{" in token and not note.tied
    if not note.name:
        melody.rest(note.duration)
    elif note.tied and melody.pitch and melody.pitch[-1] == note.name and not melody.rest_now:
        melody.tie(note.duration)
    else:
        melody.note(note.name, note.duration)
        melody.chords += note.chord


@lru_cache(maxsize=2**16)  # 2,000 distinct ones among the 460,000 of the Essen collection
def kern_note(token: str) -> KernNote:
    """Parse a token with music21: `4f#` is F#4, one quarter note. Raises what music21 raises."""
    notes = [hdStringToNote(part) for part in token.split(" ")]
    sounding = [note for note in notes if note.isNote]
    top = max(sounding, key=lambda note: note.pitch.ps, default=notes[0])
    tied = "]" in token or "_" in token  # `[4a]` in Essen files is the middle of a tie; music21 reads a start
    name = note_name(top.pitch) if sounding else ""
    return KernNote(name, Fraction(top.duration.quarterLength), tied, top.duration.isGrace, len(sounding) > 1)
