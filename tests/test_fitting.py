"""The offset that fits memories to songs of one's own: what it improves, and what it leaves alone."""

import keras
import numpy as np
import pytest

from melody import encoding, fitting, lstm, memory, scoring
from tests.synthetic import dataset_of, tunes
from tests.test_training import SETTINGS

SONGS, STEPS = 6, 30


@pytest.fixture(scope="module")
def fitted():
    """A network with random weights, some songs, memories, and the offset that fits these to the songs."""
    songs = dataset_of(tunes(8))
    encoded = encoding.encode(songs, songs.vocabulary)[:SONGS]
    tokens = [(encoding.inputs(song, songs.vocabulary), encoding.targets(song, songs.vocabulary)) for song in encoded]
    keras.utils.set_random_seed(0)
    network = lstm.build(lstm.Shape.of(songs.vocabulary, SETTINGS))
    network.set_weights([3 * weight for weight in network.get_weights()])  # so that the state matters
    size = memory.pack(lstm.zero_states(network, 1)).shape[1]
    memories = np.random.default_rng(0).normal(0, 0.1, (5, size)).astype(np.float32)
    before = network.get_weights()
    offset = fit(network, tokens, memories)
    for one, other in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other, "the weights stay as they are")
    return network, tokens, memories, offset


def fit(network, tokens, memories, steps=STEPS, guidance=0.0, penalty=0.0):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "PENALTY", penalty)
        return fitting.fit_offset(network, tokens, memories, steps, guidance, np.random.default_rng(0))


def bits(network, tokens, memories):
    """Bits a note of the first notes of the songs, each after one of the memories."""
    first = [(read[: fitting.NOTES], wanted[: fitting.NOTES]) for read, wanted in tokens]
    rows = memories[np.arange(len(first)) % len(memories)]
    states = memory.unpack(rows, len(lstm.zero_states(network, 1)))
    return float(np.nanmean(np.concatenate(scoring.information_content(network, first, states))))


def test_songs_are_more_probable_after_fitted_memories(fitted):
    network, tokens, memories, offset = fitted
    assert offset.shape == memories[0].shape and offset.dtype == np.float32
    fitted, read, other_way = (bits(network, tokens, memories + sign * offset) for sign in (1, 0, -1))
    assert fitted < read - 0.02 and other_way > read + 0.02


def test_without_steps_nothing_changes(fitted):
    network, tokens, memories, _ = fitted
    assert not fit(network, tokens, memories, steps=0).any()


def test_the_same_seed_gives_the_same_offset(fitted):
    network, tokens, memories, offset = fitted
    np.testing.assert_array_equal(fit(network, tokens, memories), offset)


def test_few_songs_move_memories_less(fitted):
    """The prior weighs as much as before, but a sixth of the songs speak against it."""
    network, tokens, memories, _ = fitted
    of_one, of_many = (fit(network, [tokens[0]] * songs, memories, penalty=0.1) for songs in (1, SONGS))
    assert np.linalg.norm(of_one) < 0.9 * np.linalg.norm(of_many)


def test_guided_logits_are_those_that_songs_are_composed_from(fitted):
    network, tokens, memories, _ = fitted
    model = fitting.OffsetModel(network, 0.5, 0.0)
    states = memory.unpack(memories[:2], len(model.offset))
    first, _ = fitting.first_notes(tokens[:2])
    read = fitting.lookback.with_candidates(first, model.shape.notes, model.shape.rhythms)
    guided = model([read, *states])
    after, zero = (network([read, *some])[: len(guided)] for some in (states, lstm.zero_states(network, 2)))
    for one, other, without in zip(guided, after, zero, strict=True):
        np.testing.assert_allclose(one, without + 1.5 * (other - without), atol=1e-4)
