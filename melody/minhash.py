"""Near-duplicates among more songs than can be compared with each other, by MinHash and locality-sensitive hashing.

The sets of n-grams of two songs have the same least hash with a probability of |A ∩ B| / |A ∪ B| (Broder 1997, On the
resemblance and containment of documents). So a song is compared with the songs next to it among those that have one of
its `HASHES` least hashes. Time and memory are linear in the number of songs; the least hashes are in a temporary file.
"""

import tempfile
from array import array
from collections.abc import Iterable
from hashlib import blake2b
from typing import IO, NamedTuple

import numpy as np

from melody.dataset import BLOCK
from melody.errors import UserError
from melody.split import GRAM, MIN_SHARED, MOST_EXACT, components

HASHES = 64  # of a song
NEXT = 3  # songs with the same hash that a song is compared with
CHUNK = 2**15  # pairs compared at a time
FACTORS = np.random.default_rng(0).integers(2**64, size=GRAM, dtype=np.uint64)  # of the hash of an n-gram


class Hashes(NamedTuple):
    """What is kept of songs."""

    gram: np.ndarray  # (n-grams,) uint32: those of song s, each once, are start[s]:start[s + 1]
    start: np.ndarray  # (songs + 1,) int64
    whole: np.ndarray  # (songs,) uint64, hash of all intervals


def check_installed() -> None:
    """Raises `UserError` if datasketch, which computes the least hashes, is not installed."""
    try:
        import datasketch  # noqa: F401
    except ImportError:
        packages = "pip install -r requirements-cluster.txt"
        raise UserError(f"more than {MOST_EXACT:,} songs are split with datasketch; install it: {packages}") from None


def near_duplicates(intervals: Iterable[np.ndarray], songs: int) -> np.ndarray:
    """The groups of `melody.split.near_duplicates`, (songs,) integers, but for links that are missed by chance."""
    with tempfile.TemporaryFile(buffering=0) as least:
        return _groups(hashed(intervals, songs, least), least)


def _groups(hashes: Hashes, least: IO[bytes]) -> np.ndarray:
    """The groups, given what `hashed` returns and writes."""
    songs = len(hashes.whole)
    _, first, inverse = np.unique(hashes.whole, return_index=True, return_inverse=True)
    groups = components(np.stack([np.arange(songs), first[inverse]], axis=1), songs)  # equal songs
    for k in range(HASHES):
        least.seek(4 * songs * k)
        column = np.fromfile(least, np.uint32, songs)
        order = np.argsort(column, kind="stable")
        order = order[np.diff(hashes.start)[order] > 0]
        links = [np.zeros((0, 2), int)]
        for step in range(1, NEXT + 1):
            one, other = order[:-step], order[step:]
            same = (column[one] == column[other]) & (groups[one] != groups[other])
            pairs = np.stack([one[same], other[same]], axis=1)
            links += [chunk[close(hashes, chunk)] for chunk in np.split(pairs, range(CHUNK, len(pairs), CHUNK))]
        groups = components(groups[np.concatenate(links)], songs)[groups]
    return groups


def hashed(intervals: Iterable[np.ndarray], songs: int, least: IO[bytes]) -> Hashes:
    """The hashes of songs, given their intervals; their least hashes, (HASHES, songs) uint32, are written to a file."""
    check_installed()
    from datasketch import MinHash

    minhash, gram, start = MinHash(HASHES, hashfunc=int), array("I"), np.zeros(songs + 1, np.int64)
    block, whole = np.zeros((BLOCK, HASHES), np.uint32), np.zeros(songs, np.uint64)
    for s, sequence in enumerate(intervals):
        grams = hashed_grams(sequence)
        minhash.clear()
        minhash.update_batch(grams.tolist())
        gram.frombytes(grams.tobytes())
        block[s % BLOCK], start[s + 1] = minhash.hashvalues, len(gram)
        whole[s] = int.from_bytes(blake2b(sequence.tobytes(), digest_size=8).digest())
        if s % BLOCK == BLOCK - 1 or s == songs - 1:
            for k, column in enumerate(block[: s % BLOCK + 1].T):
                least.seek(4 * (songs * k + s - s % BLOCK))
                least.write(column.tobytes())
    return Hashes(np.frombuffer(gram, np.uint32), start, whole)


def hashed_grams(sequence: np.ndarray) -> np.ndarray:
    """The hashes of a song's n-grams, each once, (n-grams,) uint32 (multiply-shift, Dietzfelbinger 1996)."""
    if len(sequence) < GRAM:
        return np.zeros(0, np.uint32)
    grams = np.lib.stride_tricks.sliding_window_view(sequence.astype(np.uint64), GRAM)
    return np.unique(((grams * FACTORS).sum(axis=1) >> np.uint64(32)).astype(np.uint32))


def close(hashes: Hashes, pairs: np.ndarray) -> np.ndarray:
    """Whether the songs of each pair, (pairs, 2), are linked, as in `melody.split.near_duplicates`: (pairs,) bool."""
    sizes = np.diff(hashes.start)[pairs]
    songs, counts = pairs.ravel(), sizes.ravel()
    begin = np.repeat(hashes.start[songs] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    of_pair = np.repeat(np.arange(len(pairs)), sizes.sum(axis=1))
    keys = np.sort((of_pair.astype(np.uint64) << np.uint64(32)) | hashes.gram[begin + np.arange(len(begin))])
    twice = keys[1:][keys[1:] == keys[:-1]] >> np.uint64(32)
    shared = np.bincount(twice.astype(int), minlength=len(pairs))
    return shared >= MIN_SHARED * sizes.min(axis=1)
