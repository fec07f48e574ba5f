"""Rows of the benchmarks (a measurement, its baseline and its targets) and the tables of docs/benchmarks.md."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.harness import Measurement

SECONDS = "s"  # the unit of rows where less is better
HEADER = "workload, baseline, ratio, target, stretch target, met, value, baseline value, unit, peak memory".split(", ")


@dataclass
class Comparison:
    """What one row compares: a measured program and its baseline, by name.

    Targets are of the ratio (`≥ 10 ×`), or of the value where there is no baseline (`≤ 3 s`).
    """

    workload: str
    baseline: str = ""
    target: str | None = None
    stretch_target: str | None = None
    fields: dict = field(default_factory=dict)  # further fields of the row


def row(comparison: Comparison, found: dict[str, Measurement], unit: str, memory_target: str | None = None) -> dict:
    """A row from measurements by name. The ratio is of the medians: of times where the unit is seconds, else of rates.

    A row that could not be measured has no figures; its remark says why.
    """
    measured, baseline = found[comparison.workload], found.get(comparison.baseline)
    missing = measured.missing or (baseline.missing if baseline else "")
    median = (lambda one: one.time) if unit == SECONDS else (lambda one: one.rate)
    value, baseline_value = (None if missing or not one else median(one) for one in (measured, baseline))
    ratio = value / baseline_value if value and baseline_value else None
    compared = ratio if baseline else value
    return {
        "workload": comparison.workload,
        "baseline": comparison.baseline,
        "ratio": ratio,
        "target": comparison.target,
        "met": meets(compared, comparison.target),
        "stretch_target": comparison.stretch_target,
        "stretch_met": meets(compared, comparison.stretch_target),
        "value": value,
        "baseline_value": baseline_value,
        "unit": unit,
        "rounds": len(measured.seconds),
        "peak_mb": None if missing else measured.peak_mb,
        "baseline_peak_mb": baseline.peak_mb if baseline_value else None,
        "memory_target": memory_target,
        "memory_met": None if missing else meets(measured.peak_mb, memory_target),
        "remark": f"not run: {missing}" if missing else (baseline or measured).remark,
        **comparison.fields,
    }


def meets(value: float | None, target: str | None) -> bool | None:
    """Whether a value meets a target; None without a value or a target.

    >>> meets(12.0, "≥ 10 ×"), meets(12.0, "≤ 3 s"), meets(12.0, None)
    (True, False, None)
    """
    if value is None or target is None:
        return None
    sign, bound, _ = target.split()
    return value >= float(bound) if sign == "≥" else value <= float(bound)


def tables(rows: Sequence[dict]) -> str:
    """Two Markdown tables: the cases, and how they scale."""
    parts = [row for row in rows if "size" not in row], [row for row in rows if "size" in row]
    header = [HEADER, ["---", "---", *["--:"] * 6, "---", "--:"]]
    texts = [[f"| {' | '.join(line)} |" for line in (*header, *map(_cells, part))] for part in parts if part]
    return "\n\n".join(map("\n".join, texts))


def _cells(row: dict) -> list[str]:
    met = {None: "", True: "yes", False: "no"}[row["met"]] + (", stretch too" if row["stretch_met"] else "")
    memory = f"{row['peak_mb']:,.0f} MB" if row["peak_mb"] else ""
    if memory and row["memory_target"]:
        memory += f" (target {row['memory_target']}: {'met' if row['memory_met'] else 'not met'})"
    baseline = ": ".join(filter(None, (row["baseline"], row["remark"])))
    ratio = f"**{shown(row['ratio'])} ×**" if row["ratio"] else ""
    targets, values = (row["target"] or "", row["stretch_target"] or ""), (row["value"], row["baseline_value"])
    return [row["workload"], baseline, ratio, *targets, met, *map(shown, values), row["unit"], memory]


def shown(value: float | None) -> str:
    """Three significant digits, and all digits before the decimal point.

    >>> shown(0.4567), shown(12.345), shown(25_912.3), shown(None)
    ('.457', '12.3', '25,912', '')
    """
    if value is None:
        return ""
    digits = max(0, 3 - len(f"{abs(value):.0f}")) if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}".removeprefix("0") if value else "0"
