"""Synthetic melodies of two regions: wide pentatonic steps, and small diatonic steps; and songs with rhythm."""

import numpy as np

from melody import dataset
from melody.encoding import rhythm_vocabulary
from melody.meter import bar_length
from melody.song import Song
from melody.vocabulary import ESSEN, Vocabulary

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
    """The notes as quarter notes in kern, four in a bar."""
    tokens = []
    for number, name in enumerate(notes):
        tokens += [f"={number // 4}"] if number and number % 4 == 0 else []
        letter, octave = name[0], int(name[-1])
        tokens.append("4" + (letter.lower() * (octave - 3) if octave > 3 else letter * (4 - octave)))
    return "**kern\n*M4/4\n*k[]\n" + "\n".join(tokens) + "\n*-\n"


PATTERNS = {  # quarter notes of a bar; what is not there is read as free
    "3/4": ([1, 1, 1], [2, 1], [1.5, 0.5, 1]),
    "2/4": ([1, 1], [0.5, 0.5, 1], [1.5, 0.5]),
    "X": ([1, 0.5, 0.5, 1],),
}


def tune(rng: np.random.Generator, name: str, notes: list[str], meter: str, phrases: bool = True) -> Song:
    """A song of five full bars; in 3/4 with a pickup of one quarter, which the last bar completes."""
    pickup = 1.0 if meter == "3/4" else 0.0
    bars = [PATTERNS[meter][rng.integers(len(PATTERNS[meter]))] for _ in range(5)]
    duration = [float(time) for bar in ([[pickup], *bars, [2]] if pickup else bars) for time in bar]
    ends, length, count = np.cumsum(duration), float(bar_length(meter)), len(duration)
    beat = [(end - time - pickup) % length if length else 0.0 for end, time in zip(ends, duration, strict=True)]
    pitch = [notes[k] for k in rng.integers(0, len(notes), count)]
    bars = {"beat": beat, "bar": [length] * count, "pickup": pickup, "meter": meter, "key": "C"}
    return Song(name, pitch, duration, [0.0] * count, [phrases and k % 4 == 0 for k in range(count)], **bars)


def tunes(songs: int, seed: int = 0) -> list[Song]:
    """`songs` songs of each region and meter, with and without phrases in turn, sorted by name."""
    rng = np.random.default_rng(seed)
    return [
        tune(rng, f"{region}{k:04d}", notes, meter, k % 2 == 0)
        for region, notes in REGIONS.items()
        for k, meter in enumerate(list(PATTERNS) * songs)
    ]


def dataset_of(songs: list[Song], vocabulary: Vocabulary = ESSEN) -> dataset.Dataset:
    """The songs with the rhythms and openings of all of them in the vocabulary."""
    made = dataset.dataset_of(songs, vocabulary)
    made.vocabulary = Vocabulary(vocabulary.names, rhythm_vocabulary(made, range(len(songs))))
    return made
