"""Write a song as Humdrum kern."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from melody import key
from melody.atomic import atomic_write
from melody.song import RESOLUTION, Song, check_song, note_values, printable
from melody.vocabulary import Spelling


def write_kern(path: Path, song: Song, records: Mapping[str, object] | None = None) -> None:
    """Write the song as a kern file; `records` become reference records (`!!!seed: 3`) after title and area."""
    with atomic_write(path) as temporary:
        temporary.write_text(kern(song, records), encoding="utf-8", newline="\n")


def kern(song: Song, records: Mapping[str, object] | None = None) -> str:
    """The song as the text of a kern file: one `**kern` spine without bar lines, phrases in braces.

    Raises `UserError` for an invalid song (see `check_song`).
    """
    check_song(song)
    headings = {"OTL": song.title, "ARE": song.area} | dict(records or {})
    records = {re.sub(r"[ :!]+", "-", printable(code)): printable(text) for code, text in headings.items()}
    lines = [f"!!!{code}: {text}" for code, text in records.items() if text]
    lines += ["**kern", f"*{key.kern_signature(key.alterations(key.signature(song.key, song.pitch)))}"]
    if re.fullmatch(r"[A-Ga-g][#-]*", song.key):
        lines.append(f"*{song.key}:")
    if re.fullmatch(r"\d+/\d+|X", song.meter):
        lines.append(f"*M{song.meter}")
    return "\n".join([*lines, *_tokens(song), "==", "*-"]) + "\n"


def _tokens(song: Song) -> list[str]:
    begins = [*(song.phrase or [False] * len(song.pitch)), True]
    tokens, in_phrase = [], False
    for index, name in enumerate(song.pitch):
        tokens += [f"{duration}r" for duration in durations(song.rest_before[index])]
        in_phrase = in_phrase or begins[index]
        opening, closing = "{" * begins[index], "}" * (in_phrase and begins[index + 1])
        tokens += _note(durations(max(song.duration[index], 1 / RESOLUTION)), _pitch(name), opening, closing)
    return tokens


def durations(quarters: float) -> list[str]:
    """The kern durations that add up to a time in quarter notes, longest first.

    >>> durations(1.5), durations(1 / 3), durations(5 / 4), durations(0)
    (['4.'], ['12'], ['4', '16'], [])
    """
    return [f"{number}{'.' * dots}" for number, dots, _ in note_values(quarters)]


def _note(pieces: list[str], pitch: str, opening: str, closing: str) -> list[str]:
    """The tokens of one note, tied if there are several."""
    if len(pieces) == 1:
        return [f"{opening}{pieces[0]}{pitch}{closing}"]
    middle = [f"{piece}{pitch}_" for piece in pieces[1:-1]]
    return [f"{opening}[{pieces[0]}{pitch}", *middle, f"{pieces[-1]}{pitch}]{closing}"]


def _pitch(name: str) -> str:
    """C4 is c, C5 cc, B-3 B-, F#2 FF#."""
    octave, step = divmod(Spelling(name).step, 7)
    letter = "cdefgab"[step] * (octave - 3) if octave > 3 else "CDEFGAB"[step] * (4 - octave)
    return letter + name.strip("ABCDEFG0123456789")
