"""Commands of which a part is left out, so that the rest can be measured with more songs: see `benchmarks.scaling`."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np

import preprocess
from melody.errors import UserError
from melody.flags import ROOT
from melody.formats import corpus
from melody.formats.song_files import SongFiles
from melody.song import Song, with_bars
from melody.vocabulary import ESSEN

RHYTHMS = 1000  # different ones of random songs


def write(songs: int, data: str) -> None:
    """`preprocess.py` with random songs in place of those that are read, in the lengths of the Essen collection."""
    corpus._results = lambda batches, _: ((files, (list(map(random_song, files)), [])) for files in batches)
    sys.argv = ["preprocess.py", "--songs", str(ROOT / "tests"), "--data", data, "--quiet"]
    preprocess.find_songs = lambda _: SongFiles(
        [(f"copies/{k // 1000:05d}/tune{k:08d}.krn", Path("copies")) for k in range(songs)]
    )
    preprocess.main()


def random_song(file: tuple[Path, Path]) -> tuple[str, Song]:
    """What is read from `copies/00000/tune00000007.krn`: 7 is the seed."""
    number = int(file[0].stem.removeprefix("tune"))
    song = random_rhythm(number % RHYTHMS)
    steps = np.random.default_rng(number).integers(-3, 4, len(song.pitch))
    pitch = ESSEN.decode(np.abs(len(ESSEN) // 2 + np.cumsum(steps)) % len(ESSEN))
    name = f"copies/{number // 1000:05d}/tune{number:08d}"
    return str(file[0]), replace(song, name=name, pitch=pitch, title=f"Tune {number}")


@cache
def random_rhythm(number: int) -> Song:
    """A song of random durations, all with the same note."""
    rng = np.random.default_rng(number)
    notes = int(rng.integers(26, 80))
    durations = (rng.integers(1, 7, notes) / 4).tolist()
    return corpus.compact(with_bars(Song("", ["C4"] * notes, durations, [0.0] * notes, [False] * notes)))


def first_steps(words: list[str], steps: int) -> None:
    """A command of train_lstm.py, stopped after some steps."""
    import train_lstm
    from melody.batching import Streams

    epoch = Streams.epoch

    def stopped(self: Streams) -> Iterator[tuple]:
        yield from islice(epoch(self), steps)
        raise KeyboardInterrupt

    Streams.epoch, sys.argv = stopped, words
    try:
        train_lstm.main()
    except UserError as stop:
        if "stopped in the first epoch" not in str(stop):
            raise
