"""Near-duplicates by hashing: the groups of the exact way, but for a few links."""

import io
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from melody import dataset, minhash, split

pytest.importorskip("datasketch", reason="needs requirements-cluster.txt")
DATA = Path(os.environ.get("ESSEN_DATA", "data"))  # what preprocess.py wrote


def together(groups):
    """The number of pairs of songs in one group."""
    counts = np.unique(groups, return_counts=True)[1]
    return int((counts * (counts - 1) // 2).sum())


def both(one, other):
    return np.unique(np.stack([one, other]), axis=1, return_inverse=True)[1].ravel()


def test_copies_and_songs_that_share_most_of_their_intervals_are_one_group():
    """100 random songs of 40 intervals; each has a copy and a song with 30 of its intervals in a row, 23 of 33 n-grams;
    and two songs too short for an n-gram, which are equal."""
    rng = np.random.default_rng(0)
    songs = [rng.integers(-9, 10, 40) for _ in range(100)]
    alike = [np.concatenate([song[:30], rng.integers(-9, 10, 10)]) for song in songs]
    short = [np.array([1, 2]), np.array([1, 2]), np.array([2, 1])]
    groups = minhash.near_duplicates(iter(songs + songs + alike + short), 303)
    assert (groups[:100] == groups[100:200]).all() and (groups[:100] == groups[200:300]).all()
    assert groups[300] == groups[301] != groups[302]
    assert len(set(groups.tolist())) == 102, "nothing else is linked"


def test_close_songs_are_those_that_the_exact_way_links():
    """Song 1 has 12 8-grams, 3 of them in song 0: 3 / 12 = .25 links them; 2 / 12 does not."""
    rng = np.random.default_rng(0)
    first = rng.integers(-3, 4, 40)
    others = [np.concatenate([first[:n], rng.integers(-3, 4, 19 - n)]) for n in (10, 9)]
    hashes = minhash.hashed([first, *others], 3, io.BytesIO())
    assert minhash.close(hashes, np.array([[0, 1], [1, 0], [0, 2]])).tolist() == [True, True, False]
    assert minhash.close(hashes, np.zeros((0, 2), int)).tolist() == []


def test_many_songs_are_split_by_hashing(monkeypatch):
    rng = np.random.default_rng(1)
    songs = [rng.integers(-9, 10, 20) for _ in range(30)] * 2
    exact = split.near_duplicates(songs)
    monkeypatch.setattr(split, "MOST_EXACT", 50)
    monkeypatch.setattr(split, "_exactly", None)
    assert together(split.near_duplicates(songs)) == together(exact) == 30
    names = [f"a/b{k:02d}" for k in range(60)]
    parts = split.grouped_split(names, iter(songs), 0)
    assert sorted(name for part in parts.values() for name in part) == names


def test_a_split_by_hashing_takes_little_memory_a_song(monkeypatch):
    """Names included less than 600 bytes, of songs whose intervals fill 400."""
    minhash.check_installed()
    monkeypatch.setattr(minhash, "BLOCK", 100)
    monkeypatch.setattr(split, "MOST_EXACT", 50)
    rng, songs = np.random.default_rng(0), 4000
    sequences = (rng.integers(-9, 10, 50) for _ in range(songs))
    tracemalloc.start()
    split.grouped_split([f"copies/0000/tune{k:08d}" for k in range(songs)], sequences, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak / songs < 600


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "songs.h5").exists(), reason=f"no collection in {DATA}; preprocess.py makes it")
def test_the_groups_of_the_essen_collection():
    """Of the pairs of songs in one group nine in ten are found, and no other pair."""
    intervals = dataset.load(DATA).intervals
    exact, hashed = split.near_duplicates(intervals), minhash.near_duplicates(intervals, len(intervals))
    assert together(both(exact, hashed)) == together(hashed) >= 0.9 * together(exact)
