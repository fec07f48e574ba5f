"""Weights on disk with their records, and training runs that can be resumed."""

from __future__ import annotations

import csv
import io
import json
import math
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

import h5py
import keras
import numpy as np

from melody.atomic import atomic_write, file_lock, open_hdf5, write_json
from melody.cli import progress
from melody.errors import UserError
from melody.plots import curves, training_curve
from melody.provenance import check_settings, file_fingerprint

Row = dict[str, float]  # what is said of an epoch


class TrainingRun:
    """One model on its way through the epochs.

    `model` is what learns, `eval_model` what is used afterwards (it may be the same): its weights are saved whenever
    `monitor`, a column of the history, is lowest; after the last epoch alone when it is not the `best` that is wanted.
    `settings` made the run, `record` is saved beside them.
    Every draw follows from the seed and the epoch's number, so a run that was stopped and resumed is the run that was
    not.
    """

    def __init__(self, folder: Path, name: str, *, model: keras.Model, eval_model: keras.Model, monitor: str,
                 best: bool = True, settings: dict, record: dict, command: str):  # fmt: skip
        self.weights, self.json = folder / f"{name}.weights.h5", folder / f"{name}.json"
        self.checkpoint, self.history_file = folder / f"{name}-checkpoint.weights.h5", folder / f"{name}-history.csv"
        self.model, self.eval_model, self.monitor, self.keep_best = model, eval_model, monitor, best
        self.settings, self.record, self.command = settings, record, command
        self.history: list[Row] = []

    @property
    def best(self) -> float:
        """The lowest value of `monitor` so far."""
        return min((row[self.monitor] for row in self.history), default=float("inf"))

    def lock(self):
        """Be the only run that writes these files."""
        return file_lock(self.weights, self.checkpoint, self.history_file, self.json, *curves(self.history_file))

    def start(self, resume: bool, overwrite: bool) -> int:
        """The number of epochs done: 0, or those of the checkpoint. Raises `Problem` rather than overwrite unasked."""
        if resume:
            self._restore()
        elif self.weights.exists() and not overwrite:
            raise UserError(
                f"{self.weights} is there: --resume goes on, --overwrite begins anew, --weights DIR goes beside"
            )
        return len(self.history)

    def train(self, epochs: int, steps: int, epoch: Callable[[int, Callable[[Row], None]], Row], quiet: bool) -> None:
        """Run `epoch(number, on_step)` until the last; it calls `on_step` after each step and gives the epoch's row."""
        try:
            self._train(epochs, steps, epoch, quiet)
        finally:
            if self.history:
                training_curve(self.history_file, self.history, self.monitor)

    def _train(self, epochs: int, steps: int, epoch: Callable[[int, Callable[[Row], None]], Row], quiet: bool) -> None:
        for number in range(len(self.history), epochs):
            with progress(None, quiet, total=steps, desc=f"epoch {number + 1}/{epochs}", unit="step") as bar:

                def on_step(row: Row, bar=bar) -> None:
                    bar.set_postfix_str(_line(row))
                    bar.update()

                reseed(self.model, self.settings["seed"], number)
                try:
                    row = epoch(number, on_step)
                except KeyboardInterrupt:
                    done = f"after {number} epochs; go on with: {self.command} --resume"
                    raise UserError(f"stopped {done if number else 'in the first epoch; nothing was kept'}") from None
                bar.set_postfix_str(_line(row))
            if not math.isfinite(row[self.monitor]):
                raise UserError(f"epoch {number + 1} ended with {_line(row)}; begin anew with a lower --learning-rate")
            self._keep({"epoch": number + 1, **row})
            if bar.disable and not quiet:
                print(f"epoch {number + 1}/{epochs}: {_line(row)}", flush=True)

    def _keep(self, row: Row) -> None:
        """Leave what an epoch has given. Where this is cut short, `_restore` finds either the epoch or the one before.

        The weights are in place before the checkpoint that tells of them: the epoch is then run again, and gives the
        same. In the first epoch there must be no checkpoint of another run meanwhile.
        """
        history = [*self.history, row]
        wanted = row[self.monitor] < self.best if self.keep_best else len(history) == self.settings["epochs"]
        with atomic_write(self.checkpoint, size_of(self.model, optimizer=True)) as beside:
            self.model.save_weights(beside)
            with h5py.File(beside, "r+") as file:
                file.attrs["run"] = json.dumps({"settings": self.settings, "history": history})
            with atomic_write(self.weights, size_of(self.eval_model)) if wanted else nullcontext() as best:
                if wanted:
                    write_weights(self.eval_model, best)
                    if len(history) == 1:
                        self.checkpoint.unlink(missing_ok=True)
        self.history = history
        self._tell()

    def _tell(self) -> None:
        """Write what follows from the checkpoint: the history as a table and the record of the weights."""
        with atomic_write(self.history_file) as beside, open(beside, "w", newline="") as file:
            table = csv.DictWriter(file, self.history[0])
            table.writeheader()
            table.writerows(self.history)
        if not self.keep_best and len(self.history) < self.settings["epochs"]:
            return  # there are no weights to be on_step of yet
        backend = keras.backend.backend()
        write_json(self.json, {
            "weights": file_fingerprint(self.weights), **self.record, "settings": self.settings,
            "versions": {package: version(package) for package in ("keras", backend)}, "history": self.history,
        })  # fmt: skip

    def _restore(self) -> None:
        if not self.checkpoint.exists():
            if self.weights.exists() and not self.json.exists():
                return  # stopped while the first epoch was kept
            raise UserError(f"{self.checkpoint} is not there, so nothing can be resumed; start with: {self.command}")
        with open_hdf5(self.checkpoint, f"{self.command} --overwrite") as file:
            run = json.loads(file.attrs["run"])
            settings, history = dict(run["settings"]), [dict(row) for row in run["history"]]
        check_settings(self.checkpoint, settings, self.settings)
        self.model.optimizer.build(self.model.trainable_variables)
        load_weights(self.model, self.checkpoint, f"{self.command} --overwrite")
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


def save_weights(model: keras.Model, path: Path) -> None:
    """Write a model's weights, without its optimizer, as float16: bits per note change by less than .001."""
    with atomic_write(path, size_of(model)) as beside:
        write_weights(model, beside)


def size_of(model: keras.Model, optimizer: bool = False) -> int:
    """The bytes that a model's variables need on disk, at most; with those of its optimizer, where asked for."""
    variables = [*model.variables, *(model.optimizer.variables if optimizer else ())]
    return sum(4 * int(np.prod(variable.shape)) for variable in variables)


def write_weights(model: keras.Model, path: Path) -> None:
    """`save` for a `path` of which no harm is done when it stays half-written."""
    model.save_weights(path)
    with h5py.File(io.BytesIO(path.read_bytes())) as source, h5py.File(path, "w") as target:
        source.visititems(lambda name, item: _copy(name, item, target))


def _copy(name: str, item: h5py.Group | h5py.Dataset, target: h5py.File) -> None:
    if name.split("/")[0] == "optimizer":
        return
    if isinstance(item, h5py.Group):
        copy = target.require_group(name)
    else:
        values = item[()]
        copy = target.create_dataset(name, data=values.astype(np.float16) if values.dtype == np.float32 else values)
    copy.attrs.update(item.attrs)


def load_weights(model: keras.Model, path: Path, command: str, written: str = "") -> keras.Model:
    """Read weights into a model of the same shape; `written` is the file's fingerprint as its record tells it.

    Raises `Problem` when they are missing (naming the command `command`), damaged, not those of the record, or those of
    another shape.
    """
    if Path(path).exists() and written and file_fingerprint(path) != written:
        raise UserError(f"{path} ({file_fingerprint(path)}) is not the file that its JSON tells of ({written}); take "
                      f"both from one training, or make them again with: {command}")  # fmt: skip
    with open_hdf5(path, command):
        try:
            with warnings.catch_warnings(action="error"):  # Keras only warns of layers that it finds no weights for
                model.load_weights(path)
        except (ValueError, UserWarning) as mismatch:
            reason = " ".join(str(mismatch).split())[:300]
            raise UserError(
                f"{path} is damaged or of another network ({reason}); make it again with: {command}"
            ) from None
    return model
