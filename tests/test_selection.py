"""Which composed songs are kept, and the best of several."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from melody import curation
from melody.composer import Composer
from melody.encoding import EncodedSong
from melody.selection import at_least, checked, in_key, in_range
from melody.song import Song, with_bars
from melody.vocabulary import ESSEN, Spelling


def song(names, **fields):
    pitch = names.split()
    notes = len(pitch)
    return with_bars(Song("tune", pitch, [1.0] * notes, [0.0] * notes, [False] * notes, meter="3/4", **fields))


@pytest.mark.parametrize(
    ("key", "found", "missed"),
    [("G", "G", ""), ("d", "D", "not in minor"), ("a#", "C", "not in minor"), ("C", "C", "")],
)
def test_a_song_in_the_other_mode_is_moved_to_the_same_tonic_as_far_as_possible(key, found, missed):
    """There is no key A# major, which has ten sharps: the last song is left where it is."""
    moved, reason = in_key(key)(song("E4 D4 C4", key="C"))
    assert (moved.key, reason) == (found, missed)


@pytest.mark.parametrize(
    ("names", "same_key", "moved", "missed"),
    [
        ("C4 E4 G4", False, "C4 E4 G4", ""),
        ("B3 E4 G4", False, "C4 F4 A-4", ""),  # a semitone up
        ("B3 E4 G4", True, "B4 E5 G5", ""),  # an octave up, in the same key
        ("C3 E4 B4", False, "C3 E4 B4", "beyond C4 to A5"),
        ("C3 C5", True, "C3 C5", "beyond C4 to A5"),
    ],
)
def test_a_song_is_moved_into_a_range(names, same_key, moved, missed):
    found, reason = in_range("C4", "A5", same_key)(song(names))
    assert reason == missed
    assert found.pitch == moved.split()


@given(some.lists(some.sampled_from(ESSEN.names), min_size=1, max_size=12))
def test_in_range_is_in_range_or_says_that_it_is_not(names):
    found, reason = in_range("A3", "E5")(song(" ".join(names)))
    is_inside = all(57 <= Spelling(name).midi <= 76 for name in found.pitch)
    assert is_inside != bool(reason)


def test_all_that_is_missed_is_told():
    _, missed = checked(song("E4 D4 C4", key="C"), [at_least(4), in_key("d"), at_least(3)])
    assert missed == ["fewer than 4 notes", "not in minor"]


def test_the_score_by_hand():
    """A cadence on the tonic and a downbeat, no repetition, a range of 5 semitones."""
    low, high = curation.REPETITION
    expected = 1 + max(0, 1 - low / (high - low)) + max(0, 1 - (curation.RANGE[0] - 5) / 5)
    assert curation.score(song("E4 F4 D4 C4", key="C")) == pytest.approx(expected)
    assert curation.score(song("E4 F4 D4 C4 C4", key="C")) == pytest.approx(expected - 0.5), "not on a downbeat"
    assert curation.score(song("C4")) == 0


@given(some.lists(some.integers(0, 2), max_size=30))
def test_the_longest_loop(pitch):
    def loop(k):
        equal = "".join("=" if one == before else " " for one, before in zip(pitch[k:], pitch, strict=False))
        return max(map(len, equal.split()), default=0)

    assert curation.longest_loop(pitch) == max(map(loop, range(1, 5)))


def test_loops_by_hand():
    assert curation.longest_loop("C D C D C D C D".split()) == 6
    assert curation.longest_loop("G C C C C D".split()) == 3
    assert curation.longest_loop("C D E F G C D E F G".split()) == 0, "five notes are no loop"


class FakeSampler:
    """Its songs have as many notes as their memories say."""

    class shape:
        states = 1

    def compose(self, states, rngs, on_song, **options):
        for index, length in enumerate(states[0][:, 0].astype(int)):
            zeros = np.zeros(length, int)
            on_song(index, EncodedSong(zeros, zeros, zeros, np.zeros(length + 1, int), 0, 0))


class FakeSource:
    """Memories of 1, 2, 3 … notes in turn for each number."""

    def memories(self, rngs):
        sizes = [rng.integers(1, 9) for rng in rngs]
        return np.array(sizes, np.float32)[:, None], [{"size": int(size)} for size in sizes]


def compose(numbers, **settings):
    found = {}
    composer = Composer(FakeSampler(), FakeSource(), replace_rhythm(ESSEN), "a", 0, {}, **settings)
    composer.compose(numbers, found.__setitem__)
    return found


def replace_rhythm(vocabulary):
    return type(vocabulary)(vocabulary.names)


def test_a_song_is_composed_again_until_it_is_as_asked():
    found = compose([1, 2, 3, 4, 5], checks=[at_least(6)], attempts=30)
    assert sorted(found) == [1, 2, 3, 4, 5]
    assert all(len(one.song.pitch) >= 6 and not one.missed for one in found.values())
    rejected = [one.record.get("rejected", {}).get("fewer than 6 notes", 0) for one in found.values()]
    assert sum(rejected) > 0 and compose([4], checks=[at_least(6)], attempts=30)[4] == found[4]


def test_after_the_last_attempt_a_song_is_kept_and_what_it_misses_is_told():
    found = compose([7, 8], checks=[at_least(99)], attempts=3)
    assert [one.missed for one in found.values()] == [["fewer than 99 notes"]] * 2
    assert found[7].record["rejected"] == {"fewer than 99 notes": 2}


def test_the_best_of_several_candidates_is_kept():
    longest = compose([1, 2, 3], attempts=9, candidates=3, score=lambda song: len(song.pitch))
    first = compose([1, 2, 3])
    assert all(len(longest[n].song.pitch) >= len(first[n].song.pitch) for n in first) and longest != first
    assert all(one.record["score"] == len(one.song.pitch) for one in longest.values())
