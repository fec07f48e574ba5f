"""Write a song as a MIDI file: its exact score, and unless it is `plain`, metric accents and longer phrase endings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from operator import itemgetter
from pathlib import Path

import mido

from melody import key
from melody.atomic import atomic_write
from melody.errors import UserError
from melody.meter import estimate_pickup
from melody.notation import Measure, exact, measures
from melody.song import FASTEST, SLOWEST, Song, onsets, printable
from melody.vocabulary import Spelling

TICKS = 960  # per quarter note; divisible by triplets and 64ths
VELOCITY = 80  # of each note without accents, 1 to 127
# Velocities by beat. Amplitude grows about with the square of the velocity (Dannenberg 2006, The Interpretation of MIDI
# Velocity), so the steps are 1.6 and 1.7 dB: above the least audible difference, 1 dB, below that of mf and f, 3 dB.
DOWNBEAT, STRONG, WEAK = 92, 84, 76
# Factor on the duration of the last note of a phrase: a tenth, because performers lengthen phrase endings and listeners
# hardly notice a small lengthening where they expect one (Repp 1998, Variations on a Theme by Chopin).
LENGTHENING = 1.1
OFF, META, ON = range(3)  # the order of the messages of a tick


def write_midi(
    path: Path, song: Song, tempo: float, instrument: int = 0, texts: Sequence[str] = (), plain: bool = False
) -> None:
    """Write the song as a MIDI file of one track: the same song gives the same bytes.

    `tempo` is in quarter notes per minute, `instrument` a General MIDI program (0 to 127). Each of `texts` becomes a
    marker, because notation programs show text events as lyrics. Accents and longer phrase endings are velocities and
    changes of tempo: the notes are those of the score. `plain` leaves them out. Raises `UserError` for a tempo, an
    instrument or a note that MIDI cannot store.
    """
    if not SLOWEST <= tempo <= FASTEST:
        raise UserError(f"the tempo {tempo:g} is not from {SLOWEST} to {FASTEST} quarter notes per minute")
    if not 0 <= instrument <= 127:
        raise UserError(f"the instrument {instrument} is not a General MIDI program, 0 (piano) to 127")
    notes, bars = _notes(song), measures(song) if song.beat else []
    end = (notes[-1][1] if notes else 0) + round(song.rest_after * TICKS)
    events = [(tick, META, _time_signature(words)) for tick, words in _time_signatures(song, notes, bars, end)]
    for (on, off, number), velocity in zip(notes, _velocities(song, [] if plain else bars), strict=True):
        events.append((on, ON, mido.Message("note_on", note=number, velocity=velocity)))
        events.append((off, OFF, mido.Message("note_off", note=number, velocity=0)))
    if not plain:
        events += [(tick, META, _tempo(quarters)) for tick, quarters in _phrase_endings(song, notes, tempo)]
    events.append((max(end, *(tick for tick, *_ in events)), ON, mido.MetaMessage("end_of_track")))
    track = mido.MidiTrack(_headings(song, tempo, texts))
    track.append(mido.Message("program_change", program=int(instrument)))
    now = 0
    for tick, _, message in sorted(filter(itemgetter(2), events), key=itemgetter(0, 1)):
        track.append(message.copy(time=tick - now))
        now = tick
    with atomic_write(path) as temporary:
        mido.MidiFile(type=1, ticks_per_beat=TICKS, tracks=[track], charset="utf-8").save(temporary)


def _notes(song: Song) -> list[tuple[int, int, int]]:
    """The notes in order: (first tick, last tick, MIDI number). A note lasts a tick or more and overlaps none."""
    notes, free = [], 0
    for name, (start, end) in zip(song.pitch, onsets(song), strict=True):
        number = Spelling(name).midi
        if not 0 <= number <= 127:
            raise UserError(f"{name} lies outside the range of MIDI, C-1 to G9")
        on = max(free, round(start * TICKS))
        free = max(on + 1, round(end * TICKS))
        notes.append((on, free, number))
    return notes


def _headings(song: Song, tempo: float, texts: Sequence[str]) -> list:
    """The messages before the notes: title, texts, tempo, key signature."""
    meta = mido.MetaMessage
    headings = [meta("track_name", name=printable(song.title or song.name))]
    headings += [meta("marker", text=printable(text)) for text in texts]
    headings.append(_tempo(tempo))
    if song.pitch or song.key:
        headings.append(meta("key_signature", key=key.MAJOR_KEYS[key.signature(song.key, song.pitch) + 7]))
    return headings


def _tempo(quarters: float) -> mido.MetaMessage:
    return mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(quarters))


def _time_signatures(song: Song, notes: list[tuple], bars: list[Measure], end: int) -> list[tuple[int, str]]:
    """The time signatures, (tick, `3/4`), from which a reader knows the bars; that of the song if it has no `bars`.

    MIDI has no pickup: it is written as a bar of its own time signature, as MuseScore does. Where `estimate_pickup`
    would find a pickup in a song without one, the time signature is repeated at the second bar.
    """
    if not bars:
        return [(0, song.meter)]
    found = [(round(bar.start * TICKS), bar.signature) for bar in bars if bar.signature]
    words, second = bars[0].signature, round(bars[1].start * TICKS) if bars[1:] else end
    if bars[0].number == 0:
        if second not in dict(found):
            found.insert(1, (second, words))
            short = _pickup_signature(Fraction(second, TICKS), words)
            found[0] = (0, words if short in dict(found).values() else short)
    elif len(found) == 1:
        starts = [Fraction(on, TICKS) for on, _, _ in notes]
        if estimate_pickup(starts, [Fraction(off - on, TICKS) for on, off, _ in notes], words):
            found.append((round(bars[0].length * TICKS), words))
    return found


def _pickup_signature(pickup: Fraction, words: str) -> str:
    """The time signature of a bar as long as the pickup, with the denominator of the song's if possible.

    >>> _pickup_signature(Fraction(1), "6/8"), _pickup_signature(Fraction(1, 4), "3/4")
    ('2/8', '1/16')
    """
    lower = lcm((pickup / 4).denominator, int(words.partition("/")[2]))
    short = f"{pickup * lower / 4}/{lower}"
    return short if _time_signature(short) else words


def _time_signature(words: str) -> mido.MetaMessage | None:
    """The message for `3/4`; None for what MIDI cannot store, such as free meter or denominators like 5."""
    match = re.fullmatch(r"(\d{1,3})/(1|2|4|8|16|32|64)", words.strip())
    if not match or not 1 <= int(match[1]) <= 255:
        return None
    return mido.MetaMessage("time_signature", numerator=int(match[1]), denominator=int(match[2]))


def _velocities(song: Song, bars: list[Measure]) -> list[int]:
    """The velocity of each note: accents on the downbeats and strong beats of `bars`, none outside of them."""
    groups = {bar.length: beat_group(bar.signature) for bar in bars if bar.signature and bar.length}
    velocities = [VELOCITY] * len(song.pitch)
    for index, (beat, length) in enumerate(zip(song.beat, song.bar, strict=True)):
        if group := groups.get(exact(length)):
            beat = exact(beat)
            velocities[index] = WEAK if beat % group else STRONG if beat else DOWNBEAT
    return velocities


def beat_group(time_signature: str) -> Fraction:
    """Quarter notes from one strong beat to the next: groups of three, or half of a bar of an even number of pairs.

    >>> [str(beat_group(words)) for words in ("6/8", "9/8", "4/4", "8/8", "3/4", "2/4", "5/8")]
    ['3/2', '3/2', '2', '2', '3', '2', '5/2']
    """
    upper, lower = map(int, time_signature.split("/"))
    beats = 3 if upper % 3 == 0 and upper > 3 else upper // 2 if upper % 4 == 0 else upper
    return Fraction(4 * beats, lower)


def _phrase_endings(song: Song, notes: list[tuple], tempo: float) -> list[tuple[int, float]]:
    """The changes of tempo, (tick, quarter notes per minute), around the last note of each phrase."""
    changes = {}
    if any(song.phrase):
        for (on, off, _), ends in zip(notes, [*song.phrase[1:], True], strict=True):
            changes |= {on: tempo / LENGTHENING, off: tempo} if ends else {}
    return list(changes.items())
