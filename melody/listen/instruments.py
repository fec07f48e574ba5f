"""The instruments of General MIDI (System Level 1) by name; their order gives the program numbers, from 0."""

import argparse
import difflib
from pathlib import Path

INSTRUMENTS = Path(__file__).with_suffix(".txt").read_text(encoding="ascii").splitlines()


def instrument(text: str) -> int:
    """The program number, 0 to 127, of an instrument given by number or name; for argparse.

    Part of a name is enough if only one instrument contains it: `nylon`, but not `piano`.
    """
    name = " ".join(text.lower().split())
    if name in map(str, range(len(INSTRUMENTS))):
        return int(name)
    matches = [known for known in INSTRUMENTS if name and name in known]
    if name in INSTRUMENTS or len(matches) == 1:
        return INSTRUMENTS.index(name if name in INSTRUMENTS else matches[0])
    nearest = matches[:6] or difflib.get_close_matches(name, INSTRUMENTS, n=3, cutoff=0)
    raise argparse.ArgumentTypeError(
        f"{text!r} is neither a General MIDI program, 0 to 127, nor the name of one instrument; the nearest names: "
        + ", ".join(nearest)
    )
