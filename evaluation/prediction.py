"""M1 to M3: how well the next note of new songs is predicted, beside models without a network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import keras
import numpy as np

from evaluation import baselines, conditions
from evaluation.context import EVERY, Context
from evaluation.metrics import Songs
from evaluation.ngrams import KneserNey, bits, combined, relative_to_key, rhythm_probabilities, short_term
from evaluation.report import NOT_ABOVE, Figure, Rows
from evaluation.statistics import calibration_error, interval, interval_of, resampled_means
from melody import regions, scoring
from melody.encoding import HEADS

NETWORK, OWN_MEAN = "network", "network, mean memory of the song's collection"
BASELINES = {  # how tables call them
    baselines.TOKEN: conditions.TOKEN,
    baselines.PITCH_ONLY: "network on pitches alone",
    baselines.TRANSFORMER: "Transformer",
    baselines.NO_LOOKBACK: "Transformer without lookback",
}
LONG_SHORT_TERM = "long-term + short-term n-gram"  # Kneser-Ney 4 and a model of the song so far
WITH_KEY = f"{LONG_SHORT_TERM}, given the key"
BIASES = (0, 0.25, 0.5, 1, 2)  # of the combination; the best on validation songs is taken
MINIMUM = 300  # notes that a collection must have for a row
POSITIONS = {"1": (0, 1), "2-8": (1, 8), "9-16": (8, 16), "17-32": (16, 32), "33+": (32, None)}


class Predictions(NamedTuple):
    """For each note of each song: its bits, whether the top-1 guess is right, and the probability of that guess."""

    bits: list[np.ndarray]
    correct: list[np.ndarray]
    confidence: list[np.ndarray]


def from_probabilities(rows: np.ndarray, songs: Songs) -> Predictions:
    """From probabilities (notes of all songs, symbols)."""
    notes = np.concatenate(songs)
    columns = bits(rows, songs), rows.argmax(axis=1) == notes, rows.max(axis=1)
    cuts = np.cumsum([len(song) for song in songs])[:-1]
    return Predictions(*(np.split(column, cuts) for column in columns))


def from_network(network: keras.Model, songs: Sequence[scoring.Tokens], states=None, region_ids=None) -> dict:
    """The `Predictions` of each head for the notes of songs; a note without a target is left out.

    The network reads each song from its start; the end of a song may be predicted but is not scored.
    """
    found: list = [None] * len(songs)
    for s, heads in scoring.log_probs(network, songs, states, region_ids=region_ids):
        targets, times = songs[s][1][:-1].T, np.arange(len(songs[s][1]) - 1)
        found[s] = [_of_head(head[:-1], target, times) for head, target in zip(heads, targets, strict=True)]
    return {
        head: Predictions(*map(list, zip(*column, strict=True)))
        for head, column in zip(HEADS, zip(*found, strict=True), strict=False)
    }


def _of_head(logs: np.ndarray, targets: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, ...]:
    """Bits, top-1 and confidence of the targets that there are, from log2 probabilities (time, values)."""
    there = targets >= 0
    logs, targets, times = logs[there], targets[there], times[: there.sum()]
    return -logs[times, targets], logs.argmax(axis=1) == targets, np.exp2(logs.max(axis=1, initial=-np.inf))


def collections(context: Context, part: str) -> list[str]:
    return [regions.prefix(context.songs.name[s]) for s in context.split[part]]


def own_means(context: Context) -> list[np.ndarray]:
    """For each measured song the mean memory of its collection's training songs, as states; zero if there are none."""
    names, own = np.array(collections(context, "training")), collections(context, context.part)
    training, count, means = context.encoded_of("training"), max(8, context.sizes.songs // 10), {}
    for name in set(own) & set(names):
        songs = [training[k] for k in np.flatnonzero(names == name)]
        means[name] = conditions.read(context, EVERY, songs, count, context.rng("mean", name)).mean(axis=0)
    return context.unpack(np.stack([means.get(name, np.zeros(context.memory_size)) for name in own]))


def ngram_probabilities(context: Context) -> dict[str, np.ndarray]:
    """Of each n-gram model on the measured songs; the weights of the combination are chosen on validation songs."""
    training, validation, songs = context.songs_of("training"), context.songs_of("validation"), context.real()
    symbols = len(context.vocabulary)
    models = {order: KneserNey(training, symbols, order) for order in (3, 4)}
    found = {f"Kneser-Ney {order}": model.probabilities(songs) for order, model in models.items()}
    tried = models[4].probabilities(validation), short_term(validation, symbols)
    bias = min(BIASES, key=lambda bias: bits(combined(tried, bias), validation).mean())
    own, long_term = tried[1] if context.part == "validation" else short_term(songs, symbols), found["Kneser-Ney 4"]
    found[LONG_SHORT_TERM] = combined([long_term, own], bias)
    keys = {part: [context.songs.key[s] for s in context.split[part]] for part in ("training", context.part)}
    if all(any(stated) for stated in keys.values()):
        relative = relative_to_key(training, keys["training"], songs, keys[context.part], context.vocabulary, long_term)
        found[WITH_KEY] = combined([relative, long_term, own], bias)
    return found


@cache
def of_networks(context: Context) -> dict[str, dict[str, Predictions]]:
    """What the network and its baselines predict of all measured songs, by model and head."""
    encoded = context.encoded_of(context.part)
    songs, network = context.tokens(encoded), context.trained.network
    found = {NETWORK: from_network(network, songs), OWN_MEAN: from_network(network, songs, own_means(context))}
    for name, baseline in context.baselines.items():
        ids = context.region_ids(context.part) if name == baselines.TOKEN else None
        songs = context.tokens(encoded, baseline.vocabulary)
        found[BASELINES[name]] = from_network(baseline.network, songs, region_ids=ids)
    return found


@cache
def predictions(context: Context) -> dict[str, Predictions]:
    """Of pitch: the network, the control token and the n-grams on all measured songs."""
    found, songs = {name: heads["pitch"] for name, heads in of_networks(context).items()}, context.real()
    return found | {name: from_probabilities(rows, songs) for name, rows in ngram_probabilities(context).items()}


@cache
def rhythm_predictions(context: Context) -> dict[str, Predictions]:
    """Of rhythm: the same, for notes whose rhythm is in the vocabulary. Empty for a network of pitches alone."""
    found = {name: heads["rhythm"] for name, heads in of_networks(context).items() if "rhythm" in heads}
    if not found:
        return {}
    songs, count = context.encoded_of(context.part), context.trained.record.shape.rhythms
    lines, known = [song.rhythm for song in songs], [song.rhythm < count for song in songs]
    for name, rows in rhythm_probabilities(context.encoded_of("training"), songs, count).items():
        every = from_probabilities(rows, lines)
        found[name] = Predictions(*([one[k] for one, k in zip(part, known, strict=True)] for part in every))
    return found


def means(context: Context, metric: str, columns: dict, chosen: Sequence[int] | None = None) -> dict[str, Figure]:
    """For each model the mean over the notes of some songs (default: all), from a column of its notes for each song."""
    chosen = range(len(context.real())) if chosen is None else chosen
    weights = context.weights([context.split[context.part][k] for k in chosen], metric, *chosen)
    figures = {}
    for name, column in columns.items():
        sums, counts = (np.array([of(column[k]) for k in chosen]) for of in (np.sum, len))
        spread = interval(resampled_means(sums, counts, weights)) if len(chosen) > 1 else None
        figures[name] = Figure(sums.sum() / max(counts.sum(), 1), counts.sum(), spread)
    return figures


def of_head(heads: dict[str, Predictions], head: str) -> list[np.ndarray]:
    """The bits of each note of each song; `total`: of its pitch, and a note's share of the song's rhythms."""
    if head != "total":
        return heads[head].bits
    pairs = zip(heads["pitch"].bits, heads["rhythm"].bits, strict=True)
    return [pitch + rhythm.sum() / max(len(pitch), 1) for pitch, rhythm in pairs]


def m1(context: Context) -> list[dict]:
    """How many bits per note does the network need for new songs, from their first note on?"""
    columns, rows = {name: found.bits for name, found in predictions(context).items()}, Rows("M1", region=EVERY)
    names = collections(context, context.part)
    rows.add_all("bits_per_note", means(context, "M1", columns), "≤ 2.04")
    if rhythms := rhythm_predictions(context):
        found = {name: one.bits for name, one in rhythms.items()}
        rows.add_all("rhythm_bits_per_note", means(context, "M1", found), "≤ 1.07")
        for head, target, aim in (("phrase", None, None), ("total", "≤ 3.10", "≤ 2.98")):
            found = {name: of_head(heads, head) for name, heads in of_networks(context).items() if "rhythm" in heads}
            rows.add_all(f"{head}_bits_per_note", means(context, "M1", found), target, aim)
    if context.token:
        difference = [one - other for one, other in zip(columns[OWN_MEAN], columns[conditions.TOKEN], strict=True)]
        rows.add_all("bits_above_control_token", means(context, "M1", {OWN_MEAN: difference}), NOT_ABOVE)
    for name in sorted(set(names), key=lambda name: (-names.count(name), name)):
        chosen = [k for k, other in enumerate(names) if other == name]
        figures = means(context, "M1", columns, chosen)
        if figures[NETWORK].n >= MINIMUM:
            target = f"< {figures[LONG_SHORT_TERM].value:.3f}"
            rows.add_all("bits_per_note_of_collection", figures, target, region=name)
    return rows


def m2(context: Context) -> list[dict]:
    """How often is the most probable note right, and are the probabilities as large as they should be?"""
    rows, everything = Rows("M2", region=EVERY), np.arange(len(context.real()))
    weights = context.weights(context.split[context.part], "M2", rounds=context.sizes.rounds)
    measured = {"": (predictions(context), "≥ 0.50", "≥ 0.53")}
    if rhythms := rhythm_predictions(context):
        measured["rhythm_"] = rhythms, "≥ 0.74", "≥ 0.77"
    for prefix, (found, target, aim) in measured.items():
        accuracy, errors = means(context, "M2", {name: one.correct for name, one in found.items()}), {}
        rows.add_all(f"{prefix}top_1_accuracy", accuracy, target, aim)
        for name, one in found.items():

            def error(which, one=one):
                confidence, correct = (
                    np.concatenate([part[k] for k in which]) for part in (one.confidence, one.correct)
                )
                return calibration_error(confidence, correct)

            spread = interval_of(error, everything, weights) if name == NETWORK else None
            errors[name] = Figure(error(everything), accuracy[name].n, spread)
        rows.add_all(f"{prefix}expected_calibration_error", errors, "≤ 0.02")
    return rows


def m3(context: Context) -> list[dict]:
    """How does prediction improve while a song goes on: bits per note by position?"""
    rows = Rows("M3", region=EVERY)
    for notes, (first, last) in POSITIONS.items():
        columns = {name: [song[first:last] for song in found.bits] for name, found in predictions(context).items()}
        target = "≤ 1.85" if notes == "33+" else None
        rows.add_all("bits_per_note_by_position", means(context, "M3", columns), target, notes=notes)
    return rows


METRICS = {"M1": m1, "M2": m2, "M3": m3}
