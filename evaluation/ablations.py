"""Small networks, each with one thing changed: what does each part of the network and of its training bring?

reads   data/songs.h5, data/vocabulary.json, data/split.json
        weights/lstm.json              the settings that all have in common but for their size
writes  weights/ablations/<name>.*     the networks, 2 × 256 units and 20 epochs; a complete one is not trained again
        results/ablations.json, .md    figures on validation songs

    python -m evaluation.ablations                      all of them
    python -m evaluation.ablations --only full seed-1   these; the figures of the others stay as they are

The collection of a song is given to a network by its control token, or by the mean memory of the collection's training
songs. Other memories are of three random songs of a kind. What they save is a difference in bits: German songs in
minor, or in 6/8, after memories of songs like them, against memories of songs in major, or in 3/4 (E1 and E2 of
`evaluate.py`).
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np

from evaluation.baselines import NO_LOOKBACK, PITCH_ONLY, TOKEN, TRANSFORMER, builder, changed
from melody.atomic import atomic_write, load_json, write_json
from melody.cli import init_keras, log, run
from melody.flags import parser
from melody.regions import region_ids

if TYPE_CHECKING:
    from evaluation.context import Context

SMALL = {"units": 256, "layers": 2, "epochs": 20}
CHANGES = {  # of settings; those of the baselines are in their module
    "full": {},
    "seed-1": {"seed": 1},
    TOKEN: {},
    PITCH_ONLY: {},
    TRANSFORMER: {},
    "no-auxiliary-loss": {"auxiliary_weight": 0.0},
    "no-synthetic-traditions": {"synthetic_probability": 0.0},
    "no-transposition": {"transpose_probability": 0.0},
    NO_LOOKBACK: {},
}
MEMORIES = {"songs": "memory_songs", "notes": "memory_notes", "mid_song_fraction": "mid_song_fraction"}
SAVED = {"minor": ("pitch", "2-8"), "6/8": ("opening", "opening")}  # head and notes whose saved bits are shown
COMMAND = "python -m evaluation.ablations"


def main() -> None:
    args = arguments()
    path = args.out / "ablations.json"
    if args.table:
        return print(table(load_json(path, COMMAND)))
    init_keras(args)
    from melody import lstm, records  # Keras takes 5 s to load, which --table and --help need not wait for
    from melody.records import NetworkRecord

    shared = records.load(NetworkRecord, args.weights / "lstm.json", lstm.COMMAND).settings | SMALL
    shared |= {"precision": args.precision}
    args.weights /= "ablations"
    settings = {name: changed(name, shared) | change for name, change in CHANGES.items()}
    memories = {name: getattr(args, flag) for name, flag in MEMORIES.items()}
    record = {"command": COMMAND, "settings": shared, "memories": memories, "changes": {}, "rows": []}
    before = load_json(path, COMMAND) if path.exists() else {}
    if all(before.get(name) == record[name] for name in ("settings", "memories")):
        record["rows"] = [row for row in before["rows"] if row["condition"] not in args.only]
        record["changes"] = before["changes"]
    for name in args.only:
        record["changes"][name] = {key: value for key, value in settings[name].items() if value != shared.get(key)}
        record["rows"] += measured(name, args, settings[name])
        record["rows"].sort(key=lambda row: list(CHANGES).index(row["condition"]))
        write_json(path, record)
    with atomic_write(path.with_suffix(".md")) as file:
        file.write_text(table(record) + "\n", encoding="utf-8")
    log(args, f"wrote {path}")


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, "data", "weights", "precision", *MEMORIES.values(), out="RESULTS")
    flags.add_argument("--only", nargs="+", choices=CHANGES, default=list(CHANGES), metavar="NAME", help="default: all")
    flags.add_argument("--table", action="store_true", help="print the table of results/ablations.json")
    flags.set_defaults(overwrite=False)
    return flags.parse_args()


def measured(name: str, args: argparse.Namespace, settings: dict) -> list[dict]:
    """Train a network unless it is complete; its bits per note of validation songs, and those that memories save."""
    from evaluation.memory_content import METERS, OWN, Kind
    from evaluation.report import Figure, Rows, find
    from melody import lstm
    from melody.descriptors import MODES, mode_of
    from melody.training import train

    path = args.weights / f"{name}.json"
    args.resume = path.exists()
    if not args.resume or len(load_json(path, COMMAND)["history"]) < settings["epochs"]:
        train(args, name, f"{COMMAND} --only {name}", settings, builder(name))
    trained = lstm.load(args.weights, name, COMMAND, builder(name))
    context, rows = context_of(args, trained), Rows("ablation")
    is_transformer = len(trained.network.inputs) == 1  # which has no memory
    for measure, given in {"bits_per_note": False, "bits_per_note_given_the_collection": True}.items():
        for head, bits in ({} if is_transformer and given else bits_of_heads(context, given)).items():
            rows.add(f"{head}_{measure}", name, Figure(float(np.mean(bits)), len(bits)))
    if is_transformer or trained.record.regions:
        return rows
    mode = [MODES[mode_of(key)] for key in context.songs.key]
    kinds = Kind(context, mode.__getitem__, "minor", "major"), Kind(context, context.songs.meter.__getitem__, *METERS)
    for kind in kinds:
        head, notes = SAVED[kind.name]
        measure = f"{'bits_of_opening' if head == 'opening' else f'{head}_bits_per_note'}_saved_over_another_kind"
        for row in find(kind.likelihood_rows("ablation", {}), measure=measure, notes=notes, condition=OWN):
            rows.append(row | {"condition": name})
    return rows


def bits_of_heads(context: Context, given: bool) -> dict[str, np.ndarray]:
    """Bits of all notes of the validation songs for each head; the network may be given their collections."""
    from evaluation.prediction import from_network, own_means

    known = context.trained.record.regions
    names = [context.songs.name[s] if given else "" for s in context.split["validation"]]
    states = own_means(context) if given and not known else None
    how = {"states": states, "region_ids": np.array(region_ids(names, known)) if known else None}
    found = from_network(context.trained.network, context.tokens(context.encoded_of("validation")), **how)
    return {head: np.concatenate(found[head].bits) for head in ("pitch", "rhythm", "phrase") if head in found}


def context_of(args: argparse.Namespace, trained) -> Context:
    """The validation songs as `trained` reads them, and the settings of its memories."""
    from evaluation.context import EVERY, FULL, Context
    from melody import dataset
    from melody.records import VaeRecord
    from melody.split import split_from_held_out

    songs = dataset.load(args.data)
    memories = {name: getattr(args, flag) for name, flag in MEMORIES.items()}
    record = VaeRecord("", trained.record.shape.memory, 0, [], 0, memories)
    split = split_from_held_out(songs, trained.held_out)
    return Context(songs, split, trained, {}, {EVERY: record}, "validation", FULL, args.seed, 1.0, 0.0, 0)


def table(record: dict) -> str:
    """Measures as lines, networks as columns."""
    from evaluation import report

    return report.table(record["rows"])


if __name__ == "__main__":
    run(main)
