"""What a composed song is in the style of: the songs of the real memories that are nearest to its own."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.neighbors import NearestNeighbors

from melody.atomic import open_hdf5
from melody.provenance import settings_of

NEAREST = 3  # memories that are named


class MemoryNeighbors:
    """Real memories (count, memory) to search, and the song that each ends with. Distances are Euclidean between
    memories standardised by the deviations of the real ones."""

    def __init__(self, memories: np.ndarray, songs: Sequence[str]):
        self.std = np.maximum(memories.std(axis=0), 1e-6)
        self.songs = songs
        self.search = NearestNeighbors(n_neighbors=min(NEAREST, len(songs))).fit(memories / self.std)

    def nearest(self, memories: np.ndarray) -> list[dict[str, float]]:
        """For each memory the songs of the nearest real ones with their share, inverse to the squared distance.

        >>> MemoryNeighbors(np.array([[0.0], [1.0], [3.0]]), ["a", "b", "c"]).nearest(np.array([[2.5]]))
        [{'c': 0.865, 'b': 0.096, 'a': 0.039}]
        """
        distances, indices = self.search.kneighbors(memories / self.std)
        weights = 1 / np.maximum(distances, 1e-9) ** 2
        shares = weights / weights.sum(axis=1, keepdims=True)
        found: list[dict[str, float]] = [{} for _ in memories]
        for style, row, share in zip(found, indices, shares, strict=True):
            for k, part in zip(row, share.tolist(), strict=True):
                style[self.songs[k]] = round(style.get(self.songs[k], 0.0) + part, 3)
        return found


def load(path: Path, network: str) -> MemoryNeighbors | None:
    """The memories of a file of generate_memories.py; None if there is none, or it is of another network."""
    if not path.exists():
        return None
    with open_hdf5(path, "python generate_memories.py --overwrite") as file:
        if settings_of(file).get("network") != network:
            return None
        names = file["name"].asstr()[:]
        return MemoryNeighbors(file["memory"][:], names[file["song"][:, -1]].tolist())
