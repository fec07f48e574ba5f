"""Synthetic melodies of two regions: wide pentatonic steps, and small diatonic steps."""

import numpy as np

REGIONS = {
    "asia/china/han/han": "D4 E4 G4 A4 C5 D5 E5 G5".split(),
    "europa/deutschl/erk/deut": "C4 D4 E4 F4 G4 A4 B4 C5".split(),
}


def melody(rng: np.random.Generator, notes: list[str], leap: int) -> list[str]:
    """A random walk over the notes, of 18 to 40 notes."""
    index, walk = len(notes) // 2, []
    for _ in range(rng.integers(18, 41)):
        walk.append(notes[index])
        index = int(np.clip(index + rng.integers(-leap, leap + 1), 0, len(notes) - 1))
    return walk


def melodies(songs: int, seed: int = 0) -> dict[str, list[str]]:
    """Names and notes of `songs` songs of each region."""
    rng = np.random.default_rng(seed)
    return {
        f"{region}{k:04d}": melody(rng, notes, leap)
        for leap, (region, notes) in enumerate(REGIONS.items(), start=1)
        for k in range(songs)
    }


def kern(notes: list[str]) -> str:
    """The notes as quarter notes in kern."""
    tokens = []
    for name in notes:
        letter, octave = name[0], int(name[-1])
        tokens.append("4" + (letter.lower() * (octave - 3) if octave > 3 else letter * (4 - octave)))
    return "**kern\n*M4/4\n*k[]\n" + "\n".join(tokens) + "\n*-\n"
