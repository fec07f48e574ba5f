"""The VAE: its loss by hand, what it learns, what it saves."""

import re

import keras
import numpy as np
import pytest

from melody import checkpoint
from melody.errors import UserError
from vae.model import VAE, parameters
from vae.train import Trainer, verdict


@pytest.fixture
def vae():
    keras.utils.set_random_seed(0)
    built = VAE(memory=6, latent=2, hidden=[5, 4], mixture=3)
    built.compile(keras.optimizers.Adam(1e-2))
    return built


def test_the_loss_is_the_calibrated_elbo(vae):
    """Two memories, error and KL by hand: D/2 (1 + log 2π e²) + ½ Σ (μ² + σ² - log σ² - 1)."""
    z_mean, z_log_var = np.array([[1.0, 0.0], [0.0, 2.0]]), np.log([[1.0, 0.5], [2.0, 1.0]])
    residual = np.full((2, 6), 0.5)
    kl = np.mean([0.5 * 1.0 + 0.5 * (0.5 - np.log(0.5) - 1), 0.5 * (2 - np.log(2) - 1) + 0.5 * 4])
    expected = 3 * (1 + np.log(2 * np.pi * 0.25)) + kl
    outputs = [keras.ops.convert_to_tensor(array, "float32") for array in (z_mean, z_log_var, residual)]
    assert float(vae.compute_loss(y_pred=outputs)) == pytest.approx(expected, rel=1e-5)


def test_memories_of_any_scale_are_standardised_and_scaled_back(vae):
    memories = np.random.default_rng(0).normal(size=(50, 6)).astype("float32") * [1, 10, 100, 0.1, 1, 0] + 7
    vae.adapt(memories)
    np.testing.assert_allclose(vae.decode(np.zeros((1, 2), "float32")).shape, (1, 6))
    standard = (memories - keras.ops.convert_to_numpy(vae.mean)) / keras.ops.convert_to_numpy(vae.std)
    np.testing.assert_allclose(standard[:, :5].std(axis=0), 1, rtol=1e-4)
    assert np.isfinite(standard).all(), "a constant dimension is allowed"


def test_a_step_changes_every_weight(vae):
    memories = np.random.default_rng(1).normal(size=(64, 6)).astype("float32")
    before = [keras.ops.convert_to_numpy(weight).copy() for weight in vae.trainable_weights]
    vae.fit(memories, batch_size=64, epochs=1, verbose=0)
    assert all(
        (keras.ops.convert_to_numpy(now) != then).any() for now, then in zip(vae.trainable_weights, before, strict=True)
    )


def test_two_latents_explain_memories_that_vary_in_two_directions():
    keras.utils.set_random_seed(0)
    vae = VAE(memory=6, latent=2, hidden=[32], mixture=4)
    vae.compile(keras.optimizers.Adam(1e-2))
    rng = np.random.default_rng(2)
    hidden = rng.normal(size=(2000, 2))
    memories = (hidden @ rng.normal(size=(2, 6)) + 0.05 * rng.normal(size=(2000, 6))).astype("float32")
    vae.adapt(memories)
    vae.fit(memories, batch_size=64, epochs=30, verbose=0)
    codes = vae.encode(memories)
    again = vae.decode(codes)
    assert np.mean((again - memories) ** 2) < 0.1 * memories.var()
    vae.fit_mixture(memories, rng)
    sampled = vae.decode(vae.sample(4000, np.random.default_rng(3)))
    np.testing.assert_allclose(sampled.std(axis=0), memories.std(axis=0), rtol=0.25)


def test_a_vae_is_the_same_after_saving(vae, tmp_path):
    memories = np.random.default_rng(4).normal(3, 2, (40, 6)).astype("float32")
    vae.adapt(memories)
    vae.fit_mixture(memories, np.random.default_rng(5))
    checkpoint.save_weights(vae, tmp_path / "vae.weights.h5")
    again = checkpoint.load_weights(VAE(6, 2, [5, 4], 3), tmp_path / "vae.weights.h5", "x")
    z = vae.sample(5, np.random.default_rng(0))
    np.testing.assert_allclose(again.sample(5, np.random.default_rng(0)), z, rtol=2e-2, atol=1e-2)
    np.testing.assert_allclose(again.decode(z), vae.decode(z), rtol=2e-2, atol=1e-2)


def test_latents_are_sampled_near_the_codes(vae, monkeypatch):
    """A quarter of the codes about (-5, 0), the others about (5, 3): so are the latents, and none is between."""
    rng = np.random.default_rng(6)
    codes = np.where(np.arange(2000)[:, None] % 4 == 0, [-5.0, 0.0], [5.0, 3.0]) + rng.normal(0, 0.5, (2000, 2))
    monkeypatch.setattr(VAE, "codes", lambda self, memories, rng: codes)
    vae.fit_mixture(np.zeros((2000, 6)), rng)
    sampled = vae.sample(4000, rng)
    left = sampled[:, 0] < 0
    assert left.mean() == pytest.approx(0.25, abs=0.03)
    np.testing.assert_allclose(sampled[left].mean(axis=0), [-5, 0], atol=0.1)
    np.testing.assert_allclose(sampled[~left].std(axis=0), 0.5, atol=0.05)


def test_a_mixture_of_few_codes_has_few_components(vae):
    """Two different memories, fewer than there are Gaussians: the mixture has at most as many as there are codes."""
    memories = np.repeat(np.eye(2, 6, dtype="float32"), 3, axis=0)
    vae.fit_mixture(memories, np.random.default_rng(7))
    assert np.isfinite(vae.sample(50, np.random.default_rng(8))).all()


def test_the_number_of_parameters_is_known_before_building(vae):
    assert 0 < parameters(6, 2, [5, 4], 3) <= sum(np.prod(weight.shape) for weight in vae.weights)


def test_a_vae_too_large_for_memory_is_refused_before_it_is_built(monkeypatch):
    monkeypatch.setattr("melody.backend.available_memory", lambda: 2**20)
    monkeypatch.setattr("vae.model.VAE", None)
    settings = {"seed": 0, "latent": 2, "hidden": [16384, 16384], "mixture": 3}
    with pytest.raises(UserError, match=r"needs at least 8\.0 GiB of memory.*lower --hidden"):
        Trainer(np.zeros((20, 6), np.float32), settings)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ((0.42, 0.39, 8), "good VAE: 8 of 8 latent dimensions are used"),
        ((0.42, 0.39, 3), "poor VAE: 3 of 8.*lower --beta"),
        ((0.90, 0.80, 8), "poor VAE.*keep 90% of the error of the mean memory.*raise --epochs"),
        ((0.42, 0.10, 8), "poor VAE.*by heart: generate_memories.py --count"),
    ],
)
def test_the_last_line_says_whether_the_vae_is_good(row, says):
    names = ("validation_reconstruction", "reconstruction", "active_units")
    assert re.match(says, verdict(dict(zip(names, row, strict=True)), 8))


def test_the_plane_is_that_of_the_two_longest_axes():
    """A mixture of two Gaussians in three dimensions: its variance is 9 + 1 along the first axis, between the means,
    4 along the third and 1 along the second."""
    vae = VAE(memory=6, latent=3, hidden=[4], mixture=2)
    vae.mixture_weights.assign([0.5, 0.5])
    vae.mixture_means.assign([[3.0, 1.0, 0.0], [-3.0, 1.0, 0.0]])
    vae.mixture_scale_tril.assign([np.diag([1.0, 1.0, 2.0])] * 2)
    plane = vae.plane()
    np.testing.assert_allclose(plane.mean, [0, 1, 0])
    np.testing.assert_allclose(plane.axes, [[1, 0, 0], [0, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(plane.std, [10**0.5, 2], rtol=1e-6)
    moved = plane.moved(np.array([[7.0, 5.0, -4.0], [0.0, 1.0, 0.0]]), np.array([1.0, -0.5]))
    np.testing.assert_allclose(plane.points(moved), [[1, -0.5]] * 2, atol=1e-6)
    np.testing.assert_allclose(moved[:, 1], [5, 1])
    points = plane.points(vae.sample(4000, np.random.default_rng(0)))
    np.testing.assert_allclose([points.mean(axis=0), points.std(axis=0)], [[0, 0], [1, 1]], atol=0.05)
