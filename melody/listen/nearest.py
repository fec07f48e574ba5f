"""The song of the collection that a new song is most like: that with the longest run of the same intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from melody.dataset import Dataset, steps_of


class Collection:
    """Songs to search in. An interval is one letter, so that a run of intervals is found as a word in a text."""

    def __init__(self, songs: Dataset):
        self.songs = songs
        self.lines = [_word(steps) for steps in songs.intervals]
        self.text = "\n".join(self.lines)
        self.starts = np.cumsum([0, *(len(line) + 1 for line in self.lines)])

    def nearest(self, song: Sequence[int]) -> tuple[int, int]:
        """The place of the nearest song, and how many notes in a row both have in any key; -1, 0: none."""
        line, place, longest = _word(steps_of(song, self.songs.vocabulary)), -1, 0
        for first in range(len(line)):
            while first + longest < len(line) and (found := self.text.find(line[first : first + longest + 1])) >= 0:
                place, longest = found, longest + 1
        return (int(np.searchsorted(self.starts, place, side="right")) - 1, longest + 1) if longest else (-1, 0)


def _word(steps: np.ndarray) -> str:
    return "".join(chr(0x18000 + step) for step in steps.tolist())  # no letter is the line break that parts the songs
