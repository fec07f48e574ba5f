"""Figures, drawn with matplotlib: labelled axes, units, colours that the colour-blind tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from melody.files import replacing

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe & Ito 2008


def curves(path: Path) -> list[Path]:
    """The files that `training_curve` writes for `path`."""
    return [path.with_suffix(suffix) for suffix in (".png", ".svg")]


def training_curve(path: Path, history: Sequence[dict[str, float]], judge: str) -> None:
    """Draw a quantity of the history on what was learnt from and, named `validation_…`, on what was not.

    Writes `curves(path)`.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    learnt = judge.removeprefix("validation_")
    for name, label, colour in ((learnt, "training", COLOURS[0]), (judge, "validation", COLOURS[1])):
        axes.plot([row["epoch"] for row in history], [row[name] for row in history], color=colour, label=label)
    axes.set(xlabel="epoch", ylabel={"bits": "bits per note", "loss": "loss (nats a memory)"}[learnt])
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    for file, metadata in zip(curves(path), ({"Software": None}, {"Date": None}), strict=True):
        with replacing(file) as beside, rc_context({"svg.hashsalt": path.name}):
            figure.savefig(beside, dpi=150, metadata=metadata)
