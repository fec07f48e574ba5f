"""ABC and MusicXML, parsed by music21 -> notes."""

from __future__ import annotations

import io
import warnings
from bisect import bisect_left
from contextlib import redirect_stderr
from fractions import Fraction

from music21 import converter, harmony, stream
from music21.articulations import BreathMark
from music21.key import Key, KeySignature
from music21.meter import TimeSignature, TimeSignatureBase

from melody.formats.song_builder import note_name, skyline
from melody.key import alterations, kern_signature
from melody.meter import bars_of
from melody.song import Song


def read(text: str, kind: str, name: str, one_meter: bool = False, **about: str) -> Song:
    """The first part with notes. `kind` is music21's name of the format. Warnings are not shown.

    `one_meter` ignores all time signatures but the first: music21 adds some where a bar of an ABC tune is too long.
    """
    with redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = converter.parseData(text, format=kind)
        parts = [part for part in score.getElementsByClass(stream.Part) if pitched_notes(part)] or [score]
        line = parts[0].voicesToParts().parts[0] if parts[0].recurse().getElementsByClass(stream.Voice) else parts[0]
        ends = _phrase_ends(line)
        line.stripTies(inPlace=True, matchByPitch=False)
        melody = skyline(pitched_notes(line))
    for index in {0, *(bisect_left(melody.onset, end) for end in ends)} if ends else ():
        melody.phrase[index : index + 1] = [True] * (index < len(melody.phrase))
    melody.rest(max(0, Fraction(line.highestTime) - melody.time))
    measures = parts[0].getElementsByClass(stream.Measure)
    signatures = [
        (Fraction(one.getOffsetInHierarchy(line)), one.ratioString if isinstance(one, TimeSignature) else "X")
        for one in line.recurse().getElementsByClass(TimeSignatureBase)
    ]
    signatures = signatures[:1] if one_meter else signatures
    bars = bars_of(melody.onset, melody.time, [Fraction(measure.offset) for measure in measures], signatures)
    about = {"key": _key(line), "meter": signatures[0][1] if signatures else ""} | about
    return melody.song(name, bars, len(parts), **about)


def pitched_notes(part: stream.Stream) -> list[tuple]:
    """(start, end, MIDI number, name) of the notes, without chord symbols, percussion and grace notes."""
    notes = []
    for note in part.flatten().notes:
        if isinstance(note, harmony.Harmony) or note.duration.isGrace or not (note.isNote or note.isChord):
            continue
        start, length = Fraction(note.offset), Fraction(note.quarterLength)
        notes += [(start, start + length, pitch.midi, note_name(pitch)) for pitch in note.pitches]
    return notes


def _phrase_ends(part: stream.Stream) -> list[Fraction]:
    """The ends of the notes with a breath mark, after which a phrase begins."""
    return [
        Fraction(note.offset) + Fraction(note.quarterLength)
        for note in part.flatten().notes
        if any(isinstance(mark, BreathMark) for mark in note.articulations)
    ]


def _key(part: stream.Stream) -> str:
    key = next(iter(part.recurse().getElementsByClass(KeySignature)), None)
    if isinstance(key, Key) and key.mode in ("major", "minor"):
        return key.tonicPitchNameWithCase
    return kern_signature(alterations(key.sharps)) if key and key.sharps is not None else ""
