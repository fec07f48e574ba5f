"""MIDI -> notes. music21 parses the events; MIDI numbers are spelled by the key signature of the file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from operator import itemgetter

from music21.midi import MetaEvents, MidiEvent, MidiFile, MidiTrack

from melody.formats.limits import Unreadable
from melody.formats.song_builder import skyline
from melody.key import alterations, kern_signature
from melody.meter import bar_length, estimate_bars
from melody.song import HIGHEST, LOWEST, Song
from melody.vocabulary import ESSEN, FIFTHS, SEMITONES, spelled

DRUMS = 10  # the percussion channel of General MIDI
MOST_ACCIDENTALS = 8  # in a key signature; two Essen files have eight flats
MEAN_FIFTH = 2.3  # of the notes of melodies, in fifths above the major tonic of the key signature


def read(content: bytes, name: str) -> list[Song]:
    """The lowest channel with notes in the first track with notes. Percussion is left out."""
    if not content.startswith(b"MThd"):
        raise Unreadable("not a MIDI file")
    file = MidiFile()
    file.readstr(content)
    tracks = [list(_timed(track)) for track in file.tracks]
    if any(not events or events[-1][1].type != MetaEvents.END_OF_TRACK for events in tracks):
        raise Unreadable("damaged: a track has no end")
    parts = [part for events in tracks for part in _midi_parts(events)]
    if not parts:
        raise Unreadable("no notes")
    keys, meters = _signatures(tracks)
    notes, quarter = [], file.ticksPerQuarterNote
    for start, end, number in parts[0]:
        sharps = next((sharps for time, sharps in reversed(keys) if time <= start), 0)
        notes.append((Fraction(start, quarter), Fraction(end, quarter), number, midi_name(number, sharps)))
    melody = skyline(notes)
    meters = _with_pickup([(Fraction(time, quarter), meter) for time, meter in meters])
    bars = estimate_bars(melody.onset, melody.duration, meters)
    about = {"key": kern_signature(alterations(keys[0][1])) if keys else "", "meter": meters[0][1] if meters else ""}
    return [melody.song(name, bars, len(parts), **about)]


def _timed(track: MidiTrack) -> Iterator[tuple[int, MidiEvent]]:
    """The events of a track with their times in ticks."""
    time = 0
    for delta, event in zip(track.events[::2], track.events[1::2], strict=True):
        time += delta.time
        yield time, event


def _midi_parts(events: list[tuple[int, MidiEvent]]) -> list[list[tuple[int, int, int]]]:
    """The notes (start and end in ticks, MIDI number) of each channel that has any."""
    parts, open_notes = defaultdict(list), defaultdict(list)
    for time, event in events:
        key = (event.channel, event.pitch)
        if event.isNoteOn() and event.channel != DRUMS:
            open_notes[key].append(time)
        elif event.isNoteOff() and open_notes[key]:
            parts[event.channel].append((open_notes[key].pop(0), time, event.pitch))
    return [sorted(parts[channel]) for channel in sorted(parts)]


def _signatures(tracks: list[list[tuple[int, MidiEvent]]]) -> tuple[list[tuple[int, int]], list[tuple[int, str]]]:
    """The key signatures, (tick, sharps; flats negative), and the time signatures, (tick, `3/4`), each in order."""
    keys, meters = [], {}
    for time, event in sorted((timed for events in tracks for timed in events), key=itemgetter(0)):
        if event.type == MetaEvents.KEY_SIGNATURE and event.data:
            keys.append((time, int.from_bytes(event.data[:1], signed=True)))
        elif event.type == MetaEvents.TIME_SIGNATURE and len(event.data) > 1:
            meters[time] = f"{event.data[0]}/{2 ** event.data[1]}"
    return sorted((time, sharps) for time, sharps in keys if abs(sharps) <= MOST_ACCIDENTALS), list(meters.items())


def _with_pickup(meters: list[tuple[Fraction, str]]) -> list[tuple[Fraction, str]]:
    """The time signatures, (quarter notes, `3/4`); that of the next bar for a pickup written as a short first bar.

    If its time signature comes again, it is a bar in a song that changes meter.

    >>> _with_pickup([(Fraction(0), "1/4"), (Fraction(1), "3/4")])
    [(Fraction(0, 1), '3/4'), (Fraction(1, 1), '3/4')]
    """
    if len(meters) > 1:
        (start, short), (end, full) = meters[:2]
        again = any(words == short for _, words in meters[1:])
        if start == 0 and end == bar_length(short) < bar_length(full) and not again:
            return [(start, full), *meters[1:]]
    return meters


@cache
def midi_name(number: int, sharps: int) -> str:
    """The spelling of a MIDI number nearest to the key signature on the line of fifths, an Essen note if possible.

    The notes of melodies lie on average 2.3 fifths above the signature's major tonic: the scale of C (0 sharps) reaches
    from F (-1) to B (5), and raised notes are more frequent than lowered ones. So 66 is F#4 in C and G-4 in D-.
    """
    if not LOWEST <= number <= HIGHEST:
        raise Unreadable("it has notes below C1 or above G9")
    center = sharps + MEAN_FIFTH
    fifths = sorted(range(-21, 28), key=lambda fifth: abs(fifth - center))
    names = [_name_at(number, fifth) for fifth in fifths if (7 * fifth - number) % 12 == 0]
    return next((name for name in names if name in ESSEN.index), names[0])


def _name_at(number: int, fifth: int) -> str:
    step = FIFTHS.index((fifth + 1) % 7 - 1)
    alter = (fifth - FIFTHS[step]) // 7
    octave = (number - alter - SEMITONES[step]) // 12 - 1
    return spelled(7 * octave + step, fifth)
