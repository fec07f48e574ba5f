"""The benchmarks: that what stands beside us does the same work, and that rows and tables say what was measured."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from benchmarks import adapters, baseline_2018, harness, report, synthetic
from benchmarks.cases import CASES
from benchmarks.harness import Command, Measured, Worker
from melody import lookback, lstm, sampling
from melody.errors import UserError
from tests.test_pipeline import stage

TINY = {"embedding": 3, "units": 4, "layers": 2, "dense": 6}
SHAPE = lstm.Shape(baseline_2018.NOTES, **TINY)
LEARNING = {
    "batch": 2,
    "bptt_length": 4,
    "windows_per_stream": 2,
    "transpose_probability": 0.5,
    "dropout": 0.3,
    "learning_rate": 1e-3,
}


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(1)
    built = lstm.build(SHAPE)
    built.set_weights([3 * weight for weight in built.get_weights()])
    return built


def states(songs):
    return list(np.random.default_rng(0).normal(size=(SHAPE.states, songs, SHAPE.units)).astype("float32"))


@pytest.fixture(scope="module")
def reference():
    pytest.importorskip("torch", reason="needs PyTorch: pip install torch")
    from benchmarks import reference

    return reference


def test_the_twin_gives_our_logits_with_our_weights(network, reference):
    import torch

    entries = lookback.network_inputs(np.random.default_rng(0).integers(0, 5, (3, 30)), SHAPE.notes)
    assert (entries[..., 2] > 0).any(), "something is recalled"
    logits, *after = network.predict_on_batch([entries, *states(3)])
    before = [torch.from_numpy(np.stack(states(3)[k::2])) for k in range(2)]
    with torch.inference_mode():
        theirs, (h, c) = reference.copied(network)(torch.from_numpy(entries), tuple(before))
    np.testing.assert_allclose(theirs, logits, atol=1e-5)
    np.testing.assert_allclose(np.stack([h, c], axis=1).reshape(-1, 3, SHAPE.units), after, atol=1e-5)


def test_the_twin_composes_our_songs_with_our_draws(network, reference):
    import torch

    built = lstm.build(SHAPE)
    built.set_weights(network.get_weights())
    synthetic.endings(built, -50.0)
    rngs = [np.random.default_rng(k) for k in range(3)]
    composed = sampling.Sampler(built, guided=False).compose(states(3), rngs, temperature=1.0, guidance=0.0, length=20)
    draws = np.stack([np.random.default_rng(k).random(20, np.float32) for k in range(3)])
    before = tuple(torch.from_numpy(np.stack(states(3)[k::2])) for k in range(2))
    np.testing.assert_array_equal(reference.compose(reference.copied(built), before, draws, temperature=1.0), composed)


def test_the_twin_learns(reference):
    import torch

    torch.manual_seed(0)
    twin = reference.ReferenceNetwork(baseline_2018.NOTES, **TINY)
    entry, answer, _ = next(reference.streams(LEARNING, 1).epoch())
    logits, _ = twin(torch.from_numpy(np.maximum(entry, 0)))
    torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), torch.from_numpy(answer.astype("int64")).flatten()
    ).backward()
    still = [name for name, weight in twin.named_parameters() if not weight.grad.abs().sum()]
    assert still in ([], ["trust.weight", "trust.bias"]), "nothing is recalled in so few notes"
    assert reference.training(TINY, LEARNING, 1, "float32")() == 2 * 2 * 4


def test_the_plain_vae_has_our_loss(reference):
    """With the noise left out, by weights that make no spread, both count the same nats."""
    import torch

    from vae.model import VAE

    vae = VAE(6, 2, [5, 4], mixture=3, beta=2.0)
    memories = np.random.default_rng(0).normal(size=(7, 6)).astype("float32")
    layer = vae.encoder.get_layer("z_log_var")
    layer.kernel.assign(np.zeros(layer.kernel.shape))
    layer.bias.assign(np.full(layer.bias.shape, -40.0))
    plain = reference.PlainVAE(6, 2, [5, 4], beta=2.0)
    ours_ = [vae.encoder.get_layer(name) for name in ("encoder_1", "encoder_2")]
    ours_ += [vae.decoder.get_layer(name) for name in ("decoder_1", "decoder_2", "decoded")]
    theirs = [plain.encoder[0], plain.encoder[2], plain.decoder[0], plain.decoder[2], plain.decoder[4]]
    with torch.no_grad():
        for one, other in zip(ours_, theirs, strict=True):
            other.weight.copy_(torch.from_numpy(np.array(one.kernel).T))
            other.bias.copy_(torch.from_numpy(np.array(one.bias)))
        codes = [vae.encoder.get_layer(name) for name in ("z_mean", "z_log_var")]
        plain.encoder[4].weight.copy_(torch.from_numpy(np.concatenate([np.array(c.kernel) for c in codes], axis=1).T))
        plain.encoder[4].bias.copy_(torch.from_numpy(np.concatenate([np.array(c.bias) for c in codes])))
        loss = float(plain(torch.from_numpy(memories))[0])
    assert loss == pytest.approx(float(vae.compute_loss(memories, y_pred=vae(memories))), rel=1e-4)


def test_the_ancestor_reads_windows_that_run_across_songs():
    read, answer = baseline_2018.windows([np.arange(10), np.arange(20, 30)])
    assert read.shape == (5, 15, 1) and answer.shape == (5, baseline_2018.NOTES)
    np.testing.assert_array_equal(read[1, :, 0], baseline_2018.scaled(np.array([*range(1, 10), *range(20, 26)]))[:, 0])
    assert answer.argmax(axis=1).tolist() == [25, 26, 27, 28, 29]
    assert baseline_2018.scaled(np.arange(baseline_2018.NOTES)).max() == 75 / 76, (
        "ranks by name, over the number of notes"
    )


def test_the_ancestor_trains_remembers_and_composes():
    assert baseline_2018.training(TINY, batch=4, dropout=0.3, steps=2)() == 8
    assert baseline_2018.memories(TINY, count=2, notes=5)() == 2
    assert baseline_2018.composing(TINY, length=3)() == 3


def test_our_stages_say_how_much_they_did():
    learning = LEARNING | {"epochs": 5, "warmup_steps": 2, "precision": "float32", "seed": 0}
    assert adapters.training(TINY, learning, 1)() % (2 * 4) == 0
    assert adapters.memories(TINY, count=3, notes=4, songs=2)() == 3
    assert adapters.composing(TINY, songs=3, length=5, guidance=1.0)() == 15
    settings = {"latent": 2, "mixture": 2, "hidden": [5], "epochs": 2, "batch": 8, "learning_rate": 1e-3, "beta": 1.0}
    assert adapters.vae(settings | {"seed": 0}, memory=6, count=30)() == 30


def test_a_product_is_counted_in_memories():
    """Two layers of 4 units that read 3 * 3 + 2 * 16 and 4 numbers: 2 * 16 * (41 + 4 + 4 + 4) a note."""
    flop = 2 * 16 * (41 + 4 + 4 + 4) * 10
    assert adapters.product(TINY, notes=10, size=8)() == pytest.approx(4 * 2 * 8**3 / flop)


# Measuring


def test_programs_take_turns_and_say_what_they_held():
    places = []
    programs = {name: Command(["-c", "pass"], 2.0, lambda name=name: places.append(name)) for name in "ab"}
    found = harness.alternate(programs, rounds=2, told=lambda: None)
    assert "".join(places) == "ab" + "ab" + "ba", "ready, forwards, backwards"
    assert found["a"].work == [2.0, 2.0] and found["a"].rate == pytest.approx(2 / found["a"].time, rel=0.5)
    assert found["a"].peak > 5


def test_a_worker_answers_round_by_round_and_a_broken_one_is_one_line():
    worker = Worker("benchmarks.adapters.product", {"shape": TINY, "notes": 2, "size": 4})
    found = harness.alternate({"product": worker}, rounds=2, told=lambda: None)["product"]
    assert len(found.seconds) == 2 and found.work[0] == found.work[1] and found.peak > 50
    with pytest.raises(UserError, match="broke down: TypeError"):
        harness.alternate({"product": Worker("benchmarks.adapters.product", {})}, rounds=1, told=lambda: None)
    with pytest.raises(UserError, match="broke down: ZeroDivisionError"):
        Command(["-c", "1 / 0"]).one_round()


def test_what_cannot_run_says_what_it_needs():
    missing = Measured(why="pip install torch")
    row = report.row("x", Measured([1.0], [1.0], 5.0), "PyTorch", missing, unit="notes a second", must="≥ 1 ×")
    assert (row["ratio"], row["holds"]) == (None, None)
    assert "PyTorch: not run: pip install torch" in report.table([row])


# Rows


def test_ratios_are_of_medians():
    mine, other = Measured([6.0] * 3, [1.0, 2.0, 6.0], 300.0), Measured([1.0] * 3, [1.0, 0.5, 2.0], 9.0)
    row = report.row("x", mine, "y", other, unit="notes a second", must="≥ 3 ×", aim="≥ 4 ×", memory="≤ 200 MB")
    assert (row["ours"], row["theirs"], row["ratio"]) == (3.0, 1.0, 3.0)
    assert (row["holds"], row["aim_holds"], row["memory_holds"]) == (True, False, False)
    row = report.row("x", mine, "y", other, unit=report.SECONDS, must="≤ 2.5 ×")
    assert (row["ours"], row["theirs"], row["ratio"], row["holds"]) == (2.0, 1.0, 2.0, True)
    assert report.row("x", mine, unit=report.SECONDS, must="≤ 1 s")["holds"] is False, (
        "nothing beside: the time is judged"
    )


def test_tables_are_the_same_from_the_file(tmp_path):
    one = report.row("a", Measured([6.0], [0.01], 300.0), "b", Measured([4.0], [1.0], 9.0, remark="same notes in 3 of 3"),
                   unit="songs a second", must="≥ 3 ×", memory="≤ 400 MB")  # fmt: skip
    grown = report.row("c", Measured([6.0], [2.0], 30.0), unit="songs a second") | {
        "series": "c",
        "size": 6,
        "seconds": 2.0,
    }
    printed = report.tables([one, grown])
    assert (
        "| a | b: same notes in 3 of 3 | **150 ×** | ≥ 3 × |  | yes | 600 | 4.00 | songs a second | 300 MB" in printed
    )
    assert printed.count("| work |") == 2 and "| c |" in printed
    (tmp_path / "benchmarks.json").write_text(json.dumps([one, grown]))
    assert report.tables(json.loads((tmp_path / "benchmarks.json").read_text())) == printed


def test_a_table_that_is_not_there_is_one_line(tmp_path, capsys):
    assert stage("benchmarks.run", "--out", tmp_path, "--table") == 2
    assert "make it with: python -m benchmarks.run" in capsys.readouterr().err


def test_growth_is_drawn(tmp_path):
    from melody.plots import growth

    points = [{"work": "preprocess, 10 songs", "size": 10, "seconds": 1.0, "peak_mb": 90.0},
              {"work": "preprocess, 20 songs", "size": 20, "seconds": 1.5, "peak_mb": 95.0}]  # fmt: skip
    growth(tmp_path / "growth", points)
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG") and (tmp_path / "growth.svg").exists()


@pytest.mark.slow
def test_every_benchmark_runs(tmp_path, capsys):
    """At toy size, on invented songs; speed is not judged."""
    assert stage("benchmarks.run", "--quick", "--quiet", "--out", tmp_path) == 0
    found = json.loads((Path(tmp_path) / "benchmarks-quick.json").read_text())
    for line in found:
        assert {"work", "beside", "ratio", "must", "aim", "holds", "ours", "unit", "rounds", "peak_mb"} <= set(line)
        assert line["holds"] is None, "speed is not judged at toy size"
        assert (line["ours"] > 0 and line["peak_mb"] > 10) or line["remark"].startswith("not run: pip install")
    assert len({line["work"] for line in found}) >= len(CASES)
    assert stage("benchmarks.run", "--quick", "--table", "--out", tmp_path) == 0
    assert capsys.readouterr().out.strip() == report.tables(found)


def test_the_readme_has_the_tables_that_were_measured():
    root = Path(__file__).parents[1]
    assert report.tables(json.loads((root / "results/benchmarks.json").read_text())) in (root / "docs/benchmarks.md").read_text()
