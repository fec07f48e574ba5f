"""Building a song from notes, for all readers. Each format has one module with `read(content, name)`."""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby, zip_longest
from operator import itemgetter

from music21.pitch import Pitch

from melody.formats.limits import Unreadable
from melody.meter import Bars
from melody.song import HIGHEST, LONGEST, LOWEST, Song, printable

MAX_TEXT = 500  # characters of a title, an area, a key or a meter


class SongBuilder:
    """Builds a song note by note, in the order of the source. Times are exact, in quarter notes."""

    def __init__(self):
        self.pitch: list[str] = []
        self.onset: list[Fraction] = []
        self.duration: list[Fraction] = []
        self.rest_before: list[Fraction] = []
        self.phrase: list[bool] = []
        self.rest_now = Fraction(0)  # rest since the last note
        self.time = Fraction(0)  # since the start of the song
        self.phrase_begins = False  # the next note begins a phrase
        self.chords = 0

    def note(self, name: str, duration: Fraction) -> None:
        self.pitch.append(name)
        self.onset.append(self.time)
        self.duration.append(duration)
        self.rest_before.append(self.rest_now)
        self.phrase.append(self.phrase_begins)
        self.rest_now, self.phrase_begins = Fraction(0), False
        self.time += duration

    def rest(self, duration: Fraction) -> None:
        self.rest_now += duration
        self.time += duration

    def tie(self, duration: Fraction) -> None:
        """Extend the last note by a note tied to it."""
        self.duration[-1] += duration
        self.time += duration

    def song(self, name: str, bars: Bars | None, parts: int, **texts: str) -> Song:
        """The finished song, without bars if `bars` is None. Raises `Unreadable` for no notes or invalid durations."""
        if not self.pitch:
            raise Unreadable("no notes")
        times = [list(map(float, times)) for times in (self.duration, self.rest_before)]
        if not all(0 <= time <= LONGEST for time in (*times[0], *times[1], self.rest_now)):
            raise Unreadable(f"it has a note or rest below 0 or above {LONGEST:,} quarter notes")
        if not all(times[0]):
            raise Unreadable("it has a note of no duration")
        none = [Fraction(0)] * len(self.pitch)
        beat, bar, pickup = bars or Bars(none, none, Fraction(0))
        bars = {"beat": list(map(float, beat)), "bar": list(map(float, bar)), "pickup": float(pickup)}
        about = {field: printable(text)[:MAX_TEXT] for field, text in texts.items()}
        about |= {"chords": self.chords, "parts": parts, "rest_after": float(self.rest_now)}
        return Song(name, self.pitch, *times, self.phrase, **about, **bars)


def skyline(notes: list[tuple[Fraction, Fraction, int, str]]) -> SongBuilder:
    """The melody of notes (start, end, MIDI number, name) that may overlap.

    Of notes that start together the highest is used; it ends where the next one starts. Times are in quarter notes.
    """
    melody = SongBuilder()
    lasting = sorted((note for note in notes if note[1] > note[0]), key=itemgetter(0))
    chords = [list(chord) for _, chord in groupby(lasting, key=itemgetter(0))]
    for chord, following in zip_longest(chords, chords[1:]):
        start, end, _, name = max(chord, key=itemgetter(2))
        melody.rest(start - melody.time)
        melody.note(name, (min(end, following[0][0]) if following else end) - start)
        melody.chords += len(chord) > 1
    return melody


def note_name(pitch: Pitch) -> str:
    """The name of a music21 pitch, such as F#5. Raises `Unreadable` if it has none here."""
    if pitch.ps % 1:
        raise Unreadable("it has quarter tones")
    if not LOWEST <= pitch.ps <= HIGHEST:
        raise Unreadable("it has notes below C1 or above G9")
    if abs(pitch.alter) > 2:
        raise Unreadable("it has notes with more than two sharps or flats")
    return f"{pitch.name}{pitch.implicitOctave}"
