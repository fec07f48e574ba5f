"""The settings of a request, as they stand in the address of the page: what is asked of the songs, and what is not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, urlencode

from melody.errors import UserError
from melody.meter import FREE
from melody.provenance import fingerprint

MOST_SONGS = 32  # in a request
MOST_NOTES = 500  # in a composed song
LONGEST = 8_000  # characters of the settings
DEEPEST = 4  # a song that is varied may itself vary another, and so on
VALUES = "key temperature guidance length seed count number tempo instrument distance min-length max-copy".split()
LISTS = "meter at range".split()  # values with spaces between them
SWITCHES = "keep curate".split()
OTHERS = "mix own notes vary".split()  # that stand for the flags of a source, or for a file
METERS = {"": "4/4", FREE: "none"}  # how ABC says what else a meter may be
NAMES = {*VALUES, *LISTS, *SWITCHES, *OTHERS}


class RequestError(UserError):
    """A request that cannot be met; `control` is the setting to change, if it is one."""

    def __init__(self, message: str, control: str = ""):
        super().__init__(message)
        self.control = control


@dataclass(frozen=True)
class Settings:
    """Settings by name, as text; they are checked by the flags of generate_song.py, see `playground.composing`."""

    values: dict[str, str]

    @classmethod
    def parse(cls, query: str) -> Self:
        """
        >>> Settings.parse("seed=7&mix=china%3D1").values
        {'seed': '7', 'mix': 'china=1'}
        """
        if len(query) > LONGEST:
            raise RequestError(f"the settings have {len(query):,} characters; {LONGEST:,} are read")
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=2 * len(NAMES))
        except ValueError:
            raise RequestError("the address is not one of this page") from None
        for name, _ in pairs:
            if name not in NAMES:
                raise RequestError(f"{name[:40]!r} is not a setting of this page")
        values = {name: value.strip() for name, value in pairs if value.strip()}
        if len(pairs) > len({name for name, _ in pairs}):
            raise RequestError("a setting is given twice")
        return cls(values)

    def query(self) -> str:
        """The inverse of `parse`, the same for the same settings."""
        return urlencode(sorted(self.values.items()))

    @property
    def id(self) -> str:
        """16 hexadecimal digits."""
        return fingerprint(self.query().encode())

    def of_song(self, number: int, seed: int) -> Settings:
        """The settings of one of the songs."""
        kept = {name: value for name, value in self.values.items() if name != "count"}
        return Settings(kept | {"number": str(number), "seed": str(seed)})

    def parts(self) -> list[tuple[str, str]]:
        """The names and weights of the regions that are mixed; `own` is the user's own songs.

        >>> Settings.parse("mix=china=0.7 own=0.3").parts()
        [('china', '0.7'), ('own', '0.3')]
        """
        found = [part.rpartition("=") for part in self.values.get("mix", "").split()]
        if not all(name for name, _, _ in found) or len({name for name, _, _ in found}) < len(found):
            raise RequestError("a mix is names and weights, such as china=0.7 deutschl=0.3", "mix")
        return [(name, weight) for name, _, weight in found]

    def words(self) -> list[str]:
        """The flags of the settings that are flags, but for meter and key where the first notes decide them.

        A list with a word that could be taken for a flag raises `RequestError`.
        """
        decided, words = ("meter", "key") if "notes" in self.values else (), []
        values = {name: value for name, value in self.values.items() if name not in decided}
        for name in VALUES:
            words += [f"--{name}={values[name]}"] if name in values else []
        for name in LISTS:
            found = values.get(name, "").split()
            if any(re.match(r"-(?![\d.])", word) for word in found):
                raise RequestError(f"{values[name]!r} is not a list of values", name)
            words += [f"--{name}", *found] if found else []
        return words + [f"--{name}" for name in SWITCHES if name in values]


def abc_tune(text: str, meter: str, key: str) -> str:
    """Typed notes as an ABC tune: with a head, if they have none, of a time signature and of a key such as `d` or `B-`.

    >>> abc_tune("G2 A2", "3/4", "b-")
    'X:1\\nM:3/4\\nL:1/8\\nK:Bbm\\nG2 A2\\n'
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not any(line.startswith("K:") for line in lines):
        name = key.replace("-", "b").capitalize() + "m" * key.islower() if key else "C"
        lines = ["X:1", f"M:{METERS.get(meter, meter)}", "L:1/8", f"K:{name}", *lines]
    return "\n".join(lines) + "\n"
