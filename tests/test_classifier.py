"""The judge of regions, on invented regions and on the collection."""

import os
from pathlib import Path

import numpy as np
import pytest

from evaluation import metrics
from evaluation.classifier import StyleClassifier, grams
from evaluation.ngrams import KneserNey, kneser_ney_songs
from melody.vocabulary import ESSEN
from tests.synthetic import melodies

DATA = Path(os.environ.get("ESSEN_DATA", "data"))  # what preprocess.py wrote


def invented(songs, seed):
    named = melodies(songs, seed)
    return [np.array(ESSEN.encode(notes)) for notes in named.values()], [name.split("/")[1] for name in named]


def test_grams_by_hand():
    line = np.array([5, 6, 5])
    assert sorted(grams(line)) == sorted(part.tobytes() for part in
                                         (line[:1], line[1:2], line[2:], line[:2], line[1:], line))  # fmt: skip


def test_it_tells_invented_regions_apart_in_any_key():
    judge = StyleClassifier(*invented(30, seed=0), ESSEN, window=16)
    songs, regions = invented(20, seed=1)
    assert (judge.calls(songs) == regions).mean() > 0.95
    up = {note: ESSEN.index[name] for note, name in enumerate(f"{name[:-1]}{int(name[-1]) + 1}" for name in ESSEN.names)
          if name in ESSEN.index}  # fmt: skip
    moved = [np.array([up[note] for note in song]) for song in songs]
    assert (judge.calls(moved) == judge.calls(songs)).all()


def test_shuffled_regions_cannot_be_told_apart():
    songs, regions = invented(30, seed=0)
    judge = StyleClassifier(songs, np.random.default_rng(0).permutation(regions), ESSEN, window=16)
    songs, regions = invented(30, seed=1)
    assert 0.25 < (judge.calls(songs) == regions).mean() < 0.75


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "songs.h5").exists(), reason=f"no collection in {DATA}; preprocess.py makes it")
def test_a_caricature_passes_the_judge_and_is_caught_elsewhere():
    """A Kneser-Ney of Chinese songs alone is called Chinese, but its means are not those of Chinese songs."""
    from melody import dataset, regions
    from melody.split import load_split

    songs = dataset.load(DATA)
    split = load_split(DATA, songs)

    def of(part, region, length=0):
        places = [s for s in split[part] if regions.matches(songs.name[s], region)]
        return metrics.openings(songs.songs(places), length) if length else songs.songs(places)

    china, europe, vocabulary = of("training", "china"), of("training", "europa"), songs.vocabulary
    judge = StyleClassifier(china + europe, ["china"] * len(china) + ["europe"] * len(europe), vocabulary, window=32)
    real = (judge.calls(of("test", "china", 32)) == "china").mean()
    assert real > 0.92 and (judge.calls(of("test", "europa", 32)) == "europe").mean() > 0.95
    drawn = kneser_ney_songs(china, len(vocabulary), 4, 800, np.random.default_rng(0))
    assert (judge.calls(metrics.openings(drawn, 32)) == "china").mean() > real, "more Chinese than Chinese songs"
    means, own, other = (
        metrics.style_features(lines, vocabulary).mean(axis=0)
        for lines in (metrics.openings(drawn, 48), of("test", "china", 48), of("test", "deutschl", 48))
    )
    assert (np.abs(means - own) / np.abs(own - other)).max() > 0.4, "twice what is allowed"
    # Of Chinese beginnings the region's own model knows more, so by likelihood alone it would pass.
    begin = [song[:8] for song in of("test", "china")]
    every = KneserNey(songs.songs(split["training"]), len(vocabulary), 4).probabilities(begin)
    alone = KneserNey(china, len(vocabulary), 4).probabilities(begin)
    notes = np.concatenate(begin)
    assert np.log2(alone / every)[np.arange(len(notes)), notes].mean() > 0.1
