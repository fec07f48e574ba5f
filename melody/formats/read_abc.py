"""ABC tune books -> notes. Each tune is parsed separately, so that a damaged one does not affect the others."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from unittest.mock import patch

from music21.meter import TimeSignature, bestTimeSignature
from music21.stream import Measure

from melody.formats import music21_score
from melody.formats.abc_accidentals import PROPAGATION, explicit
from melody.formats.limits import Unreadable, reading_limits
from melody.song import Song

INHERITED = re.compile(r"^[LMOQ]:.*$", re.MULTILINE)  # fields in the head of a book that apply to all tunes
DEFAULT_LENGTH = "L:1/8"  # of a tune with neither note length nor meter; ABC standard 2.1, section 3.1.7
LONGEST = 200_000  # characters of a tune; music21 takes half a minute for these
METER = re.compile(r"^M:[ \t]*(?:FREI)?[ \t]*\(?([^/\n]*?)\)?[ \t]*/", re.MULTILINE)
MOST_BEATS = 99  # in a bar; music21 takes a minute for some thousands
FIELDS = {"title": "T", "area": "O"}
LONGEST_GUESS, FINEST_GUESS = 32, Fraction(1, 64)  # quarter notes that music21 guesses a time signature for


def read(content: bytes, name: str, part: int = 0, parts: int = 1) -> list[Song | Unreadable]:
    """The tunes of a book, or of one of its equal `parts`, named by number (`X:`); for a damaged one, the reason.

    `irish/book` has the tunes `irish/book/book#1`, `irish/book/book#2` …; a single tune has the name of its file.
    """
    tunes = list(split(_decoded(content)).items())
    if not tunes:
        raise Unreadable("not an ABC file: no tune with a key (K:)")
    if len(tunes) == 1:
        return [_tune(text, name) for _, text in tunes[part:1]]
    found: list[Song | Unreadable] = []
    for number, text in tunes[part * len(tunes) // parts : (part + 1) * len(tunes) // parts]:
        try:
            with reading_limits():
                found.append(_tune(text, f"{name}/{name.rsplit('/', 1)[-1]}#{number}"))
        except Unreadable as reason:
            found.append(Unreadable(str(reason), number))
    return found


def split(book: str) -> dict[str, str]:
    """The tunes by number, each with the fields in the head of the book. A repeated number becomes `3.2`.

    A tune ends at the first empty line; the text from there to the next `X:` is ignored.
    """
    head, *rest = re.split(r"^(?=X:)", book, flags=re.MULTILINE)
    if not rest:
        head, rest = "", [head]
    directives = [found[0] for found in PROPAGATION.finditer(head)]
    inherited, seen, tunes = "\n".join(directives + INHERITED.findall(head)), Counter(), {}
    for text in rest:
        tune = re.split(r"\n[ \t]*\n", text.strip())[0]
        first, _, others = tune.partition("\n")
        if not re.search(r"^K:", tune, re.MULTILINE):
            continue
        number = first.removeprefix("X:").partition("%")[0].strip() if first.startswith("X:") else "1"
        number = "".join(filter(str.isprintable, number))[:40]
        seen[number] += 1
        key = number if seen[number] == 1 else f"{number}.{seen[number]}"
        length = "" if re.search(r"^(L:|M:[ \t]*[\dC])", f"{inherited}\n{tune}", re.MULTILINE) else DEFAULT_LENGTH
        tunes[key] = "\n".join(part for part in (first, inherited, length, others) if part) + "\n"
    return tunes


def _tune(text: str, name: str) -> Song:
    if len(text) > LONGEST:
        raise Unreadable(f"a tune of more than {LONGEST:,} characters")
    about = {}
    for field, letter in FIELDS.items():
        line = re.search(rf"^{letter}:[ \t]*((?:\\[\\%]|[^%\n])*?)[ \t]*(?:%.*)?$", text, re.MULTILINE)
        about[field] = re.sub(r"\\([\\%])", r"\1", line[1]) if line else ""
    text, about["key"] = explicit(text)
    text = METER.sub(_plain_meter, text)
    text = re.sub(r"\|\]\s*$", "|", text)  # music21 finds bars only where there are two plain bar lines
    one_meter = len(set(re.findall(r"^M:.*", text, re.MULTILINE))) == 1
    with patch.object(Measure, "bestTimeSignature", _guess):
        return music21_score.read(text, "abc", name, one_meter, **about)


def _guess(measure: Measure) -> TimeSignature:
    """The time signature of what is too much for a bar, as music21 guesses it.

    For some lengths the guess takes all memory or minutes; these get one that does not fit, and are read as free.
    """
    length = Fraction(measure.highestTime)
    if length > LONGEST_GUESS or (length / FINEST_GUESS).denominator > 1:
        return TimeSignature("4/4")
    return bestTimeSignature(measure)


def _plain_meter(field: re.Match) -> str:
    """`M:2+2+3/` as `M:7/`: music21 reads 223 beats. Raises `Unreadable` if that is no number of beats."""
    numbers = [part.strip() for part in field[1].split("+")]
    if not all(map(str.isdecimal, numbers)) or not 0 < sum(map(int, numbers)) <= MOST_BEATS:
        raise Unreadable(f"its meter is {field[1].strip()[:20]!r} beats; 1 to {MOST_BEATS} are read")
    return f"M:{sum(map(int, numbers))}/"


def _decoded(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")
