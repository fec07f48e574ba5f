"""The training run of the network: streams, checkpoints, history; the best weights are kept by validation bits."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import h5py
import keras
import numpy as np

from melody import dataset, lstm, regions, weights
from melody.files import file_fingerprint, replacing, write_json
from melody.plots import training_curve
from melody.stage import Problem, progress

MADE_BY = "python train_lstm.py"
NATS = 1 / np.log(2)  # bits in a nat


class Run:
    """One network on its way through the epochs, with the files it leaves in the folder `folder`.

    `settings` are train_lstm.py's; every random draw follows from their seed and the epoch's number, so a run that was
    stopped and resumed is the run that was not.
    """

    def __init__(self, folder: Path, songs: dataset.Dataset, split: dict[str, list[int]], settings: dict):
        self.weights, self.json = folder / "lstm.weights.h5", folder / "lstm.json"
        self.checkpoint = folder / "lstm-checkpoint.weights.h5"
        self.curve = folder / "lstm-history"
        self.songs, self.settings, self.history = songs, settings, []
        keras.utils.set_random_seed(settings["seed"])
        self.shape = lstm.Shape(
            len(songs.vocabulary), *(settings[name] for name in ("embedding", "units", "layers", "dense"))
        )
        self.training = songs.songs(split["training"])
        self.regions = [regions.prefix(songs.name[s]) for s in split["training"]]
        notes = len(songs.vocabulary)
        self.validation = [dataset.read_and_answer(song, notes) for song in songs.songs(split["validation"])]
        self.scored = lstm.build(self.shape)
        network = lstm.build(self.shape, settings["dropout"], settings["precision"])
        self.trainer = lstm.StreamTrainer(network, settings["batch"])
        steps = sum(1 for _ in self._streams(0).epoch())
        if not steps:
            raise Problem(
                f"{len(self.training)} training songs fill no batch of {settings['batch']} streams; use --batch"
            )
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, steps * settings["epochs"], warmup_target=settings["learning_rate"], warmup_steps=settings["warm_up"]
        )
        self.trainer.compile(
            keras.optimizers.Adam(schedule, global_clipnorm=1.0),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        self.steps = steps

    @property
    def best(self) -> float:
        """The fewest bits per note on validation songs so far."""
        return min((row["validation_bits"] for row in self.history), default=np.inf)

    def _streams(self, epoch: int) -> dataset.Streams:
        settings = self.settings
        return dataset.Streams(
            self.training, self.regions, self.songs.vocabulary,
            batch=settings["batch"], length=settings["window"], windows=settings["windows"],
            moved=settings["moved"] * (1 - epoch / settings["epochs"]),
            rng=np.random.default_rng([settings["seed"], epoch]),
        )  # fmt: skip

    def train(self, quiet: bool) -> None:
        """Read the training part until the last epoch, keeping a checkpoint after each."""
        for epoch in range(len(self.history), self.settings["epochs"]):
            with progress(
                None, quiet, total=self.steps, desc=f"epoch {epoch + 1}/{self.settings['epochs']}", unit="step"
            ) as bar:
                row = {"epoch": epoch + 1, **self._epoch(epoch, bar)}
                bar.set_postfix({name: f"{value:.3f}" for name, value in row.items() if name != "epoch"})
            self.history.append(row)
            if row["validation_bits"] <= self.best:
                weights.save(self.scored, self.weights)
            self._keep()
            if not quiet:
                print(
                    f"epoch {epoch + 1}: "
                    + ", ".join(f"{name} {value:.4f}" for name, value in row.items() if name != "epoch"),
                    flush=True,
                )

    def _epoch(self, epoch: int, bar) -> dict[str, float]:
        self.trainer.reset_metrics()
        loss = np.nan
        for read, answer, fresh in self._streams(epoch).epoch():
            begins = np.full((len(read), 1), fresh, np.float32)
            counts = (answer >= 0) / np.mean(answer >= 0)  # what follows a stream's last song does not count
            loss = float(self.trainer.train_on_batch([np.maximum(read, 0), begins], np.maximum(answer, 0), counts))
            bar.set_postfix(loss=f"{loss:.3f}", bits=f"{loss * NATS:.3f}")
            bar.update()
        self.scored.set_weights(self.trainer.network.get_weights())
        return {"loss": loss, "bits": loss * NATS, **self._validate()}

    def _validate(self) -> dict[str, float]:
        """Bits per note and per ending on the validation songs, each read from the zero state."""
        bits = lstm.song_bits(self.scored, self.validation)
        notes = np.concatenate([song[:-1] for song in bits])
        return {
            "validation_bits": float(notes.mean()),
            "validation_end_bits": float(np.mean([song[-1] for song in bits])),
        }

    def _keep(self) -> None:
        with replacing(self.checkpoint) as beside:
            self.trainer.save_weights(beside)
            with h5py.File(beside, "r+") as file:
                file.attrs["run"] = json.dumps({"settings": self.settings, "history": self.history})
        with replacing(self.curve.with_suffix(".csv")) as beside, open(beside, "w", newline="") as file:
            table = csv.DictWriter(file, self.history[0])
            table.writeheader()
            table.writerows(self.history)
        training_curve(self.curve.with_suffix(".png"), self.history)
        write_json(self.json, {
            "weights": file_fingerprint(self.weights),
            "vocabulary": self.songs.vocabulary.names,
            "settings": self.settings,
            "versions": {"keras": keras.__version__, keras.backend.backend(): _version(keras.backend.backend())},
            "history": self.history,
        })  # fmt: skip

    def restore(self) -> int:
        """Take up the checkpoint; the number of epochs done. Raises `Problem` when it is missing or of another run."""
        if not self.checkpoint.exists():
            raise Problem(f"{self.checkpoint} is not there, so nothing can be resumed; start with: {MADE_BY}")
        try:
            with h5py.File(self.checkpoint) as file:
                kept = json.loads(file.attrs["run"])
        except (OSError, KeyError, ValueError):
            raise Problem(f"{self.checkpoint} is damaged; start anew with: {MADE_BY} --overwrite") from None
        for name, value in self.settings.items():
            if kept["settings"].get(name) != value:
                raise Problem(
                    f"{self.checkpoint} was trained with {name} {kept['settings'].get(name)}, now it is {value}"
                )
        self.history = kept["history"]
        first = np.zeros((self.settings["batch"], self.settings["window"]), np.int32)
        self.trainer([first, np.ones((len(first), 1), np.float32)])
        self.trainer.optimizer.build(self.trainer.trainable_variables)
        weights.load(self.trainer, self.checkpoint, MADE_BY)
        return len(self.history)


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)
