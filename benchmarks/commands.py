"""How long do the commands of README.md take, and what do they say?

reads   weights/; the collection, which is downloaded; tunes of music21's corpus, as tunes of one's own
writes  results/commands.json   for each step its seconds, and what it said

    python -m benchmarks.commands            on two idle cores: up to half an hour
    python -m benchmarks.commands --table    the table of README.md

They run in a copy of the project, which is removed. The network is trained for one epoch, from which the seconds of all
are computed; what all give is read from the record of the shipped weights.
"""

import argparse
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import config
from benchmarks.harness import ROOT
from benchmarks.run import machine
from melody.atomic import load_json, write_json
from melody.cli import log, progress, run
from melody.errors import UserError
from melody.flags import parser

COMMAND = "python -m benchmarks.commands"
CORPUS, TUNES, BOOK = "ryansMammoth", 20, 50
TRAINING, SONGS = "2 train_lstm.py", r"wrote (\d+ songs)"
STEPS = {  # what the table calls them: their commands, and the part of their output that it shows
    "1 preprocess.py": (["preprocess.py"], r"([\d,]+ songs, [\d,]+ notes)"),
    TRAINING: (["train_lstm.py --epochs 1 --weights new"], ""),
    "3 generate_memories.py": (["generate_memories.py"], r"wrote ([\d,]+ memories)"),
    "4 vae.train": (["-m vae.train --overwrite"], r"(good VAE: \d+ of \d+ latent dimensions are used)"),
    "5 generate_song.py": (["generate_song.py"], SONGS),
    f"{TUNES} tunes of your own": (
        [
            "generate_memories.py --songs tunes --name irish",
            "-m vae.train --name irish",
            "generate_song.py --name irish --count 10",
        ],
        SONGS,
    ),
    "the same, without a VAE": (["generate_song.py --like tunes --count 10"], SONGS),
    f"fine-tuning on {BOOK} tunes: bits a pitch": (
        ["train_lstm.py --from weights --songs book --name irish"],
        r"of irish +([\d.]+ → +[\d.]+)",
    ),
}


def main() -> None:
    args = arguments()
    path = args.out / "commands.json"
    if args.table:
        return print(table(load_json(path, COMMAND)["rows"]))
    with TemporaryDirectory() as scratch:
        copy_project(Path(scratch))
        rows = [measured(Path(scratch), name) for name in progress(list(STEPS), args.quiet, unit="step")]
    write_json(path, {"command": COMMAND, "machine": machine(), "rows": rows})
    log(args, f"{table(rows)}\nwrote {path}")


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, out="RESULTS")
    flags.add_argument("--table", action="store_true", help="print the table of an earlier run")
    return flags.parse_args()


def copy_project(folder: Path) -> None:
    """Copy the scripts, what they use, and as tunes of the user's own the first ones of the corpus."""
    from music21 import common  # it takes a second to load, which --table need not wait for

    for name in ("melody", "vae", config.WEIGHTS):
        shutil.copytree(ROOT / name, folder / name)
    for file in ROOT.glob("*.py"):
        shutil.copy(file, folder)
    tunes = sorted((common.getCorpusFilePath() / CORPUS).glob("*.abc"))
    for name, count in {"tunes": TUNES, "book": BOOK}.items():
        (folder / name).mkdir()
        for file in tunes[:count]:
            shutil.copy(file, folder / name)


def measured(folder: Path, name: str) -> dict:
    """Run the commands of a step in a copy of the project. Raises `UserError` when one fails."""
    commands, shown = STEPS[name]
    began, output = time.perf_counter(), ""
    for command in commands:
        finished = subprocess.run([sys.executable, *command.split()], cwd=folder, capture_output=True, text=True)
        if finished.returncode:
            raise UserError(f"python {command} failed: {finished.stderr.strip()[-300:]}")
        output += finished.stdout
    row = {"step": name, "seconds": time.perf_counter() - began}
    if name != TRAINING:
        return row | {"said": " ".join(re.search(shown, output)[1].split())}
    history = load_json(folder / config.WEIGHTS / "lstm.json", "python train_lstm.py")["history"]
    best = min(history, key=lambda epoch: epoch["validation_bits"])
    bits = f"{best['validation_pitch_bits']:.2f} bits a pitch and {best['validation_rhythm_bits']:.2f} bits a rhythm"
    said = f"{bits} on validation songs after {len(history)} epochs"
    return row | {"seconds": row["seconds"] * len(history), "said": said}


def table(rows: list[dict]) -> str:
    """The rows as a Markdown table."""
    lines = ["| step | what to expect | time, two cores |", "| --- | --- | --: |"]
    return "\n".join(lines + [f"| {row['step']} | {row['said']} | {duration(row['seconds'])} |" for row in rows])


def duration(seconds: float) -> str:
    """In seconds or minutes."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


if __name__ == "__main__":
    run(main)
