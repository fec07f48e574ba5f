"""Two runs at once, and the same run twice."""

from __future__ import annotations

import shutil
from pathlib import Path

from tqdm import tqdm

from tests.faults.commands import Row, command, digests, finish, not_one_line, start
from tests.faults.kills import clear
from tests.faults.workspace import WRITES, Workspace, copy_of


def concurrent(stages: list[str], times: int, scratch: Path, workspace: Workspace, bar: tqdm) -> list[Row]:
    """Two runs of one stage in one folder at once: both succeed, or one names the other."""
    remarks = []
    for turn in range(times):
        for stage in stages:
            own = copy_of(workspace, scratch / f"two-{stage}-{turn}", stage)
            expected = digests(workspace.root)
            if stage == "preprocess":  # its output holds the path of the songs
                own.run(stage)
                expected = digests(own.root)
                clear(own, stage)
            both = [start(command(stage, *own.commands()[stage])) for _ in range(2)]
            results = [finish(process) for process in both]
            wrong = [
                not_one_line(result, "another run is writing|exists|is there") for result in results if result.status
            ]
            found = digests(own.root)
            if stage == "generate_song" and all(result.status == 0 for result in results):
                found = {name: found.get(name) for name in expected}  # the second run continued with 301
            if all(result.status for result in results) or any(wrong) or found != expected:
                remarks.append(
                    f"{stage}: {[result.status for result in results]} {wrong} {sorted(found.items() ^ expected.items())[:4]}"
                )
            bar.update()
            shutil.rmtree(own.root)
    return [Row("two runs of one stage at once", times * len(stages), len(remarks), remarks)]


def repeatable(scratch: Path, workspace: Workspace, bar: tqdm) -> list[Row]:
    """Every stage once more gives the same bytes."""
    first, again = scratch / "first", workspace.root
    again.rename(first)  # output holds paths, so the second run has to use the same folder
    shutil.copytree(first / "essen", again / "essen")
    for stage in WRITES:
        workspace.run(stage)
        bar.update()
    before, after = digests(first), digests(again)
    shutil.rmtree(again)
    first.rename(again)
    other = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return [Row("files of every stage run again (lost: other bytes)", len(before), len(other), other)]
