"""Write a song as a MIDI file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from melody import key
from melody.atomic import atomic_write
from melody.errors import UserError
from melody.song import FASTEST, SLOWEST, Song, onsets
from melody.vocabulary import Spelling

TICKS = 960  # a quarter note; triplets and 64ths fall on whole ticks
VELOCITY = 80  # loudness of each note, 1 to 127
MAJOR_KEYS = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")  # 7 flats to 7 sharps


def write_midi(path: Path, song: Song, tempo: float, instrument: int = 0, texts: Sequence[str] = ()) -> None:
    """Write the song as a MIDI file of one track: the same song gives the same bytes.

    `tempo` in quarter notes per minute, `instrument` the General MIDI program, 0 to 127; each of `texts` becomes a
    marker, since notation programs take plain text events for lyrics. Raises `UserError` for a tempo, an instrument
    or a note that MIDI cannot hold.
    """
    import mido

    if not SLOWEST <= tempo <= FASTEST:
        raise UserError(f"the tempo {tempo:g} is not from {SLOWEST} to {FASTEST} quarter notes per minute")
    if not 0 <= instrument <= 127:
        raise UserError(f"the instrument {instrument} is no General MIDI program; these go from 0 (piano) to 127")
    events = _notes(song)
    track = mido.MidiTrack(_headings(song, tempo, texts))
    track.append(mido.Message("program_change", program=int(instrument)))
    now = 0
    for tick, kind, number in events:
        velocity = VELOCITY if kind == "note_on" else 0
        track.append(mido.Message(kind, note=number, velocity=velocity, time=tick - now))
        now = tick
    with atomic_write(path) as beside:
        mido.MidiFile(type=1, ticks_per_beat=TICKS, tracks=[track], charset="utf-8").save(beside)


def _notes(song: Song) -> list[tuple[int, str, int]]:
    """The note events in order, (tick, kind, MIDI number): each lasts a tick and ends before the next begins."""
    events, free = [], 0
    for name, (begin, end) in zip(song.pitch, onsets(song), strict=True):
        number = Spelling(name).midi
        if not 0 <= number <= 127:
            raise UserError(f"{name} lies outside what MIDI can hold, C-1 to G9")
        on = max(free, round(begin * TICKS))
        free = max(on + 1, round(end * TICKS))
        events += [(on, "note_on", number), (free, "note_off", number)]
    return events


def _headings(song: Song, tempo: float, texts: Sequence[str]) -> list:
    """The messages before the notes: title, texts, tempo, and key and meter where they are known."""
    from mido import MetaMessage, bpm2tempo

    headings = [MetaMessage("track_name", name=_plain(song.title or song.name))]
    headings += [MetaMessage("marker", text=_plain(text)) for text in texts]
    headings.append(MetaMessage("set_tempo", tempo=bpm2tempo(tempo)))
    meter = _meter(song.meter)
    if meter:
        headings.append(MetaMessage("time_signature", numerator=meter[0], denominator=meter[1]))
    if song.pitch or song.key:
        headings.append(MetaMessage("key_signature", key=MAJOR_KEYS[key.signature(song.key, song.pitch) + 7]))
    return headings


def _meter(text: str) -> tuple[int, int] | None:
    """`3/4` as (3, 4); None for what MIDI cannot say, such as no meter, two meters or fifths."""
    match = re.fullmatch(r"\*?M?(\d{1,3})/(1|2|4|8|16|32|64)", text.strip())
    return (int(match[1]), int(match[2])) if match and 1 <= int(match[1]) <= 255 else None


def _plain(text: str) -> str:
    """The text without what UTF-8 cannot hold (file names that were no UTF-8 come with such)."""
    return text.encode("utf-8", "replace").decode("utf-8")
