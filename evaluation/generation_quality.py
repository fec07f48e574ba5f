"""M9 to M12: whether composed songs copy, repeat and vary as real ones do, and how alike the two sets are."""

from __future__ import annotations

from functools import cache, partial

import numpy as np

from evaluation import conditions
from evaluation.context import EVERY, WINDOW, Context
from evaluation.metrics import (
    FEATURES,
    Songs,
    distinct_n,
    ends_on_tonic,
    features,
    intervals,
    longest_shared,
    novelty,
    openings,
    shared_runs,
)
from evaluation.ngrams import kneser_ney_songs
from evaluation.report import row
from evaluation.statistics import frechet_distance, interval_of, mean_interval, overlapping_area, two_sample_test
from evaluation.steering import PAIR, settings

CONTEXT = 8  # notes
IMITATOR = f"Kneser-Ney {CONTEXT} of the region"  # the best imitator without a network
TOGETHER = 300  # songs among which different grams are counted


def subjects(context: Context) -> list[tuple[str, str, float]]:
    """What is measured: region, the words for it, guidance."""
    return [(region, f"{'all songs' if region == EVERY else region}, {name}", guidance)
            for region in (EVERY, *PAIR) for name, guidance in settings(context).items()]  # fmt: skip


@cache
def imitated(context: Context, region: str) -> list[np.ndarray]:
    training, rng = context.part("training", region), context.rng(IMITATOR, region)
    return kneser_ney_songs(training, len(context.vocabulary), CONTEXT, context.sizes.songs, rng, context.length)


def by_way(context: Context, region: str, guidance: float, some: tuple[str, ...] = ()) -> dict[str, Songs]:
    """The songs of some ways, or of all, and of the imitator."""
    songs = {way: conditions.songs(context, way, region, guidance) for way in some or conditions.every(context)}
    return songs | {IMITATOR: imitated(context, region)}


# M9


@cache
def training_lines(context: Context) -> list[np.ndarray]:
    return intervals(context.part("training"), context.vocabulary)


def copied(context: Context, songs: Songs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each song: its longest passage that stands in a training song, its new 12-note passages, all of them."""
    runs = shared_runs(intervals(songs, context.vocabulary), training_lines(context))
    return longest_shared(runs), *novelty(runs)


def m9(context: Context) -> list[dict]:
    """Copying: passages whose intervals stand in a training song, in any key."""
    lines = []
    for region, name, guidance in subjects(context):
        songs = by_way(
            context, region, guidance, (conditions.OURS, conditions.ZERO, conditions.HELD_OUT, conditions.CARICATURE)
        )
        found = {way: copied(context, theirs) for way, theirs in songs.items()}
        real, ours, rng = (
            copied(context, context.part("test", region)),
            found.pop(conditions.OURS),
            context.rng("M9", name),
        )
        for what, figure, must in (
            ("median", np.median, "≤ 12"),
            ("95th percentile", lambda longest: np.percentile(longest, 95), "≤ 18"),
            ("longest", np.max, None),
            ("share of 24 notes or more", lambda longest: np.mean(longest >= 24), "≤ 0.01"),
        ):
            lines.append(row(
                f"passage shared with a training song, notes, {what}: {name}", figure(ours[0]), real=figure(real[0]),
                interval=interval_of(figure, ours[0], rng, 1000), must=must, n=len(ours[0]),
                baselines={way: figure(theirs[0]) for way, theirs in found.items()},
            ))  # fmt: skip
        lines.append(row(
            f"passages of 12 notes that are new: {name}", ours[1].sum() / ours[2].sum(), must="≥ 0.90", n=len(ours[0]),
            interval=mean_interval(*ours[1:], rng), real=real[1].sum() / real[2].sum(),
            baselines={way: theirs[1].sum() / theirs[2].sum() for way, theirs in found.items()},
        ))  # fmt: skip
    return lines


# M10


def variety(context: Context, songs: Songs, rng: np.random.Generator) -> float:
    """Different interval 6-grams over all, in windows of songs drawn at random."""
    windows = openings(songs, WINDOW)
    return distinct_n([windows[k] for k in rng.permutation(len(windows))[:TOGETHER]], context.vocabulary)


def m10(context: Context) -> list[dict]:
    """Variety within a set of songs."""
    lines = []
    for region, name, guidance in subjects(context):
        rng = context.rng("M10", name)
        found = {way: variety(context, songs, rng) for way, songs in by_way(context, region, guidance).items()}
        n = min(TOGETHER, len(openings(conditions.songs(context, conditions.OURS, region, guidance), WINDOW)))
        lines.append(row(
            f"different interval 6-grams within {n} songs: {name}", found.pop(conditions.OURS), must="≥ 0.50",
            real=variety(context, context.held_out(region), rng), baselines=found, n=n,
        ))  # fmt: skip
    return lines


# M11 and M12


def measured(context: Context, songs: Songs) -> np.ndarray:
    """The features of the first 48 notes, (songs, 48), of the songs that have so many, `context.sizes.judged` at most."""
    return features(openings(songs, WINDOW)[: context.sizes.judged], context.vocabulary)


@cache
def real_features(context: Context, region: str) -> tuple[np.ndarray, np.ndarray]:
    """Of held-out songs of a region, and of as many training songs, which show what two real sets have in common."""
    rng, sets = context.rng("real", region), []
    for songs in (context.held_out(region), context.part("training", region)):
        sets.append(measured(context, [songs[k] for k in rng.permutation(len(songs))]))
    n = min(map(len, sets))
    return sets[0][:n], sets[1][:n]


@cache
def spread(context: Context) -> np.ndarray:
    """The deviation of each feature over all training songs, the unit of Fréchet distances; 1 where nothing varies."""
    from sklearn.preprocessing import StandardScaler

    return StandardScaler().fit(features(openings(context.part("training"), WINDOW), context.vocabulary)).scale_


def mean_area(real: np.ndarray, other: np.ndarray) -> float:
    return float(np.mean([overlapping_area(real[:, k], other[:, k]) for k in range(len(FEATURES))]))


def compared(context: Context, region: str, guidance: float) -> dict[str, np.ndarray]:
    """The features of each way's songs, as many as there are real ones to compare them with."""
    n = len(real_features(context, region)[0])
    return {way: measured(context, songs)[:n] for way, songs in by_way(context, region, guidance).items()}


def m11(context: Context) -> list[dict]:
    """Repetition: the share of notes inside an interval 4-gram that comes again in the song."""
    lines = []
    for region, name, guidance in subjects(context):
        (real, again), found = real_features(context, region), compared(context, region, guidance)
        rng, coverage = context.rng("M11", name), {way: rows[:, 0] for way, rows in found.items()}
        ours = coverage.pop(conditions.OURS)
        lines += [
            row(f"notes in a passage that comes again: {name}", ours.mean(), must="0.40 … 0.65", real=real[:, 0].mean(),
                interval=mean_interval(ours, np.ones(len(ours)), rng), n=len(ours),
                baselines={way: theirs.mean() for way, theirs in coverage.items()}),
            row(f"its overlapped area with real songs: {name}", overlapping_area(real[:, 0], ours), must="≥ 0.90",
                real=overlapping_area(real[:, 0], again[:, 0]), n=len(ours),
                interval=interval_of(partial(overlapping_area, real[:, 0]), ours, rng, context.sizes.rounds),
                baselines={way: overlapping_area(real[:, 0], theirs) for way, theirs in coverage.items()}),
        ]  # fmt: skip
    return lines


def m12(context: Context) -> list[dict]:
    """Likeness: areas and distances between distributions, a judge of real against composed, endings, lengths."""
    lines, scale = [], spread(context)
    for region, name, guidance in subjects(context):
        (real, again), found = real_features(context, region), compared(context, region, guidance)
        rng, whole = context.rng("M12", name), by_way(context, region, guidance)
        held_out = context.held_out(region)

        def distance(rows, real=real):
            return frechet_distance(real / scale, rows / scale)

        def judged(rows, real=real):
            return two_sample_test(real, rows, context.seed)[0]

        for what, figure, must, aim, rounds in (
            (f"mean overlapped area of {len(FEATURES)} features", lambda rows, real=real: mean_area(real, rows),
             "≥ 0.92", None, 0),
            (f"Fréchet distance on {len(scale)} features", distance, "≤ 8", None, context.sizes.rounds),
            ("AUC of a judge of real against composed", judged, "≤ 0.75", "≤ 0.65", 0),
        ):  # fmt: skip
            figures = {way: figure(rows) for way, rows in found.items()}
            interval = interval_of(figure, found[conditions.OURS], rng, rounds) if rounds else None
            lines.append(row(f"{what}: {name}", figures.pop(conditions.OURS), interval=interval, baselines=figures,
                             real=figure(again), must=must, aim=aim, n=len(real)))  # fmt: skip

        def on_tonic(song):
            return ends_on_tonic(song, context.vocabulary)

        ending, length = np.mean([on_tonic(song) for song in held_out]), np.median([len(song) for song in held_out])
        every = region == EVERY  # other regions are measured by their own songs
        for what, figure, middle, theirs, must in (
            ("last note on the tonic", on_tonic, np.mean, ending, "≥ 0.60" if every else f"≥ {ending - 0.06:.2f}"),
            ("median length, notes", len, np.median, length, "36 … 56" if every else f"{length - 10} … {length + 10}"),
        ):
            values = {way: np.array([figure(song) for song in songs if len(song)]) for way, songs in whole.items()}
            ours = values.pop(conditions.OURS)
            lines.append(row(f"{what}: {name}", middle(ours), interval=interval_of(middle, ours, rng, 1000), must=must,
                             baselines={way: middle(column) for way, column in values.items()}, n=len(ours),
                             real=theirs))  # fmt: skip
    return lines


METRICS = {"M9": m9, "M10": m10, "M11": m11, "M12": m12}
