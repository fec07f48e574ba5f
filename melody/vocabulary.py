"""Spelled pitch <-> integer. C#4 and D-4 sound the same but are two notes: the spelling depends on the key."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from melody.atomic import load_json, write_json
from melody.errors import UserError
from melody.provenance import fingerprint

STEPS = "CDEFGAB"
SEMITONES = (0, 2, 4, 5, 7, 9, 11)  # above C, of each step
FIFTHS = (0, 2, 4, -1, 1, 3, 5)  # position of each step on the line of fifths, C = 0


class Spelling:
    """A note name as numbers: `step` (diatonic, C4 = 28), `midi` (C4 = 60) and `fifth` (line of fifths, C = 0)."""

    def __init__(self, name: str):
        match = re.fullmatch(r"([A-G])(#+|-+|)(\d+)", name)
        if not match:
            raise UserError(f"{name!r} is not a note name; names look like C4, F#5 or B-3")
        letter, accidentals, octave = match.groups()
        letter_index, alter = STEPS.index(letter), accidentals.count("#") - accidentals.count("-")
        self.name = name
        self.step = 7 * int(octave) + letter_index
        self.midi = 12 * (int(octave) + 1) + SEMITONES[letter_index] + alter
        self.fifth = FIFTHS[letter_index] + 7 * alter


def spelled(step: int, fifth: int) -> str:
    """The name of the note with this diatonic step and position on the line of fifths: `spelled(28, 7)` is C#4."""
    octave, letter_index = divmod(step, 7)
    alter = (fifth - FIFTHS[letter_index]) // 7
    return STEPS[letter_index] + ("#" * alter if alter > 0 else "-" * -alter) + str(octave)


class Vocabulary:
    """The notes that a network knows, from low to high; the integer of a note is its index.

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
        self.index = {name: note for note, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.names == other.names

    def encode(self, names: Iterable[str]) -> list[int]:
        """Note names to integers. Raises `UserError` for a note that is not in the vocabulary."""
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
        """Write the names as a JSON list, one per line."""
        write_json(path, self.names)

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read the list that `save` wrote. Raises `UserError` if it is missing or damaged."""
        names = load_json(path, "python preprocess.py", list)
        if not all(isinstance(name, str) for name in names):
            raise UserError(f"{path} is damaged: it is not a list of notes; make it again with: python preprocess.py")
        return cls(names)


# The 76 notes of the Essen Folksong Collection: the vocabulary of both editions and of the shipped weights, also when
# only a part of the collection is read.
ESSEN_NAMES = {
    2: "A B- B",
    3: "C C# D D# E- E F F# G G# A- A A# B- B B#",
    4: "C- C C# D- D D# E- E F- E# F F# G- G G# A- A A# B- B B#",
    5: "C- C C# D- D D# E- E F- E# F F# G- G G# A- A A# B- B B#",
    6: "C C# D- D D# E- E F F# G G# A B- B",
    7: "C",
}
ESSEN = Vocabulary(f"{name}{octave}" for octave, names in ESSEN_NAMES.items() for name in names.split())
