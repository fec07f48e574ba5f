"""Which settings and which bytes a file was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from melody.atomic import open_hdf5
from melody.errors import UserError

if TYPE_CHECKING:
    import h5py


def is_up_to_date(path: Path, settings: dict) -> bool:
    """Whether an HDF5 file exists, made with these settings. Raises `UserError` if it was made with others."""
    if not path.exists():
        return False
    with open_hdf5(path, "the same command and --overwrite") as file:
        made = settings_of(file)
    check_settings(path, made, settings)
    return True


def settings_of(file: h5py.File) -> dict:
    """The settings that made a file. Raises `ValueError` or `KeyError` if it has none."""
    settings = json.loads(file.attrs["settings"])
    if not isinstance(settings, dict):
        raise ValueError("no settings")
    return settings


def check_settings(path: Path, made: dict, settings: dict) -> None:
    """Raises `UserError`, which names both values, if `path` was made with another setting."""
    for name, value in settings.items():
        if made.get(name) != value:
            raise UserError(
                f"{path} was made with {name} {made.get(name)}, now it is {value}; --overwrite makes it again"
            )


def fingerprint(*contents: bytes) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of `contents`, enough to distinguish two files."""
    return _digest(contents)


def _digest(contents: Iterable[bytes]) -> str:
    sha = hashlib.sha256()
    for content in contents:
        sha.update(content)
    return sha.hexdigest()[:16]


def file_fingerprint(path: Path) -> str:
    """The fingerprint of a file's bytes."""
    return fingerprint(Path(path).read_bytes())


def files_fingerprint(files: Iterable[tuple[Path, Path]]) -> str:
    """Changes when a file is added, removed or changed: a hash of paths, sizes and modification times.

    `files` are song files, each with the folder that its name starts from.
    """
    stats = (json.dumps([str(path), str(root), *_size_and_time(path)]) for path, root in files)
    return _digest(chain([b"["], (f"{', ' * (k > 0)}{text}".encode() for k, text in enumerate(stats)), [b"]"]))


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return 0, 0  # a broken link, which is reported when it is read
    return stat.st_size, stat.st_mtime_ns
