"""Measures of songs: passages shared with other songs, style features, endings.

A song is an array of the vocabulary's integers, (notes,). An interval is the pair of a diatonic and a semitone
difference, so that a transposed song has the same intervals.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from melody import curation
from melody.dataset import intervals_of
from melody.vocabulary import Vocabulary

Songs = Sequence[np.ndarray]
PITCH_CLASSES = 12
MAJOR, PENTATONIC = (0, 2, 4, 5, 7, 9, 11), (0, 2, 4, 7, 9)  # semitones above the first note of the scale
# How well each pitch class fits a major and a minor key (Temperley 2001, p. 180). Of the tonics that the collection
# states these find 78 %, the profiles of Krumhansl & Kessler (1982) 56 %.
KEY_PROFILES = (
    (5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0),
    (5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0),
)
STYLE_FEATURES = ("pentatonic share", "semitone steps", "minor-third steps", "mean interval")
FEATURES = (
    "repetition coverage, diatonic share, pitch-class entropy, range, mean pitch, spread of pitch, mean interval, "
    "share of unisons, share of rises, number of pitches, reversal rate"
).split(", ")


def openings(songs: Songs, length: int, first: int = 0) -> list[np.ndarray]:
    """The notes `first` … `first + length` of the songs that are long enough, so that no song counts by its length."""
    return [song[first : first + length] for song in songs if len(song) >= first + length]


def intervals(songs: Songs, vocabulary: Vocabulary) -> list[np.ndarray]:
    """The melodic steps of each song, (notes - 1,) integers."""
    return [intervals_of(song, vocabulary) for song in songs]


# Passages shared with other songs


def shared_runs(lines: Songs, others: Songs) -> list[np.ndarray]:
    """For each index of each line, how many symbols from there on also occur in a row in one of the others.

    >>> [run.tolist() for run in shared_runs([np.array([1, 2, 3, 9])], [np.array([0, 1, 2, 3]), np.array([9, 9])])]
    [[3, 2, 1, 1]]
    """
    every = [*lines, *others]
    symbols, stream = np.unique(np.concatenate([np.zeros(0, int), *every]), return_inverse=True)
    room = np.concatenate([np.zeros(0, int), *(np.arange(len(line), 0, -1) for line in every)])
    own = np.arange(len(stream)) < sum(len(line) for line in lines)
    runs = np.zeros(len(stream), int)
    indices, names, length = np.arange(len(stream)), np.zeros(len(stream), np.int64), 0
    while len(indices):
        # Indices with one name begin with the same `length` symbols; those without a match elsewhere drop out.
        names = np.unique(names * len(symbols) + stream[indices + length], return_inverse=True)[1]
        length += 1
        kinds = names.max() + 1
        found = np.bincount(names[own[indices]], minlength=kinds) * np.bincount(names[~own[indices]], minlength=kinds)
        shared = found[names] > 0
        runs[indices[shared & own[indices]]] = length
        longer = shared & (room[indices] > length)
        indices, names = indices[longer], names[longer]
    return np.split(runs[own], np.cumsum([len(line) for line in lines])[:-1]) if len(lines) else []


def longest_shared(runs: Songs) -> np.ndarray:
    """The longest passage of each song whose intervals occur in another song, in notes; `runs` from `shared_runs`."""
    return np.array([run.max() + 1 if run.max(initial=0) else 0 for run in runs])


def novelty(runs: Songs, notes: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """For each song, how many of its passages of so many notes occur in no other song, and how many it has.

    After the originality report of Yin et al. (2022), with intervals in place of notes.
    """
    passages = [run[: max(len(run) - notes + 2, 0)] for run in runs]
    return np.array([(run < notes - 1).sum() for run in passages]), np.array([len(run) for run in passages])


def distinct_n(songs: Songs, vocabulary: Vocabulary, grams: int = 6) -> float:
    """Distinct interval 6-grams of all songs together, as a share of all 6-grams."""
    rows = np.concatenate([_grams(line, grams) for line in intervals(songs, vocabulary)])
    return len(np.unique(rows, axis=0)) / len(rows) if len(rows) else 0.0


def _grams(line: np.ndarray, length: int) -> np.ndarray:
    """Every `length` symbols in a row, (n-grams, length)."""
    if len(line) < length:
        return np.zeros((0, length), line.dtype)
    return np.lib.stride_tricks.sliding_window_view(line, length)


# Features


def repetition_coverage(song: np.ndarray, vocabulary: Vocabulary) -> float:
    """Share of notes inside an interval 4-gram that also occurs elsewhere in the song."""
    return curation.repetition_coverage(intervals([song], vocabulary)[0]) if len(song) else 0.0


def style_features(songs: Songs, vocabulary: Vocabulary) -> np.ndarray:
    """(songs, 4): `STYLE_FEATURES`, shares of notes (best of 12 scales) and of intervals, and semitones."""
    midi = np.array(vocabulary.midi)
    pitches = [(midi[song], np.abs(np.diff(midi[song]))) for song in songs]
    rows = [
        [scale_share(pitch_classes(pitch), PENTATONIC), (leaps == 1).mean(), (leaps == 3).mean(), leaps.mean()]
        for pitch, leaps in pitches
    ]
    return np.array(rows).reshape(-1, len(STYLE_FEATURES))


def features(songs: Songs, vocabulary: Vocabulary) -> np.ndarray:
    """(songs, 48): the 11 `FEATURES`, the histogram of intervals of -12 … 12 semitones, and that of pitch classes.

    Pitch classes are counted from the most frequent one. Songs have two notes or more.
    """
    midi = np.array(vocabulary.midi)
    rows = []
    for song in songs:
        pitch, classes = midi[song], pitch_classes(midi[song])
        leaps = np.diff(pitch)
        moves = np.sign(leaps[leaps != 0])
        rows.append(
            [
                repetition_coverage(song, vocabulary),
                scale_share(classes, MAJOR),
                entropy(classes),
                np.ptp(pitch),
                pitch.mean(),
                pitch.std(),
                np.abs(leaps).mean(),
                (leaps == 0).mean(),
                (leaps > 0).mean(),
                len(np.unique(pitch)),
                (moves[1:] != moves[:-1]).mean() if len(moves) > 1 else 0.0,
                *np.bincount(np.clip(leaps, -12, 12) + 12, minlength=25) / len(leaps),
                *np.roll(classes, -classes.argmax()),
            ]
        )
    return np.array(rows, float).reshape(-1, len(FEATURES) + 25 + PITCH_CLASSES)


def pitch_classes(pitch: np.ndarray) -> np.ndarray:
    """Share of notes in each of the 12 pitch classes."""
    return np.bincount(pitch % PITCH_CLASSES, minlength=PITCH_CLASSES) / len(pitch)


def scale_share(classes: np.ndarray, scale: Sequence[int]) -> float:
    """Share of notes in a scale on the tonic where this share is largest."""
    return float(classes[(np.arange(PITCH_CLASSES)[:, None] + scale) % PITCH_CLASSES].sum(axis=1).max())


def entropy(shares: np.ndarray) -> float:
    """Bits."""
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())


def key(song: np.ndarray, vocabulary: Vocabulary) -> tuple[int, bool]:
    """Tonic and whether it is minor, of the key that correlates best with the pitch classes (Krumhansl 1990, p. 77)."""
    classes = pitch_classes(np.array(vocabulary.midi)[song])
    keys = np.array([np.roll(profile, first) for first in range(PITCH_CLASSES) for profile in KEY_PROFILES])
    keys -= keys.mean(axis=1, keepdims=True)
    fits = keys @ classes / np.linalg.norm(keys, axis=1)  # correlations, up to a common factor
    tonic, minor = divmod(int(fits.argmax()), len(KEY_PROFILES))
    return tonic, bool(minor)


def ends_on_tonic(song: np.ndarray, vocabulary: Vocabulary) -> bool:
    return vocabulary.midi[song[-1]] % PITCH_CLASSES == key(song, vocabulary)[0]
