"""Weights, memories and records that are made to do harm, with the fingerprints that belong to them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from tqdm import tqdm

from melody.provenance import file_fingerprint
from tests.faults.commands import Row
from tests.faults.mismatches import PickleThatWritesAFile, edit_json
from tests.faults.sources import COMPOSE, small_copy
from tests.faults.worker import Case, try_all
from tests.faults.workspace import CHINA, SMALL, TINY, Workspace

READERS = {  # of each file, with its record
    "weights/lstm.weights.h5": "generate_song " + COMPOSE,
    "weights/vae-china.weights.h5": "generate_song " + COMPOSE,
    "weights/lstm-copies.h5": "generate_song --max-copy 9 " + COMPOSE,
    "weights/lstm-checkpoint.weights.h5": " ".join(("train_lstm --resume", *SMALL)),
    "data/memories/china.h5": " ".join(("vae.train --weights {root}/new", *CHINA, *TINY)),
    "data/songs.h5": " ".join(("train_lstm --weights {root}/new", *SMALL, "--epochs 1")),
}
VALUES = (None, "x", -1, 1e308, 10**400, {}, [16_384] * 99)


def arrays(file: h5py.File) -> list[str]:
    """The names of all arrays, the largest first."""
    found: dict[str, int] = {}
    file.visititems(lambda name, item: found.update({name: item.nbytes}) if isinstance(item, h5py.Dataset) else None)
    return sorted(found, key=lambda name: (-found[name], name))


def replace(file: h5py.File, make: Callable[[h5py.Group, str, np.ndarray], object]) -> None:
    """Put another array in the place of the largest one."""
    name = arrays(file)[0]
    values = file[name][()]
    group, _, last = name.rpartition("/")
    group = file[group or "/"]
    del group[last]
    make(group, last, values)


def filled(value: float) -> Callable[[h5py.File], None]:
    """Changes that put a value into every array of floats."""

    def fill(file: h5py.File) -> None:
        for name in arrays(file):
            if file[name].dtype.kind == "f":
                file[name][...] = value

    return fill


def other(change: Callable[[np.ndarray], object]) -> Callable[[h5py.File], None]:
    return partial(replace, make=lambda group, name, values: group.create_dataset(name, data=change(values)))


def declared(shape: Callable[[tuple], tuple], **how) -> Callable[[h5py.File], None]:
    """Changes that declare a shape and write nothing."""
    made = lambda group, name, values: group.create_dataset(name, shape(values.shape), values.dtype, **how)  # noqa: E731
    return partial(replace, make=made)


def linked(link: object) -> Callable[[h5py.File], None]:
    return partial(replace, make=lambda group, name, values: group.__setitem__(name, link))


def virtual(group: h5py.Group, name: str, values: np.ndarray) -> None:
    layout = h5py.VirtualLayout(values.shape, values.dtype)
    layout[...] = h5py.VirtualSource("/etc/passwd", "x", values.shape)
    group.create_virtual_dataset(name, layout)


def nested(file: h5py.File) -> None:
    group = file
    for _ in range(3000):
        group = group.create_group("g")


CHANGES: dict[str, Callable[[h5py.File], object]] = {
    "NaN": filled(np.nan),
    "infinity": filled(np.inf),
    "the largest number": filled(6e4),
    "transposed": other(np.transpose),
    "a row more": other(lambda values: np.concatenate([values, values[:1]])),
    "no rows": other(lambda values: values[:0]),
    "one number": other(lambda values: 7.0),
    "another dimension": other(lambda values: values[None]),
    "texts": other(lambda values: np.full(values.shape, b"x")),
    "complex numbers": other(lambda values: values.astype(complex)),
    "whole numbers": other(lambda values: np.full(values.shape, 2**31 - 1)),
    "bytes": other(lambda values: np.void(values.tobytes()[:60000])),
    "a vast array": declared(lambda shape: (10**12, *shape[1:]), chunks=True),
    "a vast array packed": declared(lambda shape: (10**9, *shape[1:]), chunks=True, compression="gzip"),
    "many dimensions": declared(lambda shape: (2,) * 30, chunks=(1,) * 30),
    "an external file": declared(lambda shape: shape, external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)]),
    "a soft link": linked(h5py.SoftLink("/nowhere")),
    "a link to itself": linked(h5py.SoftLink(".")),
    "an external link": linked(h5py.ExternalLink("/etc/passwd", "/")),
    "a virtual array": partial(replace, make=virtual),
    "a group in place of an array": partial(replace, make=lambda group, name, values: group.create_group(name)),
    "a cycle": lambda file: file.__setitem__("cycle", file["/"]),
    "nested": nested,
    "many groups": lambda file: [file.create_group(f"g{k}") for k in range(20_000)],
    "no arrays": lambda file: [file.__delitem__(name) for name in list(file)],
    "an empty attribute": lambda file: file.attrs.update(settings=h5py.Empty("S1")),
    "settings of numbers": lambda file: file.attrs.update(settings=np.arange(9)),
    "deep settings": lambda file: file.attrs.update(settings="[" * 50_000),
    "settings of NaN": lambda file: file.attrs.update(settings='{"split": NaN, "network": 1e999}'),
}


def changed(path: Path, change: Callable[[h5py.File], object]) -> None:
    """Change an HDF5 file, and state its fingerprint in its record."""
    with h5py.File(path, "r+") as file:
        change(file)
    record = path.with_name(path.name.removesuffix(".weights.h5") + ".json")
    if record.exists():
        edit_json(record, lambda known: known.update(weights=file_fingerprint(path)))
    if path.name == "lstm.weights.h5":
        network = file_fingerprint(path)
        vae = path.with_name("vae-china.json")
        edit_json(vae, lambda known: known["settings"]["memories"].update(network=network))


def records() -> dict[str, Callable[[dict], object]]:
    """Changes of the JSON records beside weights."""
    found = {}
    for field in ("weights", "settings", "held_out", "memory", "reach", "vocabulary", "versions", "history", "regions"):
        for value in VALUES:
            found[f"{field} {str(value)[:9]}"] = partial(dict.update, **{field: value})
    for field in ("units", "layers", "latent", "mixture", "hidden", "split", "memories", "rhythm", "embedding"):
        for value in (*VALUES, 16_384):
            change = lambda known, field=field, value=value: known["settings"].update({field: value})  # noqa: E731
            found[f"the setting {field} {str(value)[:9]}"] = change
    return found


def weights(fraction: float, seed: int, scratch: Path, workspace: Workspace, bar: tqdm) -> list[Row]:
    """Weights and records that are made to do harm."""
    clean, mark = small_copy(workspace, scratch / "small"), scratch / "mark"
    trap = np.void(pickle.dumps(PickleThatWritesAFile(mark)))
    changes = CHANGES | {
        "a pickle": other(lambda values: trap),
        "a pickle as settings": lambda file: file.attrs.update(settings=trap, keras_version=trap),
    }
    arrays_of = [
        Case(f"{name} in {file}", line, file, partial(changed, change=change))
        for file, line in READERS.items()
        for name, change in changes.items()
    ]
    of_records = [
        Case(f"{name} in {file}", "generate_song " + COMPOSE, file, partial(edit_json, change=change))
        for name, change in records().items()
        for file in ("weights/lstm.json", "weights/vae-china.json")
    ]
    deep = json.dumps({"settings": 0})[:-2] + "[" * 10**5 + "]" * 10**5 + "}"
    of_records += [
        Case(f"deep {file}", "generate_song " + COMPOSE, file, deep.encode())
        for file in ("weights/lstm.json", "weights/vae-china.json")
    ]
    rows = [
        try_all("weights, memories and songs that are made to do harm", arrays_of, fraction, seed, scratch, clean, bar),
        try_all("records of weights that are made to do harm", of_records, fraction, seed, scratch, clean, bar),
    ]
    return [row._replace(lost=row.lost + mark.exists()) for row in rows]
