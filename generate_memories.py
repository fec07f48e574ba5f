"""Stage 3: let the network read songs of a region and keep its states: memories.

reads   data/songs.h5, data/vocabulary.json, weights/lstm.*
writes  data/memories/<regions>.h5   memory (count, 6 * units), song (count, songs), name: the songs' names

    python generate_memories.py                        memories of config.REGIONS: half a minute on two cores
    python generate_memories.py --regions han shanxi   memories of songs of either

A memory is the network's state after it has read some random songs of the region, one after the other, the last one to
its end or to some place within. Songs that were held out from the network's training are not read, so that they stay
unheard.
"""

import argparse
import json

from melody.atomic import file_lock
from melody.cli import init_keras, log, progress, run
from melody.errors import UserError
from melody.flags import add_regions, parser
from melody.provenance import is_up_to_date

BLOCK = 256  # memories made at a time


def main() -> None:
    args = arguments()
    init_keras(args)
    from melody import dataset, lstm

    songs, trained = dataset.load(args.data), lstm.load(args.weights)
    lstm.check_vocabulary(trained, songs.vocabulary)
    chosen = choose(args, songs.name, trained.held_out)
    path = args.data / "memories" / f"{args.name}.h5"
    settings = {
        "regions": sorted(args.regions), "count": args.count, "songs": args.songs, "notes": args.notes,
        "mid_song_fraction": args.mid_song_fraction, "seed": args.seed, "network": trained.fingerprint,
    }  # fmt: skip
    if not args.overwrite and is_up_to_date(path, settings):
        return log(args, f"{path} is there, made with these settings; nothing to do")
    with file_lock(path):
        different = write_memories(path, trained.network, songs, chosen, settings, args.quiet)
    log(args, f"wrote {args.count} memories, {different} of them different, to {path}")


def arguments() -> argparse.Namespace:
    flags = parser(
        __doc__, "data", "weights", "mid_song_fraction", count="MEMORIES", songs="MEMORY_SONGS", notes="MEMORY_NOTES"
    )
    add_regions(flags)
    flags.add_argument("--overwrite", action="store_true", help="over memories that are there")
    return flags.parse_args()


def choose(args: argparse.Namespace, names: list[str], held_out: dict[str, list[str]]) -> list[int]:
    """The songs that answer the regions and were not held out; tells what each region answers."""
    from melody import regions

    for constraint in args.regions:
        log(args, f"{constraint}: {len(regions.choose(names, [constraint]))} songs")
    answering = regions.choose(names, args.regions)
    unheard = {name for part in held_out.values() for name in part}
    chosen = [s for s in answering if names[s] not in unheard]
    if not chosen:
        raise UserError(f"all of the {len(answering)} songs are held out to measure by; choose a wider region")
    log(args, f"{len(answering)} songs in all; {len(chosen)} of them are read, the others held out to measure by")
    if len(chosen) < regions.FEW:
        log(args, f"warning: {len(chosen)} songs are few for a manner; the memories will hardly differ")
    return chosen


def write_memories(path, network, songs, chosen: list[int], settings: dict, quiet: bool) -> int:
    """Write the memories block by block, so that many need no more room than few; how many are different."""
    import h5py
    import numpy as np

    from melody import lstm, memory, scoring
    from melody.atomic import atomic_write

    rng, state_encoder = np.random.default_rng(settings["seed"]), scoring.StateEncoder(network)
    heard, start = songs.songs(chosen), len(songs.vocabulary)
    count, readings, numbers = settings["count"], set(), lstm.shape_of(network).memory
    names = [songs.name[s] for s in chosen]
    room = 4 * count * (numbers + settings["songs"]) + sum(len(name.encode()) + 32 for name in names)
    with (
        atomic_write(path, room) as beside,
        h5py.File(beside, "w") as file,
        progress(None, quiet, total=count, unit="memory") as bar,
    ):
        rows = file.create_dataset("memory", (count, numbers), np.float32)
        read = file.create_dataset("song", (count, settings["songs"]), np.int32)
        file["name"] = np.array(names, h5py.string_dtype())
        file.attrs["settings"] = json.dumps(settings)
        for first in range(0, count, BLOCK):
            block = slice(first, min(first + BLOCK, count))
            drawn = memory.sample_songs(len(heard), settings["songs"], block.stop - first, rng)
            entries = memory.sample_inputs(heard, drawn, settings["notes"], start, settings["mid_song_fraction"], rng)
            rows[block], read[block] = memory.pack(state_encoder.encode(entries)), drawn
            readings.update(row.tobytes() for row in entries)
            bar.update(len(drawn))
    return len(readings)


if __name__ == "__main__":
    run(main)
