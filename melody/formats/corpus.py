"""Read song files in parallel processes. Each format has a module in `melody.formats`."""

from __future__ import annotations

import os
import stat
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import cache
from itertools import chain, groupby, islice, tee
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType

from melody import cluster
from melody.cli import progress
from melody.errors import UserError
from melody.formats.limits import LARGEST, Unreadable, reading_limits
from melody.formats.song_files import FORMATS, song_name, utf8
from melody.song import Song

BATCH = 64  # files that a process reads before it returns them
PART_BYTES = 32_000  # of a book that a process reads before it returns them: about 100 tunes
MAX_PARTS = 64  # of a book, since each process that reads a part splits the whole book
Source = tuple[Path, Path] | tuple[Path, Path, int, int]  # file, the folder its name starts from, part, parts
READER_VERSION = 7  # increases when the same files give other notes, so that songs.h5 is made again


@cache
def reader_of(kind: str) -> ModuleType:
    """The module that reads a format."""
    from melody.formats import read_abc, read_kern, read_midi, read_musicxml  # music21: late saves 0.3 s of CPU time

    return {"kern": read_kern, "midi": read_midi, "abc": read_abc, "musicxml": read_musicxml}[kind]


def read_songs(path: Path, root: Path, broken: dict[str, str] | None = None) -> list[Song]:
    """The songs of one file; `broken` receives the tunes of a book that cannot be read: `tunes.abc#3` -> reason.

    Raises `Unreadable` with the reason if there are no songs.
    """
    found = read_file(path, root)
    songs = [song for song in found if isinstance(song, Song)]
    if not songs:
        raise Unreadable(f"none of its {len(found)} tunes can be read; the first: {found[0]}")
    if broken is not None:
        broken |= {f"{path}#{tune.tune}": str(tune) for tune in found if not isinstance(tune, Song)}
    return songs


def read_file(path: Path, root: Path, part: int = 0, parts: int = 1) -> list[Song | Unreadable]:
    """The songs of one file, or of one of the equal `parts` of a book; for a tune that cannot be read, the reason.

    Raises `Unreadable` for a file that cannot be read at all.
    """
    kind = FORMATS.get(path.suffix.lower(), "")
    content = _content(path, kind)
    if not kind:
        raise Unreadable(f"not a format that is read here ({' '.join(FORMATS)})")
    book = {"part": part, "parts": parts} if kind == "abc" else {}
    with reading_limits():
        return reader_of(kind).read(content, song_name(path, root), **book)


def _content(path: Path, kind: str) -> bytes:
    limit = LARGEST.get(kind, 0) * 2**20
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            if path.is_dir():
                os.scandir(path).close()  # raises the system's reason for a folder that cannot be opened
            raise Unreadable("not a regular file")
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as problem:
        raise Unreadable(f"cannot be opened: {problem.strerror}") from problem
    if not content:
        raise Unreadable("an empty file")
    if kind and len(content) > limit:
        raise Unreadable(f"larger than {LARGEST[kind]} MB")
    return content


def read_all(files: Sequence[tuple[Path, Path]], jobs: int, quiet: bool) -> tuple[list[Song], list[tuple[str, str]]]:
    """All songs, sorted by name, and (file, reason) of what cannot be read. Raises `UserError` if there is no song."""
    skipped: list[tuple[str, str]] = []
    return sorted(read_each(files, jobs, quiet, skipped), key=lambda song: song.name), skipped


def read_each(
    files: Sequence[tuple[Path, Path]],
    jobs: int,
    quiet: bool,
    skipped: list[tuple[str, str]],
    address: str | None = None,
) -> Iterator[Song]:
    """Songs in the order of their files; `skipped` receives (file, reason) of what cannot be read.

    They are read by `jobs` processes, or by the workers of the Dask scheduler at `address`. Raises `UserError` if there
    is no song.
    """
    found: dict[str, str] = {}
    with progress(None, quiet, total=sum(map(len, _batches(files))), unit="file", desc="reading") as bar:
        for batch, (read, unread) in (
            _on_workers(_batches(files), address) if address else _results(_batches(files), jobs)
        ):
            skipped += unread
            for path, song in read:
                if song.name in found:
                    taken = f"the name {song.name} is taken by {found[song.name]}; name the folder above both"
                    skipped.append((path, taken))
                else:
                    found[song.name] = path
                    yield song
            bar.update(len(batch))
    if not found:
        path, reason = skipped[0]
        raise UserError(f"none of {len(files):,} files can be read; the first, {path}: {reason}")


def _batches(files: Iterable[tuple[Path, Path]]) -> Iterator[list[Source]]:
    """The files in batches for the processes; each part of a large book is a batch."""
    for parts, group in groupby(files, key=lambda file: _parts(file[0])):
        if parts == 1:
            while batch := list(islice(group, BATCH)):
                yield batch
        else:
            yield from ([(*file, part, parts)] for file in group for part in range(parts))


def _parts(path: Path) -> int:
    """The number of parts in which a file is read; 1 unless it is a large book."""
    try:
        size = path.stat().st_size if FORMATS.get(path.suffix.lower()) == "abc" else 0
    except OSError:
        return 1  # reading reports it
    return min(1 + size // PART_BYTES, MAX_PARTS) if size <= LARGEST["abc"] * 2**20 else 1


def _results(batches: Iterator[list[Source]], jobs: int) -> Iterator[tuple[list[Source], tuple[list, list]]]:
    """Each batch and the result of `read_batch`, in order, even if the system kills a process."""
    from joblib import Parallel, delayed  # late saves 0.15 s of CPU time

    first = list(islice(batches, 2))
    unsent, unread = chain(first, batches), deque()

    def sent() -> Iterator:
        for batch in unsent:
            unread.append(batch)
            yield delayed(read_batch)(batch)

    try:
        for result in Parallel(n_jobs=1 if len(first) == 1 else jobs, return_as="generator")(sent()):
            yield unread.popleft(), result
    except BrokenProcessPool:
        for batch in chain(unread, unsent):
            yield batch, _read_separately(batch)


def _on_workers(batches: Iterator[list[Source]], address: str) -> Iterator[tuple[list[Source], tuple[list, list]]]:
    """The same on the workers of a Dask scheduler. What ends every worker that tries it is read here."""
    to_send, sent = tee(batches)
    read = cluster.results(address, "melody.formats.corpus:read_there", to_send, if_it_kills=_read_separately)
    return zip(sent, read, strict=True)


def read_there(_: None, files: list[Source]) -> tuple[list, list]:
    """`read_batch` on a worker, which must see the same folders."""
    for root in {root for _, root, *_ in files}:
        if not root.exists():
            raise UserError(f"{root} is not there; workers need the same folders")
    return read_batch(files)


def _read_separately(files: list[Source]) -> tuple[list, list]:
    """`read_batch` in a new process; if the system kills it, in two halves, down to the one file that causes it."""
    try:
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            return process.submit(read_batch, files).result()
    except BrokenProcessPool:
        if len(files) == 1:
            return [], [(utf8(str(files[0][0])), "reading it needs too much memory, and the system stopped it")]
        halves = [_read_separately(half) for half in (files[: len(files) // 2], files[len(files) // 2 :])]
        return halves[0][0] + halves[1][0], halves[0][1] + halves[1][1]


def read_batch(files: list[Source]) -> tuple[list[tuple[str, Song]], list[tuple[str, str]]]:
    """Read files or parts of books: (file, song) of each song, and (file, reason) of each file or tune without one."""
    songs, skipped = [], []
    for path, root, *part in files:
        file = utf8(str(path))
        try:
            for found in read_file(path, root, *part):
                if isinstance(found, Song):
                    songs.append((file, compact(found)))
                else:
                    skipped.append((f"{file}#{found.tune}", str(found)))
        except Unreadable as reason:
            skipped += [(file, str(reason))] if part[:1] in ([], [0]) else []  # once per file, not per part
    return songs, skipped


def compact(song: Song) -> Song:
    """The song with arrays for lists: all songs of a collection are in memory at once."""
    times = {field: array("f", getattr(song, field)) for field in ("duration", "rest_before", "beat", "bar")}
    return replace(song, **times, phrase=array("b", song.phrase))
