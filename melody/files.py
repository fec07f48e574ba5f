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


def fingerprint(*contents: bytes) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of `contents`, enough to tell two files apart."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    return digest.hexdigest()[:16]


def file_fingerprint(path: Path) -> str:
    """The fingerprint of a file's bytes."""
    return fingerprint(Path(path).read_bytes())
