"""M1 to M3: how well the next note of songs never heard is foretold, beside predictors without a network."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import keras
import numpy as np

from evaluation import conditions
from evaluation.context import Context
from evaluation.metrics import Songs
from evaluation.ngrams import KneserNey, combined, relative_to_key, short_term
from evaluation.report import row
from evaluation.statistics import calibration_error, interval_of, mean_interval
from melody import lstm, regions, scoring
from melody.batching import inputs_and_targets

NETWORK = "network"
LONG_SHORT_TERM = "IDyOM-like"  # Kneser-Ney 4 and a model of the song alone
BIASES = (0, 0.25, 0.5, 1, 2)  # of the combination; the best on validation songs is taken
OFTEN = 300  # test notes that a collection must have for a row of its own
BEGINNING, LATER = 8, 32  # notes


class Predictions(NamedTuple):
    """Of each note of each song: the bits it needs, whether it was the first guess, how sure that guess was."""

    bits: list[np.ndarray]
    right: list[np.ndarray]
    sure: list[np.ndarray]


def from_probabilities(rows: np.ndarray, songs: Songs) -> Predictions:
    """Read off probabilities (notes of all songs, symbols)."""
    notes = np.concatenate(songs)
    columns = -np.log2(rows[np.arange(len(notes)), notes]), rows.argmax(axis=1) == notes, rows.max(axis=1)
    cuts = np.cumsum([len(song) for song in songs])[:-1]
    return Predictions(*(np.split(column, cuts) for column in columns))


def by_network(network: keras.Model, songs: Songs, told: np.ndarray | None = None) -> Predictions:
    """What a network says that has read the song so far alone. Its end may be guessed, but is not scored.

    `told` (songs,) are the numbers of the songs' regions, for a network that is told them.
    """
    notes = lstm.shape_of(network).notes
    pairs = [inputs_and_targets(song, notes) for song in songs]
    rows: list[np.ndarray] = [np.zeros(0)] * len(songs)
    for s, logs in scoring.log_probs(network, pairs, region_ids=told):
        rows[s] = np.exp2(logs[:-1])
    return from_probabilities(np.concatenate(rows), songs)


@cache
def predictors(context: Context) -> dict[str, Predictions]:
    """The network and the baselines on all test songs; the best weighting of the combination on validation songs."""
    places = {part: context.split[part] for part in ("training", "validation", "test")}
    training, validation, test = (context.part(part) for part in places)
    symbols = len(context.vocabulary)
    models = {context: KneserNey(training, symbols, context) for context in (3, 4)}
    found = {f"Kneser-Ney {context}": model.probabilities(test) for context, model in models.items()}
    tried = models[4].probabilities(validation), short_term(validation, symbols)
    scores = [from_probabilities(combined(tried, bias), validation).bits for bias in BIASES]
    bias = BIASES[int(np.argmin([np.concatenate(bits).mean() for bits in scores]))]
    own = short_term(test, symbols)
    found[f"{LONG_SHORT_TERM}, bias 1"] = combined([found["Kneser-Ney 4"], own], 1)
    found[LONG_SHORT_TERM] = combined([found["Kneser-Ney 4"], own], bias)
    keys = {part: [context.songs.key[s] for s in places[part]] for part in ("training", "test")}
    if any(keys["training"]) and any(keys["test"]):
        told = relative_to_key(
            training, keys["training"], test, keys["test"], context.vocabulary, found["Kneser-Ney 4"]
        )
        found[f"{LONG_SHORT_TERM}, told the key"] = combined([told, found["Kneser-Ney 4"], own], bias)
    networks = {NETWORK: by_network(context.trained.network, test)}
    if context.token:
        networks[conditions.TOKEN] = by_network(context.token.network, test, context.told("test"))
    return networks | {name: from_probabilities(rows, test) for name, rows in found.items()}


def _mean(parts: list[np.ndarray]) -> float:
    return float(np.concatenate(parts).mean())


def _others(context: Context, figure) -> dict[str, float]:
    return {name: figure(found) for name, found in predictors(context).items() if name != NETWORK}


def m1(context: Context) -> list[dict]:
    """Bits per note, each song from its start, the first note included; and for each collection with enough notes."""
    bits, test = predictors(context)[NETWORK].bits, context.part("test")
    rng = context.rng("M1")

    def line(what, chosen, must, aim=None, named=lambda name: True):
        parts = [bits[k] for k in chosen]
        counts = [len(part) for part in parts]
        interval = mean_interval([part.sum() for part in parts], counts, rng)
        others = {
            name: _mean([found.bits[k] for k in chosen])
            for name, found in predictors(context).items()
            if name != NETWORK and named(name)
        }
        must = must or f"< {others[LONG_SHORT_TERM]:.3f}"
        return row(what, _mean(parts), interval=interval, baselines=others, must=must, aim=aim, n=sum(counts))

    collections = [regions.prefix(context.songs.name[s]) for s in context.split["test"]]
    rows = [line("bits per note, all test songs", range(len(test)), "≤ 2.45", "≤ 2.30")]
    for name in sorted(set(collections), key=lambda name: (-collections.count(name), name)):
        chosen = [k for k, other in enumerate(collections) if other == name]
        if sum(len(test[k]) for k in chosen) >= OFTEN:
            rows.append(line(f"bits per note, {name}", chosen, None))
    return rows


def m2(context: Context) -> list[dict]:
    """The first guess, and whether the network is as often right as it is sure."""
    found, rng = predictors(context)[NETWORK], context.rng("M2")
    counts = [len(song) for song in found.bits]
    interval = mean_interval([song.sum() for song in found.right], counts, rng)

    def calibration(one: Predictions, which=slice(None)) -> float:
        sure, right = (np.concatenate([part[k] for k in np.arange(len(part))[which]]) for part in (one.sure, one.right))
        return calibration_error(sure, right)

    spread = interval_of(lambda which: calibration(found, which), np.arange(len(counts)), rng, context.sizes.rounds)
    return [
        row("first guess right", _mean(found.right), interval=interval, must="≥ 0.47", aim="≥ 0.50",
            baselines=_others(context, lambda one: _mean(one.right)), n=sum(counts)),
        row("expected calibration error, 15 bins", calibration(found), interval=spread, must="≤ 0.02",
            baselines=_others(context, calibration), n=sum(counts)),
    ]  # fmt: skip


def m3(context: Context) -> list[dict]:
    """What the song itself teaches: bits at its beginning less bits later on."""
    found, rng = predictors(context)[NETWORK], context.rng("M3")

    def beginning(one: Predictions) -> float:
        return _mean([song[:BEGINNING] for song in one.bits])

    def later(one: Predictions) -> float:
        return _mean([song[LATER:] for song in one.bits])

    def gain(one: Predictions) -> float:
        return beginning(one) - later(one)

    def taken(figure):
        def of(which):
            return figure(Predictions([found.bits[k] for k in which], [], []))

        return interval_of(of, np.arange(len(found.bits)), rng, context.sizes.rounds)

    n = len(found.bits)
    return [
        row("bits on notes 1–8 less bits on notes 33 and later", gain(found), interval=taken(gain), must="≥ 1.0",
            baselines=_others(context, gain), n=n),
        row("bits on notes 33 and later", later(found), interval=taken(later), must="≤ 2.00", aim="≤ 1.85",
            baselines=_others(context, later), n=n),
    ]  # fmt: skip


METRICS = {"M1": m1, "M2": m2, "M3": m3}
