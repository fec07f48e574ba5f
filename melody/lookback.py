"""Recall: how the song itself went on, the last times it stood as it does now.

Songs repeat themselves, and an LSTM is slow to learn to copy. So beside each note it reads what a look back finds:
of the earlier places where the last notes have been heard before, the one with the longest such passage, and the
longest that went on to another note. A place is told by the note that followed and the length of the passage.

    read        START  A  B  C  A  B      the passage A B was heard before,
    recalled                         C    and C followed: (C, 2)

This is the look-up of a short-term model with contexts of any length (Cleary & Teahan 1997, PPM*), handed to the
network to make of it what it can. Recall begins anew with each song, so that a memory alone tells of songs before.
"""

from __future__ import annotations

import numpy as np

PLACES = 2  # recalled: the longest passage, and the longest that went on otherwise
REACH = 256  # notes that a look back goes back at most
LONGEST = 16  # notes; a longer passage counts as one of these
COLUMNS = 1 + 2 * PLACES  # of an entry: what is read, then note and length of each place


class Lookback:
    """A look back over songs as they are read, one note of each at a time.

    `heard` (songs, REACH) are the last notes, the newest first, and `match` (songs, REACH) says of each place k how
    many notes up to now are those up to k + 1 notes ago.
    """

    def __init__(self, songs: int, notes: int):
        self.notes = notes
        self.heard = np.full((songs, REACH), -1, np.int16)
        self.match = np.zeros((songs, REACH), np.int16)

    def read(self, entry: np.ndarray) -> None:
        """Read one integer of each song, (songs,); those beyond the notes begin a song and wipe out what was heard."""
        entry = entry[:, None]
        goes_on = entry < self.notes
        self.match = (self.match + 1) * (goes_on & (self.heard == entry))
        self.heard = np.concatenate([entry, np.where(goes_on, self.heard[:, :-1], -1)], axis=1, dtype=np.int16)

    def places(self) -> np.ndarray:
        """(songs, 2 * PLACES): note and length of each place, (notes, 0) where there is none."""
        rows, found = np.arange(len(self.heard)), []
        order = self.match.astype(np.int32) * REACH - np.arange(REACH)  # the longest, and of these the newest
        for _ in range(PLACES):
            place = order.argmax(axis=1)
            length = np.where(order[rows, place] > 0, self.match[rows, place], 0)
            note = np.where(length > 0, self.heard[rows, place], self.notes)
            found += [note, np.minimum(length, LONGEST)]
            order = np.where(self.heard == note[:, None], -1, order)
        return np.stack(found, axis=1)


def network_inputs(read: np.ndarray, notes: int, told: np.ndarray | None = None) -> np.ndarray:
    """What the network is given of rows of integers, (songs, time): with what is recalled, (songs, time, COLUMNS).

    `told`, (songs,) integers, stands in a further column where the network is told something of each song.

    >>> entries(np.array([[9, 4, 5, 6, 4, 5]]), notes=9)[0, -1].tolist()  # 5 is read; 6 followed upon 4, 5
    [5, 6, 2, 9, 0]
    """
    recall, columns = Lookback(len(read), notes), []
    for entry in read.T:
        recall.read(entry)
        columns.append(np.column_stack([entry, recall.places()]))
    if told is not None:
        columns = [np.column_stack([column, told]) for column in columns]
    return np.stack(columns, axis=1).astype(np.int32)
