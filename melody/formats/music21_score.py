"""ABC and MusicXML, parsed by music21 -> notes."""

from __future__ import annotations

import io
import warnings
from contextlib import redirect_stderr
from fractions import Fraction

from music21 import converter, harmony, stream
from music21.key import Key, KeySignature
from music21.meter import TimeSignature

from melody.formats.song_builder import note_name, skyline
from melody.key import alterations, kern_signature
from melody.song import Song


def read(text: str, kind: str, name: str, **about: str) -> Song:
    """The first part with notes. `kind` is music21's name of the format. Warnings are not shown."""
    with redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = converter.parseData(text, format=kind)
        parts = [part for part in score.getElementsByClass(stream.Part) if pitched_notes(part)] or [score]
        line = parts[0].voicesToParts().parts[0] if parts[0].recurse().getElementsByClass(stream.Voice) else parts[0]
        notes = pitched_notes(line.stripTies(matchByPitch=False))
    about = {"key": _key(line), "meter": _meter(line)} | about
    return skyline(notes).song(name, parts=len(parts), **about)


def pitched_notes(part: stream.Stream) -> list[tuple]:
    """(start, end, MIDI number, name) of the notes, without chord symbols, percussion and grace notes."""
    notes = []
    for note in part.flatten().notes:
        if isinstance(note, harmony.Harmony) or note.duration.isGrace or not (note.isNote or note.isChord):
            continue
        start, length = Fraction(note.offset), Fraction(note.quarterLength)
        notes += [(start, start + length, pitch.midi, note_name(pitch)) for pitch in note.pitches]
    return notes


def _key(part: stream.Stream) -> str:
    key = next(iter(part.recurse().getElementsByClass(KeySignature)), None)
    if isinstance(key, Key) and key.mode in ("major", "minor"):
        return key.tonicPitchNameWithCase
    return kern_signature(alterations(key.sharps)) if key and key.sharps is not None else ""


def _meter(part: stream.Stream) -> str:
    meter = next(iter(part.recurse().getElementsByClass(TimeSignature)), None)
    return meter.ratioString if meter else ""
