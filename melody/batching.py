"""What the network is trained on: streams of songs that have something in common."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from melody import lookback
from melody.descriptors import Descriptors, mean_of_recent
from melody.encoding import UNKNOWN, EncodedSong, inputs, targets
from melody.groupings import SHARES
from melody.traditions import Tradition, Traditions
from melody.vocabulary import Vocabulary

HIDDEN_PHRASES = 1 / 3  # fraction of the songs whose phrase marks are hidden, as most files of one's own have none
TRIES = 8  # songs that are tried before the rest of a stream is left empty


@dataclass(frozen=True)
class TrainingSongs:
    """The songs that streams are made of, and what is known of each."""

    songs: Sequence[EncodedSong]
    groups: dict[str, np.ndarray]  # (songs,) integers for each grouping of `melody.groupings.SHARES`
    mode: list[int]  # index in `melody.descriptors.MODES`
    collection: list[int]  # from 0
    own: Sequence[EncodedSong] = ()  # further songs, the user's own

    def with_own(self, own: "TrainingSongs") -> "TrainingSongs":
        """These songs, and as a further collection with groups of its own those of the user."""
        groups = {
            kind: np.concatenate([numbers, own.groups[kind] + numbers.max() + 1])
            for kind, numbers in self.groups.items()
        }
        collection = self.collection + [max(self.collection) + 1] * len(own.songs)
        return TrainingSongs(self.songs, groups, self.mode + own.mode, collection, own.songs)

    def song(self, s: int) -> EncodedSong:
        return self.songs[s] if s < len(self.songs) else self.own[s - len(self.songs)]

    @cached_property
    def tokens(self) -> int:
        """Of the user's own songs, or of all if there are none."""
        return sum(len(song.pitch) + 1 for song in self.own or self.songs)


class Streams:
    """Whole songs one after another, cut into windows: what the network is trained on.

    A stream begins with a song and the state zero. It has `windows_per_stream` windows of `bptt_length` tokens, and the
    state is carried from one window to the next. Its songs share something (`melody.groupings`), so the network learns
    that what it has read says something about the next song. With two windows of 4 tokens, the songs `a a a`, `b b`
    and `c c c` of one group may give

        inputs   S a a a | S b b -      c does not fit
        targets  a a a E | b b E -      - is -1: the stream has ended

    Songs are sampled at random, about as many tokens in an epoch as the songs have. In `synthetic_probability` of the
    streams all songs are changed in the same way (`melody.traditions`); of the other songs `transpose_probability` are
    transposed, each by itself. If some songs are the user's own, `own_share` of the streams are of these, and an epoch
    has about as many of their tokens as they have. With `token_probability` > 0 the inputs have a further column, the
    control token: in that fraction of the streams the number of the song's collection, from 1, in the others 0.
    """

    def __init__(
        self,
        training: TrainingSongs,
        vocabulary: Vocabulary,
        descriptors: Descriptors,
        *,
        batch: int,
        bptt_length: int,
        windows_per_stream: int,
        transpose_probability: float,
        synthetic_probability: float,
        token_probability: float = 0.0,
        own_share: float = 0.0,
        rng: np.random.Generator,
    ):
        self.training, self.vocabulary, self.descriptors = training, vocabulary, descriptors
        self.traditions = Traditions(vocabulary)
        self.batch, self.bptt_length, self.windows_per_stream = batch, bptt_length, windows_per_stream
        self.transpose_probability, self.synthetic_probability = transpose_probability, synthetic_probability
        self.token_probability, self.own_share, self.rng = token_probability, own_share, rng
        self.members = {kind: _members(numbers) for kind, numbers in training.groups.items()}

    def steps(self) -> int:
        """The number of batches in an epoch; with songs of the user's own, however few, one for each window."""
        tokens, size = self.training.tokens, self.batch * self.bptt_length * self.windows_per_stream
        batches = max(int(tokens / self.own_share / size), 1) if self.training.own else tokens // size
        return batches * self.windows_per_stream

    def epoch(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, bool]]:
        """Inputs (batch, bptt_length, columns), targets (batch, bptt_length, heads), descriptions (batch, bptt_length,
        size) of the songs before, all zeros but at the start of further songs, and whether the streams begin here.

        After the end of a stream its inputs and targets are -1.
        """
        rhythms = len(self.vocabulary.rhythm.rhythms)
        for _ in range(self.steps() // self.windows_per_stream):
            rows = [self._stream() for _ in range(self.batch)]
            tokens, targets, descriptions, region_ids = (np.stack(column) for column in zip(*rows, strict=True))
            ids = region_ids if self.token_probability else None
            read = lookback.with_candidates(tokens, len(self.vocabulary), rhythms, ids)
            for w in range(self.windows_per_stream):
                window = slice(w * self.bptt_length, (w + 1) * self.bptt_length)
                yield read[:, window], targets[:, window], descriptions[:, window], w == 0

    def _stream(self) -> tuple[np.ndarray, ...]:
        """Tokens, targets, descriptions and control tokens of a stream, (time, …) each."""
        order, tradition, time = self._order(), None, self.windows_per_stream * self.bptt_length
        if self.rng.random() < self.synthetic_probability:
            tradition = self.traditions.sample(self.rng)
        with_token = self.rng.random() < self.token_probability
        parts, described, left, tries = [], [], time, 0
        for s in order:
            if not left or tries == TRIES:
                break
            song = self.training.song(s)
            fits = len(song.pitch) < left or not parts
            changed = self._changed(song, tradition) if fits else None
            if changed is None:
                tries += bool(parts)
                continue
            song, transposed = changed
            read, wanted = inputs(song, self.vocabulary, transposed), targets(song, self.vocabulary)
            before = np.zeros((len(read), self.descriptors.size), np.float32)
            if described:
                before[0] = mean_of_recent(described)
            labels = (self.training.mode[s], self.training.collection[s]) if tradition is None else ()
            described.append(self.descriptors.describe(song, *labels))
            ids = np.full(len(read), (self.training.collection[s] + 1) * with_token)
            parts.append([array[:left] for array in (read, wanted, before, ids)])
            left -= len(parts[-1][0])
        if not parts:
            return self._stream()  # no song of the group fits the tradition
        read, wanted, before, ids = (np.concatenate(column) for column in zip(*parts, strict=True))
        padding = [(0, left), (0, 0)]
        return (
            np.pad(read, padding, constant_values=-1),
            np.pad(wanted, padding, constant_values=-1),
            np.pad(before, padding),
            np.pad(ids, padding[0]),
        )

    def _order(self) -> np.ndarray:
        """The songs of a stream in order: those of a random song's group, then others of its collection."""
        kinds = [kind for kind in SHARES if kind in self.members]
        shares = np.array([SHARES[kind] for kind in kinds])
        while True:
            kind, s = kinds[self.rng.choice(len(kinds), p=shares / shares.sum())], self._random_song()
            group = self.members[kind][self.training.groups[kind][s]]
            if len(group) > 1 or kind == "nothing":
                break
        return np.concatenate([self.rng.permutation(group), self.rng.permutation(self._collection(s))])

    def _random_song(self) -> int:
        others, own = len(self.training.songs), len(self.training.own)
        if own and self.rng.random() < self.own_share:
            return others + int(self.rng.integers(own))
        return int(self.rng.integers(others))

    def _collection(self, s: int) -> np.ndarray:
        return self.members["collection"][self.training.groups["collection"][s]]

    def _changed(self, song: EncodedSong, tradition: Tradition | None) -> tuple[EncodedSong, bool] | None:
        """The song as the stream has it, and whether it was changed; None if it does not fit the tradition."""
        if self.rng.random() < HIDDEN_PHRASES:
            song = song._replace(phrase=np.full_like(song.phrase, UNKNOWN))
        if tradition is not None:
            changed = tradition.change(song)
            return None if changed is None else (changed, True)
        table = self.traditions.transpositions[1:]
        if self.rng.random() < self.transpose_probability:
            possible = np.flatnonzero(table[:, song.pitch].min(axis=1) >= 0)
            if possible.size:
                return song._replace(pitch=table[self.rng.choice(possible)][song.pitch]), True
        return song, False


def _members(numbers: np.ndarray) -> list[np.ndarray]:
    """The songs of each group."""
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
