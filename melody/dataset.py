"""The collection as arrays: songs.h5, the split that keeps near-duplicates together, and streams to train on.

The network reads integers: a note is its place in the vocabulary. Two more are read where a song begins, `START` or,
when the song has been moved to another key, `MOVED`; one more is to be foretold where it ends.

    read   START  n1  n2  n3        notes 0 … V-1, START = V, MOVED = V + 1
    answer    n1  n2  n3  END       notes 0 … V-1, END = V
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from melody.atomic import atomic_write, open_hdf5
from melody.errors import UserError
from melody.vocabulary import Vocabulary

COMMAND = "python preprocess.py"
WORDS = ("name", "area", "title", "key", "meter")
NOTES = {"duration": np.float32, "rest_before": np.float32, "phrase": bool}


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
    meter: list[str]

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
    """Write songs (`melody.song.Song`) as songs.h5, with the settings that made it."""
    songs = list(songs)
    sizes = [len(song.pitch) for song in songs]
    words = sum(len(getattr(song, field).encode()) + 32 for song in songs for field in WORDS)
    with atomic_write(path, 16 * sum(sizes) + 2 * words) as beside, h5py.File(beside, "w") as file:
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
    with open_hdf5(path, COMMAND) as file:
        arrays = {field: file[field][:] for field in ("pitch", *NOTES, "start")}
        words = {field: file[field].asstr()[:].tolist() for field in WORDS}
        _check_arrays(arrays, words)
    vocabulary = Vocabulary.load(data / "vocabulary.json")
    if arrays["pitch"].size and arrays["pitch"].max() >= len(vocabulary):
        raise UserError(
            f"{path} holds notes beyond {data / 'vocabulary.json'} ({vocabulary}); make both with: {COMMAND}"
        )
    return Dataset(vocabulary, **arrays, **words)


def _check_arrays(arrays: dict[str, np.ndarray], words: dict[str, list[str]]) -> None:
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
