"""Find song files and name them."""

import os
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from melody.errors import UserError
from melody.formats import essen

MUSICXML = dict.fromkeys((".xml", ".musicxml", ".mxl"), "musicxml")
FORMATS = {".krn": "kern", ".mid": "midi", ".midi": "midi", ".abc": "abc", **MUSICXML}


class SongFiles(Sequence):
    """Song files, each with the folder its name starts from; kept as texts, since a million paths fill half a GB."""

    def __init__(self, files: list[tuple[str, Path]]):
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return SongFiles(self._files[index])
        path, root = self._files[index]
        return Path(path), root


def find_songs(patterns: list[str]) -> SongFiles:
    """The song files at `patterns`, sorted by path.

    A pattern is a folder (all songs below it), a file, or has wildcards; the folder of a pattern is the part before the
    first wildcard: `essen` in `essen/**/*.krn`. A file that several paths or symbolic links lead to is returned once,
    with its shortest path. Raises `UserError` for a pattern without songs.
    """
    found: dict[str, tuple[str, Path]] = {}
    for pattern in patterns:
        matches = _matches(os.path.expanduser(pattern))
        if not matches:
            raise UserError(f"no songs at {pattern}; looked for {' '.join(FORMATS)}")
        for path, root in sorted(matches, key=lambda match: (match[0].count(os.sep), _order(match))):
            folder, name = os.path.split(path)
            real = os.path.realpath(path) if os.path.islink(path) else os.path.join(_real_folder(folder), name)
            found.setdefault(real, (path, root))
    return SongFiles(sorted(found.values(), key=_order))


def _order(file: tuple[str, Path]) -> str:
    """Sorts files folder by folder, as `Path` does."""
    return file[0].replace(os.sep, "\0")


_real_folder = lru_cache(maxsize=2**16)(os.path.realpath)  # takes a system call for each part of a path
_absolute = lru_cache(maxsize=2**16)(os.path.abspath)


def _matches(pattern: str) -> list[tuple[str, Path]]:
    path = Path(pattern)
    if path.is_dir():
        return [(song, path) for song in _below(path)]
    if path.exists():
        return [(str(path), path.parent)]
    head = re.split(r"[^/\\]*[*?\[]", pattern)[0]
    root, wildcards = Path(head or "."), pattern[len(head) :]
    try:
        hits = sorted(root.glob(wildcards)) if wildcards else []  # `**` does not follow links, so no link can loop
    except ValueError:  # not a pattern
        return []
    files = (file for hit in hits for file in (_below(hit) if hit.is_dir() else [str(hit)]))
    return [
        (file, root) for file in files if not any(part.startswith(".") for part in Path(file).relative_to(root).parts)
    ]


def _below(folder: Path) -> list[str]:
    """The songs below a folder, and the folders there that cannot be opened, so that reading reports them."""
    closed: list[str] = []
    songs = [
        os.path.normpath(os.path.join(parent, name))
        for parent, _, names in os.walk(folder, onerror=lambda error: closed.append(error.filename))
        for name in names
        if os.path.splitext(name)[1].lower() in FORMATS and not name.startswith(".")
    ]
    return songs + closed


def song_name(path: Path, root: Path) -> str:
    """The name of a song: the folder `root` and the path below it, without suffix.

    A song of the Essen collection has its name in the kern edition, whatever folder is given. It is recognized by its
    file name, and by lying directly in `root` or in the same folder as in the kern edition.

    >>> song_name(Path("my/irish/reels/tune.abc"), Path("my/irish")), song_name(Path("midi/han0001.mid"), Path("midi"))
    ('irish/reels/tune', 'asia/china/han/han0001')
    """
    folder = essen.folder_of(path.stem)
    if folder and (path.parent == root or Path(_absolute(path.parent)).as_posix().endswith(f"/{folder}")):
        return f"{folder}/{path.stem}"
    return utf8(Path(Path(_absolute(root)).name, path.relative_to(root)).with_suffix("").as_posix())


def utf8(path: str) -> str:
    """A path without the bytes that are not UTF-8."""
    return path.encode("utf-8", "replace").decode("utf-8")
