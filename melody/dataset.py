"""The songs as arrays: what songs.h5 holds, written and loaded. A pitch is an integer, its index in the vocabulary."""

import json
from collections.abc import Iterable, Sequence
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
NOTE_FIELDS = dict.fromkeys(("duration", "rest_before", "beat", "bar"), np.float32) | {"phrase": bool}  # and `pitch`
SONG_FIELDS = ("pickup", "rest_after")  # one float32 per song
ARRAYS = ("pitch", *NOTE_FIELDS, *SONG_FIELDS, "start")
TEXT_FIELDS = ("name", "area", "title", "key", "meter", "genre")  # one text per song


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

    @cached_property
    def intervals(self) -> list[np.ndarray]:
        """The intervals of each song, see `intervals_of`."""
        return [intervals_of(song, self.vocabulary) for song in self.songs(range(len(self)))]


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
    text_bytes = sum(len(text.encode()) + 32 for column in texts.values() for text in column)
    size = sum(array.nbytes for array in arrays.values()) + 2 * text_bytes
    with atomic_write(path, size) as temporary, h5py.File(temporary, "w") as file:
        for field, array in arrays.items():
            file[field] = array
        for field, column in texts.items():
            file[field] = np.array(column, h5py.string_dtype())
        file.attrs["settings"] = json.dumps(settings)


def _concatenate(parts: Iterable[Sequence], kind: type) -> np.ndarray:
    return np.concatenate([np.zeros(0, kind), *(np.asarray(part, kind) for part in parts)])


def load(data: Path) -> Dataset:
    """Load songs.h5 and vocabulary.json. Raises `UserError` if one of them is missing or damaged."""
    path = data / "songs.h5"
    with open_hdf5(path, COMMAND) as file:
        arrays = {field: file[field][:] for field in ARRAYS}
        texts = {field: file[field].asstr()[:].tolist() for field in TEXT_FIELDS}
        _check_arrays(arrays, texts)
    vocabulary = Vocabulary.load(data / "vocabulary.json")
    if arrays["pitch"].size and arrays["pitch"].max() >= len(vocabulary):
        other = f"{data / 'vocabulary.json'} ({vocabulary})"
        raise UserError(f"{path} has notes that are not in {other}; make both again with: {COMMAND}")
    return Dataset(vocabulary, **arrays, **texts)


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
        wrong = times[~((times > 0 if field == "duration" else times >= 0) & (times <= LONGEST))]
        if wrong.size:
            allowed = f"{'more than 0' if field == 'duration' else 'from 0'} to {LONGEST:,} quarter notes"
            raise ValueError(f"a {field} is {wrong[0]:g}, allowed is {allowed}")
    beyond = (arrays["beat"] >= arrays["bar"]) & (arrays["beat"] > 0)
    if beyond.any():
        beat, bar = (arrays[field][beyond][0] for field in ("beat", "bar"))
        raise ValueError(f"beat position {beat:g} does not lie in a bar of {bar:g} quarter notes")
