"""Reading kern. The melodies are invented; each file tests one feature."""

import pytest

KERN = "!!!ARE: Nowhere, Island\n!!!OTL: A made-up song\n**kern\n*M3/4\n*k[f#]\n*G:\n{}\n*-\n"


@pytest.fixture
def kern(read):
    """Read the song of these kern tokens."""
    return lambda tokens: read("song.krn", KERN.format("\n".join(tokens.split(","))))[0][0]


def test_pitch_duration_and_metadata(kern):
    song = kern("4g,8.ff#,16B-,2.CC")
    assert song.pitch == ["G4", "F#5", "B-3", "C2"]
    assert song.duration == [1, 0.75, 0.25, 3]
    assert (song.name, song.area, song.title) == ("own/song", "Nowhere, Island", "A made-up song")
    assert (song.key, song.meter, song.chords, song.parts) == ("G", "3/4", 0, 1)


def test_tied_notes_are_joined(kern):
    song = kern("[4a,2a_,8a],4a")
    assert (song.pitch, song.duration) == (["A4", "A4"], [3.5, 1])
    assert kern("[4a,[2a],4a]").duration == [4]  # the middle of a tie, as some Essen files write it


def test_a_tie_across_a_rest_or_to_another_pitch_is_ignored(kern):
    assert kern("[4a,4r,4a]").duration == [1, 1]
    assert kern("[4a,4b]").pitch == ["A4", "B4"]


def test_grace_notes_are_left_out(kern):
    assert kern("4a,8bq,16ccQ,4dd").pitch == ["A4", "D5"]


def test_rests_belong_to_the_next_note(kern):
    assert kern("8r,4a,4r,2r,4b,4c,4r").rest_before == [0.5, 3, 0]


def test_phrases_begin_at_notes(kern):
    assert kern("{4a,4b},{4r,4c,4d}").phrase == [True, False, True, False]


def test_the_highest_note_of_a_chord_is_read(kern):
    song = kern("4c 4e 4g,4f")
    assert (song.pitch, song.chords) == (["G4", "F4"], 1)


def test_triplets_are_exact(kern):
    assert sum(kern("12a,12b,12a").duration) == pytest.approx(1)


def test_free_meter_and_signature_without_a_key(read):
    song = read("a.krn", "**kern\n*MX\n*k[b-]\n4a\n*-\n")[0][0]
    assert (song.meter, song.key) == ("X", "k[b-]")


def test_the_byte_ff_is_accepted(read):
    assert read("a.krn", b"!! \xff\x85\n**kern\n4a\n*-\n")[0][0].pitch == ["A4"]


def test_of_several_spines_the_first_kern_spine_is_read(read):
    song = read("a.krn", "**text\t**kern\t**kern\nla\t4a\t4c\n.\t4b\t.\n*-\t*-\t*-\n")[0][0]
    assert (song.pitch, song.parts) == (["A4", "B4"], 2)


def test_spines_split_join_and_change_places(read):
    lines = ["**kern\t**kern", "4C\t4c", "*^\t*", "4D\t4E\t4d", "*v\t*v\t*", "*x\t*x", "4e\t4F", "*\t*^", "4f\t4G\t4B"]
    song = read("a.krn", "\n".join([*lines, "*-\t*-\t*-"]))[0][0]
    assert song.pitch == ["C3", "D3", "F3", "G3"]


def test_a_wrong_token_is_named_with_its_line(reason):
    assert reason("a.krn", "**kern\n4a\n4zz\n*-\n") == "line 3: '4zz' is not a note"


def test_bars_and_a_pickup(kern):
    song = kern("4d,=1,4g,8a,8b,4a,=2,2g,4r,==")
    assert song.beat == [2, 0, 1, 1.5, 2, 0]
    assert song.bar == [3] * 6
    assert (song.pickup, song.rest_after) == (1, 1)


def test_tied_notes_and_rests_at_bar_lines(kern):
    song = kern("4r,2g,=1,4r,4r,[4a,=2,2a],4b,==")
    assert (song.beat, song.pickup) == ([1, 2, 2], 0)


def test_triplets_have_exact_beats(kern):
    song = kern("6g,6a,6b,4g,=1,12g,12a,12b,2a,==")
    assert song.beat == [0, 2 / 3, 4 / 3, 2, 0, 1 / 3, 2 / 3, 1]


def test_bars_that_contradict_the_meter_are_ignored(kern):
    song = kern("4g,4a,4b,=1,4g,4a,4b,4g,=2,2.g,==")
    assert (song.meter, song.beat, song.bar, song.pickup) == ("3/4", [0] * 8, [0] * 8, 0)


def test_a_change_of_meter(read):
    song = read("a.krn", "**kern\n*M2/4\n4c\n4d\n=1\n*M3/4\n4e\n4f\n4g\n=2\n*MX\n4a\n4b\n==\n*-\n")[0][0]
    assert (song.beat, song.bar) == ([0, 1, 0, 1, 2, 0, 0], [2, 2, 3, 3, 3, 0, 0])


def test_genre(read):
    assert read("a.krn", "**kern\n4a\n*-\n!!!AGN: Ballade\n")[0][0].genre == "Ballade"


def test_a_line_without_the_column_of_the_spine_is_refused(reason):
    """`*x` exchanges the only spine with one that is not there."""
    assert reason("a.krn", "**kern\n4c\n*x\n4d\n*-\n") == "line 5 has no column 2, where the spine is"
