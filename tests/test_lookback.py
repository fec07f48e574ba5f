"""Lookback: which candidates it finds in the song so far."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from melody import lookback

NOTES = 5


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
    last = lookback.network_inputs(np.array([[NOTES, *song]]), NOTES)[0, -1].tolist()
    assert last[0] == [NOTES, *song][-1]
    assert list(zip(last[1::2], last[2::2], strict=True)) == by_hand(song)


def test_a_new_song_has_no_candidates_from_the_song_before():
    song = np.random.default_rng(0).integers(0, NOTES, 20)
    alone = lookback.network_inputs(np.array([[NOTES, *song]]), NOTES)
    after = lookback.network_inputs(np.array([[NOTES, *song, NOTES + 1, *song]]), NOTES)[:, 21:]
    np.testing.assert_array_equal(after[0, 1:], alone[0, 1:])
    assert after[0, 0].tolist() == [NOTES + 1, NOTES, 0, NOTES, 0]


def test_songs_of_a_batch_are_independent_and_no_later_note_is_used():
    songs = np.random.default_rng(1).integers(0, NOTES, (6, 40))
    together = lookback.network_inputs(songs, NOTES)
    for song, row in zip(songs, together, strict=True):
        np.testing.assert_array_equal(lookback.network_inputs(song[None, :25], NOTES)[0], row[:25])


def test_a_lookback_searches_up_to_its_horizon():
    """The same note occurs once exactly at the horizon, and once one note beyond it."""
    for gap, length in ((lookback.HORIZON, 1), (lookback.HORIZON + 1, 0)):
        song = np.concatenate([[0, 1], np.full(gap - 2, 2), [0]])
        assert lookback.network_inputs(song[None], NOTES)[0, -1, :3].tolist() == [0, 1 if length else NOTES, length]
