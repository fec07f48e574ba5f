"""E7: what changes in songs when one latent of the VAE moves and the others stay."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from evaluation import conditions
from evaluation.context import PAIR, Context
from evaluation.figures import NAMES, grid
from evaluation.memory_quality import ICC_FEATURES, latent_features
from evaluation.report import Figure, Rows
from evaluation.statistics import bootstrap_weights, interval, resampled_means
from melody.plots import COLORS, save

STEPS = (-2.0, -1.0, 0.0, 1.0, 2.0)  # standard deviations of the latent
CODES = 1000  # sampled latents whose mean and deviation are used
MOVED = 8  # latents, those that change the decoded memory most
UNMOVED = "no latent, other random numbers"  # the change that chance makes


@cache
def moved_songs(context: Context, region: str) -> np.ndarray:
    """Features of songs, (latents + 1, steps, songs, features): one of the strongest latents is moved from the mean by
    each of `STEPS`, with the same random numbers at all; in the last row none is, and the random numbers differ."""
    vae, count = context.vaes[region], context.sizes.latents
    middle, moves = moves_of(context, region)
    numbers = strongest(context, region)
    latents = np.concatenate([moves[numbers], np.zeros((1, len(STEPS), vae.latent))]) + middle
    latents = latents.reshape(-1, vae.latent).astype(np.float32)
    same = [context.rng("moved") for _ in range(len(numbers) * len(STEPS))]
    generators = [*same, *(context.rng("unmoved", step) for step in STEPS)]
    rngs = [one for generator in generators for one in generator.spawn(count)]
    _, options = conditions.composing(context, len(rngs), context.guidance, context.temperature)
    memories = context.unpack(np.repeat(vae.decode(latents), count, axis=0))
    songs = context.sampler(context.guidance != 0).compose(memories, rngs, **options)
    return latent_features(context, songs).reshape(len(numbers) + 1, len(STEPS), count, -1)


@cache
def moves_of(context: Context, region: str) -> tuple[np.ndarray, np.ndarray]:
    """The mean of sampled latents (latents,), and how each latent is moved from it, (latents, steps, latents)."""
    codes = context.vaes[region].sample(CODES, context.rng("traversal", region))
    return codes.mean(axis=0), np.diag(codes.std(axis=0))[:, None] * np.array(STEPS)[:, None]


@cache
def strongest(context: Context, region: str) -> list[int]:
    """The indices of the latents that change the decoded memory most, in order."""
    vae, (middle, moves) = context.vaes[region], moves_of(context, region)
    low, high = (vae.decode((middle + moves[:, step]).astype(np.float32)) for step in (0, -1))
    std = np.maximum(conditions.pool(context, conditions.TRAINING, region).std(axis=0), 1e-6)
    change = (((high - low) / std) ** 2).sum(axis=1)
    return np.argsort(-change)[:MOVED].tolist()


def e7(context: Context) -> list[dict]:
    """Traversal: by how much does a feature change when one latent, of the 8 strongest, moves from -2 to 2?"""
    rows = Rows("E7", guidance=context.guidance)
    for region in PAIR:
        songs = moved_songs(context, region)
        count = songs.shape[2]
        weights = bootstrap_weights(range(count), context.rng("E7", region), rounds=context.sizes.rounds)
        for k, feature in enumerate(ICC_FEATURES):
            for name, line in zip([*latent_names(context, region), UNMOVED], songs, strict=True):
                change = line[-1, :, k] - line[0, :, k]
                spread = interval(resampled_means(change, np.ones(count), weights))
                rows.add(f"change_of_{feature}", name, Figure(change.mean(), count, spread), region=region)
    return rows


def latent_names(context: Context, region: str) -> list[str]:
    """Latents are numbered from 1, in the order of their strength."""
    return [f"latent {k}" for k in range(1, len(strongest(context, region)) + 1)]


def traversal_figure(path: Path, context: Context) -> None:
    """The mean of each feature against the position of each latent; grey: songs from the mean, other random numbers."""
    figure, panels = grid(4.2 * len(PAIR), 2 * len(ICC_FEATURES), len(ICC_FEATURES), len(PAIR))
    for column, region in enumerate(PAIR):
        means = moved_songs(context, region).mean(axis=2)  # (latents + 1, steps, features)
        for k, feature in enumerate(ICC_FEATURES):
            panel = panels[k, column]
            for number, name in enumerate(latent_names(context, region)):
                look = {"color": COLORS[number % len(COLORS)], "linestyle": "-" if number < len(COLORS) else "--"}
                panel.plot(STEPS, means[number, :, k], label=name.removeprefix("latent "), **look)
            panel.fill_between(STEPS, *np.sort(means[-1, :, k])[[0, -1]], color="grey", alpha=0.3, linewidth=0)
            panel.set_ylabel(feature.replace("_", " ") if not column else "")
        panels[0, column].set_title(NAMES[region])
        panels[-1, column].set_xlabel("position of the latent (standard deviations)")
    panels[0, 0].legend(frameon=False, ncols=4, fontsize="small", title="latent")
    save(figure, path)


METRICS = {"E7": e7}
