"""What a user would run to read songs: music21's `converter.parse` of each file, on one core."""

from __future__ import annotations

from pathlib import Path

from benchmarks.adapters import Round
from melody.formats.corpus import read_songs
from melody.vocabulary import Spelling


def parse(files: list[list[str]], kind: str) -> Round:
    """Parse files, each with its collection's folder, into a list of notes; work is songs.

    Remarks in how many files our own reader finds the same notes: by name in kern, by number in MIDI. Of MIDI, music21
    is told to leave the notes where they are; to their grid it would lose some.
    """
    from music21 import converter

    def notes(path: str) -> list:
        score = converter.parse(path, format={"kern": "humdrum"}.get(kind, kind), forceSource=True, quantizePost=False)
        line = score.parts[0].stripTies().flatten()
        return [note.pitches[-1] for note in line.notes if not note.duration.isGrace]

    def same(path: str, root: str) -> bool:
        song = read_songs(Path(path), Path(root))[0]
        if kind == "kern":
            return song.pitch == [pitch.nameWithOctave for pitch in notes(path)]
        return [Spelling(name).midi for name in song.pitch] == [pitch.midi for pitch in notes(path)]

    def one_round() -> float:
        return len([notes(path) for path, _ in files])

    one_round.remark = f"same notes in {sum(same(*file) for file in files)} of {len(files)} files"
    return one_round
