"""The order of the states in a memory, and what is read for one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from melody import memory


@given(st.integers(1, 4).flatmap(lambda states: st.tuples(st.just(states), arrays(np.float32, (3, states * 5)))))
def test_pack_inverts_unpack(example):
    states, memories = example
    np.testing.assert_array_equal(memory.pack(memory.unpack(memories, states)), memories)


def test_states_are_side_by_side():
    """h_1 of two songs with three units, then c_1: the first memory is h_1[0], c_1[0]."""
    h, c = np.arange(6.0).reshape(2, 3), np.arange(10.0, 16.0).reshape(2, 3)
    assert memory.pack([h, c])[0].tolist() == [0, 1, 2, 10, 11, 12]


def tokens(*songs):
    """The columns of songs, each after a start: the note and ten times the note."""
    return [np.array([[9, 90], *([note, 10 * note] for note in song)]) for song in songs]


def test_an_input_sequence_is_the_end_of_its_songs_each_after_a_start():
    first, second, third = tokens([1, 2, 3], [4], [5, 6])
    row = memory.input_sequence([third, first], tokens=6)
    assert row.T.tolist() == [[5, 6, 9, 1, 2, 3], [50, 60, 90, 10, 20, 30]]
    assert memory.input_sequence([second], 3)[:, 0].tolist() == [4, 9, 4], "too short, so it is read again"


def test_a_fraction_of_the_memories_is_taken_within_the_last_song():
    songs, chosen = tokens([1, 2, 3, 4], [5, 6, 7, 8]), np.tile([0, 1], (400, 1))
    rows = memory.sample_inputs(songs, chosen, 4, 0.5, np.random.default_rng(0))
    np.testing.assert_array_equal(rows[..., 1], 10 * rows[..., 0])
    rows = rows[..., 0]
    ends, counts = np.unique(rows[:, -1], return_counts=True)
    assert ends.tolist() == [5, 6, 7, 8] and abs(counts[:3].sum() / 400 - 0.5 * 0.75) < 0.06
    assert {tuple(row) for row in rows.tolist()} == {(3, 4, 9, 5), (4, 9, 5, 6), (9, 5, 6, 7), (5, 6, 7, 8)}
    assert (memory.sample_inputs(songs, chosen, 4, 0.0, np.random.default_rng(0))[..., 0] == [5, 6, 7, 8]).all()


@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 20), st.integers(0, 9))
def test_no_song_is_sampled_twice_if_there_are_enough(songs, each, count, seed):
    chosen = memory.sample_songs(songs, each, count, np.random.default_rng(seed))
    assert chosen.shape == (count, each) and chosen.min() >= 0 and chosen.max() < songs
    if songs >= each:
        assert all(len(set(row)) == each for row in chosen.tolist())


def test_the_songs_of_a_memory_are_like_its_last_song():
    """Six songs of two kinds, a half each: without `similar` any songs meet, with it only songs of a kind."""
    descriptions = np.array([[1.0, 0.0], [0.9, 0.1], [0.8, 0.2], [0.0, 1.0], [0.1, 0.9], [0.2, 0.8]])
    chosen = memory.sample_similar_songs(descriptions, 2, 3, 300, np.random.default_rng(0))
    kinds = chosen // 3
    assert (kinds == kinds[:, :1]).all() and all(len(set(row)) == 3 for row in chosen.tolist())
    assert np.bincount(chosen[:, -1], minlength=6).min() > 30, "every song is the last one as often"
    mixed = memory.sample_similar_songs(descriptions, 0, 3, 300, np.random.default_rng(0)) // 3
    assert (mixed != mixed[:, :1]).any()


@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 20), st.integers(0, 9), st.booleans())
def test_songs_that_are_alike_are_not_sampled_twice_if_there_are_enough(songs, each, count, seed, given_last):
    """Songs that are all equal included; `last` is read last."""
    rng, last = np.random.default_rng(seed), np.arange(count) % songs if given_last else None
    chosen = memory.sample_similar_songs(np.ones((songs, 2)) / 2, 4, each, count, rng, last)
    assert chosen.shape == (count, each) and chosen.min() >= 0 and chosen.max() < songs
    assert last is None or (chosen[:, -1] == last).all()
    if min(songs - 1, 4) >= each - 1:
        assert all(len(set(row)) == each for row in chosen.tolist())
