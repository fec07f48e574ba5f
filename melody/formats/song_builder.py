"""What the readers share: building a song from notes. Each format has one module with `read(content, name)`."""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby, zip_longest
from operator import itemgetter
from typing import TYPE_CHECKING

from melody.formats.limits import Unreadable
from melody.song import Song

if TYPE_CHECKING:
    from music21.pitch import Pitch

Time = Fraction | float  # music21 gives a Fraction for what is no binary number
LOWEST = 24  # MIDI number, C1; below C0 the names would be ambiguous (C-1), and nobody sings there
HIGHEST = 127  # MIDI number, G9; above it nothing could be written as MIDI
LONGEST = 10_000  # quarter notes a note or rest may last: more than an hour
LETTERS = 500  # of a title, an area, a key or a meter


class SongBuilder:
    """Builds a song note by note, in the order of the source."""

    def __init__(self):
        self.pitch: list[str] = []
        self.duration: list[Time] = []  # quarter notes
        self.rest_before: list[Time] = []  # quarter notes
        self.phrase: list[bool] = []
        self.silence: Time = 0  # quarter notes since the last note
        self.opening = False  # a phrase has begun and waits for its first note
        self.chords = 0

    def note(self, name: str, duration: Time) -> None:
        self.pitch.append(name)
        self.duration.append(duration)
        self.rest_before.append(self.silence)
        self.phrase.append(self.opening)
        self.silence, self.opening = 0, False

    def rest(self, duration: Time) -> None:
        self.silence += duration

    def prolong(self, duration: Time) -> None:
        """A note tied to the last one."""
        self.duration[-1] += duration

    def song(self, name: str, parts: int, **words: str) -> Song:
        """The finished song. Raises `Unreadable` when there was no note."""
        if not self.pitch:
            raise Unreadable("no notes")
        times = [float(time) for time in self.duration], [float(time) for time in self.rest_before]
        if not all(0 <= time <= LONGEST for time in (*times[0], *times[1])):
            raise Unreadable(f"a note or rest that lasts less than none or more than {LONGEST:,} quarter notes")
        words = {field: "".join(filter(str.isprintable, text))[:LETTERS] for field, text in words.items()}
        return Song(name, self.pitch, *times, self.phrase, **words, chords=self.chords, parts=parts)


def skyline(notes: list[tuple[Time, Time, int, str]], quarter: int = 1) -> SongBuilder:
    """The melody in notes of (start, end, MIDI number, name): of those that start together the highest, until the next.

    `quarter` is how long a quarter note is in the unit of the times.
    """
    melody, time = SongBuilder(), 0
    lasting = sorted((note for note in notes if note[1] > note[0]), key=itemgetter(0))
    chords = [list(chord) for _, chord in groupby(lasting, key=itemgetter(0))]
    for chord, following in zip_longest(chords, chords[1:]):
        start, end, _, name = max(chord, key=itemgetter(2))
        melody.rest((start - time) / quarter)
        time = min(end, following[0][0]) if following else end
        melody.note(name, (time - start) / quarter)
        melody.chords += len(chord) > 1
    return melody


def note_name(pitch: Pitch) -> str:
    """The name of a music21 pitch, such as F#5. Raises `Unreadable` for a pitch without a note name."""
    if pitch.ps % 1:
        raise Unreadable("it has quarter tones")
    if not LOWEST <= pitch.ps <= HIGHEST:
        raise Unreadable("it has notes below C1 or above G9")
    return f"{pitch.name}{pitch.implicitOctave}"


def signature(sharps: int) -> str:
    """A key signature in kern's words, flats below zero: -2 is `k[b-e-]`, -8 is `k[b--e-a-d-g-c-f-]`."""
    letters, sign = ("fcgdaeb", "#") if sharps > 0 else ("beadgcf", "-")
    counts = [(abs(sharps) + 6 - place) // 7 for place in range(7)]
    return "k[" + "".join(letter + sign * count for letter, count in zip(letters, counts, strict=True) if count) + "]"
