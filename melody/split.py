"""The grouped split: near-duplicates are in the same part."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from melody.atomic import load_json, write_json
from melody.dataset import COMMAND, Dataset, load_blocks
from melody.errors import UserError
from melody.provenance import fingerprint

PARTS = ("training", "validation", "test")
TRAINING, VALIDATION, TEST = range(3)  # their indices
GRAM = 8  # intervals in an n-gram
MIN_SHARED = 0.25  # fraction of a song's n-grams that another song must contain to be its near-duplicate
MOST_EXACT = 30_000  # songs that are compared exactly, which takes half a GB
MAX_HELD_OUT_GROUP = 40  # songs; a larger group of near-duplicates is always in the training part


def near_duplicates(intervals: Iterable[np.ndarray], songs: int | None = None) -> np.ndarray:
    """Number the groups of near-duplicates: (songs,) integers, equal for songs of the same group.

    Songs i and j are linked when |G_i ∩ G_j| / |G_i| ≥ .25 for their sets G of interval 8-grams, or when their
    interval sequences are equal; a group is a connected component. Of more than `MOST_EXACT` songs the sets are
    estimated, see `melody.minhash`; `songs` is their number where `intervals` is no list.
    """
    songs = len(intervals) if songs is None else songs
    if songs > MOST_EXACT:
        from melody import minhash  # late: datasketch need not be installed for fewer songs

        return minhash.near_duplicates(intervals, songs)
    return _exactly(intervals, songs)


def _exactly(intervals: Iterable[np.ndarray], songs: int) -> np.ndarray:
    first_with, columns_of = {}, {}
    links, rows, columns = [], [], []
    for s, sequence in enumerate(intervals):
        first = first_with.setdefault(sequence.tobytes(), s)
        links.append((first, s))
        if first != s:
            continue  # a copy is linked to whatever its first occurrence is linked to
        grams = {sequence[i : i + GRAM].tobytes() for i in range(len(sequence) - GRAM + 1)}
        rows += [s] * len(grams)
        columns += [columns_of.setdefault(gram, len(columns_of)) for gram in grams]
    contains = csr_array((np.ones(len(rows), np.int32), (rows, columns)), shape=(songs, max(len(columns_of), 1)))
    shared = coo_array(contains @ contains.T)
    i, j = shared.coords
    close = shared.data >= MIN_SHARED * contains.sum(axis=1)[i]
    pairs = np.concatenate([np.stack([i[close], j[close]], axis=1), np.array(links).reshape(-1, 2)])
    return components(pairs, songs)


def components(pairs: np.ndarray, songs: int) -> np.ndarray:
    """The number of the connected component of each song, (songs,), from linked pairs, (pairs, 2)."""
    links = coo_array((np.ones(len(pairs), bool), pairs.T), shape=(songs, songs))
    return connected_components(links, directed=False)[1]


def grouped_split(names: list[str], intervals: Iterable[np.ndarray], seed: int) -> dict[str, list[str]]:
    """Names of the training, validation and test songs: 10 % of the songs are test, 10 % validation.

    The groups of near-duplicates are shuffled by the hash of the seed and their first name. So the split is the same
    on every machine, and adding a song changes the part of few others.
    """
    groups = near_duplicates(intervals, len(names))
    by_name = np.argsort(np.array(names, object))  # arrays, since lists of a million songs fill half a GB
    _, first, group, sizes = np.unique(groups[by_name], return_index=True, return_inverse=True, return_counts=True)
    hashes = (fingerprint(f"{seed} {names[s]}".encode()) for s in by_name[first])
    part, taken, limit = np.zeros(len(first), np.int8), [0] * len(PARTS), len(names) // 10
    for g in np.argsort(np.fromiter(hashes, "S16", len(first))):
        free = [k for k in (TEST, VALIDATION) if taken[k] + sizes[g] <= limit]
        part[g] = free[0] if free and sizes[g] <= MAX_HELD_OUT_GROUP else TRAINING
        taken[part[g]] += sizes[g]
    return {name: [names[s] for s in by_name[part[group] == k]] for k, name in enumerate(PARTS)}


def write_split(data: Path, seed: int) -> dict[str, list[str]]:
    """Split the songs of `data` and write data/split.json."""
    names = [name for songs in load_blocks(data) for name in songs.name]
    split = grouped_split(names, (one for songs in load_blocks(data) for one in songs.each_interval()), seed)
    write_json(data / "split.json", split)
    return split


def load_split(data: Path, songs: Dataset) -> dict[str, list[int]]:
    """The indices of each part's songs in songs.h5. Raises `UserError` if split and songs do not fit together."""
    split = load_json(data / "split.json", COMMAND)
    index = {name: s for s, name in enumerate(songs.name)}
    try:
        return {part: [index[name] for name in split[part]] for part in PARTS}
    except (KeyError, TypeError) as missing:
        raise UserError(f"{data / 'split.json'} does not fit songs.h5 ({missing}); make both with: {COMMAND}") from None


def split_from_held_out(songs: Dataset, held_out: dict[str, list[str]]) -> dict[str, list[int]]:
    """The split that a network was trained on: `held_out` names its validation and test songs, all others are training.

    Raises `UserError` if a part has no song here.
    """
    index = {name: s for s, name in enumerate(songs.name)}
    split = {part: [index[name] for name in held_out[part] if name in index] for part in PARTS[1:]}
    for part, members in split.items():
        if not members:
            raise UserError(
                f"none of the {len(held_out[part])} {part} songs of the network is in this data; "
                f"read the collection that it was trained on: {COMMAND}"
            )
    not_training = {s for members in split.values() for s in members}
    return {"training": [s for s in range(len(songs)) if s not in not_training], **split}


def split_fingerprint(songs: Dataset, split: dict[str, list[int]]) -> str:
    """Equal for equal splits, different for different ones."""
    return fingerprint(json.dumps([[songs.name[s] for s in split[part]] for part in PARTS]).encode())
