"""The reference in PyTorch: the same VAE, in plain loops. It needs PyTorch: `pip install torch`."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks import Round, synthetic


def dense(sizes: list[int]) -> nn.Sequential:
    """Dense layers between consecutive sizes, with GELU after all but the last."""
    steps = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.GELU())]
    return nn.Sequential(*steps[:-1])


class ReferenceVAE(nn.Module):
    """The VAE of `vae.model` and its loss, with the optimal variance of the decoder in closed form."""

    def __init__(self, memory: int, latent: int, hidden: list[int], beta: float):
        super().__init__()
        self.encoder = dense([memory, *hidden, 2 * latent])
        self.decoder = dense([latent, *reversed(hidden), memory])
        self.memory, self.beta = memory, beta

    def forward(self, memories):
        """Loss of standardised memories (batch, memory) in nats per memory, and the latent means."""
        z_mean, z_log_var = self.encoder(memories).chunk(2, dim=-1)
        decoded = self.decoder(z_mean + torch.exp(z_log_var / 2) * torch.randn_like(z_mean))
        error = functional.mse_loss(decoded, memories)
        kl = (z_mean.square() + z_log_var.exp() - z_log_var - 1).sum(dim=-1).mean() / 2
        return self.memory / 2 * (1 + torch.log(2 * np.pi * error)) + self.beta * kl, z_mean


def vae(settings: dict, memory: int, memories: int) -> Round:
    """Train on memories for one epoch and validate on a held-out tenth; work is memories."""
    torch.manual_seed(0)
    held_out, training = torch.from_numpy(synthetic.memories(memories, memory)).tensor_split([memories // 10])
    mean, std = training.mean(dim=0), training.std(dim=0, correction=0).clamp(min=1e-6)
    model = ReferenceVAE(memory, settings["latent"], settings["hidden"], settings["beta"])
    adam = torch.optim.Adam(model.parameters(), settings["learning_rate"])

    def run_round() -> float:
        for batch in training[torch.randperm(len(training))].split(settings["batch"]):
            loss, _ = model((batch - mean) / std)
            adam.zero_grad()
            loss.backward()
            adam.step()
        with torch.inference_mode():
            _, z_mean = model((held_out - mean) / std)
            z_mean.var(dim=0)
        return memories

    return run_round
