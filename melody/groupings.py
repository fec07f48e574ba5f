"""What the songs of a training stream have in common.

A network that is trained on streams of one collection learns to keep the collection, and nothing finer, in its state.
So streams share different things, sampled anew in each epoch, and what has been read helps to predict at every grain.
The genre and the area of songs are not among them: they show whether a memory carries what no stream was made of.
"""

from collections.abc import Sequence

import numpy as np

from melody import regions
from melody.dataset import Dataset, intervals_of
from melody.descriptors import mode_of
from melody.split import near_duplicates

SHARES = {  # fraction of the streams
    "collection": 0.2,
    "folder": 0.05,
    "collection, mode and meter": 0.45,
    "mode": 0.1,
    "collection and mode": 0.05,
    "variants": 0.1,  # near-duplicates, as in the split
    "nothing": 0.05,
}


def groupings(songs: Dataset, chosen: Sequence[int]) -> dict[str, np.ndarray]:
    """For each grouping of `SHARES` the number of each chosen song's group, (chosen,) integers."""
    collection = [regions.prefix(songs.name[s]) for s in chosen]
    mode = [mode_of(songs.key[s]) for s in chosen]
    intervals = (intervals_of(songs.song(s), songs.vocabulary) for s in chosen)
    keys = {
        "collection": collection,
        "folder": [songs.name[s].rpartition("/")[0] for s in chosen],
        "collection, mode and meter": list(zip(collection, mode, [songs.meter[s] for s in chosen], strict=True)),
        "mode": mode,
        "collection and mode": list(zip(collection, mode, strict=True)),
        "variants": near_duplicates(intervals, len(chosen)).tolist(),
        "nothing": [0] * len(chosen),
    }
    return {kind: _numbered(keys[kind]) for kind in SHARES}


def _numbered(keys: list) -> np.ndarray:
    numbers: dict = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int32)
