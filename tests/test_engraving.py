"""Scores: what is written as kern or MusicXML is read as the same notes, and the engraved score shows them."""

import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from melody.errors import UserError
from melody.formats import write_kern, write_musicxml
from melody.formats.corpus import read_songs
from melody.listen import engraving
from melody.notation import measures
from melody.song import Song
from tests import composed

NAMES = some.builds(
    "{}{}{}".format, some.sampled_from("CDEFGAB"), some.sampled_from(["", "#", "-"]), some.integers(2, 7)
)
PARTS = some.sampled_from([1, 2, 3, 4, 6, 8, 12, 16, 24, 32])
TIMES = some.builds(lambda count, part: count / part, some.integers(1, 40), PARTS)


@some.composite
def melodies(draw, least=0):
    notes = draw(
        some.lists(some.tuples(NAMES, TIMES, some.just(0.0) | TIMES, some.booleans()), min_size=least, max_size=30)
    )
    pitch, duration, rest, phrase = ([note[column] for note in notes] for column in range(4))
    return Song(
        "test", pitch, duration, rest, phrase, title=draw(some.text(some.characters(codec="ascii"), max_size=9))
    )


def melody(pitch, duration=None, rest_before=None, **about):
    notes = len(pitch)
    about = {"phrase": [False] * notes} | about
    return Song("test", pitch, duration or [1.0] * notes, rest_before or [0.0] * notes, **about)


def read(text, suffix, folder):
    path = folder / f"read{suffix}"
    path.write_text(text, encoding="utf-8")
    return read_songs(path, folder)[0]


def same(first, second, names=("pitch", "duration", "rest_before", "phrase")):
    for name in names:
        value = getattr(second, name)
        times = ("duration", "rest_before", "beat", "bar")
        assert getattr(first, name) == (pytest.approx(value, abs=1e-6) if name in times else value), name


@settings(deadline=None, max_examples=50)
@given(song=melodies(least=1))
def test_kern_written_then_read_gives_the_notes(tmp_path_factory, song):
    same(song, read(write_kern.kern(song), ".krn", tmp_path_factory.getbasetemp()))


def test_kern_by_hand():
    """A dotted quarter F#5 opens a phrase; five sixteenths of rest are 4 + 16; five quarters of B-2 are tied 1 + 4."""
    song = melody(["F#5", "B-2"], [1.5, 5.0], [0.0, 1.25], phrase=[True, False], key="G", meter="3/4", title="Rosen")
    head = "!!!OTL: Rosen|!!!seed: 3|!!!regions: han shanxi|**kern|*k[f#]|*G:|*M3/4"
    text = write_kern.kern(song, {"seed": 3, "regions": "han\nshanxi"})
    assert text == f"{head}|{{4.ff#|4r|16r|[1BB-|4BB-]}}|==|*-|".replace("|", "\n")


WALTZ = Song(  # 4c | 2d 4e tied to the next bar | 4e 2f | 4g 4r: the last bar is full with the pickup
    "waltz",
    ["C4", "D4", "E4", "F4", "G4"],
    [1.0, 2.0, 2.0, 2.0, 1.0],
    [0.0] * 5,
    [True, False, False, True, False],
    meter="3/4",
    key="C",
    beat=[2.0, 0.0, 2.0, 1.0, 0.0],
    bar=[3.0] * 5,
    pickup=1.0,
    rest_after=1.0,
)


def test_kern_with_bars_by_hand():
    text = write_kern.kern(WALTZ)
    notes = "{4c|=1|2d|[4e|=2|4e]}|{2f|=3|4g}|4r|==|*-|"
    assert text == f"**kern|*k[]|*C:|*M3/4|{notes}".replace("|", "\n")
    assert "*M3/4\n=1-\n4c\n" in write_kern.kern(replace(WALTZ, beat=[0.0, 1.0, 0.0, 2.0, 1.0], phrase=[False] * 5))


def test_musicxml_with_bars_by_hand():
    """The pickup is number 0 and implicit; the tie crosses the bar line; the phrase ends there with a breath mark."""
    tree = ElementTree.fromstring(write_musicxml.musicxml(WALTZ))
    bars = list(tree.iter("measure"))
    assert [(bar.get("number"), bar.get("implicit")) for bar in bars] == [
        ("0", "yes"),
        ("1", "no"),
        ("2", "no"),
        ("3", "no"),
    ]
    assert [len(list(bar.iter("tie"))) for bar in bars] == [0, 1, 1, 0]
    assert [[note.findtext(".//step") for note in bar.iter("note")] for bar in bars] == [
        ["C"],
        ["D", "E"],
        ["E", "F"],
        ["G", None],
    ]
    (breath,) = (note for note in tree.iter("note") if note.find(".//breath-mark") is not None)
    assert breath.findtext(".//step") == "E" and breath.find("tie").get("type") == "stop"
    assert tree.findtext(".//beats") + tree.findtext(".//beat-type") == "34"


def test_a_line_begins_with_the_measure_nearest_to_a_phrase():
    """Phrases of four bars begin with an upbeat: the line begins after it. Without phrases a line has four bars."""
    beats = [float(onset % 3) for onset in range(2, 26)]
    phrase = [index in (0, 12) for index in range(24)]
    song = Song("a", ["C4"] * 24, [1.0] * 24, [0.0] * 24, phrase, meter="3/4", beat=beats, bar=[3.0] * 24, pickup=1.0)
    assert write_musicxml.line_starts(measures(song)) == {5}
    assert write_musicxml.line_starts(measures(replace(song, phrase=[False] * 24))) == {5}
    long = replace(song, duration=[0.25] * 24, beat=[], bar=[], phrase=[True] * 24)
    assert write_musicxml.line_starts(measures(long)) == set(range(1, 24))  # free meter: a line is a phrase


def test_a_last_bar_of_half_a_bar_of_rest_is_read_back(tmp_path):
    """4/2 with a pickup of two half notes: a whole rest alone would be read as a rest of the full bar."""
    beat, pickup = [4.0, 6.0, 0.0, 4.0], {"pickup": 4.0, "rest_after": 4.0}
    song = melody(["C4"] * 4, [2.0, 2.0, 4.0, 4.0], meter="4/2", beat=beat, bar=[8.0] * 4, **pickup)
    same(song, read(write_musicxml.musicxml(song), ".musicxml", tmp_path), FIELDS)


FIELDS = ("pitch", "duration", "rest_before", "phrase", "beat", "bar", "meter", "pickup", "rest_after")


@settings(max_examples=20)
@given(song=composed.songs())
def test_composed_songs_written_as_kern_are_read_as_the_same_songs(tmp_path_factory, song):
    same(song, read(write_kern.kern(song), ".krn", tmp_path_factory.getbasetemp()), FIELDS)


@settings(max_examples=5)
@given(song=composed.songs())
def test_composed_songs_written_as_musicxml_are_read_as_the_same_songs(tmp_path_factory, song):
    same(song, read(write_musicxml.musicxml(song), ".musicxml", tmp_path_factory.getbasetemp()), FIELDS)


@pytest.mark.slow
@settings(max_examples=300)
@given(song=composed.songs())
def test_many_composed_songs_are_read_as_the_same_songs(tmp_path_factory, song):
    for text, suffix in ((write_kern.kern(song), ".krn"), (write_musicxml.musicxml(song), ".musicxml")):
        same(song, read(text, suffix, tmp_path_factory.getbasetemp()), (*FIELDS, *["key"] * bool(song.key)))


def test_kern_without_notes_and_of_an_invalid_song(tmp_path):
    assert write_kern.kern(melody([])).startswith("**kern\n*k[]\n==")
    with pytest.raises(UserError, match="1 pitches, 2 durations"):
        write_kern.write_kern(tmp_path / "a.krn", melody(["C4"], [1.0, 1.0]))
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def tune():
    """Eight notes in two phrases, in E flat with an F sharp and an E natural."""
    return melody(
        ["E-4", "G4", "F#4", "B-4", "F#4", "E4", "A-4", "E-4"],
        [1, 0.5, 0.5, 1.25, 1 / 3, 1 / 3, 1 / 3, 2],
        [0, 0, 0, 0, 1, 0, 0, 0],
        phrase=[True, False, False, False, True, False, False, False],
        title='Rosen <"&>',
        key="E-",
    )


def sounding(text):
    """(pitch, quarter notes) of each note of a MusicXML as music21 has it, tied notes joined; a rest's pitch is ""."""
    from music21 import converter

    part = converter.parseData(text, format="musicxml").flatten().stripTies().notesAndRests
    return [(item.nameWithOctave if item.isNote else "", item.quarterLength) for item in part]


def test_preprocessing_reads_the_musicxml_as_the_same_song(tune, tmp_path):
    fields = ("pitch", "duration", "rest_before", "phrase", "title", "key")
    same(tune, read(write_musicxml.musicxml(tune), ".musicxml", tmp_path), fields)


def test_musicxml_is_read_as_the_same_notes(tune):
    text = write_musicxml.musicxml(tune, {"seed": 3, "regions": "han <b>"})
    assert sounding(text) == [
        ("E-4", 1),
        ("G4", 0.5),
        ("F#4", 0.5),
        ("B-4", 1.25),
        ("", 1),
        ("F#4", Fraction(1, 3)),
        ("E4", Fraction(1, 3)),
        ("A-4", Fraction(1, 3)),
        ("E-4", 2),
    ]
    tree = ElementTree.fromstring(text)
    assert tree.findtext(".//work-title") == 'Rosen <"&>'
    assert tree.findtext(".//fifths") == "-3"
    assert {field.get("name"): field.text for field in tree.iter("miscellaneous-field")} == {
        "seed": "3",
        "regions": "han <b>",
    }
    # One accidental for each note outside the key; the second F sharp stands on a new line, so it needs its own.
    assert [sign.text for sign in tree.iter("accidental")] == ["sharp", "sharp", "natural", "flat"]
    assert len(list(tree.iter("measure"))) == 2 and tree.find(".//senza-misura") is not None


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(song=melodies(least=1))
def test_musicxml_of_any_song_is_read_as_the_same_notes(song):
    notes = sounding(write_musicxml.musicxml(song))
    assert [name for name, _ in notes if name] == song.pitch
    assert [float(time) for name, time in notes if name] == pytest.approx(song.duration)
    assert float(sum(time for name, time in notes if not name)) == pytest.approx(sum(song.rest_before))


def test_a_note_tied_to_a_natural_is_one_note():
    """Thirteen quarters of D natural after D sharp are two tied notes, of which only the first shows its sign."""
    text = write_musicxml.musicxml(melody(["D#4", "D4"], [1.0, 13.0]))
    assert sounding(text) == [("D#4", 1), ("D4", 13)]
    assert text.count("<accidental>natural") == 1


def test_the_same_song_gives_the_same_score(tune):
    program = (
        "import sys; from melody.formats.write_musicxml import musicxml; from melody.listen.engraving import svg\n"
        "from melody.song import Song\n"
        f"song = {tune!r}\nsys.stdout.write(musicxml(song) + svg(song))"
    )
    text = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True).stdout
    assert text == write_musicxml.musicxml(tune) + engraving.svg(tune)
    assert "encoding-date" not in text


def test_the_engraved_score_shows_each_note(tune):
    tree = ElementTree.fromstring(engraving.svg(tune))
    classes = [element.get("class") for element in tree.iter() if element.get("class")]
    assert classes.count("note") == 9  # the B flat of five sixteenths is two tied notes
    assert classes.count("rest") == 1 and classes.count("system") == 2
    assert 'Rosen <"&>' in [element.text for element in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert "Rosen" not in engraving.svg(tune, title=False)


def test_long_titles_fit_the_picture(tune):
    picture = engraving.svg(replace(tune, title="A very long title " * 20))
    width = int(re.search(r'viewBox="0 -40 (\d+)', picture)[1])
    size = float(re.search(r'<text [^>]*font-size="([\d.]+)"', picture)[1])
    assert size * 0.6 * 360 < width


def test_unusual_songs_are_engraved():
    for song in (melody([]), melody(["A1"], [0.0]), melody(["C4"], title="\ud800\x00\n")):
        ElementTree.fromstring(engraving.svg(song))
        ElementTree.fromstring(write_musicxml.musicxml(song))
    assert "<sign>F</sign>" in write_musicxml.musicxml(melody(["A1"]))


def test_a_generated_song_is_spelled_in_its_key():
    """Five notes of D major: the signature has no more signs than they need, and no note carries one."""
    text = write_musicxml.musicxml(melody(["D4", "F#4", "A4", "C#5", "B4"]))
    assert "<fifths>2</fifths>" in text and "<accidental>" not in text


def test_the_command_writes_both_scores(tmp_path, monkeypatch, capsys, tune):
    write_kern.write_kern(tmp_path / "a.krn", tune)
    monkeypatch.setattr(sys, "argv", ["engraving", str(tmp_path / "a.krn")])
    engraving.main()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.krn", "a.musicxml", "a.svg"]
    assert "a.musicxml" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"hello", b"MThd\0\0\0\x06\0\x01\0\x01\x01\xe0MTrk\0\0\0\x50\0", bytes(100)])
def test_the_command_goes_on_after_an_unreadable_file_and_lists_it(tmp_path, monkeypatch, capsys, tune, content):
    (tmp_path / "bad.mid").write_bytes(content)
    write_kern.write_kern(tmp_path / "good.krn", tune)
    monkeypatch.setattr(sys, "argv", ["engraving", str(tmp_path)])
    with pytest.raises(SystemExit) as end:
        engraving.main()
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert end.value.code == 1 and line.startswith("error: ") and "bad.mid" in line
    assert {path.name for path in tmp_path.iterdir()} == {"bad.mid", "good.krn", "good.musicxml", "good.svg"}


def test_a_missing_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["engraving", str(tmp_path / "gone.mid")])
    with pytest.raises(UserError, match=r"gone\.mid"):
        engraving.main()


def test_unreadable_tunes_of_a_book_are_listed(tmp_path, monkeypatch, capsys):
    (tmp_path / "book.abc").write_text("X:1\nT:a\nK:C\nCDE|\n\nX:2\nT:b\nK:C\n\n")
    monkeypatch.setattr(sys, "argv", ["engraving", str(tmp_path / "book.abc")])
    with pytest.raises(SystemExit):
        engraving.main()
    assert "book.abc#2" in capsys.readouterr().err
    assert len(list(tmp_path.glob("*.svg"))) == 1
