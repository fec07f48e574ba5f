"""What a user would run to read songs: music21's `converter.parse` of each file, on one core."""

from pathlib import Path

from music21 import converter

from benchmarks import Round
from melody.formats.corpus import read_songs
from melody.vocabulary import Spelling

FORMATS = {"kern": "humdrum", "midi": "midi"}  # music21's names


def parse(files: list[list[str]], edition: str) -> Round:
    """Parse files, each with the folder of its collection, into lists of notes; work is songs.

    The remark says for how many files the project's reader finds the same notes: by name in kern, by number in MIDI.
    In MIDI, music21 must not quantize: it would lose notes.
    """

    def notes(path: str) -> list:
        score = converter.parse(path, format=FORMATS[edition], forceSource=True, quantizePost=False)
        line = score.parts[0].stripTies().flatten()
        return [note.pitches[-1] for note in line.notes if not note.duration.isGrace]

    def same(path: str, root: str) -> bool:
        song = read_songs(Path(path), Path(root))[0]
        if edition == "kern":
            return song.pitch == [pitch.nameWithOctave for pitch in notes(path)]
        return [Spelling(name).midi for name in song.pitch] == [pitch.midi for pitch in notes(path)]

    def run_round() -> float:
        return len([notes(path) for path, _ in files])

    run_round.remark = f"same notes in {sum(same(*file) for file in files)} of {len(files)} files"
    return run_round
