"""The benchmarks: the reference does the same arithmetic, and rows and tables show what was measured."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from benchmarks import adapters, baseline_2018, commands, harness, report, server, synthetic
from benchmarks.cases import CASES
from benchmarks.harness import Command, Measurement, Worker
from benchmarks.report import Comparison
from melody import lookback, lstm, sampling
from melody.encoding import encode, inputs
from melody.errors import UserError
from melody.plots import scaling
from melody.training import StreamModel
from tests.test_pipeline import stage
from vae.model import VAE

TINY = {"embedding": 3, "units": 4, "layers": 2, "dense": 6}
SHAPE = lstm.Shape.of(synthetic.vocabulary(), TINY)
TRAINING = {
    "batch": 2,
    "bptt_length": 4,
    "windows_per_stream": 2,
    "transpose_probability": 0.5,
    "synthetic_probability": 0.2,
    "auxiliary_weight": 2.0,
    "pitch_only": False,
    "dropout": 0.3,
    "learning_rate": 1e-3,
    "precision": "float32",
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


def converted(network, reference):
    """The network in PyTorch, with the same weights. The gates have the same order; PyTorch has a second bias."""
    import torch

    model, embedding = reference.ReferenceNetwork(SHAPE), network.get_layer("input_embedding")
    names = "pitch match_length rhythm phrase signature beat".split()
    pairs = [(getattr(model, name).weight, getattr(embedding, name).embeddings) for name in names]
    layers = [(model.opening_head, network.get_layer("opening_head"))]
    for name in ("output_head", "rhythm_head", "phrase_head"):
        head, keras_head = getattr(model, name), network.get_layer(name)
        layers += [(getattr(head, part), getattr(keras_head, part)) for part in ("dense", "logits", "copy_logit")]
    for layer, keras_layer in filter(all, layers):
        pairs += [(layer.weight, keras_layer.kernel), (layer.bias, keras_layer.bias)]
    for k in range(SHAPE.layers):
        cell = network.get_layer(f"lstm_{k + 1}").cell
        for name, weight in (("weight_ih", cell.kernel), ("weight_hh", cell.recurrent_kernel), ("bias_ih", cell.bias)):
            pairs.append((getattr(model.lstm, f"{name}_l{k}"), weight))
        torch.nn.init.zeros_(getattr(model.lstm, f"bias_hh_l{k}"))
    with torch.no_grad():
        for parameter, weight in pairs:
            values = torch.from_numpy(np.array(weight))
            parameter.copy_(values if values.shape == parameter.shape else values.T)
    return model.eval()


def test_the_reference_computes_the_same_logits(network, reference):
    import torch

    songs, _ = synthetic.dataset_of(3)
    rows = np.stack([inputs(song, songs.vocabulary)[:20] for song in encode(songs, songs.vocabulary)[:3]])
    read = lookback.with_candidates(rows, SHAPE.notes, SHAPE.rhythms)
    assert (read[..., 8] > 0).any(), "the lookback finds a match"
    *heads, h1, c1, h2, c2 = network.predict_on_batch([read, *states(3)])
    before = [torch.from_numpy(np.stack(states(3)[k::2])) for k in range(2)]
    with torch.inference_mode():
        expected, _, (h, c) = converted(network, reference)(torch.from_numpy(read), tuple(before))
    for logits, known in zip(heads, expected, strict=True):
        np.testing.assert_allclose(known, logits, atol=1e-5)
    np.testing.assert_allclose(np.stack([h, c], axis=1).reshape(-1, 3, SHAPE.units), [h1, c1, h2, c2], atol=1e-5)


def test_the_reference_composes_the_same_songs_from_the_same_random_numbers(network, reference):
    """Ours are cut at the last full bar."""
    import torch

    built = lstm.build(SHAPE)
    built.set_weights(network.get_weights())
    synthetic.set_end_logit(built, -50.0)
    rngs = [np.random.default_rng(k) for k in range(3)]
    sampler = sampling.Sampler(built, synthetic.vocabulary(), guided=False)
    composed = sampler.compose(states(3), rngs, temperature=1.0, guidance=0.0, length=20, window=20)
    uniforms = np.stack([np.random.default_rng(k).random((20, 4), np.float32) for k in range(3)])
    before = tuple(torch.from_numpy(np.stack(states(3)[k::2])) for k in range(2))
    model, rhythm = converted(built, reference), synthetic.vocabulary().rhythm
    *events, opening = reference.compose(model, rhythm, before, uniforms, temperature=1.0)
    for s, song in enumerate(composed):
        notes = len(song.pitch)
        assert notes > 10 and song.opening == opening[s]
        for own, column in zip((song.pitch, song.rhythm, song.phrase), events, strict=True):
            np.testing.assert_array_equal(column[:notes, s], own)


def test_the_reference_trains_every_weight_with_the_same_loss(network, reference):
    import torch

    torch.manual_seed(0)
    found = reference.streams(TRAINING | {"bptt_length": 16, "batch": 8}, 1)
    model, described = reference.ReferenceNetwork(SHAPE), torch.nn.Linear(4, found.descriptors.size)
    read, targets, descriptions, _ = next(found.epoch())
    heads, output, _ = model(torch.from_numpy(np.maximum(read, 0)))
    logits = [*heads, described(output)]
    loss = reference.loss_of(logits, targets, descriptions, found.descriptors.segments, 2.0)
    stream_model = StreamModel(network, 8, found.descriptors.segments, 2.0)
    same = stream_model.compute_loss(None, [targets, descriptions], [part.detach().numpy() for part in logits])
    assert float(loss.detach()) == pytest.approx(float(same), rel=1e-4)
    loss.backward()
    unmoved = [name for name, weight in model.named_parameters() if not weight.grad.abs().sum()]
    assert all("copy_logit" in name for name in unmoved), "few notes may hold no match"
    assert reference.training(TINY, TRAINING, 1)() == 2 * 2 * 4


@pytest.mark.usefixtures("reference")
def test_the_reference_vae_has_the_same_loss():
    """Weights that make the variance zero leave out the noise; both losses are then equal."""
    import torch

    from benchmarks.reference_vae import ReferenceVAE

    vae = VAE(6, 2, [5, 4], mixture=3, beta=2.0)
    memories = np.random.default_rng(0).normal(size=(7, 6)).astype("float32")
    layer = vae.encoder.get_layer("z_log_var")
    layer.kernel.assign(np.zeros(layer.kernel.shape))
    layer.bias.assign(np.full(layer.bias.shape, -40.0))
    model = ReferenceVAE(6, 2, [5, 4], beta=2.0)
    keras_layers = [vae.encoder.get_layer(name) for name in ("encoder_1", "encoder_2")]
    keras_layers += [vae.decoder.get_layer(name) for name in ("decoder_1", "decoder_2", "decoded")]
    torch_layers = [model.encoder[0], model.encoder[2], model.decoder[0], model.decoder[2], model.decoder[4]]
    with torch.no_grad():
        for keras_layer, torch_layer in zip(keras_layers, torch_layers, strict=True):
            torch_layer.weight.copy_(torch.from_numpy(np.array(keras_layer.kernel).T))
            torch_layer.bias.copy_(torch.from_numpy(np.array(keras_layer.bias)))
        codes = [vae.encoder.get_layer(name) for name in ("z_mean", "z_log_var")]
        model.encoder[4].weight.copy_(torch.from_numpy(np.concatenate([np.array(c.kernel) for c in codes], axis=1).T))
        model.encoder[4].bias.copy_(torch.from_numpy(np.concatenate([np.array(c.bias) for c in codes])))
        loss = float(model(torch.from_numpy(memories))[0])
    assert loss == pytest.approx(float(vae.compute_loss(memories, y_pred=vae(memories))), rel=1e-4)


def test_windows_of_the_2018_implementation_cross_songs():
    inputs, targets = baseline_2018.windows([np.arange(10), np.arange(20, 30)])
    assert inputs.shape == (5, 15, 1) and targets.shape == (5, baseline_2018.NOTES)
    np.testing.assert_array_equal(
        inputs[1, :, 0], baseline_2018.scaled(np.array([*range(1, 10), *range(20, 26)]))[:, 0]
    )
    assert targets.argmax(axis=1).tolist() == [25, 26, 27, 28, 29]
    assert baseline_2018.scaled(np.arange(baseline_2018.NOTES)).max() == 75 / 76, (
        "ranks by name, divided by the number of notes"
    )


def test_the_2018_implementation_trains_makes_memories_and_composes():
    assert baseline_2018.training(TINY, batch=4, dropout=0.3, steps=2)() == 8
    assert baseline_2018.memories(TINY, memories=2, notes=5)() == 2
    assert baseline_2018.composing(TINY, length=3)() == 3


@pytest.mark.slow
def test_adapters_return_the_work_they_did():
    assert adapters.memories(TINY, memories=3, notes=4, songs=2)() == 3
    settings = {"latent": 2, "mixture": 2, "hidden": [5], "epochs": 2, "batch": 8, "learning_rate": 1e-3, "beta": 1.0}
    assert adapters.vae(settings | {"seed": 0}, memory=6, memories=30)() == 30


@pytest.mark.slow
@pytest.mark.parametrize("pitch_only", [False, True])
def test_adapters_of_the_network_return_the_work_they_did(pitch_only):
    training = TRAINING | {"epochs": 5, "warmup_steps": 2, "seed": 0, "pitch_only": pitch_only}
    assert adapters.training(TINY, training, 1)() % (2 * 4) == 0
    assert adapters.sampling(TINY, songs=3, length=5, guidance=1.0, pitch_only=pitch_only)() == 15


def test_a_matrix_product_is_counted_in_memories():
    """Two layers of 4 units. The first has 3 pitches of 3 and 3 rhythms of 32 numbers, 2 match lengths of 16, a phrase
    mark of 8, a time signature of 16 and a beat position of 24, 185 inputs, the second 4: 2 * 16 * (185 + 4 + 4 + 4)
    operations per note."""
    operations = 2 * 16 * (185 + 4 + 4 + 4) * 10
    assert adapters.matrix_product(TINY, notes=10, size=8)() == pytest.approx(4 * 2 * 8**3 / operations)


# Measuring


def test_programs_take_turns_and_their_peak_memory_is_measured():
    started = []
    programs = {name: Command(["-c", "pass"], 2.0, lambda name=name: started.append(name)) for name in "ab"}
    found = harness.alternate(programs, rounds=2)
    assert "".join(started) == "ab" + "ab" + "ba", "warm-up, forwards, backwards"
    assert found["a"].work == [2.0, 2.0] and found["a"].rate == pytest.approx(2 / found["a"].time, rel=0.5)
    assert found["a"].peak_mb > 5


@pytest.mark.slow
def test_a_worker_runs_rounds_and_a_failing_one_gives_one_line():
    worker = Worker("adapters.matrix_product", {"shape": TINY, "notes": 2, "size": 4})
    found = harness.alternate({"product": worker}, rounds=2)["product"]
    assert len(found.seconds) == 2 and found.work[0] == found.work[1] and found.peak_mb > 50
    with pytest.raises(UserError, match="failed: TypeError"):
        harness.alternate({"product": Worker("adapters.matrix_product", {})}, rounds=1)
    with pytest.raises(UserError, match="failed: ZeroDivisionError"):
        Command(["-c", "1 / 0"]).run_round()


def test_a_missing_package_is_named_in_the_remark():
    found = {"a.py": Measurement([1.0], [1.0], 5.0), "PyTorch": Measurement(missing="pip install torch")}
    row = report.row(Comparison("a.py", "PyTorch", "≥ 1 ×"), found, "s")
    assert (row["ratio"], row["met"]) == (None, None)
    assert "PyTorch: not run: pip install torch" in report.tables([row])


# Rows


def test_ratios_are_of_medians():
    measured, other = Measurement([6.0] * 3, [1.0, 2.0, 6.0], 300.0), Measurement([1.0] * 3, [1.0, 0.5, 2.0], 9.0)
    found = {"a.py": measured, "b": other}
    row = report.row(Comparison("a.py", "b", "≥ 3 ×", "≥ 4 ×", {"songs": 3}), found, "notes per second", "≤ 200 MB")
    assert (row["value"], row["baseline_value"], row["ratio"], row["songs"]) == (3.0, 1.0, 3.0, 3)
    assert (row["met"], row["stretch_met"], row["memory_met"]) == (True, False, False)
    row = report.row(Comparison("a.py", "b", "≤ 2.5 ×"), found, report.SECONDS)
    assert (row["value"], row["baseline_value"], row["ratio"], row["met"]) == (2.0, 1.0, 2.0, True)
    row = report.row(Comparison("a.py", target="≤ 1 s"), found, report.SECONDS)
    assert row["met"] is False, "without a baseline the target is of the time"


def test_tables_are_the_same_from_the_file(tmp_path):
    measured, parsed = Measurement([6.0], [0.01], 300.0), Measurement([4.0], [1.0], 9.0, remark="same notes in 3 of 3")
    found = {"a.py": measured, "b": parsed, "c.py": Measurement([6.0], [2.0], 30.0)}
    row = report.row(Comparison("a.py", "b", "≥ 3 ×"), found, "songs per second", "≤ 400 MB")
    fields = {"size": 6, "items": "songs", "seconds": 2.0}
    scaled = report.row(Comparison("c.py", fields=fields), found, "songs per second")
    printed = report.tables([row, scaled])
    cells = "**150 ×** | ≥ 3 × |  | yes | 600 | 4.00 | songs per second | 300 MB (target ≤ 400 MB: met) |"
    assert f"| a.py | b: same notes in 3 of 3 | {cells}" in printed
    assert printed.count("| workload |") == 2 and "| c.py |" in printed
    (tmp_path / "benchmarks.json").write_text(json.dumps([row, scaled]))
    assert report.tables(json.loads((tmp_path / "benchmarks.json").read_text())) == printed


def test_a_missing_results_file_is_one_line(tmp_path, capsys):
    assert stage("benchmarks.run", "--out", tmp_path, "--table") == 2
    assert "make it with: python -m benchmarks.run" in capsys.readouterr().err


def test_scaling_is_plotted(tmp_path):
    points = [
        {"items": "songs", "size": 10, "seconds": 1.0, "peak_mb": 90.0},
        {"items": "songs", "size": 20, "seconds": 1.5, "peak_mb": 95.0},
    ]
    scaling(tmp_path / "scaling", points)
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG") and (tmp_path / "scaling.svg").exists()


@pytest.mark.slow
def test_every_case_runs(tmp_path, capsys):
    """At toy size, on synthetic songs, where speed has no target."""
    assert stage("benchmarks.run", "--quick", "--quiet", "--out", tmp_path) == 0
    rows = json.loads((Path(tmp_path) / "benchmarks-quick.json").read_text())
    for row in rows:
        assert {"case", "stage", "workload", "baseline", "ratio", "target", "met", "value", "unit"} <= set(row)
        assert row["met"] is None, "speed has no target at toy size"
        assert (row["value"] > 0 and row["peak_mb"] > 10) or row["remark"].startswith("not run: pip install")
    assert {row["case"] for row in rows} == set(CASES)
    assert stage("benchmarks.run", "--quick", "--table", "--out", tmp_path) == 0
    assert capsys.readouterr().out.strip() == report.tables(rows)


def test_the_readme_shows_how_long_its_commands_take():
    root = Path(__file__).parents[1]
    rows = json.loads((root / "results/commands.json").read_text())["rows"]
    assert commands.table(rows) in (root / "README.md").read_text()
    assert [row["step"] for row in rows] == list(commands.STEPS)


def test_the_page_shows_how_long_one_waits_for_the_server():
    root = Path(__file__).parents[1]
    rows = json.loads((root / "results/server.json").read_text())["rows"]
    assert server.table(rows) in (root / "docs/playground.md").read_text()
    assert [row["wait"] for row in rows] == list(server.TARGETS)


def test_a_command_that_fails_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(commands.STEPS, "broken", (["nowhere.py"], ""))
    with pytest.raises(UserError, match=r"python nowhere.py failed: .*nowhere\.py"):
        commands.measured(tmp_path, "broken")


def test_the_page_shows_the_results_file():
    root = Path(__file__).parents[1]
    rows = json.loads((root / "results/benchmarks.json").read_text())
    page = (root / "docs/benchmarks.md").read_text()
    assert f"\n{report.tables(rows)}\n" in page
    assert {row["case"] for row in rows} == set(CASES), "every case is in the results file"
