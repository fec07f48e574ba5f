"""Traditions that a network has never read: what do memories of a few of their songs bring (E4)?

reads   data/songs.h5, data/vocabulary.json, data/split.json
        weights/lstm.*              the network; small ones have its settings but for their size
        the corpus of music21       for tunes that are not in the Essen collection
writes  weights/unseen/<name>.*     small networks, trained without a tradition; a complete one is not trained again
        results/unseen.json, .md    figures on songs that are not in the test part
        results/unseen.png, .svg    bits saved by the number of songs that are shown

    python -m evaluation.unseen               all traditions
    python -m evaluation.unseen --only han    this one; the figures of the others stay as they are
    python -m evaluation.unseen --networks token-without-china    the figures of this network alone

Memories are read as for the shipped VAEs, and fitted as by generate_memories.py --songs (without guidance where songs
are predicted); songs are composed as by generate_song.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Container, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation import ablations, baselines, report
from evaluation.ablations import SMALL
from evaluation.report import Figure, Rows
from melody import regions
from melody.atomic import atomic_write, load_json, write_json
from melody.cli import init_keras, log, run
from melody.flags import parser

if TYPE_CHECKING:
    from evaluation.context import Context
    from melody.dataset import Dataset

Split = dict[str, list[int]]  # the indices of the songs of each part
COMMAND = "python -m evaluation.unseen"
SHIPPED, WITHOUT_HAN, WITHOUT_CHINA, CONTROL = "lstm", "without-han", "without-china", "without-china-by-collection"
TOKEN_WITHOUT_HAN, TOKEN_WITHOUT_CHINA = "token-without-han", "token-without-china"
WITH_TOKEN = {"token_probability": baselines.TOKEN_PROBABILITY}
BY_COLLECTION = {"groupings": ["collection"], "auxiliary_weight": 0.0, "synthetic_probability": 0.0}
NETWORKS = {  # the region whose songs a small network is trained without, and further changes of its settings
    WITHOUT_CHINA: ("china", {}),
    CONTROL: ("china", BY_COLLECTION),
    WITHOUT_HAN: ("han", {}),
    TOKEN_WITHOUT_CHINA: ("china", WITH_TOKEN),
    TOKEN_WITHOUT_HAN: ("han", WITH_TOKEN),
}
TRADITIONS = {  # the networks that have not read it
    "china": (CONTROL, WITHOUT_CHINA, TOKEN_WITHOUT_CHINA),
    "han": (WITHOUT_HAN, TOKEN_WITHOUT_HAN),
    "oneills1850": (SHIPPED, WITHOUT_CHINA, TOKEN_WITHOUT_CHINA),  # a folder of the corpus of music21
}
SIZES = {"songs": 150, "memories": 4, "scored": 150}  # see `evaluation.context.Sizes`
MEMORIES = ablations.MEMORIES | {"similar": "memory_similar"}  # settings of memories, and their flags
TOKENS = "_given_best known token", "_given_fitted token"
KNOWN_SONGS = "of_known_songs"  # the end of measures
COMPOSING = ("temperature", "guidance", "length")
SUMMARY = (  # measures and notes of the tables in docs/evaluation.md
    ("bits_of_opening_saved", "opening"),
    *(("pitch_bits_per_note_saved", notes) for notes in ("1", "2-8", "9-32")),
    ("pitch_bits_per_note_saved_over_German songs", "2-8"),
    ("pitch_bits_per_note_saved_by_mean memory", "2-8"),
    *(("pitch_bits_per_note_saved_by_fitted memories", notes) for notes in ("1", "2-8", "9-32")),
    *((f"{head}_bits_per_note_saved_by_fitted memories", "2-8") for head in ("rhythm", "pitch_and_rhythm")),
    ("pitch_bits_per_note_saved_by_n-gram of these songs", "2-8"),
    *((f"pitch_bits_per_note{token}", notes) for token in ("", *TOKENS) for notes in ("2-8", "9-32")),
    (f"pitch_bits_per_note_saved_beyond_{CONTROL}", "2-8"),
    ("rhythm_bits_per_note_saved", "2-8"),
    ("pitch_and_rhythm_bits_per_note_saved", "2-8"),
)


def main() -> None:
    args = arguments()
    path = args.out / "unseen.json"
    if args.table:
        return print("\n\n".join(tables(load_json(path, COMMAND)["rows"], SUMMARY)))
    init_keras(args)
    from evaluation.figures import learning_curve  # Keras takes 5 s to load, which --table and --help need not wait for
    from evaluation.shown_songs import Tradition
    from evaluation.tokens import TokenTradition
    from melody import dataset, lstm
    from melody.split import split_from_held_out

    songs, shipped = dataset.load(args.data), lstm.load(args.weights)
    split = split_from_held_out(songs, shipped.held_out)
    record = started(args, path)
    for tradition in args.only:
        every, unseen = songs_of(args, songs, split, tradition)
        found: dict[str, Tradition] = {}
        for name in [name for name in TRADITIONS[tradition] if name in args.networks]:
            trained = shipped if name == SHIPPED else without(args, songs, split, shipped.record.settings, name)
            record["networks"][name] = trained.fingerprint
            parts = {"training": split_from_held_out(songs, trained.held_out)["training"], "validation": unseen}
            kind = TokenTradition if trained.record.regions else Tradition
            found[name] = one = kind(context_of(args, every, parts, trained), tradition, name, args.fit_steps)
            log(args, f"{tradition}, {name}: {len(one.first):,} songs to show, {len(one.measured):,} to predict")
            control = found.get(CONTROL) if name == WITHOUT_CHINA else None
            record["rows"] += [*one.prediction_rows(control), *one.distance_rows(), *known_rows(args, tradition, name)]
        order = [(tradition, name) for tradition, names in TRADITIONS.items() for name in names]
        record["rows"].sort(key=lambda row: order.index((row["region"], row["network"])))
        write_json(path, record)
    with atomic_write(path.with_suffix(".md")) as file:
        file.write_text("\n\n".join(tables(record["rows"])) + "\n", encoding="utf-8")
    learning_curve(path, record["rows"])
    log(args, f"wrote {path}")


def arguments() -> argparse.Namespace:
    names = "jobs", "precision", "fit_steps", *MEMORIES.values(), *COMPOSING
    flags = parser(__doc__, "data", "weights", *names, out="RESULTS")
    flags.add_argument(
        "--only", nargs="+", choices=TRADITIONS, default=list(TRADITIONS), metavar="NAME", help="default: all"
    )
    names = [SHIPPED, *NETWORKS]
    flags.add_argument("--networks", nargs="+", choices=names, default=names, metavar="NAME", help="default: all")
    flags.add_argument("--table", action="store_true", help="print the tables of docs/evaluation.md")
    flags.set_defaults(overwrite=False)
    return flags.parse_args()


def started(args: argparse.Namespace, path: Path) -> dict:
    """The record without figures, or with those of what is not measured again."""
    settings = {name: getattr(args, name) for name in (*COMPOSING, "seed")} | SIZES
    memories = {name: getattr(args, flag) for name, flag in MEMORIES.items()} | {"fit_steps": args.fit_steps}
    record = {"command": COMMAND, "settings": settings, "memories": memories, "networks": {}, "rows": []}
    before = load_json(path, COMMAND) if path.exists() else {}
    if all(before.get(name) == record[name] for name in ("settings", "memories")):
        record["networks"] = before["networks"]
        measured = {(tradition, name) for tradition in args.only for name in args.networks}
        record["rows"] = [row for row in before["rows"] if (row["region"], row["network"]) not in measured]
    return record


def songs_of(args: argparse.Namespace, songs: Dataset, split: Split, tradition: str):
    """All songs, and the indices of those of the tradition, without the test part: of a collection of music21's corpus,
    beside the songs that there are, or of a region of these."""
    from melody import own_songs
    from melody.dataset import dataset_of, joined
    from melody.formats.song_files import find_songs

    if tradition in {region for region, _ in NETWORKS.values()}:
        return songs, sorted({*regions.members(songs, tradition)} - {*split["test"]})
    from music21 import common

    files = find_songs([str(common.getCorpusFilePath() / tradition)])
    own = own_songs.read(files, songs.vocabulary, partial(log, args), args.jobs, args.quiet)
    every = joined(songs, dataset_of(own, songs.vocabulary))
    return every, list(range(len(songs), len(every)))


def without(args: argparse.Namespace, songs: Dataset, split: Split, settings: dict, name: str):
    """A small network that has not read a region; it is trained unless it is complete."""
    from melody import lstm
    from melody.training import train

    (region, change), folder = NETWORKS[name], args.weights / "unseen"
    settings = settings | SMALL | change | {"precision": args.precision}
    path = folder / f"{name}.json"
    if not path.exists() or len(load_json(path, COMMAND)["history"]) < settings["epochs"]:
        own = argparse.Namespace(**vars(args) | {"weights": folder, "resume": path.exists()})
        train(own, name, COMMAND, settings, split=split_without(songs, split, region))
    return lstm.load(folder, name, COMMAND)


def split_without(songs: Dataset, split: Split, region: str) -> Split:
    """The split with all songs of a region in the test part: weights are neither trained on them nor chosen by them."""
    left_out = {*regions.members(songs, region)}
    kept = {part: [s for s in split[part] if s not in left_out] for part in ("training", "validation")}
    return kept | {"test": sorted({*range(len(songs))} - {*kept["training"], *kept["validation"]})}


def context_of(args: argparse.Namespace, songs: Dataset, split: Split, trained) -> Context:
    """The songs as `trained` reads them, and the settings of its memories and of composing."""
    from evaluation.context import EVERY, FULL, Context
    from melody.records import VaeRecord

    memories = {name: getattr(args, flag) for name, flag in MEMORIES.items()}
    record = VaeRecord("", trained.record.shape.memory, 0, [], 0, memories)
    composing = (getattr(args, name) for name in ("seed", *COMPOSING))
    return Context(songs, split, trained, {}, {EVERY: record}, "validation", replace(FULL, **SIZES), *composing)


def known_rows(args: argparse.Namespace, tradition: str, name: str) -> Rows:
    """Bits per note of the validation songs that chose the weights of a small network: what it costs to know less."""
    rows, path = Rows("E4", region=tradition, network=name, shown=None), args.weights / "unseen" / f"{name}.json"
    if name != SHIPPED:
        trained = load_json(path, COMMAND)
        best, songs = min(trained["history"], key=lambda row: row["validation_bits"]), trained["held_out"]["validation"]
        for head in ("pitch", "rhythm"):
            figure = Figure(best[f"validation_{head}_bits"], len(songs))
            rows.add(f"{head}_bits_per_note_{KNOWN_SONGS}", "unconditional", figure)
    return rows


def tables(rows: Sequence[dict], chosen: Container[tuple[str, str]] = ()) -> list[str]:
    """Bits, of which all measures and notes or those that are `chosen`, and what stands beside them, by network."""
    rows = [row | {"region": f"{row['region']}, {row['network']}"} for row in rows]
    distances = [row for row in rows if row["measure"].endswith(("total_variation", KNOWN_SONGS))]
    bits = [row for row in rows if row not in distances and (not chosen or (row["measure"], row["notes"]) in chosen)]
    return [report.table(bits), report.table(distances)]


if __name__ == "__main__":
    run(main)
