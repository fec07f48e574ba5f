"""Goes on with the training of a network on songs of the user's own.

Between them the network reads streams of the collection that it was trained on, so that it forgets little of it. The
weights are those after the epoch in which it predicts held-out songs of the user best; what it has forgotten beyond a
limit counts against an epoch.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from melody import copies, dataset, encoding, lstm
from melody.cli import log
from melody.split import grouped_split, split_fingerprint, split_from_held_out
from melody.training import Trainer, tokens_of, training_songs
from melody.training_run import Row, TrainingRun, same_command
from melody.vocabulary import Vocabulary

COLLECTION_SONGS = 100  # held-out songs of the collection, at most, that are predicted after each epoch
MOST_FORGOTTEN = 0.03  # bits per note that songs of the collection may cost more than before
PENALTY = 10.0  # for each bit beyond that, in the choice of the weights
SHOWN = ("pitch", "rhythm")  # heads in the table


def fine_tune(
    args: argparse.Namespace,
    folder: Path,
    trained: lstm.TrainedNetwork,
    own: dataset.Dataset,
    parts: dict[str, list[int]],
    settings: dict,
    script: str,
) -> None:
    """Go on with a network on songs `own`, whose `parts` are those of `hold_out`, and write `lstm.*` to `folder`.

    `args` holds data, name, resume, overwrite and quiet; `script` is the command, for messages.
    """
    songs = dataset.load(args.data)
    lstm.check_vocabulary(trained, songs.vocabulary)
    split = split_from_held_out(songs, trained.held_out)
    settings = settings | {"network": trained.fingerprint, "split": split_fingerprint(songs, split)}
    for line in unknown(own, trained.vocabulary):
        log(args, line)
    tuner = FineTuner(trained, songs, split, own, parts, settings)
    vocabulary = encoding.with_bars_of(trained.vocabulary, own, parts["training"])
    held_out = {part: list(names) for part, names in trained.held_out.items()}
    held_out["validation"] += [own.name[s] for s in parts["validation"]]
    run = TrainingRun(
        folder,
        "lstm",
        model=tuner.model,
        eval_model=tuner.eval_model,
        monitor="chosen_bits",
        curve="validation_bits",
        save_best=bool(parts["validation"]),
        settings=settings,
        record={"vocabulary": vocabulary.record(), "held_out": held_out, "before": tuner.before},
        command=same_command(script),
    )
    with run.lock():
        log(args, f"epochs done: {run.start(args.resume, args.overwrite)} of {settings['epochs']}")
        index = copies.CopyIndex.of(songs, split["training"], bool(vocabulary.rhythm.rhythms))
        copies.write(copies.path_of(folder), index, {"split": settings["split"]})
        run.train(settings["epochs"], tuner.steps, tuner.epoch, args.quiet)
    after = min(run.history, key=lambda row: row[run.monitor]) if run.save_best else run.history[-1]
    labels = {"validation": f"{len(parts['validation'])} held-out songs of {args.name}"} if run.save_best else {}
    labels["collection"] = f"{len(tuner.collection)} held-out songs of the collection"
    log(args, table(tuner.before, after, labels))
    if not run.save_best:
        log(args, "so few songs leave none to hold out, so what is gained on them is not known")
    elif after["validation_bits"] >= tuner.before["validation_bits"]:
        log(args, f"warning: songs of {args.name} are predicted no better than before; give more of them")
    log(args, f"wrote {run.weights}")


def hold_out(songs: dataset.Dataset, chosen: Sequence[int], seed: int) -> dict[str, list[int]]:
    """The chosen songs in two parts: `validation`, one in ten, and `training`. Near-duplicates are in the same part.

    Of fewer than ten songs none is held out.
    """
    names = [songs.name[s] for s in chosen]
    held_out = set(grouped_split(names, [songs.intervals[s] for s in chosen], seed)["validation"])
    return {
        "training": [s for s in chosen if songs.name[s] not in held_out],
        "validation": [s for s in chosen if songs.name[s] in held_out],
    }


def unknown(songs: dataset.Dataset, vocabulary: Vocabulary) -> list[str]:
    """What the vocabulary lacks of the songs, so that it is read as any other and never composed, in words."""
    encoded, known = encoding.encode(songs, vocabulary), vocabulary.rhythm
    if not known.rhythms:
        return []
    notes = sum(int((song.rhythm == len(known.rhythms)).sum()) for song in encoded)
    openings = sum(song.opening == len(known.openings) for song in encoded)
    lines = [f"notes with a rhythm that is never composed: {notes:,} of {len(songs.pitch):,}"] if notes else []
    if openings:
        lines.append(f"songs whose time signature and pickup are never composed: {openings:,} of {len(songs):,}")
    return lines


class FineTuner(Trainer):
    """Trains a network further, on songs `own` with the indices of `parts`, and on the training songs of `split`."""

    def __init__(
        self,
        trained: lstm.TrainedNetwork,
        songs: dataset.Dataset,
        split: dict[str, list[int]],
        own: dataset.Dataset,
        parts: dict[str, list[int]],
        settings: dict,
    ):
        encoded = encoding.EncodedSongs(own, trained.vocabulary)
        # Names without that of the file, so that all songs are one collection
        folders = replace(own, name=[f"{name.rpartition('/')[0]}/" for name in own.name])
        further = training_songs(folders, parts["training"], encoded, [0] * len(parts["training"]))
        some = np.random.default_rng(settings["seed"]).permutation(split["validation"])[:COLLECTION_SONGS].tolist()
        known = replace(songs, vocabulary=trained.vocabulary)
        super().__init__(known, split | {"validation": some}, settings, own=further)
        self.model.network.set_weights(trained.network.get_weights())
        self.eval_model, self.collection = trained.network, self.validation
        if parts["validation"]:
            self.validation = tokens_of(encoded, parts["validation"], self.vocabulary)
        self.before: Row = {}
        self.before = self._validate()

    def _calibrate(self) -> dict[str, float]:
        """None: the network was calibrated, and temperatures for a few songs make others much less probable."""
        return {}

    def _validate(self) -> Row:
        """Bits of held-out songs of the user and of the collection; `chosen_bits` chooses the weights."""
        row = super()._validate() | self.bits("collection", self.collection)
        forgotten = row["collection_bits"] - self.before.get("collection_bits", row["collection_bits"])
        return {"chosen_bits": row["validation_bits"] + PENALTY * max(forgotten - MOST_FORGOTTEN, 0)} | row


def table(before: Row, after: Row, songs: dict[str, str]) -> str:
    """Bits per note before and after as lines of text; `songs` are the beginnings of names in the rows, and labels."""
    heads = [head for head in SHOWN if f"collection_{head}_bits" in before]
    width = max(map(len, songs.values()))
    lines = [f"{'bits per note':{width}}" + "".join(f"  {head:>15}" for head in heads)]
    for name, label in songs.items():
        columns = (f"{name}_{head}_bits" for head in heads)
        lines.append(f"{label:{width}}" + "".join(f"  {before[one]:6.3f} → {after[one]:6.3f}" for one in columns))
    return "\n".join(lines)
