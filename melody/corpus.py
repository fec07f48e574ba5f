"""Find songs and read them into notes. Knows files and names; how each format is read stands in `melody.readers`."""

from __future__ import annotations

import glob
import importlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from melody.stage import Problem

FORMATS = {
    ".krn": "kern",
    ".mid": "midi",
    ".midi": "midi",
    ".abc": "abc",
    ".xml": "musicxml",
    ".musicxml": "musicxml",
    ".mxl": "musicxml",
}
# MB a file. Essen songs have 12 thousand bytes at most; music21 takes minutes for a MIDI file of some MB.
LARGEST = {"kern": 32, "midi": 1, "abc": 32, "musicxml": 32}

# Where the kern edition keeps the files whose names begin so. The MIDI edition lies in one flat folder.
ESSEN_FOLDERS = {
    "africa": "arabic",
    "america/mexico": "mexico",
    "america/misc": "brasil canada",
    "america/usa": "usa",
    "asia/china/han": "han",
    "asia/china/natmin": "natmn",
    "asia/china/shanxi": "shanx",
    "asia/china/xinhua": "china",
    "asia/misc": "ashsham india java nippon turkiye",
    "europa/czech": "czech",
    "europa/danmark": "danmark",
    "europa/deutschl/kinder": "kindr",
    "europa/elsass": "elsass",
    "europa/england": "england",
    "europa/france": "france",
    "europa/italia": "italia",
    "europa/jugoslav": "jugos",
    "europa/lothring": "lothr",
    "europa/luxembrg": "luxemb",
    "europa/magyar": "magyar",
    "europa/misc": "appenzel belgium brabant eire ellas emmenth entlebug island juedisch norge oberhas siebethl steier "
    "suomi vlaandr",
    "europa/nederlan": "neder",
    "europa/oesterrh": "oestr",
    "europa/polska": "polska",
    "europa/romania": "romani",
    "europa/rossiya": "rossiya ussr",
    "europa/schweiz": "suisse",
    "europa/sverige": "sverig",
    "europa/tirol": "tirol",
    "europa/ukraina": "ukrain",
}
ESSEN_PREFIXES = {prefix: folder for folder, prefixes in ESSEN_FOLDERS.items() for prefix in prefixes.split()}
# The files deut001 to deut5157 lie in eleven folders by number: where each folder begins.
GERMAN_FOLDERS = {
    1: "fink",
    567: "erk",
    2267: "boehme",
    2976: "ballad",
    3663: "allerkbd",
    3773: "altdeu1",
    4082: "altdeu2",
    4398: "dva",
    4504: "zuccal",
    5120: "variant",
    5146: "test",
}


class Unreadable(Exception):
    """A file that gives no song, or one `tune` of a file of many; the message is the reason, in words."""

    def __init__(self, reason: str, tune: str = ""):
        super().__init__(reason)
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
        matches = _matches(str(pattern))
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
    folder = "" if "/" in name else essen_folder(name)
    return f"{folder}/{name}" if folder else name


def essen_folder(stem: str) -> str:
    """The kern edition's folder of a file named like an Essen file, else "": `deut0567` is in europa/deutschl/erk."""
    match = re.fullmatch(r"([a-z]+?)(\d*)b?", stem)
    if not match:
        return ""
    prefix, number = match[1], int(match[2] or 0)
    if prefix == "deut" and number:
        return "europa/deutschl/" + GERMAN_FOLDERS[max(start for start in GERMAN_FOLDERS if start <= number)]
    return ESSEN_PREFIXES.get(prefix, "")


def read_songs(path: Path, root: Path, broken: dict[str, str] | None = None) -> list[Song]:
    """The songs of one file. Raises `Unreadable` with the reason when it gives none.

    A file of many tunes gives those that can be read; `broken` receives the others: `tunes.abc#3` -> reason.
    """
    kind = FORMATS.get(path.suffix.lower())
    if not kind:
        raise Unreadable(f"no format that is read here ({' '.join(FORMATS)})")
    reader = importlib.import_module(f"melody.readers.{kind}")
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


def _content(path: Path, kind: str) -> bytes:
    if path.is_dir():
        raise Unreadable("a folder")
    if path.stat().st_size > LARGEST[kind] * 2**20:
        raise Unreadable(f"larger than {LARGEST[kind]} MB")
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise Unreadable(problem.strerror or "cannot be opened") from problem
    if not content:
        raise Unreadable("an empty file")
    return content
