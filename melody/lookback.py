"""Lookback: what followed earlier in the song, where its last pitches were the same as now.

Songs repeat themselves, and an LSTM is slow to learn to copy. So with each note the network reads what a lookback
finds: of the earlier positions with the same last notes, the one with the longest such match, and the longest that was
followed by a different pitch. Each candidate is given as the pitch that followed, the length of the match, and, if the
network reads rhythms, the rhythm of the note that followed.

    input       START  A  B  C  A  B      the passage A B occurred before,
    candidate                        C    and C followed: (C, 2, rhythm of C)

This is the look-up of a short-term model with contexts of any length (Cleary & Teahan 1997, PPM*). The network learns
how far to rely on it. A lookback starts afresh with each song, so only the state carries information between songs.
"""

import numpy as np

CANDIDATES = 2  # the longest match, and the longest that was followed by another note
HORIZON = 256  # how many notes back a lookback searches
MAX_MATCH = 16  # notes; a longer match counts as one of this length


def candidate_columns(with_rhythm: bool) -> int:
    """Columns of a candidate: pitch, match length, and rhythm."""
    return 3 if with_rhythm else 2


class Lookback:
    """Searches songs side by side while they grow, one note of each at a time.

    `history` (songs, HORIZON) holds the last pitches, the newest first, `rhythms` their rhythms. `match` (songs,
    HORIZON) holds for each position k how many pitches up to now are the same as those up to k + 1 notes ago.
    """

    def __init__(self, songs: int, notes: int, rhythms: int = 0):
        self.notes, self.no_rhythm = notes, rhythms
        self.history = np.full((songs, HORIZON), -1, np.int16)
        self.match = np.zeros((songs, HORIZON), np.int16)
        self.rhythms = np.full((songs, HORIZON if rhythms else 0), rhythms, np.int16)

    def append(self, pitch: np.ndarray, rhythm: np.ndarray | None = None) -> None:
        """Add one note to each song, (songs,); integers from `notes` on start a new song and clear its history."""
        pitch = pitch[:, None]
        is_note = pitch < self.notes
        self.match = (self.match + 1) * (is_note & (self.history == pitch))
        self.history = np.concatenate([pitch, np.where(is_note, self.history[:, :-1], -1)], axis=1, dtype=np.int16)
        if self.no_rhythm:
            self.rhythms = np.concatenate([rhythm[:, None], self.rhythms[:, :-1]], axis=1, dtype=np.int16)

    def candidates(self) -> np.ndarray:
        """(songs, CANDIDATES * columns): pitch, match length (and rhythm) of each, (notes, 0, rhythms) if none."""
        rows, found = np.arange(len(self.history)), []
        rank = self.match.astype(np.int32) * HORIZON - np.arange(HORIZON)  # the longest, and of these the newest
        for _ in range(CANDIDATES):
            best = rank.argmax(axis=1)
            length = np.where(rank[rows, best] > 0, self.match[rows, best], 0)
            pitch = np.where(length > 0, self.history[rows, best], self.notes)
            found += [pitch, np.minimum(length, MAX_MATCH)]
            if self.no_rhythm:
                found.append(np.where(length > 0, self.rhythms[rows, best], self.no_rhythm))
            rank = np.where(self.history == pitch[:, None], -1, rank)
        return np.stack(found, axis=1)


def with_candidates(
    tokens: np.ndarray, notes: int, rhythms: int = 0, region_ids: np.ndarray | None = None
) -> np.ndarray:
    """The network's input for rows of tokens, (songs, time, tokens): with the columns of the candidates.

    The first tokens are the last pitch and, with `rhythms` > 0, its rhythm; see `melody.encoding.inputs`. `region_ids`,
    (songs, time) or (songs, 1) integers, are a further column for a network that reads a control token.

    >>> with_candidates(np.array([[[9], [4], [5], [6], [4], [5]]]), notes=9)[0, -1].tolist()  # 6 followed 4, 5
    [5, 6, 2, 9, 0]
    """
    lookback, columns = Lookback(len(tokens), notes, rhythms), []
    for t in range(tokens.shape[1]):
        lookback.append(tokens[:, t, 0], tokens[:, t, 1] if rhythms else None)
        columns.append(lookback.candidates())
    parts = [tokens, np.stack(columns, axis=1)]
    if region_ids is not None:
        parts.append(np.broadcast_to(region_ids[..., None], (*tokens.shape[:2], 1)))
    return np.concatenate(parts, axis=2, dtype=np.int32)
