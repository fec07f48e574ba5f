"""The figures of an evaluation: the latent plane, steering by guidance, features of real and composed songs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evaluation import conditions, report
from evaluation.context import CLASSES, EVERY, PAIR, TWO, Context
from evaluation.generation_quality import song_features, style
from evaluation.metrics import FEATURES, STYLE_FEATURES
from evaluation.steering import hits
from melody.plots import COLORS, save

SIX = ("han", "shanxi", "natmin", "deutschl", "kinder", "jugoslav")
GUIDANCES = (0.0, 0.5, 1.0, 2.0)
TEMPERATURES = (0.85, 1.0, 1.15)
DOTS = 150  # memories of each region
LEARNT = (  # measure, notes and label of each panel
    ("bits_of_opening_saved", "opening", "on the opening (meter and pickup)"),
    ("pitch_bits_per_note_saved", "2-8", "a pitch, notes 2-8"),
    ("rhythm_bits_per_note_saved", "2-8", "a rhythm, notes 2-8"),
)
WAYS = {"": "--", "_by_fitted memories": "-"}  # ends of these measures, and line styles
NAMES = dict(zip(PAIR, ("China", "Germany"), strict=True))


def curve(context: Context, guidances: tuple[float, ...], temperatures: tuple[float, ...]) -> list[dict]:
    """Steering rate and overshoot of the VAE's songs at each guidance, then at each temperature, for both regions.

    Overshoot is the largest distance of a style feature's mean from the real one, over the regions' real difference.
    """
    real = {region: style(context, context.real(region)).mean(axis=0) for region in PAIR}
    difference = np.abs(real[PAIR[0]] - real[PAIR[1]])
    points = [(guidance, context.temperature) for guidance in guidances]
    points += [(context.guidance, temperature) for temperature in temperatures if temperature != context.temperature]
    lines = []
    for (guidance, temperature), region in product(points, PAIR):
        songs = conditions.songs(context, conditions.VAE, region, guidance, temperature)
        means = style(context, songs).mean(axis=0)
        line = {"region": region, "guidance": guidance, "temperature": temperature}
        line["steering_rate"] = float(hits(songs, context.classifier(*TWO), CLASSES[region]).share)
        line["overshoot"] = float((np.abs(means - real[region]) / difference).max())
        named = zip(STYLE_FEATURES, means, strict=True)
        lines.append(line | {name.replace(" ", "_"): float(mean) for name, mean in named})
    return lines


def steering_figure(path: Path, context: Context, lines: list[dict]) -> None:
    """Steering rate, and distance from real songs, against guidance and against temperature."""
    names = [name for name in ("guidance", "temperature") if len({line[name] for line in lines}) > 1]
    figure, panels = grid(4 * len(names), 6, 2, len(names))
    for column, name in enumerate(names):
        fixed = {"guidance": "temperature", "temperature": "guidance"}[name]
        for region, color in zip(PAIR, COLORS, strict=False):
            points = [line for line in lines if line["region"] == region and line[fixed] == getattr(context, fixed)]
            points.sort(key=lambda line: line[name])
            for panel, what in zip(panels[:, column], ("steering_rate", "overshoot"), strict=True):
                panel.plot([p[name] for p in points], [p[what] for p in points], "o-", color=color, label=NAMES[region])
            real = hits(context.real(CLASSES[region]), context.classifier(*TWO), CLASSES[region]).share
            panels[0, column].axhline(real, color=color, linestyle=":", linewidth=1)
        panels[1, column].axhline(0.2, color="black", linestyle=":", linewidth=1)
        panels[1, column].set_xlabel(name)
    panels[0, 0].set_ylabel("steering rate\n(dotted: real songs)")
    panels[1, 0].set_ylabel("overshoot: largest distance from real\nmeans, over the regions' difference")
    panels[0, 0].legend(frameon=False)
    save(figure, path)


def memory_figure(path: Path, context: Context) -> None:
    """Standardized memories of real songs of six regions, on their first two principal components."""
    rng, memories = context.rng("memory plane"), {}
    for region in filter(context.real, SIX):
        songs = context.encoded_of(context.part, region)
        memories[region] = conditions.read(context, EVERY, songs, min(DOTS, context.sizes.continued), rng)
    plane = make_pipeline(StandardScaler(), PCA(2)).fit(np.concatenate(list(memories.values())))
    figure, [[panel]] = grid(6, 5, 1, 1)
    for (region, rows), color, sign in zip(memories.items(), COLORS, "os^Dv<", strict=False):
        x, y = plane.transform(rows).T
        panel.scatter(x, y, s=14, alpha=0.7, color=color, marker=sign, linewidths=0, label=region)
    shares = plane[-1].explained_variance_ratio_
    panel.set_xlabel(f"first component of the memories ({shares[0]:.0%} of the variance)")
    panel.set_ylabel(f"second component ({shares[1]:.0%})")
    panel.legend(frameon=False, markerscale=1.5)
    save(figure, path)


def feature_figure(path: Path, context: Context) -> None:
    """Mean of each feature of real and composed songs of both regions, in standard deviations of the real songs."""
    figure, [[panel]] = grid(7, 5, 1, 1)
    heights = np.arange(len(FEATURES))
    real = {region: song_features(context, context.real(region))[:, : len(FEATURES)] for region in PAIR}
    every = np.concatenate(list(real.values()))
    for region, color, shift in zip(PAIR, COLORS, (-0.15, 0.15), strict=False):
        composed = song_features(context, conditions.songs(context, conditions.VAE, region))[:, : len(FEATURES)]
        for rows, sign, words in ((real[region], "o", "real"), (composed, "x", "composed")):
            standard = (rows - every.mean(axis=0)) / every.std(axis=0)
            error = 1.96 * standard.std(axis=0) / np.sqrt(len(rows))
            look = {"fmt": sign, "color": color, "capsize": 2, "label": f"{NAMES[region]}, {words}"}
            panel.errorbar(standard.mean(axis=0), heights + shift, xerr=error, **look)
    panel.set_yticks(heights, FEATURES)
    panel.invert_yaxis()
    panel.set_xlabel("mean of the first 48 notes, in standard deviations of real songs (bars: 95 %)")
    panel.legend(frameon=False)
    save(figure, path)


def learning_curve(path: Path, rows: Sequence[dict]) -> None:
    """Bits that memories of an unseen tradition save over no memory, against the number of songs shown: after reading
    these (dashed, open markers) and fitted to them (solid)."""
    figure, [panels] = grid(11, 4, 1, len(LEARNT))
    measured = report.find(rows, measure=LEARNT[0][0], notes=LEARNT[0][1])
    lines = list(dict.fromkeys((row["region"], row["network"]) for row in measured))
    for panel, (measure, notes, label) in zip(panels, LEARNT, strict=True):
        for (number, (region, network)), way in product(enumerate(lines), WAYS):
            found = report.find(rows, measure=measure + way, notes=notes, region=region, network=network)
            shown, saved = (np.array([row[name] for row in found]) for name in ("shown", "value"))
            low, high = np.array([row["interval"] for row in found]).reshape(-1, 2).T
            marker, color = "os^Dv<P"[number % 7], COLORS[number % len(COLORS)]
            look = {"color": color, "mfc": color if way else "white", "capsize": 2, "alpha": 0.8}
            moved = shown * 1.03 ** (number - len(lines) / 2)  # so that the intervals do not hide each other
            name = f"{region}, {network}" if way else None
            panel.errorbar(moved, saved, (saved - low, high - saved), fmt=f"{marker}{WAYS[way]}", **look, label=name)
        panel.axhline(0, color="black", linewidth=0.8)
        panel.set_xscale("log")
        ticks = sorted({row["shown"] for row in rows if row["shown"]})
        panel.set_xticks(ticks, map(str, ticks))
        panel.minorticks_off()
        panel.set_xlabel("songs shown")
        panel.set_ylabel(f"bits saved {label}")
    panels[0].legend(frameon=False, fontsize="x-small")
    save(figure, path)


def grid(width: float, height: float, rows: int, columns: int):
    """An empty figure and its panels, (rows, columns)."""
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex="col")
    for panel in panels.flat:
        panel.grid(alpha=0.3)
        panel.set_axisbelow(True)
    return figure, panels
