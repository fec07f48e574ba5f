"""Write a song as MusicXML through music21."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from melody import key
from melody.atomic import atomic_write
from melody.song import RESOLUTION, Song, check_song, note_values
from melody.vocabulary import Spelling

LINE = 16  # quarter notes in a line of a song whose phrases are not known
LONGEST_LINE = 24  # quarter notes; a longer phrase is broken
TUPLETS = (3, 5, 7)  # notes in the time of two or four
TREBLE_FROM = 55  # MIDI number (G3); a song that lies lower on average is written in the bass clef


def write_musicxml(path: Path, song: Song, records: Mapping[str, object] | None = None) -> None:
    """Write the song as MusicXML; `records` (regions, seed, model) become its miscellaneous fields."""
    with atomic_write(path) as beside:
        beside.write_text(musicxml(song, records), encoding="utf-8", newline="\n")


def musicxml(song: Song, records: Mapping[str, object] | None = None) -> str:
    """The song as MusicXML, the same text each time. Raises `UserError` for lists of unequal lengths.

    It has no meter and no bar lines, which a song does not know: each line holds a phrase.
    """
    from music21 import metadata, stream
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    score = stream.Score([_part(song)])
    score.metadata = metadata.Metadata(title=_printable(song.title or song.name) or "Song")
    for word, text in (records or {}).items():
        score.metadata.addCustom(_printable(word), _printable(text))
    exporter = GeneralObjectExporter(score)
    exporter.makeNotation = False  # it would add a meter and bars
    return _settled(exporter.parse().decode("utf-8"))


def lines(song: Song) -> list[slice]:
    """Which notes stand on each line: a phrase, or `LINE` quarter notes where no phrases are known."""
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
    """The song as a music21 part of one measure a line."""
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
    """Give the notes tied to a natural its sign, unseen: music21 reads a D tied to a D natural as two notes."""
    for first, second in pairwise(part.flatten().notes):
        if second.tie and second.tie.type != "start" and first.pitch.accidental:
            second.pitch.accidental = first.pitch.accidental.name
            second.pitch.accidental.displayStatus = False


def _notes(song: Song, line: slice) -> list:
    """The notes and rests of a line, long ones in tied pieces that notation has a sign for."""
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
    """A time as what is written for it: exact up to sevenths of a beat, else to the next of `RESOLUTION` parts."""
    time = Fraction(quarters).limit_denominator(RESOLUTION)
    if not any(odd * 2**7 % time.denominator == 0 for odd in TUPLETS):
        time = Fraction(round(quarters * RESOLUTION), RESOLUTION)
    return [length for _, _, length in note_values(time)]


def _lies_high(song: Song) -> bool:
    midi = [Spelling(name).midi for name in song.pitch]
    return not midi or sum(midi) / len(midi) >= TREBLE_FROM


def _printable(text: object) -> str:
    """The text on one line, without the signs that XML forbids."""
    words = " ".join(str(text).encode("utf-8", "replace").decode().split())
    return re.sub(r"[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", words)


def _settled(text: str) -> str:
    """MusicXML without what changes from day to day (date, the part's random id), and no false composer."""
    text = re.sub(r"\s*<(encoding-date|creator\b[^>]*)>[^<]*</[\w-]+>", "", text)
    part = re.search(r'<score-part id="(\w+)"', text)
    return text.replace(part[1], "P1") if part else text
