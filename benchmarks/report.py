"""A row of the benchmarks: a figure of ours beside what else one would run, its bars, and the memory it took."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.harness import Measured
from evaluation.report import meets

SECONDS = "s"  # the unit of rows where less is better


def row(
    work: str,
    ours: Measured,
    beside: str = "",
    theirs: Measured | None = None,
    *,
    unit: str,
    must: str | None = None,
    aim: str | None = None,
    memory: str | None = None,
) -> dict:
    """`must` and `aim` are bars such as `≥ 10 ×`, or `≤ 3 s` where nothing stands beside; `memory`: `≤ 400 MB`.

    The ratio is that of the medians: of the rates; of the times where the unit is seconds. What could not be run has no
    figures, and says why.
    """
    why = ours.why or (theirs.why if theirs else "")
    figure = (lambda measured: measured.time) if unit == SECONDS else (lambda measured: measured.rate)
    mine, other = (None if why or not side else figure(side) for side in (ours, theirs))
    ratio = mine / other if mine and other else None
    judged = ratio if theirs else mine
    return {
        "work": work, "beside": beside, "ratio": ratio, "must": must, "aim": aim, "holds": holds(judged, must),
        "aim_holds": holds(judged, aim), "ours": mine, "theirs": other, "unit": unit, "rounds": len(ours.seconds),
        "peak_mb": None if why else ours.peak, "theirs_peak_mb": theirs.peak if other else None,
        "memory_must": memory, "memory_holds": None if why else holds(ours.peak, memory),
        "remark": f"not run: {why}" if why else (theirs.remark if theirs else ours.remark),
    }  # fmt: skip


def holds(figure: float | None, bar: str | None) -> bool | None:
    """Whether a figure clears a bar with a unit; None when there is no bar, or no figure.

    >>> holds(12.0, "≥ 10 ×"), holds(12.0, None)
    (True, None)
    """
    return None if figure is None or bar is None else meets(figure, " ".join(bar.split()[:2]))


def tables(rows: Sequence[dict]) -> str:
    """Two Markdown tables: the works, and how they grow."""
    parts = [row for row in rows if "series" not in row], [row for row in rows if "series" in row]
    return "\n\n".join(table(part) for part in parts if part)


def table(rows: Sequence[dict]) -> str:
    """Rows as a Markdown table."""
    lines = [["work", "beside", "ratio", "must", "aim", "holds", "ours", "beside it", "unit", "memory"]]
    lines.append(["---", "---", *["--:"] * 6, "---", "--:"])
    for row in rows:
        bold = f"**{shown(row['ratio'])} ×**" if row["ratio"] else ""
        held = {None: "", True: "yes", False: "no"}[row["holds"]] + (", aim too" if row["aim_holds"] else "")
        memory = f"{row['peak_mb']:,.0f} MB" if row["peak_mb"] else ""
        memory += (
            f" (must be {row['memory_must']}: {'yes' if row['memory_holds'] else 'no'})"
            if memory and row["memory_must"]
            else ""
        )
        beside = ": ".join(filter(None, (row["beside"], row["remark"])))
        lines.append([
            row["work"], beside, bold, row["must"] or "", row["aim"] or "", held, shown(row["ours"]),
            shown(row["theirs"]), row["unit"], memory,
        ])  # fmt: skip
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def shown(figure: float | None) -> str:
    """Three digits that count, and no more than a figure has before the point.

    >>> shown(0.4567), shown(12.345), shown(25_912.3), shown(None)
    ('.457', '12.3', '25,912', '')
    """
    if figure is None:
        return ""
    digits = max(0, 3 - len(f"{abs(figure):.0f}")) if abs(figure) >= 1 else 3
    return f"{figure:,.{digits}f}".removeprefix("0") if figure else "0"
