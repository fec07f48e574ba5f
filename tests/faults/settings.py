"""Invalid and extreme settings, and many songs in one call."""

from __future__ import annotations

import random
import re
import shutil
import sys
from pathlib import Path

from tqdm import tqdm

from tests.faults.commands import Row, call, digests, finish, not_one_line, start
from tests.faults.workspace import CHINA, Workspace

INVALID_FLAGS = {  # values by stage and flag
    "preprocess": {"jobs": "0 -7 x nan", "seed": "-1 x 1e9 99999999999999"},
    "train_lstm": {
        "embedding": "0 -1 x 1e99",
        "units": "0 9999999999 nan",
        "layers": "0 100000",
        "dense": "-3 1.5",
        "dropout": "1 -.1 nan 7",
        "epochs": "0 -1 inf",
        "batch": "0 99999999999",
        "bptt-length": "0 x",
        "windows-per-stream": "-2 999999999",
        "transpose-probability": "2 -1 nan",
        "synthetic-probability": "2 -1 nan",
        "auxiliary-weight": "-1 nan inf",
        "learning-rate": "0 -1 nan inf",
        "warmup-steps": "0 -5",
        "precision": "float7",
        "seed": "nan",
    },
    "generate_memories": {
        "count": "0 -1 1e12 99999999999",
        "memory-songs": "0 x 999999999",
        "memory-notes": "0 -1 99999999999",
        "memory-similar": "-1 x",
        "regions": "nowhere [ *x genre= genre=x key=H&han",
        "name": "han china/ a*b",
        "songs": "nowhere",
    },
    "vae.train": {
        "latent": "0 -1 99999999",
        "hidden": "0 x 99999999",
        "epochs": "0",
        "batch": "-1",
        "learning-rate": "nan",
        "beta": "-1 nan inf",
    },
    "vae.sample": {"count": "0 -1 x 99999999999"},
    "generate_song": {
        "count": "0 -1 x nan 99999999999999",
        "temperature": "0 1e9 -1 nan inf",
        "guidance": "-5 nan inf 1e30",
        "length": "0 -1 99999999999",
        "meter": "3 0/4 x -3/4",
        "tempo": "0 -5 nan 1e9",
        "instrument": "-1 128 3.5 piano",
        "key": "H 3 G# -C g--",
        "regions": "nowhere",
        "seed": "-1",
    },
}
INVALID_CONFIG = {  # lines added to config.py
    "preprocess": [
        "JOBS = 0",
        "JOBS = None",
        "SEED = -1",
        "SEED = 'x'",
        "SONG_FILES = 3",
        "SONG_FILES = None",
        "DATA = None",
        "DATA = 7",
        "COUTN = 8",
        "del COUNT",
    ],
    "train_lstm": [
        "UNITS = 0",
        "UNITS = 2.5",
        "DROPOUT = float('nan')",
        "TRANSPOSE_PROBABILITY = 2",
        "SYNTHETIC_PROBABILITY = -1",
        "AUXILIARY_WEIGHT = 'x'",
        "RHYTHM = 3",
        "LEARNING_RATE = -1",
        "PRECISION = 'int4'",
        "EPOCHS = None",
        "BATCH = [3]",
        "WEIGHTS = ''",
    ],
    "generate_memories": [
        "REGIONS = 3",
        "REGIONS = None",
        "REGIONS = ['nowhere']",
        "MEMORIES = 0",
        "MEMORY_SONGS = -1",
        "MEMORY_NOTES = 'x'",
    ],
    "vae.train": [
        "HIDDEN = []",
        "HIDDEN = 3",
        "HIDDEN = [0]",
        "LATENT = 0",
        "VAE_EPOCHS = -1",
        "VAE_BATCH = 0",
        "VAE_LEARNING_RATE = float('inf')",
        "BETA = -1",
    ],
    "generate_song": [
        "COUNT = 0",
        "TEMPERATURE = 0",
        "TEMPERATURE = 1e9",
        "GUIDANCE = -5",
        "LENGTH = 0",
        "METERS = ['x']",
        "METERS = 3",
        "TEMPO = 0",
        "INSTRUMENT = 200",
        "KEY = 3",
        "KEY = 'H'",
        "SOUND_FONT = 3",
        "SONGS = None",
    ],
}
EXTREME_FLAGS = (
    "--temperature .01",
    "--temperature 100",
    "--guidance 0",
    "--guidance 100",
    "--length 1",
    "--meter 4/4 --plain",
    "--instrument 127 --tempo 4",
    "--seed 4294967295",
    "--key f#",
)


def settings(fraction: float, seed: int, scratch: Path, workspace: Workspace, bar: tqdm) -> list[Row]:
    """Invalid settings, as flags and in config.py, give one line; extreme valid ones give songs."""
    cases = [
        (stage, f"--{flag}={value}")
        for stage, flags in INVALID_FLAGS.items()
        for flag, values in flags.items()
        for value in values.split()
    ]
    cases += [(stage, line) for stage, lines in INVALID_CONFIG.items() for line in lines]
    cases += [("generate_song", line) for line in EXTREME_FLAGS]
    cases = random.Random(seed).sample(cases, max(8, round(fraction * len(cases))))
    bar.total = (bar.total or 0) + len(cases)
    before, remarks = digests(workspace.root), []
    for stage, line in cases:
        wrong = with_setting(workspace, stage, line, scratch)
        remarks += [f"{stage} {line}: {wrong}"] if wrong else []
        bar.update()
    remarks += ["something was written"] * (digests(workspace.root) != before)
    return [Row("invalid settings, as flags and in config.py", len(cases), len(remarks), remarks)]


def with_setting(workspace: Workspace, stage: str, line: str, scratch: Path) -> str:
    folders = {
        "preprocess": ("--songs", workspace.root / "essen", "--data", workspace.root / "data"),
        "generate_song": ("--weights", workspace.root / "weights", *CHINA, "--out", scratch / "out"),
    }.get(stage, ("--data", workspace.root / "data", "--weights", workspace.root / "weights"))
    if line in EXTREME_FLAGS:
        shutil.rmtree(scratch / "out", ignore_errors=True)
        result = call(stage, *folders, "--count", 3, *line.split())
        return (
            "" if result.status == 0 and len(list((scratch / "out/china").glob("*.mid"))) == 3 else result.error[-300:]
        )
    if line.startswith("--"):
        return not_one_line(call(stage, *folders, line))
    folders = folders[2:] if "SONG_FILES" in line else () if re.match("DATA|WEIGHTS|SONGS", line) else folders
    folders = tuple(flag for flag in folders if flag not in CHINA)
    code = f"import config, runpy; exec({line!r}, vars(config)); runpy.run_module({stage!r}, run_name='__main__', alter_sys=True)"
    words = "COUTN|COUNT" if line in ("COUTN = 8", "del COUNT") else "config.py|nowhere|sound font|no folder"
    return not_one_line(finish(start([sys.executable, "-c", code, *map(str, folders)])), words)


def many_songs(count: int, scratch: Path, workspace: Workspace, bar: tqdm) -> list[Row]:
    """Many songs in one call need hardly more memory than a few."""
    code = "import resource, runpy; runpy.run_module('generate_song', run_name='__main__'); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    peaks = []
    for songs in (600, count):
        out = scratch / f"many-{songs}"
        flags = ("--weights", workspace.root / "weights", *CHINA, "--out", out, "--count", songs, "--quiet")
        result = finish(start([sys.executable, "-c", code, *map(str, flags)]))
        written = sum(1 for _ in (out / "china").glob("*.mid"))
        peaks.append(int(result.output.split()[-1]) / 1024 if written == songs else float("inf"))
        shutil.rmtree(out, ignore_errors=True)
        bar.update()
    more = peaks[1] - peaks[0]
    remark = f"{peaks[0]:.0f} MB for 600, {peaks[1]:.0f} MB for {count}"
    return [Row(f"{count:,} songs in one call ({more:.0f} MB more than for 600)", 1, int(not more < 150), [remark])]
