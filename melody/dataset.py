"""The collection as arrays: songs.h5, the split that keeps near-duplicates together, and streams to train on.

The network reads integers: a note is its place in the vocabulary. Two more are read where a song begins, `START` or,
when the song has been moved to another key, `MOVED`; one more is to be foretold where it ends.

    read   START  n1  n2  n3        notes 0 … V-1, START = V, MOVED = V + 1
    answer    n1  n2  n3  END       notes 0 … V-1, END = V
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from melody import recall
from melody.files import fingerprint, read_json, reading, replacing, write_json
from melody.stage import Problem
from melody.vocabulary import Vocabulary

MADE_BY = "python preprocess.py"
PARTS = ("training", "validation", "test")
WORDS = ("name", "area", "title", "key", "metre")
NOTES = {"duration": np.float32, "rest_before": np.float32, "phrase": bool}
GRAM = 8  # intervals that two songs must share in a row to count as related
RELATED = 0.25  # share of a song's grams found in another that makes them near-duplicates
LARGE = 40  # songs; a larger group of near-duplicates always goes to training


@dataclass
class Dataset:
    """What `preprocess.py` wrote, in memory. Song s has the notes `start[s]:start[s + 1]`."""

    vocabulary: Vocabulary
    pitch: np.ndarray  # (notes,) uint8, uint16 in a vocabulary of more than 256
    duration: np.ndarray  # (notes,) float32, quarter notes
    rest_before: np.ndarray  # (notes,) float32, quarter notes
    phrase: np.ndarray  # (notes,) bool, a phrase begins here
    start: np.ndarray  # (songs + 1,) int64
    name: list[str]
    area: list[str]
    title: list[str]
    key: list[str]
    metre: list[str]

    def __len__(self) -> int:
        return len(self.start) - 1

    def song(self, s: int) -> np.ndarray:
        """The pitches of song s, (notes,) integers of the vocabulary."""
        return self.pitch[self.start[s] : self.start[s + 1]]

    def songs(self, which: Iterable[int]) -> list[np.ndarray]:
        return [self.song(s) for s in which]

    @cached_property
    def intervals(self) -> list[np.ndarray]:
        """The steps of each song, see `steps_of`."""
        return [steps_of(song, self.vocabulary) for song in self.songs(range(len(self)))]


def steps_of(song: Sequence[int], vocabulary: Vocabulary) -> np.ndarray:
    """One integer a melodic step, (notes - 1,), alike where the diatonic and the semitone difference are alike."""
    return np.diff(np.array(vocabulary.step)[song]) * 256 + np.diff(np.array(vocabulary.midi)[song])


def write_songs(path: Path, songs: Iterable, vocabulary: Vocabulary, settings: dict) -> None:
    """Write songs (`melody.corpus.Song`) as songs.h5, with the settings that made it."""
    songs = list(songs)
    sizes = [len(song.pitch) for song in songs]
    words = sum(len(getattr(song, field).encode()) + 32 for song in songs for field in WORDS)
    with replacing(path, 16 * sum(sizes) + 2 * words) as beside, h5py.File(beside, "w") as file:
        kind = np.min_scalar_type(max(len(vocabulary), 1) - 1)  # uint8 for up to 256 notes
        file["pitch"] = _joined((vocabulary.encode(song.pitch) for song in songs), kind)
        for field, kind in NOTES.items():
            file[field] = _joined((getattr(song, field) for song in songs), kind)
        file["start"] = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        for field in WORDS:
            file[field] = np.array([getattr(song, field) for song in songs], h5py.string_dtype())
        file.attrs["settings"] = json.dumps(settings)


def _joined(parts: Iterable[Sequence], kind: type) -> np.ndarray:
    return np.concatenate([np.zeros(0, kind), *(np.asarray(part, kind) for part in parts)])


def load(data: Path) -> Dataset:
    """Read songs.h5 and vocabulary.json. Raises `Problem` when they are missing or damaged."""
    path = data / "songs.h5"
    with reading(path, MADE_BY) as file:
        arrays = {field: file[field][:] for field in ("pitch", *NOTES, "start")}
        words = {field: file[field].asstr()[:].tolist() for field in WORDS}
        _must_fit(arrays, words)
    vocabulary = Vocabulary.load(data / "vocabulary.json")
    if arrays["pitch"].size and arrays["pitch"].max() >= len(vocabulary):
        raise Problem(f"{path} holds notes beyond {data / 'vocabulary.json'} ({vocabulary}); make both with: {MADE_BY}")
    return Dataset(vocabulary, **arrays, **words)


def _must_fit(arrays: dict[str, np.ndarray], words: dict[str, list[str]]) -> None:
    """Raise `ValueError` unless the arrays of songs.h5 are of one collection."""
    start, notes = arrays["start"], len(arrays["pitch"])
    if not np.issubdtype(start.dtype, np.integer) or not np.issubdtype(arrays["pitch"].dtype, np.unsignedinteger):
        raise ValueError("pitch and start are no whole numbers")
    if any(array.ndim != 1 for array in arrays.values()) or any(len(arrays[field]) != notes for field in NOTES):
        raise ValueError("its columns are not equally long")
    if not start.size or start[0] != 0 or start[-1] != notes or (np.diff(start) < 0).any():
        raise ValueError("its songs do not follow each other")
    if any(len(column) != len(start) - 1 for column in words.values()):
        raise ValueError("not every song has its words")


# The split


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
    split = read_json(data / "split.json", MADE_BY)
    place = {name: s for s, name in enumerate(songs.name)}
    try:
        return {part: [place[name] for name in split[part]] for part in PARTS}
    except (KeyError, TypeError) as missing:
        raise Problem(f"{data / 'split.json'} does not fit songs.h5 ({missing}); make both with: {MADE_BY}") from None


def heard_split(songs: Dataset, held_out: dict[str, list[str]]) -> dict[str, list[int]]:
    """The split that a network was trained on: the names it holds out, as lstm.json tells them; all else is training.

    Raises `Problem` when a part has no song here.
    """
    place = {name: s for s, name in enumerate(songs.name)}
    split = {part: [place[name] for name in held_out[part] if name in place] for part in PARTS[1:]}
    for part, members in split.items():
        if not members:
            raise Problem(
                f"none of the {len(held_out[part])} {part} songs that the network has not heard is in this data; "
                f"read the collection that it was trained on: {MADE_BY}"
            )
    unheard = {s for members in split.values() for s in members}
    return {"training": [s for s in range(len(songs)) if s not in unheard], **split}


def split_fingerprint(songs: Dataset, split: dict[str, list[int]]) -> str:
    """Tells two splits apart."""
    return fingerprint(json.dumps([[songs.name[s] for s in split[part]] for part in PARTS]).encode())


# What the network reads


def transpositions(vocabulary: Vocabulary, furthest: int = 6) -> np.ndarray:
    """Where each note goes when a song moves 0, then -furthest … furthest places along the line of fifths.

    (moves, notes) integers; -1 where the vocabulary has no such note. Each move goes to the nearest octave: one fifth
    up is a fourth down. The first row leaves all as it is.
    """
    places = {(step, fifth): n for n, (step, fifth) in enumerate(zip(vocabulary.step, vocabulary.fifth, strict=True))}
    rows = []
    for fifths in [0, *(f for f in range(-furthest, furthest + 1) if f)]:
        steps = (4 * fifths + 3) % 7 - 3
        rows.append(
            [places.get((s + steps, f + fifths), -1) for s, f in zip(vocabulary.step, vocabulary.fifth, strict=True)]
        )
    return np.array(rows)


def read_and_answer(song: np.ndarray, notes: int, moved: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """What the network reads of a song and what it should foretell, (len(song) + 1,) each; `notes` = len(vocabulary).

    >>> [array.tolist() for array in read_and_answer(np.array([5, 7]), 76)]
    [[76, 5, 7], [5, 7, 76]]
    """
    opening = notes + 1 if moved else notes
    return np.concatenate([[opening], song]).astype(np.int32), np.concatenate([song, [notes]]).astype(np.int32)


class Streams:
    """Songs of one region after each other, cut into windows: what the network is trained on.

    A stream starts from the zero state at the beginning of a song and runs through `windows` windows of `length`
    notes, the state carried from one to the next; so the network learns that what it has read of a region tells how
    the next song will go. In an epoch each song is read once; the last of the shuffled streams, those that fill no
    batch, are left out. `told` is the share of streams whose region, a number from 1 then, is told in a last column of
    the entries, 0 in the others; when it is 0 there is no such column, and all else is the same.
    """

    def __init__(
        self,
        songs: list[np.ndarray],
        regions: Sequence[str | int],
        vocabulary: Vocabulary,
        *,
        batch: int,
        length: int,
        windows: int,
        moved: float,
        told: float = 0.0,
        rng: np.random.Generator,
    ):
        self.songs, self.regions = songs, np.array(regions)
        self.notes, self.table = len(vocabulary), transpositions(vocabulary)
        self.batch, self.length, self.windows, self.moved, self.told = batch, length, windows, moved, told
        self.rng = rng

    def _song(self, s: int) -> tuple[np.ndarray, np.ndarray]:
        song = self.songs[s]
        if self.rng.random() < self.moved:
            possible = np.flatnonzero(self.table[1:, song].min(axis=1) >= 0) + 1
            if possible.size:
                return read_and_answer(self.table[self.rng.choice(possible)][song], self.notes, moved=True)
        return read_and_answer(song, self.notes)

    def _streams(self) -> Iterator[tuple[str | int, np.ndarray]]:
        """Region and (2, windows * length): read, answer. A song cut off at the end opens the region's next stream."""
        size = self.windows * self.length
        for region in self.rng.permutation(np.unique(self.regions)):
            waiting = self.rng.permutation(np.flatnonzero(self.regions == region)).tolist()
            while waiting:
                pieces, room = [], size
                while room > 0 and waiting:
                    piece = np.stack(self._song(waiting[-1]))[:, :room]
                    whole = len(self.songs[waiting[-1]]) < room
                    room -= piece.shape[1]
                    pieces.append(piece)
                    if whole or len(pieces) == 1:
                        waiting.pop()
                if room:
                    pieces.append(np.full((2, room), -1, np.int32))
                yield region, np.concatenate(pieces, axis=1)

    def epoch(self) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
        """Batches in order: entries (batch, length, columns), answers (batch, length), whether streams begin.

        Where a stream has ended both are -1, but for what is recalled.
        """
        streams = list(self._streams())
        order, told = self.rng.permutation(len(streams)), None
        if self.told:
            told = np.where(self.rng.random(len(streams)) < self.told, [region for region, _ in streams], 0)
        for first in range(0, len(order) - self.batch + 1, self.batch):
            chosen = order[first : first + self.batch]
            block = np.stack([streams[k][1] for k in chosen])
            entries = recall.entries(block[:, 0], self.notes, None if told is None else told[chosen])
            for w in range(self.windows):
                window = slice(w * self.length, (w + 1) * self.length)
                yield entries[:, window], block[:, 1, window], w == 0
