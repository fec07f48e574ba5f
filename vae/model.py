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
    deviation from memories. Latents are counted in units in which the codes of all memories together have mean 0 and
    covariance 1, so that N(0, 1) draws what memories are like: `calibrate` takes these units from memories (the full
    Gaussian of Ghosh et al. 2020, From Variational to Deterministic Autoencoders, section 4). Both are saved.
    """

    def __init__(self, memory: int, latent: int, hidden: list[int], beta: float = 1.0):
        super().__init__(name="vae")
        self.encoder = build_encoder(memory, latent, hidden)
        self.decoder = build_decoder(memory, latent, hidden)
        self.memory, self.latent, self.beta = memory, latent, beta
        self.mean = self.add_weight(shape=(memory,), initializer="zeros", trainable=False, name="mean")
        self.deviation = self.add_weight(shape=(memory,), initializer="ones", trainable=False, name="deviation")
        self.centre = self.add_weight(shape=(latent,), initializer="zeros", trainable=False, name="centre")
        self.spread = self.add_weight(shape=(latent, latent), initializer="identity", trainable=False, name="spread")
        self.noise = keras.random.SeedGenerator()
        self.reconstruction, self.kl = keras.metrics.Mean(name="reconstruction"), keras.metrics.Mean(name="kl")
        self.built = True

    def scale(self, memories: np.ndarray) -> None:
        """Take mean and deviation of each dimension from memories (count, memory)."""
        self.mean.assign(memories.mean(axis=0))
        self.deviation.assign(np.maximum(memories.std(axis=0), 1e-6))

    def call(self, memories, training=None):
        z_mean, z_log_var = self.encoder((memories - self.mean) / self.deviation)
        noise = keras.random.normal(ops.shape(z_mean), seed=self.noise)
        return ops.concatenate([z_mean, z_log_var, self.decoder(z_mean + ops.exp(z_log_var / 2) * noise)], axis=-1)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Nats a memory: D/2 (1 + log(2π mean squared error)) + β KL(q(z|x) ‖ N(0, 1))."""
        z_mean, z_log_var, decoded = ops.split(y_pred, [self.latent, 2 * self.latent], axis=-1)
        error = ops.mean(ops.square((x - self.mean) / self.deviation - decoded))
        reconstruction = self.memory / 2 * (1 + ops.log(2 * np.pi * error))
        kl = ops.mean(ops.sum(ops.square(z_mean) + ops.exp(z_log_var) - z_log_var - 1, axis=-1)) / 2
        self.reconstruction.update_state(error)
        self.kl.update_state(kl)
        return reconstruction + self.beta * kl

    def calibrate(self, memories: np.ndarray) -> None:
        """Take the units of the latents from the posteriors of memories (count, memory), all together."""
        z_mean, z_log_var = self._posterior(memories)
        self.centre.assign(z_mean.mean(axis=0))
        covariance = np.cov(z_mean.T).reshape(self.latent, self.latent) + np.diag(np.exp(z_log_var).mean(axis=0))
        self.spread.assign(np.linalg.cholesky(covariance))

    def _posterior(self, memories: np.ndarray) -> list[np.ndarray]:
        standard = (memories - convert_to_numpy(self.mean)) / convert_to_numpy(self.deviation)
        blocks = [self.encoder.predict_on_batch(standard[k : k + 1024]) for k in range(0, len(standard), 1024)]
        return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]

    def encode(self, memories: np.ndarray) -> np.ndarray:
        """The latents of memories, (count, latent): their posterior means."""
        z = self._posterior(memories)[0] - convert_to_numpy(self.centre)
        return np.linalg.solve(convert_to_numpy(self.spread), z.T).T

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """The memories that latents (count, latent) stand for, (count, memory)."""
        z = latents @ convert_to_numpy(self.spread).T + convert_to_numpy(self.centre)
        decoded = self.decoder.predict(z, batch_size=1024, verbose=0)
        return decoded * convert_to_numpy(self.deviation) + convert_to_numpy(self.mean)
