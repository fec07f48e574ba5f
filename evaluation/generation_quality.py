"""M8 to M12: whether composed songs overshoot a style, copy, repeat and vary as real ones do."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from evaluation import conditions
from evaluation import metrics as m
from evaluation import statistics as st
from evaluation.context import EVERY, PAIR, WINDOW, Context
from evaluation.ngrams import kneser_ney_songs
from evaluation.report import Figure, Rows, around

ORDER = 8  # notes
IMITATION = f"Kneser-Ney {ORDER} of the region"  # the strongest imitation without a network
TOGETHER = 300  # songs within which distinct n-grams are counted
LIMIT = 4.0  # standard deviations at which features are clipped for the kernel distance
LONGEST = {
    "median": np.median,
    "95th_percentile": lambda longest: np.percentile(longest, 95),
    "maximum": np.max,
    "share_of_24_or_more": lambda longest: np.mean(longest >= 24),
}
Songbook = dict[str, list[np.ndarray]]


def compared(context: Context) -> list[str]:
    """The conditions whose songs are measured here."""
    left_out = conditions.RANDOM, conditions.HELD_OUT, conditions.PCA_32, conditions.GAUSSIAN
    return [name for name in conditions.available(context) if name not in left_out]


@cache
def imitations(context: Context, region: str) -> list[np.ndarray]:
    training, rng = context.songs_of("training", region), context.rng(IMITATION, region)
    return kneser_ney_songs(training, len(context.vocabulary), ORDER, context.sizes.songs, rng, context.length)


def songbook(context: Context, region: str, guidance: float) -> Songbook:
    """The composed songs of each condition, and the real ones."""
    songs = {name: conditions.songs(context, name, region, guidance) for name in compared(context)}
    return songs | {IMITATION: imitations(context, region), conditions.REAL: context.real(region)}


def subjects(context: Context) -> list[tuple[str, float, Songbook]]:
    """Region, guidance and songs of everything that is measured here."""
    pairs = [(region, guidance) for region in (EVERY, *PAIR) for guidance in context.guidances]
    return [(region, guidance, songbook(context, region, guidance)) for region, guidance in pairs]


@cache
def song_weights(context: Context, count: int) -> np.ndarray:
    """Bootstrap weights of the `count` composed songs that are left when short ones are dropped, in equal sets."""
    sets = np.arange(count) * context.sizes.sets // count
    return st.bootstrap_weights(range(count), context.rng("songs", count), sets, context.sizes.rounds)


def figures(context: Context, values: dict[str, np.ndarray], statistic: Callable) -> dict[str, Figure]:
    """A statistic of one number per song for each condition; the interval is the VAE's."""
    found = {name: Figure(statistic(column), len(column)) for name, column in values.items()}
    own = values[conditions.VAE]
    spread = st.interval_of(statistic, own, song_weights(context, len(own)))
    return found | {conditions.VAE: Figure(statistic(own), len(own), spread)}


def m8(context: Context) -> list[dict]:
    """Overshoot: are means that differ between the regions as in real songs, within a fifth of the real difference?"""
    rows, real = Rows("M8"), {region: style(context, context.real(region)) for region in PAIR}
    room = 0.2 * np.abs(real[PAIR[0]].mean(axis=0) - real[PAIR[1]].mean(axis=0))
    for region, guidance, songs in subjects(context):
        found = {name: style(context, some) for name, some in songs.items()} if region in PAIR else {}
        for k, measure in enumerate(m.STYLE_FEATURES if found else ()):
            columns = {name: values[:, k] for name, values in found.items() if len(values)}
            target = around(real[region][:, k].mean(), room[k])
            rows.add_all(
                measure.replace(" ", "_"), figures(context, columns, np.mean), target, region=region, guidance=guidance
            )
    return rows


def style(context: Context, songs: m.Songs) -> np.ndarray:
    return m.style_features(m.openings(songs, WINDOW), context.vocabulary)


# M9


@cache
def training_intervals(context: Context) -> list[np.ndarray]:
    return m.intervals(context.songs_of("training"), context.vocabulary)


def copied(context: Context, songs: m.Songs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each song its longest passage in a training song, its new 12-note passages, and all its passages."""
    runs = m.shared_runs(m.intervals(songs, context.vocabulary), training_intervals(context))
    return m.longest_shared(runs), *m.novelty(runs)


def m9(context: Context) -> list[dict]:
    """Copying: how long are passages whose intervals occur in a training song, in any key?"""
    rows = Rows("M9")
    for region, guidance, songs in subjects(context):
        fields = {"region": region, "guidance": guidance}
        found = {name: copied(context, some) for name, some in songs.items()}
        longest = {name: one[0] for name, one in found.items()}
        for what, statistic in LONGEST.items():
            measured = figures(context, longest, statistic)
            target = around(measured[conditions.REAL].value, 1) if what in ("median", "95th_percentile") else None
            target = "≤ 0.01" if what.startswith("share") else target
            rows.add_all(f"longest_shared_passage_{what}", measured, target, **fields)
        new = {name: Figure(one[1].sum() / max(one[2].sum(), 1), len(one[2])) for name, one in found.items()}
        spread = st.interval(st.resampled_means(*found[conditions.VAE][1:], context.composed_weights()))
        new[conditions.VAE] = new[conditions.VAE]._replace(interval=spread)
        rows.add_all("new_12_note_passages", new, around(new[conditions.REAL].value, 0.02), **fields)
    return rows


def m10(context: Context) -> list[dict]:
    """Variety within a set of songs: the share of distinct interval 6-grams, in sets of equal size."""
    rows = Rows("M10")
    for region, guidance, songs in subjects(context):
        windows = {name: m.openings(some, WINDOW) for name, some in songs.items()}
        count, shares = min(TOGETHER, *map(len, windows.values())), {}
        for name, some in windows.items():
            chosen = context.rng("M10", name).permutation(len(some))[:count]
            shares[name] = Figure(m.distinct_n([some[k] for k in chosen], context.vocabulary), count)
        target = around(shares[conditions.REAL].value, 0.05)
        rows.add_all("distinct_6_grams", shares, target, region=region, guidance=guidance)
    return rows


# M11 and M12


def m11(context: Context) -> list[dict]:
    """Repetition: which share of notes lies in an interval 4-gram that occurs elsewhere in the song?"""
    rows = Rows("M11")
    for region, guidance, songs in subjects(context):
        coverage = {name: song_features(context, some)[:, 0] for name, some in songs.items()}
        found = figures(context, coverage, np.mean)
        target = around(found[conditions.REAL].value, 0.08)
        rows.add_all("repetition_coverage", found, target, region=region, guidance=guidance)
    return rows


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
    rows = []
    for region, guidance, songs in subjects(context):
        real, training = song_features(context, songs[conditions.REAL]), training_features(context, region)
        found = {name: song_features(context, some) for name, some in songs.items()} | {conditions.REAL: training}
        n = min(map(len, (real, *found.values())))
        found = {name: one[:n] for name, one in found.items()}
        rows += distance_rows(context, real[:n], found, training, Rows("M12", region=region, guidance=guidance))
        rows += ending_rows(context, songs, Rows("M12", region=region, guidance=guidance))
    return rows


def ending_rows(context: Context, songs: Songbook, rows: Rows) -> Rows:
    """How songs end: on the tonic, and after how many notes."""
    songs = {name: [song for song in some if len(song)] for name, some in songs.items()}
    ends = partial(m.ends_on_tonic, vocabulary=context.vocabulary)
    tonic = {name: np.array([ends(song) for song in some]) for name, some in songs.items()}
    length = {name: np.array([len(song) for song in some]) for name, some in songs.items()}
    for measure, values, statistic, room in (
        ("last_note_on_tonic", tonic, np.mean, 0.05),
        ("median_notes", length, np.median, 10),
    ):
        found = figures(context, values, statistic)
        rows.add_all(measure, found, around(found[conditions.REAL].value, room))
    return rows


def distance_rows(context: Context, real: np.ndarray, found: dict, training: np.ndarray, rows: Rows) -> Rows:
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
    return rows


METRICS = {"M8": m8, "M9": m9, "M10": m10, "M11": m11, "M12": m12}
