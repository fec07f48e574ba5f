"""Figures, drawn with matplotlib: labelled axes, units, colours that the colour-blind tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from melody.atomic import atomic_write

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe & Ito 2008


def curves(path: Path) -> list[Path]:
    """The files that `training_curve` writes for `path`."""
    return [path.with_suffix(suffix) for suffix in (".png", ".svg")]


def training_curve(path: Path, history: Sequence[dict[str, float]], judge: str) -> None:
    """Draw a quantity of the history on what was learnt from and, named `validation_…`, on what was not.

    Writes `curves(path)`.
    """
    figure, (axes,) = panels(6, 3.6)
    learnt = judge.removeprefix("validation_")
    for name, label, colour in ((learnt, "training", COLOURS[0]), (judge, "validation", COLOURS[1])):
        axes.plot([row["epoch"] for row in history], [row[name] for row in history], color=colour, label=label)
    axes.set(xlabel="epoch", ylabel={"bits": "bits per note", "loss": "loss (nats a memory)"}[learnt])
    axes.legend(frameon=False)
    save(figure, path)


def scaling(path: Path, points: Sequence[dict]) -> None:
    """Draw seconds and peak memory of a stage against the size of its work, with a linear reference. Writes a figure.

    Each point is a row of the benchmarks: `size`, `items`, `seconds`, `peak_mb`.
    """
    figure, (times, memory) = panels(8, 3.6, 2)
    sizes = [point["size"] for point in points]
    for axes, what, label in ((times, "seconds", "seconds"), (memory, "peak_mb", "peak memory (MB)")):
        axes.loglog(sizes, [point[what] for point in points], "o-", color=COLOURS[0])
        axes.set(xlabel=points[0]["items"], ylabel=label)
    last = points[-1]["seconds"] / sizes[-1]
    times.loglog(sizes, [size * last for size in sizes], ":", color="black", label="linear in the size")
    times.legend(frameon=False)
    memory.set_ylim(bottom=10)
    save(figure, path)


def panels(width: float, height: float, count: int = 1):
    """An empty figure, width and height in inches, and its panels side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    found = figure.subplots(1, count, squeeze=False)[0]
    for axes in found:
        axes.grid(alpha=0.3)
    return figure, found


def save(figure, path: Path) -> None:
    """Write a figure as .png and .svg: the same bytes for the same figure."""
    from matplotlib import rc_context

    for file, metadata in zip(curves(path), ({"Software": None}, {"Date": None}), strict=True):
        with atomic_write(file) as beside, rc_context({"svg.hashsalt": path.name}):
            figure.savefig(beside, dpi=150, metadata=metadata)
