"""Finds the song of the collection most similar to a new one: the one with the longest run of equal intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from melody.dataset import Dataset, intervals_of

FIRST_LETTER = 0x18000  # of the letters that stand for intervals; none of them is the line break between songs


@dataclass(frozen=True)
class NearestSong:
    """The song of the collection most similar to a composed one."""

    name: str
    title: str
    shared_notes: int  # consecutive notes that both songs contain, in any key


class Collection:
    """Songs to search. Each interval is one letter, so a run of intervals is found as a word in a text."""

    def __init__(self, songs: Dataset):
        self.songs = songs
        lines = [_word(steps) for steps in songs.intervals]
        self.text = "\n".join(lines)
        self.starts = np.cumsum([0, *(len(line) + 1 for line in lines)])

    def nearest(self, pitch: Sequence[str]) -> NearestSong | None:
        """The first song that shares the longest run of intervals with note names such as C4; None: no interval."""
        vocabulary = self.songs.vocabulary
        if not set(pitch) <= set(vocabulary.names):
            return None
        word, position, longest = _word(intervals_of(vocabulary.encode(pitch), vocabulary)), -1, 0
        for start in range(len(word)):
            while start + longest < len(word) and (found := self.text.find(word[start : start + longest + 1])) >= 0:
                position, longest = found, longest + 1
        if not longest:
            return None
        index = int(np.searchsorted(self.starts, position, side="right")) - 1
        return NearestSong(self.songs.name[index], self.songs.title[index], longest + 1)


def _word(steps: np.ndarray) -> str:
    return "".join(chr(FIRST_LETTER + step) for step in steps.tolist())
