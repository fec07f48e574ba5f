"""E4: what fine-tuning on a few songs of an unknown tradition brings, and what the collection loses by it.

reads   data/songs.h5, data/vocabulary.json; weights/lstm.*; songs that the network was not trained on
writes  weights/fine-tuning/<name>-<draw>/lstm.*   the networks; a complete one is not trained again
        results/fine-tuning-<name>.json, .md       figures before and after

    python -m evaluation.fine_tuning --songs PATH --name irish

In each draw the network goes on with 50 random songs, as by `train_lstm.py --from`, and is measured on others that are
no near-duplicates of them. Songs are composed from memories of the songs that it was trained on, without a VAE.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Hashable
from functools import partial

import numpy as np

from melody import training_settings
from melody.atomic import atomic_write, load_json, write_json
from melody.cli import init_keras, log, run
from melody.flags import parser, songs_name

DRAWS = 3
SONGS = 50  # of each draw
MEASURED = 200  # other songs, and songs of the collection, at most
COMPOSED = 100  # songs of each network
MEMORIES = {
    "songs": "memory_songs",
    "similar": "memory_similar",
    "notes": "memory_notes",
    "mid_song_fraction": "mid_song_fraction",
}
COMPOSING = ("temperature", "guidance", "length")
COMMAND = "python -m evaluation.fine_tuning"
BEFORE, AFTER, NONE, READ = "before", "after", "without a memory", "the songs read"


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
        rows.add("seconds", AFTER, Figure(time.perf_counter() - began, 1))
    networks = {BEFORE: lstm.load(args.weights), AFTER: lstm.load(folder)}
    contexts = {name: context_of(args, network, own, parts, measured) for name, network in networks.items()}
    add_bits(rows, contexts, networks, collection)
    add_distances(rows, contexts)
    return rows


def draw_songs(songs, draw: int) -> tuple[list[int], list[int]]:
    """`SONGS` random songs, and `MEASURED` others at most, none of them a near-duplicate of the first."""
    from melody.split import near_duplicates

    rng, groups = np.random.default_rng(draw), near_duplicates(songs.intervals)
    order = np.concatenate([np.flatnonzero(groups == group) for group in rng.permutation(groups.max() + 1)])
    chosen = order[:SONGS]
    others = order[SONGS:][~np.isin(groups[order[SONGS:]], groups[chosen])]
    return sorted(chosen.tolist()), sorted(others[:MEASURED].tolist())


def context_of(args: argparse.Namespace, trained, own, parts: dict[str, list[int]], measured: list[int]):
    """The songs as `trained` reads them, and how songs are composed."""
    from evaluation.context import EVERY, Context, Sizes
    from melody.records import VaeRecord

    memories = {name: getattr(args, flag) for name, flag in MEMORIES.items()}
    record = VaeRecord("", trained.record.shape.memory, 0, [], 0, memories)
    sizes = Sizes(COMPOSED, 1, 1, MEASURED, 0, 0, 0, 0, 0, 0)
    split = {"training": parts["training"], "validation": measured, "test": []}
    composing = {name: getattr(args, name) for name in COMPOSING}
    return Context(own, split, trained, {}, {EVERY: record}, "validation", sizes, args.seed, **composing)


def add_bits(rows, contexts: dict, networks: dict, collection) -> None:
    """Bits per note of the measured songs and of as many validation songs of the collection, and what is saved."""
    from evaluation.report import Figure
    from evaluation.statistics import interval, resampled_means
    from melody import encoding, scoring
    from melody.split import split_from_held_out

    context, trained = contexts[BEFORE], networks[BEFORE]
    known = encoding.encode(collection, trained.vocabulary)
    kept = context.rng("collection").permutation(split_from_held_out(collection, trained.held_out)["validation"])
    for where, songs in (("", context.encoded_of("validation")), ("collection_", [known[s] for s in kept[:MEASURED]])):
        tokens = context.tokens(songs)
        bits = {name: scoring.information_content(network.network, tokens) for name, network in networks.items()}
        for k, head in enumerate(("pitch", "rhythm")[: len(encoding.HEADS)]):
            notes = {name: [song[:-1, k] for song in found] for name, found in bits.items()}
            counts = np.array([np.isfinite(song).sum() for song in notes[BEFORE]])
            sums = {name: np.array([np.nansum(song) for song in found]) for name, found in notes.items()}
            figures = {name: Figure(one.sum() / counts.sum(), len(songs)) for name, one in sums.items()}
            rows.add_all(f"{where}{head}_bits_per_note", figures)
            saved = sums[BEFORE] - sums[AFTER]
            figure = Figure(saved.sum() / counts.sum(), len(songs))
            if not where:
                weights = context.weights(context.indices("validation"), "E4")
                figure = figure._replace(interval=interval(resampled_means(saved, counts, weights)))
            rows.add(f"{where}{head}_bits_per_note_saved", AFTER, figure)


def add_distances(rows, contexts: dict) -> None:
    """Total variation of composed songs, and of the songs that were read, from the measured ones; and how many of the
    measured songs in one meter could be composed."""
    from evaluation import conditions
    from evaluation import rhythm_metrics as r
    from evaluation.context import EVERY
    from evaluation.report import Figure

    context = contexts[BEFORE]
    midi, times = np.array(context.trained.vocabulary.midi), r.quarters(context.trained.vocabulary)
    parts = {READ: context.encoded_of("training"), "": context.encoded_of("validation")}
    for name, one in contexts.items():
        parts[f"{name}, {NONE}"] = conditions.encoded_songs(one, conditions.UNCONDITIONAL, EVERY)
        parts[name] = conditions.encoded_songs(one, conditions.TRAINING, EVERY)
    kinds: dict[str, Callable[..., list[Hashable]]] = {
        "pitches": lambda song: midi[song.pitch].tolist(),
        "intervals": lambda song: np.diff(midi[song.pitch]).tolist(),
        "note_values": lambda song: times[song.rhythm][np.isfinite(times[song.rhythm])].tolist(),
        "time_signatures": lambda song: [song.signature],
    }
    for kind, values in kinds.items():
        counts = r.histograms(*([values(song) for song in songs] for songs in parts.values()))
        totals = dict(zip(parts, (one.sum(axis=0) for one in counts), strict=True))
        real = totals.pop("")
        figures = {name: Figure(r.total_variation(one, real), len(parts[name])) for name, one in totals.items()}
        rows.add_all(f"{kind}_total_variation", figures)
    allowed = {}
    for name, one in contexts.items():
        known, clock = one.trained.vocabulary.rhythm.automaton, r.Clock(one.trained.vocabulary)
        in_meter = [song for song in one.encoded_of("validation") if clock.read(song)]
        found = [r.states(song, known) is not None for song in in_meter]
        allowed[name] = Figure(np.mean(found), len(found))
    rows.add_all("songs_that_the_bar_automaton_allows", allowed)


def table(record: dict) -> str:
    """The means of all draws: measures as lines, networks as columns."""
    from evaluation import report

    found: dict[tuple, list[dict]] = {}
    for row in record["rows"]:
        found.setdefault((row["measure"], row["condition"]), []).append(row)
    means = [
        rows[0] | {"region": None, "value": float(np.mean([row["value"] for row in rows])), "interval": None}
        for rows in found.values()
    ]
    return report.table(means)


if __name__ == "__main__":
    run(main)
