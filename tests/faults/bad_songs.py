"""Songs that cannot be read: every file is read or listed as skipped, and the good songs stay as they are."""

from __future__ import annotations

import csv
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
from tqdm import tqdm

from melody import dataset
from tests.faults import damage
from tests.faults.commands import Row, call, digests

MEMORY_LIMIT = 2**31  # bytes, for reading damaged songs


def bad_songs(count: int, seed: int, scratch: Path, bar: tqdm, batch: int = 500) -> list[Row]:
    """Damaged songs, in batches together with good ones, read by stage 1."""
    rng, rows = np.random.default_rng(seed), []
    real = real_songs(scratch / "real")
    for what, tried in (("songs damaged at random", count), ("hostile songs made by hand", 0)):
        lost, done = [], 0
        for first in range(0, max(tried, 1), batch):
            root = scratch / f"songs{first}{bool(tried)}"
            (root / "songs").mkdir(parents=True)
            (root / "outside.xml").write_text("a secret")
            good = damage.write_songs(root / "songs", int(rng.integers(2**32)), 12)
            if tried:
                bad = damage.damage(root / "songs", [*good, *real], min(batch, tried - first), rng)
            else:
                bad = damage.write_by_hand(root / "songs", root / "outside.xml")
            lost += read_together(root, good, bad)
            done += len(bad)
            bar.update(len(bad) if tried else 0)
            shutil.rmtree(root)
        rows.append(Row(what, done, len(lost), lost))
    return rows


def read_together(root: Path, good: dict[Path, list[str]], bad: list[Path]) -> list[str]:
    """What was lost when stage 1 read good songs together with bad ones: one remark per lost file."""
    before = digests(root)
    result = call("preprocess", "--songs", root / "songs", "--data", root / "data", "--jobs", 1)
    if result.status or result.error:
        return [f"status {result.status}: {result.error[-500:]}"] * len(bad)
    data = dataset.load(root / "data")
    index = {name.removeprefix("songs/"): s for s, name in enumerate(data.name)}  # named after their folder
    lost = [
        f"{path.name}: it has other notes"
        for path, notes in good.items()
        if path.stem not in index or data.vocabulary.decode(data.song(index[path.stem])) != notes
    ]
    with (root / "data" / "skipped.csv").open(newline="", encoding="utf-8") as file:
        skipped = {line["file"]: line["reason"] for line in csv.DictReader(file)}
    listed = {name.rpartition("#")[0] or name for name in (*skipped, *data.name)} | {*skipped, *data.name}
    for path in bad:
        names = (str(path), str(path.relative_to(root).with_suffix("")))
        if not any(name.encode("utf-8", "replace").decode() in listed for name in names):
            lost.append(f"{path.name!r} is neither read nor listed as skipped")
    lost += [f"{name}: no reason" for name, reason in skipped.items() if not reason.strip() or len(reason) > 250]
    after = {name: digest for name, digest in digests(root).items() if name.split("/")[0] != "data"}
    lost += ["something outside data/ was changed"] * (after != before)
    lost += [f"{result.memory / 2**20:,.0f} MB of memory"] * (result.memory > MEMORY_LIMIT)
    return lost


def real_songs(folder: Path, most: int = 300) -> list[Path]:
    """Some songs of the collection in ESSEN_KERN, if it is set."""
    archive = os.environ.get("ESSEN_KERN")
    if not archive:
        return []
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    return sorted(folder.rglob("*.krn"))[:: max(1, 8473 // most)]
