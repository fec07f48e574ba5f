"""The rows of an evaluation, how they are found, and the tables made of them."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MET = {None: "", True: "yes", False: "no"}
SIGNS = {"≤": operator.le, "≥": operator.ge, "<": operator.lt, ">": operator.gt}
FIELDS = ("metric", "measure", "region", "condition", "guidance", "notes")  # these identify a row
NOT_BELOW, NOT_ABOVE, CLEAR = "not clearly below 0", "not clearly above 0", "interval above 0"
# Conditions without a memory that guidance could amplify; their rows have no guidance
UNGUIDED = (
    "unconditional",
    "primer",
    "n-gram of the region",
    "Kneser-Ney 8 of the region",
    "real songs",
    "other held-out songs",
    "real songs, rhythms shuffled",
    "any note of real songs",
    "two real bars by chance",
)


class Figure(NamedTuple):
    """A number, how many songs, notes or memories it was computed from, and its 95 % interval."""

    value: float
    n: int
    interval: Sequence[float] | None = None


class Rows(list):
    """The rows of a metric. `fields` (region, guidance, notes) hold for all that are added."""

    def __init__(self, metric: str, **fields):
        super().__init__()
        self.metric, self.fields = metric, fields

    def add(self, measure: str, condition: str, figure: Figure, target=None, aim=None, **fields) -> None:
        """`target` and `aim` are such as `≤ 2.45`, `0.4 to 0.6`, or one of the three that ask for the interval."""
        fields = {"region": None, "guidance": None, "notes": None} | self.fields | fields
        if condition in UNGUIDED:
            fields["guidance"] = None
        value, spread = float(figure.value), figure.interval and [*map(float, figure.interval)]
        row = {"metric": self.metric, "measure": measure, "condition": condition, **fields, "value": value}
        met = None if target is None else meets(value, target, spread)
        self.append(row | {"interval": spread, "n": int(figure.n), "target": target, "aim": aim, "met": met})

    def add_all(self, measure: str, figures: dict[str, Figure], target=None, aim=None, **fields) -> None:
        """A row for each condition; target and aim are those of the first."""
        for k, (condition, figure) in enumerate(figures.items()):
            self.add(measure, condition, figure, None if k else target, None if k else aim, **fields)


def meets(value: float, target: str, interval: Sequence[float] | None = None) -> bool:
    """Whether a figure meets a target.

    >>> meets(2.4, "≤ 2.45"), meets(0.7, "0.40 to 0.65"), meets(0.1, CLEAR, (-0.1, 0.3))
    (True, False, False)
    """
    if target == CLEAR:
        return bool(interval[0] > 0)
    if target in (NOT_BELOW, NOT_ABOVE):
        return bool(interval[1] >= 0 if target == NOT_BELOW else interval[0] <= 0)
    if " to " in target:
        low, high = map(float, target.split(" to "))
        return bool(low <= value <= high)
    sign, limit = target.split()
    return bool(SIGNS[sign](value, float(limit)))


def around(value: float, room: float) -> str:
    """A target with two sides.

    >>> around(0.949, 0.05)
    '0.899 to 0.999'
    """
    return f"{value - room:.4g} to {value + room:.4g}"


def find(rows: Iterable[dict], **fields: object) -> list[dict]:
    """The rows that have these fields: `find(record["rows"], metric="M4", region="china")`."""
    return [row for row in rows if all(row[name] == value for name, value in fields.items())]


def value(rows: Iterable[dict], **fields: object) -> float | None:
    """The one figure that these fields identify; None if there is none. Raises ValueError if there are several."""
    found = find(rows, **fields)
    if len(found) > 1:
        raise ValueError(f"{len(found)} rows have {fields}")
    return found[0]["value"] if found else None


# Tables


INTERVALS = """Intervals are 95 % bootstrap intervals. Of real songs, groups of near-duplicates are resampled; of
composed songs, first the sets of memories, which have seeds of their own, and then the songs. Differences are paired:
same real songs, same random numbers. Networks and VAEs were trained once; intervals do not cover other training seeds.
The unconditional network, the primer and the n-grams take no guidance; their figures are the same on all lines."""


def docs_tables(record: dict) -> str:
    """All tables, each metric opened by what it asks; the targets are those of the first condition."""
    named = "\n".join(f"- *{name}*: {about}" for name, about in record["conditions"].items())
    parts = [INTERVALS, f"Conditions:\n\n{named}"]
    for metric, about in record["about"].items():
        if rows := find(record["rows"], metric=metric):
            parts.append(f"### {metric}\n\n{about}\n\n{table(rows)}")
            lower = find(rows, measure="steering_rate_minus_unconditional", met=False)
            if harmed := [row["region"] for row in lower if row["interval"][1] < 0]:
                parts.append(f"Memories of {', '.join(harmed)} lower the steering rate: do not use them to steer.")
    return "\n\n".join(parts)


def table(rows: Sequence[dict]) -> str:
    """Rows as a Markdown table: a line for each measure, region, notes and guidance, a column for each condition.

    What has no guidance is shown on the lines of every guidance. The cell of the row with an interval shows it.
    """
    conditions = list(dict.fromkeys(row["condition"] for row in rows))
    cells, guidances = {}, {}
    for row in rows:
        key = row["measure"], row["region"], row["notes"]
        cells[*key, row["guidance"], row["condition"]] = row
        guidances.setdefault(key, {})[row["guidance"]] = None
    guided = any(row["guidance"] is not None for row in rows)
    lines = []
    for key, values in guidances.items():
        for guidance in [one for one in values if one is not None] or [None]:
            found = [cells.get((*key, guidance, name), cells.get((*key, None, name))) for name in conditions]
            aimed = next((row for row in found if row and row["target"]), {"target": "", "aim": None, "met": None})
            target = aimed["target"] + (f" (aim {aimed['aim']})" if aimed["aim"] else "")
            n = next(row["n"] for row in found if row)
            guided_cell = [shown(guidance)] if guided else []
            lines.append([label(*key), *guided_cell, *map(cell, found), target, MET[aimed["met"]], f"{n:,}"])
    head = ["", *(["guidance"] if guided else []), *map(str, conditions), "target", "met", "n"]
    return markdown(head, lines)


def label(measure: str, region: str | None, notes: str | None) -> str:
    """
    >>> label("bits_per_note", "china", "2-8")
    'china: bits per note, notes 2-8'
    """
    text = measure.replace("_", " ") + (f", {'note' if notes.isdigit() else 'notes'} {notes}" if notes else "")
    return f"{region}: {text}" if region else text


def cell(row: dict | None) -> str:
    if row is None:
        return ""
    spread = " ({} to {})".format(*map(shown, row["interval"])) if row["interval"] else ""
    return shown(row["value"]) + spread


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *lines])


def shown(figure: float | None) -> str:
    """Three decimals, none for whole numbers from 10 up; 0 is 0.

    >>> shown(2.43712), shown(46.0), shown(0.0), shown(None)
    ('2.437', '46', '0', '')
    """
    if figure is None:
        return ""
    return f"{figure:.0f}" if figure == 0 or (abs(figure) >= 10 and figure == int(figure)) else f"{figure:.3f}"


NGRAMS, CONDITIONS = "long-term + short-term n-gram;control token", "mean memory;unconditional;control token"
RHYTHM_NGRAMS = "meter, beat position and last 3 rhythms + short-term;control token"
REGION_NGRAM = "n-gram of the region;control token"
KIND, KINDS = "memories of the same kind", "memories of another kind;unconditional"
README = (  # label, measure, region, notes, condition shown first, conditions it is compared with
    ("bits per pitch, new songs (lower is better)", "bits_per_note", "all", None, "network", NGRAMS),
    ("bits per rhythm, new songs", "rhythm_bits_per_note", "all", None, "network", RHYTHM_NGRAMS),
    ("Chinese songs classified as Chinese", "steering_rate", "china", "1-32", "VAE", CONDITIONS),
    ("German songs classified as European", "steering_rate", "deutschl", "1-32", "VAE", CONDITIONS),
    ("in 6/8, after German songs in 6/8", "share_in_6/8", "6/8", None, KIND, KINDS),
    ("in minor, after German songs in minor", "share_in_minor", "minor", None, KIND, KINDS),
    ("passages of 12 notes that are new, German", "new_12_note_passages", "deutschl", None, "VAE", REGION_NGRAM),
    ("notes in a passage that recurs, German", "repetition_coverage", "deutschl", None, "VAE", REGION_NGRAM),
)


def readme_table(record: dict) -> str:
    """The one table of README.md: at most eight rows and four columns, composed songs at the default guidance."""
    default, lines = record["settings"]["guidance"], []
    for text, measure, region, notes, first, others in README:
        rows = find(record["rows"], measure=measure, region=region, notes=notes)
        found = {row["condition"]: row for row in rows if row["guidance"] in (None, default)}
        if first in found:
            compared = [f"{name} {shown(found[name]['value'])}" for name in others.split(";") if name in found]
            real = shown(found["real songs"]["value"]) if "real songs" in found else ""
            lines.append([text, cell(found[first]), real, ", ".join(compared)])
    return markdown(["", "this project (95 % interval)", "real songs", "for comparison"], lines)
