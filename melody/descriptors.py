"""What a song is like, in a few distributions: what the auxiliary loss asks the network's state for.

At the start of each further song of a training stream the state must tell what the songs before it had in common, so
that it keeps what memories are made of. The head that answers is not used to compose.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from melody.encoding import PHRASE, UNKNOWN, EncodedSong
from melody.vocabulary import Vocabulary

MODES = ("major", "minor", "unknown")
NOTE_VALUES = 8  # the commonest rhythms; and all others
WIDEST_INTERVAL, WIDEST_RANGE = 12, 24  # semitones
LONGEST_PHRASE = 24  # notes
RECENT = 3  # songs that are described


def mode_of(key: str) -> int:
    """The index in `MODES` of a key such as F, d or k[b-]."""
    return 2 if not key or key.startswith("k[") else int(key[0].islower())


class Descriptors:
    """Describes songs by `size` numbers in `segments`, each a distribution: its numbers are 0 or more and sum to 1.

    The time signature; the mode; pitch classes above the last note; note values; melodic intervals in semitones, of
    which 0 is a repeated note; range; notes in a phrase; collection. What is unknown of a song is all zeros.
    """

    def __init__(self, vocabulary: Vocabulary, collections: int):
        self.midi, rhythm = np.array(vocabulary.midi), vocabulary.rhythm
        self.rhythms = min(NOTE_VALUES, len(rhythm.rhythms))
        sizes = [len(rhythm.signatures) + 1, len(MODES), 12, self.rhythms + 1, WIDEST_INTERVAL + 1, 2, 2, collections]
        edges = np.cumsum([0, *sizes]).tolist()
        self.segments = [slice(first, last) for first, last in pairwise(edges)]
        self.size = edges[-1]

    def describe(self, song: EncodedSong, mode: int | None = None, collection: int | None = None) -> np.ndarray:
        """(size,) float32. `mode` and `collection` are indices."""
        midi = self.midi[song.pitch]
        interval = np.minimum(np.abs(np.diff(midi)), WIDEST_INTERVAL)
        span = min(np.ptp(midi) / WIDEST_RANGE, 1.0)
        parts = [
            _one_hot(song.signature),
            _one_hot(mode),
            np.bincount((midi - midi[-1]) % 12),
            np.bincount(np.minimum(song.rhythm, self.rhythms)),
            np.bincount(interval),
            np.array([span, 1 - span]),
            self._phrase_length(song.phrase),
            _one_hot(collection),
        ]
        row = np.zeros(self.size, np.float32)
        for segment, part in zip(self.segments, parts, strict=True):
            row[segment.start : segment.start + len(part)] = part / max(part.sum(), 1e-9)
        return row

    @staticmethod
    def _phrase_length(phrase: np.ndarray) -> np.ndarray:
        if (phrase == UNKNOWN).any():
            return np.zeros(2)
        share = min(len(phrase) / max((phrase == PHRASE).sum(), 1) / LONGEST_PHRASE, 1.0)
        return np.array([share, 1 - share])


def describe_all(songs: Iterable[EncodedSong], vocabulary: Vocabulary) -> np.ndarray:
    """What each song with notes is like, (songs, numbers) float32, its mode and collection unknown.

    Phrases are left out, since few files mark them.
    """
    descriptors = Descriptors(vocabulary, collections=0)
    rows = [descriptors.describe(song._replace(phrase=np.full(1, UNKNOWN))) for song in songs if len(song.pitch)]
    return np.array(rows, np.float32).reshape(len(rows), descriptors.size)


def _one_hot(index: int | None) -> np.ndarray:
    return np.zeros(0) if index is None else np.bincount([index])


def mean_of_recent(rows: Sequence[np.ndarray]) -> np.ndarray:
    """The mean description of the last `RECENT` songs."""
    return np.mean(rows[-RECENT:], axis=0)
