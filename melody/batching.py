"""What the network is trained on: inputs, targets, and streams of songs.

An integer from 0 to V - 1 is a note of a vocabulary of V notes. V stands for the start of a song in the inputs and for
its end in the targets; V + 1 stands for the start of a transposed song.

    inputs   START  n1  n2  n3
    targets     n1  n2  n3  END
"""

from collections.abc import Iterator, Sequence

import numpy as np

from melody import lookback
from melody.vocabulary import Vocabulary


def transpositions(vocabulary: Vocabulary, furthest: int = 6) -> np.ndarray:
    """The note that each note becomes when a song is transposed by 0, then by -furthest … furthest fifths.

    (transpositions, notes) integers; -1 where the vocabulary has no such note. Each transposition is to the nearest
    octave: a fifth up becomes a fourth down. The first row changes nothing.
    """
    spellings = list(zip(vocabulary.step, vocabulary.fifth, strict=True))
    index = {spelling: note for note, spelling in enumerate(spellings)}
    rows = []
    for fifths in [0, *(f for f in range(-furthest, furthest + 1) if f)]:
        steps = (4 * fifths + 3) % 7 - 3
        rows.append([index.get((step + steps, fifth + fifths), -1) for step, fifth in spellings])
    return np.array(rows)


def inputs_and_targets(song: np.ndarray, notes: int, transposed: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The network's inputs of a song and its targets, (len(song) + 1,) each; `notes` = len(vocabulary).

    >>> [array.tolist() for array in inputs_and_targets(np.array([5, 7]), 76)]
    [[76, 5, 7], [5, 7, 76]]
    """
    start = notes + 1 if transposed else notes
    return np.concatenate([[start], song]).astype(np.int32), np.concatenate([song, [notes]]).astype(np.int32)


class Streams:
    """Songs of one region one after another, cut into windows: what the network is trained on.

    A stream begins with a song and the state zero. It has `windows_per_stream` windows of `bptt_length` notes, and the
    state is carried from one window to the next. So the network learns that the songs which it has read of a region
    say something about the next one. With two windows of 4 notes, the songs `a a a`, `b b` and `c c c` of a region are

        inputs   S a a a | S b b S      the first stream; c is cut off,
                 S c c c | - - - -      so it is read again from its start in the next one
        targets  a a a E | b b E c
                 c c c E | - - - -      - is -1: the stream has ended

    In an epoch each song is read to its end once, in random order; only songs longer than a stream are not. Streams
    are shuffled, and those that do not fill the last batch are left out.
    With `token_probability` > 0 the inputs have a further column, the control token: in that fraction of the streams
    the number of the region, from 1, in the others 0.
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
        self.notes, self.transpositions = len(vocabulary), transpositions(vocabulary)
        self.batch, self.bptt_length, self.windows_per_stream = batch, bptt_length, windows_per_stream
        self.transpose_probability, self.token_probability = transpose_probability, token_probability
        self.rng = rng

    def epoch(self) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
        """Inputs (batch, bptt_length, columns), targets (batch, bptt_length), and whether the streams begin here.

        After the end of a stream its last note and its targets are -1.
        """
        streams = list(self._streams())
        order, region_ids = self.rng.permutation(len(streams)), None
        if self.token_probability:
            with_token = self.rng.random(len(streams)) < self.token_probability
            region_ids = np.where(with_token, [region for region, _ in streams], 0)
        for first in range(0, len(order) - self.batch + 1, self.batch):
            chosen = order[first : first + self.batch]
            tokens, targets = np.stack([streams[k][1] for k in chosen], axis=1)
            inputs = lookback.network_inputs(tokens, self.notes, None if region_ids is None else region_ids[chosen])
            for w in range(self.windows_per_stream):
                window = slice(w * self.bptt_length, (w + 1) * self.bptt_length)
                yield inputs[:, window], targets[:, window], w == 0

    def steps(self) -> int:
        """The number of batches in an epoch."""
        return sum(1 for _ in self._streams()) // self.batch * self.windows_per_stream

    def _streams(self) -> Iterator[tuple[str | int, np.ndarray]]:
        """Region, and (2, windows * length) inputs and targets of each stream."""
        for region in self.rng.permutation(np.unique(self.regions)):
            unread = self.rng.permutation(np.flatnonzero(self.regions == region)).tolist()
            while unread:
                yield region, self._stream(unread)

    def _stream(self, unread: list[int]) -> np.ndarray:
        """Read songs from the end of the list `unread` until the stream is full, and remove those from the list.

        A song that is cut off stays in the list, unless the stream begins with it.
        """
        parts, left = [], self.windows_per_stream * self.bptt_length
        while left and unread:
            song = np.stack(self._song(unread[-1]))
            parts.append(song[:, :left])
            if song.shape[1] <= left or len(parts) == 1:
                unread.pop()
            left -= parts[-1].shape[1]
        return np.concatenate([*parts, np.full((2, left), -1, np.int32)], axis=1)

    def _song(self, s: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of song s, transposed with `transpose_probability` if the vocabulary allows it."""
        song = self.songs[s]
        if self.rng.random() < self.transpose_probability:
            possible = np.flatnonzero(self.transpositions[1:, song].min(axis=1) >= 0) + 1
            if possible.size:
                transposed = self.transpositions[self.rng.choice(possible)][song]
                return inputs_and_targets(transposed, self.notes, transposed=True)
        return inputs_and_targets(song, self.notes)
