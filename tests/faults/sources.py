"""Songs to read, continue, mix, vary and train on that are missing, damaged or do not fit; damaged vocabularies."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tests.faults.commands import Row
from tests.faults.damage import CHANGES, write_by_hand
from tests.faults.vocabularies import NUMBERS, vocabularies, with_vocabulary
from tests.faults.worker import Case, try_all
from tests.faults.workspace import SMALL, Workspace

RECORDS = 60  # damaged at random, of songs that are varied
COMPOSE = "--count 2 --length 16 --score"
TUNES = {  # that are given with --like, --continue, --mix and --songs
    "tune.abc": "X:1\nM:4/4\nL:1/4\nK:C\nD E G A|c d e d|\n",
    "book.abc": "X:1\nM:4/4\nL:1/4\nK:C\nD E G A|\n\nX:2\nM:4/4\nL:1/4\nK:C\nD E G A|\n",
    "free.abc": "X:1\nM:none\nL:1/4\nK:C\nD E G A c d e d\n",
    "eighths.abc": "X:1\nM:4/4\nL:1/8\nK:C\nDEGA cded|\n",
    "waltz.abc": "X:1\nM:3/4\nL:1/4\nK:C\nE|D E G|A2|]\n",
    "chords.abc": "X:1\nM:4/4\nL:1/4\nK:C\n[DA] [EB] G A|\n",
    "one.abc": "X:1\nM:4/4\nL:1/4\nK:C\nD|\n",
    "low.krn": "**kern\n*M4/4\n4CCC\n4g####\n4ccccc\n4EEE--\n*-\n",
    "half.abc": "X:1\nM:4/4\nL:1/4\nK:C\nD E",
    "rests.abc": "X:1\nM:4/4\nL:1/4\nK:C\nz D z A|z4|\n",
    "long.abc": "X:1\nM:4/4\nL:1/4\nK:C\n" + "D E G A|" * 800 + "\n",
    "nothing.abc": "",
    "noise.mid": "\0\1\2" * 99,
    "words.txt": "D E G A",
    "ü ñ 漢字 -.abc": "X:1\nM:4/4\nL:1/4\nK:C\nD E G A|\n",
}
WITH_TUNES = ("--like {root}/own/TUNE", "--continue {root}/own/TUNE", "--continue {root}/own/TUNE --keep")
FLAGS = """
--like {root}/own
--like {root}/own/*.abc {root}/own/none
--like nowhere
--like {root}/own/[
--like /dev/null
--like {root}/own/tune.abc --memory-songs 9
--like {root}/own/tune.abc --memory-notes 1
--like {root}/../hostile
--continue {root}/own
--continue nowhere
--continue {root}/own/tune.abc --like {root}/own/tune.abc
--continue /dev/zero
--continue {root}/own/tune.abc --meter 4/4
--keep
--continue {root}/own/tune.abc --keep --max-copy 9
--continue {root}/own/tune.abc --key d --keep
--continue {root}/own/tune.abc --range C4 C5 --min-length 9
--continue {root}/own/tune.abc --keep --curate
--continue {root}/own/tune.abc --length 1
--mix china=0
--mix china=nan
--mix china=1e9
--mix china=-1
--mix china=100
--mix =1
--mix china
--mix china=
--mix nowhere=1
--mix china=1=2
--mix ../china=1
--mix {root}/own=1
--mix china=1 china=1
--mix china=.5 {root}/own/tune.abc=.5
--mix china=1 {root}/own/nothing.abc=1
--mix china=-100 china=-100
--mix china=1 --regions china
--mix
--mix china=1 --at 0 0
--at 0 0
--at 6 -6
--at 7 0
--at nan 0
--at 0
--at x y
--at 0 0 0
--at inf 1
--at -1e-320 1
--at 0 0 --like {root}/own
--at 0 0 --vary {root}/song.json
--at 0 0 --name china
--vary {root}/song.json --distance 0
--vary {root}/song.json --distance 100
--vary {root}/song.json --distance 101
--vary {root}/song.json --distance -1
--vary {root}/song.json --distance nan
--vary {root}/song.json --distance 1e2
--vary {root}/song.json --distance x
--vary {root}/song.json
--vary nowhere.json
--vary {root}/own
--vary {root}/own/words.txt
--vary {root}/song.mid
--distance 1
--vary /dev/null
--vary {root}/song.json --vary {root}/song.json
--vary {root}/song.json --like {root}/own
--vary {root}/song.json --continue {root}/own/tune.abc
--max-copy 7
--max-copy 8
--max-copy 9
--max-copy 1000
--max-copy 1001
--max-copy 0
--max-copy nan
--max-copy x
--curate
--curate --max-copy 8
--range C4
--range C5 C4
--range H4 C5
--range C4 C4
--range C0 C1
--range C----4 C9
--min-length 16
--min-length 17
--min-length 0
--number 1
--number 0
--number 1000000
--key d --range C4 D4
--max-copy 8 --like {root}/own
--name china
--name nowhere
--name ..
--name a/b
--name
--name -x
--name ä
--name con
--name china+han
--name china --regions china
--regions ../china
--regions china china
""".strip().splitlines()  # of generate_song; {root}/own has the tunes
FLAGS += [flag.replace("TUNE", name) for name in TUNES if name.isascii() for flag in WITH_TUNES]
FLAGS += ["--mix " + "china=1 " * 60, "--name " + "x" * 300, "--regions " + "x" * 300]
OTHERS = [  # stages that read songs of the user's own
    "generate_memories --name china --songs {root}/own",
    "generate_memories --name own --songs {root}/own --count 20",
    "generate_memories --name own --songs {root}/own/nothing.abc --count 20",
    "generate_memories --name .. --songs {root}/own --count 20",
    "generate_memories --name own --songs {root}/own --regions china",
    "generate_memories --name own --songs nowhere --count 20",
    "generate_memories --songs {root}/own",
    "vae.train --name own",
    "vae.train --name ../own",
    "train_lstm --from {root}/weights --songs {root}/own --name own",
    "train_lstm --from {root}/weights --songs {root}/own/tune.abc --name own",
    "train_lstm --from {root}/weights --songs {root}/own --name .",
    "train_lstm --from {root}/weights --songs {root}/own --name ..",
    "train_lstm --from {root}/weights --songs {root}/own --name a/b",
    "train_lstm --from {root}/own --songs {root}/own --name own",
    "train_lstm --from nowhere --songs {root}/own --name own",
    "train_lstm --from {root}/weights --songs nowhere --name own",
    "train_lstm --from {root}/weights --name own",
    "train_lstm --from {root}/weights --songs {root}/own --name own --units 9",
    "train_lstm --from {root}/weights --songs {root}/own --name own --resume",
    "train_lstm --from {root}/weights/lstm.json --songs {root}/own --name own",
    "train_lstm --from --songs {root}/own --name own",
    "melody.copies",
]


def sources(fraction: float, seed: int, scratch: Path, workspace: Workspace, bar: tqdm) -> list[Row]:
    """Songs and vocabularies that are missing, damaged or do not fit, as flags and as files."""
    clean = small_copy(workspace, scratch / "small")
    (scratch / "hostile").mkdir()
    write_by_hand(scratch / "hostile", scratch / "outside.xml")
    song = json.loads((clean / "song.json").read_text())
    train = " ".join(("train_lstm --weights {root}/new", *SMALL, "--epochs 1"))
    vary = f"generate_song --vary {{root}}/song.json {COMPOSE}"
    cases = {
        "songs that are missing, damaged or do not fit, as flags": [
            Case(line, line) for line in (*(f"generate_song {line} {COMPOSE}" for line in FLAGS), *OTHERS)
        ],
        "records of songs damaged at random": [
            Case(f"record {k}", vary, "song.json", damaged(song, seed, k)) for k in range(RECORDS)
        ],
        "damaged vocabularies": [
            Case(f"{name} in {file}", stage, file, with_vocabulary(clean / file, change))
            for name, change in vocabularies()
            for file, stage in (("weights/lstm.json", f"generate_song {COMPOSE}"), ("data/vocabulary.json", train))
        ],
    }
    return [try_all(fault, some, fraction, seed, scratch, clean, bar) for fault, some in cases.items()]


def small_copy(workspace: Workspace, root: Path) -> Path:
    """The folder of a copy of a workspace with one song, and songs of the user's own."""
    for folder in ("data", "weights"):
        shutil.copytree(workspace.root / folder, root / folder)
    for suffix in (".json", ".mid"):
        shutil.copy(workspace.root / f"songs/china/001{suffix}", root / f"song{suffix}")
    (root / "own").mkdir()
    for name, text in TUNES.items():
        (root / "own" / name).write_text(text, encoding="utf-8")
    return root


def damaged(song: dict, seed: int, number: int) -> bytes:
    """The record of a song with bytes changed at random, or with another value of a field, of its latent or notes."""
    rng = np.random.default_rng([seed, number])
    if number % 2:
        return CHANGES[rng.integers(len(CHANGES))](json.dumps(song).encode(), rng)
    name, value = str(rng.choice(sorted(song))), NUMBERS[rng.integers(len(NUMBERS))]
    if isinstance(song[name], list) and song[name] and rng.random() < 0.7:
        song = song | {name: [value, *song[name][1:]]}
    elif rng.random() < 0.1:
        song = {one: other for one, other in song.items() if one != name}
    else:
        song = song | {name: value}
    return json.dumps(song).encode()
