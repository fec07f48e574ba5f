"""Which composed songs are kept: those in the key, range and length that were asked for, and that copy no other song.

Each function takes a song and returns it, transposed where that helps, and what it misses: "" if nothing.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

from melody.errors import UserError
from melody.key import KEYS, fitted, transposed
from melody.song import Song
from melody.vocabulary import Spelling

Check = Callable[[Song], tuple[Song, str]]


def in_key(key: str) -> Check:
    """Transposes a song to a key. One in the other mode misses it, and is transposed to that mode on the same tonic."""

    def check(song: Song) -> tuple[Song, str]:
        for target in (key, key.swapcase()):
            if target in KEYS:
                with suppress(UserError):
                    moved = transposed(song, target)
                    return moved, "" if target == key else _other_mode(key)
        return song, _other_mode(key)

    return check


def in_range(lowest: str, highest: str, same_key: bool = False) -> Check:
    """Transposes a song by as few semitones as possible until all notes lie within a range; with `same_key` by octaves
    alone. A song of a wider range misses it."""
    low, high = Spelling(lowest).midi, Spelling(highest).midi

    def check(song: Song) -> tuple[Song, str]:
        found = fitted(song, lambda note: low <= Spelling(note).midi <= high, octaves_alone=same_key)
        return (song, f"beyond {lowest} to {highest}") if found is None else (found[0], "")

    return check


def at_least(notes: int) -> Check:
    return lambda song: (song, "" if len(song.pitch) >= notes else f"fewer than {notes} notes")


def checked(song: Song, checks: Sequence[Check]) -> tuple[Song, list[str]]:
    """The song after all checks, and what it misses."""
    missed = []
    for check in checks:
        song, reason = check(song)
        missed += [reason] * bool(reason)
    return song, missed


def _other_mode(key: str) -> str:
    return f"not in {'minor' if key.islower() else 'major'}"
