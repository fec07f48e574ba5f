"""MIDI files: three readers read the notes that were written."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from melody.errors import UserError
from melody.formats.write_midi import TICKS, write_midi
from melody.key import best_fitting, signature, stated
from melody.song import Song, onsets
from melody.vocabulary import Spelling

mido = pytest.importorskip("mido")


def melody(pitch, duration, rest_before, **about):
    return Song("test", pitch, duration, rest_before, [False] * len(pitch), **about)


TUNE = melody(["D4", "F#4", "A4", "A4"], [1, 0.5, 1.5, 2], [0, 0, 1, 0], title="Drei Rosen", key="D major", meter="3/4")

NAMES = some.builds(
    "{}{}{}".format, some.sampled_from("CDEFGAB"), some.sampled_from(["", "#", "-"]), some.integers(1, 7)
)
TIMES = some.integers(1, 8 * TICKS).map(lambda ticks: ticks / TICKS)
RESTS = some.one_of(some.just(0.0), TIMES)


@some.composite
def melodies(draw):
    notes = draw(some.lists(some.tuples(NAMES, TIMES, RESTS), max_size=30))
    return melody(
        [n[0] for n in notes], [n[1] for n in notes], [n[2] for n in notes], title=draw(some.text(max_size=9))
    )


def read_notes(path):
    """The notes of a MIDI file: (MIDI number, begin, end), times in ticks; fails where two overlap."""
    notes, now, sounding = [], 0, None
    for message in mido.MidiFile(path).tracks[0]:
        now += message.time
        if message.type == "note_on" and message.velocity:
            assert sounding is None, "two notes sound at once"
            sounding = (message.note, now)
        elif message.type in ("note_on", "note_off"):
            assert sounding is not None and sounding[0] == message.note
            notes.append((*sounding, now))
            sounding = None
    assert sounding is None
    return notes


@settings(deadline=None)
@given(song=melodies(), tempo=some.floats(20, 300), instrument=some.integers(0, 127))
def test_write_then_read_gives_the_notes(tmp_path_factory, song, tempo, instrument):
    path = tmp_path_factory.getbasetemp() / "round.mid"
    write_midi(path, song, tempo, instrument, ["han", "seed 0"])
    want = [
        (Spelling(name).midi, round(begin * TICKS), round(end * TICKS))
        for name, (begin, end) in zip(song.pitch, onsets(song), strict=True)
    ]
    assert read_notes(path) == want


def test_drift_does_not_add_up(tmp_path):
    """Three hundred fifths of a third of a quarter each: 300 / 15 = 20 quarter notes, not 300 rounding errors."""
    write_midi(tmp_path / "a.mid", melody(["C4"] * 300, [1 / 15] * 300, [0.0] * 300), 100)
    assert read_notes(tmp_path / "a.mid")[-1][2] == 20 * TICKS


def test_headings(tmp_path):
    write_midi(tmp_path / "a.mid", TUNE, 96, 73, ["regions: 中国", "seed: 3"])
    messages = list(mido.MidiFile(tmp_path / "a.mid", charset="utf-8").tracks[0])
    by_type = {message.type: message for message in messages}
    assert by_type["track_name"].name == "Drei Rosen"
    assert [message.text for message in messages if message.type == "marker"] == ["regions: 中国", "seed: 3"]
    assert by_type["set_tempo"].tempo == 625_000 and by_type["program_change"].program == 73
    assert by_type["key_signature"].key == "D" and (
        by_type["time_signature"].numerator,
        by_type["time_signature"].denominator,
    ) == (3, 4)


def test_other_readers_agree(tmp_path):
    write_midi(tmp_path / "a.mid", TUNE, 120, 40)
    pretty_midi, converter = pytest.importorskip("pretty_midi"), pytest.importorskip("music21.converter")
    (player,) = pretty_midi.PrettyMIDI(str(tmp_path / "a.mid")).instruments
    assert player.program == 40
    assert [(note.pitch, note.start, note.end) for note in player.notes] == [
        (62, 0, 0.5), (66, 0.5, 0.75), (69, 1.25, 2), (69, 2, 3)]  # fmt: skip
    read = converter.parse(tmp_path / "a.mid").flatten().stripTies().notes
    assert [(n.pitch.midi, float(n.quarterLength)) for n in read] == [(62, 1), (66, 0.5), (69, 1.5), (69, 2)]


def test_same_song_same_bytes(tmp_path):
    for name in ("a.mid", "b.mid"):
        write_midi(tmp_path / name, TUNE, 96)
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()


def test_no_notes_and_a_title_that_is_not_utf8(tmp_path):
    write_midi(tmp_path / "a.mid", melody([], [], [], title="\udcff"), 96)
    assert read_notes(tmp_path / "a.mid") == []
    assert mido.MidiFile(file=io.BytesIO((tmp_path / "a.mid").read_bytes())).length == 0


@pytest.mark.parametrize(
    "change, words",
    [
        ({"tempo": 0}, "tempo"), ({"tempo": float("nan")}, "tempo"), ({"instrument": 128}, "instrument"),
        ({"song": melody(["C4"], [1], [])}, "rests"), ({"song": melody(["C4"], [-1], [0])}, "-1"),
        ({"song": melody(["H4"], [1], [0])}, "H4"), ({"song": melody(["C11"], [1], [0])}, "outside"),
    ],
)  # fmt: skip
def test_what_midi_cannot_store_is_an_error_and_leaves_no_file(tmp_path, change, words):
    with pytest.raises(UserError, match=words):
        write_midi(tmp_path / "a.mid", **{"song": TUNE, "tempo": 96, "instrument": 0} | change)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "key, sharps",
    [("G major", 1), ("g minor", -2), ("g", -2), ("E-", -3), ("B- minor", -5), ("*k[f#c#]", 2), ("k[]", 0), ("Am", 0),
     ("*e:", 1), ("-3", -3), ("", None), ("?", None), ("G# major", None)],
)  # fmt: skip
def test_stated_keys(key, sharps):
    assert stated(key) == sharps


def test_best_fitting_keys():
    assert best_fitting(["D4", "E4", "F#4", "G4", "A4", "B4", "C#5"]) == 2
    assert best_fitting(["E-4", "B-4", "A-4"]) == -3
    assert best_fitting([]) == 0
    assert best_fitting(["D4", "E4", "F#4", "A4", "B4"]) == 1  # D pentatonic fits one, two or three sharps
    assert signature("E- major", ["F#4"]) == -3
