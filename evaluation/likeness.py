"""M9 to M12: whether composed songs copy, repeat and vary as real ones do, and how alike the two sets are."""

from __future__ import annotations

from functools import cache, partial

import numpy as np

from evaluation import ways
from evaluation.baselines import kneser_ney_songs
from evaluation.bench import EVERY, WINDOW, Bench
from evaluation.metrics import (
    FEATURES,
    Songs,
    diversity,
    ends_on_tonic,
    features,
    intervals,
    longest_shared,
    novelty,
    openings,
    shared_runs,
)
from evaluation.rows import row
from evaluation.statistics import frechet_distance, interval_of, mean_interval, overlapped_area, told_apart
from evaluation.steering import PAIR, settings

CONTEXT = 8  # notes
IMITATOR = f"Kneser-Ney {CONTEXT} of the region"  # the best imitator without a network
TOGETHER = 300  # songs among which different grams are counted


def subjects(bench: Bench) -> list[tuple[str, str, float]]:
    """What is measured: region, the words for it, guidance."""
    return [(region, f"{'all songs' if region == EVERY else region}, {name}", guidance)
            for region in (EVERY, *PAIR) for name, guidance in settings(bench).items()]  # fmt: skip


@cache
def imitated(bench: Bench, region: str) -> list[np.ndarray]:
    training, rng = bench.part("training", region), bench.rng(IMITATOR, region)
    return kneser_ney_songs(training, len(bench.vocabulary), CONTEXT, bench.sizes.songs, rng, bench.length)


def by_way(bench: Bench, region: str, guidance: float, some: tuple[str, ...] = ()) -> dict[str, Songs]:
    """The songs of some ways, or of all, and of the imitator."""
    songs = {way: ways.songs(bench, way, region, guidance) for way in some or ways.every(bench)}
    return songs | {IMITATOR: imitated(bench, region)}


# M9


@cache
def training_lines(bench: Bench) -> list[np.ndarray]:
    return intervals(bench.part("training"), bench.vocabulary)


def copied(bench: Bench, songs: Songs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each song: its longest passage that stands in a training song, its new 12-note passages, all of them."""
    runs = shared_runs(intervals(songs, bench.vocabulary), training_lines(bench))
    return longest_shared(runs), *novelty(runs)


def m9(bench: Bench) -> list[dict]:
    """Copying: passages whose intervals stand in a training song, in any key."""
    lines = []
    for region, name, guidance in subjects(bench):
        songs = by_way(bench, region, guidance, (ways.OURS, ways.ZERO, ways.HELD_OUT, ways.CARICATURE))
        found = {way: copied(bench, theirs) for way, theirs in songs.items()}
        real, ours, rng = copied(bench, bench.part("test", region)), found.pop(ways.OURS), bench.rng("M9", name)
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


def variety(bench: Bench, songs: Songs, rng: np.random.Generator) -> float:
    """Different interval 6-grams over all, in windows of songs drawn at random."""
    windows = openings(songs, WINDOW)
    return diversity([windows[k] for k in rng.permutation(len(windows))[:TOGETHER]], bench.vocabulary)


def m10(bench: Bench) -> list[dict]:
    """Variety within a set of songs."""
    lines = []
    for region, name, guidance in subjects(bench):
        rng = bench.rng("M10", name)
        found = {way: variety(bench, songs, rng) for way, songs in by_way(bench, region, guidance).items()}
        n = min(TOGETHER, len(openings(ways.songs(bench, ways.OURS, region, guidance), WINDOW)))
        lines.append(row(
            f"different interval 6-grams within {n} songs: {name}", found.pop(ways.OURS), must="≥ 0.50",
            real=variety(bench, bench.held_out(region), rng), baselines=found, n=n,
        ))  # fmt: skip
    return lines


# M11 and M12


def measured(bench: Bench, songs: Songs) -> np.ndarray:
    """The features of the first 48 notes, (songs, 48), of the songs that have so many, `bench.sizes.judged` at most."""
    return features(openings(songs, WINDOW)[: bench.sizes.judged], bench.vocabulary)


@cache
def real_features(bench: Bench, region: str) -> tuple[np.ndarray, np.ndarray]:
    """Of held-out songs of a region, and of as many training songs, which show what two real sets have in common."""
    rng, sets = bench.rng("real", region), []
    for songs in (bench.held_out(region), bench.part("training", region)):
        sets.append(measured(bench, [songs[k] for k in rng.permutation(len(songs))]))
    n = min(map(len, sets))
    return sets[0][:n], sets[1][:n]


@cache
def spread(bench: Bench) -> np.ndarray:
    """The deviation of each feature over all training songs, the unit of Fréchet distances; 1 where nothing varies."""
    from sklearn.preprocessing import StandardScaler

    return StandardScaler().fit(features(openings(bench.part("training"), WINDOW), bench.vocabulary)).scale_


def mean_area(real: np.ndarray, other: np.ndarray) -> float:
    return float(np.mean([overlapped_area(real[:, k], other[:, k]) for k in range(len(FEATURES))]))


def compared(bench: Bench, region: str, guidance: float) -> dict[str, np.ndarray]:
    """The features of each way's songs, as many as there are real ones to compare them with."""
    n = len(real_features(bench, region)[0])
    return {way: measured(bench, songs)[:n] for way, songs in by_way(bench, region, guidance).items()}


def m11(bench: Bench) -> list[dict]:
    """Repetition: the share of notes inside an interval 4-gram that comes again in the song."""
    lines = []
    for region, name, guidance in subjects(bench):
        (real, again), found = real_features(bench, region), compared(bench, region, guidance)
        rng, coverage = bench.rng("M11", name), {way: rows[:, 0] for way, rows in found.items()}
        ours = coverage.pop(ways.OURS)
        lines += [
            row(f"notes in a passage that comes again: {name}", ours.mean(), must="0.40 … 0.65", real=real[:, 0].mean(),
                interval=mean_interval(ours, np.ones(len(ours)), rng), n=len(ours),
                baselines={way: theirs.mean() for way, theirs in coverage.items()}),
            row(f"its overlapped area with real songs: {name}", overlapped_area(real[:, 0], ours), must="≥ 0.90",
                real=overlapped_area(real[:, 0], again[:, 0]), n=len(ours),
                interval=interval_of(partial(overlapped_area, real[:, 0]), ours, rng, bench.sizes.rounds),
                baselines={way: overlapped_area(real[:, 0], theirs) for way, theirs in coverage.items()}),
        ]  # fmt: skip
    return lines


def m12(bench: Bench) -> list[dict]:
    """Likeness: areas and distances between distributions, a judge of real against composed, endings, lengths."""
    lines, scale = [], spread(bench)
    for region, name, guidance in subjects(bench):
        (real, again), found = real_features(bench, region), compared(bench, region, guidance)
        rng, whole = bench.rng("M12", name), by_way(bench, region, guidance)
        held_out = bench.held_out(region)

        def distance(rows, real=real):
            return frechet_distance(real / scale, rows / scale)

        def judged(rows, real=real):
            return told_apart(real, rows, bench.seed)[0]

        for what, figure, must, aim, rounds in (
            (f"mean overlapped area of {len(FEATURES)} features", lambda rows, real=real: mean_area(real, rows),
             "≥ 0.92", None, 0),
            (f"Fréchet distance on {len(scale)} features", distance, "≤ 8", None, bench.sizes.rounds),
            ("AUC of a judge of real against composed", judged, "≤ 0.75", "≤ 0.65", 0),
        ):  # fmt: skip
            figures = {way: figure(rows) for way, rows in found.items()}
            interval = interval_of(figure, found[ways.OURS], rng, rounds) if rounds else None
            lines.append(row(f"{what}: {name}", figures.pop(ways.OURS), interval=interval, baselines=figures,
                             real=figure(again), must=must, aim=aim, n=len(real)))  # fmt: skip

        def on_tonic(song):
            return ends_on_tonic(song, bench.vocabulary)

        ending, length = np.mean([on_tonic(song) for song in held_out]), np.median([len(song) for song in held_out])
        every = region == EVERY  # other regions are measured by their own songs
        for what, figure, middle, theirs, must in (
            ("last note on the tonic", on_tonic, np.mean, ending, "≥ 0.60" if every else f"≥ {ending - 0.06:.2f}"),
            ("median length, notes", len, np.median, length, "36 … 56" if every else f"{length - 10} … {length + 10}"),
        ):
            values = {way: np.array([figure(song) for song in songs if len(song)]) for way, songs in whole.items()}
            ours = values.pop(ways.OURS)
            lines.append(row(f"{what}: {name}", middle(ours), interval=interval_of(middle, ours, rng, 1000), must=must,
                             baselines={way: middle(column) for way, column in values.items()}, n=len(ours),
                             real=theirs))  # fmt: skip
    return lines


METRICS = {"M9": m9, "M10": m10, "M11": m11, "M12": m12}
