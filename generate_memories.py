"""Stage 3: the network reads songs of a region, or songs of your own; its states are their memories.

reads   weights/lstm.*; data/songs.h5 and data/vocabulary.json, or with --songs kern, MIDI, ABC and MusicXML files
writes  data/memories/<name>.h5   memory (count, 6 * units), song (count, songs), name: the names of the songs;
                                  copies: hashes of the songs, see melody/copies.py
                                  description: distributions of each song, see melody/reach.py

    python generate_memories.py                              memories of config.REGIONS: half a minute on two cores
    python generate_memories.py --regions han shanxi         memories of songs of either region
    python generate_memories.py --regions "genre=*Liebe*&key=minor" "area=*Tirol*"   what the catalogue says of songs
    python generate_memories.py --songs tunes --name irish   memories of songs of your own
    python generate_memories.py --list                       what there is, in numbers of songs: regions, genres, ...
    python generate_memories.py --list genre area            all genres and areas

For each memory the network reads a random song, to its end or to a random note, after others that are among those most
like it. It reads no songs that were held out from its training. Songs of your own with notes that the network does not
know are transposed to where it knows all of them; of these there are at most 50 memories a song.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from melody import dataset, encoding, memory, own_songs, regions
from melody.atomic import atomic_write, file_lock
from melody.cli import init_keras, log, progress, run
from melody.copies import CopyIndex
from melody.descriptors import describe_all
from melody.errors import UserError
from melody.flags import add_regions, parser
from melody.formats.corpus import find_songs
from melody.provenance import files_fingerprint, is_up_to_date

BLOCK = 256  # memories made at a time
PER_SONG = 50  # memories of songs of one's own, at most: more would hardly be different
MOST_VALUES = 12  # of a field are listed, unless all are asked for
SETTINGS = {  # of memories: fields of their record, and flags
    "count": "count",
    "songs": "memory_songs",
    "notes": "memory_notes",
    "similar": "memory_similar",
    "mid_song_fraction": "mid_song_fraction",
    "seed": "seed",
}


def main() -> None:
    args = arguments()
    if args.list is not None:
        return list_songs(args)
    init_keras(args)
    from melody import lstm  # Keras takes 5 s to load, which --help need not wait for

    trained, path = lstm.load(args.weights), args.data / "memories" / f"{args.name}.h5"
    files = find_songs(args.songs) if args.songs else []
    settings = {field: getattr(args, flag) for field, flag in SETTINGS.items()} | {"network": trained.fingerprint}
    settings |= {"regions": None if files else sorted(args.regions)}
    settings |= {"name": args.name, "files": files_fingerprint(files)} if files else {}
    if not args.overwrite and is_up_to_date(path, settings):
        return log(args, f"{path} exists and was made with these settings; nothing to do")
    if files:
        own = own_songs.read(files, trained.vocabulary, partial(log, args), args.jobs, args.quiet)
        songs = dataset.dataset_of(own, trained.vocabulary)
        log(args, f"{len(songs):,} songs of {args.name}, {len(songs.pitch):,} notes")
        chosen = list(range(len(songs)))
    else:
        songs = dataset.load(args.data)
        lstm.check_vocabulary(trained, songs.vocabulary)
        chosen = choose(args, songs, trained.held_out)
    if len(chosen) < regions.FEW:
        log(args, f"warning: {len(chosen)} songs are too few for a style; the memories will hardly differ")
    count = min(args.count, PER_SONG * len(chosen)) if files else args.count
    with file_lock(path):
        different = write_memories(path, trained, songs, chosen, count, settings, args.quiet)
    log(args, f"wrote {count:,} memories, {different:,} of them different, to {path}")


def arguments() -> argparse.Namespace:
    own = "memory_songs", "memory_notes", "memory_similar", "mid_song_fraction"
    flags = parser(__doc__, "data", "weights", "jobs", *own, count="MEMORIES")
    add_regions(flags)
    songs = "songs of your own: folders, files or patterns, read instead of --data; --name says what to call them"
    flags.add_argument("--songs", nargs="+", metavar="PATH", help=songs)
    listed = f"print the regions of the songs, and the {MOST_VALUES} commonest values of each field, or with names of"
    listed += f" fields ({', '.join(regions.FIELDS)}) all of these, and stop; of all songs, or those of given --regions"
    flags.add_argument("--list", nargs="*", choices=regions.FIELDS, metavar="FIELD", help=listed)
    flags.add_argument("--overwrite", action="store_true", help="replace the memories of the region")
    args = flags.parse_args()
    if bool(args.songs) != (args.regions is None):
        flags.error("--songs and --name go together: --songs tunes --name irish")
    if args.list is not None and (args.regions is None or args.regions is flags.get_default("regions")):
        args.regions = []  # none were given
    return args


def list_songs(args: argparse.Namespace) -> None:
    """Print the regions of the chosen songs, the values of their fields, and how many songs each constraint selects."""
    songs = dataset.load(args.data)
    chosen = regions.choose(songs, args.regions)
    if not args.list:
        print_regions([songs.name[s] for s in chosen])
    for field in args.list or regions.FIELDS:
        print_values(field, [getattr(songs, field)[s] for s in chosen], None if args.list else MOST_VALUES)
    log_counts(args, songs)


def print_regions(names: list[str]) -> None:
    """Print each region, its number of songs, and the language and place that are known of the Essen collection."""
    rows = regions.table(names)
    width = max([len("region"), *(len(region) for region, *_ in rows)])
    print(f"{'region':{width}}  {'songs':>7}  {'language':30}  place")
    for region, songs, language, place in rows:
        print(f"{region:{width}}  {songs:7,}  {language:30}  {place}".rstrip())


def print_values(field: str, values: list[str], most: int | None) -> None:
    """Print at most so many values of a field, the commonest first, and their numbers of songs."""
    counts = regions.counts(field, values)
    print(f"\n{'songs':>7}  {field}")
    for value in list(counts)[:most]:
        print(f"{counts[value]:7,}  {value}")
    others = len(counts) - (most or len(counts))
    if others > 0:
        print(f"{'':7}  and {others:,} others: --list {field}")


def log_counts(args: argparse.Namespace, songs: dataset.Dataset) -> None:
    """Print the number of songs that each constraint selects."""
    for constraint in args.regions:
        log(args, f"{constraint}: {len(regions.members(songs, constraint)):,} songs")


def choose(args: argparse.Namespace, songs: dataset.Dataset, held_out: dict[str, list[str]]) -> list[int]:
    """The indices of the songs of the regions that were not held out. Prints the number of songs of each region."""
    found = regions.choose(songs, args.regions)
    log_counts(args, songs)
    unseen = {name for part in held_out.values() for name in part}
    chosen = [s for s in found if songs.name[s] not in unseen]
    if not chosen:
        raise UserError(f"all {len(found)} songs of the region are held out for the evaluation; add a region")
    log(args, f"{len(found):,} songs in all; {len(chosen):,} are read, the others are held out for the evaluation")
    return chosen


def write_memories(
    path: Path, trained, songs: dataset.Dataset, chosen: list[int], count: int, settings: dict, quiet: bool
) -> int:
    """Write the memories, block by block to save memory, and return how many of them are different."""
    from melody import scoring

    rng, state_encoder = np.random.default_rng(settings["seed"]), scoring.StateEncoder(trained.network)
    encoded = encoding.encode(songs, trained.vocabulary)
    tokens = [encoding.inputs(encoded[s], trained.vocabulary) for s in chosen]
    how, different, size = (settings["similar"], settings["songs"]), set(), trained.record.shape.memory
    names = [songs.name[s] for s in chosen]
    index = CopyIndex.of(songs, chosen, bool(trained.vocabulary.rhythm.rhythms))
    descriptions = describe_all([encoded[s] for s in chosen], trained.vocabulary)
    texts = sum(len(name.encode()) + 32 for name in names)
    file_size = 4 * count * (size + settings["songs"]) + texts + index.table.nbytes
    bar = progress(None, quiet, total=count, unit="memory")
    with atomic_write(path, file_size + descriptions.nbytes) as temporary, h5py.File(temporary, "w") as file, bar:
        memories = file.create_dataset("memory", (count, size), np.float32)
        indices = file.create_dataset("song", (count, settings["songs"]), np.int32)
        file["name"], file["description"] = np.array(names, h5py.string_dtype()), descriptions
        index.store(file)
        file.attrs["settings"] = json.dumps(settings)
        for first in range(0, count, BLOCK):
            block = slice(first, min(first + BLOCK, count))
            sampled = memory.sample_similar_songs(descriptions, *how, block.stop - first, rng)
            indices[block] = sampled
            rows = memory.sample_inputs(tokens, sampled, settings["notes"], settings["mid_song_fraction"], rng)
            memories[block] = memory.pack(state_encoder.encode(rows))
            different.update(row.tobytes() for row in rows)
            bar.update(len(rows))
    return len(different)


if __name__ == "__main__":
    run(main)
