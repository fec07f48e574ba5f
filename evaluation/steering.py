"""M4 and M5: whether a memory makes the network compose, and predict, songs of its region."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import NamedTuple

import numpy as np

from evaluation import conditions
from evaluation.classifier import StyleClassifier
from evaluation.context import CLASSES, EVERY, OPENING, PAIR, THREE, TWO, Context
from evaluation.metrics import Songs, openings
from evaluation.ngrams import KneserNey, bits
from evaluation.report import CLEAR, NOT_ABOVE, NOT_BELOW, Figure, Rows
from evaluation.statistics import interval, resampled_means
from melody import scoring
from melody.encoding import EncodedSong

TARGETS = {"china": "≥ 0.90", "deutschl": "≥ 0.95"}
POSITIONS = {"1": (0, 1), "2-8": (1, 8), "9-32": (8, 32)}  # of M5
DISTINCT = 0.75  # balanced accuracy on real songs below which no steering is claimed
FEW = 20  # real songs; fewer allow no claim
FEW_CONDITIONS = (conditions.VAE, conditions.UNCONDITIONAL, conditions.MEAN, conditions.TRAINING)


class Hits(NamedTuple):
    """The share of songs that are classified as a label, of `n` that are long enough, and in each bootstrap round."""

    share: float
    n: float
    rounds: np.ndarray | None

    @property
    def rate(self) -> Figure:
        return Figure(self.share, self.n, interval(self.rounds))

    def minus(self, other: Hits) -> Figure:
        """The difference of two shares; paired by song if both come from the same weights."""
        return Figure(self.share - other.share, self.n, interval(self.rounds - other.rounds))


def hits(songs: Songs, classifier: StyleClassifier, label: str, weights=None, first: int = 0) -> Hits:
    """How many songs are classified as this label by their notes `first` … `first + 32`."""
    long = np.array([len(song) >= first + OPENING for song in songs])
    correct, counts = np.zeros(len(songs)), long.astype(float)
    if long.any():
        correct[long] = classifier.predict(openings(songs, OPENING, first)) == label
    rounds = None if weights is None else resampled_means(correct, counts, weights)
    return Hits(correct.sum() / max(counts.sum(), 1), counts.sum(), rounds)


def m4(context: Context) -> list[dict]:
    """Steering rate: how often does an independent classifier assign composed songs to their region?"""
    rows = []
    for guidance in context.guidances:
        rows += [*chain(*(pair_rows(context, region, guidance) for region in PAIR)), *three_way_rows(context, guidance)]
    return [*rows, *chain(*(region_rows(context, region) for region in sorted(set(context.vaes) - {EVERY})))]


def hits_of_conditions(
    context: Context, names, region: str, guidance: float, labels: Sequence[str], label: str, seed: str, first: int = 0
) -> dict[str, Hits]:
    """Of the songs of these conditions, and of the real songs of `label`, by a classifier of `labels`."""
    weights, indices = context.composed_weights(), context.indices(context.part, label)
    songs = {name: (conditions.songs(context, name, region, guidance), weights) for name in names}
    songs[conditions.REAL] = context.real(label), context.weights(indices, seed, label)
    classifier = context.classifier(*labels)
    return {name: hits(some, classifier, label, weights, first) for name, (some, weights) in songs.items()}


def pair_rows(context: Context, region: str, guidance: float) -> list[dict]:
    rows, names, label = Rows("M4", region=region, guidance=guidance), conditions.available(context), CLASSES[region]
    for first, notes in ((0, "1-32"), (OPENING, "33-64")):
        found = hits_of_conditions(context, names, region, guidance, TWO, label, "M4", first)
        targets = [None] * 3 if first else [TARGETS[region], "-0.05 to 0.05", NOT_BELOW]
        rows.add_all("steering_rate", {name: one.rate for name, one in found.items()}, targets[0], notes=notes)
        real, mean = (found[conditions.VAE].minus(found[name]) for name in (conditions.REAL, conditions.MEAN))
        rows.add("steering_rate_minus_real", conditions.VAE, real, targets[1], notes=notes)
        rows.add("steering_rate_minus_mean_memory", conditions.VAE, mean, targets[2], notes=notes)
    return rows


def three_way_rows(context: Context, guidance: float) -> list[dict]:
    """Germany, Han and Shanxi by one classifier: the three rates and their mean, the balanced accuracy."""
    if any(region not in context.vaes for region in THREE):
        return []
    rows, wanted = Rows("M4", guidance=guidance), (*FEW_CONDITIONS, conditions.NGRAM, conditions.TOKEN)
    names = [name for name in wanted if name in conditions.available(context)]
    found = [hits_of_conditions(context, names, region, guidance, THREE, region, "three") for region in THREE]
    for region, one in zip(THREE, found, strict=True):
        rows.add_all("three_way_steering_rate", {name: hit.rate for name, hit in one.items()}, region=region)
    figures = {}
    for name in found[0]:
        three = [one[name] for one in found]
        spread = interval(np.mean([hit.rounds for hit in three], axis=0))
        figures[name] = Figure(np.mean([hit.share for hit in three]), sum(hit.n for hit in three), spread)
    rows.add_all("three_way_balanced_accuracy", figures, aim="≥ 0.70")
    return rows


def region_rows(context: Context, region: str) -> list[dict]:
    """A region with a VAE against the other songs around it. No VAE may steer less than the unconditional network."""
    if not openings(context.real(region), OPENING):
        return []
    rows = Rows("M4", region=region, guidance=context.guidance)
    found = hits_of_conditions(context, FEW_CONDITIONS, region, context.guidance, (region,), region, "region")
    real, others = found[conditions.REAL], context.others(context.part, region)
    accuracy = (real.share + 1 - hits(others, context.classifier(region), region).share) / 2
    distinct = accuracy >= DISTINCT and real.n >= FEW
    rows.add("balanced_accuracy_against_neighbors", conditions.REAL, Figure(accuracy, real.n))
    rows.add_all("steering_rate_against_neighbors", {name: one.rate for name, one in found.items()})
    above = found[conditions.VAE].minus(found[conditions.UNCONDITIONAL])
    rows.add("steering_rate_minus_unconditional", conditions.VAE, above, CLEAR if distinct else NOT_BELOW)
    return rows


def mixture_bits(logs: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Bits per note, (songs, notes), of a mixture of predictors that share the song: from log2 probabilities of each
    note, (songs, predictors, notes). Predictors that were right so far count more."""
    prior = np.full(logs.shape[1], 1 / logs.shape[1]) if weights is None else weights
    joint = np.logaddexp2.reduce(np.log2(prior)[:, None] + logs.cumsum(axis=2), axis=1)
    return -np.diff(joint, axis=1, prepend=0.0)


def padded(context: Context, songs: list[EncodedSong], network, states=None, region_ids=None) -> np.ndarray:
    """log2 probability of the first 32 pitches of each song, (songs, 32); 0 after its end, which is not scored."""
    pairs = [(read[:-1][:OPENING], target[:-1][:OPENING]) for read, target in context.tokens(songs)]
    found = scoring.information_content(network, pairs, states, region_ids=region_ids)
    return -stacked([bits[:, 0] for bits in found])


def stacked(found: Songs) -> np.ndarray:
    """(songs, 32), with 0 after the end of a song."""
    return np.stack([np.pad(song, (0, OPENING - len(song))) for song in found])


def from_memories(context: Context, condition: str, songs: list[EncodedSong], region: str) -> np.ndarray:
    """Bits per note, (songs, sets, 32): in each set a song is predicted from its own sample of memories."""
    if condition in (conditions.UNCONDITIONAL, conditions.MEAN):
        memories = np.repeat(conditions.pool(context, condition, region)[:1], len(songs), axis=0)
        return mixture_bits(padded(context, songs, context.trained.network, context.unpack(memories))[:, None])[:, None]
    pool, found = conditions.pool(context, condition, region), []
    for k in range(context.sizes.sets):
        rng, own = context.rng("M5", k), np.flatnonzero(context.set_of_song == k)
        each = min(context.sizes.memories, len(own))
        chosen = np.concatenate([rng.choice(own, each, replace=False) for _ in songs])
        repeated = [song for song in songs for _ in range(each)]
        logs = padded(context, repeated, context.trained.network, context.unpack(pool[chosen]))
        found.append(mixture_bits(logs.reshape(len(songs), each, OPENING)))
    return np.stack(found, axis=1)


def from_token(context: Context, condition: str, songs: list[EncodedSong], region: str) -> np.ndarray:
    """The same with the control token; a region of several collections is a mixture, by their training songs."""
    ids, counts = np.unique(context.region_ids("training", region), return_counts=True)
    if len(ids) > 8:  # of all songs the eight largest collections are enough
        ids, counts = (column[np.argsort(-counts)[:8]] for column in (ids, counts))
    repeated = [song for song in songs for _ in ids]
    logs = padded(context, repeated, context.token.network, region_ids=np.tile(ids, len(songs)))
    return mixture_bits(logs.reshape(len(songs), len(ids), OPENING), counts / counts.sum())[:, None]


def from_ngram(context: Context, condition: str, songs: list[EncodedSong], region: str) -> np.ndarray:
    songs = [song.pitch[:OPENING] for song in songs]
    model = KneserNey(context.songs_of("training", region), len(context.vocabulary), 4)
    ends = np.cumsum([len(song) for song in songs])[:-1]
    return stacked(np.split(bits(model.probabilities(songs), songs), ends))[:, None]


PREDICTORS = dict.fromkeys(conditions.MEMORIES, from_memories)
PREDICTORS |= {conditions.TOKEN: from_token, conditions.NGRAM: from_ngram}


@cache
def likelihoods(context: Context, condition: str, region: str, asked: str) -> np.ndarray:
    """Bits per note of real songs of `region` under a condition of the region `asked`, (songs, sets, 32)."""
    return PREDICTORS[condition](context, condition, scored(context, region)[0], asked)


@cache
def scored(context: Context, region: str) -> tuple[list[EncodedSong], list[int]]:
    """Some real songs of a region, and their indices."""
    indices = context.indices(context.part, region)
    chosen = context.rng("M5", region).permutation(len(indices))[: context.sizes.scored]
    indices = [indices[k] for k in chosen]
    return [context.encoded[s] for s in indices], indices


def m5(context: Context) -> list[dict]:
    """Likelihood steering: how many bits per note do a region's memories save on its real songs, by position?"""
    return [line for region, wrong in (PAIR, PAIR[::-1]) for line in likelihood_rows(context, region, wrong)]


def likelihood_rows(context: Context, region: str, wrong: str) -> list[dict]:
    songs, indices = scored(context, region)
    weights, lengths = context.weights(indices, "M5", region), np.array([len(song.pitch) for song in songs])
    names = [name for name in conditions.available(context) if name in PREDICTORS]
    own = {name: likelihoods(context, name, region, region) for name in names}
    without = conditions.UNCONDITIONAL, conditions.RANDOM, conditions.HELD_OUT
    other = {name: likelihoods(context, name, region, wrong) for name in names if name not in without}
    every = {name: own[conditions.RANDOM] for name in names if name in conditions.MEMORIES}
    every |= {name: likelihoods(context, name, region, EVERY) for name in names if name not in every}
    measures = {
        "bits_per_note": (own, None),
        "bits_saved_over_memories_of_all_songs": ({name: every[name] - own[name] for name in names}, CLEAR),
        "bits_lost_with_the_wrong_region": ({name: other[name] - own[name] for name in other}, CLEAR),
        "bits_above_mean_memory": ({conditions.VAE: own[conditions.VAE] - own[conditions.MEAN]}, NOT_ABOVE),
    }
    if context.token:
        above = own[conditions.VAE] - own[conditions.TOKEN]
        measures["bits_above_control_token"] = ({conditions.VAE: above}, NOT_ABOVE)
    rows = Rows("M5", region=region)
    for measure, (found, target) in measures.items():
        for notes, (first, last) in POSITIONS.items():
            counts, figures = np.clip(lengths - first, 0, last - first), {}
            for name, values in found.items():
                sums = values[..., first:last].sum(axis=2)
                spread = interval(resampled_means(sums, counts, weights, context.rng("M5 sets")))
                figures[name] = Figure(sums.mean(axis=1).sum() / counts.sum(), len(songs), spread)
            rows.add_all(measure, figures, target, notes=notes)
    return rows


METRICS = {"M4": m4, "M5": m5}
