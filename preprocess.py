"""Stage 1: read songs and write them as integers.

reads   kern, MIDI, ABC (also books of many tunes) and MusicXML files, given as files, folders or patterns; by default
        those in data/essen, to which the MIDI edition of the Essen Folksong Collection is downloaded (4 MB, once)
writes  data/songs.h5         the notes of all songs, sorted by name
        data/vocabulary.json  the names of the notes, from low to high; the rhythms and openings of the training songs
        data/split.json       training, validation and test songs; near-duplicates are in the same part
        data/skipped.csv      each file that gave no song, with the reason

    python preprocess.py                                the Essen collection: a quarter of a minute on two cores
    python preprocess.py --songs essen "more/**/*.abc"  songs of your own
    python preprocess.py --cluster tcp://10.0.0.1:8786  the same on the workers of a Dask scheduler

A second run with the same songs and settings has nothing to do.
"""

import argparse
import csv
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from melody import minhash
from melody.atomic import atomic_write_all, file_lock, load_json, open_hdf5
from melody.cli import log, run
from melody.dataset import COMMAND, Dataset, load_blocks
from melody.encoding import rhythm_vocabulary_of
from melody.errors import UserError
from melody.flags import add_cluster, parser
from melody.formats import essen
from melody.formats.corpus import READER_VERSION, read_each
from melody.formats.song_files import SongFiles, find_songs
from melody.provenance import files_fingerprint, settings_of
from melody.song_spool import SongSpool
from melody.split import MOST_EXACT, write_split
from melody.vocabulary import ESSEN, Vocabulary

OUTPUTS = ("songs.h5", "vocabulary.json", "skipped.csv", "split.json")


def main() -> None:
    args = arguments()
    files = find_songs(args.songs or [essen_folder(args)])
    if len(files) > MOST_EXACT:
        minhash.check_installed()
    settings = {"reader": READER_VERSION, "seed": args.seed, "files": len(files), "songs": files_fingerprint(files)}
    before = previous_settings(args.data)
    if before == settings:
        return log(args, f"{args.data / 'songs.h5'} already has the songs of these {len(files):,} files; nothing to do")
    if before:
        changed = ", ".join(name for name in settings if settings[name] != before.get(name))
        log(args, f"{args.data / 'songs.h5'} was made with other settings ({changed}); reading the songs again")
    with file_lock(args.data / OUTPUTS[0]), atomic_write_all(args.data, OUTPUTS) as temporary:
        lines = write_songs(temporary, files, settings, args)
        del files  # frees memory, which the split of a large collection needs
        write_split(temporary, args.seed)
        add_rhythms(temporary)
    for line in lines:
        log(args, line)
    log(args, f"wrote {args.data / 'songs.h5'}")


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, "data", "jobs", songs="SONG_FILES")
    add_cluster(flags)
    return flags.parse_args()


def essen_folder(args: argparse.Namespace) -> str:
    """The folder of the Essen songs, downloaded if it is missing or empty."""
    folder = args.data / "essen"
    if not folder.exists() or not any(folder.iterdir()):
        log(args, f"no --songs given and none in {folder}: downloading {essen.PACKAGE}")
        essen.fetch(folder)
    return str(folder)


def previous_settings(data: Path) -> dict:
    """The settings that made the files in `data`; empty if a file is missing or damaged."""
    if not all((data / name).exists() for name in OUTPUTS):
        return {}
    try:
        with open_hdf5(data / "songs.h5", "preprocess.py") as file:
            return settings_of(file)
    except UserError:
        return {}


def write_songs(data: Path, files: SongFiles, settings: dict, args: argparse.Namespace) -> list[str]:
    """Read the files and write all but the split into the folder `data`; the lines that say what was read."""
    skipped: list[tuple[str, str]] = []
    with closing(SongSpool(data / "notes")) as songs:
        for song in read_each(files, args.jobs, args.quiet, skipped, args.cluster):
            songs.add(song)
        vocabulary = Vocabulary({*ESSEN.names, *songs.pitches})  # the notes of the Essen collection and of these songs
        with (data / "skipped.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([("file", "reason"), *skipped])
        vocabulary.save(data / "vocabulary.json")
        songs.write(data / "songs.h5", vocabulary, settings)
        return summary(songs, skipped, vocabulary)


def add_rhythms(data: Path) -> None:
    """Add the rhythms and openings of the training songs to vocabulary.json."""
    names = Vocabulary.load(data / "vocabulary.json").names
    Vocabulary(names, rhythm_vocabulary_of(lambda: training_songs(data))).save(data / "vocabulary.json")


def training_songs(data: Path) -> Iterator[tuple[Dataset, list[int]]]:
    """The songs of `data`, some at a time, and the indices of those of the training part."""
    training = set(load_json(data / "split.json", COMMAND)["training"])
    for songs in load_blocks(data):
        yield songs, [s for s, name in enumerate(songs.name) if name in training]


def summary(songs: SongSpool, skipped: list, vocabulary: Vocabulary) -> list[str]:
    """The lines that say what was read."""
    lines = [
        f"{len(songs):,} songs, {songs.notes:,} notes, {songs.notes / len(songs):.1f} per song; "
        f"different: {Vocabulary(songs.pitches)}",
        f"skipped files and tunes: {len(skipped):,}{' (see skipped.csv)' if skipped else ''}; "
        f"chords reduced to their highest note: {songs.chords:,}; further parts left out: {songs.parts:,}; "
        f"songs read as free because their bars do not fit their meter: {songs.free:,}",
    ]
    new = len(vocabulary) - len(ESSEN)
    if new:
        lines.append(f"{new} notes are not in the Essen collection, so the shipped weights will not fit")
    return lines


if __name__ == "__main__":
    run(main)
