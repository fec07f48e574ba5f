"""Figures of R1 to R9, on counts worked by hand."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest

from evaluation import rhythm_quality
from evaluation.conditions import REAL, VAE
from evaluation.rhythm_parts import Part, distances, per_song, ratio

ONCE = np.array([[1, 1], [2, 0], [0, 2]])  # each of two songs once; one of them twice


def test_ratio_by_hand():
    """Songs with 1 of 2 and 3 of 4: 4 of 6; resampled 1 of 2 and 3 of 4. Over means of 2 and 1: 2 of 2 and 4 of 4."""
    found = ratio(np.array([[1, 2], [3, 4]]), ONCE)
    assert found.value == pytest.approx(4 / 6) and found.n == 2
    assert found.interval == pytest.approx((0.5 + 0.05 * (4 / 6 - 0.5), 0.75 - 0.05 * (0.75 - 4 / 6)))
    assert ratio(np.array([[1, 2], [3, 4]]), ONCE, over=np.array([[2, 1], [8, 4]])).value == pytest.approx(1 / 3)


def test_songs_without_a_figure_do_not_count():
    assert per_song([0.5, np.nan]).tolist() == [[0.5, 1], [0, 0]]
    assert ratio(per_song([0.5, np.nan]), ONCE[:1]).n == 1


def test_distances_by_hand():
    """Real songs: half a, half b. Composed: three a, one b. |3/4 - 1/2| = 1/4; the rounds are moved to this value."""
    parts = {VAE: Part(["aab", "a"], [], ONCE), REAL: Part(["ab"], [], np.ones((1, 1), int))}
    found = distances(parts, lambda part: [list(song) for song in part.songs])
    assert list(found) == [VAE] and found[VAE].value == pytest.approx(1 / 4) and found[VAE].n == 2
    low, high = found[VAE].interval
    assert low < 1 / 4 < high
    assert distances(parts, lambda part: [[] for _ in part.songs]) == {}


def test_without_rhythms_there_are_no_rows(caplog):
    context = SimpleNamespace(trained=SimpleNamespace(record=SimpleNamespace(shape=SimpleNamespace(rhythms=0))))
    with caplog.at_level(logging.WARNING):
        assert [metric(context) for metric in rhythm_quality.METRICS.values()] == [[]] * 9
    assert "R9 is left out: the network knows pitches alone" in caplog.text
