"""M1 to M3: how well the next note of songs never heard is foretold, beside predictors without a network."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import keras
import numpy as np

from evaluation import ways
from evaluation.baselines import KneserNey, combined, relative_to_key, short_term
from evaluation.bench import Bench
from evaluation.metrics import Songs
from evaluation.rows import row
from evaluation.statistics import calibration_error, interval_of, mean_interval
from melody import lstm, regions
from melody.dataset import read_and_answer

NETWORK = "network"
IDYOM = "IDyOM-like"  # Kneser-Ney 4 and a model of the song alone
BIASES = (0, 0.25, 0.5, 1, 2)  # of the combination; the best on validation songs is taken
OFTEN = 300  # test notes that a collection must have for a row of its own
BEGINNING, LATER = 8, 32  # notes


class Foretold(NamedTuple):
    """Of each note of each song: the bits it needs, whether it was the first guess, how sure that guess was."""

    bits: list[np.ndarray]
    right: list[np.ndarray]
    sure: list[np.ndarray]


def from_probabilities(rows: np.ndarray, songs: Songs) -> Foretold:
    """Read off probabilities (notes of all songs, symbols)."""
    notes = np.concatenate(songs)
    columns = -np.log2(rows[np.arange(len(notes)), notes]), rows.argmax(axis=1) == notes, rows.max(axis=1)
    cuts = np.cumsum([len(song) for song in songs])[:-1]
    return Foretold(*(np.split(column, cuts) for column in columns))


def by_network(network: keras.Model, songs: Songs, told: np.ndarray | None = None) -> Foretold:
    """What a network says that has read the song so far alone. Its end may be guessed, but is not scored.

    `told` (songs,) are the numbers of the songs' regions, for a network that is told them.
    """
    notes = lstm.shape_of(network).notes
    pairs = [read_and_answer(song, notes) for song in songs]
    rows: list[np.ndarray] = [np.zeros(0)] * len(songs)
    for s, logs in lstm.foretold(network, pairs, told=told):
        rows[s] = np.exp2(logs[:-1])
    return from_probabilities(np.concatenate(rows), songs)


@cache
def predictors(bench: Bench) -> dict[str, Foretold]:
    """The network and the baselines on all test songs; the best weighting of the combination on validation songs."""
    places = {part: bench.split[part] for part in ("training", "validation", "test")}
    training, validation, test = (bench.part(part) for part in places)
    symbols = len(bench.vocabulary)
    models = {context: KneserNey(training, symbols, context) for context in (3, 4)}
    found = {f"Kneser-Ney {context}": model.probabilities(test) for context, model in models.items()}
    tried = models[4].probabilities(validation), short_term(validation, symbols)
    scores = [from_probabilities(combined(tried, bias), validation).bits for bias in BIASES]
    bias = BIASES[int(np.argmin([np.concatenate(bits).mean() for bits in scores]))]
    own = short_term(test, symbols)
    found[f"{IDYOM}, bias 1"] = combined([found["Kneser-Ney 4"], own], 1)
    found[IDYOM] = combined([found["Kneser-Ney 4"], own], bias)
    keys = {part: [bench.songs.key[s] for s in places[part]] for part in ("training", "test")}
    if any(keys["training"]) and any(keys["test"]):
        told = relative_to_key(training, keys["training"], test, keys["test"], bench.vocabulary, found["Kneser-Ney 4"])
        found[f"{IDYOM}, told the key"] = combined([told, found["Kneser-Ney 4"], own], bias)
    networks = {NETWORK: by_network(bench.trained.network, test)}
    if bench.token:
        networks[ways.TOKEN] = by_network(bench.token.network, test, bench.told("test"))
    return networks | {name: from_probabilities(rows, test) for name, rows in found.items()}


def _mean(parts: list[np.ndarray]) -> float:
    return float(np.concatenate(parts).mean())


def _others(bench: Bench, figure) -> dict[str, float]:
    return {name: figure(found) for name, found in predictors(bench).items() if name != NETWORK}


def m1(bench: Bench) -> list[dict]:
    """Bits per note, each song from its start, the first note included; and for each collection with enough notes."""
    bits, test = predictors(bench)[NETWORK].bits, bench.part("test")
    rng = bench.rng("M1")

    def line(what, chosen, must, aim=None, named=lambda name: True):
        parts = [bits[k] for k in chosen]
        counts = [len(part) for part in parts]
        interval = mean_interval([part.sum() for part in parts], counts, rng)
        others = {
            name: _mean([found.bits[k] for k in chosen])
            for name, found in predictors(bench).items()
            if name != NETWORK and named(name)
        }
        must = must or f"< {others[IDYOM]:.3f}"
        return row(what, _mean(parts), interval=interval, baselines=others, must=must, aim=aim, n=sum(counts))

    collections = [regions.prefix(bench.songs.name[s]) for s in bench.split["test"]]
    rows = [line("bits per note, all test songs", range(len(test)), "≤ 2.45", "≤ 2.30")]
    for name in sorted(set(collections), key=lambda name: (-collections.count(name), name)):
        chosen = [k for k, other in enumerate(collections) if other == name]
        if sum(len(test[k]) for k in chosen) >= OFTEN:
            rows.append(line(f"bits per note, {name}", chosen, None))
    return rows


def m2(bench: Bench) -> list[dict]:
    """The first guess, and whether the network is as often right as it is sure."""
    found, rng = predictors(bench)[NETWORK], bench.rng("M2")
    counts = [len(song) for song in found.bits]
    interval = mean_interval([song.sum() for song in found.right], counts, rng)

    def calibration(one: Foretold, which=slice(None)) -> float:
        sure, right = (np.concatenate([part[k] for k in np.arange(len(part))[which]]) for part in (one.sure, one.right))
        return calibration_error(sure, right)

    spread = interval_of(lambda which: calibration(found, which), np.arange(len(counts)), rng, bench.sizes.rounds)
    return [
        row("first guess right", _mean(found.right), interval=interval, must="≥ 0.47", aim="≥ 0.50",
            baselines=_others(bench, lambda one: _mean(one.right)), n=sum(counts)),
        row("expected calibration error, 15 bins", calibration(found), interval=spread, must="≤ 0.02",
            baselines=_others(bench, calibration), n=sum(counts)),
    ]  # fmt: skip


def m3(bench: Bench) -> list[dict]:
    """What the song itself teaches: bits at its beginning less bits later on."""
    found, rng = predictors(bench)[NETWORK], bench.rng("M3")

    def beginning(one: Foretold) -> float:
        return _mean([song[:BEGINNING] for song in one.bits])

    def later(one: Foretold) -> float:
        return _mean([song[LATER:] for song in one.bits])

    def gain(one: Foretold) -> float:
        return beginning(one) - later(one)

    def taken(figure):
        def of(which):
            return figure(Foretold([found.bits[k] for k in which], [], []))

        return interval_of(of, np.arange(len(found.bits)), rng, bench.sizes.rounds)

    n = len(found.bits)
    return [
        row("bits on notes 1–8 less bits on notes 33 and later", gain(found), interval=taken(gain), must="≥ 1.0",
            baselines=_others(bench, gain), n=n),
        row("bits on notes 33 and later", later(found), interval=taken(later), must="≤ 2.00", aim="≤ 1.85",
            baselines=_others(bench, later), n=n),
    ]  # fmt: skip


METRICS = {"M1": m1, "M2": m2, "M3": m3}
