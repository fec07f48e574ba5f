"""The n-gram models, each on an example worked by hand."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from evaluation.ngrams import (
    KneserNey,
    KneserNeyInBar,
    bits,
    combined,
    kneser_ney_songs,
    relative_to_key,
    rhythm_probabilities,
    short_term,
)
from melody.vocabulary import ESSEN

DATA = Path(os.environ.get("ESSEN_DATA", "data"))  # what preprocess.py wrote

SONGS = some.lists(some.lists(some.integers(0, 4), max_size=12).map(lambda notes: np.array(notes, int)), max_size=6)


def test_kneser_ney_by_hand():
    """Songs 0 1, 0 2, 1 1; S is the start.

    Distinct bigrams S0 01 02 S1 11: so 0, 1, 2 occur after 1, 3, 1 symbols, five in all, of three kinds.
        p(1) = (3 - .8) / 5 + .8 * 3 / 5 / 3 = .60, p(0) = p(2) = (1 - .8) / 5 + .16 = .20
    After S come 0 0 1: p(0 | S) = (2 - .8) / 3 + .8 * 2 / 3 * .20 = .506667, p(2 | S) = .8 * 2 / 3 * .20 = .106667
                         p(1 | S) = (1 - .8) / 3 + .8 * 2 / 3 * .60 = .386667
    After 0 come 1 2:    p(1 | 0) = (1 - .8) / 2 + .8 * 2 / 2 * .60 = .58
    After 2 comes nothing: p(. | 2) = p(.)
    """
    model = KneserNey([np.array([0, 1]), np.array([0, 2]), np.array([1, 1])], symbols=3, context=1)
    found = model.probabilities([np.array([0, 1]), np.array([2, 2])])
    after_start = [0.506667, 0.386667, 0.106667]
    expected = [after_start, [0.16, 0.58, 0.26], after_start, [0.20, 0.60, 0.20]]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_contexts_at_the_start_of_a_song_keep_plain_counts():
    """Songs 0 0, 0 0, 0 1, context 2. The longest context of the second note is S 0, after which come 0 0 1.

    Bigrams S0 00 01: p(0) = (2 - .8) / 3 + .8 * 2 / 3 / 2 = .666667, p(1) = .333333.
    One symbol: 0 is followed, after different ones (S0 0, S0 1), by 0 once and 1 once:
        p(0 | 0) = .2 / 2 + .8 * .666667 = .633333
    Two symbols: p(0 | S 0) = (2 - .8) / 3 + .8 * 2 / 3 * .633333 = .737778
    The first note: p(0 | S) = (3 - .8) / 3 + .8 / 3 * .666667 = .911111: three times, not once.
    """
    model = KneserNey([np.array([0, 0]), np.array([0, 0]), np.array([0, 1])], symbols=2, context=2)
    found = model.probabilities([np.array([0, 0])])
    np.testing.assert_allclose(found[:, 0], [0.911111, 0.737778], atol=1e-6)


def test_short_term_by_hand():
    """Song 0 0 1 over two symbols, one symbol of context.

    At the start: 1/2. After one 0: p(0) = (1 + 1 * .5) / (1 + 1) = .75; nothing has followed a 0 yet.
    After 0 0: p(0) = (2 + 1 * .5) / (2 + 1) = .833333; a 0 was followed by 0: p(0 | 0) = (1 + .833333) / 2 = .916667.
    """
    found = short_term([np.array([0, 0, 1])], symbols=2, context=1)
    np.testing.assert_allclose(found[:, 0], [0.5, 0.75, 0.916667], atol=1e-6)


def test_kneser_ney_in_the_bar_by_hand():
    """Symbols 0 1 at positions 5 6, and 0 0 at 5 6; no symbol before.

    Distinct pairs of place and symbol 50 61 60: p(0) = (2 - .8) / 3 + .8 * 2 / 3 / 2 = .666667, p(1) = .333333.
    At 5 come 0 0: p(0 | 5) = 1.2 / 2 + .8 / 2 * .666667 = .866667. At 6 come 1 0: .2 / 2 + .8 * .666667 = .633333.
    """
    songs, positions = [np.array([0, 1]), np.array([0, 0])], [np.array([5, 6])] * 2
    model = KneserNeyInBar(songs, positions, symbols=2, context=0)
    found = model.probabilities([np.array([0, 0, 0])], [np.array([5, 6, 7])])
    np.testing.assert_allclose(found[:, 0], [0.866667, 0.633333, 0.666667], atol=1e-6)


def test_kneser_ney_in_the_bar_knows_the_symbols_before():
    songs, positions = [np.array([0, 1, 2, 0, 1, 3] * 9)], [np.array([1, 2, 3] * 18)]
    found = KneserNeyInBar(songs, positions, symbols=4).probabilities(songs, positions)
    assert (found.argmax(axis=1)[6:] == songs[0][6:]).all() and found[6:].max(axis=1).min() > 0.6
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_short_term_with_positions_by_hand():
    """Song 0 0 1 at positions 7 8 7, no symbol of context: at the second 7, p(0) = .75 after none (above), 0 came at 7.

    Without the place: (2 + 1 * .5) / 3 = .833333; with it (1 + 1 * .833333) / (1 + 1) = .916667.
    """
    found = short_term([np.array([0, 0, 1])], symbols=2, context=0, positions=[np.array([7, 8, 7])])
    np.testing.assert_allclose(found[:, 0], [0.5, 0.75, 0.916667], atol=1e-6)


def test_the_short_term_model_starts_anew_with_each_song():
    song = np.array([3, 1, 3, 1])
    twice = short_term([song, song], 5)
    np.testing.assert_array_equal(twice[:4], twice[4:])


def test_combined_by_hand():
    """(.8, .2) and (.5, .5).

    bias 0: roots of .8 * .5 and .2 * .5, 2 to 1, so 2/3 and 1/3.
    bias 1: entropies .721928 and 1 bit, weights 1.385180 and 1; the odds are 4 ** (1.385180 / 2.385180) = 2.237 to 1.
    """
    one, other = np.array([[0.8, 0.2]]), np.array([[0.5, 0.5]])
    np.testing.assert_allclose(combined([one, other], 0), [[2 / 3, 1 / 3]])
    np.testing.assert_allclose(combined([one, other], 1)[0, 0], 2.237 / 3.237, atol=1e-4)


@settings(deadline=None)
@given(SONGS, SONGS, some.integers(0, 4))
def test_every_prediction_is_a_distribution(training, songs, context):
    predictions = [KneserNey(training, 5, context).probabilities(songs), short_term(songs, 5, context)]
    for chances in [*predictions, combined(predictions, 0.5)]:
        assert chances.shape == (sum(map(len, songs)), 5) and (chances > 0).all()
        np.testing.assert_allclose(chances.sum(axis=1), 1)


def test_bits_are_those_of_the_actual_notes():
    np.testing.assert_allclose(bits(np.array([[0.5, 0.5], [0.75, 0.25]]), [np.array([0]), np.array([1])]), [1, 2])


def test_given_the_key_a_transposed_song_is_predicted():
    training = np.array(ESSEN.encode(["C4", "D4", "E4", "F4", "G4", "E4", "C4"]))
    song = np.array(ESSEN.encode(["G4", "A4", "B4", "C5", "D5", "B4", "G4"]))
    otherwise = np.full((len(song), len(ESSEN)), 1 / len(ESSEN))
    relative = relative_to_key([training] * 3, ["C"] * 3, [song], ["G"], ESSEN, otherwise)
    assert bits(relative, [song]).max() < 1.5
    np.testing.assert_allclose(relative.sum(axis=1), 1)
    wrong = relative_to_key([training] * 3, ["C"] * 3, [song], ["E-"], ESSEN, otherwise)
    assert bits(wrong, [song]).mean() > 4
    without = relative_to_key([training] * 3, ["C"] * 3, [song], [""], ESSEN, otherwise)
    np.testing.assert_array_equal(without, otherwise)


def test_songs_sampled_from_kneser_ney_have_its_probabilities_and_endings():
    rng = np.random.default_rng(0)
    training = [np.array([0, 1, 2])] * 40 + [np.array([3, 2])] * 10
    sampled = kneser_ney_songs(training, 4, 2, 2000, rng, length=9)
    assert {len(tune) for tune in sampled} <= set(range(1, 10))
    assert np.mean([tune.tolist() in ([0, 1, 2], [3, 2]) for tune in sampled]) > 0.85
    first = KneserNey([np.append(tune, 4) for tune in training], 5, 2).probabilities([np.array([0])])[0]
    share = np.mean([tune[0] == 0 for tune in sampled])
    assert share == pytest.approx(first[0] / first[:4].sum(), abs=0.03)
    again = kneser_ney_songs(training, 4, 2, 2000, np.random.default_rng(0), length=9)
    assert all(np.array_equal(one, other) for one, other in zip(sampled, again, strict=True))


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "songs.h5").exists(), reason=f"no collection in {DATA}; preprocess.py makes it")
def test_figures_on_the_collection():
    """Other implementations on a split of the same kind: 2.79, 2.77 and 2.56 bits, top-1 accuracy 46 %."""
    from melody import dataset
    from melody.split import load_split

    songs = dataset.load(DATA)
    split = load_split(DATA, songs)
    training, test = songs.songs(split["training"]), songs.songs(split["test"])
    found = {context: KneserNey(training, len(songs.vocabulary), context).probabilities(test) for context in (3, 4)}
    assert bits(found[4], test).mean() == pytest.approx(2.79, abs=0.05)
    assert bits(found[3], test).mean() == pytest.approx(2.77, abs=0.05)
    both = combined([found[4], short_term(test, len(songs.vocabulary))], bias=0.5)
    assert bits(both, test).mean() == pytest.approx(2.55, abs=0.05)
    assert (both.argmax(axis=1) == np.concatenate(test)).mean() == pytest.approx(0.455, abs=0.02)


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "songs.h5").exists(), reason=f"no collection in {DATA}; preprocess.py makes it")
def test_figures_of_rhythm_on_the_collection():
    """Another implementation: 1.566 bits for Kneser-Ney 5, and 1.245 for the mixture, top-1 accuracy 71.5 %."""
    from melody import dataset, encoding
    from melody.split import load_split

    songs = dataset.load(DATA)
    split, encoded = load_split(DATA, songs), encoding.encode(songs, songs.vocabulary)
    training, test = ([encoded[s] for s in split[part]] for part in ("training", "test"))
    lines = [song.rhythm for song in test]
    found = rhythm_probabilities(training, test, len(songs.vocabulary.rhythm.rhythms))
    measured = [bits(rows, lines).mean() for rows in found.values()]
    np.testing.assert_allclose(measured, [1.566, 1.404, 1.231], atol=0.03)
