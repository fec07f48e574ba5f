"""The key signature of a song: that of its source, or the best fit to its notes."""

import re
from collections.abc import Mapping, Sequence

from melody.vocabulary import FIFTHS, STEPS, Spelling

MAJOR_KEYS = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")  # 7 flats to 7 sharps
MAJOR_SPAN = (-1, 5)  # the seven notes of C major on the line of fifths: F C G D A E B


def signature(key: str, pitch: Sequence[str]) -> int:
    """Sharps of the key signature (flats negative, -7 to 7): stated by `key`, else the best fit to the notes.

    >>> signature("G major", []), signature("c", []), signature("", ["B-4", "E-4", "F4"])
    (1, -3, -2)
    """
    sharps = stated(key)
    return best_fitting(pitch) if sharps is None else sharps


def alterations(sharps: int) -> dict[str, int]:
    """How a key signature (flats negative) alters letters: -2 is `{"B": -1, "E": -1}`; 8 sharps raise F twice."""
    letters, alter = ("FCGDAEB", 1) if sharps > 0 else ("BEADGCF", -1)
    return {letter: alter * ((abs(sharps) + 6 - i) // 7) for i, letter in enumerate(letters[: abs(sharps)])}


def kern_signature(altered: Mapping[str, int]) -> str:
    """The key signature in kern: `k[b-e-]` for `{"B": -1, "E": -1}`."""
    notes = (letter.lower() + ("#" if alter > 0 else "-") * abs(alter) for letter, alter in altered.items())
    return f"k[{''.join(notes)}]"


def stated(key: str) -> int | None:
    """Sharps that a key states, or None: `G major`, `B- minor`, `g` (a small letter is minor), `*k[f#]`, `2`."""
    key = key.strip().lstrip("*")
    listed = re.fullmatch(r"k\[((?:[a-g][#n-]?)*)\]", key)
    if listed:
        sharps = listed[1].count("#") - listed[1].count("-")
    elif re.fullmatch(r"[+-]?\d", key):
        sharps = int(key)
    else:
        named = re.fullmatch(r"([A-Ga-g])([#b♯♭-]?)(m?):?\s*(?:(maj|min)\w*)?", key)
        if not named:
            return None
        letter, accidental, small_m, mode = named.groups()
        minor = mode == "min" or (not mode and (letter.islower() or bool(small_m)))
        alter = {"": 0, "#": 1, "♯": 1}.get(accidental, -1)
        sharps = FIFTHS[STEPS.index(letter.upper())] + 7 * alter - 3 * minor
    return sharps if -7 <= sharps <= 7 else None


def best_fitting(pitch: Sequence[str]) -> int:
    """Sharps of the signature that needs the fewest accidentals for these notes.

    A pentatonic song fits three signatures equally well: the one with the fewest sharps or flats is returned.
    """
    fifths = [Spelling(name).fifth for name in pitch]
    low, high = MAJOR_SPAN

    def cost(sharps: int) -> tuple[int, int, int]:
        accidentals = sum(not low <= fifth - sharps <= high for fifth in fifths)
        return accidentals, abs(sharps), -sharps

    return min(range(-7, 8), key=cost)
