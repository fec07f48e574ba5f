"""The benchmark cases: each measures a stage and its baselines, and says what is compared and the targets."""

import os
import random
from functools import partial

from benchmarks.context import Context, song_files
from benchmarks.harness import Command, Measurement, Worker
from benchmarks.report import SECONDS, Comparison

Found = tuple[dict[str, Measurement], list[Comparison]]  # measurements by program, and the rows to make from them


def preprocess(edition: str, target: str, stretch_target: str, context: Context) -> Found:
    """Stage 1 in a new process with no earlier output; the files are in the disk cache."""
    folder = context.edition(edition)
    files = song_files(folder)
    sample = random.Random(0).sample(files, min(context.sizes.parsed_files, len(files)))
    settings = {"files": [[str(file), str(folder)] for file in sample], "edition": edition}
    workload = f"preprocess.py, {edition} edition, all cores"
    baseline = f"music21 `converter.parse`, one core, {context.sizes.parsed_files} files"
    programs = {workload: context.preprocess(folder, len(files)), baseline: Worker("parsing.parse", settings)}
    return context.measure(programs), [Comparison(workload, baseline, target, stretch_target)]


def preprocess_unchanged(context: Context) -> Found:
    """Stage 1 when its output is up to date."""
    first = context.preprocess(context.edition("kern", "midi"), 1, "unchanged")
    first.run_round()
    workload = "preprocess.py again, nothing changed"
    return context.measure({workload: Command(first.arguments)}), [Comparison(workload, "", "≤ 3 s", "≤ 1 s")]


def train_lstm(context: Context) -> Found:
    """Training of the network, and of the same network in PyTorch."""
    settings = {"shape": context.shape, "training": context.settings, "batches": context.sizes.batches}
    float32 = settings | {"training": context.settings | {"precision": "float32"}}  # JAX: no fast bfloat16 on CPUs
    alone = settings | {"training": context.settings | {"pitch_only": True}}
    windows = {"steps": context.sizes.window_batches} | {name: context.settings[name] for name in ("batch", "dropout")}
    keras, best = "train_lstm.py", "train_lstm.py, faster of TensorFlow and PyTorch"
    torch, jax = "train_lstm.py, Keras on PyTorch", "train_lstm.py, Keras on JAX, float32"
    pitches, torch_pitches = "train_lstm.py --pitch-only", "train_lstm.py --pitch-only, Keras on PyTorch"
    best_pitches = "train_lstm.py --pitch-only, faster of TensorFlow and PyTorch"
    old, reference_float32 = "2018 implementation, windows of 15 notes", "PyTorch `nn.LSTM`, float32"
    reference = f"PyTorch `nn.LSTM`, {context.settings['precision'].removeprefix('mixed_')}"
    programs = {
        keras: Worker("adapters.training", settings),
        torch: Worker("adapters.training", settings, "torch"),
        jax: Worker("adapters.training", float32, "jax"),
        pitches: Worker("adapters.training", alone),
        torch_pitches: Worker("adapters.training", alone, "torch"),
        old: Worker("baseline_2018.training", {"shape": context.shape} | windows),
        reference: Worker("reference.training", settings),
        reference_float32: Worker("reference.training", float32),
    }
    found = context.measure(programs)
    for name, one, other in ((best, keras, torch), (best_pitches, pitches, torch_pitches)):
        found[name] = max((found[one], found[other]), key=lambda program: program.rate if program.seconds else 0)
    return found, [
        Comparison(keras, old, "≥ 13 ×", fields={"backend": "tensorflow"}),
        Comparison(keras, reference, "≥ 0.8 ×", fields={"backend": "tensorflow"}),
        Comparison(best, reference, "≥ 1.0 ×", "≥ 1.3 ×", {"backend": "best"}),
        Comparison(best, best_pitches, "≥ 0.85 ×", fields={"backend": "best"}),
        Comparison(torch, reference, fields={"backend": "torch"}),
        Comparison(jax, reference_float32, fields={"backend": "jax"}),
    ]


def train_vae(context: Context) -> Found:
    """One epoch of VAE training with its validation."""
    size = 2 * context.shape["layers"] * context.shape["units"]
    settings = {"settings": context.vae, "memory": size, "memories": context.sizes.vae_memories}
    workload, baseline = "vae.train", "the same VAE in PyTorch"
    programs = {workload: Worker("adapters.vae", settings), baseline: Worker("reference_vae.vae", settings)}
    return context.measure(programs), [Comparison(workload, baseline, "≥ 1.0 ×", "≥ 1.2 ×")]


def generate_memories(context: Context) -> Found:
    """Stage 3: songs are sampled and encoded, and their memories are written."""
    sizes, songs = context.sizes, context.settings["memory_songs"]
    settings = {"shape": context.shape, "notes": context.settings["memory_notes"]}
    workload = f"generate_memories.py, {settings['notes']} notes each"
    old = "2018 implementation, `model.predict` per memory"
    product = f"{sizes.matrix}³ matrix product at the same operations per memory, float32"
    programs = {
        workload: Worker("adapters.memories", settings | {"memories": sizes.memories, "songs": songs}),
        old: Worker("baseline_2018.memories", settings | {"memories": sizes.memories_2018}),
        product: Worker("adapters.matrix_product", settings | {"size": sizes.matrix}),
    }
    comparisons = [Comparison(workload, old, "≥ 15 ×"), Comparison(workload, product, "≥ 0.5 ×", "≥ 0.8 ×")]
    return context.measure(programs), comparisons


def sample_songs(context: Context) -> Found:
    """Composing with a network that is already loaded."""
    sizes, settings = context.sizes, {"shape": context.shape, "length": context.sizes.length}
    batch, single = f"Sampler, {sizes.songs} songs", "Sampler, 1 song"
    guided, unguided = f"{batch}, guidance", "the same without guidance"
    pitches, pitches_single = f"Sampler --pitch-only, {sizes.songs} songs", "Sampler --pitch-only, 1 song"
    old, loop = "2018 implementation, `model.predict` per note", "PyTorch, loop with carried state"
    many, one = {"songs": sizes.songs, "guidance": 0.0}, {"songs": 1, "guidance": 0.0}
    many_guided = many | {"guidance": context.settings["guidance"]}
    programs = {
        batch: Worker("adapters.sampling", settings | many),
        guided: Worker("adapters.sampling", settings | many_guided),
        single: Worker("adapters.sampling", settings | one),
        pitches: Worker("adapters.sampling", settings | many | {"pitch_only": True}),
        pitches_single: Worker("adapters.sampling", settings | one | {"pitch_only": True}),
        old: Worker("baseline_2018.composing", settings | {"length": sizes.length_2018}),
        loop: Worker("reference.composing", settings | {"songs": sizes.songs}),
    }
    found = context.measure(programs)
    return found | {unguided: found[batch]}, [
        Comparison(batch, old, "≥ 1400 ×", "≥ 2000 ×", many),
        Comparison(batch, loop, "≥ 1.1 ×", "≥ 1.4 ×", many),
        Comparison(batch, pitches, "≥ 0.8 ×", fields=many),
        Comparison(guided, unguided, "≥ 0.5 ×", "≥ 0.55 ×", many_guided),
        Comparison(single, old, "≥ 70 ×", "≥ 150 ×", one),
        Comparison(single, pitches_single, "≥ 0.8 ×", fields=one),
    ]


def generate_song(context: Context) -> Found:
    """Stage 5 as a command, from the start of the interpreter to its end."""
    workload, baseline = "`python generate_song.py --count 8`", '`python -c "import keras"`'
    stage = context.stage("generate_song.py", 8, "--out", context.scratch / "songs")
    found = context.measure({workload: stage, baseline: Command(["-c", "import keras"])})
    return found, [Comparison(workload, baseline, "≤ 2.5 ×", "≤ 1.6 ×")]


def scaling_preprocess(context: Context) -> Found:
    """Stage 1 on the collection and on copies of it under other names."""
    folder = context.edition("kern", "midi")
    files, commands = song_files(folder), {}
    for count in context.sizes.scaling_copies:
        root = context.scratch / f"copies-{count}"
        for link, file in ((root / str(k) / file.relative_to(folder), file) for k in range(count) for file in files):
            link.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(file, link)
        commands[count * len(files)] = context.preprocess(root, count * len(files))
    return scaling("preprocess.py", "songs", commands)


def scaling_generate_song(context: Context) -> Found:
    """Stage 5 with more and more songs."""
    script, flags = "generate_song.py", ("--out", context.scratch / "songs")
    return scaling(script, "songs", {n: context.stage(script, n, *flags) for n in context.sizes.scaling_songs})


def scaling_generate_memories(context: Context) -> Found:
    """Stage 3 with more and more memories of few notes each."""
    script, notes = "generate_memories.py", context.sizes.scaling_notes
    flags = "--data", context.scratch / "data", "--memory-notes", notes
    commands = {n: context.stage(script, n, *flags) for n in context.sizes.scaling_memories}
    return scaling(script, f"memories of {notes} notes", commands)


def scaling(script: str, items: str, commands: dict[int, Command]) -> Found:
    """One round per size, from small to large; the baseline of each size is the one before."""
    found, comparisons, before = {}, [], ()
    for size, command in commands.items():
        work, seconds = command.run_round()
        workload, baseline = f"{script}, {size:,} {items}", f"{size:,}"
        found[workload] = found[baseline] = Measurement([work], [seconds], command.stop())
        fields = {"size": size, "items": items, "seconds": seconds}
        comparisons.append(Comparison(workload, *before, fields=fields))
        before = baseline, "≥ 0.9 ×"
    return found, comparisons


NOTES, SONGS, MEMORIES = (f"{work} per second" for work in ("notes", "songs", "memories"))
CASES = {  # stage, unit, target of the peak memory, and the function that measures
    "preprocess_kern": ("preprocess", SONGS, "≤ 400 MB", partial(preprocess, "kern", "≥ 10 ×", "≥ 25 ×")),
    "preprocess_midi": ("preprocess", SONGS, "≤ 400 MB", partial(preprocess, "midi", "≥ 20 ×", "≥ 50 ×")),
    "preprocess_unchanged": ("preprocess", SECONDS, None, preprocess_unchanged),
    "train_lstm": ("train_lstm", NOTES, "≤ 3000 MB", train_lstm),
    "train_vae": ("vae.train", MEMORIES, "≤ 3000 MB", train_vae),
    "generate_memories": ("generate_memories", MEMORIES, "≤ 2000 MB", generate_memories),
    "sample_songs": ("generate_song", NOTES, "≤ 2000 MB", sample_songs),
    "generate_song": ("generate_song", SECONDS, "≤ 2000 MB", generate_song),
    "scaling_preprocess": ("preprocess", SONGS, "≤ 400 MB", scaling_preprocess),
    "scaling_generate_song": ("generate_song", SONGS, "≤ 2000 MB", scaling_generate_song),
    "scaling_generate_memories": ("generate_memories", MEMORIES, "≤ 2000 MB", scaling_generate_memories),
}
