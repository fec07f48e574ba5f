"""Fine-tuning on songs of one's own: what is held out, which weights are chosen, and what is printed."""

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation import adaptation
from evaluation import fine_tuning as evaluation
from evaluation.report import Figure, Rows
from melody import dataset, lstm
from melody.fine_tuning import FineTuner, hold_out, table, unknown
from melody.formats.write_kern import write_kern
from melody.records import NetworkRecord
from melody.vocabulary import Vocabulary
from tests.synthetic import REGIONS, dataset_of, tune, tunes
from tests.test_pipeline import SMALL, TINY_VAE, stage
from tests.test_training import SETTINGS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def collection():
    return dataset_of(tunes(8))


def own_songs(vocabulary, count=12):
    """Songs of one's own in a collection of no name: each file name begins with another word."""
    rng, notes = np.random.default_rng(5), REGIONS["asia/china/han/han"]
    return dataset.dataset_of([tune(rng, f"own/{chr(97 + k)}", notes, "3/4", False) for k in range(count)], vocabulary)


@pytest.fixture(scope="module")
def tuner(collection):
    shape = lstm.Shape.of(collection.vocabulary, SETTINGS)
    record = NetworkRecord("0", shape, collection.vocabulary, {"validation": [], "test": []}, SETTINGS)
    trained = lstm.TrainedNetwork(lstm.build(shape), record)
    split = {"training": list(range(40)), "validation": list(range(40, 44)), "test": []}
    own = own_songs(collection.vocabulary)
    parts = {"training": list(range(10)), "validation": [10, 11]}
    with pytest.MonkeyPatch.context() as patch:  # predicting takes seconds to compile
        patch.setattr(FineTuner, "bits", lambda *_: {"validation_bits": 3.0, "collection_bits": 3.0})
        return FineTuner(trained, collection, split, own, parts, SETTINGS | {"own_share": 0.5})


def test_training_goes_on_from_the_network(tuner):
    assert len(tuner.validation) == 2 and len(tuner.collection) == 4
    for one, other in zip(tuner.model.network.get_weights(), tuner.eval_model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_songs_of_ones_own_are_one_collection_in_streams_of_their_own(tuner):
    streams = tuner._streams(0)
    assert len(streams.training.songs) == 40 and len(streams.training.own) == 10
    kinds = {tuple(np.unique(streams._order() >= 40)) for _ in range(50)}
    assert kinds == {(False,), (True,)}, "no stream has songs of both"
    streams.own_share = 1.0
    assert all((streams._order() >= 40).all() for _ in range(50))
    assert set(streams.training.collection[40:]) == {2}, "one more than the two regions"


def test_an_epoch_is_a_pass_over_the_songs_of_ones_own(tuner):
    """Half of the streams are of others. A batch has three streams of two windows of 20 tokens."""
    streams = tuner._streams(0)
    tokens = sum(len(song.pitch) + 1 for song in streams.training.own)
    assert streams.steps() == int(2 * tokens / (3 * 2 * 20)) * 2 > 0
    streams.batch = 1000
    assert streams.steps() == 2, "one batch of streams at the least"


def test_weights_that_forget_too_much_are_not_chosen(tuner, monkeypatch):
    """Of .05 bits that the collection costs more, .03 are free; each further bit counts as ten."""
    monkeypatch.setattr(tuner, "before", {"collection_bits": 3.0})
    bits = {"validation": 2.5, "collection": 3.05}
    monkeypatch.setattr(tuner, "bits", lambda name, *_: {f"{name}_bits": bits[name]})
    assert tuner._validate()["chosen_bits"] == pytest.approx(2.5 + 10 * 0.02)
    bits["collection"] = 3.029
    assert tuner._validate()["chosen_bits"] == 2.5


def test_what_is_never_composed_of_songs_is_said(collection):
    """Three notes of two songs last five quarters; the pickup of one of them is unknown too."""
    strange = own_songs(collection.vocabulary, 2)
    strange.duration[[0, 1, -1]], strange.pickup[1] = 5.0, 0.75
    notes = len(strange.pitch)
    assert unknown(strange, collection.vocabulary) == [
        f"notes with a rhythm that is never composed: 3 of {notes}",
        "songs whose time signature and pickup are never composed: 1 of 2",
    ]
    assert unknown(own_songs(collection.vocabulary, 2), collection.vocabulary) == []
    assert unknown(strange, Vocabulary(collection.vocabulary.names)) == []


def test_one_song_in_ten_is_held_out_with_its_near_duplicates(collection):
    songs = own_songs(collection.vocabulary, 30)
    parts = hold_out(songs, range(30), seed=0)
    assert len(parts["validation"]) == 3
    assert sorted(parts["training"] + parts["validation"]) == list(range(30))
    assert hold_out(songs, range(9), seed=0)["validation"] == []
    assert len(hold_out(songs, range(2, 12), seed=0)["validation"]) == 1


def test_a_song_and_its_copy_are_in_the_same_part():
    rng, notes = np.random.default_rng(1), REGIONS["asia/china/han/han"]
    once = [tune(rng, f"own/{k}", notes, "3/4") for k in range(10)]
    songs = dataset_of([*once, *(replace(song, name=f"{song.name}-copy") for song in once)])
    held_out = hold_out(songs, range(20), seed=0)["validation"]
    assert len(held_out) == 2 and held_out[1] == held_out[0] + 10


def test_songs_that_are_measured_have_no_copy_among_those_of_training(monkeypatch):
    rng, notes = np.random.default_rng(1), REGIONS["asia/china/han/han"]
    once = [tune(rng, f"own/{k}", notes, "3/4") for k in range(10)]
    songs = dataset_of([*once, *(replace(song, name=f"{song.name}-copy") for song in once)])
    monkeypatch.setattr(evaluation, "SONGS", 7)
    monkeypatch.setattr(adaptation, "MEASURED", 9)
    for draw in range(3):
        chosen, measured = evaluation.draw_songs(songs, draw)
        assert len(chosen) == 7 and len(measured) == 9
        assert not {s % 10 for s in chosen} & {s % 10 for s in measured}
    assert evaluation.draw_songs(songs, 0) != evaluation.draw_songs(songs, 1)


def test_the_table_of_an_evaluation_has_the_means_of_its_draws():
    rows = []
    for draw, value in enumerate((2.0, 3.0)):
        one = Rows("E4", region=f"irish {draw}")
        one.add_all("pitch_bits_per_note", {"before": Figure(value, 9), "after": Figure(value - 1, 9)})
        rows += one
    assert evaluation.table({"rows": rows}).splitlines()[2] == "| pitch bits per note | 2.500 | 1.500 |  |  | 9 |"


def test_the_docs_show_what_was_measured():
    record = json.loads((ROOT / "results/fine-tuning-aird.json").read_text(encoding="utf-8"))
    assert evaluation.table(record) in (ROOT / "docs/evaluation.md").read_text(encoding="utf-8")


def test_the_table_by_hand():
    before = {"own_pitch_bits": 2.9, "own_rhythm_bits": 1.4, "collection_pitch_bits": 2.0, "collection_rhythm_bits": 1}
    after = {name: value - 0.25 for name, value in before.items()}
    assert table(before, after, {"own": "2 songs of irish", "collection": "9 of others"}).splitlines() == [
        "bits per note               pitch           rhythm",
        "2 songs of irish   2.900 →  2.650   1.400 →  1.150",
        "9 of others        2.000 →  1.750   1.000 →  0.750",
    ]
    pitch_only = {name: value for name, value in before.items() if "rhythm" not in name}
    assert "rhythm" not in table(pitch_only, pitch_only, {"own": "2 songs"})


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--songs tunes --name irish", "--from, --songs and --name go together: --from weights --songs tunes"),
        ("--from weights --name irish", "--from, --songs and --name go together"),
        ("--from weights --songs tunes", "--from, --songs and --name go together"),
        (
            "--from weights --songs tunes --name han",
            "'han' is not a name of letters, digits",
        ),
        ("--from weights --songs tunes --name irish --units 3", "unrecognized arguments: --units 3"),
        ("--from nowhere --songs tunes --name irish", "--from nowhere: there is no network in this folder"),
        ("--from weights --songs nowhere --name irish", "no songs at nowhere"),
    ],
)
def test_mistakes_of_the_user_are_one_line(flags, says, capsys):
    assert stage("train_lstm", "--quiet", *flags.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and says in error and error.count("\n") == 1


@pytest.mark.parametrize("pitch_only", [False, True])
@pytest.mark.slow
def test_all_steps_with_songs_of_ones_own(tmp_path, monkeypatch, capsys, pitch_only):
    """A network goes on with twelve songs, is stopped and resumed, and composes by the commands that it prints."""
    for folder, songs in (("essen", tunes(10)), ("tunes", tunes(2, seed=1))):
        for k, song in enumerate(songs):
            name = f"essen/{song.name}" if folder == "essen" else f"tunes/tune{k}"
            write_kern(tmp_path / f"{name}.krn", song)
    monkeypatch.chdir(tmp_path)
    data = ("--data", "data", "--quiet")
    assert stage("preprocess", "--songs", "essen", *data, "--jobs", 1) == 0
    words = SMALL.split() + ["--pitch-only"] * pitch_only
    assert stage("train_lstm", *data, "--weights", "first", *words) == 0

    def fine_tune(weights, *flags):
        start = ("--from", "first", "--songs", "tunes", "--name", "irish", "--data", "data", "--weights", weights)
        return stage("train_lstm", *start, *"--epochs 2 --batch 2 --bptt-length 8 --jobs 1".split(), *flags)

    assert fine_tune("whole") == 0
    said, before = capsys.readouterr().out, json.loads((tmp_path / "first/lstm.json").read_text())
    assert "12 songs of irish" in said and "1 are held out" in said and "1 held-out songs of irish" in said
    with monkeypatch.context() as patch:
        epoch = FineTuner.epoch
        patch.setattr(FineTuner, "epoch", lambda self, number, on_step: stop() if number else epoch(self, 0, on_step))
        assert fine_tune("parts") == 2
    assert "stopped after 1 epochs" in capsys.readouterr().err
    assert fine_tune("parts") == 2 and "--resume continues its training" in capsys.readouterr().err
    assert fine_tune("parts", "--resume") == 0
    records = [json.loads((tmp_path / folder / "irish/lstm.json").read_text()) for folder in ("whole", "parts")]
    assert records[0] == records[1], "fingerprint of the weights and history"
    assert records[0]["settings"]["network"] == before["weights"] != records[0]["weights"]
    (held_out,) = set(records[0]["held_out"]["validation"]) - set(before["held_out"]["validation"])
    assert held_out.startswith("tunes/tune") and records[0]["held_out"]["test"] == before["held_out"]["test"]
    for what in {"pitches", "rhythms", "openings"} & set(before["vocabulary"]):
        assert records[0]["vocabulary"][what] == before["vocabulary"][what]

    index = tmp_path / "whole/irish/lstm-copies.h5"
    copies = index.read_bytes()
    index.unlink()
    assert stage("melody.copies", *data, "--weights", "whole/irish") == 0 and index.read_bytes() == copies

    small = {"generate_memories": "--count 60 --memory-notes 20", "vae.train": " ".join(TINY_VAE)}
    small["generate_song"] = "--count 1 --length 20 --out songs"
    commands = [shlex.split(line) for line in re.findall("^  python (.*)$", said, re.MULTILINE)]
    modules = [words[1] if words[0] == "-m" else words[0].removesuffix(".py") for words in commands]
    assert modules == list(small)
    for module, words in zip(modules, commands, strict=True):
        flags = words[2:] if words[0] == "-m" else words[1:]
        assert stage(module, *flags, *small[module].split(), "--quiet") == 0
    song = json.loads((tmp_path / "songs/irish/001.json").read_text())
    assert records[0]["weights"] in json.dumps(song), "the song names the network"


def stop():
    raise KeyboardInterrupt
