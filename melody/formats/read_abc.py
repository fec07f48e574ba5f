"""ABC tune books -> notes. Each tune is parsed alone, so that a broken one leaves the others whole."""

from __future__ import annotations

import re
from collections import Counter

from melody.formats import music21_score
from melody.formats.abc_accidentals import PROPAGATION, explicit
from melody.formats.limits import Unreadable, reading_limits
from melody.song import Song

INHERITED = re.compile(r"^[LMOQ]:.*$", re.MULTILINE)  # fields that a book may set for all its tunes
UNSAID_LENGTH = "L:1/8"  # of a note in a tune that says neither length nor meter; ABC standard 2.1, section 3.1.7
LONGEST = 200_000  # letters of a tune; music21 takes half a minute for as many
FIELDS = {"title": "T", "area": "O"}


def read(content: bytes, name: str, part: int = 0, parts: int = 1) -> list[Song | Unreadable]:
    """The tunes of a book, or of one of its equal `parts`, named by their numbers (`X:`); the reason for a broken one.

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
    """The tunes by number, each with the fields set at the head of the book. A number met again becomes `3.2`.

    A tune ends at the first empty line; what follows up to the next `X:` is words.
    """
    head, *rest = re.split(r"^(?=X:)", book, flags=re.MULTILINE)
    if not rest:
        head, rest = "", [head]
    directives = [found[0] for found in PROPAGATION.finditer(head)]
    inherited, met, tunes = "\n".join(directives + INHERITED.findall(head)), Counter(), {}
    for text in rest:
        tune = re.split(r"\n[ \t]*\n", text.strip())[0]
        first, _, others = tune.partition("\n")
        if not re.search(r"^K:", tune, re.MULTILINE):
            continue
        number = first.removeprefix("X:").partition("%")[0].strip() if first.startswith("X:") else "1"
        number = "".join(filter(str.isprintable, number))[:40]
        met[number] += 1
        key = number if met[number] == 1 else f"{number}.{met[number]}"
        length = "" if re.search(r"^(L:|M:[ \t]*[\dC])", f"{inherited}\n{tune}", re.MULTILINE) else UNSAID_LENGTH
        tunes[key] = "\n".join(part for part in (first, inherited, length, others) if part) + "\n"
    return tunes


def _tune(text: str, name: str) -> Song:
    if len(text) > LONGEST:
        raise Unreadable(f"a tune of more than {LONGEST:,} letters")
    words = {}
    for what, letter in FIELDS.items():
        field = re.search(rf"^{letter}:[ \t]*(.*?)[ \t]*(?:%.*)?$", text, re.MULTILINE)
        words[what] = field[1] if field else ""
    text, words["key"] = explicit(text)
    return music21_score.read(text, "abc", name, **words)


def _decoded(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")
