"""Calibration: logits that are too large are divided by their temperature."""

import keras
import numpy as np
import pytest

from melody import calibration, encoding, lstm, scoring
from tests.synthetic import dataset_of, tunes


@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.6])
def test_the_temperature_of_samples_is_found(temperature):
    """Targets sampled from a softmax at temperature T: the best temperature of its logits is T."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 5))
    targets = (logits / temperature + rng.gumbel(size=logits.shape)).argmax(axis=1)
    assert calibration.best_temperature(logits, targets) == pytest.approx(temperature, rel=0.05)


def test_the_logits_of_the_heads_that_predict_notes_are_divided():
    """A network that knows how common each value is and is 1.5 times too sure of it."""
    songs = dataset_of(tunes(2))
    vocabulary = songs.vocabulary
    encoded = encoding.encode(songs, vocabulary)
    tokens = [(encoding.inputs(song, vocabulary), encoding.targets(song, vocabulary)) for song in encoded]
    targets = np.concatenate([targets for _, targets in tokens])
    network = lstm.build(lstm.Shape.of(vocabulary, {"embedding": 3, "units": 4, "layers": 2, "dense": 6}))
    for head, name in enumerate(lstm.OUTPUT_HEADS.values()):
        layer = network.get_layer(name)
        layer.set_weights([0 * weight for weight in layer.get_weights()])
        counts = np.bincount(targets[targets[:, head] >= 0, head], minlength=layer.logits.units)
        layer.logits.bias.assign(1.5 * np.log(np.maximum(counts, 1e-6)))
    before = np.concatenate(scoring.information_content(network, tokens))
    assert calibration.calibrate(network, tokens) == pytest.approx(dict.fromkeys(lstm.OUTPUT_HEADS, 1.5), abs=0.01)
    after = np.concatenate(scoring.information_content(network, tokens))
    assert (np.nanmean(after, axis=0) < np.nanmean(before, axis=0))[:3].all()
    np.testing.assert_array_equal(after[:, 3], before[:, 3])  # the opening
    assert calibration.calibrate(network, tokens) == pytest.approx(dict.fromkeys(lstm.OUTPUT_HEADS, 1.0), abs=0.01)


def test_a_copy_logit_is_divided_with_the_others():
    head = lstm.OutputHead("head", 3, 4, [(0, 1)])
    inputs, features = np.array([[2, 5]]), np.ones((1, 2), "float32")
    before = keras.ops.convert_to_numpy(head([inputs, features]))
    head.divide_logits(2.0)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(head([inputs, features])), before / 2, rtol=1e-5)
