"""The control token: a network that reads it, by hand; its training and evaluation are in test_evaluate."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from evaluation import conditions, steering
from melody import lstm, sampling
from tests.test_lstm import NOTES, SHAPE, by_hand, plain, read, sample_by_hand

SHAPE_WITH_TOKEN = lstm.Shape(SHAPE.notes, SHAPE.embedding, SHAPE.units, SHAPE.layers, SHAPE.dense, regions=2)
WIDENED = {"lstm_1/lstm_cell/kernel": "lstm_1/lstm_cell/bias", "output_head/dense/kernel": "output_head/dense/bias"}


def named(network):
    return {weight.path.removeprefix("network/"): keras.ops.convert_to_numpy(weight) for weight in network.weights}


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(1)
    built = lstm.build(SHAPE_WITH_TOKEN)
    built.set_weights([3 * weight for weight in built.get_weights()])
    return built


@pytest.fixture(scope="module")
def fixed(network):
    """For each region the same network without a token: the region's embedding only adds constants to two biases,
    its product with its rows of the kernels."""
    weights, networks = named(network), []
    for region in weights["input_embedding/region/embeddings"]:
        own = {path: array for path, array in weights.items() if path != "input_embedding/region/embeddings"}
        for kernel, bias in WIDENED.items():
            own[bias] = weights[bias] + region @ weights[kernel][-SHAPE.embedding :]
            own[kernel] = weights[kernel][: -SHAPE.embedding]
        plain = lstm.build(SHAPE)
        plain.set_weights([own[path] for path in named(plain)])
        networks.append(plain)
    return networks


def test_without_regions_the_network_has_no_token(network):
    plain = named(lstm.build(SHAPE))
    assert list(plain) == [
        *(f"input_embedding/{name}/embeddings" for name in ("pitch", "match_length")),
        *(f"lstm_{k}/lstm_cell/{name}" for k in (1, 2) for name in ("kernel", "recurrent_kernel", "bias")),
        *(f"output_head/{layer}/{name}" for layer in ("dense", "logits", "copy_logit") for name in ("kernel", "bias")),
    ]
    assert set(named(network)) - set(plain) == {"input_embedding/region/embeddings"}
    assert lstm.shape_of(network) == SHAPE_WITH_TOKEN


def test_the_control_token_reaches_the_logits(network, fixed):
    tokens = np.random.default_rng(0).integers(0, 6, (3, 9))
    inputs = read(tokens, np.arange(3)[:, None])
    logits = network.predict_on_batch([inputs, *lstm.zero_states(network, 3)])[0]
    start = lstm.zero_states(network, 1)
    for region, own in enumerate(fixed):
        np.testing.assert_allclose(logits[region], by_hand(own, read(tokens[[region]]), start)[0][0][0], atol=1e-5)
    assert np.ptp([by_hand(own, read(tokens[:1]), start)[0][0] for own in fixed], axis=0).min() > 0


@pytest.mark.parametrize("guidance", [0.0, 1.5])
def test_songs_are_sampled_with_their_control_token(network, fixed, guidance):
    """Guidance moves the logits away from those without a token."""
    regions, start = np.array([1, 2, 0]), lstm.zero_states(network, 1)
    rngs = [np.random.default_rng(s) for s in range(3)]
    songs = sampling.Sampler(network, NOTES, guidance != 0).compose(
        lstm.zero_states(network, 3), rngs, region_ids=regions, temperature=0.8, guidance=guidance, length=20, window=7
    )
    for s, region in enumerate(regions):
        assert songs[s].pitch.tolist() == sample_by_hand(
            fixed[region], start, s, 0.8, guidance, 20, unconditional=fixed[0]
        )


def test_a_region_of_two_collections_is_their_mixture(monkeypatch):
    """Three training songs of collection 1 and one of 2. They give a song 2 and 4 bits, so its probability is
    3/4 · 1/4 + 1/4 · 1/16 = 13/64, 2.2996 bits: 1 and 3 bits for its first note, 1 and 1 for its second."""

    def information_content(network, songs, states, region_ids):
        return [np.array([[{1: 1.0, 2: 3.0}[number]], [1.0]]) for number in region_ids]

    monkeypatch.setattr(steering.scoring, "information_content", information_content)
    context = SimpleNamespace(
        region_ids=lambda part, region: np.array([1, 1, 2, 1]),
        tokens=lambda songs: map(plain, songs),
        token=SimpleNamespace(network=None),
    )
    bits = steering.from_token(context, "control token", [np.array([1, 2]), np.array([3, 4])], "china")
    assert bits.shape == (2, 1, 32)
    np.testing.assert_allclose(bits[:, 0, :2].sum(axis=1), np.log2(64 / 13))
    np.testing.assert_allclose(bits[:, 0, 0], -np.log2(3 / 4 / 2 + 1 / 4 / 8))
    np.testing.assert_allclose(bits[:, 0, 2:], 0, atol=1e-12)


def test_the_condition_is_available_when_its_network_is():
    assert conditions.TOKEN in conditions.available(SimpleNamespace(token="a network"))
    assert conditions.TOKEN not in conditions.available(SimpleNamespace(token=None)) != ()
