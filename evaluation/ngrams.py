"""Models without a network: Kneser-Ney, a short-term model of the song so far, and a combination of both.

Each gives for every note of every song the probability of each note of the vocabulary: one array
(notes of all songs, vocabulary). The combination follows Pearce (2005), whose system IDyOM it is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

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
        """The contexts of a length, (code, offset of its followers, distinct followers, all followers) each, and their
        followers in the same order, (symbol, count) each."""
        here, place = grams[length][grams[length] >= 0], self.base**length
        if length < self.context:
            longer = np.unique(grams[length + 1][grams[length + 1] >= 0]) % (place * self.base)
            here = np.concatenate([longer, here[here // place == self.symbols] if length else here[:0]])
        codes, counts = np.unique(here, return_counts=True)
        contexts, begins = np.unique(codes // self.base, return_index=True)
        totals = np.add.reduceat(counts, begins) if len(begins) else counts
        return (contexts, begins, np.diff(begins, append=len(codes)), totals), (codes % self.base, counts)

    def probabilities(self, songs: Songs) -> np.ndarray:
        """(notes of all songs, symbols): the probability of each symbol in the place of each note."""
        return self.after(_contexts(songs, self.symbols, self.context)[1])

    def after(self, contexts: Sequence[np.ndarray]) -> np.ndarray:
        """(rows, symbols), given the codes (rows,) of the last 0, 1, 2 … symbols; -1 where there are not so many."""
        found = np.full((len(contexts[0]), self.symbols), 1 / self.symbols)
        for ((known, *entry), (followers, counts)), codes in zip(self.tables, contexts, strict=True):
            place = np.searchsorted(known, codes)
            rows = np.flatnonzero(np.take(np.append(known, -2), place) == codes)
            begins, kinds, totals = (column[place[rows]] for column in entry)
            found[rows] *= (self.discount * kinds / totals)[:, None]
            places = np.repeat(begins - np.cumsum(kinds) + kinds, kinds) + np.arange(kinds.sum())
            shares = np.maximum(counts[places] - self.discount, 0) / np.repeat(totals, kinds)
            found[np.repeat(rows, kinds), followers[places]] += shares
        return found


def _contexts(songs: Songs, symbols: int, context: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """The notes of all songs, and for each length 0 … context the code of that many symbols before each note, or -1.

    >>> targets, contexts = _contexts([np.array([5, 7])], 9, 2)  # the start is symbol 9, so the base is 10
    >>> targets.tolist(), [codes.tolist() for codes in contexts]
    ([5, 7], [[0, 0], [9, 5], [-1, 95]])
    """
    stream = np.concatenate([np.zeros(0, np.int64), *(np.append(symbols, song).astype(np.int64) for song in songs)])
    place = np.concatenate([np.zeros(0, int), *(np.arange(len(song) + 1) for song in songs)])
    notes = np.flatnonzero(place)
    codes, contexts = np.zeros(len(notes), np.int64), [np.zeros(len(notes), np.int64)]
    for length in range(1, context + 1):
        enough = place[notes] >= length
        codes = np.where(enough, codes + stream[np.maximum(notes - length, 0)] * (symbols + 1) ** (length - 1), -1)
        contexts.append(codes)
    return stream[notes], contexts


def short_term(songs: Songs, symbols: int, context: int = 7) -> np.ndarray:
    """(notes of all songs, symbols): a model of the song up to each note (Witten & Bell 1991, method C).

    After c occurrences of a context with t different followers, a symbol that occurred n times has the probability
    (n + t p) / (c + t), where p is its probability after the context one symbol shorter; the first p is 1 / symbols.
    """
    rows = [row for song in songs for row in _own_rows(song.tolist(), symbols, context)]
    return np.array(rows).reshape(-1, symbols)


def _own_rows(song: list[int], symbols: int, context: int):
    followers: dict[tuple[int, ...], np.ndarray] = {}
    for place, note in enumerate(song):
        found = np.full(symbols, 1 / symbols)
        before = [tuple(song[place - length : place]) for length in range(min(context, place) + 1)]
        for counts in (followers[tail] for tail in before if tail in followers):
            kinds = np.count_nonzero(counts)
            found = (counts + kinds * found) / (counts.sum() + kinds)
        yield found
        for tail in before:
            followers.setdefault(tail, np.zeros(symbols))[note] += 1


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
    new = [(song, _relative(key, vocabulary, symbols)) for song, key in zip(songs, song_keys, strict=True)]
    found, ends = otherwise.copy(), np.cumsum([len(song) for song in songs])
    if not any(table is not None for _, table in known):
        return found
    model = KneserNey([table[song] for song, table in known if table is not None], len(symbols), context)
    for (song, table), end in zip(new, ends, strict=True):
        if table is not None and len(song):
            chances = model.probabilities([table[song]])[:, table]
            found[end - len(song) : end] = chances / chances.sum(axis=1, keepdims=True)
    return found


def _relative(key: str, vocabulary: Vocabulary, symbols: dict[tuple, int]) -> np.ndarray | None:
    """For each note of the vocabulary the symbol of its scale degree, (notes,); new ones are added to `symbols`."""
    tonic = _tonic(key)
    if tonic is None:
        return None
    step, midi, mode = tonic
    degrees = [(s - step, m - midi, mode) for s, m in zip(vocabulary.step, vocabulary.midi, strict=True)]
    return np.array([symbols.setdefault(place, len(symbols)) for place in degrees])


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
    for place in range(length):
        codes = [np.zeros(len(going), np.int64)]
        for back in range(1, min(context, place + 1) + 1):
            symbol = stream[going, place - back] if back <= place else model.symbols
            codes.append(codes[-1] + symbol * model.base ** (back - 1))
        codes += [np.full(len(going), -1)] * (context + 1 - len(codes))
        chances = model.after(codes)
        if not place:
            chances[:, notes] = 0  # no song is empty
        reached = np.cumsum(chances, axis=1)
        sampled = (reached <= rng.random((len(going), 1)) * reached[:, -1:]).sum(axis=1)
        stream[going, place] = np.minimum(sampled, notes)
        going = going[stream[going, place] < notes]
    return [_until(row, notes) for row in stream]


def _until(row: np.ndarray, end: int) -> np.ndarray:
    return row[: np.flatnonzero(row == end)[0]]
