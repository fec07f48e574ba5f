"""The network: predicting, encoding, composing, and that a memory reaches the music."""

import json
import os
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

from melody import checkpoint, encoding, lookback, lstm, memory, sampling, scoring, training
from melody.atomic import write_json
from melody.curation import longest_loop
from melody.errors import UserError
from melody.fast_lstm import LSTM
from melody.flags import ROOT
from melody.provenance import file_fingerprint
from melody.vocabulary import Vocabulary
from tests.synthetic import dataset_of, tunes

NOTES = Vocabulary(["C4", "D4", "E4", "F4", "G4"])
SHAPE = lstm.Shape(notes=5, embedding=3, units=4, layers=2, dense=6)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(1)
    built = lstm.build(SHAPE)
    built.set_weights([3 * weight for weight in built.get_weights()])  # far from zero, so that states have an effect
    return built


def states(rows, seed=0):
    return list(np.random.default_rng(seed).normal(size=(SHAPE.states, rows, SHAPE.units)).astype("float32"))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def read(pitch, region_ids=None):
    """The network's input for rows of pitches, (songs, time)."""
    return lookback.with_candidates(np.asarray(pitch)[..., None], SHAPE.notes, region_ids=region_ids)


def plain(pitch):
    """A song of pitches alone as the network reads it: inputs and targets, (time, 1) each."""
    song = encoding.EncodedSong(np.asarray(pitch), *np.zeros((3, len(pitch) + 1), int), 0, 0)
    return encoding.inputs(song, NOTES), encoding.targets(song, NOTES)


def by_hand(network, inputs, before):
    """The network in NumPy, step by step: Hochreiter & Schmidhuber 1997 with the gates in Keras's order i, f, c, o;
    logits of each head in the order of `melody.encoding.HEADS`, those of candidates raised by the copy logits."""
    shape = lstm.shape_of(network)
    part = {weight.path.removeprefix("network/"): keras.ops.convert_to_numpy(weight) for weight in network.weights}
    first, size = (7, 3) if shape.rhythms else (1, 2)
    pitches, lengths, rhythms = ([first + k * size + j for k in range(2)] for j in range(3))
    before, outputs = [state.copy() for state in before], []

    def embedded(name, values):
        return part[f"input_embedding/{name}/embeddings"][values]

    def head(name, features, columns, copied=()):
        x = np.concatenate(features, axis=1)
        x = np.maximum(x @ part[f"{name}/dense/kernel"] + part[f"{name}/dense/bias"], 0)
        logits = x @ part[f"{name}/logits/kernel"] + part[f"{name}/logits/bias"]
        for k, (value, length) in enumerate(copied):
            raised = x @ part[f"{name}/copy_logit/kernel"] + part[f"{name}/copy_logit/bias"]
            for row, (candidate, match) in enumerate(columns[:, [value, length]]):
                if match and candidate < logits.shape[1]:
                    logits[row, candidate] += raised[row, k]
        return logits

    for columns in np.moveaxis(inputs, 1, 0):
        parts = [embedded("pitch", columns[:, k]) for k in (0, *pitches)]
        parts += [embedded("match_length", columns[:, k]) for k in lengths]
        context = []
        if shape.rhythms:
            is_start = columns[:, 0] >= shape.notes
            parts += [embedded("rhythm", columns[:, k]) for k in (1, *rhythms)]
            parts.append(embedded("phrase", columns[:, 2]))
            parts.append(embedded("signature", np.where(is_start, shape.signatures, columns[:, 3])))
            parts.append(embedded("beat", np.where(is_start, shape.beats, columns[:, 4])))
            context = [embedded("signature", columns[:, 3]), embedded("beat", columns[:, 4])]
        x = all_parts = np.concatenate(parts, axis=1)
        for k in range(shape.layers):
            kernel, recurrent, bias = (
                part[f"lstm_{k + 1}/lstm_cell/{name}"] for name in ("kernel", "recurrent_kernel", "bias")
            )
            i, f, g, o = np.split(x @ kernel + before[2 * k] @ recurrent + bias, 4, axis=1)
            before[2 * k + 1] = sigmoid(f) * before[2 * k + 1] + sigmoid(i) * np.tanh(g)
            x = before[2 * k] = sigmoid(o) * np.tanh(before[2 * k + 1])
        features = [x, all_parts, *context]
        logits = [head("output_head", features, columns, list(zip(pitches, lengths, strict=True)))]
        if shape.rhythms:
            features.append(embedded("pitch", columns[:, 5]))
            logits.append(head("rhythm_head", features, columns, list(zip(rhythms, lengths, strict=True))))
            logits.append(head("phrase_head", [*features, embedded("rhythm", columns[:, 6])], columns))
            logits.append(x @ part["opening_head/kernel"] + part["opening_head/bias"])
        outputs.append(logits)
    return [np.stack(logits, axis=1) for logits in zip(*outputs, strict=True)], before


def test_the_network_is_a_stack_of_lstm_layers(network):
    tokens = np.random.default_rng(0).integers(0, 7, (2, 30))
    logits, *after = network.predict_on_batch([read(tokens), *states(2)])
    (expected,), expected_after = by_hand(network, read(tokens), states(2))
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)
    for state, known in zip(after, expected_after, strict=True):
        np.testing.assert_allclose(state, known, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("time", [1, 9])
def test_the_time_loop_trains_as_that_of_keras(time):
    """One step of gradient descent on outputs and last states gives Keras's own layer and ours equal weights."""
    rng = np.random.default_rng(5)
    shapes = (3, time, 2), (3, 4), (3, 4)
    inputs = [rng.normal(size=shape).astype("float32") for shape in shapes]
    targets = [rng.normal(size=shape).astype("float32") for shape in ((3, time, 4), (3, 4), (3, 4))]
    trained = []
    for layer in (keras.layers.LSTM, LSTM):
        keras.utils.set_random_seed(2)
        tensors = [keras.Input(shape[1:]) for shape in shapes]
        before = keras.layers.Dense(4)(tensors[1])  # so that the gradient reaches what the state comes from
        model = keras.Model(
            tensors, layer(4, return_sequences=True, return_state=True)(tensors[0], initial_state=[before, tensors[2]])
        )
        model.compile(keras.optimizers.SGD(1.0), ["mse"] * 3)
        model.train_on_batch(inputs, targets)
        trained.append(model.get_weights())
    for one, other in zip(*trained, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_memory_is_the_initial_state_unchanged(network):
    """The states before the first note are the memory, each number in its position."""
    memories = memory.pack(states(3))
    into = [network.get_layer(f"lstm_{k + 1}").input[1:] for k in range(SHAPE.layers)]
    state_reader = keras.Model(network.inputs, [state for pair in into for state in pair])
    out = state_reader.predict_on_batch([read(np.zeros((3, 1), np.int32)), *memory.unpack(memories, SHAPE.states)])
    np.testing.assert_array_equal(memory.pack(out), memories)


def test_encoding_in_two_parts_equals_encoding_at_once(network):
    tokens = np.random.default_rng(2).integers(0, 7, (3, 8))
    state_encoder = scoring.StateEncoder(network)
    whole = state_encoder.encode(tokens[..., None], batch=2)
    before = state_encoder.encode(tokens[:, :5, None])
    _, *after = network.predict_on_batch([read(tokens)[:, 5:], *before])
    for state, known in zip(after, whole, strict=True):
        np.testing.assert_allclose(state, known, atol=1e-6)


def test_information_content_does_not_depend_on_the_batch(network):
    """Batches, padding and order have no effect; bits are -log2 of the softmax."""
    songs = [plain(np.random.default_rng(k).integers(0, 5, n)) for k, n in enumerate((7, 2, 40, 1))]
    before = states(4)
    together = scoring.information_content(network, songs, before, batch=3)
    for s, (inputs, targets) in enumerate(songs):
        logits = by_hand(network, read(inputs[None, :, 0]), [state[[s]] for state in before])[0][0][0]
        expected = -np.log2(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
        np.testing.assert_allclose(together[s], np.take_along_axis(expected, targets, axis=1), atol=1e-4)


@pytest.mark.parametrize("regions", [0, 3])
def test_the_number_of_parameters_is_estimated_before_building(regions):
    """Never more than there are, so that no network is refused that fits; nearly all for a network of usual size."""
    for units, fraction in ((4, 0.1), (256, 0.8)):
        shape = lstm.Shape(notes=7, embedding=3, units=units, layers=2, dense=6, regions=regions)
        assert fraction < lstm.parameters(shape) / lstm.build(shape).count_params() <= 1


@pytest.mark.parametrize("size", ["units", "layers"])
def test_a_record_of_a_larger_network_than_its_weights_is_refused_before_it_is_built(tmp_path, size):
    record = json.loads((ROOT / "weights/lstm.json").read_text(encoding="utf-8"))
    record["settings"][size] = 16384
    (tmp_path / "lstm.json").write_text(json.dumps(record))
    shutil.copy(ROOT / "weights/lstm.weights.h5", tmp_path)
    with pytest.raises(UserError, match=r"lstm\.weights\.h5 is too small for its network; make both again"):
        lstm.load(tmp_path, build=None)


def test_a_network_too_large_for_memory_is_refused_before_it_is_built(monkeypatch):
    """64 layers of 16,384 units are 137 billion weights, which with gradients, optimizer and copy take 2.5 TiB."""
    monkeypatch.setattr(lstm, "build", None)
    songs = dataset_of(tunes(1))
    sizes = {"embedding": 4, "units": 16384, "layers": 64, "dense": 4, "batch": 4, "bptt_length": 8}
    with pytest.raises(UserError, match=r"this training needs at least 2,.* GiB of memory.*lower --units"):
        training.Trainer(songs, {"training": [0, 1], "validation": [2]}, sizes | {"seed": 0, "pitch_only": False})


# Composing


def compose(network, memories, seeds, guidance=0.0, **settings):
    sampler = sampling.Sampler(network, NOTES, guided=guidance != 0)
    settings = {"temperature": 1.0, "length": 30, "window": 7} | settings
    rngs = [np.random.default_rng(seed) for seed in seeds]
    return [song.pitch.tolist() for song in sampler.compose(memories, rngs, guidance=guidance, **settings)]


def sample_by_hand(network, memories, seed, temperature, guidance, length, unconditional=None):
    """A song sampled from the NumPy network: the first note whose cumulative probability exceeds the random number.

    Guidance and temperature choose among the notes; the song ends as often as is predicted without them.

    `unconditional` is the network that starts from the zero state, if it is another."""
    rng, song, zero = np.random.default_rng(seed), [], [np.zeros_like(state) for state in memories]
    while len(song) < length:
        inputs = read([[5, *song]])
        sides = (network, memories), (unconditional or network, zero)
        logits, plain = (by_hand(side, inputs, before)[0][0][0, -1] for side, before in sides)
        end = np.exp(logits[5] - np.logaddexp.reduce(logits)) if song else 0.0
        guided = (plain + (1 + guidance) * (logits - plain))[:5] / temperature
        pitches = np.exp(guided - np.logaddexp.reduce(guided))
        note = int((np.cumsum((1 - end) * pitches) <= rng.random(dtype=np.float32)).sum())
        if note == 5:
            break
        song.append(note)
    return song


@pytest.mark.parametrize("guidance", [0.0, 1.5])
def test_songs_are_sampled_from_the_network(network, guidance):
    memories = states(4, seed=3)
    songs = compose(network, memories, range(4), guidance, temperature=0.8)
    for s, song in enumerate(songs):
        assert song == sample_by_hand(network, [state[[s]] for state in memories], s, 0.8, guidance, 30)


def test_two_memories_give_different_songs_and_the_same_memory_the_same(network):
    memories = [state[[0, 0, 0, 1, 1, 1, 0, 0, 0]] for state in states(2, seed=4)]
    songs = compose(network, memories, [7, 8, 9] * 3)
    assert songs[:3] == songs[6:] != songs[3:6]


@pytest.mark.slow
def test_a_song_does_not_depend_on_its_batch(network):
    memories = states(5, seed=5)
    together = compose(network, memories, range(5))
    assert [compose(network, [state[[s]] for state in memories], [s])[0] for s in range(5)] == together


def test_each_song_is_reported_as_soon_as_it_has_ended(network):
    """A song that ends in an earlier window is reported before the next window is sampled."""
    random_numbers = {s: np.random.default_rng(s) for s in range(3)}
    reported, sampled = [], []

    class Counting:
        def __init__(self, s):
            self.s = s

        def random(self, *size):
            sampled.append(self.s)
            return random_numbers[self.s].random(*size)

    def on_song(index, song):
        reported.append((index, song.pitch.tolist(), len(sampled)))

    songs = sampling.Sampler(network, NOTES, guided=False).compose(
        states(3, seed=4),
        [Counting(s) for s in range(3)],
        temperature=1.0,
        guidance=0.0,
        length=30,
        window=7,
        on_song=on_song,
    )
    assert sorted(index for index, *_ in reported) == [0, 1, 2]
    assert all(notes == songs[index].pitch.tolist() for index, notes, _ in reported)
    windows = [-(-min(len(songs[index].pitch) + 1, 30) // 7) for index, *_ in reported]
    assert windows == sorted(windows) and len(set(windows)) > 1, "songs of different lengths"
    assert [count for *_, count in reported] == [3 * window for window in windows]


def test_a_song_that_is_caught_in_a_loop_is_composed_again_from_its_memory(network, monkeypatch):
    """With the next random numbers of its generator; the songs beside it stay the same."""
    memories, seeds = states(8, seed=5), range(8)
    monkeypatch.setattr(sampling, "LOOP", 31)
    plain = compose(network, memories, seeds)
    limit = max(map(longest_loop, plain))
    monkeypatch.setattr(sampling, "LOOP", limit)
    again = compose(network, memories, seeds)
    for s, (before, song) in enumerate(zip(plain, again, strict=True)):
        assert longest_loop(song) < limit
        rng = np.random.default_rng(s)
        rng.random(7 * -(-min(len(before) + 1, 30) // 7), np.float32)  # the windows of the first song
        second = sample_by_hand(network, [state[[s]] for state in memories], rng, 1.0, 0.0, 30)
        if longest_loop(before) < limit:
            assert song == before
        elif longest_loop(second) < limit:
            assert song == second != before
    monkeypatch.setattr(sampling, "LOOP", 0)
    assert all(map(len, compose(network, memories, seeds))), "after some attempts a song is taken as it is"


def test_songs_have_at_least_one_note_and_at_most_length(network):
    ending = lstm.build(SHAPE)
    ending.set_weights(network.get_weights())
    bias = ending.get_layer("output_head").logits.bias
    bias.assign(np.where(np.arange(6) == 5, 50.0, 0.0))
    assert {len(song) for song in compose(ending, states(6), range(6))} == {1}, "the end cannot be the first symbol"
    bias.assign(np.where(np.arange(6) == 5, -50.0, 0.0))
    assert {len(song) for song in compose(ending, states(6), range(6), length=11)} == {11}


def test_a_low_temperature_takes_the_likeliest_note(network):
    songs = compose(network, [np.repeat(state, 3, axis=0) for state in states(1)], range(3), temperature=0.01)
    together = min(map(len, songs))  # each ends when it ends
    assert together > 2 and len({tuple(song[:together]) for song in songs}) == 1


# Weights


def test_saved_weights_are_the_same_up_to_float16(network, tmp_path):
    checkpoint.save_weights(network, tmp_path / "a.weights.h5")
    again = checkpoint.load_weights(lstm.build(SHAPE), tmp_path / "a.weights.h5", "x")
    for one, other in zip(again.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other.astype(np.float16).astype(np.float32))
    assert [path.name for path in tmp_path.iterdir()] == ["a.weights.h5"]


def test_weights_that_do_not_fit_are_an_error(network, tmp_path):
    path = tmp_path / "a.weights.h5"
    with pytest.raises(UserError, match=r"make it with: train"):
        checkpoint.load_weights(network, path, "train")
    checkpoint.save_weights(network, path)
    with pytest.raises(UserError, match="of another network"):
        checkpoint.load_weights(lstm.build(lstm.Shape(5, 3, 8, 2, 6)), path, "train")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UserError, match="damaged"):
        checkpoint.load_weights(lstm.build(SHAPE), path, "train")


LOGITS_AND_SONGS = """
import json, sys
from pathlib import Path
import numpy as np
from melody import lookback, lstm, sampling
trained = lstm.load(Path(sys.argv[1]))
network, shape, rng = trained.network, trained.record.shape, np.random.default_rng(0)
values = [shape.notes + 2, shape.rhythms + 1, 3, shape.signatures + 1, shape.beats + 1]
values += [shape.notes + 1, shape.rhythms + 1]
tokens = [rng.integers(0, many, (4, 50)) for many in values[:lstm.token_columns(shape)]]
inputs = lookback.with_candidates(np.stack(tokens, axis=2), shape.notes, shape.rhythms)
memories = list((np.random.default_rng(1).normal(size=(shape.states, 4, shape.units)) / 3).astype("float32"))
logits = network.predict_on_batch([inputs, *memories])[: -shape.states]
sampler = sampling.Sampler(network, trained.vocabulary, guided=True)
rngs = [np.random.default_rng(k) for k in range(4)]
songs = sampler.compose(memories, rngs, temperature=1.0, guidance=1.0, length=20)
songs = [[song.pitch.tolist(), song.rhythm.tolist(), song.phrase.tolist(), song.opening] for song in songs]
print(json.dumps([[np.asarray(head).tolist() for head in logits], songs]))
"""


def save_network(folder, network, vocabulary, sizes):
    """Write an untrained network and its record, which `lstm.load` loads."""
    checkpoint.save_weights(network, folder / "lstm.weights.h5")
    record = {"weights": file_fingerprint(folder / "lstm.weights.h5"), "vocabulary": vocabulary.record()}
    write_json(folder / "lstm.json", record | {"settings": sizes, "held_out": {"validation": [], "test": []}})


@pytest.mark.slow
@pytest.mark.parametrize("which", ["shipped", "with rhythm"])
def test_the_same_weights_give_the_same_logits_and_songs_under_each_backend(tmp_path, which):
    """TensorFlow, JAX and PyTorch agree within 1e-4, with the shipped weights and with a small network of rhythms."""
    pytest.importorskip("jax", reason="needs the other backends: pip install jax torch")
    pytest.importorskip("torch", reason="needs the other backends: pip install jax torch")
    if which == "with rhythm":
        vocabulary, sizes = dataset_of(tunes(5)).vocabulary, {"embedding": 8, "units": 24, "layers": 2, "dense": 16}
        network = lstm.build(lstm.Shape.of(vocabulary, sizes))
        network.set_weights([3 * weight for weight in network.get_weights()])
        save_network(tmp_path, network, vocabulary, sizes)
    folder, results = tmp_path if which == "with rhythm" else "weights", {}
    for backend in ("tensorflow", "jax", "torch"):
        command = [sys.executable, "-c", LOGITS_AND_SONGS, folder]
        done = subprocess.run(command, env=os.environ | {"KERAS_BACKEND": backend}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        results[backend] = json.loads(done.stdout.splitlines()[-1])
    logits, songs = results["tensorflow"]
    assert max(len(song[0]) for song in songs) > 1
    for backend in ("jax", "torch"):
        others, same = results[backend]
        difference = max(np.abs(np.subtract(one, other)).max() for one, other in zip(logits, others, strict=True))
        print(f"{backend} and tensorflow: logits differ by at most {difference:.1e}")
        assert difference < 1e-4
        assert same == songs


OWN_LOOP_AND_PYTORCH = """
from unittest.mock import patch
import keras, numpy as np, torch
from melody.fast_lstm import LSTM
for time in (1, 9):
    keras.utils.set_random_seed(1)
    layer, rng, results = LSTM(4, return_sequences=True, return_state=True), np.random.default_rng(2), []
    layer.build((3, time, 2))
    layer.cell.bias.assign(rng.normal(size=16))
    arrays = [rng.normal(size=shape).astype("float32") for shape in ((3, time, 2), (3, 4), (3, 4))]
    upstream = [torch.tensor(rng.normal(size=shape).astype("float32")) for shape in ((3, time, 4), (3, 4), (3, 4))]
    assert layer.own_loop
    for backend in ("torch", "own loop"):
        tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
        with patch("keras.backend.backend", lambda: backend):
            found = layer(tensors[0], initial_state=tensors[1:])
        weights = [variable.value for variable in layer.trainable_weights]
        loss = sum((one * other).sum() for one, other in zip(found, upstream))
        results.append([*found, *torch.autograd.grad(loss, [*tensors, *weights])])
    for one, other in zip(*results, strict=True):
        assert one.dtype == other.dtype == torch.float32 and one.abs().max() > 0
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        for one, other in zip(layer(tensors[0], initial_state=tensors[1:]), results[0]):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
print("same")
"""


@pytest.mark.slow
def test_the_lstm_of_pytorch_computes_and_trains_as_our_own_loop():
    """Outputs, last states, and the gradients of inputs, first states and weights, in float32."""
    pytest.importorskip("torch", reason="needs PyTorch: pip install torch")
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    done = subprocess.run([sys.executable, "-c", OWN_LOOP_AND_PYTORCH], env=environment, capture_output=True, text=True)
    assert done.stdout == "same\n", done.stderr[-2000:]
