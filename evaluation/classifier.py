"""Classifies songs by region from their intervals, in any key, or rhythms; it shares nothing with the network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer

from evaluation.metrics import Songs, intervals
from melody.vocabulary import Vocabulary

LONGEST = 3  # intervals in an n-gram


def ngrams(line: np.ndarray) -> list[bytes]:
    """The 1-, 2- and 3-grams of a song's intervals, each as often as it occurs."""
    return [line[i : i + size].tobytes() for size in range(1, LONGEST + 1) for i in range(len(line) - size + 1)]


class StyleClassifier:
    """Multinomial logistic regression on counts of interval 1- to 3-grams: their square roots, scaled to length 1.

    It is trained on windows of `window` notes, the length that it will classify; each region has the same weight.
    """

    between = 1  # notes more than symbols

    def __init__(self, songs: Songs, regions: Sequence[str], vocabulary: Vocabulary, window: int):
        self.vocabulary = vocabulary
        self.model = make_pipeline(
            CountVectorizer(analyzer=ngrams, dtype=np.float64),
            FunctionTransformer(np.sqrt, accept_sparse=True),
            Normalizer(),
            LogisticRegression(C=10, max_iter=500, class_weight="balanced"),
        )
        lines = self.lines(songs)
        pieces = [
            (line[start : start + window - self.between], region)
            for line, region in zip(lines, regions, strict=True)
            for start in range(0, max(len(line) + self.between - window // 2, 1), window)
        ]
        self.model.fit([piece for piece, _ in pieces], [region for _, region in pieces])

    def lines(self, songs: Songs) -> list[np.ndarray]:
        """The symbols of each song."""
        return intervals(songs, self.vocabulary)

    def predict(self, songs: Songs) -> np.ndarray:
        """The region of each song, (songs,)."""
        return self.model.predict(self.lines(songs))


class RhythmClassifier(StyleClassifier):
    """The same with n-grams of rhythms: songs are arrays of `evaluation.rhythm_metrics.rhythm_line`."""

    between = 0

    def lines(self, songs: Songs) -> list[np.ndarray]:
        return list(songs)
