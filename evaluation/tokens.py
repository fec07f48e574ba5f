"""E4: what does a control token bring for songs of a tradition that its network has never read?

Such a network knows a token for each collection that it was trained on, and none for the tradition. So two tokens stand
beside memories: that of the known ones under which the songs shown need the fewest bits, and a new one, which gradient
descent fits to these songs, from the former on.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from evaluation.conditions import UNCONDITIONAL
from evaluation.context import OPENING
from evaluation.report import Rows
from evaluation.shown_songs import PARTS, Tradition, measure_of
from melody import lookback, scoring
from melody.encoding import HEADS, EncodedSong
from melody.fitting import BATCH, LEARNING_RATE, PENALTY, first_notes, nats

KNOWN_TOKEN, FITTED_TOKEN = "best known token", "fitted token"
OWN = 0  # the row of the token embedding that stands for no region, and is changed here


class TokenModel(keras.Model):
    """A network with a control token of which only the embedding of the token is trained."""

    def __init__(self, network: keras.Model, penalty: float):
        super().__init__(name="token_model")
        self.network, self.penalty = network, penalty
        self.embedding = network.get_layer("input_embedding").region
        network.trainable, self.embedding.trainable = False, True
        self.start = ops.convert_to_numpy(self.embedding.embeddings)
        self.built = True

    def call(self, inputs, training=None):
        return self.network(inputs)[: 1 - len(inputs)]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The nats of all heads for each note and the penalty, as of the offset of a fitted memory."""
        return nats(y, y_pred) + self.penalty * ops.sum(ops.square(self.embedding.embeddings - self.start))


class TokenTradition(Tradition):
    """The measured songs of a region as a network with a control token predicts them."""

    def prediction_rows(self, control: Tradition | None = None) -> Rows:
        """Bits of the measured songs, and what the two tokens save of them."""
        embedding = self.context.trained.network.get_layer("input_embedding").region
        table, rows = embedding.get_weights()[0], Rows("E4", **self.fields)
        found: dict[tuple[str, int], list] = {}
        none = self.bits_of_token(embedding, table)
        for k in self.shown:
            for draw, songs in enumerate(self.songs_of_draws(k)):
                known = self.best_known(embedding, table, songs)
                found.setdefault((KNOWN_TOKEN, k), []).append(self.bits_of_token(embedding, known))
                fitted = self.fitted_token(known, songs, self.context.rng("token", self.region, k, draw))
                found.setdefault((FITTED_TOKEN, k), []).append(self.bits_of_token(embedding, fitted))
        embedding.set_weights([table])
        for head, notes, where in PARTS:
            part, measure, figure = (head, notes), measure_of(head), self.figure_of(where)
            rows.add(measure, UNCONDITIONAL, figure(none[part][:, None]), notes=notes)
            for (name, k), draws in found.items():
                saved = figure(none[part][:, None] - np.stack([bits[part] for bits in draws], axis=1))
                rows.add(f"{measure}_saved_by_{name}", f"{k} songs", saved, notes=notes, shown=k)
        return rows

    def distance_rows(self) -> Rows:
        """None: songs are composed from memories."""
        return Rows("E4")

    def bits_of_token(self, embedding: keras.layers.Embedding, table: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
        """Bits of the measured songs by head and notes, (songs,) each, after the row OWN of an embedding's `table`."""
        embedding.set_weights([table])
        bits = self.bits_of_songs([self.context.encoded[s] for s in self.measured], OWN)
        heads = {head: bits[..., k] for k, head in enumerate(HEADS)}
        heads["pitch_and_rhythm"] = heads["pitch"] + heads["rhythm"]
        return {(head, notes): heads[head][:, slice(*where)].sum(axis=1) for head, notes, where in PARTS}

    def bits_of_songs(self, songs: Sequence[EncodedSong], token: int) -> np.ndarray:
        """Bits of the first notes, (songs, OPENING, heads); 0 where there is no target."""
        context, ids = self.context, np.full(len(songs), token)
        tokens = [(read[:-1][:OPENING], wanted[:-1][:OPENING]) for read, wanted in context.tokens(songs)]
        found = scoring.information_content(context.trained.network, tokens, region_ids=ids)
        return np.stack([np.pad(np.nan_to_num(bits), ((0, OPENING - len(bits)), (0, 0))) for bits in found])

    def best_known(self, embedding, table: np.ndarray, songs: Sequence[EncodedSong]) -> np.ndarray:
        """The table with the row of the known token, or of none, under which the songs need the fewest bits as OWN."""
        embedding.set_weights([table])
        sums = [self.bits_of_songs(songs, token).sum() for token in range(len(table))]
        return with_row(table, table[int(np.argmin(sums))])

    def fitted_token(self, table: np.ndarray, songs: Sequence[EncodedSong], rng: np.random.Generator) -> np.ndarray:
        """The table with OWN fitted to the songs, with the settings of a fitted memory."""
        network, shape = self.context.trained.network, self.context.trained.record.shape
        model = TokenModel(network, PENALTY / len(songs))
        model.embedding.set_weights([table])
        model.compile(keras.optimizers.Adam(LEARNING_RATE))
        read, wanted = first_notes(self.context.tokens(songs))
        ids = np.full((BATCH, 1), OWN)
        for _ in range(self.fit_steps):
            chosen = rng.choice(len(songs), BATCH, replace=len(songs) < BATCH)
            tokens = lookback.with_candidates(read[chosen], shape.notes, shape.rhythms, ids)
            model.train_on_batch(
                [tokens, *self.context.unpack(np.zeros((BATCH, shape.memory), np.float32))], wanted[chosen]
            )
        return model.embedding.get_weights()[0]


def with_row(table: np.ndarray, row: np.ndarray) -> np.ndarray:
    changed = table.copy()
    changed[OWN] = row
    return changed
