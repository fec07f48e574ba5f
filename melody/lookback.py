"""Lookback: what followed earlier in the song, where its last notes were the same as now.

Songs repeat themselves, and an LSTM is slow to learn to copy. So with each note the network reads what a lookback
finds: of the earlier positions with the same last notes, the one with the longest such match, and the longest that was
followed by a different note. Each candidate is given as the note that followed and the length of the match.

    input       START  A  B  C  A  B      the passage A B occurred before,
    candidate                        C    and C followed: (C, 2)

This is the look-up of a short-term model with contexts of any length (Cleary & Teahan 1997, PPM*). The network learns
how far to rely on it. A lookback starts afresh with each song, so only the state carries information between songs.
"""

import numpy as np

CANDIDATES = 2  # the longest match, and the longest that was followed by another note
HORIZON = 256  # how many notes back a lookback searches
MAX_MATCH = 16  # notes; a longer match counts as one of this length
COLUMNS = 1 + 2 * CANDIDATES  # of the network's input: the last note, then note and match length of each candidate


class Lookback:
    """Searches songs side by side while they grow, one note of each at a time.

    `history` (songs, HORIZON) holds the last notes, the newest first. `match` (songs, HORIZON) holds for each position
    k how many notes up to now are the same as those up to k + 1 notes ago.
    """

    def __init__(self, songs: int, notes: int):
        self.notes = notes
        self.history = np.full((songs, HORIZON), -1, np.int16)
        self.match = np.zeros((songs, HORIZON), np.int16)

    def append(self, token: np.ndarray) -> None:
        """Add one integer to each song, (songs,); integers from `notes` on start a new song and clear its history."""
        token = token[:, None]
        is_note = token < self.notes
        self.match = (self.match + 1) * (is_note & (self.history == token))
        self.history = np.concatenate([token, np.where(is_note, self.history[:, :-1], -1)], axis=1, dtype=np.int16)

    def candidates(self) -> np.ndarray:
        """(songs, 2 * CANDIDATES): note and match length of each candidate, (notes, 0) where there is none."""
        rows, found = np.arange(len(self.history)), []
        rank = self.match.astype(np.int32) * HORIZON - np.arange(HORIZON)  # the longest, and of these the newest
        for _ in range(CANDIDATES):
            best = rank.argmax(axis=1)
            length = np.where(rank[rows, best] > 0, self.match[rows, best], 0)
            note = np.where(length > 0, self.history[rows, best], self.notes)
            found += [note, np.minimum(length, MAX_MATCH)]
            rank = np.where(self.history == note[:, None], -1, rank)
        return np.stack(found, axis=1)


def network_inputs(tokens: np.ndarray, notes: int, region_ids: np.ndarray | None = None) -> np.ndarray:
    """The network's input for rows of integers, (songs, time): with the candidates, (songs, time, COLUMNS).

    `region_ids`, (songs,) integers, are a further column for a network that reads a control token.

    >>> network_inputs(np.array([[9, 4, 5, 6, 4, 5]]), notes=9)[0, -1].tolist()  # the last note is 5; 6 followed 4, 5
    [5, 6, 2, 9, 0]
    """
    lookback, columns = Lookback(len(tokens), notes), []
    for token in tokens.T:
        lookback.append(token)
        columns.append(np.column_stack([token, lookback.candidates()]))
    if region_ids is not None:
        columns = [np.column_stack([column, region_ids]) for column in columns]
    return np.stack(columns, axis=1).astype(np.int32)
