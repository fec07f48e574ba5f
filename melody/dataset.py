"""The songs as arrays: what songs.h5 holds, written and loaded. A pitch is an integer, its index in the vocabulary."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from melody.atomic import atomic_write, open_hdf5
from melody.errors import UserError
from melody.song import LONGEST, Song
from melody.vocabulary import Vocabulary

COMMAND = "python preprocess.py"
BLOCK = 10_000  # songs in memory at a time, where not all need to be
NOTE_FIELDS = dict.fromkeys(("duration", "rest_before", "beat", "bar"), np.float32) | {"phrase": bool}  # and `pitch`
SONG_FIELDS = ("pickup", "rest_after")  # one float32 per song
ARRAYS = ("pitch", *NOTE_FIELDS, *SONG_FIELDS, "start")
TEXT_FIELDS = ("name", "area", "title", "key", "meter", "genre")  # one text per song
SHARED_TEXTS = ("area", "key", "meter", "genre")  # that many songs have, and memory holds once


@dataclass
class Dataset:
    """The songs of `preprocess.py`, one after another. Song s has the notes `start[s]:start[s + 1]`."""

    vocabulary: Vocabulary
    pitch: np.ndarray  # (notes,) uint8, or uint16 if the vocabulary has more than 256 notes
    duration: np.ndarray  # (notes,) float32, quarter notes
    rest_before: np.ndarray  # (notes,) float32, quarter notes
    beat: np.ndarray  # (notes,) float32, quarter notes from the bar line to the onset
    bar: np.ndarray  # (notes,) float32, length of that bar in quarter notes, 0 without meter
    phrase: np.ndarray  # (notes,) bool, whether a phrase begins here
    pickup: np.ndarray  # (songs,) float32, quarter notes before the first bar line
    rest_after: np.ndarray  # (songs,) float32, quarter notes of rest after the last note
    start: np.ndarray  # (songs + 1,) int64
    name: list[str]
    area: list[str]
    title: list[str]
    key: list[str]
    meter: list[str]
    genre: list[str]

    def __len__(self) -> int:
        return len(self.start) - 1

    def song(self, s: int) -> np.ndarray:
        """The pitches of song s, (notes,) integers."""
        return self.pitch[self.start[s] : self.start[s + 1]]

    def songs(self, indices: Iterable[int]) -> list[np.ndarray]:
        return [self.song(s) for s in indices]

    def part(self, first: int, last: int) -> "Dataset":
        """The songs from `first` to before `last`; their notes are not copied."""
        edges = self.start[first : last + 1]
        notes, songs = slice(edges[0], edges[-1]), slice(first, last)
        arrays = {field: getattr(self, field)[notes] for field in ("pitch", *NOTE_FIELDS)}
        rest = {field: getattr(self, field)[songs] for field in (*SONG_FIELDS, *TEXT_FIELDS)}
        return Dataset(self.vocabulary, **arrays, **rest, start=edges - edges[0])

    @cached_property
    def intervals(self) -> list[np.ndarray]:
        """The intervals of each song, see `intervals_of`."""
        return list(self.each_interval())

    def each_interval(self) -> Iterator[np.ndarray]:
        """The same, one song at a time."""
        return (intervals_of(self.song(s), self.vocabulary) for s in range(len(self)))


def intervals_of(song: Sequence[int], vocabulary: Vocabulary) -> np.ndarray:
    """The melodic intervals of a song, (notes - 1,) integers: 256 times the diatonic steps plus the semitones.

    >>> vocabulary = Vocabulary(["C4", "E4", "G4"])
    >>> intervals_of(vocabulary.encode(["C4", "E4", "G4"]), vocabulary).tolist()  # a major and a minor third
    [516, 515]
    """
    return np.diff(np.array(vocabulary.step)[song]) * 256 + np.diff(np.array(vocabulary.midi)[song])


def dataset_of(songs: Iterable[Song], vocabulary: Vocabulary) -> Dataset:
    """The songs as arrays. Raises `UserError` for a note that is not in the vocabulary."""
    songs = list(songs)
    kind = np.min_scalar_type(max(len(vocabulary), 1) - 1)  # uint8 for up to 256 notes
    arrays = {"pitch": _concatenate((vocabulary.encode(song.pitch) for song in songs), kind)}
    for field, kind in NOTE_FIELDS.items():
        arrays[field] = _concatenate((getattr(song, field) or [0] * len(song.pitch) for song in songs), kind)
    for field in SONG_FIELDS:
        arrays[field] = np.array([getattr(song, field) for song in songs], np.float32)
    arrays["start"] = np.concatenate([[0], np.cumsum([len(song.pitch) for song in songs])]).astype(np.int64)
    return Dataset(vocabulary, **arrays, **{field: [getattr(song, field) for song in songs] for field in TEXT_FIELDS})


def joined(first: Dataset, second: Dataset) -> Dataset:
    """The songs of both, which are in one vocabulary."""
    both = first, second
    arrays = {field: np.concatenate([getattr(one, field) for one in both]) for field in ARRAYS if field != "start"}
    arrays["start"] = np.concatenate([first.start, first.start[-1] + second.start[1:]])
    texts = {field: [text for one in both for text in getattr(one, field)] for field in TEXT_FIELDS}
    return Dataset(first.vocabulary, **arrays, **texts)


def write_songs(path: Path, songs: Dataset, settings: dict) -> None:
    """Write songs as songs.h5, with the settings that made it."""
    arrays = {field: getattr(songs, field) for field in ARRAYS}
    texts = {field: getattr(songs, field) for field in TEXT_FIELDS}
    size = sum(array.nbytes for array in arrays.values()) + text_bytes(texts)
    with atomic_write(path, size) as temporary, h5py.File(temporary, "w") as file:
        for field, array in arrays.items():
            file[field] = array
        write_texts(file, texts)
        file.attrs["settings"] = json.dumps(settings)


def text_bytes(texts: dict[str, Sequence[str]]) -> int:
    """The most bytes that `write_texts` needs on disk."""
    return 2 * sum(len(text.encode()) + 32 for column in texts.values() for text in column)


def write_texts(file: h5py.File, texts: dict[str, Sequence[str]]) -> None:
    """Write the texts of each field."""
    for field, column in texts.items():
        written = file.create_dataset(field, len(column), h5py.string_dtype())
        for first in range(0, len(column), BLOCK):
            written[first : first + BLOCK] = column[first : first + BLOCK]


def _concatenate(parts: Iterable[Sequence], kind: type) -> np.ndarray:
    return np.concatenate([np.zeros(0, kind), *(np.asarray(part, kind) for part in parts)])


def load(data: Path) -> Dataset:
    """Load songs.h5 and vocabulary.json. Raises `UserError` if one of them is missing or damaged.

    The arrays stay on disk until they are used, and do not change if the file is replaced.
    """
    path = data / "songs.h5"
    with open_hdf5(path, COMMAND) as file:
        arrays = {field: _mapped(path, file[field]) for field in ARRAYS}
        texts = {field: file[field].asstr()[:].tolist() for field in TEXT_FIELDS}
        texts |= {field: list(map(sys.intern, texts[field])) for field in SHARED_TEXTS}
        _check_arrays(arrays, texts)
    vocabulary = Vocabulary.load(data / "vocabulary.json")
    if arrays["pitch"].size and arrays["pitch"].max() >= len(vocabulary):
        other = f"{data / 'vocabulary.json'} ({vocabulary})"
        raise UserError(f"{path} has notes that are not in {other}; make both again with: {COMMAND}")
    return Dataset(vocabulary, **arrays, **texts)


def _mapped(path: Path, array: h5py.Dataset) -> np.ndarray:
    """An array of an HDF5 file, mapped into memory if it lies there in one piece."""
    first = array.id.get_offset()
    return array[:] if first is None else np.memmap(path, array.dtype, "c", first, array.shape)


def load_blocks(data: Path, block: int = BLOCK) -> Iterator[Dataset]:
    """The songs of `load`, `block` at a time: for a file that has just been written, since nothing is checked."""
    vocabulary = Vocabulary.load(data / "vocabulary.json")
    with open_hdf5(data / "songs.h5", COMMAND) as file:
        start = file["start"][:]
        for first in range(0, len(start) - 1, block):
            songs = slice(first, first + block)
            edges = start[first : first + block + 1]
            notes = slice(edges[0], edges[-1])
            arrays = {field: file[field][notes] for field in ("pitch", *NOTE_FIELDS)}
            arrays |= {field: file[field][songs] for field in SONG_FIELDS} | {"start": edges - edges[0]}
            yield Dataset(vocabulary, **arrays, **{field: file[field].asstr()[songs].tolist() for field in TEXT_FIELDS})


def _check_arrays(arrays: dict[str, np.ndarray], texts: dict[str, list[str]]) -> None:
    """Raise `ValueError` unless the arrays of songs.h5 fit together."""
    start, notes = arrays["start"], len(arrays["pitch"])
    if not np.issubdtype(start.dtype, np.integer) or not np.issubdtype(arrays["pitch"].dtype, np.unsignedinteger):
        raise ValueError("pitch and start are not integers")
    if any(array.ndim != 1 for array in arrays.values()) or any(len(arrays[field]) != notes for field in NOTE_FIELDS):
        raise ValueError("the arrays of its notes differ in length")
    if not start.size or start[0] != 0 or start[-1] != notes or (np.diff(start) < 0).any():
        raise ValueError("start does not divide its notes into songs")
    if any(len(column) != len(start) - 1 for column in (*texts.values(), *(arrays[field] for field in SONG_FIELDS))):
        raise ValueError("the texts, pickups or rests of its songs are not one per song")
    for field in ("duration", "rest_before", "rest_after", "pickup", "beat", "bar"):
        times = arrays[field]
        if not np.issubdtype(times.dtype, np.floating):
            raise ValueError(f"{field} has values of the type {times.dtype}")
        wrong = times[~((times > 0 if field == "duration" else times >= 0) & (times <= LONGEST))]
        if wrong.size:
            allowed = f"{'more than 0' if field == 'duration' else 'from 0'} to {LONGEST:,} quarter notes"
            raise ValueError(f"a {field} is {wrong[0]:g}, allowed is {allowed}")
    beyond = (arrays["beat"] >= arrays["bar"]) & (arrays["beat"] > 0)
    if beyond.any():
        beat, bar = (arrays[field][beyond][0] for field in ("beat", "bar"))
        raise ValueError(f"beat position {beat:g} does not lie in a bar of {bar:g} quarter notes")
