"""The formulas: examples worked by hand, and what must hold of any songs."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from evaluation import metrics, statistics
from melody.vocabulary import ESSEN

DATA = Path(os.environ.get("ESSEN_DATA", "data"))  # what preprocess.py wrote
LINES = some.lists(some.lists(some.integers(0, 2), max_size=9).map(lambda line: np.array(line, int)), max_size=5)


def song(names):
    return np.array(ESSEN.encode(names.split()))


@settings(deadline=None)
@given(LINES, LINES)
def test_shared_runs_are_the_longest_there_are(lines, others):
    def stands(part):
        return any(part == other[i : i + len(part)].tolist() for other in others for i in range(len(other)))

    for line, runs in zip(lines, metrics.shared_runs(lines, others), strict=True):
        for place, run in enumerate(runs):
            longest = max(
                (n for n in range(1, len(line) - place + 1) if stands(line[place : place + n].tolist())), default=0
            )
            assert run == longest


def test_a_planted_copy_is_caught_though_transposed():
    """Six notes of another song, a fifth higher, between two leaps that stand nowhere else: a run of six notes."""
    theirs = song("C4 D4 E4 F4 G4 E4 C4")
    mine = song("A2 G4 A4 B4 C5 D5 B4 A6")
    runs = metrics.shared_runs(metrics.intervals([mine], ESSEN), metrics.intervals([theirs], ESSEN))
    assert metrics.longest_shared(runs).tolist() == [6]
    new, passages = metrics.novelty(runs, notes=6)
    assert (new.tolist(), passages.tolist()) == ([2], [3])


def test_two_spellings_are_two_intervals():
    lines = metrics.intervals([song("C4 C#4"), song("C4 D-4"), song("F4 F#4")], ESSEN)
    assert lines[0] == lines[2] != lines[1]


def test_diversity_by_hand():
    """Up, down, up, down: of the bigrams ud du ud two are different; transposed once more, two of six."""
    tune, moved = song("C4 D4 C4 D4 C4"), song("F4 G4 F4 G4 F4")
    assert metrics.distinct_n([tune], ESSEN, grams=2) == pytest.approx(2 / 3)
    assert metrics.distinct_n([tune, moved], ESSEN, grams=2) == pytest.approx(2 / 6)


def test_repetition_coverage_by_hand():
    """C D E F G comes again a fourth higher, then one new note: ten of eleven notes."""
    assert metrics.repetition_coverage(song("C4 D4 E4 F4 G4 F4 G4 A4 B-4 C5 C6"), ESSEN) == pytest.approx(10 / 11)
    assert metrics.repetition_coverage(song("C4 D4 E4"), ESSEN) == 0


def test_manner_by_hand():
    """C E- D C F: five pitches, four of any pentatonic scale (B-: C D F); steps 3 1 2 5, so one semitone, one third."""
    found = metrics.style_features([song("C4 E-4 D4 C4 F4")], ESSEN)[0]
    np.testing.assert_allclose(found, [4 / 5, 1 / 4, 1 / 4, 11 / 4])


def test_features_by_hand():
    """G G A G C: steps 0 2 -2 -7; moves up, down, down: one reversal of two."""
    row = metrics.features([song("G4 G4 A4 G4 C4")], ESSEN)[0]
    known = dict(zip(metrics.FEATURES, row, strict=False))
    assert known["diatonic share"] == 1 and known["range"] == 9 and known["number of pitches"] == 3
    assert known["share of unisons"] == known["share of rises"] == 1 / 4
    assert known["mean interval"] == 11 / 4 and known["reversal rate"] == 1 / 2
    assert known["pitch-class entropy"] == pytest.approx(0.6 * np.log2(1 / 0.6) + 0.4 * np.log2(5))
    assert row[11:36].sum() == row[36:].sum() == pytest.approx(1)
    assert row[36] == pytest.approx(0.6) and row[36 + 2] == row[36 + 5] == pytest.approx(0.2), "counted from G"


def test_tonic_and_last_note():
    tune = song("C4 C4 G4 G4 A4 A4 G4 F4 F4 E4 E4 D4 D4 C4")
    assert metrics.tonic(tune, ESSEN) == 0 and metrics.ends_on_tonic(tune, ESSEN)
    assert not metrics.ends_on_tonic(tune[:-1], ESSEN)


def test_openings_leave_out_what_is_too_short():
    assert [line.tolist() for line in metrics.openings([np.arange(5), np.arange(3)], 2, first=2)] == [[2, 3]]


def test_calibration_error_by_hand():
    """Two bins: sure .3 + .4 and right 0 times, sure .9 + .9 and right once: (.7 + .8) / 4."""
    sure, right = np.array([0.3, 0.4, 0.9, 0.9]), np.array([0, 0, 1, 0])
    assert statistics.calibration_error(sure, right, bins=2) == pytest.approx(0.375)


def test_log_mean_exp_by_hand():
    """The mean of 1/2 and 1/8 is 5/16, of tiny numbers too."""
    assert statistics.log_mean_exp(np.array([-1.0, -3.0]), 0) == pytest.approx(np.log2(5 / 16))
    assert statistics.log_mean_exp(np.array([-5001.0, -5003.0]), 0) == pytest.approx(np.log2(5 / 16) - 5000)


def test_bootstrap_weighs_songs_by_their_notes():
    rng = np.random.default_rng(0)
    counts = rng.integers(20, 80, 400)
    sums = rng.normal(2.5, 0.5, 400) * counts
    low, high = statistics.mean_interval(sums, counts, rng)
    assert low < sums.sum() / counts.sum() < high
    assert high - low == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.3)
    low, high = statistics.difference_interval((sums, counts), (sums, counts), rng)
    assert low < 0 < high


def test_two_samples_of_one_kind_are_alike_and_others_are_not():
    rng = np.random.default_rng(0)
    one, same, other = rng.normal(0, 1, (300, 4)), rng.normal(0, 1, (300, 4)), rng.normal(1, 1, (300, 4))
    assert (
        statistics.overlapping_area(one[:, 0], same[:, 0])
        > 0.95
        > 0.9
        > statistics.overlapping_area(one[:, 0], other[:, 0])
    )
    assert (
        statistics.density_overlap(one[:, 0], same[:, 0])
        > 0.9
        > 0.7
        > statistics.density_overlap(one[:, 0], other[:, 0])
    )
    assert statistics.frechet_distance(one, same) < 0.2
    assert statistics.frechet_distance(one, other) == pytest.approx(4, abs=0.8), "four means, 1 apart"
    assert statistics.two_sample_test(one, same, 0)[0] < 0.6 < 0.85 < statistics.two_sample_test(one, other, 0)[0]
    assert statistics.mmd(one, same, rng)[1] > 0.05 > 0.01 > statistics.mmd(one, other, rng)[1]


@pytest.fixture(scope="module")
def collection():
    from melody import dataset
    from melody.split import load_split

    if not (DATA / "songs.h5").exists():
        pytest.skip(f"no collection in {DATA}; preprocess.py makes it")
    songs = dataset.load(DATA)
    split = load_split(DATA, songs)
    return songs.songs(split["training"]), songs.songs(split["test"] + split["validation"]), songs.vocabulary


@pytest.mark.slow
def test_real_songs_reach_the_ceiling_and_shuffled_ones_the_floor(collection):
    training, held_out, vocabulary = collection
    rng = np.random.default_rng(0)
    rows = metrics.features(metrics.openings(training, 48), vocabulary)
    known, others = rng.permutation(rows)[:1000].reshape(2, 500, -1)
    shuffled = [rng.permutation(line) for line in held_out]
    real, floor = (metrics.features(metrics.openings(lines, 48), vocabulary)[:500] for lines in (held_out, shuffled))
    scale = rows.std(axis=0) + 1e-9

    def area(one, two):
        return np.mean([statistics.overlapping_area(one[:, k], two[:, k]) for k in range(len(metrics.FEATURES))])

    assert area(known, others) > 0.94 and area(known, real) > 0.94 > 0.88 > area(known, floor)
    distance = statistics.frechet_distance(known / scale, real / scale)
    assert distance < 8 < 50 < statistics.frechet_distance(known / scale, floor / scale)
    assert statistics.two_sample_test(known, others, 0)[0] < 0.6 < 0.95 < statistics.two_sample_test(known, floor, 0)[0]
    assert real[:, 0].mean() > 0.4 > 0.15 > floor[:, 0].mean()


@pytest.mark.slow
def test_copies_are_caught_and_held_out_songs_are_not(collection):
    training, held_out, vocabulary = collection
    lines = metrics.intervals(training, vocabulary)
    runs = metrics.shared_runs(metrics.intervals(held_out[:300], vocabulary), lines)
    longest = metrics.longest_shared(runs)
    assert np.median(longest) <= 12 and np.percentile(longest, 95) <= 18 and (longest >= 24).mean() <= 0.01
    new, passages = metrics.novelty(runs)
    assert new.sum() / passages.sum() > 0.95
    planted = [vocabulary.index[name] for name in ("C4", "D4")]
    copy = np.concatenate([planted, training[7]])
    found = metrics.longest_shared(metrics.shared_runs(metrics.intervals([copy], vocabulary), lines))
    assert found[0] >= len(training[7])
