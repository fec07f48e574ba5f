"""Write a song as a MIDI file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import mido

from melody import key
from melody.atomic import atomic_write
from melody.errors import UserError
from melody.song import FASTEST, SLOWEST, Song, onsets, printable
from melody.vocabulary import Spelling

TICKS = 960  # per quarter note; divisible by triplets and 64ths
VELOCITY = 80  # of each note, 1 to 127
MAJOR_KEYS = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")  # 7 flats to 7 sharps


def write_midi(path: Path, song: Song, tempo: float, instrument: int = 0, texts: Sequence[str] = ()) -> None:
    """Write the song as a MIDI file of one track: the same song gives the same bytes.

    `tempo` is in quarter notes per minute, `instrument` a General MIDI program (0 to 127). Each of `texts` becomes a
    marker, because notation programs show text events as lyrics. Raises `UserError` for a tempo, an instrument or a
    note that MIDI cannot store.
    """
    if not SLOWEST <= tempo <= FASTEST:
        raise UserError(f"the tempo {tempo:g} is not from {SLOWEST} to {FASTEST} quarter notes per minute")
    if not 0 <= instrument <= 127:
        raise UserError(f"the instrument {instrument} is not a General MIDI program, 0 (piano) to 127")
    events = _notes(song)
    track = mido.MidiTrack(_headings(song, tempo, texts))
    track.append(mido.Message("program_change", program=int(instrument)))
    now = 0
    for tick, kind, number in events:
        velocity = VELOCITY if kind == "note_on" else 0
        track.append(mido.Message(kind, note=number, velocity=velocity, time=tick - now))
        now = tick
    with atomic_write(path) as temporary:
        mido.MidiFile(type=1, ticks_per_beat=TICKS, tracks=[track], charset="utf-8").save(temporary)


def _notes(song: Song) -> list[tuple[int, str, int]]:
    """The note events in order: (tick, type, MIDI number). A note lasts a tick or more and overlaps none."""
    events, free = [], 0
    for name, (start, end) in zip(song.pitch, onsets(song), strict=True):
        number = Spelling(name).midi
        if not 0 <= number <= 127:
            raise UserError(f"{name} lies outside the range of MIDI, C-1 to G9")
        on = max(free, round(start * TICKS))
        free = max(on + 1, round(end * TICKS))
        events += [(on, "note_on", number), (free, "note_off", number)]
    return events


def _headings(song: Song, tempo: float, texts: Sequence[str]) -> list:
    """The messages before the notes: title, texts, tempo, meter if known, key signature."""
    meta = mido.MetaMessage
    headings = [meta("track_name", name=printable(song.title or song.name))]
    headings += [meta("marker", text=printable(text)) for text in texts]
    headings.append(meta("set_tempo", tempo=mido.bpm2tempo(tempo)))
    meter = _meter(song.meter)
    if meter:
        headings.append(meta("time_signature", numerator=meter[0], denominator=meter[1]))
    if song.pitch or song.key:
        headings.append(meta("key_signature", key=MAJOR_KEYS[key.signature(song.key, song.pitch) + 7]))
    return headings


def _meter(text: str) -> tuple[int, int] | None:
    """`3/4` as (3, 4); None for what MIDI cannot store, such as free meter or denominators like 5."""
    match = re.fullmatch(r"\*?M?(\d{1,3})/(1|2|4|8|16|32|64)", text.strip())
    return (int(match[1]), int(match[2])) if match and 1 <= int(match[1]) <= 255 else None
