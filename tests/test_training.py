"""Training: carried states, the loss by hand, and a run that is stopped and resumed."""

import argparse
import json

import h5py
import keras
import numpy as np
import pytest

from melody import dataset, lstm, training
from melody.errors import UserError
from tests.synthetic import dataset_of, tunes

SETTINGS = {"embedding": 3, "units": 4, "layers": 2, "dense": 6, "seed": 0, "pitch_only": False, "dropout": 0.2}
SETTINGS |= {"batch": 3, "bptt_length": 20, "windows_per_stream": 2, "epochs": 2, "precision": "float32"}
SETTINGS |= {"transpose_probability": 0.5, "synthetic_probability": 0.3, "auxiliary_weight": 2.0}
SETTINGS |= {"learning_rate": 0.01, "warmup_steps": 1}


def trainer(**settings):
    songs = dataset_of(tunes(8))
    split = {"training": list(range(40)), "validation": list(range(40, 44))}
    return training.Trainer(songs, split, SETTINGS | settings)


@pytest.fixture(scope="module")
def untrained():
    return trainer(dropout=0.0)


def windows(of):
    for inputs, targets, descriptions, is_start in of._streams(0).epoch():
        yield np.maximum(inputs, 0), targets, descriptions, np.full((len(inputs), 1), is_start, np.float32)


def test_the_state_is_carried_through_a_stream_and_starts_at_zero(untrained):
    """Two windows give the logits of both read at once; the next stream starts afresh, whatever was read before."""
    model, network = untrained.model, untrained.model.network
    batches = [batch for batch, _ in zip(windows(untrained), range(4), strict=False)]
    parts = [[*map(keras.ops.convert_to_numpy, model([inputs, starts]))] for inputs, _, _, starts in batches]
    for first in (0, 2):
        whole = np.concatenate([batches[first][0], batches[first + 1][0]], axis=1)
        expected = network.predict_on_batch([whole, *lstm.zero_states(network, 3)])
        for head in range(4):
            found = np.concatenate([parts[first][head], parts[first + 1][head]], axis=1)
            np.testing.assert_allclose(found, expected[head], atol=1e-5)


def test_the_loss_by_hand(untrained):
    """The sum of the nats of all heads and, weighted, of the descriptors, for each token of the streams."""
    model = untrained.model
    inputs, targets, descriptions, starts = list(windows(untrained))[1]
    assert descriptions.any() and (targets == -1).any()
    *heads, described = (keras.ops.convert_to_numpy(logits) for logits in model([inputs, starts]))
    expected = 0.0
    for row, time in np.argwhere(targets[..., 0] >= 0):
        for k, logits in enumerate(heads):
            wanted = targets[row, time, k]
            expected += 0 if wanted < 0 else np.logaddexp.reduce(logits[row, time]) - logits[row, time, wanted]
        for segment in model.segments:
            logs = described[row, time, segment] - np.logaddexp.reduce(described[row, time, segment])
            expected -= 2.0 * (descriptions[row, time, segment] * logs).sum()
    loss = model.compute_loss(None, [targets, descriptions], [*heads, described])
    assert float(loss) == pytest.approx(expected / (targets[..., 0] >= 0).sum(), rel=1e-4)


def test_a_window_after_the_end_of_all_streams_adds_nothing(untrained):
    model = untrained.model
    inputs, targets, descriptions, starts = next(windows(untrained))
    logits = model([inputs, starts])
    loss = model.compute_loss(None, [np.full_like(targets, -1), np.zeros_like(descriptions)], logits)
    assert float(loss) == 0


def test_validation_bits_by_hand(untrained, monkeypatch):
    """Two notes and an end; no phrase is known, as in MIDI songs, so none is measured. The opening is not a note's."""
    nan = np.nan
    bits = [np.array([[1.0, 2.0, nan, 3.0], [2.0, nan, nan, nan], [0.5, nan, nan, nan]])]
    monkeypatch.setattr(training.scoring, "information_content", lambda *_, **__: bits)
    row = {"bits": 3.5, "pitch_bits": 1.5, "rhythm_bits": 2.0, "opening_bits": 3.0, "end_bits": 0.5}
    assert untrained._validate() == {f"validation_{name}": value for name, value in row.items()}


@pytest.mark.slow
def test_one_step_moves_every_weight_but_those_of_what_was_not_read():
    """The learning rate is 0 in the first step of the warm-up, so there are two."""
    own = trainer(warmup_steps=1)
    before = {weight.path: keras.ops.convert_to_numpy(weight) for weight in own.model.trainable_variables}
    for (inputs, targets, descriptions, starts), _ in zip(windows(own), range(2), strict=False):
        own.model.train_on_batch([inputs, starts], [targets, descriptions])
    after = {weight.path: keras.ops.convert_to_numpy(weight) for weight in own.model.trainable_variables}
    assert {"descriptor_head", "rhythm_head", "phrase_head", "opening_head"} <= {
        part for path in after for part in path.split("/")
    }
    assert all((before[path] != after[path]).any() for path in before), "each weight"
    assert own.model.network.count_params() == own.eval_model.count_params(), "the descriptors' head is not saved"


@pytest.mark.slow
@pytest.mark.parametrize("pitch_only", [False, True])
def test_a_resumed_training_gives_the_same_weights(tmp_path, monkeypatch, pitch_only):
    """Ctrl-C in the second epoch, and --resume: bit for bit the weights and the history of a run without it."""
    songs = tunes(8)
    vocabulary, data = dataset_of(songs).vocabulary, tmp_path / "data"
    data.mkdir()
    vocabulary.save(data / "vocabulary.json")
    dataset.write_songs(data / "songs.h5", dataset.dataset_of(songs, vocabulary), {})
    names = [song.name for song in songs]
    (data / "split.json").write_text(json.dumps({"training": names[8:], "validation": names[:4], "test": names[4:8]}))
    settings, epoch = SETTINGS | {"pitch_only": pitch_only}, training.Trainer.epoch

    def train(folder, resume=False):
        flags = argparse.Namespace(data=data, weights=tmp_path / folder, resume=resume, overwrite=False, quiet=True)
        training.train(flags, "lstm", "train", settings)

    def stopped(self, number, on_step):
        if number == 1:
            raise KeyboardInterrupt
        return epoch(self, number, on_step)

    train("whole")
    with monkeypatch.context() as patch, pytest.raises(UserError, match="stopped after 1 epochs"):
        patch.setattr(training.Trainer, "epoch", stopped)
        train("parts")
    train("parts", resume=True)
    records = [json.loads((tmp_path / folder / "lstm.json").read_text()) for folder in ("whole", "parts")]
    assert records[0] == records[1] and records[0]["weights"], "the fingerprint of the weights is in the record"
    with (
        h5py.File(tmp_path / "whole/lstm-checkpoint.weights.h5") as one,
        h5py.File(tmp_path / "parts/lstm-checkpoint.weights.h5") as other,
    ):
        arrays = []
        one.visititems(lambda name, item: arrays.append(name) if isinstance(item, h5py.Dataset) else None)
        assert any(name.startswith("optimizer") for name in arrays)
        for name in arrays:
            np.testing.assert_array_equal(one[name][()], other[name][()])
    heads = {"pitch"} if pitch_only else {"pitch", "rhythm", "phrase", "opening"}
    assert {f"validation_{head}_bits" for head in (*heads, "end")} < set(records[0]["history"][0])


@pytest.mark.slow
def test_streams_are_made_of_the_groupings_of_the_settings():
    of = trainer(groupings=["collection"])
    assert set(of.training.groups) == {"collection"} < set(trainer().training.groups)
    collections = of.training.groups["collection"]
    assert all(len(set(collections[of._streams(k)._order()].tolist())) == 1 for k in range(5))
