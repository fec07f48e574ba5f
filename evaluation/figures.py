"""The pictures of an evaluation: memories in the latent plane, steering by guidance, features real and composed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evaluation import conditions
from evaluation.context import EVERY, WINDOW, Context
from evaluation.generation_quality import measured, real_features
from evaluation.metrics import FEATURES, STYLE_FEATURES, openings, style_features
from evaluation.steering import PAIR, SAID, hits
from melody.atomic import atomic_write
from melody.plots import COLOURS

SIX = ("han", "shanxi", "natmin", "deutschl", "kinder", "jugoslav")
GUIDANCES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
TEMPERATURES = (0.7, 0.85, 1.0, 1.15, 1.3)
DOTS = 150  # memories shown of each region
NAMES = dict(zip(PAIR, ("China", "Germany"), strict=True))


def curve(context: Context, guidances: tuple[float, ...], temperatures: tuple[float, ...]) -> list[dict]:
    """Steering and caricature of our songs at each guidance, then at each temperature, for both regions.

    `caricature` is how far a mean of `MANNER` is from the real one at worst, over the real difference of the regions.
    """
    real = {
        region: style_features(openings(context.held_out(region), WINDOW), context.vocabulary).mean(axis=0)
        for region in PAIR
    }
    apart = np.abs(real[PAIR[0]] - real[PAIR[1]])
    points = [(guidance, context.temperature) for guidance in guidances]
    points += [(context.guidance, temperature) for temperature in temperatures if temperature != context.temperature]
    lines = []
    for guidance, temperature in points:
        for region in PAIR:
            songs = conditions.songs(context, conditions.OURS, region, guidance, temperature)
            means = style_features(openings(songs, WINDOW), context.vocabulary).mean(axis=0)
            lines.append({
                "region": region, "guidance": guidance, "temperature": temperature,
                "steering": float(hits(context, songs, SAID[region]).mean()),
                "caricature": float((np.abs(means - real[region]) / apart).max()),
                **{name: float(mean) for name, mean in zip(STYLE_FEATURES, means, strict=True)},
            })  # fmt: skip
    return lines


def steering_picture(path: Path, context: Context, lines: list[dict]) -> None:
    """Share called by its region, and distance from real songs, against guidance and against temperature."""
    names = [name for name in ("guidance", "temperature") if len({line[name] for line in lines}) > 1]
    figure, panels = _figure(4 * len(names), 6, 2, len(names))
    for column, name in enumerate(names):
        fixed = {"guidance": "temperature", "temperature": "guidance"}[name]
        for region, colour in zip(PAIR, COLOURS, strict=False):
            points = sorted(
                (line for line in lines if line["region"] == region and line[fixed] == getattr(context, fixed)),
                key=lambda line: line[name],
            )
            for panel, what in zip(panels[:, column], ("steering", "caricature"), strict=True):
                panel.plot(
                    [p[name] for p in points], [p[what] for p in points], "o-", color=colour, label=NAMES[region]
                )
            real = hits(context, context.part("test", SAID[region]), SAID[region]).mean()
            panels[0, column].axhline(real, color=colour, linestyle=":", linewidth=1)
        panels[1, column].axhline(0.2, color="black", linestyle=":", linewidth=1)
        panels[1, column].set_xlabel(name)
    panels[0, 0].set_ylabel("share called by its region\n(dotted: real songs)")
    panels[1, 0].set_ylabel("worst distance from real means,\nin real differences (dotted: allowed)")
    panels[0, 0].legend(frameon=False)
    _save(figure, path)


def latent_picture(path: Path, context: Context) -> None:
    """Memories of held-out songs of six regions, as the VAE sees them: its codes on their two widest directions."""
    from sklearn.decomposition import PCA

    rng, codes = context.rng("latent plane"), {}
    for region in SIX:
        songs = context.held_out(region)
        if songs:
            codes[region] = context.vaes[EVERY].encode(
                conditions.read(context, songs, min(DOTS, context.sizes.states), rng)
            )
    plane = PCA(2).fit(np.concatenate(list(codes.values())))
    figure, panels = _figure(6, 5, 1, 1)
    for (region, rows), colour, sign in zip(codes.items(), COLOURS, "os^Dv<", strict=False):
        x, y = plane.transform(rows).T
        panels[0, 0].scatter(x, y, s=14, alpha=0.7, color=colour, marker=sign, linewidths=0, label=region)
    shares = plane.explained_variance_ratio_
    panels[0, 0].set(xlabel=f"first direction of the codes ({shares[0]:.0%} of variance)",
                     ylabel=f"second direction ({shares[1]:.0%})")  # fmt: skip
    panels[0, 0].legend(frameon=False, markerscale=1.5)
    _save(figure, path)


def feature_picture(path: Path, context: Context) -> None:
    """Mean of each feature, real and composed, for both regions, in deviations of real songs from their common mean."""
    figure, panels = _figure(7, 5, 1, 1)
    panel, heights = panels[0, 0], np.arange(len(FEATURES))
    real = {region: real_features(context, region)[0][:, : len(FEATURES)] for region in PAIR}
    every = np.concatenate(list(real.values()))
    for region, colour, shift in zip(PAIR, COLOURS, (-0.15, 0.15), strict=False):
        ours = measured(context, conditions.songs(context, conditions.OURS, region))[:, : len(FEATURES)]
        for rows, sign, words in ((real[region], "o", "real"), (ours, "x", "composed")):
            standard = (rows - every.mean(axis=0)) / every.std(axis=0)
            error = 1.96 * standard.std(axis=0) / np.sqrt(len(rows))
            panel.errorbar(standard.mean(axis=0), heights + shift, xerr=error, fmt=sign, color=colour, capsize=2,
                           label=f"{NAMES[region]}, {words}")  # fmt: skip
    panel.set_yticks(heights, FEATURES)
    panel.invert_yaxis()
    panel.set_xlabel("mean of the first 48 notes, in standard deviations of real songs (bars: 95 %)")
    panel.legend(frameon=False)
    _save(figure, path)


def _figure(width: float, height: float, rows: int, columns: int):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex="col")
    for panel in panels.flat:
        panel.grid(alpha=0.3)
        panel.set_axisbelow(True)
    return figure, panels


def _save(figure, path: Path) -> None:
    """As PNG and as SVG, the same bytes for the same picture."""
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": path.name}):
        for suffix, about in ((".png", {"Software": None}), (".svg", {"Date": None})):
            with atomic_write(path.with_suffix(suffix)) as beside:
                figure.savefig(beside, dpi=150, metadata=about)
