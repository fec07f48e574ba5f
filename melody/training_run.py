"""A training on its way through the epochs: history, weights, record and the checkpoint for --resume."""

import csv
import json
import math
import shlex
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import KW_ONLY, dataclass, field
from importlib.metadata import version
from pathlib import Path

import h5py
import keras
import numpy as np

from melody import distribution
from melody.atomic import atomic_write, file_lock, open_hdf5, write_json
from melody.checkpoint import load_weights, size_on_disk, write_weights
from melody.cli import progress
from melody.errors import UserError
from melody.plots import curves, training_curve
from melody.provenance import check_settings, file_fingerprint

Row = dict[str, float]  # losses and metrics of a step or an epoch


def same_command(script: str) -> str:
    """`script` with the flags of this call, but for --resume and --overwrite: what a message tells the user to run."""
    return shlex.join([*script.split(), *(flag for flag in sys.argv[1:] if flag not in ("--resume", "--overwrite"))])


@dataclass
class TrainingRun:
    """Trains one model epoch by epoch, and writes what each epoch gives.

    All randomness follows from the seed and the number of the epoch, so a run that is stopped and resumed gives the
    same weights as one that is not.
    """

    folder: Path
    name: str  # of the files
    _: KW_ONLY
    model: keras.Model  # that is trained
    eval_model: keras.Model  # that is used afterwards (it may be the same) and whose weights are saved
    monitor: str  # the column of the history whose lowest value chooses the weights
    curve: str = ""  # the column that is plotted instead
    save_best: bool = True  # False: the weights after the last epoch
    settings: dict  # of the run
    record: dict  # saved with the settings beside the weights
    command: str  # that starts the run
    history: list[Row] = field(default_factory=list)

    def __post_init__(self):
        self.weights, self.json = (self.folder / f"{self.name}{end}" for end in (".weights.h5", ".json"))
        self.checkpoint = self.folder / f"{self.name}-checkpoint.weights.h5"
        self.history_file = self.folder / f"{self.name}-history.csv"

    @property
    def best(self) -> float:
        """The lowest value of `monitor` so far."""
        return min((row[self.monitor] for row in self.history), default=float("inf"))

    def lock(self):
        """Make this the only run that writes these files; of processes that train together the first one does."""
        if not distribution.is_first():
            return nullcontext()
        return file_lock(self.weights, self.checkpoint, self.history_file, self.json, *curves(self.history_file))

    def start(self, resume: bool, overwrite: bool) -> int:
        """The number of epochs done: 0, or those of the checkpoint. Raises `UserError` if weights would be replaced."""
        if resume:
            self._restore()
        elif self.weights.exists() and not overwrite:
            resumable = "--resume continues its training, " if self.checkpoint.exists() else ""
            raise UserError(
                f"{self.weights} exists: {resumable}--overwrite starts again, --weights DIR writes to another folder"
            )
        return len(self.history)

    def train(self, epochs: int, steps: int, epoch: Callable[[int, Callable[[Row], None]], Row], quiet: bool) -> None:
        """Call `epoch(number, on_step)` until the last one; it calls `on_step` after each step and returns its row."""
        done = len(self.history)
        with progress(None, quiet, total=epochs * steps, initial=done * steps, unit="step") as bar:

            def on_step(row: Row) -> None:
                bar.set_postfix_str(_line(row), refresh=False)
                bar.update()

            try:
                for number in range(done, epochs):
                    bar.set_description(f"epoch {number + 1}/{epochs}")
                    row = self._epoch(number, epoch, on_step)
                    if steps > 1 and not quiet:
                        with bar.external_write_mode():
                            print(f"epoch {number + 1}/{epochs}: {_line(row)}", flush=True)
            finally:
                if self.history and distribution.is_first():
                    training_curve(self.history_file, self.history, self.curve or self.monitor)

    def _epoch(self, number: int, epoch: Callable, on_step: Callable[[Row], None]) -> Row:
        reseed(self.model, self.settings["seed"], number)
        try:
            row = epoch(number, on_step)
        except KeyboardInterrupt:
            done = f"after {number} epochs; continue with: {self.command} --resume"
            raise UserError(f"stopped {done if number else 'in the first epoch; nothing was saved'}") from None
        if not math.isfinite(row[self.monitor]):
            raise UserError(f"epoch {number + 1} ended with {_line(row)}; start again with a lower --learning-rate")
        self._save({"epoch": number + 1, **row})
        return row

    def _save(self, row: Row) -> None:
        """Write what an epoch has given. If this is cut short, `_restore` finds either this epoch or the one before.

        The weights are in place before the checkpoint that mentions them: the epoch is then repeated, with the same
        result. In the first epoch the checkpoint of another run is removed before the weights are replaced.
        """
        history = [*self.history, row]
        if distribution.is_first():
            with distribution.undivided():  # Keras makes variables when it saves, which the other processes would miss
                self._write(history)
        self.history = history
        self._write_record()

    def _write(self, history: list[Row]) -> None:
        row = history[-1]
        wanted = row[self.monitor] < self.best if self.save_best else len(history) == self.settings["epochs"]
        with atomic_write(self.checkpoint, size_on_disk(self.model, optimizer=True)) as temporary:
            self.model.save_weights(temporary)
            with h5py.File(temporary, "r+") as file:
                file.attrs["run"] = json.dumps({"settings": self.settings, "history": history})
            with atomic_write(self.weights, size_on_disk(self.eval_model)) if wanted else nullcontext() as best:
                if wanted:
                    write_weights(self.eval_model, best)
                    if len(history) == 1:
                        self.checkpoint.unlink(missing_ok=True)

    def add_to_record(self, **fields: object) -> None:
        """Save what is known of the weights once they are trained."""
        self.record |= fields
        self._write_record()

    def _write_record(self) -> None:
        """Write what follows from the checkpoint: the history as a table and the record of the weights."""
        if not distribution.is_first():
            return
        with atomic_write(self.history_file) as temporary, open(temporary, "w", newline="") as file:
            table = csv.DictWriter(file, self.history[0])
            table.writeheader()
            table.writerows(self.history)
        if not self.save_best and len(self.history) < self.settings["epochs"]:
            return  # there are no weights yet
        versions = {package: version(package) for package in ("keras", keras.backend.backend())}
        record = {"weights": file_fingerprint(self.weights), **self.record, "settings": self.settings}
        write_json(self.json, record | {"versions": versions, "history": self.history})

    def _restore(self) -> None:
        again = f"{self.command}{' --overwrite' * self.weights.exists()}"
        if not self.checkpoint.exists():
            if self.weights.exists() and not self.json.exists():
                return  # stopped while the first epoch was saved
            raise UserError(f"{self.checkpoint} is missing, so this training cannot be resumed; start with: {again}")
        with open_hdf5(self.checkpoint, again) as file:
            run = json.loads(file.attrs["run"])
            settings, history = dict(run["settings"]), [dict(row) for row in run["history"]]
        check_settings(self.checkpoint, settings, self.settings)
        self.model.optimizer.build(self.model.trainable_variables)
        load_weights(self.model, self.checkpoint, again)
        self.history = history
        self._write_record()


def reseed(model: keras.Model, seed: int, epoch: int) -> None:
    """Seed the backend's random generator (PyTorch's dropout uses it) and the model's own.

    So the random numbers of an epoch do not depend on those of the epochs before.
    """
    rng = np.random.default_rng([seed, epoch])
    keras.utils.set_random_seed(int(rng.integers(2**31)))
    for variable in model.variables:
        if "seed_generator_state" in variable.path:
            variable.assign(rng.integers(2**31, size=variable.shape))


def _line(row: Row) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in row.items())
