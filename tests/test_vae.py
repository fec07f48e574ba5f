"""The VAE: its loss by hand, what it learns, what it keeps."""

import keras
import numpy as np
import pytest

from melody import weights
from vae import sample
from vae.model import VAE


@pytest.fixture
def vae():
    keras.utils.set_random_seed(0)
    built = VAE(memory=6, latent=2, hidden=[5, 4])
    built.compile(keras.optimizers.Adam(1e-2))
    return built


def test_the_loss_is_the_calibrated_elbo(vae):
    """Two memories, error and KL by hand: D/2 (1 + log 2π e²) + ½ Σ (μ² + σ² - log σ² - 1)."""
    z_mean, z_log_var = np.array([[1.0, 0.0], [0.0, 2.0]]), np.log([[1.0, 0.5], [2.0, 1.0]])
    x = np.arange(12.0).reshape(2, 6)
    decoded = x + 0.5
    kl = np.mean([0.5 * 1.0 + 0.5 * (0.5 - np.log(0.5) - 1), 0.5 * (2 - np.log(2) - 1) + 0.5 * 4])
    expected = 3 * (1 + np.log(2 * np.pi * 0.25)) + kl
    answer = np.concatenate([z_mean, z_log_var, decoded], axis=1)
    x, answer = (keras.ops.convert_to_tensor(array, "float32") for array in (x, answer))
    assert float(vae.compute_loss(x=x, y_pred=answer)) == pytest.approx(expected, rel=1e-5)


def test_memories_of_any_scale_come_back_at_their_scale(vae):
    memories = np.random.default_rng(0).normal(size=(50, 6)).astype("float32") * [1, 10, 100, 0.1, 1, 0] + 7
    vae.scale(memories)
    np.testing.assert_allclose(vae.decode(np.zeros((1, 2), "float32")).shape, (1, 6))
    standard = (memories - keras.ops.convert_to_numpy(vae.mean)) / keras.ops.convert_to_numpy(vae.deviation)
    np.testing.assert_allclose(standard[:, :5].std(axis=0), 1, rtol=1e-4)
    assert np.isfinite(standard).all(), "a dimension that never changes does no harm"


def test_a_step_moves_every_weight(vae):
    memories = np.random.default_rng(1).normal(size=(64, 6)).astype("float32")
    before = [keras.ops.convert_to_numpy(weight).copy() for weight in vae.trainable_weights]
    vae.fit(memories, batch_size=64, epochs=1, verbose=0)
    assert all(
        (keras.ops.convert_to_numpy(now) != then).any() for now, then in zip(vae.trainable_weights, before, strict=True)
    )


def test_it_finds_the_two_directions_in_which_memories_differ():
    keras.utils.set_random_seed(0)
    vae = VAE(memory=6, latent=2, hidden=[32])
    vae.compile(keras.optimizers.Adam(1e-2))
    rng = np.random.default_rng(2)
    hidden = rng.normal(size=(2000, 2))
    memories = (hidden @ rng.normal(size=(2, 6)) + 0.05 * rng.normal(size=(2000, 6))).astype("float32")
    vae.scale(memories)
    vae.fit(memories, batch_size=64, epochs=30, verbose=0)
    vae.calibrate(memories)
    codes = vae.encode(memories)
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(codes.T), np.eye(2), atol=0.1)
    again = vae.decode(codes)
    assert np.mean((again - memories) ** 2) < 0.1 * memories.var()
    drawn = vae.decode(sample.draw(2, 4000, np.random.default_rng(3)))
    np.testing.assert_allclose(drawn.std(axis=0), memories.std(axis=0), rtol=0.25)


def test_a_vae_is_the_same_after_saving(vae, tmp_path):
    vae.scale(np.random.default_rng(4).normal(3, 2, (40, 6)).astype("float32"))
    weights.save(vae, tmp_path / "vae.weights.h5")
    again = weights.load(VAE(6, 2, [5, 4]), tmp_path / "vae.weights.h5", "x")
    z = sample.draw(2, 5, np.random.default_rng(0))
    np.testing.assert_allclose(again.decode(z), vae.decode(z), rtol=2e-2, atol=1e-2)
