"""Confidence intervals and two-sample statistics. Knows numbers only, neither songs nor networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.distance import pdist, squareform
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.preprocessing import StandardScaler

ROUNDS = 2000  # bootstrap rounds for a mean; expensive statistics use fewer
TREES = 200  # of the random forest of a two-sample test


def bootstrap_weights(
    groups: Sequence[int], rng: np.random.Generator, sets: Sequence[int] | None = None, rounds: int = ROUNDS
) -> np.ndarray:
    """(rounds, items): how often each item counts in each bootstrap round (Efron 1979).

    Whole groups (of near-duplicates) are sampled with replacement, so that copies of one song do not count as evidence
    twice. With `sets`, sets are sampled first and groups within them: the two-level bootstrap, which is conservative.

    >>> bootstrap_weights([0, 0, 1], np.random.default_rng(0), rounds=2)
    array([[2, 2, 0],
           [1, 1, 1]])
    """
    groups, sets = np.asarray(groups), np.zeros(len(groups), int) if sets is None else np.asarray(sets)
    names = np.unique(sets)
    times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=rounds)
    weights = np.zeros((rounds, len(groups)), int)
    for name, time in zip(names, times.T, strict=True):
        members = np.flatnonzero(sets == name)
        found, place = np.unique(groups[members], return_inverse=True)
        weights[:, members] = rng.multinomial(len(found) * time, np.full(len(found), 1 / len(found)))[:, place]
    return weights


def resampled_means(
    sums: np.ndarray, counts: np.ndarray, weights: np.ndarray, rng: np.random.Generator | None = None
) -> np.ndarray:
    """sum(sums) / sum(counts) in each bootstrap round, (rounds,); the same weights make differences paired.

    `sums` (items,), or (items, sets) of which the mean over sets is wanted; `rng` then resamples the sets as well.
    """
    weighted = weights @ np.asarray(sums, float)
    if weighted.ndim == 2:
        count = weighted.shape[1]
        weighted = (weighted * rng.multinomial(count, np.full(count, 1 / count), size=len(weights))).sum(axis=1) / count
    return weighted / np.maximum(weights @ np.asarray(counts, float), 1)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % percentile interval."""
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def interval_of(figure: Callable[[np.ndarray], float], rows: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """95 % bootstrap interval of any statistic of (items, …) rows; `weights` from `bootstrap_weights`."""
    return interval([figure(np.repeat(rows, times, axis=0)) for times in weights])


def calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error (Naeini et al. 2015): |confidence - accuracy| over bins of equal width."""
    which = np.minimum((np.asarray(confidence) * bins).astype(int), bins - 1)
    gaps = np.bincount(which, np.asarray(confidence) - correct, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))


def intraclass_correlation(values: np.ndarray) -> float:
    """Share of variance between rows, ICC(1) of (latents, songs of each) (Shrout & Fleiss 1979); 0 if all are equal.

    >>> intraclass_correlation(np.array([[1.0, 1.0], [3.0, 3.0]]))
    1.0
    """
    count, each = values.shape
    means = values.mean(axis=1)
    between = each * ((means - values.mean()) ** 2).sum() / (count - 1)
    within = ((values - means[:, None]) ** 2).sum() / (count * (each - 1))
    whole = between + (each - 1) * within
    return float((between - within) / whole) if whole else 0.0


# Comparing two sets


def overlapping_area(real: np.ndarray, other: np.ndarray) -> float:
    """Area under two densities, of distances within `real` and from `real` to `other` (Yang & Lerch 2018).

    One feature, (songs,) each. Densities are Gaussian kernel estimates (Scott's bandwidth) on 512 points.
    """
    within = np.abs(real[:, None] - real)[np.triu_indices(len(real), 1)]
    return density_overlap(within, np.abs(real[:, None] - other).ravel())


def density_overlap(one: np.ndarray, other: np.ndarray, points: int = 512) -> float:
    """Area under both kernel estimates of two samples' densities, 0 to 1."""
    widths = [max(sample.std(), 1e-9) * len(sample) ** -0.2 for sample in (one, other)]
    low = min(one.min(), other.min()) - 3 * max(widths)
    high = max(one.max(), other.max()) + 3 * max(widths)
    step = (high - low) / points
    densities = [
        gaussian_filter1d(np.histogram(sample, points, (low, high))[0] / len(sample), width / step, mode="constant")
        for sample, width in zip((one, other), widths, strict=True)
    ]
    return float(np.minimum(*densities).sum())


def kernel_distance(one: np.ndarray, other: np.ndarray) -> float:
    """KID: unbiased squared MMD with the kernel (x·y / d + 1)³ (Bińkowski et al. 2018, eq. 4), (songs, d) each.

    About 0, and below it half of the time, for two samples of one distribution.
    """
    within = 0.0
    for rows in (one, other):
        kernel = (rows @ rows.T / rows.shape[1] + 1) ** 3
        within += (kernel.sum() - np.trace(kernel)) / (len(rows) * (len(rows) - 1))
    return float(within - 2 * ((one @ other.T / one.shape[1] + 1) ** 3).mean())


def kernel_distance_interval(real: np.ndarray, other: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Bootstrap interval of the kernel distance, `other` resampled; copies of one row are not compared."""
    size = real.shape[1]
    within, across, known = ((a @ b.T / size + 1) ** 3 for a, b in ((other, other), (real, other), (real, real)))
    np.fill_diagonal(within, 0)
    fixed = (known.sum() - np.trace(known)) / (len(real) * (len(real) - 1))
    pairs = weights.sum(axis=1) ** 2 - (weights**2).sum(axis=1)
    own = ((weights @ within) * weights).sum(axis=1) / pairs
    return interval(fixed + own - 2 * (weights @ across.mean(axis=0)) / weights.sum(axis=1))


def two_sample_test(real: np.ndarray, other: np.ndarray, seed: int) -> float:
    """Classifier two-sample test (Lopez-Paz & Oquab 2017): AUC of a random forest, .5 for two sets that are alike.

    Five folds; each row is classified by trees that have not seen it. More than 64 features are reduced to their first
    64 standardized principal components.
    """
    rows, truth = np.concatenate([real, other]), np.repeat([0, 1], [len(real), len(other)])
    if rows.shape[1] > 64 and len(rows) > 80:  # once, since it sees no labels
        rows = PCA(64, whiten=True, random_state=seed).fit_transform(StandardScaler().fit_transform(rows))
    forest = RandomForestClassifier(TREES, min_samples_leaf=3, class_weight="balanced", random_state=seed)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    share = cross_val_predict(forest, rows, truth, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(truth, share))


def mmd(one: np.ndarray, other: np.ndarray, rng: np.random.Generator, rounds: int = 500) -> tuple[float, float]:
    """Squared maximum mean discrepancy and the p of its permutation test (Gretton et al. 2012, eq. 5 and section 6).

    Gaussian kernel, its width the median distance. A small p says that the two sets, (songs, numbers) each, differ.
    """
    squares = squareform(pdist(np.concatenate([one, other]), "sqeuclidean"))
    kernel = np.exp(-squares / np.median(squares[np.triu_indices(len(squares), 1)]))
    sign = np.repeat([1 / len(one), -1 / len(other)], [len(one), len(other)])
    shuffled = np.stack([rng.permutation(sign) for _ in range(rounds)])
    found = float(sign @ kernel @ sign)
    by_chance = ((shuffled @ kernel) * shuffled).sum(axis=1)
    return found, float((1 + (by_chance >= found).sum()) / (1 + rounds))
