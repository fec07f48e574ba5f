"""Which song belongs to which region, told by names such as `asia/china/han/han0001`."""

from __future__ import annotations

import difflib
import fnmatch
import re
import shlex
from collections import Counter
from collections.abc import Sequence

from melody.errors import UserError
from melody.provenance import fingerprint

ALL = "all"  # the file name that stands for no constraint: every song
FEW = 20  # songs; a region with fewer is hardly a manner


def prefix(name: str) -> str:
    """The letters a song's file name begins with, its collection: `asia/china/han/han0001` gives `han`."""
    return re.match(r"[^\W\d_]*", name.rsplit("/", 1)[-1]).group().lower()


def matches(name: str, constraint: str) -> bool:
    """Whether a song answers a constraint: a folder of its name, its prefix, or a pattern over the whole name.

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
    """The places of the songs that answer any of the constraints; none: all songs.

    Raises `Problem` with the nearest names and their counts for a constraint that no song answers.
    """
    chosen: set[int] = set() if constraints else set(range(len(names)))
    for constraint in constraints:
        found = [s for s, name in enumerate(names) if matches(name, constraint)]
        if not found:
            raise UserError(f"no song answers the region {constraint!r}; {_suggestions(names, constraint)}")
        chosen.update(found)
    return sorted(chosen)


def counts(names: Sequence[str]) -> Counter:
    """How many songs each plain constraint (folder or prefix) answers."""
    return Counter(word for name in names for word in {*name.lower().split("/")[:-1], prefix(name)} if word)


def region_ids(names: Sequence[str], known: Sequence[str]) -> list[int]:
    """The index of each song's prefix in `known`, counted from 1; 0 if it is not in there.

    >>> region_ids(["asia/china/han/han0001", "europa/italia/italia01"], ["deut", "han"])
    [2, 0]
    """
    ids = {word: number for number, word in enumerate(known, start=1)}
    return [ids.get(prefix(name), 0) for name in names]


def _suggestions(names: Sequence[str], constraint: str) -> str:
    known = counts(names)
    near = difflib.get_close_matches(constraint.lower(), known, n=6, cutoff=0.5)
    near += [word for word, _ in known.most_common() if constraint.lower() in word and word not in near]
    shown = near[:6] or [word for word, _ in known.most_common(6)]
    return ("nearest: " if near else "there are: ") + ", ".join(f"{word} ({known[word]})" for word in shown)


def flag(constraints: Sequence[str]) -> str:
    """How a command is told several constraints.

    >>> flag(["han", "asia/*"])
    "--regions han 'asia/*'"
    """
    return shlex.join(["--regions", *constraints])


def file_name(constraints: Sequence[str]) -> str:
    """One file name for several constraints, whatever their order and case; `all` for none.

    >>> file_name(["Han", "china"])
    'china+han'
    """
    words = sorted({constraint.lower() for constraint in constraints})
    plain = "+".join(re.sub(r"[^\w-]+", "-", word).strip("-") for word in words)
    letters = plain.encode()  # a file's name has at most 255 bytes, and these are not all of it
    if plain == "+".join(words) and len(letters) <= 100 and plain != ALL:
        return plain or ALL
    return f"{letters[:80].decode(errors='ignore')}-{fingerprint(repr(words).encode())[:6]}"
