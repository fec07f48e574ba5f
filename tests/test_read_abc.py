"""ABC: tunes of a book, keys, and accidentals as the ABC standard 2.1 has them."""

import re
from pathlib import Path

import pytest

from melody.formats import limits, read_abc
from melody.formats.abc_accidentals import key_of
from melody.formats.limits import Unreadable
from melody.song import Song

SIGNATURES = {  # letters with sharps or flats, by key; written out, so that nothing is shared with the reader
    "C": "", "G": "F#", "D": "F#C#", "A": "F#C#G#", "E": "F#C#G#D#", "F": "B-", "Bb": "B-E-", "Eb": "B-E-A-",
    "Am": "", "Em": "F#", "Bm": "F#C#", "F#m": "F#C#G#", "Dm": "B-", "Gm": "B-E-", "Cm": "B-E-A-",
    "Ddor": "", "Ador": "F#", "Edor": "F#C#", "Gdor": "B-", "Bdor": "F#C#G#",
    "Gmix": "", "Dmix": "F#", "Amix": "F#C#", "Emix": "F#C#G#",
}  # fmt: skip


def read_tune(tune, head=""):
    (song,) = read_abc.read(f"{head}X:1\nL:1/4\n{tune}\n".encode(), "tune")
    return song


def pitches(tune, head=""):
    return read_tune(tune, head).pitch


def pitches_by_the_standard(tune):
    """The notes of a simple tune, tied notes joined, by the rule alone; None for a tune that is not simple."""
    fields = dict(re.findall(r"^([A-Za-z]):[ \t]*(.*?)[ \t]*(?:%.*)?$", tune, re.MULTILINE))
    key = re.sub(r"[ \t]+|aj.*|in$|ian$", "", fields["K"].replace("Major", "").replace("major", ""))
    body = re.sub(r"%.*", "", tune.split("K:", 1)[1].partition("\n")[2])
    body = re.sub(r'"[^"]*"|![^!\s|]+!|\{[^}]*\}', "", body)
    if key not in SIGNATURES or re.search(r"^[A-Za-z]:(?!\|)|\[[^|0-9 ]|&|\+", body, re.MULTILINE) or "{" in tune:
        return None
    signature = dict(re.findall(r"([A-G])([#-])", SIGNATURES[key]))
    found, bar, tied = [], {}, False
    for sign, letter, octaves, tie, line in re.findall(r"([\^=_]*)([A-Ga-g])([,']*)[0-9/]*([ ]*-)?|(\|)", body):
        if line:
            bar = {}
            continue
        step = letter.upper()
        if sign:
            bar[step] = sign.replace("^", "#").replace("_", "-").replace("=", "")
        octave = 4 + letter.islower() + octaves.count("'") - octaves.count(",")
        name = f"{step}{bar.get(step, signature.get(step, ''))}{octave}"
        if not (tied and name[0] + name[-1] == found[-1][0] + found[-1][-1]):
            found.append(name)
        tied = bool(tie)
    return found


def corpus_tunes(folder):
    """The simple tunes of a collection in music21's corpus: (text, notes by the standard)."""
    music21 = pytest.importorskip("music21")
    for path in sorted((Path(music21.__file__).parent / "corpus" / folder).glob("*.abc")):
        book = path.read_text(encoding="latin-1").replace("\r\n", "\n")
        for tune in re.split(r"^(?=X:)", book, flags=re.MULTILINE)[1:]:
            tune = re.split(r"\n[ \t]*\n", tune)[0]
            if "K:" in tune and (notes := pitches_by_the_standard(tune)):
                yield tune, notes


def wrong_tunes(folder, every=1):
    """(simple tunes, those that are read with other notes, those of them with accidentals)."""
    tunes = list(corpus_tunes(folder))[::every]
    wrong, signed = [], 0
    for tune, notes in tunes:
        try:
            (song,) = read_abc.read(tune.encode(), "tune")
            same = song.pitch == notes
        except Unreadable:
            same = False
        signed += bool(re.search(r"[\^_=][A-Ga-g]", tune.split("K:", 1)[1]))
        wrong += [] if same else [tune]
    return len(tunes), wrong, signed


@pytest.mark.parametrize(
    ("folder", "every"), [("oneills1850", 24), pytest.param("ryansMammoth", 8, marks=pytest.mark.slow)]
)
def test_tunes_of_music21s_corpus_are_read_as_the_standard_says(folder, every):
    tunes, wrong, signed = wrong_tunes(folder, every)
    assert not wrong and tunes > 10 and signed > 3


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["oneills1850", "ryansMammoth"])
def test_all_tunes_of_music21s_corpus(folder):
    assert not wrong_tunes(folder)[1]


def test_an_accidental_holds_to_the_bar_line_in_all_octaves():
    assert pitches("K:G\n^c c C|c F =F f|F") == ["C#5", "C#5", "C#4", "C5", "F#4", "F4", "F5", "F#4"]
    assert pitches("K:C\n^c :|: c [^Gg] g|") == ["C#5", "C5", "G#5", "G#5"]


def test_an_accidental_of_a_tied_note_crosses_the_bar_line():
    song = read_tune("K:C\n^c-|c c|")
    assert (song.pitch, song.duration) == (["C#5", "C5"], [2, 1])


@pytest.mark.parametrize("head", ["%%propagate-accidentals octave\n", "%abc-2.1\n%%propagate-accidentals octave\n"])
def test_the_head_of_a_book_says_how_far_accidentals_reach(head):
    assert pitches("K:C\n^c C c|", head) == ["C#5", "C4", "C#5"]
    assert pitches("K:C\n^c C c|", "%abc-2.1\n") == pitches("K:C\n^c C c|") == ["C#5", "C#4", "C#5"]
    assert pitches("K:C\n^c C c|", "%%propagate-accidentals not\n") == ["C#5", "C4", "C5"]


def test_keys_meters_and_lengths_inside_a_line():
    song = read_tune("M:3/4\nK:G\nF2 G|[K:D] [M:2/4][L:1/8] c2 d2|\nK:F\nB4|")
    assert (song.pitch, song.duration) == (["F#4", "G4", "C#5", "D5", "B-4"], [2, 1, 1, 1, 2])
    assert (song.key, song.meter) == ("G", "3/4")


@pytest.mark.parametrize(
    ("field", "key", "altered"),
    [
        ("G", "G", {"F": 1}), ("Bb", "B-", {"B": -1, "E": -1}), ("F#m", "f#", {"F": 1, "C": 1, "G": 1}),
        ("A minor", "a", {}), ("E dorian", "k[f#c#]", {"F": 1, "C": 1}), ("DMix clef=bass", "k[f#]", {"F": 1}),
        ("D Phr ^f", "k[b-e-f#]", {"B": -1, "E": -1, "F": 1}),
        ("D exp _b_e ^f", "k[b-e-f#]", {"B": -1, "E": -1, "F": 1}),
        ("D =c", "k[f#]", {"F": 1}), ("HP", "k[f#c#]", {"F": 1, "C": 1}), ("Hp", "k[f#c#]", {"F": 1, "C": 1}),
        ("none", "k[]", {}), ("", "k[]", {}),
    ],
)  # fmt: skip
def test_keys(field, key, altered):
    assert key_of(field) == (key, altered)


def test_a_key_with_explicit_accidentals_is_applied():
    song = read_tune("K:D exp _b ^f\nB F C|")
    assert (song.pitch, song.key) == (["B-4", "F#4", "C4"], "k[b-f#]")
    assert pitches("K:HP\nF C G|") == ["F#4", "C#4", "G4"]


@pytest.mark.parametrize("decoration", ["+fermata+", "!fermata!", "H", "~", "u", '"^Segno"', ".", "!D.C.!"])
def test_decorations_are_no_notes(decoration):
    song = read_tune(f"K:C\nC>{decoration}D {decoration}E F{decoration}|")
    assert (song.pitch, song.duration) == (["C4", "D4", "E4", "F4"], [1.5, 0.5, 1, 1])


def test_old_chords_and_invisible_rests():
    song = read_tune("K:C\n+CEG+ x D|")
    assert (song.pitch, song.rest_before, song.chords) == (["G4", "D4"], [0, 1], 1)


@pytest.mark.parametrize("note", ["^/c", "_/c", "^3/2c", "_1/4c"])
def test_microtones_are_refused_with_the_reason(note):
    with pytest.raises(Unreadable, match="it has microtones"):
        read_tune(f"K:C\nC {note} D|")


@pytest.mark.parametrize("bar", ["C2D (5:4:3EFGC43 D", "C4D2/9999999"])
def test_bars_that_are_much_too_long_are_read_in_time(bar, monkeypatch):
    """music21 guesses a time signature for them, which takes it minutes or all memory for these."""
    monkeypatch.setattr(limits, "PATIENCE", 5)
    with limits.reading_limits():
        song = read_tune(f"M:3/4\nK:C\n{bar}|C3|D2E|")
    assert song.pitch[-3:] == ["C4", "D4", "E4"] and not any(song.bar)


def test_a_tie_to_another_pitch_is_a_slur():
    assert pitches("K:C\nC-D D-|D") == ["C4", "D4", "D4"]


def test_an_accidental_without_a_note_is_ignored():
    assert pitches("K:C\nC ^3^F G|") == ["C4", "F#4", "G4"]


def test_each_voice_has_its_key():
    book = b"X:1\nL:1/4\nK:C\nV:1\n[K:D] F\nV:2\nF\n"
    (song,) = read_abc.read(book, "tune")
    assert isinstance(song, Song) and (song.pitch, song.parts) == (["F#4"], 2)


def test_bars_and_a_pickup():
    song = read_tune("M:3/4\nK:C\nD|G A/B/ A|G2 z|]")
    assert (song.beat, song.bar) == ([2, 0, 1, 1.5, 2, 0], [3] * 6)
    assert (song.pickup, song.rest_after) == (1, 1)


def test_a_tune_of_two_bars():
    song = read_tune("M:6/8\nL:1/8\nK:G\ndBG d2d|dcB A3|]")
    assert (song.beat[3:6], set(song.bar)) == ([1.5, 2.5, 0], {3})


def test_a_bar_divided_by_a_repeat_sign():
    song = read_tune("M:3/4\nK:C\nD|G A B|G2:|D|G A B|G2|]")
    assert song.beat == [2, 0, 1, 2, 0, 2, 0, 1, 2, 0]


def test_bars_that_contradict_the_meter_are_ignored():
    song = read_tune("M:3/4\nK:C\nG A B|C D E F|G3|]")
    assert (song.meter, song.bar, song.pickup) == ("3/4", [0] * 8, 0)


# Books

BOOK = """M:3/4
L:1/4

X:1
T:First % a remark
O:Nowhere
K:G
"G"G A {c}B-|B z [Gd]|]

Words between the tunes.

X:2
K:C
[[[

X:2
K:Em
E F/2G/2 (3ABc|
"""


def test_a_book_of_tunes_one_broken(read):
    (first, second), broken = read("book.abc", BOOK)
    assert (first.name, first.pitch, first.duration) == ("own/book/book#1", ["G4", "A4", "B4", "D5"], [1, 1, 2, 1])
    assert (first.rest_before, first.chords) == ([0, 0, 0, 1], 1)
    assert (first.title, first.area, first.key, first.meter) == ("First", "Nowhere", "G", "3/4")
    assert (second.name, second.key, second.pitch[1]) == ("own/book/book#2.2", "e", "F#4")
    assert [tune.tune for tune in broken] == ["2"]


def test_a_single_tune_has_the_files_name(read):
    song = read("tune.abc", "X:7\nK:C\nV:1\nC2 D2|\nV:2\nE2 F2|\n")[0][0]
    assert (song.name, song.pitch, song.duration, song.parts) == ("own/tune", ["C4", "D4"], [1, 1], 2)


@pytest.mark.parametrize("meter", ["2+2+3/8", "(2+2+3)/8", "(2 + 2 + 3) / 8"])
def test_the_groups_of_a_meter_are_added(meter):
    song = read_tune(f"M:{meter}\nL:1/8\nK:C\nC2 D2 E3 | F2 G2 A3 | [M:{meter}] C7 |")
    assert (song.meter, song.bar) == ("7/8", [3.5] * 7)


@pytest.mark.parametrize("meter", ["6,82L:1/8", "' (5:4:3efgab2/4", "1234/4", "99+1/4", "0/4", "x/4"])
def test_a_meter_that_music21_takes_minutes_for_is_refused(meter):
    with pytest.raises(Unreadable, match=r"its meter is .* beats; 1 to 99 are read"):
        read_tune(f"M:{meter}\nK:C\nC D E F|")
