"""E6: whether a weighted sum of memories of two regions composes songs between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evaluation import conditions
from evaluation.context import CLASSES, PAIR, TWO, Context
from evaluation.figures import grid
from evaluation.generation_quality import song_features
from evaluation.metrics import Songs
from evaluation.report import Figure, Rows, around, find
from evaluation.statistics import two_sample_test
from evaluation.steering import hits
from melody.plots import COLORS, save

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the first region; the second has the rest
MIXED = (conditions.VAE, conditions.MEAN, conditions.TRAINING)
EITHER = "songs of either region"  # the simplest mixture: as many songs of each region as its weight says


def e6(context: Context) -> list[dict]:
    """Mixing: does the share of songs classified as Chinese follow the weight of China in a sum of memories?"""
    if any(region not in context.vaes for region in PAIR):
        return []
    rows, label, songs = Rows("E6", guidance=context.guidance), CLASSES[PAIR[0]], mixed_songs(context)
    classifier, weights = context.classifier(*TWO), context.composed_weights()
    shares: dict[str, list[float]] = {}
    for weight in WEIGHTS:
        found = {name: hits(by_weight[weight], classifier, label, weights) for name, by_weight in songs.items()}
        figures = {name: one.rate for name, one in found.items()}
        rows.add_all(f"share_classified_as_{label}", figures, around(weight, 0.10), region=mixture(weight))
        for name, one in found.items():
            shares.setdefault(name, []).append(one.share)
    steps = {name: Figure(min(np.diff(share)), len(context.set_of_song)) for name, share in shares.items()}
    rows.add_all("smallest_step_between_weights", steps, "> 0")
    ends = [auc(context, songs[conditions.VAE][weight], weight).value for weight in (WEIGHTS[0], WEIGHTS[-1])]
    for weight in WEIGHTS:
        figures = {name: auc(context, by_weight[weight], weight) for name, by_weight in songs.items()}
        rows.add_all("two_sample_auc", figures, f"≤ {max(ends) + 0.05:.3f}", region=mixture(weight))
    return rows


def mixture(weight: float) -> str:
    """As `--mix` of generate_song.py has it."""
    return f"{PAIR[0]}={weight:g} {PAIR[1]}={1 - weight:g}"


def mixed_songs(context: Context) -> dict[str, dict[float, Songs]]:
    """The pitches of the songs of each condition and weight."""
    found: dict[str, dict[float, Songs]] = {}
    for condition in MIXED:
        one, other = (conditions.pool(context, condition, region) for region in PAIR)
        memories = np.concatenate([weight * one + (1 - weight) * other for weight in WEIGHTS]).astype(np.float32)
        generators = []
        for _ in WEIGHTS:  # the same random numbers for each
            again, options = conditions.composing(context, len(one), context.guidance, context.temperature)
            generators += again
        sampler = context.sampler(context.guidance != 0)
        pitches = [song.pitch for song in sampler.compose(context.unpack(memories), generators, **options)]
        parts = (pitches[first : first + len(one)] for first in range(0, len(pitches), len(one)))
        found[condition] = dict(zip(WEIGHTS, parts, strict=True))
    other, *_, one = found[conditions.VAE].values()
    is_first = context.rng("either").permutation(len(one)) / len(one)
    found[EITHER] = {
        weight: [first if k < weight else second for k, first, second in zip(is_first, one, other, strict=True)]
        for weight in WEIGHTS
    }
    return found


def auc(context: Context, songs: Songs, weight: float) -> Figure:
    """Of a classifier of these songs and as many real ones of the two regions, in proportion to the weights."""
    composed = song_features(context, songs)
    one, other = (song_features(context, context.real(region)) for region in PAIR)
    n = min(len(composed), *(int(len(some) / share) for some, share in ((one, weight), (other, 1 - weight)) if share))
    first = round(n * weight)
    real = np.concatenate([one[:first], other[: n - first]])
    return Figure(two_sample_test(real, composed[:n], context.seed), 2 * n)


def mixing_figure(path: Path, rows: list[dict]) -> None:
    """The share of songs classified as Chinese against the weight of China, with 95 % intervals; from rows of E6."""
    figure, [[panel]] = grid(6, 4.5, 1, 1)
    for name, color in zip((*MIXED, EITHER), COLORS, strict=False):
        found = find(rows, metric="E6", measure=f"share_classified_as_{CLASSES[PAIR[0]]}", condition=name)
        shares, low, high = np.array([[row["value"], *row["interval"]] for row in found]).T
        error = np.maximum([shares - low, high - shares], 0)
        panel.errorbar(WEIGHTS, shares, yerr=error, fmt="o-", capsize=2, color=color, label=name)
    panel.plot([0, 1], [0, 1], ":", color="black", linewidth=1)
    panel.set_xlabel("weight of China in the sum of a Chinese and a German memory")
    panel.set_ylabel("share of songs classified as Chinese")
    panel.legend(frameon=False)
    save(figure, path)


METRICS = {"E6": e6}
