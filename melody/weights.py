"""Weights on disk: Keras's own `.weights.h5`, halved to float16, which any Keras network of the same shape loads."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import h5py
import keras
import numpy as np

from melody.files import file_fingerprint, reading, replacing
from melody.stage import Problem


def save(model: keras.Model, path: Path) -> None:
    """Write a model's weights, without its optimizer, as float16: bits per note change by less than .001."""
    with replacing(path, size_of(model)) as beside:
        write(model, beside)


def size_of(model: keras.Model, optimizer: bool = False) -> int:
    """The bytes that a model's variables need on disk, at most; with those of its optimizer, where asked for."""
    variables = [*model.variables, *(model.optimizer.variables if optimizer else ())]
    return sum(4 * int(np.prod(variable.shape)) for variable in variables)


def write(model: keras.Model, path: Path) -> None:
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


def load(model: keras.Model, path: Path, made_by: str, written: str = "") -> keras.Model:
    """Read weights into a model of the same shape; `written` is the file's fingerprint as its record tells it.

    Raises `Problem` when they are missing (naming the command `made_by`), damaged, not those of the record, or those of
    another shape.
    """
    if Path(path).exists() and written and file_fingerprint(path) != written:
        raise Problem(f"{path} ({file_fingerprint(path)}) is not the file that its JSON tells of ({written}); take "
                      f"both from one training, or make them again with: {made_by}")  # fmt: skip
    with reading(path, made_by):
        try:
            with warnings.catch_warnings(action="error"):  # Keras only warns of layers that it finds no weights for
                model.load_weights(path)
        except (ValueError, UserWarning) as mismatch:
            reason = " ".join(str(mismatch).split())[:300]
            raise Problem(
                f"{path} is damaged or of another network ({reason}); make it again with: {made_by}"
            ) from None
    return model
