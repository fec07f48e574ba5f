"""Models without a network: Kneser-Ney, a short-term model of the song so far, and a combination of both.

Each gives for every note of every song the probability of each note of the vocabulary: one array
(notes of all songs, vocabulary). The combination follows Pearce (2005), whose system IDyOM it is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from melody.encoding import EncodedSong
from melody.key import stated
from melody.vocabulary import Spelling, Vocabulary

Songs = Sequence[np.ndarray]
DISCOUNT = 0.8  # subtracted from every count; its mass goes to shorter contexts


class KneserNey:
    """Interpolated Kneser-Ney with one discount (Chen & Goodman 1999, eq. 26) over the last `context` symbols.

    Songs hold integers below `symbols`; each is preceded by a start symbol. Shorter contexts count in how many
    different longer ones a symbol occurs; the shortest backs off to 1 / symbols. Contexts at the start of a song have
    nothing before them and keep their plain counts.
    """

    def __init__(self, songs: Songs, symbols: int, context: int, discount: float = DISCOUNT):
        self.symbols, self.base, self.context, self.discount = symbols, symbols + 1, context, discount
        if self.base ** (context + 1) > np.iinfo(np.int64).max:
            raise ValueError(f"{context} symbols out of {symbols} do not fit into 64 bits")
        targets, contexts = _contexts(songs, symbols, context)
        grams = [np.where(codes >= 0, codes * self.base + targets, -1) for codes in contexts]
        self.tables = [self._table(grams, length) for length in range(context + 1)]

    def _table(self, grams: list[np.ndarray], length: int):
        here, power = grams[length][grams[length] >= 0], self.base**length
        if length < self.context:
            longer = np.unique(grams[length + 1][grams[length + 1] >= 0]) % (power * self.base)
            here = np.concatenate([longer, here[here // power == self.symbols] if length else here[:0]])
        return _counted(here, self.base)

    def probabilities(self, songs: Songs) -> np.ndarray:
        """(notes of all songs, symbols): the probability of each symbol at each note."""
        return self.after(_contexts(songs, self.symbols, self.context)[1])

    def after(self, contexts: Sequence[np.ndarray]) -> np.ndarray:
        """(rows, symbols), given the codes (rows,) of the last 0, 1, 2 … symbols; -1 where there are not so many."""
        found = np.full((len(contexts[0]), self.symbols), 1 / self.symbols)
        for ((known, *entry), (followers, counts)), codes in zip(self.tables, contexts, strict=True):
            index = np.searchsorted(known, codes)
            rows = np.flatnonzero(np.take(np.append(known, -2), index) == codes)
            begins, kinds, totals = (column[index[rows]] for column in entry)
            found[rows] *= (self.discount * kinds / totals)[:, None]
            indices = np.repeat(begins - np.cumsum(kinds) + kinds, kinds) + np.arange(kinds.sum())
            shares = np.maximum(counts[indices] - self.discount, 0) / np.repeat(totals, kinds)
            found[np.repeat(rows, kinds), followers[indices]] += shares
        return found


class KneserNeyInBar(KneserNey):
    """Kneser-Ney given where each symbol stands, and the last `context` symbols.

    `positions` are integers, one for each symbol of `songs`: the time signature and beat position (`bar_positions`).
    The shortest context is none, the next one the position alone.
    """

    def __init__(self, songs: Songs, positions: Songs, symbols: int, context: int = 3, discount: float = DISCOUNT):
        self.symbols, self.base, self.context, self.discount = symbols, symbols + 1, context, discount
        symbols_there = np.concatenate([np.zeros(0, np.int64), *songs]).astype(np.int64)
        grams = [codes * self.base + symbols_there for codes in self._contexts(songs, positions)]
        different = [here[np.unique(longer, return_index=True)[1]] for here, longer in pairwise(grams)]
        self.tables = [_counted(here, self.base) for here in (*different, grams[-1])]

    def probabilities(self, songs: Songs, positions: Songs) -> np.ndarray:
        """(notes of all songs, symbols)."""
        return self.after(self._contexts(songs, positions))

    def _contexts(self, songs: Songs, positions: Songs) -> list[np.ndarray]:
        codes = np.concatenate([np.zeros(0, np.int64), *positions]).astype(np.int64)
        contexts = [np.zeros_like(codes), codes]
        for back in range(1, self.context + 1):
            before = [np.append(np.full(back, self.symbols), song)[: len(song)] for song in songs]
            codes = codes * self.base + np.concatenate([np.zeros(0, np.int64), *before]).astype(np.int64)
            contexts.append(codes)
        return contexts


def _counted(grams: np.ndarray, base: int):
    """The contexts of a length, (code, offset of its followers, distinct followers, all followers) each, and their
    followers in the same order, (symbol, count) each."""
    codes, counts = np.unique(grams, return_counts=True)
    contexts, begins = np.unique(codes // base, return_index=True)
    totals = np.add.reduceat(counts, begins) if len(begins) else counts
    return (contexts, begins, np.diff(begins, append=len(codes)), totals), (codes % base, counts)


def _contexts(songs: Songs, symbols: int, context: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """The notes of all songs, and for each length 0 … context the code of that many symbols before each note, or -1.

    >>> targets, contexts = _contexts([np.array([5, 7])], 9, 2)  # the start is symbol 9, so the base is 10
    >>> targets.tolist(), [codes.tolist() for codes in contexts]
    ([5, 7], [[0, 0], [9, 5], [-1, 95]])
    """
    stream = np.concatenate([np.zeros(0, np.int64), *(np.append(symbols, song).astype(np.int64) for song in songs)])
    index = np.concatenate([np.zeros(0, int), *(np.arange(len(song) + 1) for song in songs)])
    notes = np.flatnonzero(index)
    codes, contexts = np.zeros(len(notes), np.int64), [np.zeros(len(notes), np.int64)]
    for length in range(1, context + 1):
        enough = index[notes] >= length
        codes = np.where(enough, codes + stream[np.maximum(notes - length, 0)] * (symbols + 1) ** (length - 1), -1)
        contexts.append(codes)
    return stream[notes], contexts


def short_term(songs: Songs, symbols: int, context: int = 7, positions: Songs | None = None) -> np.ndarray:
    """(notes of all songs, symbols): a model of the song up to each note (Witten & Bell 1991, method C).

    After c occurrences of a context with t different followers, a symbol that occurred n times has the probability
    (n + t p) / (c + t), where p is its probability after the context one symbol shorter; the first p is 1 / symbols.
    With `positions`, as `KneserNeyInBar`'s, all contexts but the empty one begin with the position.
    """
    rows = [np.zeros((0, symbols))]
    for song, where in zip(map(np.ndarray.tolist, songs), positions or [None] * len(songs), strict=True):
        followers: dict[tuple[int, ...], np.ndarray] = {}
        found = np.full((len(song), symbols), 1 / symbols)
        for index, note in enumerate(song):
            before = [tuple(song[index - length : index]) for length in range(min(context, index) + 1)]
            if where is not None:
                before = [(), *((where[index], *tail) for tail in before)]
            for counts in (followers[tail] for tail in before if tail in followers):
                kinds = np.count_nonzero(counts)
                found[index] = (counts + kinds * found[index]) / (counts.sum() + kinds)
            for tail in before:
                followers.setdefault(tail, np.zeros(symbols))[note] += 1
        rows.append(found)
    return np.concatenate(rows)


def combined(predictions: Sequence[np.ndarray], bias: float) -> np.ndarray:
    """The geometric mean of distributions, (notes, symbols) each, weighted by relative entropy.

    The weights are (H / H_max) ** -bias (Pearce 2005, section 6.2.4).
    """
    logs = [np.log2(prediction) for prediction in predictions]
    entropies = [-(p * log).sum(axis=1, keepdims=True) for p, log in zip(predictions, logs, strict=True)]
    weights = [np.maximum(entropy / np.log2(logs[0].shape[1]), 1e-6) ** -bias for entropy in entropies]
    mixed = sum(weight * log for weight, log in zip(weights, logs, strict=True)) / sum(weights)
    mixed = np.exp2(mixed - mixed.max(axis=1, keepdims=True))
    return mixed / mixed.sum(axis=1, keepdims=True)


KNESER_NEY_5, IN_BAR = "Kneser-Ney 5", "meter, beat position and last 3 rhythms"
IN_BAR_AND_SONG = f"{IN_BAR} + short-term"
LONG_TERM = 0.7  # the weight of the long-term model of rhythms beside the short-term one


def rhythm_probabilities(
    training: Sequence[EncodedSong], songs: Sequence[EncodedSong], rhythms: int
) -> dict[str, np.ndarray]:
    """The rhythm of each note of `songs` by three models, (notes of all songs, rhythms + 1) each; the last is OTHER."""
    known, lines = ([song.rhythm for song in some] for some in (training, songs))
    positions, symbols = bar_positions(songs), rhythms + 1
    in_bar = KneserNeyInBar(known, bar_positions(training), symbols).probabilities(lines, positions)
    mixed = LONG_TERM * in_bar + (1 - LONG_TERM) * short_term(lines, symbols, positions=positions)
    return {KNESER_NEY_5: KneserNey(known, symbols, 5).probabilities(lines), IN_BAR: in_bar, IN_BAR_AND_SONG: mixed}


def bar_positions(songs: Sequence[EncodedSong]) -> list[np.ndarray]:
    """The time signature and beat position before each note as one integer, (notes,) per song."""
    return [song.signature * 1000 + song.beat[:-1].astype(np.int64) for song in songs]


def relative_to_key(
    training: Songs,
    keys: Sequence[str],
    songs: Songs,
    song_keys: Sequence[str],
    vocabulary: Vocabulary,
    otherwise: np.ndarray,
    context: int = 5,
) -> np.ndarray:
    """(notes of all songs, vocabulary): Kneser-Ney over notes as distances from the stated tonic, and mode.

    A song without a stated key keeps its rows of `otherwise`.
    """
    symbols: dict[tuple, int] = {}
    known = [(song, _relative(key, vocabulary, symbols)) for song, key in zip(training, keys, strict=True)]
    known = [table[song] for song, table in known if table is not None]
    tables = [_relative(key, vocabulary, symbols) for key in song_keys]
    found, ends = otherwise.copy(), np.cumsum([len(song) for song in songs])
    model = KneserNey(known, len(symbols), context) if known else None
    for song, table, end in zip(songs, tables, ends, strict=True):
        if model and table is not None and len(song):
            chances = model.probabilities([table[song]])[:, table]
            found[end - len(song) : end] = chances / chances.sum(axis=1, keepdims=True)
    return found


def _relative(key: str, vocabulary: Vocabulary, symbols: dict[tuple, int]) -> np.ndarray | None:
    """For each note of the vocabulary the symbol of its scale degree, (notes,); new ones are added to `symbols`."""
    if (tonic := _tonic(key)) is None:
        return None
    step, midi, mode = tonic
    degrees = [(s - step, m - midi, mode) for s, m in zip(vocabulary.step, vocabulary.midi, strict=True)]
    return np.array([symbols.setdefault(degree, len(symbols)) for degree in degrees])


def _tonic(key: str) -> tuple[int, int, str] | None:
    """Diatonic step and MIDI number of the tonic from C4 up, and the mode; of a signature alone, of its major key.

    >>> _tonic("F"), _tonic("d"), _tonic("k[b-]"), _tonic("")
    ((31, 65, 'major'), (29, 62, 'minor'), (31, 65, 'unknown'), None)
    """
    named = re.fullmatch(r"([A-Ga-g])([#-]*)", key)
    if named:
        note = Spelling(f"{named[1].upper()}{named[2]}4")
        return note.step, note.midi, "minor" if named[1].islower() else "major"
    fifths = stated(key)
    return None if fifths is None else (28 + 4 * fifths % 7, 60 + 7 * fifths % 12, "unknown")


def bits(probabilities: np.ndarray, songs: Songs) -> np.ndarray:
    """Information content of the actual notes, (notes of all songs,)."""
    notes = np.concatenate([np.zeros(0, int), *songs])
    return -np.log2(probabilities[np.arange(len(notes)), notes])


def kneser_ney_songs(songs: Songs, notes: int, context: int, count: int, rng: np.random.Generator, length: int = 300):
    """`count` songs sampled from a Kneser-Ney model of `songs`, which also ends them; `length` notes at most."""
    model = KneserNey([np.append(song, notes) for song in songs], notes + 1, context)
    stream, going = np.full((count, length + 1), notes), np.arange(count)
    for index in range(length):
        codes = [np.zeros(len(going), np.int64)]
        for back in range(1, min(context, index + 1) + 1):
            symbol = stream[going, index - back] if back <= index else model.symbols
            codes.append(codes[-1] + symbol * model.base ** (back - 1))
        codes += [np.full(len(going), -1)] * (context + 1 - len(codes))
        chances = model.after(codes)
        if not index:
            chances[:, notes] = 0  # no song is empty
        reached = np.cumsum(chances, axis=1)
        sampled = (reached <= rng.random((len(going), 1)) * reached[:, -1:]).sum(axis=1)
        stream[going, index] = np.minimum(sampled, notes)
        going = going[stream[going, index] < notes]
    return [row[: np.flatnonzero(row == notes)[0]] for row in stream]
