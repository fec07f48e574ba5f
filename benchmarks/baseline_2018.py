"""What a user would have run in 2018: the first public implementation's ways, written anew and as small as they go.

Faithful to it are: windows of 15 notes over all songs glued together, each teaching the one note that follows; a note
read as one number, its rank by name divided by how many there are; three LSTM layers, dropout, a dense layer and a
softmax; RMSprop and `fit`; `model.predict` for each note composed, of a window that is read from its start each time,
and the likeliest note taken; `model.predict` for each memory. It has no recall, no embedding, no start and no end. The
sizes of its layers are ours.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from benchmarks import adapters, synthetic
from melody.vocabulary import ESSEN

WINDOW = 15  # notes
NOTES = len(ESSEN)


def network(shape: dict, dropout: float) -> keras.Model:
    """Notes (batch, time, 1), from 0 to 1 -> how likely each note is to follow, (batch, notes)."""
    keras.utils.set_random_seed(0)
    x = entry = keras.Input((None, 1))
    for k in range(shape["layers"]):
        last = k == shape["layers"] - 1
        x = layers.LSTM(shape["units"], return_sequences=not last, name=f"lstm_{k + 1}")(x)
        x = layers.Dropout(dropout)(x)
    x = layers.Dense(shape["dense"], activation="relu")(x)
    return keras.Model(entry, layers.Dense(NOTES, activation="softmax")(x))


def scaled(notes: np.ndarray) -> np.ndarray:
    """Integers (…) as the network reads them, (…, 1): rank by name over the number of notes."""
    ranks = np.argsort(np.argsort(ESSEN.names))
    return (ranks[notes] / NOTES)[..., None].astype(np.float32)


def windows(songs: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """All windows of the songs glued together, (windows, 15, 1), and what follows each, (windows, notes) one-hot."""
    notes = np.concatenate(songs)
    read = np.lib.stride_tricks.sliding_window_view(notes, WINDOW)[:-1]
    return scaled(read), np.eye(NOTES, dtype=np.float32)[notes[WINDOW:]]


def training(shape: dict, batch: int, dropout: float, steps: int) -> adapters.Round:
    """Train on `steps` batches of windows; work is useful notes: one a window."""
    model = network(shape, dropout)
    model.compile(keras.optimizers.RMSprop(), "categorical_crossentropy")
    read, answer = windows(adapters.song_notes(steps * batch // synthetic.MEAN + 10))
    count = steps * batch

    def one_round() -> float:
        model.fit(read[:count], answer[:count], batch_size=batch, verbose=0)
        return count

    return one_round


def memories(shape: dict, count: int, notes: int) -> adapters.Round:
    """Read `notes` notes and keep h and c of each layer, one memory at a time; work is memories."""
    entry = x = keras.Input((None, 1))
    states = []
    for k in range(shape["layers"]):
        x, *state = layers.LSTM(shape["units"], return_sequences=True, return_state=True, name=f"lstm_{k + 1}")(x)
        states += state
    reader = keras.Model(entry, states)
    rows = scaled(np.random.default_rng(0).integers(0, NOTES, (count, 1, notes)))

    def one_round() -> float:
        kept = [np.concatenate(reader.predict(row, verbose=0), axis=1) for row in rows]
        return len(kept)

    return one_round


def composing(shape: dict, length: int) -> adapters.Round:
    """Compose one song of `length` notes upon 15 notes of another; work is notes."""
    model = network(shape, 0.3)
    opening = list(np.random.default_rng(0).integers(0, NOTES, WINDOW))

    def one_round() -> float:
        song = list(opening)
        for _ in range(length):
            likely = model.predict(scaled(np.array([song[-WINDOW:]])), verbose=0)
            song.append(int(np.argmax(likely)))
        return length

    return one_round
