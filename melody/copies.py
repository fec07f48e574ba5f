"""Whether a composed song copies others: an index of their passages that holds no song.

reads   data/songs.h5, data/vocabulary.json, weights/lstm.json
writes  weights/lstm-copies.h5   the index of the songs that the network was trained on

    python -m melody.copies      for weights without an index, five seconds; train_lstm.py writes one too, and with
                                 --from that of the collection

Two songs share a run of notes when the intervals between them are equal, in diatonic steps and in semitones, and so are
the ratios of the times from each onset to the next (for the last note of a song, to its end with its closing rest). So
a transposed copy is found, one with all durations doubled, and one with rests in place of the ends of notes. As in
`evaluation.metrics.longest_shared` a run is counted in notes.

The index is a Bloom filter (Bloom 1970) with one hash: a bit for each value of the hash of `GRAM` notes in a row, set
if a song has such an n-gram. A longer run is found as n-grams that overlap. The length found is never less than that of
the longest run shared with one song; it is more where n-grams of several songs, or others whose bit is set by chance,
follow each other. The hashes are short on purpose, so that the bits of one n-gram in ten are set by chance: with longer
ones a passage could be continued note by note, by trying every note, until songs are spelled out that must not be
redistributed. With these that is hard, though not impossible.
"""

import argparse
import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import h5py
import numpy as np

from melody import dataset, records
from melody.atomic import atomic_write, file_lock, open_hdf5
from melody.cli import log, log_settings, run
from melody.dataset import BLOCK, Dataset, dataset_of, intervals_of
from melody.errors import UserError
from melody.flags import parser
from melody.provenance import is_up_to_date, settings_of
from melody.records import NetworkRecord
from melody.selection import Check
from melody.song import Song
from melody.split import split_fingerprint, split_from_held_out
from melody.vocabulary import Vocabulary

COMMAND = "python -m melody.copies"
GRAM = 9  # notes in an n-gram: shorter runs are not found
BITS_PER_GRAM = 8  # of the index, at least, and at most twice as many
FEWEST_BITS = 2**16  # of an index, so that with few songs hardly a bit is set by chance
UNITS = 20160  # in a quarter note: all times with a denominator of at most 10, and most up to 96, are integers


@dataclass(frozen=True, eq=False)
class CopyIndex:
    """The n-grams of some songs."""

    table: np.ndarray  # (bytes,) uint8, a power of two: bit h is 1 if an n-gram has the hash h
    rhythm: bool = True  # False: intervals alone are compared, for a network that knows pitches alone

    @classmethod
    def of(cls, songs: Dataset, chosen: Sequence[int], rhythm: bool = True) -> Self:
        """The index of the chosen songs."""
        found = array("Q")
        for s in chosen:
            found.frombytes(_grams(songs, s, rhythm).tobytes())
        grams = np.frombuffer(found, np.uint64)
        grams.sort()
        different = int(np.count_nonzero(grams[1:] != grams[:-1])) + bool(len(grams))
        bits = (max(BITS_PER_GRAM * different, FEWEST_BITS) - 1).bit_length()
        table = np.zeros(2 ** (bits - 3), np.uint8)
        for first in range(0, len(grams), BLOCK):
            address = _addresses(grams[first : first + BLOCK], bits)
            np.bitwise_or.at(table, address >> 3, (128 >> (address & 7)).astype(np.uint8))
        return cls(table, rhythm)

    def longest(self, song: Song) -> int:
        """Notes in the longest run that the song shares with those of the index; 0 if that is below `GRAM`."""
        return self.longest_of(dataset_of([song], Vocabulary(song.pitch)), 0)

    def longest_of(self, songs: Dataset, s: int) -> int:
        """The same of the song with index `s`."""
        known = self.knows(_grams(songs, s, self.rhythm))
        begin, end = np.flatnonzero(np.diff(known.astype(np.int8), prepend=0, append=0)).reshape(-1, 2).T
        return GRAM - 1 + int((end - begin).max()) if len(begin) else 0

    def knows(self, grams: np.ndarray) -> np.ndarray:
        """Whether the bit of the hash of each n-gram is set, (n-grams,) bool."""
        address = _addresses(grams, self.bits)
        return (self.table[address >> 3] << (address & 7).astype(np.uint8) & 128) > 0

    @property
    def bits(self) -> int:
        """Of a hash."""
        return (8 * len(self.table) - 1).bit_length()

    @property
    def false_positive_rate(self) -> float:
        """The share of all possible n-grams that the index takes for one of its songs'."""
        return float(np.bitwise_count(self.table).sum()) / 2**self.bits

    def store(self, file: h5py.File) -> None:
        """Write the index as the array `copies`."""
        file.create_dataset("copies", data=self.table).attrs["rhythm"] = self.rhythm

    @classmethod
    def read(cls, file: h5py.File) -> Self:
        """The inverse of `store`. Raises `KeyError`, `TypeError` or `ValueError` if there is no valid index."""
        table, rhythm = file["copies"][:], file["copies"].attrs["rhythm"]
        if table.dtype != np.uint8 or table.ndim != 1 or len(table).bit_count() != 1:
            raise ValueError("copies is not a table of 2, 4, 8 ... times 8 bits")
        if not isinstance(rhythm, np.bool_):
            raise ValueError("copies does not say whether it knows rhythms")
        return cls(table, bool(rhythm))


def no_copy(indexes: Sequence[CopyIndex], most: int) -> Check:
    """A check of `melody.selection`: a song may share runs of at most `most` notes, `GRAM` - 1 or more, with an index.

    A run of one index does not continue one of another.
    """

    def check(song: Song) -> tuple[Song, str]:
        is_copy = any(index.longest(song) > most for index in indexes)
        return song, f"copies over {most} notes" * is_copy

    return check


# Files


def path_of(weights: Path, name: str = "lstm") -> Path:
    """The index of the songs that a network was trained on."""
    return weights / f"{name}-copies.h5"


def write(path: Path, index: CopyIndex, settings: dict) -> None:
    """Write an index with the settings that made it: the fingerprint of the split."""
    with file_lock(path), atomic_write(path, index.table.nbytes) as temporary, h5py.File(temporary, "w") as file:
        index.store(file)
        file.attrs["settings"] = json.dumps(settings)


def load(path: Path, command: str, settings: dict) -> CopyIndex:
    """The index in a file of `write`, or in memories (data/memories/<name>.h5: the songs that were read).

    Raises `UserError`, which names the `command` that makes the file, if it is missing, damaged or made with others
    than these `settings`: the split of the network, or the network of the memories.
    """
    with open_hdf5(path, command) as file:
        made = settings_of(file)
        for name, value in settings.items():
            if made.get(name) != value:
                raise ValueError(f"its {name} is {made.get(name)}, not {value}")
        return CopyIndex.read(file)


# N-grams


def lines(songs: Dataset, chosen: Sequence[int], rhythm: bool = True) -> list[np.ndarray]:
    """What is compared of each song: a symbol from each note to the next, (notes - 1,) uint64.

    A symbol is the hash of the interval and of the ratio of the times that both notes last.
    """
    return [_line(songs, s, rhythm) for s in chosen]


def _line(songs: Dataset, s: int, rhythm: bool) -> np.ndarray:
    row = slice(*songs.start[s : s + 2])
    rests = np.append(songs.rest_before[row], songs.rest_after[s])[1:]
    times = _integers(songs.duration[row]) + _integers(rests) if rhythm else np.ones(len(rests), np.int64)
    before, after = times[:-1], times[1:]
    common = np.maximum(np.gcd(before, after), 1)
    intervals = intervals_of(songs.song(s), songs.vocabulary)
    return _hash([intervals, before // common, after // common])


def _integers(times: np.ndarray) -> np.ndarray:
    return np.rint(times.astype(np.float64) * UNITS).astype(np.int64)


def _grams(songs: Dataset, s: int, rhythm: bool) -> np.ndarray:
    """The hash of every n-gram of a song, (notes - GRAM + 1,) uint64, or (0,)."""
    line = _line(songs, s, rhythm)
    if len(line) < GRAM - 1:
        return line[:0]
    return _hash(np.lib.stride_tricks.sliding_window_view(line, GRAM - 1).T)


def _hash(columns: Sequence[np.ndarray]) -> np.ndarray:
    """A hash of each row of some columns of integers, (rows,) uint64, the same on every machine.

    The columns go one after another through the mixing function of SplitMix64 (Steele, Lea & Flood 2014, Fast
    Splittable Pseudorandom Number Generators, figure 16).
    """
    mixed = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        mixed += column.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed


def _addresses(grams: np.ndarray, bits: int) -> np.ndarray:
    """The first `bits` bits of the hash of each n-gram."""
    return (grams >> np.uint64(64 - bits)).astype(np.int64)


# Command


def main() -> None:
    args = arguments()
    log_settings(args)
    record = records.load(NetworkRecord, args.weights / "lstm.json", "python train_lstm.py")
    path, settings = path_of(args.weights), {"split": record.settings.get("split")}
    if not args.overwrite and is_up_to_date(path, settings):
        return log(args, f"{path} exists and is that of these weights; nothing to do")
    songs = dataset.load(args.data)
    split = split_from_held_out(songs, record.held_out)
    rhythm = bool(record.vocabulary.rhythm.rhythms)
    if split_fingerprint(songs, split) != settings["split"] or not _encodes(record.vocabulary, songs.vocabulary):
        other = f"{args.data / 'songs.h5'} has other songs than those that the network was trained on"
        raise UserError(f"{other}; read the collection that it was trained on: {dataset.COMMAND}")
    index = CopyIndex.of(songs, split["training"], rhythm)
    write(path, index, settings)
    share = f"{index.false_positive_rate:.1%} of other passages are taken for theirs"
    log(args, f"wrote {path}: {GRAM} notes of {len(split['training']):,} songs; {share}")


def _encodes(vocabulary: Vocabulary, other: Vocabulary) -> bool:
    """Whether the integers of a network's vocabulary mean the same in that of the data; fine-tuning adds bars to it."""
    one, two = vocabulary.rhythm, other.rhythm
    same_rhythm = not one.rhythms or (one.rhythms, one.openings) == (two.rhythms, two.openings)
    return vocabulary.names == other.names and same_rhythm


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, "data", "weights")
    flags.add_argument("--overwrite", action="store_true", help="replace an index that exists")
    return flags.parse_args()


if __name__ == "__main__":
    run(main)
