"""Stage 1: read songs and write them as integers.

reads   kern, MIDI, ABC (also books of many tunes) and MusicXML files, given as files, folders or patterns; by default
        those in data/essen, to which the MIDI edition of the Essen Folksong Collection is downloaded (4 MB, once)
writes  data/songs.h5         the notes of all songs, sorted by name
        data/vocabulary.json  the names of the notes, from low to high; the rhythms and openings of the training songs
        data/split.json       training, validation and test songs; near-duplicates are in the same part
        data/skipped.csv      each file that gave no song, with the reason

    python preprocess.py                                the Essen collection: a quarter of a minute on two cores
    python preprocess.py --songs essen "more/**/*.abc"  songs of your own

A second run with the same songs and settings has nothing to do.
"""

import argparse
import csv
from pathlib import Path

from melody import dataset
from melody.atomic import atomic_write_all, file_lock, open_hdf5
from melody.cli import log, run
from melody.encoding import rhythm_vocabulary
from melody.errors import UserError
from melody.flags import parser
from melody.formats import essen
from melody.formats.corpus import READER_VERSION, find_songs, read_all
from melody.meter import bar_length
from melody.provenance import files_fingerprint, settings_of
from melody.song import Song
from melody.split import load_split, write_split
from melody.vocabulary import ESSEN, Vocabulary

OUTPUTS = ("songs.h5", "vocabulary.json", "skipped.csv", "split.json")


def main() -> None:
    args = arguments()
    files = find_songs(args.songs or [essen_folder(args)])
    settings = {"reader": READER_VERSION, "seed": args.seed, "files": len(files), "songs": files_fingerprint(files)}
    before = previous_settings(args.data)
    if before == settings:
        return log(args, f"{args.data / 'songs.h5'} already has the songs of these {len(files):,} files; nothing to do")
    if before:
        changed = ", ".join(name for name in settings if settings[name] != before.get(name))
        log(args, f"{args.data / 'songs.h5'} was made with other settings ({changed}); reading the songs again")
    with file_lock(args.data / OUTPUTS[0]):
        songs, skipped = read_all(files, args.jobs, args.quiet)
        vocabulary = vocabulary_of(songs)
        with atomic_write_all(args.data, OUTPUTS) as temporary:
            write(temporary, songs, skipped, vocabulary, settings)
            lines = summary(songs, skipped, vocabulary)
            del songs, skipped  # frees memory, which the split of a large collection needs
            write_split(temporary, args.seed)
            add_rhythms(temporary)
    for line in lines:
        log(args, line)
    log(args, f"wrote {args.data / 'songs.h5'}")


def arguments() -> argparse.Namespace:
    return parser(__doc__, "data", "jobs", songs="SONG_FILES").parse_args()


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


def vocabulary_of(songs: list[Song]) -> Vocabulary:
    """The notes of the Essen collection and of these songs."""
    return Vocabulary({*ESSEN.names, *(name for song in songs for name in song.pitch)})


def write(data: Path, songs: list[Song], skipped: list, vocabulary: Vocabulary, settings: dict) -> None:
    """Write all files except the split into the folder `data`."""
    with (data / "skipped.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("file", "reason"), *skipped])
    vocabulary.save(data / "vocabulary.json")
    dataset.write_songs(data / "songs.h5", dataset.dataset_of(songs, vocabulary), settings)


def add_rhythms(data: Path) -> None:
    """Add the rhythms and openings of the training songs to vocabulary.json."""
    songs = dataset.load(data)
    training = load_split(data, songs)["training"]
    Vocabulary(songs.vocabulary.names, rhythm_vocabulary(songs, training)).save(data / "vocabulary.json")


def summary(songs: list[Song], skipped: list, vocabulary: Vocabulary) -> list[str]:
    """The lines that say what was read."""
    notes = sum(len(song.pitch) for song in songs)
    used = Vocabulary(name for song in songs for name in song.pitch)
    free = sum(bool(bar_length(song.meter)) and not any(song.bar) for song in songs)
    chords, parts = sum(song.chords for song in songs), sum(song.parts - 1 for song in songs)
    lines = [
        f"{len(songs):,} songs, {notes:,} notes, {notes / len(songs):.1f} per song; different: {used}",
        f"skipped files and tunes: {len(skipped):,}{' (see skipped.csv)' if skipped else ''}; "
        f"chords reduced to their highest note: {chords:,}; further parts left out: {parts:,}; "
        f"songs read as free because their bars do not fit their meter: {free:,}",
    ]
    new = len(vocabulary) - len(ESSEN)
    if new:
        lines.append(f"{new} notes are not in the Essen collection, so the shipped weights will not fit")
    return lines


if __name__ == "__main__":
    run(main)
