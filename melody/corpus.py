"""Find songs and read them into notes. Knows files and names; how each format is read stands in `melody.readers`."""

from __future__ import annotations

import glob
import importlib
import os
import re
from array import array
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType

from melody import essen
from melody.stage import Problem, progress

FORMATS = {
    ".krn": "kern",
    ".mid": "midi",
    ".midi": "midi",
    ".abc": "abc",
    ".xml": "musicxml",
    ".musicxml": "musicxml",
    ".mxl": "musicxml",
}
BATCH = 64  # files a process reads before it reports
READER = 1  # counts up when the same files give other notes, so that what was written before is read anew
# MB a file. Essen songs have 12 thousand bytes at most; music21 takes minutes for larger files of MIDI and MusicXML.
LARGEST = {"kern": 32, "midi": 1, "abc": 32, "musicxml": 8}


class Unreadable(Exception):
    """A file that gives no song, or one `tune` of a file of many; the message is the reason, in words."""

    def __init__(self, reason: str, tune: str = ""):
        super().__init__(" ".join(reason.split())[:200])
        self.tune = tune


@dataclass(frozen=True)
class Song:
    """One melody. Times are in quarter notes; tied notes are one note; grace notes are left out.

    `rest_before` is the rest right before each note, `phrase` says where a phrase begins (kern alone tells).
    `chords` counts the chords of which only the top note was kept, `parts` the parts, of which only the first was read.
    """

    name: str  # path below the collection's folder, without suffix: asia/china/han/han0001
    pitch: list[str]  # names such as C4, F#5, B-3
    duration: list[float]
    rest_before: list[float]
    phrase: list[bool]
    area: str = ""
    title: str = ""
    key: str = ""  # tonic: F is F major, d is D minor; where only the signature is known: k[b-]
    metre: str = ""  # 3/4; X where it is free
    chords: int = 0
    parts: int = 1


def find_songs(patterns: list[str]) -> list[tuple[Path, Path]]:
    """The files of songs at `patterns`, each with its collection's folder, sorted by path.

    A pattern is a folder (all songs below it), a file, or has wildcards; its folder is then what stands before the
    first of them: `essen/**/*.krn` lies in `essen`. Raises `Problem` for a pattern without songs.
    """
    found: dict[Path, Path] = {}
    for pattern in patterns:
        matches = _matches(os.path.expanduser(pattern))
        if not matches:
            raise Problem(f"no songs at {pattern}; looked for {' '.join(FORMATS)}")
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
    return [
        Path(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if Path(name).suffix.lower() in FORMATS and not name.startswith(".")
    ]


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
    kind = FORMATS.get(path.suffix.lower())
    if not kind:
        raise Unreadable(f"no format that is read here ({' '.join(FORMATS)})")
    reader = reader_of(kind)
    try:
        found = reader.read(_content(path, kind), song_name(path, root))
    except Unreadable:
        raise
    except Exception as problem:  # music21 raises many kinds on damaged files; one such file must not stop the others
        raise Unreadable(f"damaged ({type(problem).__name__}: {problem})") from problem
    for tune in found:
        if isinstance(tune, Unreadable) and broken is not None:
            broken[f"{path}#{tune.tune}"] = str(tune)
    return [tune for tune in found if isinstance(tune, Song)]


@cache
def reader_of(kind: str) -> ModuleType:
    """The module that reads a format; imported late, since music21 takes a while."""
    return importlib.import_module(f"melody.readers.{kind}")


def _content(path: Path, kind: str) -> bytes:
    try:
        if path.stat().st_size > LARGEST[kind] * 2**20:
            raise Unreadable(f"larger than {LARGEST[kind]} MB")
        content = path.read_bytes()
    except OSError as problem:
        raise Unreadable(f"cannot be opened: {problem.strerror}") from problem
    if not content:
        raise Unreadable("an empty file")
    return content


def read_all(files: list[tuple[Path, Path]], jobs: int, quiet: bool) -> tuple[list[Song], list[tuple[str, str]]]:
    """All songs, sorted by name, and (file, reason) of what gave none. Raises `Problem` when nothing gave any."""
    from joblib import Parallel, delayed

    batches = [files[i : i + BATCH] for i in range(0, len(files), BATCH)]
    readers = Parallel(n_jobs=1 if len(batches) == 1 else jobs, return_as="generator")
    found: dict[str, tuple[str, Song]] = {}
    skipped = []
    with progress(None, quiet, total=len(files), unit="file", desc="reading") as bar:
        results = readers(delayed(read_batch)(batch) for batch in batches)
        for batch, (read, unread) in zip(batches, results, strict=True):
            skipped += unread
            for path, song in read:
                first = found.setdefault(song.name, (path, song))
                if first[1] is not song:
                    skipped.append((path, f"the name {song.name} is taken by {first[0]}; name the folder above both"))
            bar.update(len(batch))
    if not found:
        path, reason = skipped[0]
        raise Problem(f"none of {len(files):,} files can be read; the first, {path}: {reason}")
    return [found[name][1] for name in sorted(found)], skipped


def compact(song: Song) -> Song:
    """The song with its times in a quarter of the room: all of a collection are held at once, and sent about."""
    duration, rest_before, phrase = array("f", song.duration), array("f", song.rest_before), array("b", song.phrase)
    return replace(song, duration=duration, rest_before=rest_before, phrase=phrase)


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
