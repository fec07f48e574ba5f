"""Find songs and read them into notes. Knows files and names; how each format is read stands in `melody.formats`."""

from __future__ import annotations

import glob
import os
import re
import stat
from array import array
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType

from melody.cli import progress
from melody.errors import UserError
from melody.formats import essen
from melody.formats.limits import FORMATS, LARGEST, Unreadable, reading_limits
from melody.song import Song

BATCH = 64  # files a process reads before it reports
READER_VERSION = 3  # counts up when the same files give other notes, so that what was written before is read anew


def find_songs(patterns: list[str]) -> list[tuple[Path, Path]]:
    """The files of songs at `patterns`, each with its collection's folder, sorted by path.

    A pattern is a folder (all songs below it), a file, or has wildcards; its folder is then what stands before the
    first of them: `essen/**/*.krn` lies in `essen`. Raises `Problem` for a pattern without songs.
    """
    found: dict[Path, Path] = {}
    for pattern in patterns:
        matches = _matches(os.path.expanduser(pattern))
        if not matches:
            raise UserError(f"no songs at {pattern}; looked for {' '.join(FORMATS)}")
        for path, root in matches:
            found.setdefault(path, root)
    return sorted(found.items())


def _matches(pattern: str) -> list[tuple[Path, Path]]:
    path = Path(pattern)
    if path.is_dir():
        return [(song, path) for song in _below(path)]
    if path.exists():
        return [(path, path.parent)]
    root = Path(re.split(r"[^/\\]*[*?\[]", pattern)[0] or ".")
    hits = sorted(Path(hit) for hit in glob.glob(pattern, recursive=True))
    files = [file for hit in hits for file in (_below(hit) if hit.is_dir() else [hit])]
    return [(file, root) for file in files]


def _below(folder: Path) -> list[Path]:
    """The songs below a folder, and the folders there that cannot be opened, which reading will tell."""
    closed: list[Path] = []
    songs = [
        Path(place, name)
        for place, _, names in os.walk(folder, onerror=lambda problem: closed.append(Path(problem.filename)))
        for name in names
        if Path(name).suffix.lower() in FORMATS and not name.startswith(".")
    ]
    return songs + closed


def song_name(path: Path, root: Path) -> str:
    """The path of a song below `root` without suffix; a lone Essen file gets the folder of the kern edition.

    >>> song_name(Path("midi/han0001.mid"), Path("midi"))
    'asia/china/han/han0001'
    """
    name = path.relative_to(root).with_suffix("").as_posix()
    folder = "" if "/" in name else essen.folder_of(name)
    return _writable(f"{folder}/{name}" if folder else name)


def _writable(name: str) -> str:
    """A file's name without the bytes that are no UTF-8."""
    return name.encode("utf-8", "replace").decode("utf-8")


def read_songs(path: Path, root: Path, broken: dict[str, str] | None = None) -> list[Song]:
    """The songs of one file. Raises `Unreadable` with the reason when it gives none.

    A file of many tunes gives those that can be read; `broken` receives the others: `tunes.abc#3` -> reason.
    """
    kind = FORMATS.get(path.suffix.lower(), "")
    content = _content(path, kind)
    if not kind:
        raise Unreadable(f"no format that is read here ({' '.join(FORMATS)})")
    reader = reader_of(kind)
    with reading_limits():
        found = reader.read(content, song_name(path, root))
    for tune in found:
        if isinstance(tune, Unreadable) and broken is not None:
            broken[f"{path}#{tune.tune}"] = str(tune)
    return [tune for tune in found if isinstance(tune, Song)]


@cache
def reader_of(kind: str) -> ModuleType:
    """The module that reads a format; imported late, since music21 takes a while."""
    from melody.formats import read_abc, read_kern, read_midi, read_musicxml

    return {"kern": read_kern, "midi": read_midi, "abc": read_abc, "musicxml": read_musicxml}[kind]


def _content(path: Path, kind: str) -> bytes:
    most = LARGEST.get(kind, 0) * 2**20
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            if path.is_dir():
                os.scandir(path).close()  # raises what the system says of a folder that cannot be opened
            raise Unreadable("no file, but something that only has a file's name")
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as problem:
        raise Unreadable(f"cannot be opened: {problem.strerror}") from problem
    if not content:
        raise Unreadable("an empty file")
    if kind and len(content) > most:
        raise Unreadable(f"larger than {LARGEST[kind]} MB")
    return content


def read_all(files: list[tuple[Path, Path]], jobs: int, quiet: bool) -> tuple[list[Song], list[tuple[str, str]]]:
    """All songs, sorted by name, and (file, reason) of what gave none. Raises `Problem` when nothing gave any."""
    batches = [files[i : i + BATCH] for i in range(0, len(files), BATCH)]
    found: dict[str, tuple[str, Song]] = {}
    skipped = []
    with progress(None, quiet, total=len(files), unit="file", desc="reading") as bar:
        for batch, (read, unread) in zip(batches, _results(batches, jobs), strict=True):
            skipped += unread
            for path, song in read:
                first = found.setdefault(song.name, (path, song))
                if first[1] is not song:
                    skipped.append((path, f"the name {song.name} is taken by {first[0]}; name the folder above both"))
            bar.update(len(batch))
    if not found:
        path, reason = skipped[0]
        raise UserError(f"none of {len(files):,} files can be read; the first, {path}: {reason}")
    return [found[name][1] for name in sorted(found)], skipped


def compact(song: Song) -> Song:
    """The song with its times in a quarter of the room: all of a collection are held at once, and sent about."""
    duration, rest_before, phrase = array("f", song.duration), array("f", song.rest_before), array("b", song.phrase)
    return replace(song, duration=duration, rest_before=rest_before, phrase=phrase)


def _results(batches: list[list[tuple[Path, Path]]], jobs: int) -> Iterator[tuple[list, list]]:
    """What `read_batch` gives of each batch, in order, also where the system kills a process that reads."""
    from joblib import Parallel, delayed

    done = 0
    try:
        readers = Parallel(n_jobs=1 if len(batches) == 1 else jobs, return_as="generator")
        for result in readers(delayed(read_batch)(batch) for batch in batches):
            yield result
            done += 1
    except BrokenProcessPool:
        for batch in batches[done:]:
            yield _read_apart(batch)


def _read_apart(files: list[tuple[Path, Path]]) -> tuple[list, list]:
    """`read_batch` in a process of its own; when the system kills it, in two halves, down to the file to blame."""
    try:
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            return process.submit(read_batch, files).result()
    except BrokenProcessPool:
        if len(files) == 1:
            return [], [(_writable(str(files[0][0])), "the system stopped the reading of it; it needs too much memory")]
        halves = [_read_apart(half) for half in (files[: len(files) // 2], files[len(files) // 2 :])]
        return halves[0][0] + halves[1][0], halves[0][1] + halves[1][1]


def read_batch(files: list[tuple[Path, Path]]) -> tuple[list[tuple[str, Song]], list[tuple[str, str]]]:
    """Read some files, as `find_songs` gives them: (file, song) of all songs, and (file, reason) of what gave none."""
    songs, skipped = [], []
    for path, root in files:
        broken: dict[str, str] = {}
        try:
            songs += [(_writable(str(path)), compact(song)) for song in read_songs(path, root, broken)]
        except Unreadable as reason:
            broken = {str(path): str(reason)}
        skipped += [(_writable(file), reason) for file, reason in broken.items()]
    return songs, skipped
