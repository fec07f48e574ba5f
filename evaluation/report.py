"""A row of a table: a figure of ours beside its baselines, the real songs and the bar that it has to clear."""

from __future__ import annotations

import operator
from collections.abc import Sequence

HOLDS = {None: "", True: "yes", False: "no"}
AROUND = "against the songs around it"  # what a row of a region says
HEADLINES = (  # how the rows begin that README.md shows
    "bits per note, all test songs", "first guess right", "expected calibration error", "bits on notes 33",
    "china called china, notes 1–32, default", "china called china, notes 1–32, without guidance",
    "deutschl called europa, notes 1–32, default", "deutschl, han, shanxi told apart, default", "china: own memories",
    "china: memories of deutschl", "china: needed", "deutschl: own memories", "deutschl: memories of china",
    "deutschl: needed", "china: share kept", "deutschl: share kept",
    "passages of 12 notes that are new: all songs, default",
    "notes in a passage that comes again: all songs, default", "Fréchet distance on 48 features: all songs, default",
    "AUC of a judge of real against composed: all songs, default", "last note on the tonic: all songs, default",
)  # fmt: skip
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


def headlines(record: dict) -> str:
    """The rows that matter most, in one table, and below it one of the regions, as they stand in README.md."""
    lines = [(name, row) for name, rows in record["metrics"].items() for row in rows]
    chosen = [(name, row) for start in HEADLINES for name, row in lines if row["what"].startswith(start)]
    regions = [row for _, row in lines if AROUND in row["what"]]
    head = ["", "", "ours", "real songs", "others", "must", "holds"]
    table = [head, ["---", "---", "--:", "--:", "---", "---", "---"]]
    for name, row in chosen:
        interval = " ({} – {})".format(*map(shown, row["interval"])) if row["interval"] else ""
        others = "; ".join(f"{other} {shown(figure)}" for other, figure in row["baselines"].items())
        table.append([name, row["what"], f"**{shown(row['ours'])}**{interval}", shown(row["real"]), others,
                      row["must"] or "", HOLDS[row["holds"]]])  # fmt: skip
    return "\n\n".join([_lines(table), *([_regions(regions)] if regions else [])])


def _regions(rows: Sequence[dict]) -> str:
    """The regions, and whether steering to them can be shown: a bar is set only where real songs can be told apart."""
    names = list(rows[0]["baselines"])
    table = [
        ["region", "called by its name", "real songs", *names, "steering"],
        ["---", *["--:"] * (2 + len(names)), "---"],
    ]
    for row in rows:
        region, told = row["what"].split(f" {AROUND}: ")
        shows = {None: "cannot be shown", True: "shown", False: "not shown"}[row["holds"]]
        table.append([f"{region} ({told})", f"**{shown(row['ours'])}**", shown(row["real"]),
                      *(shown(row["baselines"][name]) for name in names), shows])  # fmt: skip
    return _lines(table)


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
            HOLDS[row["holds"]], f"{row['n']:,}",
        ])  # fmt: skip
    return _lines(lines)


def _lines(cells: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)


def shown(figure: float | None) -> str:
    """Three digits behind the point, none for whole numbers from 10 up.

    >>> shown(2.43712), shown(46.0), shown(None)
    ('2.437', '46', '')
    """
    if figure is None:
        return ""
    return f"{figure:.0f}" if abs(figure) >= 10 and figure == int(figure) else f"{figure:.3f}"
