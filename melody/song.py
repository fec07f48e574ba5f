"""A song: one melody with its durations, rests and phrases."""

from __future__ import annotations

from dataclasses import dataclass


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
    meter: str = ""  # 3/4; X where it is free
    chords: int = 0
    parts: int = 1
