"""What is measured: a benchmark each function, which gives its rows. The bars stand where the rows are made."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import REGION
from benchmarks.harness import Command, Measured, NotRun, Worker, alternate
from benchmarks.report import SECONDS, row

READING, LEARNING, REMEMBERING, COMPOSING = "≤ 400 MB", "≤ 3000 MB", "≤ 2000 MB", "≤ 2000 MB"


@dataclass(frozen=True)
class Sizes:
    """How much is measured; a full run's, or a quick one's, which only shows that all can run."""

    rounds: int
    parsed: int  # files that music21 parses in a round
    batches: int  # of streams, in a round of training
    windows: int  # batches of windows that the ancestor trains on in a round
    remembered: int  # memories in a round
    remembered_alone: int  # by the ancestor
    songs: int  # composed side by side
    length: int  # notes of each
    length_alone: int  # notes that the ancestor composes in a round
    product: int  # rows and columns of the matrices
    encoded: int  # memories that the VAE sees in a round
    copies: tuple[int, ...]  # of the collection
    composed: tuple[int, ...]  # songs
    kept: tuple[int, ...]  # memories
    glance: int  # entries read for each of these, so that many fit into the time


FULL = Sizes(
    rounds=5, parsed=300, batches=2, windows=24, remembered=512, remembered_alone=16, songs=256, length=128,
    length_alone=32, product=2048, encoded=4000, copies=(1, 2, 4, 8), composed=(1, 8, 64, 512, 4096),
    kept=(1000, 10_000, 100_000), glance=8,
)  # fmt: skip
QUICK = Sizes(
    rounds=1, parsed=3, batches=1, windows=2, remembered=4, remembered_alone=2, songs=3, length=5, length_alone=3,
    product=64, encoded=40, copies=(1, 2), composed=(1, 3), kept=(3, 6), glance=4,
)  # fmt: skip


@dataclass
class Setup:
    """Where and with what is measured. `scratch` holds data, weights and an invented collection."""

    scratch: Path
    editions: dict[str, Path | None]  # kern and midi: the collection's folder, if it is there
    sizes: Sizes
    shape: dict  # of the network: embedding, units, layers, dense
    learning: dict  # what else train_lstm.py is told
    vae: dict  # what vae.train is told
    memory: dict  # notes and songs of a memory
    guidance: float
    told: Callable[[], object] = lambda: None

    def measure(self, **programs: Worker | Command) -> dict[str, Measured]:
        return alternate(programs, self.sizes.rounds, self.told)

    def preprocess(self, folder: Path, files: int, name: str = "new") -> Command:
        """Stage 1 on a folder of songs, nothing of it done before."""
        data = self.scratch / name
        return Command(
            ["preprocess.py", "--songs", folder, "--data", data, "--quiet"], files,
            lambda: shutil.rmtree(data, ignore_errors=True),
        )  # fmt: skip

    def stage(self, script: str, *flags: object, work: float = 1.0) -> Command:
        """Another stage, with the invented songs and the untrained weights."""
        folders = ["--weights", self.scratch / "weights", "--regions", REGION, "--quiet", "--overwrite"]
        return Command([script, *folders, *flags], work)

    def edition(self, name: str) -> Path:
        if not self.editions[name]:
            raise NotRun(f"--{name} names the folder of the {name} edition")
        return self.editions[name]


def songs_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in (".krn", ".mid"))


# Reading


def kern(place: Setup) -> list[dict]:
    """preprocess the kern edition"""
    return reading(place, "kern", "≥ 10 ×", "≥ 25 ×")


def midi(place: Setup) -> list[dict]:
    """preprocess the MIDI edition"""
    return reading(place, "midi", "≥ 20 ×", "≥ 50 ×")


def reading(place: Setup, name: str, must: str, aim: str) -> list[dict]:
    """Stage 1, cold: nothing is written yet and the interpreter starts anew; the files are in the disk cache."""
    work = f"preprocess the {name} edition, all cores"
    beside = f"music21 `converter.parse`, one core, {place.sizes.parsed} files"
    folder = place.edition(name)
    files = songs_in(folder)
    chosen = random.Random(0).sample(files, min(place.sizes.parsed, len(files)))
    found = place.measure(
        ours=place.preprocess(folder, len(files)),
        theirs=Worker(
            "benchmarks.parsing.parse", {"files": [[str(file), str(folder)] for file in chosen], "kind": name}
        ),
    )
    return [
        row(work, found["ours"], beside, found["theirs"], unit="songs a second", must=must, aim=aim, memory=READING)
    ]


def again(place: Setup) -> list[dict]:
    """Stage 1 when nothing has changed."""
    folder = place.editions["kern"] or place.edition("midi")
    first = place.preprocess(folder, 1, "again")
    first.one_round()
    found = place.measure(ours=Command(first.arguments))
    return [row("preprocess again, nothing changed", found["ours"], unit=SECONDS, must="≤ 3 s", aim="≤ 1 s")]


# Learning


def training(place: Setup) -> list[dict]:
    """The network's training."""
    sizes, learning = place.sizes, place.learning
    same = {"shape": place.shape, "batches": sizes.batches}
    whole = same | {"learning": learning | {"precision": "float32"}}  # JAX has no fast bfloat16 on processors

    def twin(precision: str) -> Worker:
        return Worker("benchmarks.reference.training", same | {"learning": learning, "precision": precision})

    found = place.measure(
        tensorflow=Worker("benchmarks.adapters.training", same | {"learning": learning}),
        torch=Worker("benchmarks.adapters.training", same | {"learning": learning}, "torch"),
        jax=Worker("benchmarks.adapters.training", whole, "jax"),
        ancestor=Worker("benchmarks.baseline_2018.training", {
            "shape": place.shape, "batch": learning["batch"], "dropout": learning["dropout"], "steps": sizes.windows,
        }),
        twin=twin(learning["precision"]), twin32=twin("float32"),
    )  # fmt: skip
    half, single = f"PyTorch `nn.LSTM`, {learning['precision'].removeprefix('mixed_')}", "PyTorch `nn.LSTM`, float32"
    ours, best = (
        found["tensorflow"],
        max((found["tensorflow"], found["torch"]), key=lambda one: one.rate if one.seconds else 0),
    )

    better = ", the better of TensorFlow and PyTorch under Keras"

    def learnt(words: str, ours: Measured, beside: str, theirs: Measured, **bars: str) -> dict:
        words = f"training, useful notes{words}"
        return row(words, ours, beside, theirs, unit="notes a second", memory=LEARNING, **bars)

    return [
        learnt("", ours, "the ancestor's windows", found["ancestor"], must="≥ 13 ×"),
        learnt("", ours, half, found["twin"], must="≥ 0.8 ×"),
        learnt(better, best, half, found["twin"], must="≥ 1.0 ×", aim="≥ 1.3 ×"),
        learnt(", Keras on PyTorch", found["torch"], half, found["twin"]),
        learnt(", Keras on JAX, float32", found["jax"], single, found["twin32"]),
    ]


def vae(place: Setup) -> list[dict]:
    """The VAE's training: an epoch of it, with what is judged after it."""
    same = {
        "settings": place.vae,
        "memory": 2 * place.shape["layers"] * place.shape["units"],
        "count": place.sizes.encoded,
    }
    found = place.measure(ours=Worker("benchmarks.adapters.vae", same), torch=Worker("benchmarks.reference.vae", same))
    return [row("VAE training", found["ours"], "the same VAE in plain PyTorch", found["torch"],
                unit="memories a second", must="≥ 1.0 ×", aim="≥ 1.2 ×", memory=LEARNING)]  # fmt: skip


# Remembering and composing


def memories(place: Setup) -> list[dict]:
    """Stage 3: songs are drawn, read and their memories written."""
    sizes, notes, shape = place.sizes, place.memory["notes"], place.shape
    found = place.measure(
        ours=Worker("benchmarks.adapters.memories", {"shape": shape, "count": sizes.remembered, **place.memory}),
        ancestor=Worker(
            "benchmarks.baseline_2018.memories", {"shape": shape, "count": sizes.remembered_alone, "notes": notes}
        ),
        product=Worker("benchmarks.adapters.product", {"shape": shape, "notes": notes, "size": sizes.product}),
    )
    work, unit = f"memories of {notes} notes", "memories a second"
    return [
        row(work, found["ours"], "the ancestor's `model.predict` for each", found["ancestor"], unit=unit, must="≥ 15 ×",
            memory=REMEMBERING),
        row(work, found["ours"], f"the rate of a {sizes.product}³ matrix product, float32", found["product"], unit=unit,
            must="≥ 0.5 ×", aim="≥ 0.8 ×", memory=REMEMBERING),
    ]  # fmt: skip


def composing(place: Setup) -> list[dict]:
    """Composing with a loaded network."""
    sizes, shape = place.sizes, place.shape

    def ours(songs: int, guidance: float) -> Worker:
        settings = {"shape": shape, "songs": songs, "length": sizes.length, "guidance": guidance}
        return Worker("benchmarks.adapters.composing", settings)

    found = place.measure(
        many=ours(sizes.songs, 0.0), guided=ours(sizes.songs, place.guidance), one=ours(1, 0.0),
        ancestor=Worker("benchmarks.baseline_2018.composing", {"shape": shape, "length": sizes.length_alone}),
        torch=Worker(
            "benchmarks.reference.composing", {"shape": shape, "songs": sizes.songs, "length": sizes.length}
        ),
    )  # fmt: skip
    work, unit, loop = f"composing, {sizes.songs} songs", "notes a second", "the ancestor's loop"
    many = found["many"]
    return [
        row(work, many, loop, found["ancestor"], unit=unit, must="≥ 1400 ×", aim="≥ 2000 ×", memory=COMPOSING),
        row(work, many, "PyTorch's stateful loop", found["torch"], unit=unit, must="≥ 1.1 ×", aim="≥ 1.4 ×",
            memory=COMPOSING),
        row(f"{work}, guided", found["guided"], "the same without guidance", many, unit=unit, must="≥ 0.5 ×",
            aim="≥ 0.55 ×", memory=COMPOSING),
        row("composing, one song", found["one"], loop, found["ancestor"], unit=unit, must="≥ 70 ×", aim="≥ 150 ×",
            memory=COMPOSING),
    ]  # fmt: skip


def start(place: Setup) -> list[dict]:
    """The first songs, from the interpreter's start to its end."""
    found = place.measure(
        ours=place.stage("generate_song.py", "--out", place.scratch / "songs", "--count", 8),
        keras=Command(["-c", "import keras"]),
    )
    return [row("`python generate_song.py --count 8`", found["ours"], '`python -c "import keras"`', found["keras"],
                unit=SECONDS, must="≤ 2.5 ×", aim="≤ 1.6 ×", memory=COMPOSING)]  # fmt: skip


# Growth


def growth_reading(place: Setup) -> list[dict]:
    """Stage 1 on the collection and copies of it under other names."""
    folder = place.editions["kern"] or place.edition("midi")
    files = songs_in(folder)

    def copied(copies: int) -> Command:
        root = place.scratch / f"copies-{copies}"
        for k in range(copies):
            for file in files:
                link = root / str(k) / file.relative_to(folder)
                link.parent.mkdir(parents=True, exist_ok=True)
                os.symlink(file.resolve(), link)
        return place.preprocess(root, copies * len(files))

    return growing(
        place, "preprocess", "songs", {copies * len(files): copied(copies) for copies in place.sizes.copies}, READING
    )


def growth_composing(place: Setup) -> list[dict]:
    """Stage 5 with more and more songs."""
    stages = {
        count: place.stage("generate_song.py", "--out", place.scratch / "songs", "--count", count, work=count)
        for count in place.sizes.composed
    }
    return growing(place, "generate_song.py", "songs", stages, COMPOSING)


def growth_memories(place: Setup) -> list[dict]:
    """Stage 3 with more and more memories, each of few notes."""
    flags = "--data", place.scratch / "data", "--notes", place.sizes.glance
    stages = {
        count: place.stage("generate_memories.py", *flags, "--count", count, work=count) for count in place.sizes.kept
    }
    what = f"memories of {place.sizes.glance} notes"
    return growing(place, "generate_memories.py", what, stages, REMEMBERING)


def growing(place: Setup, script: str, what: str, commands: dict[int, Command], memory: str) -> list[dict]:
    """A row for each size, from small to large, one round each: its rate stands beside that of the size before."""
    rows, before, smaller = [], None, 0
    for size, command in commands.items():
        work, seconds, most = command.one_round()
        place.told()
        measured = Measured([work], [seconds], most)
        bars = {"must": "≥ 0.9 ×", "beside": f"{smaller:,}"} if before else {}
        found = row(f"{script}, {size:,} {what}", measured, theirs=before, unit=f"{what.split()[0]} a second",
                    memory=memory, **bars)  # fmt: skip
        rows.append(found | {"series": script, "size": size, "seconds": seconds})
        before, smaller = measured, size
    return rows


CASES: dict[str, Callable[[Setup], list[dict]]] = {
    work.__name__.replace("_", "-"): work
    for work in (
        kern,
        midi,
        again,
        training,
        vae,
        memories,
        composing,
        start,
        growth_reading,
        growth_composing,
        growth_memories,
    )
}
