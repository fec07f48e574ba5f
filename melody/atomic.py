"""Files that are whole or not there: written beside their place, then moved into it, by one run at a time."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from melody.errors import UserError

if TYPE_CHECKING:
    import h5py


MARK = "melody-tmp"  # in the names of files being written, so that no file of a user is taken for one
MARGIN = 2**18  # bytes that HDF5 may need beside the numbers themselves


@contextmanager
def atomic_write(path: Path, room: int = 0) -> Iterator[Path]:
    """Give a path beside `path` to write to; move it into place when the block ends well, remove it when it fails.

    The temporary name keeps the suffixes, which some writers read: `song.mid` becomes `.song.melody-tmp-123.mid`.
    An error of the system, such as a full disk, is raised as an `OSError` that names `path`. HDF5 ends the process
    when the disk becomes full, so a caller that writes with it gives the bytes it needs as `room`; they are reserved
    first.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _temporary_path(path)
    with _named(path, beside):
        try:
            if room:
                _reserve(beside, room + MARGIN)
            yield beside
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)


def _reserve(path: Path, room: int) -> None:
    """Make a file of so many bytes. Raises `OSError` when there is no room for it."""
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, room)
        elif shutil.disk_usage(path.parent).free < room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@contextmanager
def atomic_write_all(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """Give a folder to write the files `names` to; move all of them into `folder` when the block ends well.

    Of the old files the last one goes first, and the new one comes last: where it is, all belong together.
    """
    folder = Path(folder)
    beside = _temporary_path(folder / names[0])
    beside.mkdir(parents=True)
    with _named(folder, beside):
        try:
            yield beside
            if (folder / names[-1]).is_file():
                (folder / names[-1]).unlink()
            for name in names:
                os.replace(beside / name, folder / name)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def file_lock(*paths: Path) -> Iterator[None]:
    """Let only one run at a time write `paths`, files or folders of one folder. Raises `UserError` in a second run.

    The lock ends with the process, however it ends, and its file is removed. What a killed run left half-written beside
    `paths` is removed too.
    """
    folder, lock = paths[0].parent, FileLock(paths[0].parent / f".lock-{paths[0].name}", timeout=0.2)
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _named(paths[0], Path(lock.lock_file)):
            lock.acquire()
    except Timeout:
        raise UserError(f"another run is writing {paths[0]}; wait until it ends, or use another folder") from None
    try:
        for left in [left for path in paths for left in _left_behind(path)]:
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield
    finally:
        if os.name != "nt":  # while it is locked, so that nobody else's is removed
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()  # on Windows this removes the file
        if new and not any(folder.iterdir()):
            folder.rmdir()


def _temporary_path(path: Path) -> Path:
    stem, dot, suffixes = path.name.partition(".")
    return path.with_name(f".{stem}.{MARK}-{os.getpid()}{dot}{suffixes}")


def _left_behind(path: Path) -> list[Path]:
    """What lies where `_beside` puts `path`, or what belongs into the folder `path`, for whatever process."""
    stem, dot, suffixes = path.name.partition(".")
    own = rf"\.{re.escape(stem)}\.{MARK}-\d+{re.escape(dot + suffixes)}"
    left = [file for file in path.parent.iterdir() if re.fullmatch(own, file.name)]
    return left + [file for file in path.glob(".*") if re.fullmatch(rf"\.[^.]+\.{MARK}-\d+(\..+)?", file.name)]


@contextmanager
def _named(path: Path, beside: Path) -> Iterator[None]:
    """Let an error of the system name `path` where it happened to `beside`, also one that HDF5 tells in its words."""
    try:
        yield
    except (OSError, RuntimeError) as failed:
        told = re.search(r"errno = (\d+)", str(failed))
        number = int(told[1]) if told else getattr(failed, "errno", None)
        elsewhere = getattr(failed, "filename", None)
        if number is None or (elsewhere and not str(elsewhere).startswith(str(beside))):
            raise
        raise OSError(number, os.strerror(number), str(path)) from failed


def write_json(path: Path, content: object) -> None:
    """Write `content` as JSON that a person can read."""
    with atomic_write(path) as beside:
        beside.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load_json(path: Path, command: str, kind: type = dict):
    """Read a JSON file of a `kind`. Raises `Problem` naming the command `command` when it is missing or is none."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is not there; make it with: {command}") from None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, kind):
        raise UserError(f"{path} is damaged; remove it and make it again with: {command}")
    return content


@contextmanager
def open_hdf5(path: Path, command: str) -> Iterator[h5py.File]:
    """Open an HDF5 file that a stage wrote.

    Raises `Problem` naming the command `command` when it is missing, is no HDF5, is cut short, does not hold what the
    block looks for, or claims more than a file of its size can hold.
    """
    import h5py

    path = Path(path)
    if not path.exists():
        raise UserError(f"{path} is not there; make it with: {command}")
    try:
        with h5py.File(path) as file:
            _check_hdf5(file, path.stat().st_size)
            yield file
    except (OSError, KeyError, ValueError, TypeError, AttributeError, IndexError, RuntimeError) as damage:
        if isinstance(damage, PermissionError):
            raise PermissionError(damage.errno, os.strerror(damage.errno), str(path)) from None
        raise UserError(f"{path} is damaged or of another kind ({damage}); make it again with: {command}") from None


def _check_hdf5(file: h5py.File, size: int) -> None:
    """Raise `ValueError` when a file links elsewhere, or when its arrays are larger than itself: ours never are."""
    import h5py

    def look(group: h5py.Group) -> int:
        total = 0
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{name} is a link")
            item = group[name]
            if isinstance(item, h5py.Group):
                total += look(item)
            elif item.external or item.is_virtual:
                raise ValueError(f"{name} lies in another file")
            else:
                total += item.nbytes
        return total

    if look(file) > size:
        raise ValueError("its arrays are larger than the file")
