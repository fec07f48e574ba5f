"""The song of the collection that is most similar to a new one."""

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
    dataset.write_songs(tmp_path / "songs.h5", dataset.dataset_of(songs, ESSEN), {})
    return Collection(dataset.load(tmp_path))


def nearest(collection, notes):
    found = collection.nearest(notes.split())
    return found and (found.name, found.shared_notes)


def test_a_shared_run_is_found_in_any_key(collection):
    """D F# A is not a run of C D E; A F# D F# E is G E C E D a whole step higher."""
    assert nearest(collection, "C5 A4 F#4 D4 F#4 E4 E4") == ("a/two2", 5)


def test_a_run_does_not_cross_from_one_song_to_the_next(collection):
    assert nearest(collection, "F4 G4 A4 G4 E4 C4") == ("a/one1", 3), "the first of two that share three notes"


def test_no_shared_interval_and_notes_outside_the_vocabulary(collection):
    assert nearest(collection, "C4 C5") is None
    assert nearest(collection, "C4") is None
    assert nearest(collection, "C##########4 D4") is None
    assert nearest(collection, "C-7 D-7 E-7") == ("a/one1", 3), "none of these notes is in the collection"
