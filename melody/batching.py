"""What the network is trained on: inputs, targets, and streams of songs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from melody import lookback
from melody.vocabulary import Vocabulary


def transpositions(vocabulary: Vocabulary, furthest: int = 6) -> np.ndarray:
    """Where each note goes when a song moves 0, then -furthest … furthest places along the line of fifths.

    (moves, notes) integers; -1 where the vocabulary has no such note. Each move goes to the nearest octave: one fifth
    up is a fourth down. The first row leaves all as it is.
    """
    places = {(step, fifth): n for n, (step, fifth) in enumerate(zip(vocabulary.step, vocabulary.fifth, strict=True))}
    rows = []
    for fifths in [0, *(f for f in range(-furthest, furthest + 1) if f)]:
        steps = (4 * fifths + 3) % 7 - 3
        rows.append(
            [places.get((s + steps, f + fifths), -1) for s, f in zip(vocabulary.step, vocabulary.fifth, strict=True)]
        )
    return np.array(rows)


def inputs_and_targets(song: np.ndarray, notes: int, transposed: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The network's inputs of a song and its targets, (len(song) + 1,) each; `notes` = len(vocabulary).

    >>> [array.tolist() for array in inputs_and_targets(np.array([5, 7]), 76)]
    [[76, 5, 7], [5, 7, 76]]
    """
    opening = notes + 1 if transposed else notes
    return np.concatenate([[opening], song]).astype(np.int32), np.concatenate([song, [notes]]).astype(np.int32)


class Streams:
    """Songs of one region after each other, cut into windows: what the network is trained on.

    A stream starts from the zero state at the beginning of a song and runs through `windows_per_stream` windows of
    `bptt_length` notes, the state carried from one to the next; so the network learns that what it has read of a region
    tells how the next song will go. In an epoch each song is read once, and once more from its beginning if the end of
    a stream cut it; the last of the shuffled streams, those that fill no batch, are left out.
    With `token_probability` > 0 the inputs have a further column: in that fraction of the streams the number of the
    region, from 1, in the others 0.
    """

    def __init__(
        self,
        songs: list[np.ndarray],
        regions: Sequence[str | int],
        vocabulary: Vocabulary,
        *,
        batch: int,
        bptt_length: int,
        windows_per_stream: int,
        transpose_probability: float,
        token_probability: float = 0.0,
        rng: np.random.Generator,
    ):
        self.songs, self.regions = songs, np.array(regions)
        self.notes, self.table = len(vocabulary), transpositions(vocabulary)
        self.batch, self.length, self.windows = batch, bptt_length, windows_per_stream
        self.transpose_probability, self.token_probability = transpose_probability, token_probability
        self.rng = rng

    def _song(self, s: int) -> tuple[np.ndarray, np.ndarray]:
        song = self.songs[s]
        if self.rng.random() < self.transpose_probability:
            possible = np.flatnonzero(self.table[1:, song].min(axis=1) >= 0) + 1
            if possible.size:
                return inputs_and_targets(self.table[self.rng.choice(possible)][song], self.notes, transposed=True)
        return inputs_and_targets(song, self.notes)

    def _streams(self) -> Iterator[tuple[str | int, np.ndarray]]:
        """Region and (2, windows * length): read, answer. A song cut off at the end opens the region's next stream."""
        size = self.windows * self.length
        for region in self.rng.permutation(np.unique(self.regions)):
            waiting = self.rng.permutation(np.flatnonzero(self.regions == region)).tolist()
            while waiting:
                pieces, room = [], size
                while room > 0 and waiting:
                    piece = np.stack(self._song(waiting[-1]))[:, :room]
                    whole = len(self.songs[waiting[-1]]) < room
                    room -= piece.shape[1]
                    pieces.append(piece)
                    if whole or len(pieces) == 1:
                        waiting.pop()
                if room:
                    pieces.append(np.full((2, room), -1, np.int32))
                yield region, np.concatenate(pieces, axis=1)

    def epoch(self) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
        """Batches in order: entries (batch, length, columns), answers (batch, length), whether streams begin.

        Where a stream has ended both are -1, but for what is recalled.
        """
        streams = list(self._streams())
        order, region_ids = self.rng.permutation(len(streams)), None
        if self.token_probability:
            region_ids = np.where(
                self.rng.random(len(streams)) < self.token_probability, [region for region, _ in streams], 0
            )
        for first in range(0, len(order) - self.batch + 1, self.batch):
            chosen = order[first : first + self.batch]
            block = np.stack([streams[k][1] for k in chosen])
            entries = lookback.network_inputs(
                block[:, 0], self.notes, None if region_ids is None else region_ids[chosen]
            )
            for w in range(self.windows):
                window = slice(w * self.length, (w + 1) * self.length)
                yield entries[:, window], block[:, 1, window], w == 0
