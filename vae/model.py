"""The network of stage 4: an encoder, a decoder, and the loss that binds them.

Kingma & Welling 2014 (Auto-Encoding Variational Bayes), with the decoder's variance set to its best value in closed
form (Rybkin, Daniilidis & Levine 2021, σ-VAE), so that nothing has to be tuned when memories spread more or less.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops
from keras.ops import convert_to_numpy


def build_encoder(memory: int, latent: int, hidden: list[int]) -> keras.Model:
    """Standardised memories (batch, memory) -> z_mean, z_log_var, (batch, latent) each."""
    entry = x = keras.Input((memory,), name="memory")
    for k, units in enumerate(hidden):
        x = layers.Dense(units, activation="gelu", name=f"encoder_{k + 1}")(x)
    return keras.Model(
        entry, [layers.Dense(latent, name="z_mean")(x), layers.Dense(latent, name="z_log_var")(x)], name="encoder"
    )


def build_decoder(memory: int, latent: int, hidden: list[int]) -> keras.Model:
    """Latents (batch, latent) -> standardised memories (batch, memory)."""
    entry = x = keras.Input((latent,), name="z")
    for k, units in enumerate(reversed(hidden)):
        x = layers.Dense(units, activation="gelu", name=f"decoder_{k + 1}")(x)
    return keras.Model(entry, layers.Dense(memory, name="decoded")(x), name="decoder")


class VAE(keras.Model):
    """Memories (batch, memory) -> memories (batch, memory), through `latent` numbers.

    A memory is standardised per dimension on its way in and scaled back on its way out: `scale` takes mean and
    deviation from memories. The codes of memories gather about keys and ways of ending, which N(0, 1) knows nothing of;
    so latents are drawn from a mixture of Gaussians that `fit_mixture` fits to the codes when the VAE has learnt
    (Ghosh et al. 2020, From Variational to Deterministic Autoencoders, section 4). Both are saved.
    """

    def __init__(self, memory: int, latent: int, hidden: list[int], mixture: int, beta: float = 1.0):
        super().__init__(name="vae")
        self.encoder = build_encoder(memory, latent, hidden)
        self.decoder = build_decoder(memory, latent, hidden)
        self.memory, self.latent, self.beta = memory, latent, beta
        self.mean = self.add_weight(shape=(memory,), initializer="zeros", trainable=False, name="mean")
        self.deviation = self.add_weight(shape=(memory,), initializer="ones", trainable=False, name="deviation")
        self.share = self.add_weight(shape=(mixture,), initializer="ones", trainable=False, name="share")
        self.centre = self.add_weight(shape=(mixture, latent), initializer="zeros", trainable=False, name="centre")
        self.spread = self.add_weight(
            shape=(mixture, latent, latent), initializer="zeros", trainable=False, name="spread"
        )
        self.noise = keras.random.SeedGenerator()
        self.reconstruction, self.kl = keras.metrics.Mean(name="reconstruction"), keras.metrics.Mean(name="kl")
        self.built = True

    def scale(self, memories: np.ndarray) -> None:
        """Take mean and deviation of each dimension from memories (count, memory)."""
        self.mean.assign(memories.mean(axis=0))
        self.deviation.assign(np.maximum(memories.std(axis=0), 1e-6))

    def call(self, memories, training=None):
        """What the loss is made of: means and log variances of codes, and what decoding misses, standardised."""
        standard = (memories - self.mean) / self.deviation
        z_mean, z_log_var = self.encoder(standard)
        noise = keras.random.normal(ops.shape(z_mean), seed=self.noise)
        return z_mean, z_log_var, standard - self.decoder(z_mean + ops.exp(z_log_var / 2) * noise)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Nats a memory: D/2 (1 + log(2π mean squared error)) + β KL(q(z|x) ‖ N(0, 1))."""
        z_mean, z_log_var, missed = y_pred
        error = ops.mean(ops.square(missed))
        reconstruction = self.memory / 2 * (1 + ops.log(2 * np.pi * error))
        kl = ops.mean(ops.sum(ops.square(z_mean) + ops.exp(z_log_var) - z_log_var - 1, axis=-1)) / 2
        self.reconstruction.update_state(error)
        self.kl.update_state(kl)
        return reconstruction + self.beta * kl

    def fit_mixture(self, memories: np.ndarray, rng: np.random.Generator) -> None:
        """Fit the mixture that latents are drawn from to codes of memories (count, memory)."""
        from sklearn.mixture import GaussianMixture

        codes = self.codes(memories, rng)
        room = self.share.shape[0]
        components = min(room, len(np.unique(codes, axis=0)))
        found = GaussianMixture(components, random_state=int(rng.integers(2**31)), reg_covar=1e-4).fit(codes)
        values = found.weights_, found.means_, np.linalg.cholesky(found.covariances_)
        for weight, value in zip((self.share, self.centre, self.spread), values, strict=True):
            weight.assign(np.pad(value, [(0, room - components)] + [(0, 0)] * (value.ndim - 1)))

    def posterior(self, memories: np.ndarray) -> list[np.ndarray]:
        """Means and logarithms of variances of the codes of memories, (count, latent) each."""
        standard = (memories - convert_to_numpy(self.mean)) / convert_to_numpy(self.deviation)
        blocks = [self.encoder.predict_on_batch(standard[k : k + 1024]) for k in range(0, len(standard), 1024)]
        return [np.concatenate([np.asarray(part) for part in parts]) for parts in zip(*blocks, strict=True)]

    def encode(self, memories: np.ndarray) -> np.ndarray:
        """The latents of memories, (count, latent): their posterior means."""
        return self.posterior(memories)[0]

    def codes(self, memories: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Latents of memories, each drawn from its posterior, (count, latent)."""
        means, log_variances = self.posterior(memories)
        return means + np.exp(log_variances / 2) * rng.standard_normal(means.shape)

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Latents from the mixture, (count, latent) float32."""
        share, centre, spread = map(convert_to_numpy, (self.share, self.centre, self.spread))
        which = np.searchsorted(np.cumsum(share)[:-1] / share.sum(), rng.random(count), side="right")
        noise = rng.standard_normal((count, self.latent, 1), dtype="float32")
        return centre[which] + (spread[which] @ noise)[..., 0]

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """The memories that latents (count, latent) stand for, (count, memory)."""
        blocks = [self.decoder.predict_on_batch(latents[k : k + 1024]) for k in range(0, len(latents), 1024)]
        decoded = np.concatenate([np.asarray(block) for block in blocks])
        return decoded * convert_to_numpy(self.deviation) + convert_to_numpy(self.mean)
