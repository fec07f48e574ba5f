"""Spelled pitch <-> integer. C#4 and D-4 sound alike and are two notes: the spelling tells the key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from melody.atomic import load_json, write_json
from melody.errors import UserError
from melody.provenance import fingerprint

STEPS = "CDEFGAB"
SEMITONES = (0, 2, 4, 5, 7, 9, 11)  # of the steps above C
FIFTHS = (0, 2, 4, -1, 1, 3, 5)  # of the steps on the line of fifths, C = 0


class Spelling:
    """What a name says: `step` (diatonic, C4 = 28), `midi` (number, C4 = 60), `fifth` (line of fifths, C = 0)."""

    def __init__(self, name: str):
        match = re.fullmatch(r"([A-G])(#+|-+|)(\d+)", name)
        if not match:
            raise UserError(f"{name!r} is no note name; names look like C4, F#5 or B-3")
        letter, accidentals, octave = match.groups()
        place, alter = STEPS.index(letter), accidentals.count("#") - accidentals.count("-")
        self.name = name
        self.step = 7 * int(octave) + place
        self.midi = 12 * (int(octave) + 1) + SEMITONES[place] + alter
        self.fifth = FIFTHS[place] + 7 * alter


def spelled(step: int, fifth: int) -> str:
    """The name of the note at a diatonic `step` with this place on the line of fifths: `spelled(28, 7)` is C#4."""
    octave, place = divmod(step, 7)
    alter = (fifth - FIFTHS[place]) // 7
    return STEPS[place] + ("#" * alter if alter > 0 else "-" * -alter) + str(octave)


class Vocabulary:
    """The notes a network knows, from low to high; a note's place is its integer.

    >>> vocabulary = Vocabulary(["C4", "C#4", "D-4"])
    >>> vocabulary.encode(["D-4", "C4"])
    [2, 0]
    """

    def __init__(self, names: Iterable[str]):
        self.spellings = sorted((Spelling(name) for name in set(names)), key=lambda note: (note.midi, note.step))
        self.names = [note.name for note in self.spellings]
        self.midi = [note.midi for note in self.spellings]
        self.step = [note.step for note in self.spellings]
        self.fifth = [note.fifth for note in self.spellings]
        self.index = {name: place for place, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.names == other.names

    def encode(self, names: Iterable[str]) -> list[int]:
        """Note names to integers. Raises `Problem` for a note that is not in the vocabulary."""
        try:
            return [self.index[name] for name in names]
        except KeyError as missing:
            raise UserError(f"the note {missing.args[0]} is not in the vocabulary ({self})") from None

    def decode(self, notes: Sequence[int]) -> list[str]:
        """Integers to note names."""
        return [self.names[note] for note in notes]

    def __str__(self) -> str:
        return f"{len(self)} notes, {self.names[0]} to {self.names[-1]}" if self.names else "no notes"

    @property
    def fingerprint(self) -> str:
        return fingerprint("\n".join(self.names).encode())

    def save(self, path: Path) -> None:
        """Write the names as a JSON list, one a line."""
        write_json(path, self.names)

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read the list that `save` wrote. Raises `Problem` when it is missing or none."""
        names = load_json(path, "python preprocess.py", list)
        if not all(isinstance(name, str) for name in names):
            raise UserError(f"{path} is no list of notes; make it again with: python preprocess.py")
        return cls(names)


# The 76 notes of the Essen Folksong Collection: the vocabulary of both its editions, whatever part of it is given,
# and of the weights that come with this project.
ESSEN_NAMES = {
    2: "A B- B",
    3: "C C# D D# E- E F F# G G# A- A A# B- B B#",
    4: "C- C C# D- D D# E- E F- E# F F# G- G G# A- A A# B- B B#",
    5: "C- C C# D- D D# E- E F- E# F F# G- G G# A- A A# B- B B#",
    6: "C C# D- D D# E- E F F# G G# A B- B",
    7: "C",
}
ESSEN = Vocabulary(f"{name}{octave}" for octave, names in ESSEN_NAMES.items() for name in names.split())
