"""ABC -> ABC in C major, with an accidental written at every altered note.

music21 applies an accidental to its own note only (unless the file starts with `%abc-2`), reads inline keys and
`+decorations+` as chords or notes, and ignores explicit accidentals in `K:`. This module applies the rules of the ABC
standard 2.1 (sections 3.1.14, 4.2, 4.14, 11.3) and removes what has no pitch or duration.
"""

from __future__ import annotations

import re

from melody.formats.limits import Unreadable
from melody.key import alterations, kern_signature
from melody.vocabulary import FIFTHS, STEPS

MODES = {"maj": 0, "ion": 0, "mix": -1, "dor": -2, "min": -3, "aeo": -3, "phr": -4, "loc": -5, "lyd": 1}  # fifths
ALTERATION = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
SIGNS = {alter: sign for sign, alter in ALTERATION.items()} | {0: ""}
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


def explicit(tune: str, scope: str = "pitch") -> tuple[str, str]:
    """The tune with all accidentals written out, and its key in kern. Raises `Unreadable` for microtones.

    An accidental holds to the bar line: in all octaves (`scope` pitch), its octave, or not beyond its note (not).

    >>> explicit("X:1\\nK:D\\n^G F | G [K:C] f\\n")
    ('X:1\\nK:C\\n^G ^F  | G  f\\n', 'D')
    """
    directive = PROPAGATION.search(tune)
    tune = re.sub(r"(?<!\\)%.*$", "", tune, flags=re.MULTILINE)  # comments
    head, key_field, body = re.split(r"^K:(.*)$", tune, maxsplit=1, flags=re.MULTILINE)
    key, altered = key_of(key_field.strip())
    writer = _Writer(directive[1] if directive else scope, altered)
    for token in TOKEN.finditer(body):
        writer.written.append(writer.write(token))
    body = re.sub(r"\n\s+", "\n", "".join(writer.written))  # an empty line would end the tune
    return f"{head}K:C{body}", key


def key_of(field: str) -> tuple[str, dict[str, int]]:
    """The key in kern, and what its signature does to each letter.

    >>> key_of("Gm"), key_of("D exp ^f _b"), key_of("A mix =c ^g")
    (('g', {'B': -1, 'E': -1}), ('k[f#b-]', {'F': 1, 'B': -1}), ('k[f#g#]', {'F': 1, 'G': 1}))
    """
    tonic, altered = "", alterations(2) if field.startswith(("HP", "Hp")) else {}  # Highland pipes
    named = re.match(r"([A-G])([#b]?)[ \t]*([A-Za-z]*)", field)
    if named:
        letter, sign, mode = named.groups()
        mode = "min" if mode.lower() == "m" else mode.lower()[:3]
        if mode != "exp":
            fifths = MODES.get(mode, 0)
            altered = alterations(FIFTHS[STEPS.index(letter)] + 7 * {"#": 1, "b": -1}.get(sign, 0) + fifths)
            tonic = letter + sign.replace("b", "-") if fifths in (0, -3) else ""
            tonic = tonic.lower() if fifths == -3 else tonic
    for word in field.split():
        if re.fullmatch(r"((\^\^|__|[\^_=])[A-Ga-g])+", word):
            tonic = ""
            altered |= {letter.upper(): ALTERATION[sign] for sign, letter in re.findall(r"([\^_=]+)([A-Ga-g])", word)}
    altered = {letter: alter for letter, alter in altered.items() if alter}
    return tonic or kern_signature(altered), altered


class _Writer:
    """Writes the tokens of a tune in order and tracks the accidentals, ties and keys that apply."""

    def __init__(self, scope: str, altered: dict[str, int]):
        self.scope = scope
        self.first_key = altered
        self.keys: dict[str, dict[str, int]] = {}  # of each voice after a change of key
        self.voice = ""
        self.in_bar: dict[str, int] = {}  # alterations since the bar line
        self.last: dict[str, int] = {}  # alterations of the last note or chord
        self.tied: dict[str, int] = {}  # alterations that a tie carries to the next note or chord
        self.in_chord = False
        self.written: list[str] = []
        self.tie = 0  # index in `written` of the last tie

    def write(self, token: re.Match) -> str:
        """The text that replaces a token."""
        if token["microtone"]:
            raise Unreadable(f"it has microtones ({token['microtone']}), which have no note name here")
        if token["letter"]:
            return self._note(token["sign"], token["letter"], token["letter"] + token["octave"])
        if token["field"] or token["inline"]:
            return self._field(*(token["field"] or token["inline"]).split(":", 1), inline=bool(token["inline"]))
        if token["old_chord"]:
            return "".join(map(self.write, TOKEN.finditer(f"[{token['old_chord'][1:-1]}]")))
        if token["bar"]:
            self.in_bar = {}
            return f" {token['bar']}"  # music21 reads `G::` as a field
        sign = token["other"] or ""
        if sign == "[":
            self.in_chord, self.last = True, {}
        elif sign == "]":
            self.in_chord, self.tied = False, {}
        elif sign == "-":
            self.tied, self.tie = dict(self.last), len(self.written)
        return "" if sign in ALTERATION else {"x": "z", "X": "Z"}.get(sign, sign)  # a sign without a note is a mistake

    def _field(self, letter: str, text: str, inline: bool) -> str:
        text = text.strip()
        if letter == "V":
            self.voice, self.in_bar = (text.split() or [""])[0], {}
        elif letter == "K":
            self.keys[self.voice], self.in_bar = key_of(text)[1], {}
        field = f"{letter}:{text}" if letter in "LMV" else ""
        field += f"\n{field}" if letter == "M" else ""  # music21 ignores a single field after a bar line
        return f"\n{field}\n" if inline and field else field

    def _note(self, sign: str | None, letter: str, name: str) -> str:
        if self.tied and not self.in_chord and name not in self.tied:
            self.written[self.tie] = ""  # a tie to another note is a slur
        key = letter.upper() if self.scope == "pitch" else name
        if sign:
            alter = ALTERATION[sign]
            if self.scope != "not":
                self.in_bar[key] = alter
        else:
            signature = self.keys.get(self.voice, self.first_key)
            alter = self.tied.get(name, self.in_bar.get(key, signature.get(letter.upper(), 0)))
        if not self.in_chord:
            self.last, self.tied = {}, {}
        self.last[name] = alter
        return SIGNS[alter] + name
