"""Figures, drawn with matplotlib: labelled axes, units, colours that the colour-blind tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from melody.files import replacing

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe & Ito 2008


def training_curve(path: Path, history: Sequence[dict[str, float]]) -> None:
    """Bits on training and validation songs, epoch by epoch."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    epochs = [row["epoch"] for row in history]
    for name, label, colour in (
        ("bits", "training streams", COLOURS[0]),
        ("validation_bits", "validation songs", COLOURS[1]),
    ):
        axes.plot(epochs, [row[name] for row in history], color=colour, label=label)
    axes.set(xlabel="epoch", ylabel="bits per note")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    with replacing(path) as beside:
        figure.savefig(beside, dpi=150, metadata={"Software": None})
