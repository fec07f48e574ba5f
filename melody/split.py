"""The grouped split: near-duplicates stay in one part."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from melody.atomic import load_json, write_json
from melody.dataset import COMMAND, Dataset, load
from melody.errors import UserError
from melody.provenance import fingerprint

PARTS = ("training", "validation", "test")
GRAM = 8  # intervals that two songs must share in a row to count as related
RELATED = 0.25  # share of a song's grams found in another that makes them near-duplicates
LARGE = 40  # songs; a larger group of near-duplicates always goes to training


def related_groups(intervals: list[np.ndarray]) -> np.ndarray:
    """Number the groups of near-duplicates: (songs,) integers, alike for songs that belong together.

    Songs i and j are linked when |G_i ∩ G_j| / |G_i| ≥ .25 for their sets G of interval 8-grams, or when their
    interval sequences are equal; a group is a connected component.
    """
    from scipy.sparse import coo_array, csr_array
    from scipy.sparse.csgraph import connected_components

    whole, grams = {}, {}
    twins, rows, columns = [], [], []
    for s, steps in enumerate(intervals):
        first = whole.setdefault(steps.tobytes(), s)
        twins.append((first, s))
        if first != s:
            continue  # so that copies cost no time: who is related to them is related to the first
        own = {steps[i : i + GRAM].tobytes() for i in range(len(steps) - GRAM + 1)}
        rows += [s] * len(own)
        columns += [grams.setdefault(gram, len(grams)) for gram in own]
    count = len(intervals)
    holds = csr_array((np.ones(len(rows), np.int32), (rows, columns)), shape=(count, max(len(grams), 1)))
    shared = coo_array(holds @ holds.T)
    i, j = shared.coords
    close = shared.data >= RELATED * holds.sum(axis=1)[i]
    links = np.concatenate([np.stack([i[close], j[close]], axis=1), np.array(twins).reshape(-1, 2)])
    return connected_components(coo_array((np.ones(len(links)), links.T), shape=(count, count)), directed=False)[1]


def grouped_split(names: list[str], intervals: list[np.ndarray], seed: int) -> dict[str, list[str]]:
    """Names of the training, validation and test songs; near-duplicates stay on one side, 10 % of songs are test.

    Groups are shuffled by the hash of the seed and their first name, so that the split is the same on every machine
    and a song more or less moves few others.
    """
    groups: dict[int, list[str]] = {}
    for group, name in sorted(zip(related_groups(intervals), names, strict=True), key=lambda pair: pair[1]):
        groups.setdefault(group, []).append(name)
    shuffled = sorted(groups.values(), key=lambda group: fingerprint(f"{seed} {group[0]}".encode()))
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    share = len(names) // 10
    for group in shuffled:
        held_out = next((part for part in ("test", "validation") if len(parts[part]) + len(group) <= share), "training")
        parts["training" if len(group) > LARGE else held_out] += group
    return {part: sorted(members) for part, members in parts.items()}


def write_split(data: Path, seed: int) -> dict[str, list[str]]:
    """Split the songs of `data` and write data/split.json."""
    songs = load(data)
    split = grouped_split(songs.name, songs.intervals, seed)
    write_json(data / "split.json", split)
    return split


def load_split(data: Path, songs: Dataset) -> dict[str, list[int]]:
    """The songs of each part, by their places in songs.h5. Raises `Problem` when split and songs do not fit."""
    split = load_json(data / "split.json", COMMAND)
    place = {name: s for s, name in enumerate(songs.name)}
    try:
        return {part: [place[name] for name in split[part]] for part in PARTS}
    except (KeyError, TypeError) as missing:
        raise UserError(f"{data / 'split.json'} does not fit songs.h5 ({missing}); make both with: {COMMAND}") from None


def split_from_held_out(songs: Dataset, held_out: dict[str, list[str]]) -> dict[str, list[int]]:
    """The split that a network was trained on: the names it holds out, as lstm.json tells them; all else is training.

    Raises `Problem` when a part has no song here.
    """
    place = {name: s for s, name in enumerate(songs.name)}
    split = {part: [place[name] for name in held_out[part] if name in place] for part in PARTS[1:]}
    for part, members in split.items():
        if not members:
            raise UserError(
                f"none of the {len(held_out[part])} {part} songs that the network has not heard is in this data; "
                f"read the collection that it was trained on: {COMMAND}"
            )
    unheard = {s for members in split.values() for s in members}
    return {"training": [s for s in range(len(songs)) if s not in unheard], **split}


def split_fingerprint(songs: Dataset, split: dict[str, list[int]]) -> str:
    """Tells two splits apart."""
    return fingerprint(json.dumps([[songs.name[s] for s in split[part]] for part in PARTS]).encode())


# What the network reads
