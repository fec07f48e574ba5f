"""Metrics and statistics: examples worked by hand, and properties of any songs."""

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
def test_shared_runs_are_the_longest_possible(lines, others):
    def occurs(part):
        return any(part == other[i : i + len(part)].tolist() for other in others for i in range(len(other)))

    for line, runs in zip(lines, metrics.shared_runs(lines, others), strict=True):
        for place, run in enumerate(runs):
            longest = max(
                (n for n in range(1, len(line) - place + 1) if occurs(line[place : place + n].tolist())), default=0
            )
            assert run == longest


def test_a_transposed_copy_is_found():
    """Six notes of another song, a fifth higher, between two leaps that occur nowhere else: a run of six notes."""
    theirs = song("C4 D4 E4 F4 G4 E4 C4")
    mine = song("A2 G4 A4 B4 C5 D5 B4 A6")
    runs = metrics.shared_runs(metrics.intervals([mine], ESSEN), metrics.intervals([theirs], ESSEN))
    assert metrics.longest_shared(runs).tolist() == [6]
    new, passages = metrics.novelty(runs, notes=6)
    assert (new.tolist(), passages.tolist()) == ([2], [3])


def test_different_spellings_are_different_intervals():
    lines = metrics.intervals([song("C4 C#4"), song("C4 D-4"), song("F4 F#4")], ESSEN)
    assert lines[0] == lines[2] != lines[1]


def test_distinct_n_by_hand():
    """Up, down, up, down: of the bigrams ud du ud two are distinct; with a transposed copy, two of six."""
    tune, moved = song("C4 D4 C4 D4 C4"), song("F4 G4 F4 G4 F4")
    assert metrics.distinct_n([tune], ESSEN, grams=2) == pytest.approx(2 / 3)
    assert metrics.distinct_n([tune, moved], ESSEN, grams=2) == pytest.approx(2 / 6)


def test_repetition_coverage_by_hand():
    """C D E F G recurs a fourth higher, then one new note: ten of eleven notes."""
    assert metrics.repetition_coverage(song("C4 D4 E4 F4 G4 F4 G4 A4 B-4 C5 C6"), ESSEN) == pytest.approx(10 / 11)
    assert metrics.repetition_coverage(song("C4 D4 E4"), ESSEN) == 0


def test_style_features_by_hand():
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


def test_key_and_last_note():
    tune = song("C4 C4 G4 G4 A4 A4 G4 F4 F4 E4 E4 D4 D4 C4")
    assert metrics.key(tune, ESSEN) == (0, False) and metrics.ends_on_tonic(tune, ESSEN)
    assert not metrics.ends_on_tonic(tune[:-1], ESSEN)


def test_openings_leave_out_short_songs():
    assert [line.tolist() for line in metrics.openings([np.arange(5), np.arange(3)], 2, first=2)] == [[2, 3]]


def test_calibration_error_by_hand():
    """Two bins: confidence .3 + .4, none correct; confidence .9 + .9, one correct: (.7 + .8) / 4."""
    confidence, correct = np.array([0.3, 0.4, 0.9, 0.9]), np.array([0, 0, 1, 0])
    assert statistics.calibration_error(confidence, correct, bins=2) == pytest.approx(0.375)


def test_bootstrap_weights_songs_by_their_notes():
    rng = np.random.default_rng(0)
    counts = rng.integers(20, 80, 400)
    sums = rng.normal(2.5, 0.5, 400) * counts
    weights = statistics.bootstrap_weights(range(400), rng)
    low, high = statistics.interval(statistics.resampled_means(sums, counts, weights))
    assert low < sums.sum() / counts.sum() < high
    assert high - low == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.3)
    again = statistics.bootstrap_weights(range(400), rng)
    difference = [statistics.resampled_means(sums, counts, drawn) for drawn in (weights, again)]
    low, high = statistics.interval(difference[0] - difference[1])
    assert low < 0 < high
    paired = statistics.resampled_means(sums + counts, counts, weights) - difference[0]
    np.testing.assert_allclose(paired, 1, err_msg="the same songs in each round, so the difference is sure")


def test_copies_of_songs_make_no_interval_narrower():
    """100 songs, each four times: by songs the interval is half as wide as it should be, by groups it is right."""
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, 100)
    four, ones = np.repeat(values, 4), np.ones(400)
    widths = {}
    for name, groups, sums, counts in (
        ("once", range(100), values, np.ones(100)),
        ("songs", range(400), four, ones),
        ("groups", np.repeat(range(100), 4), four, ones),
    ):
        rounds = statistics.resampled_means(sums, counts, statistics.bootstrap_weights(groups, rng))
        widths[name] = np.ptp(statistics.interval(rounds))
    assert widths["groups"] == pytest.approx(widths["once"], rel=0.1)
    assert widths["songs"] == pytest.approx(widths["once"] / 2, rel=0.1)


def test_sets_that_differ_make_the_interval_wider():
    rng = np.random.default_rng(0)
    sets = np.repeat(range(5), 40)
    values = rng.normal(0, 1, 200) + np.array([-3, -1, 0, 1, 3])[sets]
    widths = [
        np.ptp(statistics.interval(statistics.resampled_means(values, np.ones(200), weights)))
        for weights in (statistics.bootstrap_weights(range(200), rng, drawn) for drawn in (None, sets))
    ]
    assert widths[1] > 2 * widths[0]
    crossed = np.tile(rng.normal(0, 1, (40, 1)), 5) + np.array([-3, -1, 0, 1, 3])
    weights = statistics.bootstrap_weights(range(40), rng)
    within, across = (statistics.resampled_means(crossed, np.ones(40), weights, rng),
                      statistics.resampled_means(crossed.mean(axis=1), np.ones(40), weights))  # fmt: skip
    assert np.ptp(statistics.interval(within)) > 2 * np.ptp(statistics.interval(across))


def test_intraclass_correlation_by_hand():
    """Rows 1 3 and 5 7: means 2 and 6 about 4, MSB = 2 (4 + 4) / 1 = 16; MSW = (1 + 1 + 1 + 1) / 2 = 2: 14 / 18."""
    assert statistics.intraclass_correlation(np.array([[1.0, 3.0], [5.0, 7.0]])) == pytest.approx(14 / 18)
    assert statistics.intraclass_correlation(np.ones((3, 2))) == 0
    unrelated = np.random.default_rng(0).normal(size=(300, 8))
    assert abs(statistics.intraclass_correlation(unrelated)) < 0.05


def test_kernel_distance_by_hand():
    """One feature, {0, 1} and {0, 2}: k(x, y) = (x y + 1)^3. Within: k(0, 1) = 1 and k(0, 2) = 1.
    Across: 1, 1, 1 and (2 + 1)^3 = 27, mean 7.5: 1 + 1 - 2 * 7.5 = -13."""
    one, other = np.array([[0.0], [1.0]]), np.array([[0.0], [2.0]])
    assert statistics.kernel_distance(one, other) == pytest.approx(-13)


def test_kernel_distance_is_unbiased_and_its_interval_holds_it():
    rng = np.random.default_rng(0)
    same = [statistics.kernel_distance(*rng.normal(0, 1, (2, 50, 4))) for _ in range(100)]
    assert abs(np.mean(same)) < 3 * np.std(same) / 10
    one, other = rng.normal(0, 1, (200, 4)), rng.normal(1, 1, (200, 4))
    distance = statistics.kernel_distance(one, other)
    weights = statistics.bootstrap_weights(range(200), rng, rounds=200)
    low, high = statistics.kernel_distance_interval(one, other, weights)
    assert 0 < low < distance < high and distance > 10 * max(same)


def test_samples_of_one_distribution_are_alike_and_others_are_not():
    rng = np.random.default_rng(0)
    one, same, other = rng.normal(0, 1, (300, 4)), rng.normal(0, 1, (300, 4)), rng.normal(1, 1, (300, 4))
    for measure, least, most in ((statistics.overlapping_area, 0.95, 0.9), (statistics.density_overlap, 0.9, 0.7)):
        assert measure(one[:, 0], same[:, 0]) > least > most > measure(one[:, 0], other[:, 0])
    assert statistics.two_sample_test(one, same, 0) < 0.6 < 0.85 < statistics.two_sample_test(one, other, 0)
    assert statistics.mmd(one, same, rng)[1] > 0.05 > 0.01 > statistics.mmd(one, other, rng)[1]


def test_the_two_sample_test_sees_what_no_mean_shows():
    """Same means, other spread: a linear classifier would be at .5."""
    rng = np.random.default_rng(0)
    one, narrow = rng.normal(0, 1, (300, 4)), rng.normal(0, 0.5, (300, 4))
    assert statistics.two_sample_test(one, narrow, 0) > 0.8


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
def test_real_songs_are_alike_and_shuffled_songs_are_not(collection):
    training, held_out, vocabulary = collection
    rng = np.random.default_rng(0)
    rows = metrics.features(metrics.openings(training, 48), vocabulary)
    known, others = rng.permutation(rows)[:1000].reshape(2, 500, -1)
    shuffled = [rng.permutation(line) for line in held_out]
    real, floor = (metrics.features(metrics.openings(lines, 48), vocabulary)[:500] for lines in (held_out, shuffled))
    middle, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    assert real[:, 0].mean() > 0.4 > 0.15 > floor[:, 0].mean()

    def area(one, two):
        return np.mean([statistics.overlapping_area(one[:, k], two[:, k]) for k in range(len(metrics.FEATURES))])

    assert area(known, others) > 0.94 and area(known, real) > 0.94 > 0.88 > area(known, floor)
    known, real, floor, others = (np.clip((rows - middle) / scale, -4, 4) for rows in (known, real, floor, others))
    assert abs(statistics.kernel_distance(known, others)) < 0.02  # two samples of one set
    assert statistics.kernel_distance(known, real) < 0.05 < 2 < statistics.kernel_distance(known, floor)
    assert statistics.two_sample_test(known, others, 0) < 0.6 < 0.95 < statistics.two_sample_test(known, floor, 0)


@pytest.mark.slow
def test_copies_of_training_songs_are_found_and_held_out_songs_are_new(collection):
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
