"""Songs on their way to songs.h5: a collection may be larger than memory, the names and titles of its songs may not."""

import json
import sys
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np

from melody.atomic import atomic_write
from melody.dataset import BLOCK, NOTE_FIELDS, SHARED_TEXTS, SONG_FIELDS, TEXT_FIELDS, text_bytes, write_texts
from melody.meter import bar_length
from melody.song import Song
from melody.vocabulary import Vocabulary

KINDS = {"pitch": np.uint16} | NOTE_FIELDS


class SongSpool:
    """Keeps the notes of songs in files of `folder`, until all songs are there and are written in the order of their
    names."""

    def __init__(self, folder: Path):
        folder.mkdir()
        self.files = {field: (folder / field).open("w+b") for field in KINDS}
        self.texts: dict[str, list[str]] = {field: [] for field in TEXT_FIELDS}
        self.values = {field: array("f") for field in SONG_FIELDS}
        self.start = array("q", [0])
        self.pitches: dict[str, int] = {}  # and their numbers in the file
        self.chords = self.parts = self.free = 0  # what `Song.chords` and `Song.parts` count; songs without bars

    def __len__(self) -> int:
        return len(self.start) - 1

    @property
    def notes(self) -> int:
        return self.start[-1]

    def add(self, song: Song) -> None:
        notes = len(song.pitch)
        columns = {field: getattr(song, field) or [0] * notes for field in NOTE_FIELDS}
        columns["pitch"] = [self.pitches.setdefault(name, len(self.pitches)) for name in song.pitch]
        for field, file in self.files.items():
            file.write(np.asarray(columns[field], KINDS[field]).tobytes())
        for field, column in self.texts.items():
            text = getattr(song, field)
            column.append(sys.intern(text) if field in SHARED_TEXTS else text)
        for field, column in self.values.items():
            column.append(getattr(song, field))
        self.start.append(self.notes + notes)
        self.chords += song.chords
        self.parts += song.parts - 1
        self.free += bool(bar_length(song.meter)) and not any(song.bar)

    def write(self, path: Path, vocabulary: Vocabulary, settings: dict) -> None:
        """Write the songs as songs.h5, with the settings that made it."""
        name = self.texts["name"]
        order = sorted(range(len(self)), key=name.__getitem__)
        kind = np.min_scalar_type(max(len(vocabulary), 1) - 1)  # uint8 for up to 256 notes
        number = np.array(vocabulary.encode(self.pitches), kind)
        texts = {field: [column[s] for s in order] for field, column in self.texts.items()}
        lengths = np.diff(np.frombuffer(self.start, np.int64))[order]
        size = self.notes * sum(np.dtype(kind).itemsize for kind in KINDS.values()) + 16 * len(self)
        with atomic_write(path, size + text_bytes(texts)) as temporary, h5py.File(temporary, "w") as file:
            for field in KINDS:
                written, end = file.create_dataset(field, self.notes, kind if field == "pitch" else KINDS[field]), 0
                for rows in self._blocks(field, order):
                    written[end : end + len(rows)] = number[rows] if field == "pitch" else rows
                    end += len(rows)
            for field, column in self.values.items():
                file[field] = np.frombuffer(column, np.float32)[order]
            file["start"] = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
            write_texts(file, texts)
            file.attrs["settings"] = json.dumps(settings)

    def _blocks(self, field: str, order: Sequence[int]) -> Iterator[np.ndarray]:
        """What a file holds of the songs in this order, some songs at a time."""
        self.files[field].flush()
        for first in range(0, len(order), BLOCK):
            yield np.concatenate([self._read(field, s) for s in order[first : first + BLOCK]])

    def _read(self, field: str, s: int) -> np.ndarray:
        file, kind = self.files[field], np.dtype(KINDS[field])
        file.seek(self.start[s] * kind.itemsize)
        return np.frombuffer(file.read((self.start[s + 1] - self.start[s]) * kind.itemsize), kind)

    def close(self) -> None:
        for file in self.files.values():
            file.close()
