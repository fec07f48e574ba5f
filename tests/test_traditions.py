"""Synthetic traditions: transpositions, and each change worked by hand."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from melody.encoding import EncodedSong, decode, encode
from melody.song import Song
from melody.traditions import PITCH_CHANGES, SCALES, Tradition, Traditions, transpositions
from melody.vocabulary import ESSEN, Vocabulary
from tests.synthetic import dataset_of, tunes

PITCHES = Traditions(ESSEN)
ONE, HALF, TWICE = Fraction(1), Fraction(1, 2), Fraction(2)


def plain(names: str) -> EncodedSong:
    pitch = np.array(ESSEN.encode(names.split()), np.int32)
    zeros = np.zeros(len(pitch) + 1, np.int32)
    return EncodedSong(pitch, zeros[1:], zeros[1:], zeros, 0, 0)


def changed(names: str, pitch_change: str, fifths: int = 0) -> str | None:
    row = 0 if fifths == 0 else fifths + 7 - (fifths > 0)
    song = Tradition(PITCHES, PITCHES.transpositions[row], pitch_change, False, ONE).change(plain(names))
    return song and " ".join(ESSEN.decode(song.pitch))


def test_transposition_by_a_fifth_goes_a_fourth_down_and_spells_the_notes():
    table = transpositions(ESSEN)
    assert table[0].tolist() == list(range(76))
    up = table[1:][6]  # -6 … -1, 1 … 6 fifths: the seventh is one fifth up
    assert [ESSEN.names[up[n]] for n in ESSEN.encode(["C5", "F4", "B-4"])] == ["G4", "C4", "F4"]
    assert up[ESSEN.encode(["A2"])[0]] == -1, "E2 is not in the vocabulary"


@given(st.integers(1, 12), st.data())
def test_a_transposed_song_has_the_same_intervals(row, data):
    table = transpositions(ESSEN)[row]
    song = np.array(data.draw(st.lists(st.sampled_from(np.flatnonzero(table >= 0).tolist()), min_size=2)))
    for pitch in (np.array(ESSEN.midi), np.array(ESSEN.step)):
        np.testing.assert_array_equal(np.diff(pitch[table[song]]), np.diff(pitch[song]))


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        ("none", "C5 D5 E5 F5 G5 A5 B5 C5", "C5 D5 E5 F5 G5 A5 B5 C5"),
        ("other mode", "C5 D5 E5 F5 G5 A5 B5 C5", "C5 D5 E-5 F5 G5 A-5 B-5 C5"),
        ("other mode", "A4 B4 C5 D5 E5 F5 G5 A4", "A4 B4 C#5 D5 E5 F#5 G#5 A4"),
        ("other mode", "G4 A4 C5 G4", "G4 A4 C5 G4"),  # without a third, sixth and seventh
        ("inversion", "C5 D5 E5 G4 B4 C5", "C5 B-4 A-4 F5 D-5 C5"),
        ("pentatonic", "C5 D5 E5 F5 G5 A5 B5 C5", "C5 D5 E5 E5 G5 A5 A5 C5"),
        ("pentatonic", "A4 B4 C5 D5 E5 F5 G5 A4", "A4 C5 C5 D5 E5 E5 G5 A4"),
    ],
)
def test_a_change_of_pitch_by_hand(change, before, after):
    """The last note is the tonic: above it the steps are major or minor by the third."""
    assert changed(before, change) == after
    fifth_up = Tradition(PITCHES, PITCHES.transpositions[7], change, False, ONE).change(plain(before))
    table = transpositions(ESSEN)[7]
    np.testing.assert_array_equal(fifth_up.pitch, table[ESSEN.encode(after.split())])


@given(st.lists(st.sampled_from("G4 A4 B4 C5 D5 E5 F#5 G5".split()), min_size=1, max_size=30))
def test_the_other_mode_and_an_inversion_undo_themselves(names):
    song = " ".join([*names, "B4", "G4"])
    for change in ("other mode", "inversion"):
        assert changed(changed(song, change), change) == song
    pentatonic = changed(song, "pentatonic").split()
    assert not {"C5", "F#5"} & set(pentatonic) and changed(" ".join(pentatonic), "pentatonic").split() == pentatonic


def test_a_song_with_a_note_outside_the_vocabulary_does_not_fit():
    assert changed("A2 C3 A2", "none", fifths=1) is None, "E2"
    assert changed("A2 C7", "inversion") is None


# Rhythm

WALTZ = Song(  # 4d | 4g 4g 4g | 2a
    "a/b1", ["D4", "G4", "G4", "G4", "A4"], [1.0, 1.0, 1.0, 1.0, 2.0], [0.0] * 5, [True, False, False, True, False],
    meter="3/4", beat=[2.0, 0.0, 1.0, 2.0, 0.0], bar=[3.0] * 5, pickup=1.0)  # fmt: skip
SLOW = Song(  # the same with all times twice as long
    "a/b2", WALTZ.pitch, [2.0, 2.0, 2.0, 2.0, 4.0], [0.0] * 5, WALTZ.phrase,
    meter="3/2", beat=[4.0, 0.0, 2.0, 4.0, 0.0], bar=[6.0] * 5, pickup=2.0)  # fmt: skip


@pytest.fixture(scope="module")
def waltzes():
    songs = dataset_of([WALTZ, WALTZ, SLOW, SLOW], Vocabulary(["D4", "G4", "A4"]))
    return Traditions(songs.vocabulary), songs.vocabulary, encode(songs, songs.vocabulary)


def with_rhythm(traditions, song, merge=False, scale=ONE):
    return Tradition(traditions, traditions.transpositions[0], "none", merge, scale).change(song)


def test_note_values_doubled_and_halved(waltzes):
    """3/4 with quarters becomes 3/2 with halves; halved again it is what it was. 3/2 doubled is 3/1, unknown here."""
    traditions, vocabulary, (quick, _, slow, _) = waltzes
    doubled = with_rhythm(traditions, quick, scale=TWICE)
    for one, other in zip(doubled, slow, strict=True):
        np.testing.assert_array_equal(one, other)
    assert decode(doubled, vocabulary).meter == "3/2"
    for one, other in zip(with_rhythm(traditions, doubled, scale=HALF), quick, strict=True):
        np.testing.assert_array_equal(one, other)
    further, known = with_rhythm(traditions, slow, scale=TWICE), vocabulary.rhythm
    assert (further.signature, further.opening) == (len(known.signatures), len(known.openings))
    rhythms, halves = len(known.rhythms), [float(one.duration) for one in known.rhythms].index(4)
    assert further.rhythm.tolist() == [halves] * 4 + [rhythms], "8 quarter notes are not in the vocabulary"


def test_repeated_notes_are_merged(waltzes):
    """G G G of a quarter each: the first two become a half note; three quarters are not in the vocabulary."""
    traditions, vocabulary, (quick, *_) = waltzes
    merged = with_rhythm(traditions, quick, merge=True)
    song = decode(merged, vocabulary)
    assert (song.pitch, song.duration) == (["D4", "G4", "G4", "A4"], [1.0, 2.0, 1.0, 2.0])
    assert (list(song.beat), song.phrase) == ([2, 0, 2, 0], [True, False, True, False])
    assert [vocabulary.rhythm.beats[beat] for beat in merged.beat] == [2, 0, 2, 0, 2]


def test_every_change_leaves_a_song_that_can_be_read():
    songs = dataset_of(tunes(2))
    traditions, rng = Traditions(songs.vocabulary), np.random.default_rng(0)
    encoded, sampled = encode(songs, songs.vocabulary), [traditions.sample(rng) for _ in range(60)]
    assert {one.pitch_change for one in sampled} == set(PITCH_CHANGES)
    assert {one.merge for one in sampled} == {False, True}
    assert {one.scale for one in sampled} == set(SCALES)
    for tradition in sampled:
        for song in encoded:
            other = tradition.change(song)
            if other is None:
                continue
            count = len(other.pitch)
            assert len(other.rhythm) == len(other.phrase) == len(other.beat) - 1 == count <= len(song.pitch)
            assert (count == len(song.pitch)) or tradition.merge
            assert other.pitch.min() >= 0 and other.pitch.max() < len(songs.vocabulary)
            assert other.beat.min() >= 0 and other.beat.max() <= len(songs.vocabulary.rhythm.beats)
