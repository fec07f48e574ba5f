"""The benchmark cases: each function measures one stage and its baselines, and returns rows with their targets."""

from __future__ import annotations

import random
from collections.abc import Callable

from benchmarks.context import Context, song_files
from benchmarks.harness import Command, Measurement, Worker
from benchmarks.report import COMPOSE_MEMORY, MEMORIES_MEMORY, READ_MEMORY, SECONDS, TRAIN_MEMORY, row
from benchmarks.scaling import scaling_generate_memories, scaling_generate_song, scaling_preprocess


def preprocess_kern(context: Context) -> list[dict]:
    return _preprocess(context, "kern", "≥ 10 ×", "≥ 25 ×")


def preprocess_midi(context: Context) -> list[dict]:
    return _preprocess(context, "midi", "≥ 20 ×", "≥ 50 ×")


def _preprocess(context: Context, edition: str, target: str, stretch_target: str) -> list[dict]:
    """Stage 1 in a new process with no earlier output; the files are in the disk cache."""
    folder = context.edition(edition)
    files = song_files(folder)
    sample = random.Random(0).sample(files, min(context.sizes.parsed_files, len(files)))
    settings = {"files": [[str(file), str(folder)] for file in sample], "edition": edition}
    found = context.measure(
        stage=context.preprocess(folder, len(files)), music21=Worker("benchmarks.parsing.parse", settings)
    )
    labels = f"preprocess_{edition}", "preprocess", f"preprocess.py, {edition} edition, all cores"
    baseline = f"music21 `converter.parse`, one core, {context.sizes.parsed_files} files"
    targets = {"target": target, "stretch_target": stretch_target, "memory_target": READ_MEMORY}
    return [row(*labels, found["stage"], baseline, found["music21"], unit="songs per second", **targets)]


def preprocess_unchanged(context: Context) -> list[dict]:
    """Stage 1 when its output is up to date."""
    first = context.preprocess(context.editions["kern"] or context.edition("midi"), 1, "unchanged")
    first.run_round()
    found = context.measure(stage=Command(first.arguments))["stage"]
    workload = "preprocess.py again, nothing changed"
    return [
        row("preprocess_unchanged", "preprocess", workload, found, unit=SECONDS, target="≤ 3 s", stretch_target="≤ 1 s")
    ]


def train_lstm(context: Context) -> list[dict]:
    """Training of the network, and of the same network in PyTorch."""
    shared = {"shape": context.shape, "batches": context.sizes.batches}
    training, precision = context.training, context.training["precision"]
    float32 = training | {"precision": "float32"}  # JAX has no fast bfloat16 on processors
    windows = {"batch": training["batch"], "dropout": training["dropout"], "steps": context.sizes.window_batches}

    def keras(settings: dict, backend: str) -> Worker:
        return Worker("benchmarks.adapters.training", shared | {"training": settings}, backend)

    def pytorch(settings: dict) -> Worker:
        return Worker("benchmarks.reference.training", shared | {"training": settings})

    found = context.measure(
        tensorflow=keras(training, "tensorflow"),
        torch=keras(training, "torch"),
        jax=keras(float32, "jax"),
        baseline_2018=Worker("benchmarks.baseline_2018.training", {"shape": context.shape} | windows),
        reference=pytorch(training),
        reference_float32=pytorch(float32),
    )
    found["best"] = max(
        (found[name] for name in ("tensorflow", "torch")), key=lambda one: one.rate if one.seconds else 0
    )
    reduced = f"PyTorch `nn.LSTM`, {precision.removeprefix('mixed_')}"
    unit, memory = "notes per second", TRAIN_MEMORY

    def compare(backend: str, words: str, baseline: str, key: str, **targets: str) -> dict:
        workload = f"train_lstm.py{words}"
        measured = found[backend], baseline, found[key]
        return row("train_lstm", "train_lstm", workload, *measured, unit=unit, memory_target=memory, **targets) | {
            "backend": backend
        }

    return [
        compare("tensorflow", "", "2018 implementation, windows of 15 notes", "baseline_2018", target="≥ 13 ×"),
        compare("tensorflow", "", reduced, "reference", target="≥ 0.8 ×"),
        compare(
            "best",
            ", faster of TensorFlow and PyTorch",
            reduced,
            "reference",
            target="≥ 1.0 ×",
            stretch_target="≥ 1.3 ×",
        ),
        compare("torch", ", Keras on PyTorch", reduced, "reference"),
        compare("jax", ", Keras on JAX, float32", "PyTorch `nn.LSTM`, float32", "reference_float32"),
    ]


def train_vae(context: Context) -> list[dict]:
    """One epoch of VAE training with its validation."""
    size = 2 * context.shape["layers"] * context.shape["units"]
    settings = {"settings": context.vae, "memory": size, "count": context.sizes.vae_memories}
    found = context.measure(
        stage=Worker("benchmarks.adapters.vae", settings), reference=Worker("benchmarks.reference.vae", settings)
    )
    compared = found["stage"], "the same VAE in PyTorch", found["reference"]
    targets = {"target": "≥ 1.0 ×", "stretch_target": "≥ 1.2 ×", "memory_target": TRAIN_MEMORY}
    return [row("train_vae", "vae.train", "vae.train", *compared, unit="memories per second", **targets)]


def generate_memories(context: Context) -> list[dict]:
    """Stage 3: songs are sampled and read, and their memories are written."""
    sizes, notes, shape = context.sizes, context.memory["notes"], context.shape
    stage = {"shape": shape, "count": sizes.memories, **context.memory}
    found = context.measure(
        stage=Worker("benchmarks.adapters.memories", stage),
        baseline_2018=Worker(
            "benchmarks.baseline_2018.memories", {"shape": shape, "count": sizes.memories_2018, "notes": notes}
        ),
        product=Worker("benchmarks.adapters.matrix_product", {"shape": shape, "notes": notes, "size": sizes.matrix}),
    )
    workload = "generate_memories", "generate_memories", f"generate_memories.py, {notes} notes each", found["stage"]
    shared = {"unit": "memories per second", "memory_target": MEMORIES_MEMORY}
    product = f"{sizes.matrix}³ matrix product at the same operations per memory, float32"
    return [
        row(
            *workload,
            "2018 implementation, `model.predict` per memory",
            found["baseline_2018"],
            target="≥ 15 ×",
            **shared,
        ),
        row(*workload, product, found["product"], target="≥ 0.5 ×", stretch_target="≥ 0.8 ×", **shared),
    ]


def sample_songs(context: Context) -> list[dict]:
    """Composing with a network that is already loaded."""
    sizes, shape = context.sizes, context.shape

    def sampler(songs: int, guidance: float = 0.0) -> Worker:
        settings = {"shape": shape, "songs": songs, "length": sizes.length, "guidance": guidance}
        return Worker("benchmarks.adapters.sampling", settings)

    found = context.measure(
        batch=sampler(sizes.songs),
        guided=sampler(sizes.songs, context.guidance),
        single=sampler(1),
        baseline_2018=Worker("benchmarks.baseline_2018.composing", {"shape": shape, "length": sizes.length_2018}),
        reference=Worker(
            "benchmarks.reference.composing", {"shape": shape, "songs": sizes.songs, "length": sizes.length}
        ),
    )

    def compare(key: str, songs: int, baseline: str, measured: Measurement, *targets: str) -> dict:
        guidance = context.guidance if key == "guided" else 0.0
        workload = f"Sampler, {songs} song{'s' * (songs != 1)}{', guidance' * (key == 'guided')}"
        return row(
            "sample_songs",
            "generate_song",
            workload,
            found[key],
            baseline,
            measured,
            unit="notes per second",
            target=targets[0],
            stretch_target=targets[1],
            memory_target=COMPOSE_MEMORY,
        ) | {"songs": songs, "guidance": guidance}

    loop, old = "2018 implementation, `model.predict` per note", found["baseline_2018"]
    return [
        compare("batch", sizes.songs, loop, old, "≥ 1400 ×", "≥ 2000 ×"),
        compare("batch", sizes.songs, "PyTorch, loop with carried state", found["reference"], "≥ 1.1 ×", "≥ 1.4 ×"),
        compare("guided", sizes.songs, "the same without guidance", found["batch"], "≥ 0.5 ×", "≥ 0.55 ×"),
        compare("single", 1, loop, old, "≥ 70 ×", "≥ 150 ×"),
    ]


def generate_song(context: Context) -> list[dict]:
    """Stage 5 as a command, from the start of the interpreter to its end."""
    found = context.measure(
        stage=context.stage("generate_song.py", "--out", context.scratch / "songs", "--count", 8),
        keras=Command(["-c", "import keras"]),
    )
    compared = found["stage"], '`python -c "import keras"`', found["keras"]
    targets = {"target": "≤ 2.5 ×", "stretch_target": "≤ 1.6 ×", "memory_target": COMPOSE_MEMORY}
    workload = "`python generate_song.py --count 8`"
    return [row("generate_song", "generate_song", workload, *compared, unit=SECONDS, **targets)]


CASES: dict[str, Callable[[Context], list[dict]]] = {
    case.__name__: case
    for case in (
        preprocess_kern,
        preprocess_midi,
        preprocess_unchanged,
        train_lstm,
        train_vae,
        generate_memories,
        sample_songs,
        generate_song,
        scaling_preprocess,
        scaling_generate_song,
        scaling_generate_memories,
    )
}
