"""Reading MIDI, and spelling MIDI numbers by the key signature."""

import pytest

from melody.formats.read_midi import midi_name
from melody.key import alterations, kern_signature
from melody.vocabulary import Spelling


def track(*events):
    """A track of (ticks since the last event, bytes)."""
    body = b"".join(bytes([ticks]) + event for ticks, event in (*events, (0, b"\xff\x2f\0")))
    return b"MTrk" + len(body).to_bytes(4, "big") + body


def midi(*tracks, quarter=8):
    head = b"MThd\0\0\0\6\0\1" + len(tracks).to_bytes(2, "big") + quarter.to_bytes(2, "big")
    return head + b"".join(tracks)


def key_signature(sharps):
    return 0, b"\xff\x59\2" + bytes([sharps % 256, 0])


def notes(*numbers, channel=0):
    """Quarter notes one after another."""
    for number in numbers:
        yield 0, bytes([0x90 + channel, number, 90])
        yield 8, bytes([0x80 + channel, number, 0])


def test_midi_notes_rests_and_meter(read):
    melody = [
        (0, b"\xff\x58\4\6\3\x18\x08"),
        (4, b"\x90\x3c\x5a"),
        (8, b"\x90\x3c\0"),
        (2, b"\x90\x3e\x5a"),
        (16, b"\x80\x3e\0"),
    ]
    song = read("a.mid", midi(track(*melody)))[0][0]
    assert (song.pitch, song.duration, song.rest_before) == (["C4", "D4"], [1, 2], [0.5, 0.25])
    assert (song.meter, song.phrase) == ("6/8", [False, False])


@pytest.mark.parametrize(
    ("sharps", "names"), [(0, ["C#4", "E-4", "F#4"]), (4, ["C#4", "D#4", "F#4"]), (-5, ["D-4", "E-4", "G-4"])]
)
def test_midi_is_spelled_by_its_key_signature(read, sharps, names):
    song = read("a.mid", midi(track(key_signature(sharps)), track(*notes(61, 63, 66))))[0][0]
    assert song.pitch == names
    assert song.key == kern_signature(alterations(sharps))


def test_eight_flats_are_read(read):
    song = read("a.mid", midi(track(key_signature(-8)), track(*notes(64, 71))))[0][0]
    assert (song.pitch, song.key) == (["F-4", "C-5"], "k[b--e-a-d-g-c-f-]")


@pytest.mark.parametrize("sharps", range(-8, 9))
def test_every_midi_number_keeps_its_sound(sharps):
    assert all(Spelling(midi_name(number, sharps)).midi == number for number in range(24, 128))


def test_midi_chords_parts_and_drums(read):
    chord = [(0, b"\x90\x3c\x5a"), (0, b"\x90\x43\x5a"), (8, b"\x80\x3c\0"), (0, b"\x80\x43\0")]
    song = read("a.mid", midi(track(*notes(36, channel=9)), track(*chord, *notes(65)), track(*notes(48))))[0][0]
    assert (song.pitch, song.chords, song.parts) == (["G4", "F4"], 1, 2)


def test_a_midi_note_ends_where_the_next_begins(read):
    song = read(
        "a.mid", midi(track((0, b"\x90\x3c\x5a"), (8, b"\x90\x3e\x5a"), (8, b"\x80\x3c\0"), (8, b"\x80\x3e\0")))
    )[0][0]
    assert (song.duration, song.rest_before) == ([1, 2], [0, 0])


def test_a_track_without_an_end_is_damaged(reason):
    assert "a track has no end" in reason("a.mid", midi(track(*notes(60, 62)))[:-8])


def test_the_pickup_is_estimated(read):
    """4d | 4. 8 4 | 2. in 3/4 under a pickup of one quarter note; a quarter note has 8 ticks."""
    time_signature = (0, b"\xff\x58\4\3\2\x18\x08")
    melody = [
        event
        for number, ticks in [(62, 8), (67, 12), (69, 4), (71, 8), (67, 24)]
        for event in ((0, bytes([0x90, number, 90])), (ticks, bytes([0x80, number, 0])))
    ]
    song = read("a.mid", midi(track(time_signature, *melody)))[0][0]
    assert (song.pickup, song.beat, song.bar) == (1, [2, 0, 1.5, 2, 0], [3] * 5)


def test_a_change_of_meter_begins_a_bar(read):
    """The change after four quarter notes leaves a pickup of one in 3/4."""
    signatures = track((0, b"\xff\x58\4\3\2\x18\x08"), (32, b"\xff\x58\4\2\2\x18\x08"))
    song = read("a.mid", midi(signatures, track(*notes(60, 62, 64, 65, 67, 69, 71))))[0][0]
    assert (song.meter, song.pickup, song.rest_after) == ("3/4", 1, 0)
    assert (song.beat, song.bar) == ([2, 0, 1, 2, 0, 1, 0], [3, 3, 3, 3, 2, 2, 2])


@pytest.mark.parametrize(
    ("third", "meter", "pickup", "beat"), [(4, "3/4", 1, [2, 0, 1, 2, 0, 1, 2]), (1, "1/4", 0, [0, 0, 1, 2, 0, 0, 0])]
)
def test_a_short_first_bar_is_a_pickup(read, third, meter, pickup, beat):
    """1/4, 3/4 after one quarter note, and after four again 4/4 or 1/4: a short bar that comes again is no pickup."""
    signatures = [(ticks, bytes([0xFF, 0x58, 4, upper, 2, 24, 8])) for ticks, upper in [(0, 1), (8, 3), (24, third)]]
    song = read("a.mid", midi(track(*signatures), track(*notes(60, 62, 64, 65, 67, 69, 71))))[0][0]
    assert (song.meter, song.pickup, song.beat) == (meter, pickup, beat)


def test_without_a_time_signature_there_are_no_bars(read):
    song = read("a.mid", midi(track(*notes(60, 62))))[0][0]
    assert (song.meter, song.beat, song.bar) == ("", [0, 0], [0, 0])
