"""A prior of one region over the latents of the VAE of all songs: fitted in seconds, where a VAE takes a minute.

`weights/vae-<name>.weights.h5` then holds the region's mixture of Gaussians alone; encoder and decoder are those of
`weights/vae-all.weights.h5`, whose fingerprint its record names.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import keras
import numpy as np
from keras.ops import convert_to_numpy

from melody.atomic import atomic_write, open_hdf5, write_json
from melody.errors import UserError
from melody.plots import curves
from melody.provenance import file_fingerprint

if TYPE_CHECKING:
    from vae.model import VAE


def variables(vae: VAE) -> dict[str, keras.Variable]:
    """The mixture of a VAE, by name."""
    found = vae.mixture_weights, vae.mixture_means, vae.mixture_scale_tril
    return {variable.name: variable for variable in found}


def save(vae: VAE, folder: Path, name: str, record: dict) -> Path:
    """Write the prior and its record; what an earlier training of a VAE by this name has left is removed."""
    weights, history = folder / f"vae-{name}.weights.h5", folder / f"vae-{name}-history.csv"
    with atomic_write(weights) as temporary, h5py.File(temporary, "w") as file:
        for key, variable in variables(vae).items():
            file[key] = convert_to_numpy(variable)
    versions = {package: version(package) for package in ("keras", keras.backend.backend())}
    write_json(folder / f"vae-{name}.json", {"weights": file_fingerprint(weights), **record, "versions": versions})
    for old in (folder / f"vae-{name}-checkpoint.weights.h5", history, *curves(history)):
        old.unlink(missing_ok=True)
    return weights


def load(vae: VAE, path: Path, command: str, fingerprint: str) -> None:
    """Give a VAE the prior of a file with this fingerprint.

    Raises `UserError`, which names the `command` that makes it, if it is missing, damaged or another one.
    """
    with open_hdf5(path, command) as file:
        values = {key: file[key][:] for key in variables(vae)}
        if not all(np.isfinite(value).all() for value in values.values()):
            raise ValueError("its numbers are not finite")
        for key, variable in variables(vae).items():
            variable.assign(values[key])
    if file_fingerprint(path) != fingerprint:
        raise UserError(f"{path} is not the file that its JSON record describes; make it again with: {command}")


def error(vae: VAE, memories: np.ndarray) -> float:
    """Squared error of reconstructed memories (count, memory), over that of their mean."""
    residual = memories - vae.decode(vae.encode(memories))
    std = np.maximum(memories.std(axis=0), 1e-6)
    return float(np.mean(np.square(residual / std)))
