"""E4: what fine-tuning on a few songs of an unknown tradition brings, and fitted memories; what the collection loses.

reads   data/songs.h5, data/vocabulary.json; weights/lstm.*; songs that the network was not trained on
writes  weights/fine-tuning/<name>-<draw>/lstm.*   the networks; a complete one is not trained again
        results/fine-tuning-<name>.json, .md       figures before and after

    python -m evaluation.fine_tuning --songs PATH --name irish

In each draw the network goes on with 50 random songs, as by `train_lstm.py --from`, and is measured on others that are
no near-duplicates of them. Songs are composed from memories of the songs that it was trained on, without a VAE; these
are read by the network, or fitted too (`melody.fitting`).
"""

from __future__ import annotations

import argparse
import time
from functools import partial

import numpy as np

from melody import training_settings
from melody.atomic import atomic_write, load_json, write_json
from melody.cli import init_keras, log, run
from melody.flags import parser, songs_name

DRAWS = 3
SONGS = 50  # of each draw
MEMORIES = {
    "songs": "memory_songs",
    "similar": "memory_similar",
    "notes": "memory_notes",
    "mid_song_fraction": "mid_song_fraction",
}
COMPOSING = ("temperature", "guidance", "length", "fit_steps")
COMMAND = "python -m evaluation.fine_tuning"


def main() -> None:
    args = arguments()
    path = args.out / f"fine-tuning-{args.name}.json"
    if args.table:
        return print(table(load_json(path, COMMAND)))
    init_keras(args)
    from melody import dataset, lstm, own_songs  # Keras takes 5 s to load, which --table and --help need not wait for
    from melody.formats.song_files import find_songs

    trained = lstm.load(args.weights)
    found = own_songs.read(find_songs(args.songs), trained.vocabulary, partial(log, args), args.jobs, args.quiet)
    songs = dataset.load(args.data), dataset.dataset_of(found, trained.vocabulary)
    rows = [row for draw in range(DRAWS) for row in rows_of(args, trained, *songs, draw)]
    record = {"command": f"{COMMAND} --name {args.name}", "songs": len(found), "rows": rows}
    write_json(path, record)
    with atomic_write(path.with_suffix(".md")) as file:
        file.write_text(table(record) + "\n", encoding="utf-8")
    log(args, f"wrote {path}")


def arguments() -> argparse.Namespace:
    settings = (*training_settings.SHARED, *MEMORIES.values(), *COMPOSING)
    flags = parser(__doc__, "data", "weights", "jobs", *settings, out="RESULTS", **training_settings.OWN)
    flags.add_argument("--songs", nargs="+", default=[], metavar="PATH", help="folders, files or patterns")
    flags.add_argument("--name", type=songs_name, required=True, help="of these songs")
    flags.add_argument("--table", action="store_true", help="print the table of the results file")
    flags.set_defaults(overwrite=False)
    return flags.parse_args()


def rows_of(args: argparse.Namespace, trained, collection, own, draw: int) -> list[dict]:
    """Fine-tune on the songs of a draw, unless it was done; figures of both networks."""
    from evaluation import adaptation
    from evaluation.report import Figure, Rows
    from melody import lstm
    from melody.fine_tuning import fine_tune, hold_out

    chosen, measured = draw_songs(own, draw)
    parts = hold_out(own, chosen, draw)
    folder = args.weights / "fine-tuning" / f"{args.name}-{draw}"
    flags = argparse.Namespace(**vars(args) | {"resume": (folder / "lstm.json").exists()})
    settings = training_settings.fine_tuning(args, trained.record.settings) | {"seed": draw}
    began = time.perf_counter()
    fine_tune(flags, folder, trained, own, parts, settings, COMMAND)
    rows = Rows("E4", region=f"{args.name} {draw}")
    if not flags.resume:
        rows.add("seconds", adaptation.AFTER, Figure(time.perf_counter() - began, 1))
    networks = {adaptation.BEFORE: lstm.load(args.weights), adaptation.AFTER: lstm.load(folder)}
    contexts = {name: context_of(args, network, own, parts, measured) for name, network in networks.items()}
    adaptation.add_collection_bits(rows, contexts, collection)
    adaptation.add_bits(rows, contexts, args.fit_steps)
    adaptation.add_distances(rows, contexts, args.fit_steps)
    return rows


def draw_songs(songs, draw: int) -> tuple[list[int], list[int]]:
    """`SONGS` random songs, and `MEASURED` others at most, none of them a near-duplicate of the first."""
    from evaluation.adaptation import MEASURED
    from melody.split import near_duplicates

    rng, groups = np.random.default_rng(draw), near_duplicates(songs.intervals)
    order = np.concatenate([np.flatnonzero(groups == group) for group in rng.permutation(groups.max() + 1)])
    chosen = order[:SONGS]
    others = order[SONGS:][~np.isin(groups[order[SONGS:]], groups[chosen])]
    return sorted(chosen.tolist()), sorted(others[:MEASURED].tolist())


def context_of(args: argparse.Namespace, trained, own, parts: dict[str, list[int]], measured: list[int]):
    """The songs as `trained` reads them, and how songs are composed."""
    from evaluation.adaptation import COMPOSED, MEASURED
    from evaluation.context import EVERY, Context, Sizes
    from melody.records import VaeRecord

    memories = {name: getattr(args, flag) for name, flag in MEMORIES.items()}
    record = VaeRecord("", trained.record.shape.memory, 0, [], 0, memories)
    sizes = Sizes(COMPOSED, 1, 1, MEASURED, 0, 0, 0, 0, 0, 0)
    split = {"training": parts["training"], "validation": measured, "test": []}
    composing = {name: getattr(args, name) for name in COMPOSING if name != "fit_steps"}
    return Context(own, split, trained, {}, {EVERY: record}, "validation", sizes, args.seed, **composing)


def table(record: dict) -> str:
    """The means of all draws: measures as lines, networks as columns."""
    from evaluation import report

    found: dict[tuple, list[dict]] = {}
    for row in record["rows"]:
        found.setdefault((row["measure"], row["condition"]), []).append(row)
    means = []
    for rows in found.values():
        value, target = float(np.mean([row["value"] for row in rows])), rows[0]["target"]
        met = target and report.meets(value, target)
        means.append(rows[0] | {"region": None, "value": value, "interval": None, "met": met})
    return report.table(means)


if __name__ == "__main__":
    run(main)
