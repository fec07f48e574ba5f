"""Figures (matplotlib), with units and colours that color-blind readers can distinguish."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from melody.atomic import atomic_write

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe & Ito 2008


def curves(path: Path) -> list[Path]:
    """The files that `training_curve` writes for `path`."""
    return [path.with_suffix(suffix) for suffix in (".png", ".svg")]


def training_curve(path: Path, history: Sequence[dict[str, float]], monitor: str) -> None:
    """Plot `monitor`, such as `validation_bits`, and the same quantity in training by epoch. Writes `curves(path)`.

    A quantity that is a sum, as `validation_bits` is of `validation_pitch_bits` …, is plotted part by part.
    """
    figure, (axes,) = panels(6, 3.6)
    quantity, columns, epochs = monitor.removeprefix("validation_"), history[0], [row["epoch"] for row in history]
    parts = [name for name in columns if name.endswith(f"_{quantity}") and f"validation_{name}" in columns]
    parts = [name for name in parts if name != "opening_bits"]  # of a song, not of a note
    for name, color in zip([quantity] if quantity in columns else parts, COLORS, strict=False):
        own = f"{name.removesuffix(f'_{quantity}')}, " if parts else ""
        axes.plot(epochs, [row[name] for row in history], "--", color=color, label=f"{own}training")
        axes.plot(epochs, [row[f"validation_{name}"] for row in history], color=color, label=f"{own}validation")
    axes.set(xlabel="epoch", ylabel={"bits": "bits per note", "loss": "loss (nats per memory)"}[quantity])
    axes.legend(frameon=False, fontsize="small")
    save(figure, path)


def scaling(path: Path, points: Sequence[dict]) -> None:
    """Plot seconds and peak memory of a stage against the size of its input, with a linear reference.

    Each point is a row of the benchmarks: `size`, `items`, `seconds`, `peak_mb`.
    """
    figure, (times, memory) = panels(8, 3.6, 2)
    sizes = [point["size"] for point in points]
    for axes, field, label in ((times, "seconds", "seconds"), (memory, "peak_mb", "peak memory (MB)")):
        axes.loglog(sizes, [point[field] for point in points], "o-", color=COLORS[0])
        axes.set(xlabel=points[0]["items"], ylabel=label)
    seconds_per_item = points[-1]["seconds"] / sizes[-1]
    times.loglog(sizes, [size * seconds_per_item for size in sizes], ":", color="black", label="linear")
    times.legend(frameon=False)
    memory.set_ylim(bottom=10)
    save(figure, path)


def panels(width: float, height: float, count: int = 1):
    """An empty figure, width and height in inches, and its axes side by side."""
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(1, count, squeeze=False)[0]
    for axes in panels:
        axes.grid(alpha=0.3)
    return figure, panels


def save(figure, path: Path) -> None:
    """Write a figure as .png and .svg, with the same bytes for the same figure."""
    for file, metadata in zip(curves(path), ({"Software": None}, {"Date": None}), strict=True):
        with atomic_write(file) as temporary, rc_context({"svg.hashsalt": path.name}):
            figure.savefig(temporary, dpi=150, metadata=metadata)
