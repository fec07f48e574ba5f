"""Files that are complete or missing: written under a temporary name, then renamed, by one run at a time."""

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
DEEPEST = 20  # groups of an HDF5 file; to look at thousands, one in another, takes minutes
MOST_COMPRESSED = 4  # bytes of arrays for each byte of an HDF5 file; those of weights are hardly over 1
MARGIN = 2**18  # bytes that HDF5 may need beside the numbers themselves


@contextmanager
def atomic_write(path: Path, room: int = 0) -> Iterator[Path]:
    """Give a temporary path to write to; rename it to `path` when the block succeeds, remove it when it fails.

    The temporary name keeps the suffixes, which some writers read: `song.mid` becomes `.song.melody-tmp-123.mid`.
    An error of the system, such as a full disk, is raised as an `OSError` that names `path`. HDF5 ends the process
    when the disk becomes full, so a caller that uses it gives the bytes it needs as `room`; they are reserved first.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_path(path)
    with _errors_name(path, temporary):
        try:
            if room:
                _reserve(temporary, room + MARGIN)
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def _reserve(path: Path, room: int) -> None:
    """Make a file of `room` bytes. Raises `OSError` when the disk has no room for it."""
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, room)
        elif shutil.disk_usage(path.parent).free < room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@contextmanager
def atomic_write_all(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """Give a folder to write the files `names` to; move all of them into `folder` when the block succeeds.

    The last one is removed first and moved last: if it exists, all files belong together.
    """
    folder = Path(folder)
    temporary = _temporary_path(folder / names[0])
    temporary.mkdir(parents=True)
    with _errors_name(folder, temporary):
        try:
            yield temporary
            if (folder / names[-1]).is_file():
                (folder / names[-1]).unlink()
            for name in names:
                os.replace(temporary / name, folder / name)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def file_lock(*paths: Path) -> Iterator[None]:
    """Let only one run at a time write `paths`, files or folders of one folder. Raises `UserError` in a second run.

    The lock ends with the process, however it ends. Temporary files that a killed run left are removed.
    """
    folder, lock = paths[0].parent, FileLock(paths[0].parent / f".lock-{paths[0].name}", timeout=0.2)
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _errors_name(paths[0], Path(lock.lock_file)):
            lock.acquire()
    except Timeout:
        raise UserError(f"another run is writing {paths[0]}; wait until it ends, or use another folder") from None
    try:
        for left in [left for path in paths for left in _left_behind(path)]:
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield
    finally:
        if os.name != "nt":  # while it is locked, so that no other run's is removed
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()  # on Windows this removes the file
        if new and not any(folder.iterdir()):
            folder.rmdir()


def _temporary_path(path: Path) -> Path:
    stem, dot, suffixes = path.name.partition(".")
    return path.with_name(f".{stem}.{MARK}-{os.getpid()}{dot}{suffixes}")


def _left_behind(path: Path) -> list[Path]:
    """The temporary files of any process for `path`, and for the files in it if it is a folder."""
    stem, dot, suffixes = path.name.partition(".")
    own = rf"\.{re.escape(stem)}\.{MARK}-\d+{re.escape(dot + suffixes)}"
    left = [file for file in path.parent.iterdir() if re.fullmatch(own, file.name)]
    return left + [file for file in path.glob(".*") if re.fullmatch(rf"\.[^.]+\.{MARK}-\d+(\..+)?", file.name)]


@contextmanager
def _errors_name(path: Path, temporary: Path) -> Iterator[None]:
    """Raise the errors of the system and of HDF5 about `temporary` as an `OSError` that names `path`."""
    try:
        yield
    except (OSError, RuntimeError) as failed:
        of_hdf5 = re.search(r"errno = (\d+)", str(failed))
        number = int(of_hdf5[1]) if of_hdf5 else getattr(failed, "errno", None)
        file = getattr(failed, "filename", None)
        if number is None or (file and not str(file).startswith(str(temporary))):
            raise
        raise OSError(number, os.strerror(number), str(path)) from failed


def write_json(path: Path, content: object) -> None:
    """Write `content` as JSON that a person can read."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load_json(path: Path, command: str, kind: type = dict):
    """Read a JSON file that holds a `kind`. Raises `UserError`, which names `command`, if it is missing or damaged."""
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
    """Open an HDF5 file.

    Raises `UserError`, which names `command`, if it is missing or damaged, does not contain what the block looks for,
    or claims to contain more than a file of its size can.
    """
    import h5py  # takes .2 s, which a script that finds its files up to date or prints its help need not wait for

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
    """Raise `ValueError` if a file links to other places, or if its arrays are larger than itself."""
    import h5py

    total, links = 0, []
    is_deep = file.visititems_links(lambda name, link: name.count("/") > DEEPEST or links.append((name, link)))
    if is_deep:
        raise ValueError(f"its groups are nested over {DEEPEST} deep")
    for name, link in links:
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{name} is a link")
        if isinstance(item := file[name], h5py.Dataset):
            if item.external or item.is_virtual:
                raise ValueError(f"{name} lies in another file")
            total += item.nbytes
    if total > MOST_COMPRESSED * size:
        raise ValueError("its arrays are far larger than the file")
