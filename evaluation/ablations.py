"""Small networks, each with one thing changed: what does each part of the network and of its training bring?

reads   data/songs.h5, data/vocabulary.json, data/split.json
        weights/lstm.json              the settings that all have in common but for their size
writes  weights/ablations/<name>.*     the networks, 2 × 256 units and 20 epochs; a complete one is not trained again
        results/ablations.json, .md    figures on validation songs

    python -m evaluation.ablations                      all of them
    python -m evaluation.ablations --only full seed-1   these alone

Memories are of three random songs of a kind. What they save is a difference in bits: German songs in minor, or in 6/8,
after memories of songs like them, against memories of songs in major, or in 3/4 (E1 and E2 of `evaluate.py`).
"""

import argparse

from evaluation.baselines import NO_LOOKBACK, PITCH_ONLY, TRANSFORMER, builder, changed
from melody.atomic import atomic_write, load_json, write_json
from melody.cli import init_keras, log, run
from melody.flags import parser

SMALL = {"units": 256, "layers": 2, "epochs": 20}
CHANGES = {  # of settings; those of the baselines are in their module
    "full": {},
    "seed-1": {"seed": 1},
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
    rows = [row for name in args.only for row in measured(name, args, settings[name])]
    changes = {
        name: {key: value for key, value in settings[name].items() if value != shared.get(key)} for name in args.only
    }
    memories = {name: getattr(args, flag) for name, flag in MEMORIES.items()}
    record = {"command": COMMAND, "settings": shared, "memories": memories, "changes": changes, "rows": rows}
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
    best = min(load_json(path, COMMAND)["history"], key=lambda row: row["validation_bits"])
    for head in ("pitch", "rhythm", "phrase"):
        if f"validation_{head}_bits" in best:
            notes = sum(len(song) for song in context.songs_of("validation"))
            rows.add(f"{head}_bits_per_note", name, Figure(best[f"validation_{head}_bits"], notes))
    if len(trained.network.inputs) == 1:  # a Transformer, which has no memory
        return rows
    mode = [MODES[mode_of(key)] for key in context.songs.key]
    kinds = Kind(context, mode.__getitem__, "minor", "major"), Kind(context, context.songs.meter.__getitem__, *METERS)
    for kind in kinds:
        head, notes = SAVED[kind.name]
        measure = f"{'bits_of_opening' if head == 'opening' else f'{head}_bits_per_note'}_saved_over_another_kind"
        for row in find(kind.likelihood_rows("ablation", {}), measure=measure, notes=notes, condition=OWN):
            rows.append(row | {"condition": name})
    return rows


def context_of(args: argparse.Namespace, trained):
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
