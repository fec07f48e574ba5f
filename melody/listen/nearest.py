"""Finds the song of the collection that is most similar to a new one: it shares the longest run of intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from melody.dataset import Dataset, intervals_of
from melody.vocabulary import Vocabulary

ZERO = 0x18000  # the character of interval 0; no interval becomes the line break that separates songs


@dataclass(frozen=True)
class NearestSong:
    """The song of the collection most similar to a composed one."""

    name: str
    title: str
    shared_notes: int  # consecutive notes that both songs contain, in any key


class Collection:
    """Songs to search. Each interval is one character, so a run of intervals is found by a text search."""

    def __init__(self, songs: Dataset):
        self.songs = songs
        lines = [_as_text(intervals) for intervals in songs.intervals]
        self.text = "\n".join(lines)
        self.starts = np.cumsum([0, *(len(line) + 1 for line in lines)])

    def nearest(self, pitch: Sequence[str]) -> NearestSong | None:
        """The first song that shares the longest run of intervals with these note names (C4 …); None if none does."""
        vocabulary = Vocabulary(pitch)  # transposed songs have notes that those of the collection lack
        line, position, longest = _as_text(intervals_of(vocabulary.encode(pitch), vocabulary)), -1, 0
        for start in range(len(line)):
            while start + longest < len(line) and (found := self.text.find(line[start : start + longest + 1])) >= 0:
                position, longest = found, longest + 1
        if not longest:
            return None
        index = int(np.searchsorted(self.starts, position, side="right")) - 1
        return NearestSong(self.songs.name[index], self.songs.title[index], longest + 1)


def _as_text(intervals: np.ndarray) -> str:
    return "".join(chr(ZERO + interval) for interval in intervals.tolist())
