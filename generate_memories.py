"""Stage 3: the network reads songs of a region, or songs of your own; its states are their memories.

reads   weights/lstm.*; data/songs.h5 and data/vocabulary.json, or with --songs kern, MIDI, ABC and MusicXML files
writes  data/memories/<name>.h5   memory (count, 6 * units), song (count, songs), name: the names of the songs;
                                  copies: hashes of the songs, see melody/copies.py
                                  description: distributions of each song, see melody/reach.py

    python generate_memories.py                              memories of config.REGIONS: two minutes on two cores
    python generate_memories.py --regions han shanxi         memories of songs of either region
    python generate_memories.py --regions "genre=*Liebe*&key=minor" "area=*Tirol*"   what the catalogue says of songs
    python generate_memories.py --songs tunes --name irish   memories of songs of your own
    python generate_memories.py --list                       what there is, in numbers of songs: regions, genres, ...
    python generate_memories.py --list genre area            all genres and areas

For each memory the network reads a random song, to its end or to a random note, after others that are among those most
like it. It reads no songs that were held out from its training. Songs of your own with notes that the network does not
know are transposed to where it knows all of them; of these there are at most 50 memories a song, which are fitted to
the beginnings of the songs (melody/fitting.py).
"""

import argparse
import json
from collections.abc import Iterator
from functools import partial
from itertools import tee
from pathlib import Path
from typing import Self

import h5py
import numpy as np

from melody import cluster, dataset, encoding, memory, own_songs, regions
from melody.atomic import atomic_write, file_lock
from melody.cli import init_keras, log, progress, run
from melody.copies import CopyIndex
from melody.descriptors import describe_all
from melody.errors import UserError
from melody.flags import add_cluster, add_regions, parser
from melody.formats.song_files import find_songs
from melody.provenance import files_fingerprint, fingerprint, is_up_to_date

BLOCK = 256  # memories made at a time
FITTED = 64  # memories that are read for fitting
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
    own = {"name": args.name, "files": files_fingerprint(files), "fit_steps": args.fit_steps, "guidance": args.guidance}
    settings |= own if files else {}
    if not args.overwrite and is_up_to_date(path, settings):
        return log(args, f"{path} exists and was made with these settings; nothing to do")
    songs, chosen = load_songs(args, trained)
    if len(chosen) < regions.FEW:
        log(args, f"warning: {len(chosen)} songs are too few for a style; the memories will hardly differ")
    count = min(args.count, PER_SONG * len(chosen)) if files else args.count
    with file_lock(path):
        different = write_memories(path, Reader(args, trained, songs, chosen), count, settings)
    log(args, f"wrote {count:,} memories, {different:,} of them different, to {path}")


def load_songs(args: argparse.Namespace, trained) -> tuple[dataset.Dataset, list[int]]:
    """The songs of --songs or --data, and the indices of those that are read."""
    from melody import lstm

    if args.songs:
        own = own_songs.read(find_songs(args.songs), trained.vocabulary, partial(log, args), args.jobs, args.quiet)
        songs = dataset.dataset_of(own, trained.vocabulary)
        log(args, f"{len(songs):,} songs of {args.name}, {len(songs.pitch):,} notes")
        return songs, list(range(len(songs)))
    songs = dataset.load(args.data)
    lstm.check_vocabulary(trained, songs.vocabulary)
    return songs, choose(args, songs, trained.held_out)


def arguments() -> argparse.Namespace:
    own = "memory_songs", "memory_notes", "memory_similar", "mid_song_fraction", "fit_steps", "guidance"
    flags = parser(__doc__, "data", "weights", "jobs", *own, count="MEMORIES")
    add_regions(flags)
    songs = "songs of your own: folders, files or patterns, read instead of --data; --name says what to call them"
    flags.add_argument("--songs", nargs="+", metavar="PATH", help=songs)
    listed = f"print the regions of the songs, and the {MOST_VALUES} commonest values of each field, or with names of"
    listed += f" fields ({', '.join(regions.FIELDS)}) all of these, and stop; of all songs, or those of given --regions"
    flags.add_argument("--list", nargs="*", choices=regions.FIELDS, metavar="FIELD", help=listed)
    flags.add_argument("--overwrite", action="store_true", help="replace the memories of the region")
    add_cluster(flags)
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


class Reader:
    """The network, and the songs that it reads."""

    def __init__(self, args: argparse.Namespace, trained, songs: dataset.Dataset, chosen: list[int]):
        from melody import scoring

        self.args, self.trained, self.songs, self.chosen = args, trained, songs, chosen
        self.encoder = scoring.StateEncoder(trained.network)
        encoded = encoding.encode(songs, trained.vocabulary)
        self.encoded = [encoded[s] for s in chosen]
        self.tokens = [encoding.inputs(song, trained.vocabulary) for song in self.encoded]
        self.descriptions = describe_all(self.encoded, trained.vocabulary)

    @classmethod
    def load(cls, args: argparse.Namespace) -> Self:
        from melody import lstm

        trained = lstm.load(args.weights)
        return cls(args, trained, *load_songs(args, trained))

    def read(self, block: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, list[str]]:
        """The memories of a block, (count, memory), and the fingerprint of what was read for each."""
        rows = memory.inputs(self.tokens, *block, self.args.memory_notes)
        return memory.pack(self.encoder.encode(rows)), [fingerprint(row.tobytes()) for row in rows]

    def blocks(self, count: int, settings: dict) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The songs that are read for the memories, (count, songs) integers, and how much of the last one, (count,)."""
        rng = np.random.default_rng(settings["seed"])
        for first in range(0, count, BLOCK):
            how = settings["similar"], settings["songs"], min(BLOCK, count - first)
            songs = memory.sample_similar_songs(self.descriptions, *how, rng)
            yield songs, memory.sample_ends(self.tokens, songs, settings["mid_song_fraction"], rng)

    def offset(self, settings: dict) -> np.ndarray:
        """What is added to memories of songs of the user's own, (memory,), see `melody.fitting`."""
        from melody.fitting import fit_offset

        targets = (encoding.targets(song, self.trained.vocabulary) for song in self.encoded)
        songs = list(zip(self.tokens, targets, strict=True))
        memories, _ = self.read(next(self.blocks(FITTED, settings)))
        rng, how = np.random.default_rng(settings["seed"]), (settings["fit_steps"], settings["guidance"])
        return fit_offset(self.trained.network, songs, memories, *how, rng, self.args.quiet)


def write_memories(path: Path, reader: Reader, count: int, settings: dict) -> int:
    """Write the memories, block by block to save memory, and return how many of them are different."""
    args, trained, different, size = reader.args, reader.trained, set(), reader.trained.record.shape.memory
    names = [reader.songs.name[s] for s in reader.chosen]
    index = CopyIndex.of(reader.songs, reader.chosen, bool(trained.vocabulary.rhythm.rhythms))
    descriptions, offset = reader.descriptions, reader.offset(settings) if settings.get("fit_steps") else 0
    blocks, to_read = tee(reader.blocks(count, settings))
    if args.cluster:
        found = cluster.results(
            args.cluster, "generate_memories:Reader.read", to_read, args, "generate_memories:Reader.load"
        )
    else:
        found = map(reader.read, to_read)
    texts = sum(len(name.encode()) + 32 for name in names)
    file_size = 4 * count * (size + settings["songs"]) + texts + index.table.nbytes
    bar = progress(None, args.quiet, total=count, unit="memory")
    with atomic_write(path, file_size + descriptions.nbytes) as temporary, h5py.File(temporary, "w") as file, bar:
        memories = file.create_dataset("memory", (count, size), np.float32)
        indices = file.create_dataset("song", (count, settings["songs"]), np.int32)
        file["name"], file["description"] = np.array(names, h5py.string_dtype()), descriptions
        index.store(file)
        file.attrs["settings"] = json.dumps(settings)
        for number, ((songs, _), (states, read)) in enumerate(zip(blocks, found, strict=True)):
            block = slice(number * BLOCK, number * BLOCK + len(songs))
            indices[block], memories[block] = songs, states + offset
            different.update(read)
            bar.update(len(songs))
    return len(different)


if __name__ == "__main__":
    run(main)
