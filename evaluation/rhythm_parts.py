"""The songs of each condition in time, with their bootstrap weights, and figures of them: for R1 to R9."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np

from evaluation import conditions
from evaluation import rhythm_metrics as r
from evaluation.conditions import MEAN, PCA_8, REAL, TOKEN, TRAINING, UNCONDITIONAL, VAE
from evaluation.context import PAIR, Context
from evaluation.report import Figure, Rows, around
from evaluation.statistics import interval
from melody.encoding import EncodedSong

COMPOSED = (VAE, UNCONDITIONAL, MEAN, TRAINING, PCA_8, TOKEN)
OTHER, SHUFFLED = "other held-out songs", "real songs, rhythms shuffled"


class Part(NamedTuple):
    """The songs of one condition, the same in time (None where they are not in one meter), and bootstrap weights."""

    songs: list[EncodedSong]
    timed: list[r.BarSong | None]
    weights: np.ndarray  # (rounds, songs)


def part_of(context: Context, songs: list[EncodedSong], weights: np.ndarray) -> Part:
    clock = r.Clock(context.trained.vocabulary)
    return Part(songs, [clock.read(song) for song in songs], weights)


@cache
def composed(context: Context, condition: str, region: str, guidance: float) -> Part:
    songs = conditions.encoded_songs(context, condition, region, guidance)
    return part_of(context, songs, context.composed_weights(context.sizes.rounds))


@cache
def real(context: Context, part: str, region: str) -> Part:
    weights = context.weights(context.indices(part, region), "rhythm", part, region, rounds=context.sizes.rounds)
    return part_of(context, context.encoded_of(part, region), weights)


def subjects(context: Context, rows: Rows, *controls: str) -> Iterator[tuple[str, dict[str, Part]]]:
    """Each region with its songs by condition, at each guidance; `rows` that are added then have both as fields."""
    names = [name for name in COMPOSED if name in conditions.available(context)]
    for region, guidance in product(PAIR, context.guidances):
        rows.fields = {"region": region, "guidance": guidance}
        parts = {name: composed(context, name, region, guidance) for name in names}
        parts[REAL] = measured = real(context, context.part, region)
        if OTHER in controls:
            parts[OTHER] = real(context, context.other_part, region)
        if SHUFFLED in controls:
            rng = context.rng(SHUFFLED, region)
            parts[SHUFFLED] = measured._replace(timed=[song and r.shuffled(song, rng) for song in measured.timed])
        yield region, parts


# Figures


def ratio(values: np.ndarray, weights: np.ndarray, over: np.ndarray | None = None) -> Figure:
    """The mean of (songs, 2) sums and counts, divided by the mean of `over` if there is one, with its interval."""
    means, rounds = [], []
    for sums, counts in (one.T for one in (values, over) if one is not None):
        means.append(sums.sum() / max(counts.sum(), 1e-9))
        rounds.append((weights @ sums) / np.maximum(weights @ counts, 1e-9))
    value, spread = (one[0] / np.maximum(one[1], 1e-9) if one[1:] else one[0] for one in (means, rounds))
    return Figure(value, (values[:, 1] > 0).sum(), interval(spread))


def per_song(values: Sequence[float]) -> np.ndarray:
    """(songs, 2) sums and counts of one number per song, nan if it has none."""
    known = np.isfinite(values := np.asarray(values, float))
    return np.stack([np.where(known, values, 0), known], axis=1)


def add_as_real(rows: Rows, measure: str, figures: dict[str, Figure], room: float, relative: bool = False) -> None:
    """Rows whose target is the figure of real songs, with some room on both sides, or that share of it."""
    value = figures[REAL].value
    rows.add_all(measure, figures, around(value, room * abs(value) if relative else room))


def distances(parts: dict[str, Part], values: Callable[[Part], list[list[Hashable]]]) -> dict[str, Figure]:
    """Total variation of each condition's values, a list for each song, from those of real songs.

    Conditions without any value are left out.
    """
    counts = dict(zip(parts, r.histograms(*map(values, parts.values())), strict=True))
    target, figures = counts.pop(REAL).sum(axis=0), {}
    for name, songs in counts.items():
        if not songs.any():
            continue
        value = float(r.total_variation(songs.sum(axis=0), target))
        rounds = r.total_variation(parts[name].weights @ songs, target)
        # Resampling makes any two distributions differ more, so the rounds are moved to the value
        spread = tuple(max(bound + value - np.median(rounds), 0.0) for bound in interval(rounds))
        figures[name] = Figure(value, (songs.sum(axis=1) > 0).sum(), spread)
    return figures
