"""Songs of a tradition that a network has not read: who may see them, what memories save, and distances, by hand."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from evaluation import report, shown_songs, tokens, unseen
from evaluation.context import FULL, Context
from evaluation.shown_songs import HALF, Tradition, features
from melody.encoding import EncodedSong
from tests.synthetic import dataset_of, tunes

ROOT = Path(__file__).parents[1]
CHINESE, GERMAN = range(24), range(24, 48)


def context(songs, training, pool):
    record = SimpleNamespace(shape=SimpleNamespace(memory=1))
    trained = SimpleNamespace(vocabulary=songs.vocabulary, record=record, network=None)
    split = {"training": [*training], "validation": [*pool], "test": []}
    sizes = replace(FULL, songs=20, sets=2, memories=3, scored=5)
    return Context(songs, split, trained, {}, {}, "validation", sizes, 0, 1.0, 0.5, 30)


@pytest.fixture
def tradition(monkeypatch):
    """Each memory is one number: 1 after songs of the tradition, 3 after others, 0 without a memory."""

    def head_logs(context, songs, memories):
        """A pitch needs as many bits as the memory is away from 2, a rhythm one, the opening half of one."""
        there = np.array([np.arange(32) < len(song.pitch) for song in songs], float)[:, None]
        return {"pitch": -there * np.abs(memories - 2), "rhythm": -there * memories**0, "opening": -there / 2}

    monkeypatch.setattr(shown_songs, "head_logs", head_logs)
    monkeypatch.setattr(shown_songs, "SHOWN", (5, 10, 13))
    monkeypatch.setattr(shown_songs, "COMPOSED", (5,))
    monkeypatch.setattr(
        Tradition, "memories", lambda self, songs, draw: np.full((20, 1), 3.0 if isinstance(songs, str) else 1.0)
    )
    monkeypatch.setattr(shown_songs, "fit_offset", lambda *_: np.ones(1))
    return Tradition(context(dataset_of(tunes(8)), GERMAN, CHINESE), "han", "small", 3)


def test_no_weights_are_trained_on_a_region_that_is_left_out_or_chosen_by_it():
    songs = dataset_of(tunes(8))
    split = {"training": [0, 1, 24, 25, 26], "validation": [2, 27], "test": [3, 28, *range(4, 24), *range(29, 48)]}
    kept = unseen.split_without(songs, split, "han")
    assert kept["training"] == [24, 25, 26] and kept["validation"] == [27]
    assert kept["test"] == sorted({*range(48)} - {24, 25, 26, 27})


def test_near_duplicates_are_in_one_half_and_those_of_training_songs_in_none():
    songs = dataset_of(tunes(8))
    made = context(songs, GERMAN, CHINESE)
    made.groups = np.arange(48)
    made.groups[[4, 5, 6]] = 4
    made.groups[7] = made.groups[30]
    tradition = Tradition(made, "china", "small", 3)
    assert sorted([*tradition.first, *tradition.second]) == [s for s in CHINESE if s != 7]
    assert {4, 5, 6} <= {*tradition.first} or {4, 5, 6} <= {*tradition.second}
    assert len(tradition.measured) == 5 and {*tradition.measured} <= {*tradition.second}


def test_what_memories_save_by_hand(tradition):
    """After songs of the tradition a pitch needs 1 bit, after other songs 1, without a memory 2."""
    rows = tradition.prediction_rows()

    def value(measure, notes, condition="5 songs"):
        return report.value(rows, measure=measure, notes=notes, condition=condition)

    assert value("pitch_bits_per_note", "2-8", "unconditional") == pytest.approx(2)
    assert value("pitch_bits_per_note", "2-8") == value("pitch_bits_per_note", "2-8", "German songs") == 1
    assert value("pitch_bits_per_note_saved", "9-32") == pytest.approx(1)
    assert value("pitch_bits_per_note_saved_by_mean memory", "2-8") == pytest.approx(1)
    assert value("pitch_bits_per_note_saved_over_German songs", "2-8") == pytest.approx(0)
    assert value("pitch_bits_per_note_saved_by_fitted memories", "2-8") == pytest.approx(2), "moved from 1 to 2"
    assert (
        value("pitch_and_rhythm_bits_per_note", "1") == pytest.approx(2) and value("bits_of_opening", "opening") == 0.5
    )
    assert tradition.shown == [k for k in (5, 10, 13) if k <= len(tradition.first)]
    again = report.find(tradition.prediction_rows(tradition), measure="pitch_bits_per_note_saved_beyond_small")
    assert len(again) == 3 * len(tradition.shown) and {row["value"] for row in again} == {0}
    targets = {row["condition"]: row["target"] for row in report.find(rows, measure="pitch_bits_per_note_saved")}
    assert targets["5 songs"] is None and targets["10 songs"]


def test_distances_by_hand(tradition, monkeypatch):
    """Songs composed from memories of the tradition are its own second half; all others are German songs."""
    encoded = tradition.context.encoded

    def from_memories(context, memories, guidance, temperature):
        assert guidance == (0.5 if memories.any() else 0) and len(memories) == context.sizes.songs
        chosen = tradition.second if memories[0] == 1 else [*GERMAN]
        return [encoded[chosen[k % len(chosen)]] for k in range(len(memories))]

    monkeypatch.setattr(shown_songs.conditions, "from_memories", from_memories)
    rows = report.find(tradition.distance_rows(), measure="intervals_total_variation")
    distance = {row["condition"]: row["value"] for row in rows}
    assert distance["5 songs"] < distance[HALF] < distance["unconditional"] == distance["German songs"]


@pytest.fixture
def token_tradition(monkeypatch):
    """Chinese songs for a network with two tokens and random weights."""
    import keras

    from melody import lstm
    from tests.test_training import SETTINGS

    songs = dataset_of(tunes(8))
    keras.utils.set_random_seed(0)
    shape = lstm.Shape.of(songs.vocabulary, SETTINGS, 2)
    network = lstm.build(shape)
    network.set_weights([3 * weight for weight in network.get_weights()])  # so that the token matters
    monkeypatch.setattr(shown_songs, "SHOWN", (5,))
    made = context(songs, GERMAN, CHINESE)
    made.trained = SimpleNamespace(vocabulary=songs.vocabulary, record=SimpleNamespace(shape=shape), network=network)
    return tokens.TokenTradition(made, "china", "token", 20)


def test_the_best_known_token_is_that_of_the_fewest_bits_and_a_fitted_one_needs_fewer(token_tradition):
    one, network = token_tradition, token_tradition.context.trained.network
    embedding = network.get_layer("input_embedding").region
    table, songs = embedding.get_weights()[0], one.first[:5]

    def bits(table, token=0):
        embedding.set_weights([table])
        return one.bits_of_songs(songs, token).sum()

    known = tokens.with_row(table, table[one.best_known(songs)])
    assert bits(known) == pytest.approx(min(bits(table, token) for token in range(3)))
    fitted = one.fitted_token(known, songs, np.random.default_rng(0))
    np.testing.assert_array_equal(fitted[1:], table[1:], "other tokens stay as they are")
    assert bits(fitted) < bits(known) - 1


def test_bits_given_tokens_stand_beside_those_without(token_tradition):
    embedding = token_tradition.context.trained.network.get_layer("input_embedding").region
    before = embedding.get_weights()[0]
    rows = token_tradition.prediction_rows()
    np.testing.assert_array_equal(embedding.get_weights()[0], before)
    measure, notes = "pitch_bits_per_note", "2-8"
    none = report.value(rows, measure=measure, notes=notes, condition="unconditional")
    known = report.value(rows, measure=f"{measure}_given_{tokens.KNOWN_TOKEN}", notes=notes, condition="5 songs")
    fitted = report.value(rows, measure=f"{measure}_given_{tokens.FITTED_TOKEN}", notes=notes, condition="5 songs")
    assert len({none, known, fitted}) == 3


def test_features_of_a_song_by_hand():
    song = EncodedSong(np.array([0, 2, 1]), np.array([1, 0, 2]), np.zeros(3, int), np.zeros(4, int), 7, 0)
    compared = features(np.array([60, 62, 67]), np.array([1, 0.5, np.nan]))
    assert {name: of(song).tolist() for name, of in compared.items()} == {
        "intervals": [7, -5],
        "pitch_classes_above_the_last": [10, 5, 0],
        "time_signatures": [7],
        "note_values": [0.5, 1],
    }


def test_the_table_is_short_and_the_figure_is_drawn(tradition, tmp_path):
    from evaluation.figures import learning_curve

    rows = tradition.prediction_rows()
    short, _ = unseen.tables(rows, unseen.SUMMARY)
    assert short.splitlines()[0].startswith("|  | 5 songs | 10 songs |")
    assert "| han, small: pitch bits per note saved, notes 2-8 | 1.000 (1.000 to 1.000) |" in short
    assert len(short) < len(unseen.tables(rows)[0])
    learning_curve(tmp_path / "curve.json", rows)
    assert {path.name for path in tmp_path.iterdir()} == {"curve.png", "curve.svg"}


def test_the_docs_show_what_was_measured():
    rows = json.loads((ROOT / "results/unseen.json").read_text(encoding="utf-8"))["rows"]
    docs = (ROOT / "docs/evaluation.md").read_text(encoding="utf-8")
    assert all(table in docs for table in unseen.tables(rows, unseen.SUMMARY))
