"""Stage 1: read songs and write them as numbers.

reads   kern, MIDI, ABC (also books of many tunes) and MusicXML files, by folder or pattern; with none given,
        data/essen, and when nothing is there the MIDI edition of the Essen Folksong Collection, fetched once (4 MB)
writes  data/songs.h5         the notes of all songs, sorted by name
        data/vocabulary.json  the notes' names, from low to high
        data/split.json       training, validation and test songs; near-duplicates on one side
        data/skipped.csv      each file that gave no song, with the reason

    python preprocess.py                                the Essen collection: a quarter of a minute on two cores
    python preprocess.py --songs essen "more/**/*.abc"  songs of your own

A second run with the same songs and settings finds that there is nothing to do.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

from melody.atomic import atomic_write_all, file_lock, open_hdf5
from melody.cli import log, run
from melody.errors import UserError
from melody.flags import parser
from melody.formats import essen
from melody.formats.corpus import READER_VERSION, find_songs, read_all
from melody.provenance import fingerprint, settings_of
from melody.song import Song
from melody.vocabulary import ESSEN, Vocabulary

WRITTEN = ("songs.h5", "vocabulary.json", "skipped.csv", "split.json")


def main() -> None:
    args = arguments()
    files = find_songs(args.songs or [fetched(args)])
    settings = {"reader": READER_VERSION, "seed": args.seed, "files": len(files), "songs": songs_fingerprint(files)}
    before = settings_before(args.data)
    if before == settings:
        log(args, f"{args.data / 'songs.h5'} holds these {len(files):,} files already; nothing to do")
        return
    if before:
        changed = ", ".join(name for name in settings if settings[name] != before.get(name))
        log(args, f"{args.data / 'songs.h5'} was made otherwise ({changed}); reading anew")
    from melody.split import write_split

    with file_lock(args.data / WRITTEN[0]):
        songs, skipped = read_all(files, args.jobs, args.quiet)
        vocabulary = vocabulary_of(songs)
        with atomic_write_all(args.data, WRITTEN) as beside:
            write(beside, songs, skipped, vocabulary, settings)
            said = summary(songs, skipped, vocabulary)
            del songs, skipped  # to group the near-duplicates of a large collection needs their room
            write_split(beside, args.seed)
    for line in said:
        log(args, line)
    log(args, f"wrote {args.data / 'songs.h5'}")


def arguments() -> argparse.Namespace:
    return parser(__doc__, "data", "jobs", songs="SONG_FILES").parse_args()


def fetched(args: argparse.Namespace) -> str:
    """The folder of the Essen songs, fetched when it is not there."""
    folder = args.data / "essen"
    if not folder.exists() or not any(folder.iterdir()):
        log(args, f"no songs named and none in {folder}: fetching {essen.PACKAGE}")
        essen.fetch(folder)
    return str(folder)


def songs_fingerprint(files: list[tuple[Path, Path]]) -> str:
    """Tells whether the same files are there as before, by their paths, sizes and times."""
    stats = [(str(path), str(root), *_size_and_time(path)) for path, root in files]
    return fingerprint(json.dumps(stats).encode("utf-8", "surrogateescape"))


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return 0, 0  # a link to nothing; reading will say so
    return stat.st_size, stat.st_mtime_ns


def settings_before(data: Path) -> dict:
    """The settings that made what is in `data`, or nothing when it is not whole."""
    if not all((data / name).exists() for name in WRITTEN):
        return {}
    try:
        with open_hdf5(data / "songs.h5", "preprocess.py") as file:
            return settings_of(file)
    except UserError:
        return {}


def vocabulary_of(songs: list[Song]) -> Vocabulary:
    """The Essen notes, and those of the songs that are not among them."""
    return Vocabulary({*ESSEN.names, *(name for song in songs for name in song.pitch)})


def write(data: Path, songs: list[Song], skipped: list, vocabulary: Vocabulary, settings: dict) -> None:
    """Write all files but the split into the folder `data`."""
    from melody import dataset

    with (data / "skipped.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("file", "reason"), *skipped])
    vocabulary.save(data / "vocabulary.json")
    dataset.write_songs(data / "songs.h5", songs, vocabulary, settings)


def summary(songs: list[Song], skipped: list, vocabulary: Vocabulary) -> list[str]:
    """What was read, in words."""
    notes = sum(len(song.pitch) for song in songs)
    used = Vocabulary(name for song in songs for name in song.pitch)
    chords, parts = sum(song.chords for song in songs), sum(song.parts - 1 for song in songs)
    lines = [
        f"{len(songs):,} songs, {notes:,} notes, {notes / len(songs):.1f} a song; different: {used}",
        f"skipped files and tunes: {len(skipped):,}{' (see skipped.csv)' if skipped else ''}; "
        f"chords cut to their top note: {chords:,}; further parts left out: {parts:,}",
    ]
    new = len(vocabulary) - len(ESSEN)
    if new:
        lines.append(f"{new} notes are not in the Essen songs: the weights that come with the project will not fit")
    return lines


if __name__ == "__main__":
    run(main)
