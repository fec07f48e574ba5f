"""Spelled pitches, rhythms and openings <-> integers.

C#4 and D-4 sound the same but are two notes: the spelling depends on the key.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path

from melody.atomic import load_json, write_json
from melody.automaton import BarAutomaton, step
from melody.errors import UserError
from melody.meter import FREE, Opening, Rhythm, bar_length, first_beat
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


@dataclass(frozen=True)
class RhythmVocabulary:
    """The rhythms and openings that a network knows, the commonest of the training songs first; see `melody.rhythms`.

    One index more stands for any other rhythm, opening, time signature or beat position. Empty: pitches alone.
    """

    rhythms: list[Rhythm] = field(default_factory=list)
    openings: dict[Opening, int] = field(default_factory=dict)  # and the number of training songs
    transitions: dict[str, dict[Fraction, list[int]]] = field(default_factory=dict)  # see `BarAutomaton`
    endings: dict[Opening, list[Fraction]] = field(default_factory=dict)

    @cached_property
    def signatures(self) -> list[str]:
        """The time signatures of the openings, sorted."""
        return sorted({opening.time_signature for opening in self.openings})

    @cached_property
    def beats(self) -> list[Fraction]:
        """The beat positions at which notes of the training songs end, sorted."""
        first = {first_beat(opening) for opening in self.openings}
        return sorted(first.union(*self.transitions.values(), *self.endings.values()))

    @cached_property
    def automaton(self) -> BarAutomaton:
        return BarAutomaton(self.rhythms, list(self.openings), self.transitions, self.endings)

    def beat_positions(self, opening: Opening, rhythms: Iterable[Rhythm]) -> list[Fraction]:
        """The beat position before each rhythm and after the last one, (rhythms + 1,) quarter notes."""
        beats = [first_beat(opening)]
        for rhythm in rhythms:
            beats.append(step(opening.time_signature, beats[-1], rhythm))
        return beats

    def record(self) -> dict:
        """As texts and integers, for JSON."""
        return {
            "rhythms": [_text(rhythm) for rhythm in self.rhythms],
            "openings": {_text(opening): songs for opening, songs in self.openings.items()},
            "transitions": {
                signature: {str(beat): list(found) for beat, found in beats.items()}
                for signature, beats in self.transitions.items()
            },
            "endings": {_text(opening): [str(beat) for beat in beats] for opening, beats in self.endings.items()},
        }

    @classmethod
    def parse(cls, record: dict) -> "RhythmVocabulary":
        """The inverse of `record`. Raises one of several exceptions if it is damaged; see `Vocabulary.parse`."""
        rhythms = [Rhythm(*map(_time, text.split())) for text in record["rhythms"]]
        openings = {_opening(text): int(songs) for text, songs in record["openings"].items()}
        transitions = {
            signature: {_time(beat): [range(len(rhythms))[index] for index in found] for beat, found in beats.items()}
            for signature, beats in record["transitions"].items()
        }
        endings = {_opening(text): [_time(beat) for beat in beats] for text, beats in record["endings"].items()}
        return cls(rhythms, openings, transitions, endings)


def _text(values: Iterable) -> str:
    return " ".join(map(str, values))


def _opening(text: str) -> Opening:
    signature, pickup = text.split()
    opening = Opening(signature, _time(pickup))
    if not 0 <= opening.pickup < (bar_length(signature) or (signature == FREE)):
        raise ValueError(f"{text[:20]!r} is not a time signature and a pickup")
    return opening


def _time(text: str) -> Fraction:
    """A time in quarter notes, as `str` of a `Fraction` writes it: with an exponent it could fill the memory."""
    if not re.fullmatch(r"\d{1,9}(/[1-9]\d{0,8})?", text):
        raise ValueError(f"{text[:20]!r} is not a time in quarter notes")
    return Fraction(text)


class Vocabulary:
    """The notes that a network knows, from low to high; the integer of a note is its index. And its rhythms.

    >>> vocabulary = Vocabulary(["C4", "C#4", "D-4"])
    >>> vocabulary.encode(["D-4", "C4"])
    [2, 0]
    """

    def __init__(self, names: Iterable[str], rhythm: RhythmVocabulary | None = None):
        self.rhythm = rhythm or RhythmVocabulary()
        self.spellings = sorted((Spelling(name) for name in set(names)), key=lambda note: (note.midi, note.step))
        self.names = [note.name for note in self.spellings]
        self.midi = [note.midi for note in self.spellings]
        self.step = [note.step for note in self.spellings]
        self.fifth = [note.fifth for note in self.spellings]
        self.index = {name: note for note, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.record() == other.record()

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
        pitches = f"{len(self)} notes, {self.names[0]} to {self.names[-1]}" if self.names else "no notes"
        rhythm = self.rhythm
        if not rhythm.rhythms:
            return pitches
        return f"{pitches}; {len(rhythm.rhythms)} rhythms; {len(rhythm.openings)} openings"

    @property
    def fingerprint(self) -> str:
        return fingerprint(json.dumps(self.record()).encode())

    def record(self) -> dict:
        """As texts and integers, for JSON."""
        return {"pitches": self.names} | (self.rhythm.record() if self.rhythm.rhythms else {})

    @classmethod
    def parse(cls, record: dict) -> "Vocabulary":
        """The inverse of `record`. Raises `ValueError` if it is damaged."""
        try:
            rhythm = RhythmVocabulary.parse(record) if "rhythms" in record else None
            return cls(map(str, record["pitches"]), rhythm)
        except (LookupError, TypeError, AttributeError, ArithmeticError, UserError) as reason:
            raise ValueError(f"not a vocabulary: {reason}") from None

    def save(self, path: Path) -> None:
        """Write the record as JSON."""
        write_json(path, self.record())

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read what `save` wrote. Raises `UserError` if it is missing or damaged."""
        record = load_json(path, "python preprocess.py")
        try:
            return cls.parse(record)
        except ValueError as reason:
            raise UserError(f"{path} is damaged ({reason}); make it again with: python preprocess.py") from None


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
