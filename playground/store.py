"""The folder of the playground: songs of the user's own, tunes to continue, songs to vary, and songs that were kept.

    songs/playground/own/<id>/001.abc ...              uploaded songs
    songs/playground/tunes/<id>/tune.abc               first notes
    songs/playground/composed/<id>/<title>/001.json    songs to vary
    songs/playground/kept/001.mid ...                  songs that were kept, numbered as they were kept
    songs/playground/sound/<id>.wav                    the last songs that were played

An <id> is the fingerprint of the content. No part of a path is taken from a request.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from melody.atomic import atomic_write_all, file_lock, write_json
from melody.errors import UserError
from melody.listen.audio import write_wav
from melody.provenance import fingerprint
from melody.song_folder import SongFolder

MOST_KEPT = 1000  # songs
MOST = {"own": 200, "tunes": 1000, "composed": 1000, "sound": 16}  # entries; the oldest but `own` make room for others


class Store:
    """Writes and finds the files of the playground."""

    def __init__(self, folder: Path):
        self.folder = folder

    def own(self, id: str) -> Path | None:
        """The folder of uploaded songs with this id, if there is one."""
        return {path.name: path for path in _entries(self.folder / "own")}.get(id)

    def add_own(self, files: Sequence[tuple[str, bytes]]) -> Path:
        """Write uploaded songs, (suffix, content) each, and return their folder. Raises `UserError` if there is no
        room for more."""
        path = (
            self.folder
            / "own"
            / fingerprint(*(part for suffix, content in files for part in (suffix.encode(), content)))
        )
        if not path.exists() and len(_entries(path.parent)) >= MOST["own"]:
            raise UserError(f"there are {MOST['own']} uploads already; remove some from {path.parent}")
        _write(path, {f"{number:03d}{suffix}": content for number, (suffix, content) in enumerate(files, start=1)})
        return path

    def tune(self, abc: str) -> Path:
        """Write a tune and return its file."""
        path = self.folder / "tunes" / fingerprint(abc.encode())
        _make_room(path)
        _write(path, {"tune.abc": abc.encode()})
        return path / "tune.abc"

    def composed(self, id: str, title: str, record: dict) -> Path:
        """Write the record of a song that is to be varied and return its file."""
        path = self.folder / "composed" / id
        _make_room(path)
        file = path / title / f"{record['number']:03d}.json"
        if not file.exists():
            write_json(file, record)
        return file

    def sound(self, id: str, record: dict, settings: dict, sound_font: str | None) -> Path:
        """Render the sound of a song and return its file."""
        path = self.folder / "sound" / f"{id}.wav"
        if not path.exists():
            _make_room(path)
            with self.files(record, settings, score=False) as midi:
                write_wav(midi, path, sound_font)
        return path

    @contextmanager
    def files(self, record: dict, settings: dict, score: bool = True) -> Iterator[Path]:
        """Write all files of a song to a folder that exists during the block, and give its MIDI file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.folder, prefix=".files-") as path:
            folder = SongFolder(Path(path), settings)
            folder.write(record, score)
            yield folder.midi(record["number"])

    def keep(self, record: dict, settings: dict) -> Path:
        """Write a song with its scores under the next number and return its MIDI file."""
        folder = SongFolder(self.folder / "kept", settings)
        with file_lock(folder.path):
            number = max(folder.used(), default=0) + 1
            if number > MOST_KEPT:
                raise UserError(f"{MOST_KEPT:,} songs are kept already; move some of them out of {folder.path}")
            folder.write(record, score=True, number=number)
        return folder.midi(number)


def _entries(folder: Path) -> list[Path]:
    """What a folder contains, but for what is being written; the oldest first."""
    found = [path for path in folder.glob("*") if not path.name.startswith(".")]
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all files of a folder, or none, unless it exists."""
    if folder.exists():
        return
    with atomic_write_all(folder, list(files)) as temporary:
        for name, content in files.items():
            (temporary / name).write_bytes(content)


def _make_room(path: Path) -> None:
    """Remove the oldest entries beside a new one when there are too many."""
    others = [other for other in _entries(path.parent) if other != path]
    for old in others[: max(0, len(others) + 1 - MOST[path.parent.name])]:
        with suppress(OSError):
            shutil.rmtree(old) if old.is_dir() else old.unlink()
