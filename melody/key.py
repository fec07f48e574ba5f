"""The key of a song: stated by its source, found from its notes, or another one that the song is transposed to.

A key is written as in kern: `G` is G major, `d` D minor, `B-` B flat major, `f#` F sharp minor.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from melody.errors import UserError
from melody.song import Song
from melody.vocabulary import Spelling, spelled

DOUBLE_FLATS, DOUBLE_SHARPS = -15, 19  # F-- and B## on the line of fifths; ABC has no further accidentals
NAMES = "C- G- D- A- E- B- F C G D A E B F# C# a- e- b- f c g d a e b f# c# g# d# a#".split()
KEYS = dict(zip(NAMES, [*range(-7, 8)] * 2, strict=True))  # and their sharps (flats negative)
MAJOR_KEYS = [name.replace("-", "b") for name in NAMES[:15]]  # as mido names them
MOVES = [(fifths, octaves) for fifths in range(-11, 12) for octaves in range(-11, 12)]  # of `fitted`, nearest first
MOVES = sorted(MOVES, key=lambda move: (abs(7 * move[0] + 12 * move[1]), abs(move[0])))

# How often the notes D- A- E- B- F C G D A E B F# occur in C major and minor (%): Bellman (2006), "About the
# determination of key of a musical excerpt", from Budge's (1943) counts of chords; as in Humdrum's keycor.
MAJOR = (0.86, 1.80, 1.41, 0.62, 11.93, 16.80, 20.28, 12.95, 8.04, 13.49, 10.57, 1.25)
MINOR = (0.69, 7.49, 13.34, 0.92, 11.15, 18.16, 21.07, 12.99, 1.53, 1.07, 10.21, 1.38)
LOWEST, NOTES = -12, 29  # the notes of all 30 profiles on the line of fifths: D-- to D##
LAST_NOTE = 0.1  # added to the correlation if the last note is the tonic; the best on German training songs


def tonic_of(key: str) -> int:
    """The tonic of one of `KEYS` on the line of fifths: A, the tonic of a, lies three fifths above C."""
    return KEYS[key] + 3 * key.islower()


def _template(tonic: int, profile: Sequence[float]) -> np.ndarray:
    """(NOTES,): a profile as deviations from its mean, of length 1; further notes are as rare as the rarest."""
    weights = np.full(NOTES, min(profile))
    weights[tonic - 5 - LOWEST :][: len(profile)] = profile
    weights -= weights.mean()
    return weights / np.linalg.norm(weights)


TONICS = np.array([tonic_of(key) for key in KEYS])
TEMPLATES = np.array([_template(t, MINOR if k.islower() else MAJOR) for k, t in zip(KEYS, TONICS, strict=True)])


def find_key(pitch: Sequence[str], duration: Sequence[float]) -> str:
    """The key of a melody, with at most 7 sharps or flats; "" without notes. `duration` is in quarter notes.

    It is the key whose profile correlates best with the durations of the spelled notes (Krumhansl 1990, ch. 4), where
    `LAST_NOTE` favors the last note as the tonic.

    >>> find_key(["D4", "F4", "A4", "G4", "F4", "E4", "D4"], [1] * 7)
    'd'
    """
    if not pitch:
        return ""
    notes = np.clip([Spelling(name).fifth - LOWEST for name in pitch], 0, NOTES - 1)
    total = np.bincount(notes, duration if any(duration) else None, NOTES)
    total = total - total.mean()
    correlation = TEMPLATES @ total / (np.linalg.norm(total) or 1)
    return NAMES[np.argmax(correlation + LAST_NOTE * (notes[-1] + LOWEST == TONICS))]


def kern_key(text: str) -> str:
    """The key that a text names, such as `G`, `Bb` or `F# minor`; "" if it names none of up to 7 sharps or flats."""
    named = re.fullmatch(r"\*?([A-Ga-g])([#b♯♭-]?)(m?):?\s*(?:(maj|min)\w*)?", text.strip())
    if not named:
        return ""
    letter, accidental, small_m, mode = named.groups()
    minor = mode == "min" or (not mode and (letter.islower() or bool(small_m)))
    key = (letter.lower() if minor else letter.upper()) + {"": "", "#": "#", "♯": "#"}.get(accidental, "-")
    return key if key in KEYS else ""


def transposed(song: Song, key: str) -> Song:
    """The song in another key of its mode, moved by at most 6 semitones; its spelling moves on the line of fifths.

    The song's key is the one that it states, else `find_key`. Raises `UserError` if the other key has another mode, or
    if it takes notes beyond double accidentals or MIDI's range.
    """
    source = kern_key(song.key) or find_key(song.pitch, song.duration) or key
    name, minor = song.name or "the song", source.islower()
    if minor != key.islower():
        raise UserError(f"{name} is in {source}: choose a {'minor' if minor else 'major'} key instead of {key}")
    moved = {other: _nearest(song.pitch, KEYS[other] - KEYS[source]) for other in KEYS if other.islower() == minor}
    if moved[key] is None:
        semitones = {other: 7 * (KEYS[other] - KEYS[key]) % 12 for other, pitch in moved.items() if pitch is not None}
        nearest = min(semitones, key=lambda other: min(semitones[other], 12 - semitones[other]))
        raise UserError(f"{name} has notes that cannot be written in {key}; the nearest possible key is {nearest}")
    return replace(song, pitch=moved[key], key=key)


def fitted(song: Song, fits: Callable[[str], bool], octaves_alone: bool = False) -> tuple[Song, int] | None:
    """The song transposed by as few semitones as possible until each of its notes `fits`, and their number.

    None if no key and octave fits, or with `octaves_alone` no octave. A key that the song states is moved with it.
    """
    names = list(set(song.pitch))
    for fifths, octaves in MOVES:
        moved = None if octaves_alone and fifths else _moved(names, fifths, octaves)
        if moved is None or not all(map(fits, moved)):
            continue
        of = dict(zip(names, moved, strict=True))
        sharps = KEYS.get(song.key, 99) + fifths
        key = next((name for name in NAMES if KEYS[name] == sharps and name.islower() == song.key.islower()), "")
        moved_song = replace(song, pitch=[of[name] for name in song.pitch], key=key if fifths else song.key)
        return moved_song, 7 * fifths + 12 * octaves
    return None


def _moved(pitch: Sequence[str], fifths: int, octaves: int = 0) -> list[str] | None:
    """The notes moved on the line of fifths and by octaves; None if one of them could not be written."""
    notes = [Spelling(name) for name in pitch]
    steps, semitones = 4 * fifths + 7 * octaves, 7 * fifths + 12 * octaves
    for note in notes if fifths or octaves else []:
        in_range = note.step + steps >= 0 and 0 <= note.midi + semitones <= 127
        if not in_range or not DOUBLE_FLATS <= note.fifth + fifths <= DOUBLE_SHARPS:
            return None
    return [spelled(note.step + steps, note.fifth + fifths) for note in notes]


def _nearest(pitch: Sequence[str], fifths: int) -> list[str] | None:
    """The notes moved on the line of fifths, by at most six semitones."""
    return _moved(pitch, fifths, -round(7 * fifths / 12))


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
    sharps = KEYS.get(kern_key(key))
    if listed:
        sharps = listed[1].count("#") - listed[1].count("-")
    elif re.fullmatch(r"[+-]?\d", key):
        sharps = int(key)
    return sharps if sharps in range(-7, 8) else None


def best_fitting(pitch: Sequence[str]) -> int:
    """Sharps of the signature that needs the fewest accidentals for these notes.

    A pentatonic song fits three signatures equally well: the one with the fewest sharps or flats is returned.
    """
    return min(range(-7, 8), key=lambda sharps: (_accidentals(pitch, sharps), abs(sharps), -sharps))


def notated_key(pitch: Sequence[str], duration: Sequence[float]) -> str:
    """The key that a score states: `find_key`, or the signature alone, `k[b-]`, if another one fits the notes better.

    >>> notated_key(["D4", "F4", "A4", "D5", "C#5", "D5"], [1] * 6), notated_key(["D4", "F4", "B4", "D5"], [1] * 4)
    ('d', 'k[]')
    """
    key, best = find_key(pitch, duration), best_fitting(pitch)
    leading = [KEYS[key] + 8] if key.islower() else []  # the raised seventh of minor
    fits = key and _accidentals(pitch, KEYS[key], leading) <= _accidentals(pitch, best)
    return key if fits else kern_signature(alterations(best))


def _accidentals(pitch: Sequence[str], sharps: int, free: Sequence[int] = ()) -> int:
    """The notes that need an accidental under a key signature, but for some on the line of fifths."""
    scale = {*range(sharps - 1, sharps + 6), *free}  # C major: F C G D A E B
    return sum(Spelling(name).fifth not in scale for name in pitch)
