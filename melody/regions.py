"""Which songs belong to a region, by their names, such as `asia/china/han/han0001`; and what is known about it."""

import csv
import difflib
import fnmatch
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from melody.errors import UserError
from melody.provenance import fingerprint

ALL = "all"  # the file name for no constraint: all songs
FEW = 20  # songs; a warning is printed for a smaller region
DESCRIPTIONS = Path(__file__).with_name("regions.csv")  # language and place of the regions of the Essen collection


def prefix(name: str) -> str:
    """The letters at the start of a song's file name: `asia/china/han/han0001` gives `han`."""
    return re.match(r"[^\W\d_]*", name.rsplit("/", 1)[-1]).group().lower()


def matches(name: str, constraint: str) -> bool:
    """Whether a song meets a constraint: a folder of its name, its prefix, or a pattern for the whole name.

    >>> [matches("asia/china/han/han0001", constraint) for constraint in ("han", "China", "asia/*", "sha", "al")]
    [True, True, True, False, False]
    """
    name, constraint = name.lower(), constraint.lower()
    return (
        constraint in name.split("/")[:-1]
        or constraint == prefix(name)
        or (any(sign in constraint for sign in "*?[") and fnmatch.fnmatchcase(name, constraint))
    )


def choose(names: Sequence[str], constraints: Sequence[str]) -> list[int]:
    """The indices of the songs that meet any of the constraints; without constraints: of all songs.

    Raises `UserError` for a constraint that no song meets, with similar ones and their numbers of songs.
    """
    chosen: set[int] = set() if constraints else set(range(len(names)))
    for constraint in constraints:
        found = [s for s, name in enumerate(names) if matches(name, constraint)]
        if not found:
            raise UserError(f"no song belongs to the region {constraint!r}; {_suggestions(names, constraint)}")
        chosen.update(found)
    return sorted(chosen)


def table(names: Sequence[str]) -> list[tuple[str, int, str, str]]:
    """Each region with its number of songs, language and place ("" if unknown), the largest first.

    A prefix that means the same songs as their folder is left out.

    >>> table(["asia/china/shanxi/shanx001"])[-1]
    ('shanxi', 1, 'Chinese', 'China, Shanxi')
    """
    known, members = _descriptions(), _members(names)
    folders = {folder for name in names for folder in name.lower().split("/")[:-1]}
    of_folders = [members[folder] for folder in folders]
    shown = [region for region, songs in members.items() if region in folders or songs not in of_folders]
    rows = [(region, len(members[region]), *known.get(region, ("", ""))) for region in shown]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def region_ids(names: Sequence[str], known: Sequence[str]) -> list[int]:
    """The index of each song's prefix in `known`, counted from 1; 0 if it is not there.

    >>> region_ids(["asia/china/han/han0001", "europa/italia/italia01"], ["deut", "han"])
    [2, 0]
    """
    ids = {region: number for number, region in enumerate(known, start=1)}
    return [ids.get(prefix(name), 0) for name in names]


def memories_command(flags: str) -> str:
    """The command that makes memories; `flags` say of what, see `flag`."""
    return f"python generate_memories.py {'--songs PATH ' * flags.startswith('--name')}{flags}"


def is_free(name: str) -> bool:
    """Whether songs of one's own can have this name: letters, digits, - and _, and no region of the collection.

    >>> is_free("irish"), is_free("Han"), is_free("a/b")
    (True, False, False)
    """
    return bool(re.fullmatch(r"\w[\w-]{0,59}", name)) and name.lower() not in {ALL, *_descriptions()}


def _descriptions() -> dict[str, tuple[str, str]]:
    """Language and place of the regions of the Essen collection."""
    with DESCRIPTIONS.open(encoding="utf-8", newline="") as file:
        return {row["region"]: (row["language"], row["place"]) for row in csv.DictReader(file)}


def _members(names: Sequence[str]) -> dict[str, list[int]]:
    """The indices of the songs of each folder and prefix."""
    members: dict[str, list[int]] = {}
    for s, name in enumerate(names):
        for region in {*name.lower().split("/")[:-1], prefix(name)} - {""}:
            members.setdefault(region, []).append(s)
    return members


def _suggestions(names: Sequence[str], constraint: str) -> str:
    counts = {region: len(songs) for region, songs in _members(names).items()}
    largest = sorted(counts, key=lambda region: (-counts[region], region))
    similar = difflib.get_close_matches(constraint.lower(), counts, n=6, cutoff=0.5)
    similar += [region for region in largest if constraint.lower() in region and region not in similar]
    shown = ", ".join(f"{region} ({counts[region]})" for region in (similar or largest)[:6])
    return f"{'similar' if similar else 'the largest'}: {shown}; all: python generate_memories.py --list"


def flag(constraints: Sequence[str] | None, name: str = "") -> str:
    """The flag that gives a command these constraints, or the `name` of songs that are not of the collection.

    >>> flag(["han", "asia/*"]), flag(None, "irish")
    ("--regions han 'asia/*'", '--name irish')
    """
    return shlex.join(["--name", name] if constraints is None else ["--regions", *constraints])


def file_name(constraints: Sequence[str]) -> str:
    """The file name for some constraints, whatever their order and case; `all` for none.

    >>> file_name(["Han", "china"])
    'china+han'
    """
    lower = sorted({constraint.lower() for constraint in constraints})
    plain = "+".join(re.sub(r"[^\w-]+", "-", constraint).strip("-") for constraint in lower)
    encoded = plain.encode()  # a file name has at most 255 bytes, and a suffix will follow
    if plain == "+".join(lower) and len(encoded) <= 100 and plain != ALL:
        return plain or ALL
    return f"{encoded[:80].decode(errors='ignore')}-{fingerprint(repr(lower).encode())[:6]}"
