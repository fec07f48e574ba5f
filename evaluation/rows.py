"""A row of a table: a figure of ours beside its baselines, the real songs and the bar that it has to clear."""

from __future__ import annotations

import operator
from collections.abc import Sequence

SIGNS = {"≤": operator.le, "≥": operator.ge, "<": operator.lt, ">": operator.gt}


def row(
    what: str,
    ours: float,
    *,
    n: int,
    interval: Sequence[float] | None = None,
    baselines: dict[str, float] | None = None,
    real: float | None = None,
    must: str | None = None,
    aim: str | None = None,
    clear: bool = False,
) -> dict:
    """`must` and `aim` are bars such as `≤ 2.45` or `0.40 … 0.65`; `clear`: the interval must not hold 0 either."""
    holds = None if must is None else meets(ours, must) and (not clear or interval[0] * interval[1] > 0)
    return {
        "what": what, "ours": float(ours), "interval": None if interval is None else [float(end) for end in interval],
        "baselines": {name: float(figure) for name, figure in (baselines or {}).items()},
        "real": None if real is None else float(real), "must": must, "aim": aim, "holds": holds, "n": int(n),
    }  # fmt: skip


def meets(figure: float, bar: str) -> bool:
    """Whether a figure clears a bar.

    >>> meets(2.4, "≤ 2.45"), meets(0.7, "0.40 … 0.65")
    (True, False)
    """
    if "…" in bar:
        low, high = map(float, bar.split("…"))
        return bool(low <= figure <= high)
    sign, limit = bar.split()
    return bool(SIGNS[sign](figure, float(limit)))


def markdown(record: dict) -> str:
    """The tables of a whole evaluation, one for each metric that has rows."""
    return "\n\n".join(
        f"**{name}** {record['about'][name]}\n\n{table(rows)}" for name, rows in record["metrics"].items() if rows
    )


def table(rows: Sequence[dict]) -> str:
    """Rows as a Markdown table; a column for each baseline that any row has."""
    names = list(dict.fromkeys(name for row in rows for name in row["baselines"]))
    real = ["real songs"] if any(row["real"] is not None for row in rows) else []
    head = ["", "ours", "95 % interval", *real, *names, "must", "aim", "holds", "n"]
    lines = [head, ["---", *["--:"] * (len(head) - 1)]]
    for row in rows:
        interval = "{} – {}".format(*map(shown, row["interval"])) if row["interval"] else ""
        lines.append([
            row["what"], f"**{shown(row['ours'])}**", interval, *([shown(row["real"])] if real else []),
            *(shown(row["baselines"].get(name)) for name in names), row["must"] or "", row["aim"] or "",
            {None: "", True: "yes", False: "no"}[row["holds"]], f"{row['n']:,}",
        ])  # fmt: skip
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def shown(figure: float | None) -> str:
    """Three digits behind the point, none for whole numbers from 10 up.

    >>> shown(2.43712), shown(46.0), shown(None)
    ('2.437', '46', '')
    """
    if figure is None:
        return ""
    return f"{figure:.0f}" if abs(figure) >= 10 and figure == int(figure) else f"{figure:.3f}"
