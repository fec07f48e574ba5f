"""A judge of regions that shares nothing with the network: it hears which intervals follow each other, in any key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluation.metrics import Songs, intervals
from melody.vocabulary import Vocabulary

GRAMS = 3  # intervals in a row that it counts at most


def grams(line: np.ndarray) -> list[bytes]:
    """The 1-, 2- and 3-grams of a song's intervals, each as often as it stands there."""
    return [line[i : i + size].tobytes() for size in range(1, GRAMS + 1) for i in range(len(line) - size + 1)]


class StyleClassifier:
    """Multinomial logistic regression on counts of interval 1- to 3-grams: their square roots, scaled to length 1.

    It learns from windows of `window` notes, since that is what it is to judge; each region weighs the same, however
    many songs it has.
    """

    def __init__(self, songs: Songs, regions: Sequence[str], vocabulary: Vocabulary, window: int):
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer, Normalizer

        self.vocabulary = vocabulary
        self.model = make_pipeline(
            CountVectorizer(analyzer=grams, dtype=np.float64),
            FunctionTransformer(np.sqrt, accept_sparse=True),
            Normalizer(),
            LogisticRegression(C=10, max_iter=500, class_weight="balanced"),
        )
        pieces = [(song[at : at + window], region) for song, region in zip(songs, regions, strict=True)
                  for at in range(0, max(len(song) - window // 2, 1), window)]  # fmt: skip
        self.model.fit(intervals([piece for piece, _ in pieces], vocabulary), [region for _, region in pieces])

    def calls(self, songs: Songs) -> np.ndarray:
        """The region that each song sounds like, (songs,)."""
        return self.model.predict(intervals(songs, self.vocabulary))
