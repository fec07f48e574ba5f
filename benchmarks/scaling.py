"""Benchmark cases that measure how time and memory of a stage grow with the size of its work."""

from __future__ import annotations

import os

from benchmarks.context import Context, song_files
from benchmarks.harness import Command, Measurement
from benchmarks.report import COMPOSE_MEMORY, MEMORIES_MEMORY, READ_MEMORY, row


def scaling_preprocess(context: Context) -> list[dict]:
    """Stage 1 on the collection and on copies of it under other names."""
    folder = context.editions["kern"] or context.edition("midi")
    files = song_files(folder)

    def copies(count: int) -> Command:
        root = context.scratch / f"copies-{count}"
        for k in range(count):
            for file in files:
                link = root / str(k) / file.relative_to(folder)
                link.parent.mkdir(parents=True, exist_ok=True)
                os.symlink(file.resolve(), link)
        return context.preprocess(root, count * len(files))

    commands = {count * len(files): copies(count) for count in context.sizes.scaling_copies}
    return scaling(context, "scaling_preprocess", "preprocess", "songs", commands, READ_MEMORY)


def scaling_generate_song(context: Context) -> list[dict]:
    """Stage 5 with more and more songs."""
    commands = {
        count: context.stage("generate_song.py", "--out", context.scratch / "songs", "--count", count, work=count)
        for count in context.sizes.scaling_songs
    }
    return scaling(context, "scaling_generate_song", "generate_song", "songs", commands, COMPOSE_MEMORY)


def scaling_generate_memories(context: Context) -> list[dict]:
    """Stage 3 with more and more memories of few notes each."""
    notes = context.sizes.scaling_notes
    flags = "--data", context.scratch / "data", "--notes", notes
    commands = {
        count: context.stage("generate_memories.py", *flags, "--count", count, work=count)
        for count in context.sizes.scaling_memories
    }
    items = f"memories of {notes} notes"
    return scaling(context, "scaling_generate_memories", "generate_memories", items, commands, MEMORIES_MEMORY)


def scaling(context: Context, case: str, stage: str, items: str, commands: dict[int, Command], memory: str):
    """One row and one round per size, from small to large; the baseline of each row is the size before."""
    rows, previous, previous_size = [], None, 0
    for size, command in commands.items():
        work, seconds, peak_mb = command.run_round()
        context.on_round()
        measured = Measurement([work], [seconds], peak_mb)
        comparison = {"baseline": f"{previous_size:,}", "target": "≥ 0.9 ×"} if previous else {}
        found = row(
            case,
            stage,
            f"{stage}.py, {size:,} {items}",
            measured,
            baseline_measured=previous,
            unit=f"{items.split()[0]} per second",
            memory_target=memory,
            **comparison,
        )
        rows.append(found | {"size": size, "items": items, "seconds": seconds})
        previous, previous_size = measured, size
    return rows
