"""Recall: what a look back over the song finds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from melody import lookback

NOTES = 5


def by_hand(song: list[int]) -> list[tuple[int, int]]:
    """Note and length of each place after the whole song, by trying every earlier place."""
    found = []
    for place in range(1, len(song)):
        length = 0
        while length < place and song[place - 1 - length] == song[-1 - length]:
            length += 1
        if length:
            found.append((length, place))
    places: list[tuple[int, int]] = []
    while found and len(places) < lookback.PLACES:
        length, place = max(found)
        places.append((song[place], min(length, lookback.LONGEST)))
        found = [one for one in found if song[one[1]] != song[place]]
    return places + [(NOTES, 0)] * (lookback.PLACES - len(places))


@given(st.lists(st.integers(0, NOTES - 1), max_size=60))
def test_the_longest_passage_is_found_and_the_longest_that_went_on_otherwise(song):
    last = lookback.network_inputs(np.array([[NOTES, *song]]), NOTES)[0, -1].tolist()
    assert last[0] == [NOTES, *song][-1]
    assert list(zip(last[1::2], last[2::2], strict=True)) == by_hand(song)


def test_a_new_song_recalls_nothing_of_the_one_before():
    song = np.random.default_rng(0).integers(0, NOTES, 20)
    alone = lookback.network_inputs(np.array([[NOTES, *song]]), NOTES)
    after = lookback.network_inputs(np.array([[NOTES, *song, NOTES + 1, *song]]), NOTES)[:, 21:]
    np.testing.assert_array_equal(after[0, 1:], alone[0, 1:])
    assert after[0, 0].tolist() == [NOTES + 1, NOTES, 0, NOTES, 0]


def test_songs_beside_each_other_do_not_hang_together_and_nothing_yet_to_come_is_recalled():
    songs = np.random.default_rng(1).integers(0, NOTES, (6, 40))
    together = lookback.network_inputs(songs, NOTES)
    for song, row in zip(songs, together, strict=True):
        np.testing.assert_array_equal(lookback.network_inputs(song[None, :25], NOTES)[0], row[:25])


def test_a_look_back_goes_so_far_and_no_further():
    """Of two passages that are alike, one comes again at the furthest place that is reached, one beyond it."""
    for gap, length in ((lookback.REACH, 1), (lookback.REACH + 1, 0)):
        song = np.concatenate([[0, 1], np.full(gap - 2, 2), [0]])
        assert lookback.network_inputs(song[None], NOTES)[0, -1, :3].tolist() == [0, 1 if length else NOTES, length]
