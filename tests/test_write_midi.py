"""MIDI files: three readers read the notes and bars that were written."""

import io
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from melody.errors import UserError
from melody.formats import read_midi
from melody.formats.write_midi import DOWNBEAT, LENGTHENING, STRONG, TICKS, VELOCITY, WEAK, beat_group, write_midi
from melody.key import best_fitting, signature, stated
from melody.song import Song, onsets
from melody.vocabulary import Spelling
from tests.composed import songs

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


# Bars

# 3/4: 4d | 2g 4a | 2b 4r | 4. 8 4 | 4g 4r, which with the pickup is a bar
WALTZ = melody(
    ["D4", "G4", "A4", "B4", "D5", "C5", "A4", "G4"],
    [1, 2, 1, 2, 1.5, 0.5, 1, 1],
    [0, 0, 0, 0, 1, 0, 0, 0],
    key="G",
    meter="3/4",
    beat=[2, 0, 2, 0, 0, 1.5, 2, 0],
    bar=[3.0] * 8,
    pickup=1.0,
    rest_after=1.0,
)


def messages(path, kind):
    """The messages of a type in the track: (tick, message)."""
    now, found = 0, []
    for message in mido.MidiFile(path).tracks[0]:
        now += message.time
        if message.type == kind:
            found.append((now, message))
    return found


def time_signatures(path):
    """(quarter notes, `3/4`) of each time signature."""
    return [(tick / TICKS, f"{m.numerator}/{m.denominator}") for tick, m in messages(path, "time_signature")]


def read_back(path):
    return read_midi.read(path.read_bytes(), "test")[0]


def different(song, other):
    """The fields that differ of those that MIDI stores."""
    names = ("duration", "rest_before", "beat", "bar", "pickup", "meter")
    fields = [name for name in names if getattr(song, name) != getattr(other, name)]
    sounds = [[Spelling(name).midi for name in one.pitch] for one in (song, other)]
    return fields + ["pitch"] * (sounds[0] != sounds[1])


def test_a_pickup_is_a_bar_of_its_own_time_signature(tmp_path):
    write_midi(tmp_path / "a.mid", WALTZ, 96)
    assert time_signatures(tmp_path / "a.mid") == [(0, "1/4"), (1, "3/4")]
    assert [tick for tick, _ in messages(tmp_path / "a.mid", "end_of_track")] == [12 * TICKS]
    assert different(WALTZ, read_back(tmp_path / "a.mid")) == []


def test_music21_reads_the_bars(tmp_path):
    converter = pytest.importorskip("music21.converter")
    write_midi(tmp_path / "a.mid", WALTZ, 96)
    measures = converter.parse(tmp_path / "a.mid").parts[0].getElementsByClass("Measure")
    assert [measure.offset for measure in measures] == [0, 1, 4, 7, 10]
    assert [[note.beat for note in measure.notes] for measure in measures] == [[1], [1, 3], [1], [1, 2.5, 3], [1]]


def test_a_time_signature_is_repeated_where_a_reader_would_estimate_another_pickup(tmp_path):
    """Quarter notes, then half notes over the bar lines: it looks like a pickup of one quarter note."""
    beat = [0, 1, 1, 1, 1, 1]
    song = melody(["G4"] * 6, [1, 2, 2, 2, 2, 1], [0.0] * 6, meter="2/4", beat=beat, bar=[2] * 6)
    write_midi(tmp_path / "a.mid", song, 96)
    assert time_signatures(tmp_path / "a.mid") == [(0, "2/4"), (2, "2/4")]
    assert different(song, read_back(tmp_path / "a.mid")) == []


def test_the_bars_of_a_song_shorter_than_a_bar(tmp_path):
    """4 2 in 4/4: the second bar, where the time signature is repeated, begins after the song."""
    song = melody(["G4"] * 2, [1, 2], [0.0] * 2, meter="4/4", beat=[0, 1], bar=[4] * 2)
    write_midi(tmp_path / "a.mid", song, 96)
    assert time_signatures(tmp_path / "a.mid") == [(0, "4/4"), (4, "4/4")]
    assert mido.MidiFile(tmp_path / "a.mid").tracks[0][-1].type == "end_of_track"
    assert different(song, read_back(tmp_path / "a.mid")) == []


def test_a_pickup_that_no_time_signature_measures(tmp_path):
    """A third of a quarter note in 2/4."""
    duration = [1 / 3, 1, 1, 2]
    song = melody(["G4"] * 4, duration, [0.0] * 4, meter="2/4", beat=[5 / 3, 0, 1, 0], bar=[2] * 4, pickup=1 / 3)
    write_midi(tmp_path / "a.mid", song, 96)
    assert time_signatures(tmp_path / "a.mid") == [(0, "2/4"), (1 / 3, "2/4")]
    assert different(song, read_back(tmp_path / "a.mid")) == []


def test_changes_of_meter(tmp_path):
    """2/4 | 3/4 | 2/4; the first bar is none of two quarter notes in 3/4, because 2/4 comes again."""
    song = melody(["G4"] * 4, [2, 2, 1, 2], [0.0] * 4, meter="2/4", beat=[0, 0, 2, 0], bar=[2, 3, 3, 2])
    write_midi(tmp_path / "a.mid", song, 96)
    assert time_signatures(tmp_path / "a.mid") == [(0, "2/4"), (2, "3/4"), (5, "2/4")]
    assert different(song, read_back(tmp_path / "a.mid")) == []


@settings(max_examples=40)
@given(song=songs())
def test_a_composed_song_is_read_back(tmp_path_factory, song):
    path = tmp_path_factory.getbasetemp() / "composed.mid"
    write_midi(path, song, 96)
    assert different(replace(song, meter=song.meter.strip("X")), read_back(path)) == []


# Accents and longer phrase endings


def velocities(path):
    return [message.velocity for _, message in messages(path, "note_on")]


def test_accents_on_downbeats_and_strong_beats(tmp_path):
    """Eight eighth notes of 4/4."""
    beat = [quarters / 2 for quarters in range(8)]
    song = melody(["G4"] * 8, [0.5] * 8, [0.0] * 8, meter="4/4", beat=beat, bar=[4.0] * 8)
    write_midi(tmp_path / "a.mid", song, 96)
    assert velocities(tmp_path / "a.mid") == [DOWNBEAT, WEAK, WEAK, WEAK, STRONG, WEAK, WEAK, WEAK]
    write_midi(tmp_path / "plain.mid", song, 96, plain=True)
    assert velocities(tmp_path / "plain.mid") == [VELOCITY] * 8
    assert WEAK < VELOCITY < STRONG < DOWNBEAT


def test_the_pickup_has_no_downbeat(tmp_path):
    write_midi(tmp_path / "a.mid", WALTZ, 96)
    assert velocities(tmp_path / "a.mid")[:3] == [WEAK, DOWNBEAT, WEAK]


def test_no_accents_without_meter(tmp_path):
    write_midi(tmp_path / "a.mid", replace(WALTZ, beat=[0] * 8, bar=[0] * 8, pickup=0.0, meter="X"), 96)
    assert velocities(tmp_path / "a.mid") == [VELOCITY] * 8
    assert time_signatures(tmp_path / "a.mid") == []


@pytest.mark.parametrize(
    ("signature", "quarters"),
    [("6/8", 1.5), ("9/8", 1.5), ("6/4", 3), ("4/4", 2), ("4/2", 4), ("2/4", 2), ("3/4", 3), ("3/8", 1.5), ("5/4", 5)],
)
def test_distances_of_strong_beats(signature, quarters):
    assert beat_group(signature) == quarters


def test_the_last_note_of_a_phrase_is_longer_by_its_tempo(tmp_path):
    """Phrases of four notes: the tempo is slower during notes 4 and 8, and the notes are those of the plain file."""
    song = replace(WALTZ, phrase=[True, False, False, False] * 2)
    write_midi(tmp_path / "a.mid", song, 96)
    write_midi(tmp_path / "plain.mid", song, 96, plain=True)
    assert read_notes(tmp_path / "a.mid") == read_notes(tmp_path / "plain.mid")
    tempi = [(tick / TICKS, message.tempo) for tick, message in messages(tmp_path / "a.mid", "set_tempo")]
    slow = round(625_000 * LENGTHENING)
    assert tempi == [(0, 625_000), (4, slow), (6, 625_000), (10, slow), (11, 625_000)]
    assert len(messages(tmp_path / "plain.mid", "set_tempo")) == 1
    longer = mido.MidiFile(tmp_path / "a.mid").length - mido.MidiFile(tmp_path / "plain.mid").length
    assert longer == pytest.approx((LENGTHENING - 1) * (2 + 1) * 0.625)


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
