"""Vocabularies that no preprocess.py has written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

TIMES = ("0 0", "0 -1", "0 1e999999999", "0 1/1000000007", "1e9 1", "x", "0", "0 nan", "0 1/0", "0 9999999999999", "")
NUMBERS = (None, "x", -1, 0, 1e308, 10**400, [], {}, True, float("nan"))


def vocabularies() -> Iterator[tuple[str, Callable[[dict], object]]]:
    """By name: changes of a vocabulary that leave its sizes as they are."""
    for text in TIMES:
        yield f"the rhythm {text!r}", lambda known, text=text: known["rhythms"].__setitem__(0, text)
    for text in ("4/4 1e999999999", "4/4 9", "999/1 0", "x/y 0", "4/4 1/7", "4/4", "0/4 0", "4/4 -1"):
        yield f"the opening {text!r}", lambda known, text=text: known.update(openings=renamed(known["openings"], text))
    for value in NUMBERS:
        counts = lambda known, value=value: known.update(openings=dict.fromkeys(known["openings"], value))  # noqa: E731
        yield f"openings of {str(value)[:9]} songs", counts
        for name in ("pitches", "rhythms", "openings", "transitions", "endings"):
            yield f"{name} {str(value)[:9]}", lambda known, name=name, value=value: known.update({name: value})
    for pitch in ("C-1", "C9999999999", "Q4", "C4" * 99, 5, "", "G##9", "C" + "#" * 99 + "4"):
        yield f"the pitch {str(pitch)[:20]!r}", lambda known, pitch=pitch: known["pitches"].__setitem__(0, pitch)
    for beats in (
        {},
        {"4/4": {}},
        {"4/4": {"0": [0]}},
        {"4/4": {"1e999999999": [0]}},
        {"4/4": {"0": [1e9]}},
        {"4/4": 7},
    ):
        yield f"transitions {beats}", lambda known, beats=beats: known.update(transitions=beats)
    for ends in ({}, {"4/4 0": []}, {"4/4 0": ["1/7"]}, {"4/4 0": "0"}, {"4/4 0": [None]}, {"4/4 0": ["1e999999999"]}):
        yield f"endings {ends}", lambda known, ends=ends: known.update(endings=ends)
    yield "deep", lambda known: known.update(transitions={"4/4": {"0": json.loads("[" * 500 + "]" * 500)}})


def renamed(values: dict, first: str) -> dict:
    return {first: next(iter(values.values())), **dict(list(values.items())[1:])}


def with_vocabulary(path: Path, change: Callable[[dict], object]) -> bytes:
    """A record, or a vocabulary, with the vocabulary changed."""
    record = json.loads(path.read_text())
    change(record.get("vocabulary", record))
    return json.dumps(record).encode()
