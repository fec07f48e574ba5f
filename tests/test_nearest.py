"""Which song of the collection a new one is most like."""

import numpy as np
import pytest

from melody import dataset
from melody.listen.nearest import Collection
from melody.song import Song
from melody.vocabulary import ESSEN

SONGS = {"a/one1": "C4 D4 E4 F4 G4 A4", "a/two2": "G4 E4 C4 E4 D4 B4", "a/few3": "C4"}


@pytest.fixture
def collection(tmp_path):
    ESSEN.save(tmp_path / "vocabulary.json")
    songs = []
    for name, notes in SONGS.items():
        pitch = notes.split()
        songs.append(Song(name, pitch, [1.0] * len(pitch), [0.0] * len(pitch), [False] * len(pitch)))
    dataset.write_songs(tmp_path / "songs.h5", songs, ESSEN, {})
    return Collection(dataset.load(tmp_path))


def nearest(collection, notes):
    return collection.nearest(np.array(ESSEN.encode(notes.split())))


def test_a_run_is_found_in_any_key(collection):
    """D F# A is no run of C D E; A F# D F# E is G E C E D a whole step higher."""
    assert nearest(collection, "C5 A4 F#4 D4 F#4 E4 E4") == (1, 5)


def test_a_run_does_not_go_on_from_one_song_into_the_next(collection):
    assert nearest(collection, "F4 G4 A4 G4 E4 C4") == (0, 3), "the first of two that share three notes"


def test_nothing_shared(collection):
    assert nearest(collection, "C4 C5") == (-1, 0)
    assert nearest(collection, "C4") == (-1, 0)
