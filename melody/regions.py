"""Which songs belong to a region, by their names, such as `asia/china/han/han0001`, and by what the catalogue says.

A region is some constraints: a song belongs to it if it meets any of them. A constraint is some terms joined by `&`: a
song meets it if it meets them all. A term is a folder, a prefix, a pattern for the name, or `field=pattern`.
"""

import csv
import difflib
import fnmatch
import re
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from melody.dataset import Dataset
from melody.descriptors import MODES, mode_of
from melody.errors import UserError
from melody.key import kern_key
from melody.provenance import fingerprint

ALL = "all"  # the file name for no constraint: all songs
FEW = 20  # songs; a warning is printed for a smaller region
FIELDS = ("genre", "area", "title", "meter", "key")  # of the catalogue
NAME = "name"  # the field of a term that names none
DESCRIPTIONS = Path(__file__).with_name("regions.csv")  # language and place of the regions of the Essen collection


def prefix(name: str) -> str:
    """The letters at the start of a song's file name: `asia/china/han/han0001` gives `han`."""
    return re.match(r"[^\W\d_]*", name.rsplit("/", 1)[-1]).group().lower()


def terms(constraint: str) -> list[tuple[str, str]]:
    """The field and the pattern of each term, whatever their order; in lower case, but for keys.

    >>> terms("Han & key=D minor"), terms("genre=*Liebe*")
    ([('key', 'd'), ('name', 'han')], [('genre', '*liebe*')])
    """
    found = set()
    for term in constraint.split("&"):
        field, sign, pattern = (part.strip() for part in term.partition("="))
        if not sign or field.lower() not in FIELDS:
            found.add((NAME, term.strip().lower()))
        elif field.lower() == "key" and pattern.lower() not in MODES:
            found.add(("key", kern_key(pattern) or pattern))
        else:
            found.add((field.lower(), pattern.lower()))
    return sorted(found)


def is_constraint(text: str) -> bool:
    """Whether no term of a constraint is empty."""
    return all(pattern for _, pattern in terms(text))


def members(songs: Dataset, constraint: str) -> list[int]:
    """The indices of the songs that meet a constraint."""
    found = list(range(len(songs)))
    for field, pattern in terms(constraint):
        values = getattr(songs, field)
        found = [s for s in found if _meets(values[s], field, pattern)]
    return found


def choose(songs: Dataset, constraints: Sequence[str]) -> list[int]:
    """The indices of the songs that meet any of the constraints; without constraints: of all songs.

    Raises `UserError` for a constraint that no song meets, with similar ones and their numbers of songs.
    """
    chosen: set[int] = set() if constraints else set(range(len(songs)))
    for constraint in constraints:
        found = members(songs, constraint)
        if not found:
            raise UserError(f"no song belongs to the region {constraint!r}; {_why_none(songs, constraint)}")
        chosen.update(found)
    return sorted(chosen)


def _meets(value: str, field: str, pattern: str) -> bool:
    """Whether a song with this value of a field meets a term; one without a value does not."""
    if field == "key":
        return bool(value) and (pattern in (value, MODES[mode_of(value)]) or fnmatch.fnmatchcase(value, pattern))
    value = value.lower()
    if field != NAME:
        return bool(value) and (value == pattern or fnmatch.fnmatchcase(value, pattern))
    return (
        pattern in value.split("/")[:-1]
        or pattern == prefix(value)
        or (any(sign in pattern for sign in "*?[") and fnmatch.fnmatchcase(value, pattern))
    )


def counts(field: str, values: Sequence[str]) -> dict[str, int]:
    """How many songs have each value of a field, the commonest first; for keys also each mode, for names each region.

    >>> counts("key", ["d", "d", "F", ""])
    {'d': 2, 'minor': 2, 'F': 1, 'major': 1}
    """
    stated = [value for value in values if value]
    modes = [MODES[mode_of(value)] for value in stated] if field == "key" else []
    found = Counter([*stated, *modes])
    if field == NAME:
        found = Counter({region: len(indices) for region, indices in _by_region(values).items()})
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def table(names: Sequence[str]) -> list[tuple[str, int, str, str]]:
    """Each region with its number of songs, language and place ("" if unknown), the largest first.

    A prefix that means the same songs as their folder is left out.

    >>> table(["asia/china/shanxi/shanx001"])[-1]
    ('shanxi', 1, 'Chinese', 'China, Shanxi')
    """
    known, by_region = _descriptions(), _by_region(names)
    folders = {folder for name in names for folder in name.lower().split("/")[:-1]}
    of_folders = [by_region[folder] for folder in folders]
    shown = [region for region, songs in by_region.items() if region in folders or songs not in of_folders]
    rows = [(region, len(by_region[region]), *known.get(region, ("", ""))) for region in shown]
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


def _by_region(names: Sequence[str]) -> dict[str, list[int]]:
    """The indices of the songs of each folder and prefix."""
    found: dict[str, list[int]] = {}
    for s, name in enumerate(names):
        for region in {*name.lower().split("/")[:-1], prefix(name)} - {""}:
            found.setdefault(region, []).append(s)
    return found


def _why_none(songs: Dataset, constraint: str) -> str:
    """Why no song meets a constraint."""
    for field, pattern in terms(constraint):
        if not any(_meets(value, field, pattern) for value in getattr(songs, field)):
            return _suggestions(songs, field, pattern)
    return "some songs meet each of its terms, but none meets all"


def _suggestions(songs: Dataset, field: str, pattern: str) -> str:
    """Values of a field, or regions, that are like a pattern which no song meets, and the command that lists all."""
    found = counts(field, getattr(songs, field))
    if not found and field != NAME:
        return f"no song states its {field}; docs/formats.md says which formats do"
    lower = {value.lower(): value for value in reversed(found)}
    wanted = pattern.lower().strip("*?")
    similar = [lower[value] for value in difflib.get_close_matches(wanted, lower, n=6, cutoff=0.5)]
    similar += [value for value in found if wanted in value.lower() and value not in similar]
    shown = ", ".join(f"{shlex.quote(value)} ({found[value]})" for value in (similar or [*found])[:6])
    shown = f"{'similar' if similar else 'the largest'}: {shown}"
    command = "python generate_memories.py --list"
    if field == NAME:
        fields = f" (fields are {', '.join(FIELDS)})" * ("=" in pattern)
        return f"{shown}{fields}; all: {command}"
    wider = f"{field}=*{wanted}*"
    count = len(members(songs, wider))
    return f"{shown}{f'; {shlex.quote(wider)} selects {count}' * (count > 0)}; all: {command} {field}"


def flag(constraints: Sequence[str] | None, name: str = "") -> str:
    """The flag that gives a command these constraints, or the `name` of songs that are not of the collection.

    >>> flag(["han", "asia/*"]), flag(None, "irish")
    ("--regions han 'asia/*'", '--name irish')
    """
    return shlex.join(["--name", name] if constraints is None else ["--regions", *constraints])


def file_name(constraints: Sequence[str]) -> str:
    """The file name for some constraints, whatever their order and case, and that of their terms; `all` for none.

    >>> file_name(["Han", "china"]), file_name(["genre=*Liebe*&key=d"])
    ('china+han', 'genre-liebe-key-d-72b6fc')
    """
    same = sorted({"&".join(_term(*term) for term in terms(constraint)) for constraint in constraints})
    plain = "+".join(re.sub(r"[^\w-]+", "-", constraint).strip("-") for constraint in same)
    encoded = plain.encode()  # a file name has at most 255 bytes, and a suffix will follow
    if plain == "+".join(same) and len(encoded) <= 100 and plain != ALL:
        return plain or ALL
    return f"{encoded[:80].decode(errors='ignore')}-{fingerprint(repr(same).encode())[:6]}"


def _term(field: str, pattern: str) -> str:
    return pattern if field == NAME else f"{field}={pattern}"


def load(path: Path) -> list[list[str]]:
    """The regions in a text file, one a line: its constraints as after --regions; after # a remark.

    Raises `UserError` for a line that is no region.
    """
    try:
        lines = [shlex.split(line, comments=True) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError as mistake:
        raise UserError(f"{path} is not a text file of regions ({mistake})") from None
    for wrong in (constraint for line in lines for constraint in line if not is_constraint(constraint)):
        raise UserError(f"{path}: {wrong!r} is not a region")
    if not any(lines):
        raise UserError(f"{path} has no regions; write one a line, such as: han shanxi")
    return [line for line in lines if line]
