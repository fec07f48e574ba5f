"""Write a song as MusicXML with music21, which is imported late: composing without scores saves 0.3 s of CPU time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from melody import key
from melody.atomic import atomic_write
from melody.song import RESOLUTION, Song, check_song, note_values, printable
from melody.vocabulary import Spelling

LINE = 16  # quarter notes in a line of a song without phrase marks
LONGEST_LINE = 24  # quarter notes; a longer phrase takes several lines
TUPLETS = (3, 5, 7)  # notes in the time of two or four
TREBLE_FROM = 55  # MIDI number (G3); a song with a lower mean is written in the bass clef


def write_musicxml(path: Path, song: Song, records: Mapping[str, object] | None = None) -> None:
    """Write the song as MusicXML; `records` (regions, seed, model) become its miscellaneous fields."""
    with atomic_write(path) as temporary:
        temporary.write_text(musicxml(song, records), encoding="utf-8", newline="\n")


def musicxml(song: Song, records: Mapping[str, object] | None = None) -> str:
    """The song as MusicXML, without meter and bar lines, one phrase per line; deterministic.

    Raises `UserError` for an invalid song (see `check_song`).
    """
    from music21 import metadata, stream
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    score = stream.Score([_part(song)])
    score.metadata = metadata.Metadata(title=printable(song.title or song.name) or "Song")
    for field, text in (records or {}).items():
        score.metadata.addCustom(printable(field), printable(text))
    exporter = GeneralObjectExporter(score)
    exporter.makeNotation = False  # it would add a meter and bars
    return _deterministic(exporter.parse().decode("utf-8"))


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


def _part(song: Song):
    """The song as a music21 part with one measure per line."""
    from music21 import bar, clef, layout, meter, stream
    from music21.key import KeySignature

    check_song(song)
    part = stream.Part(id="P1")
    for number, line in enumerate(lines(song) or [slice(0, 0)], start=1):
        measure = stream.Measure(number=number)
        if number == 1:
            measure.append(clef.TrebleClef() if _lies_high(song) else clef.BassClef())
            measure.append(KeySignature(key.signature(song.key, song.pitch)))
            measure.append(meter.SenzaMisuraTimeSignature())
        else:
            measure.insert(0, layout.SystemLayout(isNew=True))
        measure.append(_notes(song, line))
        measure.rightBarline = bar.Barline("none")
        measure.showNumber = stream.enums.ShowNumber.NEVER
        part.append(measure)
    measure.rightBarline = bar.Barline("final")
    part.makeAccidentals(inPlace=True)
    _sign_tied_notes(part)
    return part


def _sign_tied_notes(part) -> None:
    """Give the notes tied to a natural a hidden natural: music21 reads a D tied to a D natural as two notes."""
    for first, second in pairwise(part.flatten().notes):
        if second.tie and second.tie.type != "start" and first.pitch.accidental:
            second.pitch.accidental = first.pitch.accidental.name
            second.pitch.accidental.displayStatus = False


def _notes(song: Song, line: slice) -> list:
    """The notes and rests of a line; a duration that no single note has is written as tied notes."""
    from music21 import note, tie

    notes = []
    for name, duration, rest in zip(song.pitch[line], song.duration[line], song.rest_before[line], strict=True):
        notes += [note.Rest(quarterLength=length) for length in _written(rest)]
        tied = [note.Note(name, quarterLength=length) for length in _written(max(duration, 1 / RESOLUTION))]
        for index, piece in enumerate(tied[1:], start=1):
            tied[0].tie = tie.Tie("start")
            piece.tie = tie.Tie("continue" if index < len(tied) - 1 else "stop")
        notes += tied
    return notes


def _written(quarters: float) -> list[Fraction]:
    """The durations that notate a time: exact up to septuplets, else rounded to a `RESOLUTION`th."""
    time = Fraction(quarters).limit_denominator(RESOLUTION)
    if not any(odd * 2**7 % time.denominator == 0 for odd in TUPLETS):
        time = Fraction(round(quarters * RESOLUTION), RESOLUTION)
    return [length for _, _, length in note_values(time)]


def _lies_high(song: Song) -> bool:
    midi = [Spelling(name).midi for name in song.pitch]
    return not midi or sum(midi) / len(midi) >= TREBLE_FROM


def _deterministic(text: str) -> str:
    """MusicXML without the date, the random id of the part and music21 as the composer."""
    text = re.sub(r"\s*<(encoding-date|creator\b[^>]*)>[^<]*</[\w-]+>", "", text)
    part = re.search(r'<score-part id="(\w+)"', text)
    return text.replace(part[1], "P1") if part else text
