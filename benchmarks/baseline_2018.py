"""The 2018 implementation (github.com/qlemaire22/music-generation), rewritten as small as possible.

Like the original it trains on windows of 15 notes over all songs joined, each with one target note. A note is one
number, its rank by name divided by the number of notes. The network has three LSTM layers, dropout, a dense layer and a
softmax, and is trained with RMSprop and `fit`. It composes with one `model.predict` per note, on a window read from its
start, and takes the most likely note. It makes each memory with one `model.predict`. It has no lookback, no embedding,
no START and no END. The layer sizes are those of this project.
"""

import keras
import numpy as np
from keras import layers

from benchmarks import Round, synthetic
from melody.vocabulary import ESSEN

WINDOW = 15  # notes
NOTES = len(ESSEN)


def networks(shape: dict, dropout: float = 0.3) -> tuple[keras.Model, keras.Model]:
    """Scaled notes (batch, time, 1) -> probabilities of the next note, (batch, notes); and -> h and c of each layer."""
    keras.utils.set_random_seed(0)
    x = notes = keras.Input((None, 1))
    states = []
    for k in reversed(range(shape["layers"])):
        x, *state = layers.LSTM(shape["units"], return_sequences=k > 0, return_state=True)(x)
        x = layers.Dropout(dropout)(x)
        states += state
    x = layers.Dense(shape["dense"], activation="relu")(x)
    return keras.Model(notes, layers.Dense(NOTES, activation="softmax")(x)), keras.Model(notes, states)


def scaled(notes: np.ndarray) -> np.ndarray:
    """Integers (…) as network inputs (…, 1): rank by name divided by the number of notes."""
    ranks = np.argsort(np.argsort(ESSEN.names))
    return (ranks[notes] / NOTES)[..., None].astype(np.float32)


def windows(songs: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """All windows of the joined songs, (windows, 15, 1), and the note after each, (windows, notes) one-hot."""
    notes = np.concatenate(songs)
    inputs = np.lib.stride_tricks.sliding_window_view(notes, WINDOW)[:-1]
    return scaled(inputs), np.eye(NOTES, dtype=np.float32)[notes[WINDOW:]]


def training(shape: dict, batch: int, dropout: float, steps: int) -> Round:
    """Train on `steps` batches of windows; work is predicted notes: one per window."""
    model, _ = networks(shape, dropout)
    model.compile(keras.optimizers.RMSprop(), "categorical_crossentropy")
    count = steps * batch
    inputs, targets = windows(synthetic.encoded_songs(count // synthetic.MEAN_LENGTH + 10))

    def run_round() -> float:
        model.fit(inputs[:count], targets[:count], batch_size=batch, verbose=0)
        return count

    return run_round


def memories(shape: dict, memories: int, notes: int) -> Round:
    """Make memories of `notes` notes, one per `predict`; work is memories."""
    _, encoder = networks(shape)
    inputs = scaled(np.random.default_rng(0).integers(0, NOTES, (memories, 1, notes)))

    def run_round() -> float:
        return len([np.concatenate(encoder.predict(one, verbose=0), axis=1) for one in inputs])

    return run_round


def composing(shape: dict, length: int) -> Round:
    """Compose one song of `length` notes after 15 random notes; work is notes."""
    model, _ = networks(shape)
    primer = list(np.random.default_rng(0).integers(0, NOTES, WINDOW))

    def run_round() -> float:
        song = list(primer)
        for _ in range(length):
            song.append(int(np.argmax(model.predict(scaled(np.array([song[-WINDOW:]])), verbose=0))))
        return length

    return run_round
