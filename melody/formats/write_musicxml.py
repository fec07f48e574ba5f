"""Write a song as MusicXML with music21, which is imported late: composing without scores saves 0.3 s of CPU time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil
from pathlib import Path

from melody import key
from melody.atomic import atomic_write
from melody.formats.beams import beams
from melody.notation import FREE, Measure, Piece, measures
from melody.note_values import note_values
from melody.song import Song, printable
from melody.vocabulary import Spelling

SHORTEST_LINE, LONGEST_LINE = 5, 30  # notes and rests in a line, unless a phrase or a measure makes it longer
MEASURES = 4  # in a line of a song without phrase marks
TREBLE_FROM = 55  # MIDI number (G3); a song with a lower mean is written in the bass clef


def write_musicxml(path: Path, song: Song, records: Mapping[str, object] | None = None) -> None:
    """Write the song as MusicXML; `records` (regions, seed, model) become its miscellaneous fields."""
    with atomic_write(path) as temporary:
        temporary.write_text(musicxml(song, records), encoding="utf-8", newline="\n")


def musicxml(song: Song, records: Mapping[str, object] | None = None) -> str:
    """The song as MusicXML, deterministic: a line per phrase where bars allow it, a breath mark after each phrase.

    Raises `UserError` for an invalid song (see `check_song`).
    """
    from music21 import metadata, stream
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    score = stream.Score([_part(song)])
    score.metadata = metadata.Metadata(title=printable(song.title or song.name) or "Song")
    for field, text in (records or {}).items():
        score.metadata.addCustom(printable(field), printable(text))
    exporter = GeneralObjectExporter(score)
    exporter.makeNotation = False  # it would add a meter to songs that have none
    return _deterministic(exporter.parse().decode("utf-8"))


def line_starts(cut: Sequence[Measure]) -> set[int]:
    """Indices of the measures that begin a line of the score: those nearest to the beginning of a phrase.

    A phrase that begins in the second half of a measure begins its line with the next measure. Long lines are divided,
    short phrases share one. In free meter each measure is a line.
    """
    counts = [len(measure.pieces) for measure in cut]
    phrases = set()
    for index, measure in enumerate(cut):
        position = Fraction(0)
        for piece in measure.pieces:
            phrases |= {index + (2 * position >= measure.length > 0)} if piece.begins else set()
            position += piece.value.quarters
    if len(phrases) < 2:
        phrases = set(range(MEASURES + (cut[0].number == 0), len(cut), MEASURES))
    starts = [0]
    for index in sorted(phrases):
        if min(sum(counts[starts[-1] : index]), sum(counts[index:])) >= SHORTEST_LINE and index - starts[-1] > 1:
            starts.append(index)
    found = {index for index, pair in enumerate(pairwise(cut), start=1) if not (pair[0].length and pair[1].length)}
    found |= set(starts)
    for begin, end in pairwise([*starts, len(cut)]):
        lines = min(ceil(sum(counts[begin:end]) / LONGEST_LINE), end - begin)
        found |= {begin + (end - begin) * line // lines for line in range(lines)}
    return found - {0}


def _part(song: Song):
    """The song as a music21 part."""
    from music21 import bar, clef, instrument, layout, note, stream

    cut = measures(song)
    part, starts, signature = stream.Part(id="P1"), line_starts(cut), ""
    voice = instrument.Instrument("Melody")  # MuseScore complains of a part without one
    voice.instrumentId, voice.partName = "I1", ""
    part.insert(0, voice)
    for index, measure in enumerate(cut):
        signature = measure.signature or signature
        written = _measure(measure, signature)
        if index == 0:
            written.insert(0, clef.TrebleClef() if _lies_high(song) else clef.BassClef())
            written.insert(0, _key(song))
        elif index in starts:
            written.insert(0, layout.SystemLayout(isNew=True))
        part.append(written)
        if not measure.length and not any(after.length for after in cut[index + 1 : index + 2]):
            written.rightBarline = bar.Barline("none")
    written.rightBarline = bar.Barline("final")
    if sum(song.phrase) > 1:
        part[note.Note].last().articulations = []  # the end of the song needs no mark
    part.makeAccidentals(inPlace=True)
    _sign_tied_notes(part)
    return part


def _measure(measure: Measure, signature: str):
    """A music21 measure with its time signature, notes, rests, beams and brackets of tuplets."""
    from music21 import meter, note, stream

    written = stream.Measure(number=measure.number)
    if measure.number == 0 or not measure.length:
        written.showNumber = stream.enums.ShowNumber.NEVER
    if measure.signature:
        is_free = measure.signature == FREE
        written.append(meter.SenzaMisuraTimeSignature() if is_free else meter.TimeSignature(measure.signature))
    filled = sum(piece.value.quarters for piece in measure.pieces)
    if filled and filled == measure.length and all(piece.pitch is None for piece in measure.pieces):
        rest = note.Rest(quarterLength=filled)
        rest.fullMeasure = True
        written.append(rest)
        return written
    pieces = measure.pieces
    if len(pieces) == 1 and pieces[0].pitch is None and pieces[0].value.quarters >= 4:
        pieces = _halves(pieces[0])
    notes = [_note(piece) for piece in pieces]
    written.append(notes)
    stream.makeNotation.makeTupletBrackets(written, inPlace=True)
    for item, kinds in zip(notes, beams(measure._replace(pieces=pieces), signature), strict=True):
        for kind in kinds:
            item.beams.append(*(("partial", kind) if kind in ("left", "right") else (kind,)))
        for tuplet in item.duration.tuplets:
            tuplet.bracket = not kinds
    return written


def _halves(rest: Piece) -> list[Piece]:
    """Two rests for a whole rest, which alone in a bar means all of the bar, here a longer or shorter one."""
    return [rest._replace(value=value) for value in 2 * note_values(rest.value.quarters / 2)]


def _note(piece: Piece):
    """A music21 note or rest, tied as the piece is, with a breath mark at the end of a phrase."""
    from music21 import articulations, note, tie

    if piece.pitch is None:
        return note.Rest(quarterLength=piece.value.quarters)
    written = note.Note(piece.pitch, quarterLength=piece.value.quarters)
    if not (piece.first and piece.last):
        written.tie = tie.Tie("start" if piece.first else "stop" if piece.last else "continue")
    if piece.ends:
        written.articulations.append(articulations.BreathMark())
    return written


def _sign_tied_notes(part) -> None:
    """Give the notes tied to a natural a hidden natural: music21 reads a D tied to a D natural as two notes."""
    for first, second in pairwise(part.flatten().notes):
        if second.tie and second.tie.type != "start" and first.pitch.accidental:
            second.pitch.accidental = first.pitch.accidental.name
            second.pitch.accidental.displayStatus = False


def _key(song: Song):
    """The music21 key of the song, or its key signature if the tonic is unknown."""
    from music21.key import Key, KeySignature

    named = re.fullmatch("[A-Ga-g][#-]?", song.key) and key.stated(song.key) is not None
    return Key(song.key) if named else KeySignature(key.signature(song.key, song.pitch))


def _lies_high(song: Song) -> bool:
    midi = [Spelling(name).midi for name in song.pitch]
    return not midi or sum(midi) / len(midi) >= TREBLE_FROM


def _deterministic(text: str) -> str:
    """MusicXML without the date, the random id of the part and music21 as the composer."""
    text = re.sub(r"\s*<(encoding-date|creator\b[^>]*)>[^<]*</[\w-]+>", "", text)
    part = re.search(r'<score-part id="(\w+)"', text)
    return text.replace(part[1], "P1") if part else text
