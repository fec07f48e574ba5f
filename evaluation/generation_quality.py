"""M8 to M12: whether composed songs overshoot a style, copy, repeat and vary as real ones do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import product

import numpy as np

from evaluation import conditions
from evaluation import metrics as m
from evaluation import statistics as st
from evaluation.context import PAIR, WINDOW, Context
from evaluation.ngrams import kneser_ney_songs
from evaluation.report import Figure, Rows, around
from melody.curation import longest_loop

ORDER = 8  # notes
IMITATION = f"Kneser-Ney {ORDER} of the region"  # the strongest imitation without a network
TOGETHER = 300  # songs within which distinct n-grams are counted
LOOP = 8  # notes, fewer than those of a song that is composed again
LIMIT = 4.0  # standard deviations at which features are clipped for the kernel distance
LONGEST = {  # statistic of the longest shared passages, and its target
    "median": (np.median, "as real songs"),
    "95th_percentile": (partial(np.percentile, q=95), "as real songs"),
    "maximum": (np.max, None),
    "share_of_24_or_more": (lambda longest: np.mean(longest >= 24), "≤ 0.01"),
}
LEFT_OUT = (conditions.RANDOM, conditions.HELD_OUT, conditions.PCA_32, conditions.GAUSSIAN)  # not measured here
Songbook = dict[str, list[np.ndarray]]


@cache
def imitations(context: Context, region: str) -> list[np.ndarray]:
    training, rng = context.songs_of("training", region), context.rng(IMITATION, region)
    return kneser_ney_songs(training, len(context.vocabulary), ORDER, context.sizes.songs, rng, context.length)


def subjects(context: Context, rows: Rows) -> Iterator[tuple[str, Songbook]]:
    """Each region with its songs by condition, at each guidance; `rows` that are added then have both as fields."""
    names = [name for name in conditions.available(context) if name not in LEFT_OUT]
    for region, guidance in product(PAIR, context.guidances):
        rows.fields = {"region": region, "guidance": guidance}
        songs = {name: conditions.songs(context, name, region, guidance) for name in names}
        yield region, songs | {IMITATION: imitations(context, region), conditions.REAL: context.real(region)}


@cache
def song_weights(context: Context, count: int) -> np.ndarray:
    """Bootstrap weights of the `count` composed songs that are left when short ones are dropped, in equal sets."""
    sets = np.arange(count) * context.sizes.sets // count
    return st.bootstrap_weights(range(count), context.rng("songs", count), sets, context.sizes.rounds)


def figures(context: Context, values: dict[str, np.ndarray], statistic: Callable) -> dict[str, Figure]:
    """A statistic of one number per song for each condition; the interval is the VAE's."""
    own = values[conditions.VAE]
    spreads = {conditions.VAE: st.interval_of(statistic, own, song_weights(context, len(own)))}
    return {name: Figure(statistic(column), len(column), spreads.get(name)) for name, column in values.items()}


def m8(context: Context) -> list[dict]:
    """Overshoot: are means that differ between the regions as in real songs, within a fifth of the real difference?"""
    rows, real = Rows("M8"), {region: style(context, context.real(region)) for region in PAIR}
    room = 0.2 * np.abs(real[PAIR[0]].mean(axis=0) - real[PAIR[1]].mean(axis=0))
    for region, songs in subjects(context, rows):
        found = {name: style(context, some) for name, some in songs.items()}
        for k, measure in enumerate(m.STYLE_FEATURES):
            columns = {name: values[:, k] for name, values in found.items() if len(values)}
            target = around(real[region][:, k].mean(), room[k])
            rows.add_all(measure.replace(" ", "_"), figures(context, columns, np.mean), target)
    return rows


def style(context: Context, songs: m.Songs) -> np.ndarray:
    """The style features of the first 48 notes, (songs, 4)."""
    return m.style_features(m.openings(songs, WINDOW), context.vocabulary)


def m9(context: Context) -> list[dict]:
    """Copying: how long are passages whose intervals occur in a training song, in any key?"""
    rows = Rows("M9")
    for _, songs in subjects(context, rows):
        lines = {name: m.intervals(some, context.vocabulary) for name, some in songs.items()}
        runs = {name: m.shared_runs(some, context.training_intervals) for name, some in lines.items()}
        longest = {name: m.longest_shared(some) for name, some in runs.items()}
        for what, (statistic, target) in LONGEST.items():
            measured = figures(context, longest, statistic)
            target = around(measured[conditions.REAL].value, 1) if target == "as real songs" else target
            rows.add_all(f"longest_shared_passage_{what}", measured, target)
        found = {name: m.novelty(some) for name, some in runs.items()}
        new = {name: Figure(some.sum() / max(every.sum(), 1), len(every)) for name, (some, every) in found.items()}
        spread = st.interval(st.resampled_means(*found[conditions.VAE], context.composed_weights()))
        new[conditions.VAE] = new[conditions.VAE]._replace(interval=spread)
        rows.add_all("new_12_note_passages", new, around(new[conditions.REAL].value, 0.02))
    return rows


def m10(context: Context) -> list[dict]:
    """Variety within a set of songs: the share of distinct interval 6-grams, in sets of equal size."""
    rows = Rows("M10")
    for _, songs in subjects(context, rows):
        windows = {name: m.openings(some, WINDOW) for name, some in songs.items()}
        count, shares = min(TOGETHER, *map(len, windows.values())), {}
        for name, some in windows.items():
            chosen = context.rng("M10", name).permutation(len(some))[:count]
            shares[name] = Figure(m.distinct_n([some[k] for k in chosen], context.vocabulary), count)
        rows.add_all("distinct_6_grams", shares, around(shares[conditions.REAL].value, 0.05))
    return rows


def m11(context: Context) -> list[dict]:
    """Repetition: which share of notes lies in an interval 4-gram that occurs elsewhere in the song, and how many songs
    repeat a few notes over and over, for 8 notes or more?"""
    rows = Rows("M11")
    for _, songs in subjects(context, rows):
        coverage = {name: song_features(context, some)[:, 0] for name, some in songs.items()}
        add_as_real(context, rows, "repetition_coverage", coverage, np.mean, 0.08)
        loops = {name: np.array([longest_loop(song) >= LOOP for song in some]) for name, some in songs.items()}
        add_as_real(context, rows, f"songs_with_a_loop_of_{LOOP}_notes", loops, np.mean, 0.02)
    return rows


def add_as_real(context: Context, rows: Rows, measure: str, values: dict, statistic: Callable, room: float) -> None:
    """Rows whose target is the figure of real songs, with some room on both sides."""
    found = figures(context, values, statistic)
    rows.add_all(measure, found, around(found[conditions.REAL].value, room))


def song_features(context: Context, songs: m.Songs) -> np.ndarray:
    """The features of the first 48 notes, (songs, 48), of the songs that have so many, `sizes.windows` at most."""
    return m.features(m.openings(songs, WINDOW)[: context.sizes.windows], context.vocabulary)


@cache
def training_features(context: Context, region: str) -> np.ndarray:
    """Of as many training songs as there may be, in random order: what two sets of real songs have in common."""
    songs = context.songs_of("training", region)
    order = context.rng("training features", region).permutation(len(songs))
    return m.features(m.openings([songs[k] for k in order], WINDOW)[: 4 * context.sizes.windows], context.vocabulary)


def m12(context: Context) -> list[dict]:
    """Distributions: are composed songs as close to real ones as real training songs are?"""
    rows = Rows("M12")
    for region, songs in subjects(context, rows):
        real, training = song_features(context, songs[conditions.REAL]), training_features(context, region)
        found = {name: song_features(context, some) for name, some in songs.items()} | {conditions.REAL: training}
        n = min(map(len, (real, *found.values())))
        add_distances(context, rows, real[:n], {name: one[:n] for name, one in found.items()}, training)
        songs = {name: [song for song in some if len(song)] for name, some in songs.items()}
        ends = partial(m.ends_on_tonic, vocabulary=context.vocabulary)
        tonic, length = ({name: np.array([*map(of, some)]) for name, some in songs.items()} for of in (ends, len))
        add_as_real(context, rows, "last_note_on_tonic", tonic, np.mean, 0.05)
        add_as_real(context, rows, "median_notes", length, np.median, 10)
    return rows


def add_distances(context: Context, rows: Rows, real: np.ndarray, found: dict, training: np.ndarray) -> None:
    """Distances of each condition's features from real ones, (n, features); for real songs that of training songs."""
    middle, scale = training.mean(axis=0), training.std(axis=0)
    scale[scale == 0] = 1

    def standard(features: np.ndarray) -> np.ndarray:
        return np.clip((features - middle) / scale, -LIMIT, LIMIT)

    n, rng, known = len(real), context.rng("KID"), standard(real)
    subsets = [standard(training[rng.permutation(len(training))[:n]]) for _ in range(context.sizes.rounds)]
    limit = 2 * np.quantile([st.kernel_distance(known, subset) for subset in subsets], 0.975)
    area, kid, auc = {}, {}, {}
    for name, other in found.items():
        overlaps = [st.overlapping_area(real[:, k], other[:, k]) for k in range(len(m.FEATURES))]
        area[name], kid[name] = Figure(np.mean(overlaps), n), Figure(st.kernel_distance(known, standard(other)), n)
        auc[name] = Figure(st.two_sample_test(real, other, context.seed), 2 * n)
    spread = st.kernel_distance_interval(known, standard(found[conditions.VAE]), song_weights(context, n))
    kid[conditions.VAE] = kid[conditions.VAE]._replace(interval=spread)
    rows.add_all("overlapping_area", area, "≥ 0.92")
    rows.add_all("kernel_distance", kid, f"≤ {limit:.4g}")
    rows.add_all("two_sample_auc", auc, "≤ 0.75", "≤ 0.65")


METRICS = {"M8": m8, "M9": m9, "M10": m10, "M11": m11, "M12": m12}
