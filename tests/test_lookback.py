"""Lookback: which candidates it finds in the song so far."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from melody import lookback

NOTES = 5


def candidates(rows: np.ndarray) -> np.ndarray:
    """The network's input for rows of pitches."""
    return lookback.with_candidates(np.asarray(rows)[..., None], NOTES)


def by_hand(song: list[int]) -> list[tuple[int, int]]:
    """Note and match length of each candidate after the whole song, by trying every earlier position."""
    matches = []
    for position in range(1, len(song)):
        length = 0
        while length < position and song[position - 1 - length] == song[-1 - length]:
            length += 1
        if length:
            matches.append((length, position))
    candidates: list[tuple[int, int]] = []
    while matches and len(candidates) < lookback.CANDIDATES:
        length, position = max(matches)
        candidates.append((song[position], min(length, lookback.MAX_MATCH)))
        matches = [match for match in matches if song[match[1]] != song[position]]
    return candidates + [(NOTES, 0)] * (lookback.CANDIDATES - len(candidates))


@given(st.lists(st.integers(0, NOTES - 1), max_size=60))
def test_candidates_are_the_longest_match_and_the_longest_followed_by_another_note(song):
    last = candidates([[NOTES, *song]])[0, -1].tolist()
    assert last[0] == [NOTES, *song][-1]
    assert list(zip(last[1::2], last[2::2], strict=True)) == by_hand(song)


def test_a_new_song_has_no_candidates_from_the_song_before():
    song = np.random.default_rng(0).integers(0, NOTES, 20)
    alone = candidates([[NOTES, *song]])
    after = candidates([[NOTES, *song, NOTES + 1, *song]])[:, 21:]
    np.testing.assert_array_equal(after[0, 1:], alone[0, 1:])
    assert after[0, 0].tolist() == [NOTES + 1, NOTES, 0, NOTES, 0]


def test_songs_of_a_batch_are_independent_and_no_later_note_is_used():
    songs = np.random.default_rng(1).integers(0, NOTES, (6, 40))
    together = candidates(songs)
    for song, row in zip(songs, together, strict=True):
        np.testing.assert_array_equal(candidates(song[None, :25])[0], row[:25])


def test_a_lookback_searches_up_to_its_horizon():
    """The same note occurs once exactly at the horizon, and once one note beyond it."""
    for gap, length in ((lookback.HORIZON, 1), (lookback.HORIZON + 1, 0)):
        song = np.concatenate([[0, 1], np.full(gap - 2, 2), [0]])
        assert candidates(song[None])[0, -1, :3].tolist() == [0, 1 if length else NOTES, length]


def test_a_candidate_has_the_rhythm_of_its_note():
    """A B C A B: the match A B was followed by C with rhythm 2; a second candidate is not there, with rhythm 4."""
    tokens = np.array([[[5, 4], [0, 0], [1, 1], [2, 2], [0, 3], [1, 0]]])
    found = lookback.with_candidates(tokens, NOTES, rhythms=4)[0]
    assert found[-1].tolist() == [1, 0, 2, 2, 2, 5, 0, 4]
    assert found[-2].tolist() == [0, 3, 1, 1, 1, 5, 0, 4], "rhythms need not match"
    assert found[:3, 2:].tolist() == [[5, 0, 4, 5, 0, 4]] * 3


@given(st.lists(st.tuples(st.integers(0, NOTES - 1), st.integers(0, 3)), min_size=1, max_size=40))
def test_rhythms_change_no_candidate(notes):
    """Each rhythm is that of the note that followed the match; the rest is as without rhythms."""
    tokens = np.array([[[NOTES, 4], *notes]])
    found, plain = lookback.with_candidates(tokens, NOTES, rhythms=4)[0], candidates(tokens[..., 0])[0]
    np.testing.assert_array_equal(found[:, [0, 2, 3, 5, 6]], plain)
    for pitch, length, rhythm in found[-1, 2:].reshape(2, 3):
        assert (rhythm == 4) if not length else (pitch, rhythm) in notes


def test_a_control_token_is_a_further_column():
    tokens = np.random.default_rng(2).integers(0, NOTES, (3, 7, 1))
    for region_ids in (np.array([[1], [0], [2]]), np.tile([[1], [0], [2]], 7)):
        found = lookback.with_candidates(tokens, NOTES, region_ids=region_ids)
        np.testing.assert_array_equal(found[..., :-1], lookback.with_candidates(tokens, NOTES))
        np.testing.assert_array_equal(found[..., -1], np.tile([[1], [0], [2]], 7))
