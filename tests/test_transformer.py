"""The Transformer baseline: causal, with relative positions, on the inputs of the network."""

import keras
import numpy as np
import pytest

from evaluation import transformer
from melody import encoding, lookback, lstm
from tests.synthetic import dataset_of, tunes

VOCABULARY = dataset_of(tunes(2)).vocabulary
SHAPE = lstm.Shape.of(VOCABULARY, {"embedding": 3, "units": 8, "layers": 2, "dense": 6})


@pytest.fixture(scope="module")
def inputs():
    songs = dataset_of(tunes(2))
    rows = [encoding.inputs(song, VOCABULARY)[:12] for song in encoding.encode(songs, VOCABULARY)[:3]]
    return lookback.with_candidates(np.stack(rows), SHAPE.notes, SHAPE.rhythms)


def logits(network, inputs):
    return [keras.ops.convert_to_numpy(head) for head in network([inputs])]


@pytest.mark.parametrize("with_lookback", [True, False])
def test_what_follows_changes_nothing(inputs, with_lookback):
    network, changed = transformer.build(SHAPE, with_lookback=with_lookback), inputs.copy()
    changed[:, 7:] = inputs[::-1, 7:]
    for one, other in zip(logits(network, inputs), logits(network, changed), strict=True):
        np.testing.assert_allclose(one[:, :7], other[:, :7], atol=1e-5)
        assert np.abs(one[:, 7:] - other[:, 7:]).max() > 1e-3


def test_only_with_lookback_candidates_are_read(inputs):
    first, changed = lstm.token_columns(SHAPE), inputs.copy()
    assert (inputs[..., first + 1] > 0).any()
    changed[..., first:] = 1
    for with_lookback in (True, False):
        network = transformer.build(SHAPE, with_lookback=with_lookback)
        pairs = zip(logits(network, inputs), logits(network, changed), strict=True)
        assert [np.abs(one - other).max() > 1e-4 for one, other in pairs] == [with_lookback] * 4


def test_a_rotated_product_depends_on_the_distance_alone():
    rng = np.random.default_rng(0)
    query, key = (np.tile(rng.normal(size=(1, 1, 1, 8)), (1, 9, 1, 1)).astype("float32") for _ in range(2))
    rotated = [keras.ops.convert_to_numpy(transformer.rotated(one))[0, :, 0] for one in (query, key)]
    products = rotated[0] @ rotated[1].T
    for distance in range(-4, 5):
        assert np.ptp(np.diagonal(products, distance)) < 1e-4
    assert products[0, 0] == pytest.approx(float((query[0, 0, 0] * key[0, 0, 0]).sum()), abs=1e-4)
    assert np.ptp(products[0]) > 0.1
