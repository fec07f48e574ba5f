"""How sure a figure is, and how alike two sets of measurements are. Knows numbers alone, neither songs nor networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

ROUNDS = 2000  # of resampling for a mean; figures that cost more take fewer


def mean_interval(sums: np.ndarray, counts: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """95 % bootstrap interval of sum(sums) / sum(counts), songs drawn with replacement (Efron 1979, percentile).

    A song gives one of each: the bits of its notes and how many they are, or 1 or 0 and 1 for a share of songs.
    """
    return _interval(resampled_means(sums, counts, rng))


def difference_interval(one: tuple, other: tuple, rng: np.random.Generator) -> tuple[float, float]:
    """95 % interval of the difference of two such means of different songs, each given as (sums, counts)."""
    return _interval(resampled_means(*one, rng) - resampled_means(*other, rng))


def resampled_means(sums: np.ndarray, counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(ROUNDS,): the mean over as many songs, drawn with replacement."""
    sums, counts = np.asarray(sums, float), np.asarray(counts, float)
    taken = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=ROUNDS)
    return (taken @ sums) / np.maximum(taken @ counts, 1)


def interval_of(
    figure: Callable[[np.ndarray], float], rows: np.ndarray, rng: np.random.Generator, rounds: int
) -> tuple[float, float]:
    """95 % bootstrap interval of any figure of (songs, …) rows."""
    return _interval([figure(rows[rng.integers(len(rows), size=len(rows))]) for _ in range(rounds)])


def _interval(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def log_mean_exp(logs: np.ndarray, axis: int) -> np.ndarray:
    """log2 of the mean of 2 ** logs: the log probability under a mixture of equals."""
    return np.logaddexp2.reduce(logs, axis=axis) - np.log2(logs.shape[axis])


def calibration_error(sure: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error (Naeini et al. 2015): |how sure - how often right| over bins of equal width."""
    which = np.minimum((np.asarray(sure) * bins).astype(int), bins - 1)
    gaps = np.bincount(which, np.asarray(sure) - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(sure))


# How alike two sets are


def overlapping_area(real: np.ndarray, other: np.ndarray) -> float:
    """Area under two densities, of distances within `real` and from `real` to `other` (Yang & Lerch 2018).

    One feature, (songs,) each. Densities are Gaussian kernel estimates (Scott's bandwidth) on 512 points.
    """
    within = np.abs(real[:, None] - real)[np.triu_indices(len(real), 1)]
    return density_overlap(within, np.abs(real[:, None] - other).ravel())


def density_overlap(one: np.ndarray, other: np.ndarray, points: int = 512) -> float:
    """Area under both kernel estimates of two samples' densities, 0 to 1."""
    from scipy.ndimage import gaussian_filter1d

    widths = [max(sample.std(), 1e-9) * len(sample) ** -0.2 for sample in (one, other)]
    low = min(one.min(), other.min()) - 3 * max(widths)
    high = max(one.max(), other.max()) + 3 * max(widths)
    step = (high - low) / points
    densities = [
        gaussian_filter1d(np.histogram(sample, points, (low, high))[0] / len(sample), width / step, mode="constant")
        for sample, width in zip((one, other), widths, strict=True)
    ]
    return float(np.minimum(*densities).sum())


def frechet_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Squared Fréchet distance of the Gaussians fitted to two sets, (songs, features) each (Heusel et al. 2017)."""
    covariances = [np.cov(rows, rowvar=False) for rows in (one, other)]
    # The trace of the root of A B is the sum of the roots of its eigenvalues, none of which is negative.
    roots = np.sqrt(np.maximum(np.linalg.eigvals(covariances[0] @ covariances[1]).real, 0))
    apart = one.mean(axis=0) - other.mean(axis=0)
    return float(apart @ apart + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * roots.sum())


def two_sample_test(real: np.ndarray, other: np.ndarray, seed: int) -> tuple[float, float]:
    """How well a judge tells two sets apart: (AUC, accuracy), .5 where they are alike.

    Logistic regression on standardised features (of more than 64, their first 64 principal components), five folds;
    each row is judged by a judge that has not seen it.
    """
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, truth = np.concatenate([real, other]), np.repeat([0, 1], [len(real), len(other)])
    fewer = [PCA(64, random_state=seed)] if rows.shape[1] > 64 and len(rows) > 80 else []
    weigh = LogisticRegression(solver="newton-cholesky", class_weight="balanced")
    judge = make_pipeline(StandardScaler(), *fewer, weigh)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    share = cross_val_predict(judge, rows, truth, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(truth, share)), float(((share > 0.5) == truth).mean())


def mmd(one: np.ndarray, other: np.ndarray, rng: np.random.Generator, rounds: int = 500) -> tuple[float, float]:
    """Squared maximum mean discrepancy and the p of its permutation test (Gretton et al. 2012, eq. 5 and section 6).

    Gaussian kernel, its width the median distance. A small p says that the two sets, (songs, numbers) each, differ.
    """
    from scipy.spatial.distance import pdist, squareform

    squares = squareform(pdist(np.concatenate([one, other]), "sqeuclidean"))
    kernel = np.exp(-squares / np.median(squares[np.triu_indices(len(squares), 1)]))
    sign = np.repeat([1 / len(one), -1 / len(other)], [len(one), len(other)])
    shuffled = np.stack([rng.permutation(sign) for _ in range(rounds)])
    found = float(sign @ kernel @ sign)
    by_chance = ((shuffled @ kernel) * shuffled).sum(axis=1)
    return found, float((1 + (by_chance >= found).sum()) / (1 + rounds))
