"""E4: what does a control token bring for songs of a tradition that its network has never read?

Such a network knows a token for each collection that it was trained on, and none for the tradition. So two tokens stand
beside memories: that of the known ones under which the songs shown need the fewest bits, and a new one, which gradient
descent fits to these songs, from the former on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import keras
import numpy as np
from keras import ops

from evaluation.conditions import UNCONDITIONAL
from evaluation.context import OPENING
from evaluation.report import Rows
from evaluation.shown_songs import BOTH, PARTS, Tradition, measure_of
from melody import lookback, scoring
from melody.encoding import HEADS
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
        """Bits of the measured songs without a token, and given each of the two."""
        context, embedding = self.context, self.context.trained.network.get_layer("input_embedding").region
        table, rows = embedding.get_weights()[0], Rows("E4", **self.fields)
        found = {(UNCONDITIONAL, None): [self.bits_of_table(table)]}
        for k in self.shown:
            for draw in range(context.sizes.sets):
                songs = self.drawn(k, context.rng("shown", self.region, k, draw))
                known = with_row(table, table[self.best_known(songs)])
                found.setdefault((KNOWN_TOKEN, k), []).append(self.bits_of_table(known))
                fitted = self.fitted_token(known, songs, context.rng("token", self.region, k, draw))
                found.setdefault((FITTED_TOKEN, k), []).append(self.bits_of_table(fitted))
        embedding.set_weights([table])
        for head, notes, where in PARTS:
            figure = self.figure_of(where)
            for (name, k), draws in found.items():
                bits = figure(np.stack([bits[head, notes] for bits in draws], axis=1))
                measure, condition = measure_of(head), UNCONDITIONAL
                if k is not None:
                    measure, condition = f"{measure}_given_{name}", f"{k} songs"
                rows.add(measure, condition, bits, notes=notes, shown=k)
        return rows

    def distance_rows(self) -> Rows:
        """None: songs are composed from memories."""
        return Rows("E4")

    def bits_of_table(self, table: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
        """Bits of the measured songs by head and notes, (songs,) each, given the token OWN of a table of embeddings."""
        self.context.trained.network.get_layer("input_embedding").region.set_weights([table])
        bits = self.bits_of_songs(self.measured, OWN)
        heads = {head: bits[..., k] for k, head in enumerate(HEADS)}
        heads[BOTH] = heads["pitch"] + heads["rhythm"]
        return {(head, notes): heads[head][:, slice(*where)].sum(axis=1) for head, notes, where in PARTS}

    def bits_of_songs(self, songs: Sequence[int], token: int) -> np.ndarray:
        """Bits of the first notes of songs by their indices, (songs, OPENING, heads); 0 where there is no target."""
        context, ids = self.context, np.full(len(songs), token)
        tokens = context.tokens(context.encoded[s] for s in songs)
        tokens = [(read[:-1][:OPENING], wanted[:-1][:OPENING]) for read, wanted in tokens]
        found = scoring.information_content(context.trained.network, tokens, region_ids=ids)
        return np.stack([np.pad(np.nan_to_num(bits), ((0, OPENING - len(bits)), (0, 0))) for bits in found])

    def best_known(self, songs: Sequence[int]) -> int:
        """The known token, or OWN for none, under which the songs need the fewest bits."""
        return int(self.sums_of_tokens[:, np.searchsorted(self.sorted_first, songs)].sum(axis=1).argmin())

    @cached_property
    def sorted_first(self) -> list[int]:
        return sorted(self.first)

    @cached_property
    def sums_of_tokens(self) -> np.ndarray:
        """Bits of the songs that may be shown under each token, (tokens, songs)."""
        tokens = range(self.context.trained.record.shape.regions + 1)
        return np.stack([self.bits_of_songs(self.sorted_first, token).sum(axis=(1, 2)) for token in tokens])

    def fitted_token(self, table: np.ndarray, songs: Sequence[int], rng: np.random.Generator) -> np.ndarray:
        """The table with OWN fitted to the songs, with the settings of a fitted memory."""
        network, shape = self.context.trained.network, self.context.trained.record.shape
        network.get_layer("input_embedding").region.set_weights([table])
        model = TokenModel(network, PENALTY / len(songs))
        model.compile(keras.optimizers.Adam(LEARNING_RATE))
        read, wanted = first_notes(self.context.tokens(self.context.encoded[s] for s in songs))
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
