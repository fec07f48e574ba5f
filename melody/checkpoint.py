"""Weights on disk: saved as float16, loaded with checks. Records: `melody.records`; runs: `melody.training_run`."""

import io
import warnings
from pathlib import Path

import h5py
import keras
import numpy as np

from melody.atomic import atomic_write, open_hdf5
from melody.errors import UserError
from melody.provenance import file_fingerprint

COMPRESSED = {"compression": "gzip", "shuffle": True}  # of arrays; float16 weights lose a tenth of their size


def save_weights(model: keras.Model, path: Path) -> None:
    """Write a model's weights, without its optimizer, as compressed float16: bits per note change by less than .001."""
    with atomic_write(path, size_on_disk(model)) as temporary:
        write_weights(model, temporary)


def size_on_disk(model: keras.Model, optimizer: bool = False) -> int:
    """The most bytes that a model's variables need on disk; with `optimizer`, those of its optimizer too."""
    variables = [*model.variables, *(model.optimizer.variables if optimizer else ())]
    return sum(4 * int(np.prod(variable.shape)) for variable in variables)


def write_weights(model: keras.Model, path: Path) -> None:
    """`save_weights` to a temporary `path`, which may be left half-written."""
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
        values = values.astype(np.float16) if values.dtype == np.float32 else values
        copy = target.create_dataset(name, data=values, **(COMPRESSED if values.ndim else {}))
    copy.attrs.update(item.attrs)


def load_weights(model: keras.Model, path: Path, command: str, fingerprint: str = "") -> keras.Model:
    """Load weights into a model of the same shape; `fingerprint` is the file's, as its record states it.

    Raises `UserError`, which names the `command` that makes them, if they are missing, damaged or of another model.
    """
    if Path(path).exists() and fingerprint and file_fingerprint(path) != fingerprint:
        raise UserError(
            f"{path} ({file_fingerprint(path)}) is not the file that its JSON record describes ({fingerprint}); "
            f"take both from one training, or make them again with: {command}"
        )
    with open_hdf5(path, command):
        try:
            with warnings.catch_warnings(action="error"):  # Keras only warns of layers without weights in the file
                model.load_weights(path)
        except (ValueError, UserWarning) as mismatch:
            reason = " ".join(str(mismatch).split())[:300]
            raise UserError(
                f"{path} is damaged or of another network ({reason}); make it again with: {command}"
            ) from None
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        raise UserError(f"{path} is damaged (it has weights that are no finite numbers); make it again with: {command}")
    return model
