"""A memory: the network's state as one row of numbers. The order of the states is defined here and nowhere else.

A stack of three LSTM layers has six states, (batch, units) each: h_1, c_1, h_2, c_2, h_3, c_3. A memory is these side
by side, (batch, 6 * units).

>>> pack([np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])])
array([[1., 2., 3., 4.]], dtype=float32)
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.neighbors import NearestNeighbors

from melody import regions
from melody.atomic import open_hdf5
from melody.provenance import settings_of


def state_names(layers: int) -> list[str]:
    """The states in order.

    >>> state_names(2)
    ['h_1', 'c_1', 'h_2', 'c_2']
    """
    return [f"{state}_{layer}" for layer in range(1, layers + 1) for state in "hc"]


def pack(states: Sequence[np.ndarray]) -> np.ndarray:
    """States, (batch, units) each, to memories, (batch, states * units)."""
    return np.concatenate([np.asarray(state, np.float32) for state in states], axis=1)


def unpack(memories: np.ndarray, states: int) -> list[np.ndarray]:
    """Memories, (batch, states * units), to their states, (batch, units) each."""
    return np.split(np.asarray(memories, np.float32), states, axis=1)


def input_sequence(songs: Sequence[np.ndarray], tokens: int) -> np.ndarray:
    """What the network reads for one memory: the last `tokens` tokens of the songs, (time, columns) each.

    See `melody.encoding.inputs`. If the songs are shorter than that, they are read repeatedly.

    >>> input_sequence([np.array([[9], [5], [7]]), np.array([[9], [3]])], tokens=4)[:, 0]
    array([5, 7, 9, 3])
    """
    row = np.concatenate(songs)
    return np.tile(row, (-(-tokens // len(row)), 1))[-tokens:]


def sample_songs(songs: int, each: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """The indices of the songs read for `count` memories, (count, each); no song twice if there are enough."""
    return np.stack([rng.choice(songs, each, replace=songs < each) for _ in range(count)])


def sample_similar_songs(
    descriptions: np.ndarray,
    similar: int,
    each: int,
    count: int,
    rng: np.random.Generator,
    last: np.ndarray | None = None,
) -> np.ndarray:
    """The same, but the songs of a memory are like each other: `last` (count,), by default random ones, is read last,
    and before it come random ones of the `similar` songs nearest to it; 0: of all songs.

    `descriptions` (songs, numbers) are those of `melody.descriptors`; nearest in Hellinger distance. Songs that have
    their time signature, mode, note values and intervals in common leave these in the state; of songs that differ, what
    remains is hardly more than the mean of the region.
    """
    songs = len(descriptions)
    if not similar:
        chosen = sample_songs(songs, each, count, rng)
        return chosen if last is None else np.column_stack([chosen[:, :-1], last])
    last = rng.integers(songs, size=count) if last is None else last
    roots = np.sqrt(descriptions)
    nearest = NearestNeighbors(n_neighbors=min(similar + 1, songs)).fit(roots)
    rows = []
    for song, found in zip(last, nearest.kneighbors(roots[last], return_distance=False), strict=True):
        others = found[found != song][:similar] if songs > 1 else found
        rows.append([*rng.choice(others, each - 1, replace=len(others) < each - 1), song])
    return np.array(rows)


def sample_inputs(
    songs: Sequence[np.ndarray],
    chosen: np.ndarray,
    tokens: int,
    mid_song_fraction: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """What is read for memories of the songs with indices `chosen` (count, each): (count, tokens, columns).

    `songs` are (time, columns) each, see `melody.encoding.inputs`. A fraction of the memories is taken at a random note
    of their last song, the others at its end.
    """
    return inputs(songs, chosen, sample_ends(songs, chosen, mid_song_fraction, rng), tokens)


def sample_ends(
    songs: Sequence[np.ndarray], chosen: np.ndarray, mid_song_fraction: float, rng: np.random.Generator
) -> np.ndarray:
    """How many tokens of the last song of each memory are read, (count,); see `sample_inputs`."""
    lengths = (len(songs[last]) for last in chosen[:, -1])
    return np.array([rng.integers(1, n) + 1 if rng.random() < mid_song_fraction else n for n in lengths])


def inputs(songs: Sequence[np.ndarray], chosen: np.ndarray, ends: np.ndarray, tokens: int) -> np.ndarray:
    """What is read for each memory, (count, tokens, columns), given the ends of `sample_ends`."""
    rows = []
    for indices, end in zip(chosen, ends, strict=True):
        *before, last = (songs[s] for s in indices)
        rows.append(input_sequence([*before, last[:end]], tokens))
    return np.stack(rows)


def load(data: Path, name: str, chosen: Sequence[str] | None) -> tuple[np.ndarray, np.ndarray, dict]:
    """The memories called `name`, (count, memory) float32; descriptions of their songs, (songs, numbers) float32, see
    `melody.reach`; and the settings that made them.

    They are of the `chosen` regions, or with None of songs of the user's own.

    Raises `UserError`, which names the command that makes the file, if it is missing, damaged or of other regions.
    """
    path = data / "memories" / f"{name}.h5"
    command = f"{regions.memories_command(regions.flag(chosen, name))}{' --overwrite' * path.exists()}"
    with open_hdf5(path, command) as file:
        memories, descriptions, settings = file["memory"][:], file["description"][:], settings_of(file)
        for rows, of in ((memories, "memories"), (descriptions, "descriptions of songs")):
            if rows.ndim != 2 or rows.dtype != np.float32 or not np.isfinite(rows).all():
                raise ValueError(f"its {of} are not rows of finite numbers")
        made = settings["regions"]
        same = made is chosen is None or (None not in (made, chosen) and regions.file_name(made) == name)
        if not same or not settings["network"]:
            raise ValueError(f"these are memories of {'songs that were given' if made is None else made}")
        return memories, descriptions, settings
