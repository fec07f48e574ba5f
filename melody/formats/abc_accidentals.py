"""ABC -> ABC in C major, with each accidental written at its note.

music21 keeps an accidental for its own note only (unless the file starts with `%abc-2`), reads inline keys and
`+decorations+` as chords or notes, and knows no explicit accidentals in `K:`. The rules of the ABC standard 2.1
(sections 3.1.14, 4.2, 4.14, 11.3) are applied here, and what carries no notes is left out.
"""

from __future__ import annotations

import re

from melody.formats.limits import Unreadable
from melody.vocabulary import FIFTHS, STEPS

MODES = {"maj": 0, "ion": 0, "mix": -1, "dor": -2, "min": -3, "aeo": -3, "phr": -4, "loc": -5, "lyd": 1}  # fifths
ALTERATION = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
SIGNS = {alter: sign for sign, alter in ALTERATION.items()} | {0: ""}
PIPES = {"F": 1, "C": 1}  # what a Highland bagpipe sounds; K:HP leaves it unsaid, K:Hp writes it out
PROPAGATION = re.compile(r"^(?:%%|I:)[ \t]*propagate-accidentals[ \t]+(not|octave|pitch)", re.MULTILINE)
TOKEN = re.compile(
    r"""(?P<field>^[A-Za-z+]:(?![|:])[^\n]*)
    | \[(?P<inline>[A-Za-z]:[^]\n]*)\]
    | (?P<old_chord>\+[A-Ga-g^_=,'0-9/]+\+)
    | (?P<unsounded>"[^"\n]*" | ![^!\s|]+! | \+[^+\s|]+\+ | [H-Wh-w~.] | y[0-9]* | \((?![0-9]) | \))
    | (?P<bar>\[?:*\|[|:\]]*|::|\[(?=[0-9]))(?:\[(?="))?
    | (?P<microtone>[\^_][0-9]*/[0-9]*(?=[A-Ga-g]))
    | (?P<sign>\^\^|__|[\^_=])?(?P<letter>[A-Ga-g])(?P<octave>[,']*)
    | (?P<other>.)""",
    re.MULTILINE | re.VERBOSE | re.DOTALL,
)


def key_of(field: str) -> tuple[str, dict[str, int]]:
    """The key in kern's notation and the alterations of its signature, by letter.

    >>> key_of("Gm"), key_of("D exp ^f _b"), key_of("A mix =c ^g")
    (('g', {'B': -1, 'E': -1}), ('k[f#b-]', {'F': 1, 'B': -1}), ('k[f#g#]', {'F': 1, 'G': 1}))
    """
    named = re.match(r"([A-G])([#b]?)[ \t]*([A-Za-z]*)", field)
    if field.startswith(("HP", "Hp")):
        tonic, altered = "", dict(PIPES)
    elif not named:
        tonic, altered = "", {}
    else:
        letter, sign, mode = named.groups()
        mode = "min" if mode.lower() == "m" else mode.lower()[:3]
        sharps = FIFTHS[STEPS.index(letter)] + 7 * {"#": 1, "b": -1}.get(sign, 0) + MODES.get(mode, 0)
        altered = {} if mode == "exp" else _signature(sharps)
        tonic = letter + sign.replace("b", "-") if MODES.get(mode, 0) in (0, -3) and mode != "exp" else ""
        tonic = tonic.lower() if MODES.get(mode) == -3 else tonic
    for word in field.split():
        if re.fullmatch(r"((\^\^|__|[\^_=])[A-Ga-g])+", word):
            tonic = ""
            for sign, letter in re.findall(r"([\^_=]+)([A-Ga-g])", word):
                altered[letter.upper()] = ALTERATION[sign]
    altered = {letter: alter for letter, alter in altered.items() if alter}
    words = (letter.lower() + ("#" if alter > 0 else "-") * abs(alter) for letter, alter in altered.items())
    return tonic or f"k[{''.join(words)}]", altered


def _signature(sharps: int) -> dict[str, int]:
    if sharps >= 0:
        return dict.fromkeys("FCGDAEB"[:sharps], 1)
    return dict.fromkeys("BEADGCF"[:-sharps], -1)


class _Notes:
    """The alteration of each note of a tune, as its accidentals, ties and keys say."""

    def __init__(self, scope: str, altered: dict[str, int]):
        self.scope = scope  # an accidental holds until the bar line for: not (its note), octave, pitch (all octaves)
        self.first_key = altered
        self.keys: dict[str, dict[str, int]] = {}  # of each voice after a change of key
        self.voice = ""
        self.in_bar: dict[str, int] = {}
        self.last: dict[str, int] = {}  # the last note, or the notes of the last chord
        self.tied: dict[str, int] = {}
        self.in_chord = False

    def field(self, letter: str, text: str) -> None:
        if letter == "V":
            self.voice, self.in_bar = text.split()[0] if text.split() else "", {}
        elif letter == "K":
            self.keys[self.voice], self.in_bar = key_of(text)[1], {}

    def sign(self, letter: str) -> None:
        """What `other` signs mean: chords and ties."""
        if letter in "[]":
            self.in_chord = letter == "["
            self.last, self.tied = ({}, self.tied) if self.in_chord else (self.last, {})
        elif letter == "-":
            self.tied = dict(self.last)

    def is_slur(self, name: str) -> bool:
        """Whether the tie before this note leads from a note of another name."""
        return bool(self.tied) and not self.in_chord and name not in self.tied

    def alter(self, sign: str | None, letter: str, octave: str) -> int:
        name = letter + octave
        held = letter.upper() if self.scope == "pitch" else name
        if sign:
            alter = ALTERATION[sign]
            if self.scope != "not":
                self.in_bar[held] = alter
        else:
            signature = self.keys.get(self.voice, self.first_key)
            alter = self.tied.get(name, self.in_bar.get(held, signature.get(letter.upper(), 0)))
        if not self.in_chord:
            self.last, self.tied = {}, {}
        self.last[name] = alter
        return alter


def explicit(tune: str, scope: str = "pitch") -> tuple[str, str]:
    """The tune with all accidentals written out, and its key in kern's notation. Raises `Unreadable` for microtones.

    >>> explicit("X:1\\nK:D\\n^G F | G [K:C] f\\n")
    ('X:1\\nK:C\\n^G ^F  | G  f\\n', 'D')
    """
    directive = PROPAGATION.search(tune)
    tune = re.sub(r"(?<!\\)%.*$", "", tune, flags=re.MULTILINE)  # comments
    head, key_field, body = re.split(r"^K:(.*)$", tune, maxsplit=1, flags=re.MULTILINE)
    key, altered = key_of(key_field.strip())
    notes, written, tie = _Notes(directive[1] if directive else scope, altered), [], 0
    for token in TOKEN.finditer(body):
        if token["other"] == "-":
            tie = len(written)
        elif token["letter"] and notes.is_slur(token["letter"] + token["octave"]):
            written[tie] = ""
        written.append(_written(token, notes))
    body = re.sub(r"\n\s+", "\n", "".join(written))  # an empty line would end the tune
    return f"{head}K:C{body}", key


def _written(token: re.Match, notes: _Notes) -> str:
    """What a token of the tune becomes."""
    if token["microtone"]:
        raise Unreadable(f"it has microtones ({token['microtone']}), which no note name here can say")
    if token["letter"]:
        return SIGNS[notes.alter(token["sign"], token["letter"], token["octave"])] + token["letter"] + token["octave"]
    if token["field"] or token["inline"]:
        letter, _, text = (token["field"] or token["inline"]).partition(":")
        notes.field(letter, text.strip())
        field = f"{letter}:{text.strip()}" if letter in "LMV" else ""
        return f"\n{field}\n" if token["inline"] and field else field
    if token["old_chord"]:
        return _written_chord(token["old_chord"], notes)
    if token["bar"]:
        notes.in_bar = {}
    elif token["other"]:
        notes.sign(token["other"])
        return {"x": "z", "X": "Z"}.get(token["other"], token["other"])
    return f" {token['bar']}" if token["bar"] else ""  # music21 takes `G::` for a field


def _written_chord(chord: str, notes: _Notes) -> str:
    return "".join(_written(token, notes) for token in TOKEN.finditer(f"[{chord[1:-1]}]"))
