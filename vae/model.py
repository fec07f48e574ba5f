"""The model of stage 4: an encoder, a decoder, and the loss that trains both.

Kingma & Welling 2014 (Auto-Encoding Variational Bayes), with the decoder's variance at its optimum in closed form
(Rybkin, Daniilidis & Levine 2021, σ-VAE), so that it needs no tuning when memories vary more or less.
"""

from itertools import pairwise
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops
from keras.ops import convert_to_numpy
from sklearn.mixture import GaussianMixture

BLOCK = 1024  # memories encoded or decoded at a time


def build_encoder(memory: int, latent: int, hidden: list[int]) -> keras.Model:
    """Standardised memories (batch, memory) -> z_mean, z_log_var, (batch, latent) each."""
    inputs = x = keras.Input((memory,), name="memory")
    for k, units in enumerate(hidden):
        x = layers.Dense(units, activation="gelu", name=f"encoder_{k + 1}")(x)
    outputs = [layers.Dense(latent, name="z_mean")(x), layers.Dense(latent, name="z_log_var")(x)]
    return keras.Model(inputs, outputs, name="encoder")


def build_decoder(memory: int, latent: int, hidden: list[int]) -> keras.Model:
    """Latents (batch, latent) -> standardised memories (batch, memory)."""
    inputs = x = keras.Input((latent,), name="z")
    for k, units in enumerate(reversed(hidden)):
        x = layers.Dense(units, activation="gelu", name=f"decoder_{k + 1}")(x)
    return keras.Model(inputs, layers.Dense(memory, name="decoded")(x), name="decoder")


class VAE(keras.Model):
    """Memories (batch, memory) -> memories (batch, memory), through `latent` numbers.

    Memories are standardised per dimension before encoding and scaled back after decoding; `adapt` computes mean and
    standard deviation. The codes of memories form clusters, which N(0, 1) does not; so latents are sampled from a
    mixture of Gaussians that `fit_mixture` fits to the codes after training (Ghosh et al. 2020, From Variational to
    Deterministic Autoencoders, section 4). Both are saved with the weights.
    """

    def __init__(self, memory: int, latent: int, hidden: list[int], mixture: int, beta: float = 1.0):
        super().__init__(name="vae")
        self.encoder = build_encoder(memory, latent, hidden)
        self.decoder = build_decoder(memory, latent, hidden)
        self.memory, self.latent, self.beta = memory, latent, beta
        self.mean = self._constant("mean", (memory,))
        self.std = self._constant("std", (memory,), "ones")
        self.mixture_weights = self._constant("mixture_weights", (mixture,), "ones")
        self.mixture_means = self._constant("mixture_means", (mixture, latent))
        self.mixture_scale_tril = self._constant("mixture_scale_tril", (mixture, latent, latent))
        self.noise = keras.random.SeedGenerator()
        self.reconstruction, self.kl = keras.metrics.Mean(name="reconstruction"), keras.metrics.Mean(name="kl")
        self.built = True

    def _constant(self, name: str, shape: tuple[int, ...], initializer: str = "zeros"):
        return self.add_weight(shape=shape, initializer=initializer, trainable=False, name=name)

    def adapt(self, memories: np.ndarray) -> None:
        """Compute mean and standard deviation of each dimension from memories (count, memory)."""
        self.mean.assign(memories.mean(axis=0))
        self.std.assign(np.maximum(memories.std(axis=0), 1e-6))

    def call(self, memories, training=None):
        """What the loss needs: means and log variances of codes, and the error of decoding, standardised."""
        standard = (memories - self.mean) / self.std
        z_mean, z_log_var = self.encoder(standard)
        noise = keras.random.normal(ops.shape(z_mean), seed=self.noise)
        return z_mean, z_log_var, standard - self.decoder(z_mean + ops.exp(z_log_var / 2) * noise)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Nats per memory: D/2 (1 + log(2π mean squared error)) + β KL(q(z|x) ‖ N(0, 1))."""
        z_mean, z_log_var, residual = y_pred
        error = ops.mean(ops.square(residual))
        reconstruction = self.memory / 2 * (1 + ops.log(2 * np.pi * error))
        kl = ops.mean(ops.sum(ops.square(z_mean) + ops.exp(z_log_var) - z_log_var - 1, axis=-1)) / 2
        self.reconstruction.update_state(error)
        self.kl.update_state(kl)
        return reconstruction + self.beta * kl

    def fit_mixture(self, memories: np.ndarray, rng: np.random.Generator) -> None:
        """Fit the mixture that latents are sampled from to codes of memories (count, memory)."""
        codes, size = self.codes(memories, rng), self.mixture_weights.shape[0]
        components = min(size, len(np.unique(codes, axis=0)))
        fitted = GaussianMixture(components, random_state=int(rng.integers(2**31)), reg_covar=1e-4).fit(codes)
        values = fitted.weights_, fitted.means_, np.linalg.cholesky(fitted.covariances_)
        variables = self.mixture_weights, self.mixture_means, self.mixture_scale_tril
        for variable, value in zip(variables, values, strict=True):
            variable.assign(np.pad(value, [(0, size - components)] + [(0, 0)] * (value.ndim - 1)))

    def posterior(self, memories: np.ndarray) -> list[np.ndarray]:
        """Means and log variances of the codes of memories, (count, latent) each."""
        standard = (memories - convert_to_numpy(self.mean)) / convert_to_numpy(self.std)
        return self.encoder.predict(standard, batch_size=BLOCK, verbose=0)

    def encode(self, memories: np.ndarray) -> np.ndarray:
        """The latents of memories, (count, latent): their posterior means."""
        return self.posterior(memories)[0]

    def codes(self, memories: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Latents of memories, each sampled from its posterior, (count, latent)."""
        means, log_variances = self.posterior(memories)
        return means + np.exp(log_variances / 2) * rng.standard_normal(means.shape)

    def sample(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Latents from the mixture, (count, latent) float32."""
        variables = self.mixture_weights, self.mixture_means, self.mixture_scale_tril
        weights, means, scale_tril = map(convert_to_numpy, variables)
        component = np.searchsorted(np.cumsum(weights)[:-1] / weights.sum(), rng.random(count), side="right")
        noise = rng.standard_normal((count, self.latent, 1), dtype="float32")
        return means[component] + (scale_tril[component] @ noise)[..., 0]

    def plane(self) -> "Plane":
        """The plane of the two principal axes of the mixture."""
        variables = self.mixture_weights, self.mixture_means, self.mixture_scale_tril
        weights, means, scale_tril = (convert_to_numpy(variable).astype(np.float64) for variable in variables)
        weights = weights / weights.sum()
        mean = weights @ means
        within = np.einsum("k,kij,klj->il", weights, scale_tril, scale_tril)
        variances, axes = np.linalg.eigh(within + (weights * (means - mean).T) @ (means - mean))
        axes = axes[:, :-3:-1].T  # (2, latent), the longest first
        signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
        return Plane(mean, axes * signs[:, None], np.sqrt(variances[:-3:-1]))

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """The memories of latents (count, latent), (count, memory)."""
        decoded = self.decoder.predict(latents, batch_size=BLOCK, verbose=0)
        return decoded * convert_to_numpy(self.std) + convert_to_numpy(self.mean)


class Plane(NamedTuple):
    """A plane in the latent space, with coordinates in standard deviations from the mean."""

    mean: np.ndarray  # (latent,)
    axes: np.ndarray  # (2, latent), orthonormal
    std: np.ndarray  # (2,)

    def points(self, latents: np.ndarray) -> np.ndarray:
        """Where latents (count, latent) lie when they are projected on the plane, (count, 2)."""
        return (latents - self.mean) @ self.axes.T / self.std

    def moved(self, latents: np.ndarray, point: np.ndarray) -> np.ndarray:
        """Latents (count, latent) moved along the plane, so that all of them lie at a point (2,) of it, float32."""
        return (latents + ((point - self.points(latents)) * self.std) @ self.axes).astype(np.float32)


def parameters(memory: int, latent: int, hidden: list[int], mixture: int) -> int:
    """About how many numbers a VAE holds, without building it: at least its layers and its mixture."""
    widths = [memory, *hidden, 2 * latent]
    weights = sum(rows * columns for rows, columns in pairwise(widths))
    return 2 * weights + mixture * latent * latent
