"""Measures of rhythm and meter, each on songs worked by hand."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from evaluation import read_back
from evaluation import rhythm_metrics as r
from melody.encoding import EncodedSong, composed, decode
from melody.meter import FREE, Opening, Rhythm
from melody.vocabulary import ESSEN_NAMES, RhythmVocabulary, Vocabulary

QUARTER, HALF, EIGHTH, LATE, WHOLE = range(5)
RHYTHMS = [Rhythm(Fraction(0), Fraction(1)), Rhythm(Fraction(0), Fraction(2)), Rhythm(Fraction(0), Fraction(1, 2)),
           Rhythm(Fraction(1), Fraction(1)), Rhythm(Fraction(0), Fraction(4))]  # fmt: skip
WALTZ, COMMON, NONE = Opening("3/4", Fraction(1)), Opening("4/4", Fraction(0)), Opening(FREE, Fraction(0))
TRANSITIONS = {
    "3/4": {Fraction(0): [QUARTER, HALF], Fraction(1): [QUARTER, HALF], Fraction(2): [QUARTER]},
    "4/4": {Fraction(beat): [QUARTER] for beat in range(4)} | {Fraction(0): [QUARTER, WHOLE]},
}
ENDINGS = {WALTZ: [Fraction(2)], COMMON: [Fraction(0)]}
KNOWN = RhythmVocabulary(RHYTHMS, {WALTZ: 3, COMMON: 3, NONE: 3}, TRANSITIONS, ENDINGS)
VOCABULARY = Vocabulary((f"{name}{octave}" for octave, names in ESSEN_NAMES.items() for name in names.split()), KNOWN)


def song(pitches, rhythms, opening=0, phrase=()):
    """A song of the vocabulary; phrases begin at the indices `phrase`."""
    pitch = np.array(VOCABULARY.encode(pitches.split()))
    marks = np.isin(np.arange(len(pitch)), phrase).astype(int)
    return composed(VOCABULARY, opening, pitch, np.array(rhythms), marks)


TUNE = song("G4 C5 B4 A4 G4 C5", [QUARTER, HALF, QUARTER, HALF, QUARTER, HALF], phrase=[0, 3])  # 3/4: 4 | 2 4 | 2 4 | 2
CLOCK = r.Clock(VOCABULARY)


def test_times_are_counted_from_the_bar_line_before_the_song():
    found = CLOCK.read(TUNE)
    assert (found.unit, found.start, found.bar, found.time_signature) == (2, 4, 6, "3/4")
    assert found.onset.tolist() == [4, 6, 10, 12, 16, 18] and found.duration.tolist() == [2, 4, 2, 4, 2, 4]
    late = CLOCK.read(song("C4 C4", [WHOLE, LATE], opening=1))
    assert late.onset.tolist() == [0, 10], "a rest comes first"


def test_what_is_not_in_one_meter_is_left_out():
    assert CLOCK.read(song("C4 D4", [QUARTER, QUARTER], opening=2)) is None, "free"
    assert CLOCK.read(TUNE._replace(rhythm=np.where(TUNE.rhythm == HALF, len(RHYTHMS), TUNE.rhythm))) is None
    moved = TUNE.beat.copy()
    moved[3] = (moved[3] + 1) % 3
    assert CLOCK.read(TUNE._replace(beat=moved)) is None, "a bar of another length"
    assert CLOCK.read(TUNE._replace(signature=len(KNOWN.signatures))) is None


def test_onset_positions_are_those_of_one_time_signature():
    assert r.onset_positions(CLOCK.read(TUNE), "3/4") == [4, 0, 4, 0, 4, 0]
    assert r.onset_positions(CLOCK.read(TUNE), "4/4") == r.onset_positions(None, "3/4") == []


def test_repeated_bars_by_hand():
    """2 4 | 2 4 | 2 without the pickup: the second bar equals the first, the last one is short; two bars before: no."""
    assert r.repeated_bars(CLOCK.read(TUNE), 1) == (1, 2)
    assert r.repeated_bars(CLOCK.read(TUNE), 2) == (0, 1)
    assert r.repeated_bars(CLOCK.read(TUNE), 4) == r.repeated_bars(None, 1) == (0, 0)


def test_shuffled_rhythms_keep_start_and_end():
    tune = CLOCK.read(TUNE)
    orders = {tuple(r.shuffled(tune, np.random.default_rng(seed)).duration.tolist()) for seed in range(9)}
    assert len(orders) > 3 and {tuple(sorted(order)) for order in orders} == {(2, 2, 2, 4, 4, 4)}
    moved = r.shuffled(tune, np.random.default_rng(0))
    assert moved.onset[0] == 4 and moved.onset[-1] + moved.duration[-1] == 22
    np.testing.assert_array_equal(moved.onset[1:], (moved.onset + moved.duration)[:-1])


def test_phrases_by_hand():
    """Phrases of three notes: G C B, A G C. Their last notes last 1 and 2 quarters, the others 1 2 and 2 1."""
    table = r.quarters(VOCABULARY)
    assert r.phrase_lengths(TUNE).tolist() == [3, 3]
    assert r.durations(TUNE, table, last=True) == (3, 2) and r.durations(TUNE, table, last=False) == (6, 4)
    other = TUNE._replace(rhythm=np.where(TUNE.rhythm == QUARTER, len(RHYTHMS), TUNE.rhythm))
    assert r.durations(other, table, last=True) == (2, 1), "what is not in the vocabulary has no duration"
    unknown = TUNE._replace(phrase=np.full(6, 2))
    assert not len(r.phrase_lengths(unknown)) and r.durations(unknown, table, last=True) == (0, 0)


def test_notes_above_the_tonic():
    above, minor = r.above_tonic(CLOCK.read(TUNE), VOCABULARY)
    assert above.tolist() == [7, 0, 11, 9, 7, 0] and not minor
    found = r.about_notes(CLOCK.read(TUNE), VOCABULARY)
    assert found[:, 0].tolist() == [False, True, False, False, False, True]
    assert found[:, 1].tolist() == found[:, 2].tolist() == [False, True, False, True, False, True]


def test_strong_beats_are_the_first_and_the_middle_of_a_bar_in_four():
    assert r.on_strong_beat(CLOCK.read(TUNE)).tolist() == [False, True, False, True, False, True]
    four = song("C4 C4 C4 C4", [QUARTER] * 4, opening=1)
    assert r.on_strong_beat(CLOCK.read(four)).tolist() == [True, False, True, False]


def test_triad_on_strong_beats_by_hand():
    """D C D C D C with C on each downbeat of 3/4: share 1. With quarters of 4/4, D is on beats 1 and 3: share 0.

    Each of ten other songs is one of both, so the mean by chance is k / 10, and 0 < k < 10 with this seed.
    """
    own = CLOCK.read(song("D4 C4 D4 C4 D4 C4", TUNE.rhythm.tolist()))
    other = CLOCK.read(song("C4 D4 C4 D4 C4 C4", [QUARTER] * 6, opening=1))
    found = r.triad_on_strong_beats([own, other, None], VOCABULARY, np.random.default_rng(0))
    assert 0 < found[0] < 1 and 10 * found[0] == pytest.approx(round(10 * found[0])) and np.isnan(found[2])
    assert r.triad_on_strong_beats([own], VOCABULARY, np.random.default_rng(0)).tolist() == [0], "against itself"


def test_a_full_song_and_two_that_are_not():
    full = decode(TUNE, VOCABULARY)
    assert r.is_full(full)
    assert not r.is_full(replace(full, rest_after=1.0)), "the last bar and the pickup are longer than a bar"
    assert not r.is_full(replace(full, duration=[*full.duration[:2], 2.0, *full.duration[3:]])), "a bar is too long"
    assert r.is_full(decode(song("C4 D4", [QUARTER, LATE], opening=2), VOCABULARY)), "free"


def test_states_of_the_automaton():
    automaton = KNOWN.automaton
    found = r.states(TUNE, automaton)
    assert automaton.beat[found].tolist() == [2, 0, 2, 0, 2, 0, 2]
    assert r.states(song("C4 C4", [QUARTER, QUARTER]), automaton) is None, "no training song ends there"
    assert r.states(song("C4 C4", [QUARTER, LATE]), automaton) is None, "no training song has it there"
    assert r.states(TUNE._replace(opening=3), automaton) is None


def test_rhythm_lines_tell_where_a_rhythm_stands():
    line = r.rhythm_line(TUNE)
    assert line[0] != line[2] or TUNE.beat[0] == TUNE.beat[2]
    assert line[1] == line[3] and (line % 1000).tolist() == TUNE.rhythm.tolist()


@pytest.mark.parametrize("suffix", read_back.WRITERS)
def test_files_are_read_back_with_full_bars(suffix, tmp_path):
    full = decode(TUNE, VOCABULARY, "tune")
    path = tmp_path / f"tune{suffix}"
    read_back.WRITERS[suffix](path, full)
    assert read_back.is_full(path, full)
    lower = replace(full, pitch=["F4", *full.pitch[1:]])
    assert not read_back.is_full(path, lower), "another note"
    assert not read_back.is_full(path, replace(full, meter="4/4")), "bars of another length"


def test_songs_without_meter_are_not_written():
    free = decode(song("C4", [QUARTER], opening=2), VOCABULARY)
    assert not read_back.shares_of_full_songs([free])


def test_an_empty_song_is_left_out():
    empty = EncodedSong(*np.zeros((3, 0), int), np.zeros(1, int), 0, 0)
    assert CLOCK.read(empty) is None and not len(r.phrase_lengths(empty))
