"""Files that are whole or not there: written beside their place, then moved into it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from melody.stage import Problem


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; move it into place when the block ends well, remove it when it fails.

    The temporary name keeps the suffixes, which some writers read: `song.mid` is written as `.song.123.mid`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    stem, dot, suffixes = path.name.partition(".")
    beside = path.with_name(f".{stem}.{os.getpid()}{dot}{suffixes}")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_json(path: Path, content: object) -> None:
    """Write `content` as JSON that a person can read."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path, made_by: str) -> object:
    """Read a JSON file. Raises `Problem` naming the command `made_by` when it is missing or is no JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Problem(f"{path} is not there; make it with: {made_by}") from None
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise Problem(f"{path} is damaged; remove it and make it again with: {made_by}") from None


def made_with(path: Path, settings: dict) -> bool:
    """Whether an HDF5 file is there, made with these settings. Raises `Problem` when it was made with others."""
    import h5py

    if not path.exists():
        return False
    try:
        with h5py.File(path) as file:
            made = json.loads(file.attrs["settings"])
    except (OSError, KeyError, ValueError):
        raise Problem(f"{path} is damaged; make it again with --overwrite") from None
    must_agree(path, made, settings)
    return True


def must_agree(path: Path, made: dict, settings: dict) -> None:
    """Raises `Problem` that names both values when `path` was made with another setting."""
    for name, value in settings.items():
        if made.get(name) != value:
            raise Problem(
                f"{path} was made with {name} {made.get(name)}, now it is {value}; --overwrite makes it again"
            )


def fingerprint(*contents: bytes) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of `contents`, enough to tell two files apart."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    return digest.hexdigest()[:16]


def file_fingerprint(path: Path) -> str:
    """The fingerprint of a file's bytes."""
    return fingerprint(Path(path).read_bytes())
