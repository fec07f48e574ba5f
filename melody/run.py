"""A training run: epoch after epoch, with the files it leaves behind and the way to take it up again."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

import h5py
import keras
import numpy as np

from melody import weights
from melody.files import alone, file_fingerprint, must_agree, reading, replacing, write_json
from melody.plots import curves, training_curve
from melody.stage import Problem, progress

Row = dict[str, float]  # what is said of an epoch


class Run:
    """One model on its way through the epochs.

    `trainer` is what learns, `kept` what is used afterwards (it may be the same): its weights are saved whenever
    `judge`, a column of the history, is lowest; after the last epoch alone when it is not the `best` that is wanted.
    `settings` made the run, `record` is saved beside them.
    Every draw follows from the seed and the epoch's number, so a run that was stopped and resumed is the run that was
    not.
    """

    def __init__(self, folder: Path, name: str, *, trainer: keras.Model, kept: keras.Model, judge: str,
                 best: bool = True, settings: dict, record: dict, made_by: str):  # fmt: skip
        self.weights, self.json = folder / f"{name}.weights.h5", folder / f"{name}.json"
        self.checkpoint, self.history_file = folder / f"{name}-checkpoint.weights.h5", folder / f"{name}-history.csv"
        self.trainer, self.kept, self.judge, self.keep_best = trainer, kept, judge, best
        self.settings, self.record, self.made_by = settings, record, made_by
        self.history: list[Row] = []

    @property
    def best(self) -> float:
        """The lowest value of `judge` so far."""
        return min((row[self.judge] for row in self.history), default=float("inf"))

    def alone(self):
        """Be the only run that writes these files."""
        return alone(self.weights, self.checkpoint, self.history_file, self.json, *curves(self.history_file))

    def begin(self, resume: bool, overwrite: bool) -> int:
        """The number of epochs done: 0, or those of the checkpoint. Raises `Problem` rather than overwrite unasked."""
        if resume:
            self._restore()
        elif self.weights.exists() and not overwrite:
            raise Problem(
                f"{self.weights} is there: --resume goes on, --overwrite begins anew, --weights DIR goes beside"
            )
        return len(self.history)

    def train(self, epochs: int, steps: int, epoch: Callable[[int, Callable[[Row], None]], Row], quiet: bool) -> None:
        """Run `epoch(number, told)` until the last; it calls `told` after each step and gives the epoch's row."""
        try:
            self._train(epochs, steps, epoch, quiet)
        finally:
            if self.history:
                training_curve(self.history_file, self.history, self.judge)

    def _train(self, epochs: int, steps: int, epoch: Callable[[int, Callable[[Row], None]], Row], quiet: bool) -> None:
        for number in range(len(self.history), epochs):
            with progress(None, quiet, total=steps, desc=f"epoch {number + 1}/{epochs}", unit="step") as bar:

                def told(row: Row, bar=bar) -> None:
                    bar.set_postfix_str(_line(row))
                    bar.update()

                reseed(self.trainer, self.settings["seed"], number)
                try:
                    row = epoch(number, told)
                except KeyboardInterrupt:
                    done = f"after {number} epochs; go on with: {self.made_by} --resume"
                    raise Problem(f"stopped {done if number else 'in the first epoch; nothing was kept'}") from None
                bar.set_postfix_str(_line(row))
            if not math.isfinite(row[self.judge]):
                raise Problem(f"epoch {number + 1} ended with {_line(row)}; begin anew with a lower --learning-rate")
            self._keep({"epoch": number + 1, **row})
            if bar.disable and not quiet:
                print(f"epoch {number + 1}/{epochs}: {_line(row)}", flush=True)

    def _keep(self, row: Row) -> None:
        """Leave what an epoch has given. Where this is cut short, `_restore` finds either the epoch or the one before.

        The weights are in place before the checkpoint that tells of them: the epoch is then run again, and gives the
        same. In the first epoch there must be no checkpoint of another run meanwhile.
        """
        history = [*self.history, row]
        wanted = row[self.judge] < self.best if self.keep_best else len(history) == self.settings["epochs"]
        with replacing(self.checkpoint, weights.size_of(self.trainer, optimizer=True)) as beside:
            self.trainer.save_weights(beside)
            with h5py.File(beside, "r+") as file:
                file.attrs["run"] = json.dumps({"settings": self.settings, "history": history})
            with replacing(self.weights, weights.size_of(self.kept)) if wanted else nullcontext() as best:
                if wanted:
                    weights.write(self.kept, best)
                    if len(history) == 1:
                        self.checkpoint.unlink(missing_ok=True)
        self.history = history
        self._tell()

    def _tell(self) -> None:
        """Write what follows from the checkpoint: the history as a table and the record of the weights."""
        with replacing(self.history_file) as beside, open(beside, "w", newline="") as file:
            table = csv.DictWriter(file, self.history[0])
            table.writeheader()
            table.writerows(self.history)
        if not self.keep_best and len(self.history) < self.settings["epochs"]:
            return  # there are no weights to be told of yet
        backend = keras.backend.backend()
        write_json(self.json, {
            "weights": file_fingerprint(self.weights), **self.record, "settings": self.settings,
            "versions": {package: version(package) for package in ("keras", backend)}, "history": self.history,
        })  # fmt: skip

    def _restore(self) -> None:
        if not self.checkpoint.exists():
            if self.weights.exists() and not self.json.exists():
                return  # stopped while the first epoch was kept
            raise Problem(f"{self.checkpoint} is not there, so nothing can be resumed; start with: {self.made_by}")
        with reading(self.checkpoint, f"{self.made_by} --overwrite") as file:
            run = json.loads(file.attrs["run"])
            settings, history = dict(run["settings"]), [dict(row) for row in run["history"]]
        must_agree(self.checkpoint, settings, self.settings)
        self.trainer.optimizer.build(self.trainer.trainable_variables)
        weights.load(self.trainer, self.checkpoint, f"{self.made_by} --overwrite")
        self.history = history
        self._tell()


def reseed(model: keras.Model, seed: int, epoch: int) -> None:
    """Set the backend's random generator (PyTorch's dropout draws from it) and the model's own.

    So an epoch's draws hang on nothing that was drawn before.
    """
    rng = np.random.default_rng([seed, epoch])
    keras.utils.set_random_seed(int(rng.integers(2**31)))
    for variable in model.variables:
        if "seed_generator_state" in variable.path:
            variable.assign(rng.integers(2**31, size=variable.shape))


def _line(row: Row) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in row.items())
