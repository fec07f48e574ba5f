"""The style classifier, on synthetic regions and on the collection."""

import os
from pathlib import Path

import numpy as np
import pytest

from evaluation import metrics
from evaluation.classifier import StyleClassifier, ngrams
from evaluation.ngrams import KneserNey, kneser_ney_songs
from melody.vocabulary import ESSEN
from tests.synthetic import melodies

DATA = Path(os.environ.get("ESSEN_DATA", "data"))  # what preprocess.py wrote


def synthetic(songs, seed):
    named = melodies(songs, seed)
    return [np.array(ESSEN.encode(notes)) for notes in named.values()], [name.split("/")[1] for name in named]


def test_ngrams_by_hand():
    line = np.array([5, 6, 5])
    assert sorted(ngrams(line)) == sorted(part.tobytes() for part in
                                         (line[:1], line[1:2], line[2:], line[:2], line[1:], line))  # fmt: skip


def test_it_classifies_synthetic_regions_in_any_key():
    classifier = StyleClassifier(*synthetic(30, seed=0), ESSEN, window=16)
    songs, regions = synthetic(20, seed=1)
    assert (classifier.predict(songs) == regions).mean() > 0.95
    up = {note: ESSEN.index[name] for note, name in enumerate(f"{name[:-1]}{int(name[-1]) + 1}" for name in ESSEN.names)
          if name in ESSEN.index}  # fmt: skip
    moved = [np.array([up[note] for note in song]) for song in songs]
    assert (classifier.predict(moved) == classifier.predict(songs)).all()


def test_shuffled_labels_cannot_be_learned():
    songs, regions = synthetic(30, seed=0)
    classifier = StyleClassifier(songs, np.random.default_rng(0).permutation(regions), ESSEN, window=16)
    songs, regions = synthetic(30, seed=1)
    assert 0.25 < (classifier.predict(songs) == regions).mean() < 0.75


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "songs.h5").exists(), reason=f"no collection in {DATA}; preprocess.py makes it")
def test_overshoot_passes_the_classifier_and_is_found_by_style_features():
    """Songs of a Kneser-Ney of Chinese songs are classified as Chinese; their means are not those of Chinese songs."""
    from melody import dataset, regions
    from melody.split import load_split

    songs = dataset.load(DATA)
    split = load_split(DATA, songs)

    def of(part, region, length=0):
        members = set(regions.members(songs, region))
        places = [s for s in split[part] if s in members]
        return metrics.openings(songs.songs(places), length) if length else songs.songs(places)

    china, europe, vocabulary = of("training", "china"), of("training", "europa"), songs.vocabulary
    labels = ["china"] * len(china) + ["europe"] * len(europe)
    classifier = StyleClassifier(china + europe, labels, vocabulary, window=32)
    real = (classifier.predict(of("test", "china", 32)) == "china").mean()
    assert real > 0.92 and (classifier.predict(of("test", "europa", 32)) == "europe").mean() > 0.95
    sampled = kneser_ney_songs(china, len(vocabulary), 4, 800, np.random.default_rng(0))
    rate = (classifier.predict(metrics.openings(sampled, 32)) == "china").mean()
    assert rate > real, "more Chinese than Chinese songs"
    means, own, other = (
        metrics.style_features(lines, vocabulary).mean(axis=0)
        for lines in (metrics.openings(sampled, 48), of("test", "china", 48), of("test", "deutschl", 48))
    )
    assert (np.abs(means - own) / np.abs(own - other)).max() > 0.4, "twice the tolerance"
    # It also predicts Chinese openings better, so likelihood alone would not find it.
    begin = [song[:8] for song in of("test", "china")]
    every = KneserNey(songs.songs(split["training"]), len(vocabulary), 4).probabilities(begin)
    alone = KneserNey(china, len(vocabulary), 4).probabilities(begin)
    notes = np.concatenate(begin)
    assert np.log2(alone / every)[np.arange(len(notes)), notes].mean() > 0.1
