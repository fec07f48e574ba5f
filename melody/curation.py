"""How good a composed song is: by three stated criteria with --curate, which keeps the best of several candidates, and
whether it is caught in a loop."""

from collections.abc import Sequence

import numpy as np

from melody.dataset import intervals_of
from melody.key import find_key, tonic_of
from melody.song import Song
from melody.vocabulary import Spelling, Vocabulary

# The middle half of the songs in the training part of the kern edition
REPETITION = (0.27, 0.77)  # share of notes in a repeated interval 4-gram
RANGE = (12, 16)  # semitones


def score(song: Song) -> float:
    """0 to 3: a point each if the last note is the tonic on a downbeat (half a point for either), and if repetition and
    range lie where half of the real songs do; outside, less by the distance."""
    if len(song.pitch) < 2:
        return 0.0
    notes = [Spelling(name) for name in song.pitch]
    midi, vocabulary = [note.midi for note in notes], Vocabulary(song.pitch)
    on_tonic = notes[-1].fifth == tonic_of(find_key(song.pitch, song.duration))
    cadence = (on_tonic + (song.beat[-1] == 0)) / 2
    repetition = repetition_coverage(intervals_of(vocabulary.encode(song.pitch), vocabulary))
    return cadence + _within(repetition, *REPETITION) + _within(max(midi) - min(midi), *RANGE)


def repetition_coverage(intervals: Sequence[int], grams: int = 4) -> float:
    """Share of notes inside an interval n-gram of `grams` intervals that also occurs elsewhere in the song."""
    line, notes = np.asarray(intervals), len(intervals) + 1
    covered = np.zeros(notes, bool)
    if len(line) >= grams:
        rows = np.lib.stride_tricks.sliding_window_view(line, grams)
        _, names, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
        again = np.flatnonzero(counts[names] > 1)
        covered[(again[:, None] + np.arange(grams + 1)).ravel()] = True
    return float(covered.mean())


def longest_loop(pitch: Sequence, period: int = 4) -> int:
    """The most notes in a row that each have the pitch of the note k before, for a k of 1 to `period`: 6 in C D C D C D
    C D (k = 2). Pitches are integers or names."""
    line, longest = np.asarray(pitch), 0
    for k in range(1, min(period, len(line) - 1) + 1):
        ends = np.flatnonzero(np.append(line[k:] != line[:-k], True))
        longest = max(longest, int(np.diff(ends, prepend=-1).max()) - 1)
    return longest


def _within(value: float, low: float, high: float) -> float:
    """1 from `low` to `high`, outside less by the distance in widths of that interval, at least 0."""
    return max(0.0, 1 - max(low - value, value - high, 0) / (high - low))
