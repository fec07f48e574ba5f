"""Composed songs written to files and read back by music21, which shares no code with the writers' bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import music21

from melody.formats.write_abc import write_abc
from melody.formats.write_kern import write_kern
from melody.formats.write_midi import write_midi
from melody.formats.write_musicxml import write_musicxml
from melody.meter import bar_length
from melody.song import Song, exact
from melody.vocabulary import Spelling

TEMPO = 100  # quarter notes per minute


def _write_midi(path: Path, song: Song) -> None:
    write_midi(path, song, TEMPO, plain=True)


WRITERS: dict[str, Callable[[Path, Song], None]] = {
    ".musicxml": write_musicxml,
    ".krn": write_kern,
    ".abc": write_abc,
    ".mid": _write_midi,
}


def shares_of_full_songs(songs: Sequence[Song]) -> dict[str, float]:
    """By suffix, the share of songs that music21 reads with full bars; songs without meter are left out."""
    metric, full = [song for song in songs if bar_length(song.meter)], {}
    with TemporaryDirectory() as folder:
        for (suffix, write), (number, song) in product(WRITERS.items(), enumerate(metric)):
            path = Path(folder) / f"{number}{suffix}"
            write(path, song)
            full.setdefault(suffix, []).append(is_full(path, song))
    return {suffix: sum(some) / len(some) for suffix, some in full.items()}


def is_full(path: Path, song: Song) -> bool:
    """Whether all measures of a file are full, as music21 reads it, and it has the notes of the song.

    The first and the last measure may be short if they are full together.
    """
    exactly = {"quantizePost": False} if path.suffix == ".mid" else {}  # else short notes are moved together, as chords
    part = music21.converter.parse(path, forceSource=True, **exactly).parts[0]
    notes = [note for note in part.recurse().notes if note.tie is None or note.tie.type == "start"]
    if [pitch.midi for note in notes for pitch in note.pitches] != [Spelling(name).midi for name in song.pitch]:
        return False
    measures, bar = list(part.getElementsByClass("Measure")), bar_length(song.meter)
    sizes = [Fraction(measure.highestTime) for measure in measures]
    if path.suffix == ".mid":  # music21 fills the last measure with a rest, whatever the file's end
        sizes[-1] = Fraction(part.flatten().notes.stream().highestTime - measures[-1].offset) + exact(song.rest_after)
    ends = sizes[0] + sizes[-1] if sizes[1:] else sizes[0]
    return all(size == bar for size in sizes[1:-1]) and sizes[0] <= bar and ends % bar == 0
