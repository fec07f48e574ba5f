"""ABC: our reader and music21 read the notes, bars and texts that were written."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from music21 import converter

from melody.errors import UserError
from melody.formats import read_abc
from melody.formats.write_abc import abc, key_field, write_abc
from melody.song import Song, printable
from tests.composed import songs


def melody(pitch, duration=None, rest_before=None, **about):
    notes = len(pitch)
    about = {"phrase": [False] * notes, "title": "Rosen"} | about
    return Song("test", pitch, duration or [1.0] * notes, rest_before or [0.0] * notes, **about)


def body(song):
    """The lines after the key."""
    return abc(song).split("\nK:")[1].split("\n", 1)[1].rstrip("\n")


def read_back(song):
    return read_abc.read(abc(song, {"seed": 3}, 96).encode(), "test")[0]


def different(song, other):
    """The fields that differ of those that ABC stores."""
    names = "pitch duration rest_before beat bar pickup meter rest_after title area".split()
    return [name for name in names if getattr(song, name) != getattr(other, name)]


def test_a_song_by_hand(tmp_path):
    """3/4 in two phrases: 4d | 2g 4a | 4b 4r 8d 8d | 4.e 4.f# | 4g 2r, which with the pickup is a bar."""
    song = melody(
        ["D4", "G4", "A4", "B4", "D5", "D5", "E5", "F#5", "G4"],
        [1, 2, 1, 1.0, 0.5, 0.5, 1.5, 1.5, 1],
        [0, 0, 0, 0, 1, 0, 0, 0, 0],
        phrase=[True, False, False, False, True, False, False, False, False],
        beat=[2, 0, 2, 0, 2, 2.5, 0, 1.5, 0],
        bar=[3] * 9,
        pickup=1.0,
        rest_after=1.0,
        key="G",
        meter="3/4",
        title="Die 100% Rosen",
        area="Tirol",
    )
    write_abc(tmp_path / "a.abc", song, {"seed": 3, "regions": "han\nshanxi"}, tempo=96)
    head = "%abc-2.1|X:1|T:Die 100\\% Rosen|O:Tirol|N:seed: 3|N:regions: han shanxi|M:3/4|L:1/8|Q:1/4=96|K:G"
    text = (tmp_path / "a.abc").read_text()
    assert text == "\n".join([*head.split("|"), "D| G4 A2| B2 z2", "dd| e3f3| G2 z2|]", ""]).replace("D|", "D2|", 1)
    assert different(song, read_back(song)) == []


def test_an_accidental_holds_to_the_bar_line_and_is_repeated_in_another_octave():
    """Some readers let it hold in all octaves, others in its own, so that both need the natural of the second C."""
    song = melody(
        ["C#4", "C#4", "C5", "C#4", "B-4", "B4", "C#4", "C4", "C4"],
        meter="4/4",
        beat=[0, 1, 2, 3, 0, 1, 2, 3, 0],
        bar=[4] * 9,
        key="F",
    )
    assert body(song) == "^C2 C2 =c2 ^C2| B2 =B2 ^C2 =C2| C2|]"
    assert different(song, read_back(song)) == []


def test_a_tied_note_has_its_accidental_in_each_bar():
    song = melody(["F#4", "F#4", "C4"], [5, 3, 4], meter="4/4", beat=[0, 1, 0], bar=[4] * 3, key="C")
    assert body(song) == "^F8-| ^F2 F6| C8|]"
    assert different(song, read_back(song)) == []


def test_octaves_and_double_accidentals():
    song = melody(["C2", "C3", "C4", "C5", "C6", "F##4", "B--4"], key="C", meter="X", beat=[0] * 7, bar=[0] * 7)
    assert body(song) == "C,,2 C,2 C2 c2 c'2 ^^F2 __B2|]"
    assert read_back(song).pitch == song.pitch
    with pytest.raises(UserError, match="C###4 has more than two sharps"):
        abc(melody(["C###4"]))


def test_triplets_and_beams():
    """In 2/4: a triplet, four eighth notes, and a quarter and an eighth note of a triplet."""
    third = 1 / 3
    duration = [third] * 3 + [1] + [0.5] * 4 + [2 * third, third, 0.75, 0.25]
    beat = [0, third, 2 * third, 1, 0, 0.5, 1, 1.5, 0, 2 * third, 1, 1.75]
    song = melody(["C4"] * 12, duration, meter="2/4", beat=beat, bar=[2] * 12)
    assert body(song) == "(3CCC C2| CC CC| (3:2:2C2C C3/2C/2|]"
    assert different(song, read_back(song)) == []


@pytest.mark.parametrize(
    ("signature", "beams"), [("6/8", "CCC CCC"), ("3/8", "CCC"), ("3/4", "CC CC CC"), ("2/2", "CCCC CCCC")]
)
def test_beams_show_the_beats(signature, beams):
    notes = beams.count("C")
    beat = [index / 2 for index in range(notes)]
    song = melody(["C4"] * notes, [0.5] * notes, meter=signature, beat=beat, bar=[notes / 2] * notes)
    assert body(song) == f"{beams}|]"


def test_free_meter_has_a_line_per_phrase_and_no_bar_lines():
    song = melody(["C#4", "C4", "D4"], phrase=[True, False, True], meter="X", beat=[0] * 3, bar=[0] * 3)
    assert "\nM:none\n" in abc(song) and body(song) == "^C2 =C2\nD2|]"
    assert different(replace(song, meter=""), read_back(song)) == []


def test_changes_of_meter():
    song = melody(["C4"] * 5, [2, 2, 1, 1, 1], meter="2/4", beat=[0, 0, 2, 0, 1], bar=[2, 3, 3, 2, 2])
    assert body(song) == "C4|\nM:3/4\nL:1/8\nC4 C2|\nM:2/4\nL:1/8\nC2 C2|]"
    assert different(song, read_back(song)) == []


def test_a_song_without_phrases_has_four_bars_a_line():
    beat = [float(index % 2) for index in range(10)]
    assert body(melody(["C4"] * 10, meter="2/4", beat=beat, bar=[2] * 10)) == "C2 C2| C2 C2| C2 C2| C2 C2|\nC2 C2|]"


@pytest.mark.parametrize(
    ("key", "field"), [("G", "G"), ("d", "Dm"), ("B-", "Bb"), ("f#", "F#m"), ("k[b-]", "F"), ("", "C")]
)
def test_keys(key, field):
    assert key_field(melody(["C4"], key=key)) == field


def sounding(text):
    """Notes, rests and bar lines as music21 has them: (pitch, onset, quarter notes), tied notes joined; offsets."""
    part = converter.parseData(text, format="abc").parts[0]
    measures = [Fraction(measure.offset) for measure in part.getElementsByClass("Measure")]
    notes = part.flatten().stripTies().notes
    return [(note.nameWithOctave, Fraction(note.offset), Fraction(note.quarterLength)) for note in notes], measures


@settings(max_examples=10)
@given(song=songs())
def test_a_composed_song_is_read_back_by_two_readers(song):
    assert different(replace(song, meter=song.meter.strip("X"), title="composed"), read_back(song)) == []
    notes, measures = sounding(abc(song))
    assert [name for name, _, _ in notes] == song.pitch
    assert [float(time) for _, _, time in notes] == pytest.approx(song.duration)
    assert not song.pickup or measures[1] == Fraction(song.pickup)


@settings(max_examples=30)
@given(title=some.text(some.sampled_from("aä%\\ :|]\n"), max_size=9))
def test_titles_are_read_back(title):
    song = melody(["C4"], title=title, area=title)
    read = read_back(song)
    assert (read.title, read.area) == (printable(title or "test"), printable(title))


def test_a_tuplet_of_fifteen():
    """The second note begins a third after a bar line and ends two fifteenths after the next: it is written as such."""
    song = melody(["C4", "D4"], [1 / 3, 4 / 5], meter="1/4", beat=[0, 1 / 3], bar=[1, 1])
    assert "(15:8:" in abc(song) and read_back(song).pitch == ["C4", "D4"]
