"""Write a song as Humdrum kern."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from melody import key
from melody.atomic import atomic_write
from melody.notation import Measure, Piece, measures
from melody.song import Song, printable
from melody.vocabulary import Spelling


def write_kern(path: Path, song: Song, records: Mapping[str, object] | None = None) -> None:
    """Write the song as a kern file; `records` become reference records (`!!!seed: 3`) after title and area."""
    with atomic_write(path) as temporary:
        temporary.write_text(kern(song, records), encoding="utf-8", newline="\n")


def kern(song: Song, records: Mapping[str, object] | None = None) -> str:
    """The song as the text of a kern file: one `**kern` spine with its bar lines, phrases in braces.

    Songs without bars have no bar lines. Raises `UserError` for an invalid song (see `check_song`).
    """
    cut = measures(song)
    headings = {"OTL": song.title, "ARE": song.area} | dict(records or {})
    records = {re.sub(r"[ :!]+", "-", printable(code)): printable(text) for code, text in headings.items()}
    lines = [f"!!!{code}: {text}" for code, text in records.items() if text]
    lines += ["**kern", f"*{key.kern_signature(key.alterations(key.signature(song.key, song.pitch)))}"]
    if re.fullmatch(r"[A-Ga-g][#-]*", song.key):
        lines.append(f"*{song.key}:")
    if re.fullmatch(r"\d+/\d+|X", song.meter):
        lines.append(f"*M{song.meter}")
    for before, measure in pairwise([None, *cut]):
        lines += _bar_line(before, measure)
        if measure.signature and (before or (measure.signature != song.meter and any(song.bar))):
            lines.append(f"*M{measure.signature}")
        lines += [_token(piece) for piece in measure.pieces]
    return "\n".join([*lines, "==", "*-"]) + "\n"


def _bar_line(before: Measure | None, measure: Measure) -> list[str]:
    """The bar line before a measure: none in free meter, none before a pickup, invisible before the first full bar."""
    if before is None:
        return ["=1-"] * (measure.number == 1 and measure.length > 0)
    return [f"={measure.number}"] * bool(before.length or measure.length)


def _token(piece: Piece) -> str:
    value = f"{piece.value.number}{'.' * piece.value.dots}"
    if piece.pitch is None:
        return f"{value}r"
    tie = "" if piece.first else "]" if piece.last else "_"
    opening = "{" * piece.begins + "[" * (piece.first and not piece.last)
    return f"{opening}{value}{_pitch(piece.pitch)}{tie}{'}' * piece.ends}"


def _pitch(name: str) -> str:
    """C4 is c, C5 cc, B-3 B-, F#2 FF#."""
    octave, step = divmod(Spelling(name).step, 7)
    letter = "cdefgab"[step] * (octave - 3) if octave > 3 else "CDEFGAB"[step] * (4 - octave)
    return letter + name.strip("ABCDEFG0123456789")
