"""The evaluation: rows and tables, and a whole run at toy size on invented songs."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from evaluation import report
from melody import dataset
from melody.song import Song
from melody.vocabulary import ESSEN
from tests.test_pipeline import stage

REGIONS = {
    "asia/china/han/han": ("D4 E4 G4 A4 C5 D5 E5 G5", 1, 60),
    "europa/deutschl/erk/deut": ("C4 D4 E4 F4 G4 A4 B4 C5", 2, 80),
    "asia/china/shanxi/shanx": ("C4 D4 F4 G4 A4 C5 D5 F5", 3, 60),
    "europa/jugoslav/jugos": ("C4 D-4 E4 F4 G4 A-4 B4 C5", 1, 60),
}  # notes, the widest step, songs
VAES = (["china"], ["deutschl"], ["han"], ["shanxi"], ["jugoslav"], [])
NETWORK = "--embedding 4 --units 6 --layers 2 --dense 5 --epochs 2 --batch 4 --bptt-length 8 --windows-per-stream 2 --warmup-steps 2"


def test_a_bar_is_a_sign_or_a_span():
    assert report.meets(2.45, "≤ 2.45") and not report.meets(2.46, "≤ 2.45")
    assert report.meets(0.06, "> 0.05") and not report.meets(0.05, "> 0.05")
    assert report.meets(0.5, "0.40 … 0.65") and not report.meets(0.7, "0.40 … 0.65")


def test_an_interval_with_zero_in_it_holds_no_bar_that_asks_for_a_clear_one():
    assert report.row("x", 0.3, n=9, interval=(0.1, 0.5), must="≥ 0.2", clear=True)["holds"] is True
    assert report.row("x", 0.3, n=9, interval=(-0.1, 0.5), must="≥ 0.2", clear=True)["holds"] is False
    assert report.row("x", 0.3, n=9)["holds"] is None


def test_a_table_has_a_column_for_each_baseline():
    lines = [report.row("one", 2.43712, n=1234, must="≤ 2.45", baselines={"a": 1}),
             report.row("other", 46, n=5, interval=(45, 47), baselines={"b": 0.5}, real=0.25)]  # fmt: skip
    assert report.table(lines).splitlines() == [
        "|  | ours | 95 % interval | real songs | a | b | must | aim | holds | n |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
        "| one | **2.437** |  |  | 1.000 |  | ≤ 2.45 |  | yes | 1,234 |",
        "| other | **46** | 45 – 47 | 0.250 |  | 0.500 |  |  |  | 5 |",
    ]


def walk(rng, notes, leap):
    """A random walk over the notes, 60 to 90 notes long, its first twenty notes twice."""
    places = np.clip(np.cumsum(rng.integers(-leap, leap + 1, rng.integers(40, 71))) + 4, 0, len(notes) - 1)
    return [notes[place] for place in [*places[:20], *places]]


def invented() -> list[Song]:
    """Songs of two regions that differ in their notes and their steps."""
    rng, songs = np.random.default_rng(0), []
    for region, (notes, leap, count) in REGIONS.items():
        for k in range(count):
            pitch = walk(rng, notes.split(), leap)
            times = [1.0] * len(pitch), [0.0] * len(pitch), [False] * len(pitch)
            songs.append(Song(f"{region}{k:04d}", pitch, *times, key="C"))
    return songs


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Data of invented regions, a tiny network and one that is told regions."""
    root = tmp_path_factory.mktemp("evaluation")
    place = SimpleNamespace(data=root / "data", weights=root / "weights")
    songs = invented()
    place.data.mkdir()
    ESSEN.save(place.data / "vocabulary.json")
    dataset.write_songs(place.data / "songs.h5", songs, ESSEN, {})
    names = [song.name for song in songs]
    split = {"training": names[::2], "validation": names[1::4], "test": names[3::4]}
    (place.data / "split.json").write_text(json.dumps(split))
    place.flags = ("--data", place.data, "--weights", place.weights, "--quiet")
    assert stage("train_lstm", *place.flags, *NETWORK.split()) == 0
    assert stage("evaluation.control_token", *place.flags) == 0
    return place


@pytest.fixture(scope="module")
def ready(place, tmp_path_factory):
    """The same with VAEs, in a folder of its own."""
    root = tmp_path_factory.mktemp("ready")
    ready = SimpleNamespace(data=place.data, weights=root / "weights", out=root / "results")
    shutil.copytree(place.weights, ready.weights)
    folders = ("--data", ready.data, "--weights", ready.weights, "--quiet")
    for regions in VAES:
        assert stage("generate_memories", *folders, "--regions", *regions, "--count", 60, "--notes", 20) == 0
        assert stage("vae.train", *folders, "--regions", *regions, "--latent", 2, "--hidden", 8, "--epochs", 1) == 0
    ready.flags = (*folders, "--out", ready.out)
    return ready


@pytest.fixture(scope="module")
def tiny():
    """A quick run has the smallest sizes that give every figure."""
    from evaluation import context

    sizes = context.Sizes(songs=60, memories=2, scored=6, states=20, learnt=30, judged=20, rounds=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context, "QUICK", sizes)
        yield


@pytest.fixture(scope="module")
def record(ready, tiny):
    """What a whole quick run writes."""
    assert stage("evaluate", *ready.flags, "--quick") == 0
    return json.loads((ready.out / "evaluation-quick.json").read_text())


@pytest.mark.slow
def test_every_metric_has_rows_that_say_all(record):
    assert list(record["metrics"]) == [f"M{k}" for k in range(1, 13)]
    for lines in record["metrics"].values():
        assert lines
        for line in lines:
            assert set(line) == {"what", "ours", "interval", "baselines", "real", "must", "aim", "holds", "n"}
            assert np.isfinite(line["ours"]) and line["n"] > 0
            assert (line["holds"] is None) == (line["must"] is None)
            assert line["interval"] is None or line["interval"][0] <= line["interval"][1]
    assert record["seed"] == 0 and record["command"].startswith("python evaluate")
    vaes = {f"vae-{name}" for name in ("all", "china", "deutschl", "han", "jugoslav", "shanxi")}
    assert {"network", "token", "vocabulary", "split"} | vaes == set(record["fingerprints"])


@pytest.mark.slow
def test_the_baselines_stand_beside_ours(record):
    found = {line["what"]: line for lines in record["metrics"].values() for line in lines}
    assert any("IDyOM" in name for name in found["bits per note, all test songs"]["baselines"])
    assert any("told the key" in name for name in found["bits per note, all test songs"]["baselines"])
    steering = found["china called china, notes 1–32, default"]
    assert set(steering["baselines"]) == {
        "zero state", "random songs", "held-out songs", "PCA-8 Gaussian", "primer of 15 notes",
        "Kneser-Ney 4 of the region", "region token",
    }  # fmt: skip
    assert "region token" in found["bits per note, all test songs"]["baselines"]
    assert "region token" in found["china: own memories against none, bits a note"]["baselines"]
    saved, own, none, proportionate = (
        found[f"china: {what}, bits a note"]
        for what in (
            "own memories against none", "needed with own memories", "needed without",
            "own memories against those of all songs, of 0.139 at most",
        )
    )  # fmt: skip
    assert saved["ours"] == pytest.approx(none["ours"] - own["ours"])
    assert proportionate["baselines"]["random songs"] == 0, "they are of all songs already"
    caricature = "Kneser-Ney 4 of the region"
    assert proportionate["baselines"][caricature] == saved["baselines"][caricature], "it has no other way to know none"
    assert steering["real"] > 0.9, "the invented regions are easily told apart"
    assert steering["baselines"]["Kneser-Ney 4 of the region"] > 0.9, "a caricature passes"
    assert found["deutschl, han, shanxi told apart, default"]["real"] > 0.8
    assert found["shanxi called shanxi, of three, without guidance"]["real"] > 0.8
    assert any(what.startswith("jugoslav against the songs around it") and "told apart with" in what for what in found)
    assert "median length, notes: all songs, default" in found


@pytest.mark.slow
def test_pictures_are_drawn(ready, record):
    for name in ("steering", "latent-plane", "features"):
        assert (ready.out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (ready.out / f"{name}.svg").read_bytes()
    assert {line["region"] for line in record["curve"]} == {"china", "deutschl"}


@pytest.mark.slow
def test_tables_are_printed_from_the_file(ready, record, capsys):
    assert stage("evaluate", "--out", ready.out, "--quick", "--table") == 0
    printed = capsys.readouterr().out
    assert printed.strip() == report.headlines(record)
    assert f"| M1 | bits per note, all test songs | **{record['metrics']['M1'][0]['ours']:.3f}**" in printed
    assert "| jugoslav (" in printed and "shown |" in printed
    tables = (ready.out / "evaluation-quick.md").read_text()
    assert all(f"**{name}**" in tables for name in record["metrics"])


def test_the_readme_shows_what_was_measured_on_the_weights_that_come_with_it():
    root = Path(__file__).parent.parent
    kept = json.loads((root / "results/evaluation.json").read_text())
    assert report.headlines(kept) in (root / "docs/evaluation.md").read_text()
    assert report.markdown(kept) + "\n" == (root / "results/evaluation.md").read_text()
    for name in ("china", "deutschl", "all"):
        trained = json.loads((root / f"weights/vae-{name}.json").read_text())
        assert kept["fingerprints"][f"vae-{name}"] == trained["weights"]
        assert kept["fingerprints"]["network"] == trained["settings"]["memories"]["network"]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_figures(ready, tiny, tmp_path):
    for folder in ("one", "other"):
        assert stage("evaluate", *ready.flags[:-1], tmp_path / folder, "--quick", "--only", "M1", "M9") == 0
    one, other = (json.loads((tmp_path / name / "evaluation-quick-part.json").read_text()) for name in ("one", "other"))
    assert one["metrics"] == other["metrics"]


def test_the_token_network_is_trained_as_the_network_was(place, capsys):
    network, token = (json.loads((place.weights / f"{name}.json").read_text()) for name in ("lstm", "token"))
    assert token["settings"] == network["settings"] | {"token_probability": 0.9}
    assert token["vocabulary"] == network["vocabulary"] and token["regions"] == ["deut", "han", "jugos", "shanx"]
    assert len(token["history"]) == 2
    assert stage("evaluation.control_token", *place.flags) == 2
    assert "token.weights.h5 exists: --resume continues" in capsys.readouterr().err


@pytest.mark.slow
def test_the_region_token_is_left_out_or_refused(ready, tiny, tmp_path, capsys):
    shutil.copytree(ready.weights, tmp_path, dirs_exist_ok=True)
    flags = ("--data", ready.data, "--weights", tmp_path, "--out", tmp_path, "--quick", "--only", "M1")
    token = json.loads((tmp_path / "token.json").read_text())
    token["held_out"]["test"].pop()
    (tmp_path / "token.json").write_text(json.dumps(token))
    assert stage("evaluate", *flags) == 2
    assert "holds out other songs than lstm.json" in capsys.readouterr().err
    (tmp_path / "token.json").unlink()
    assert stage("evaluate", *flags) == 0
    assert "no region token is measured; it is made with: python -m evaluation.control_token" in capsys.readouterr().out
    record = json.loads((tmp_path / "evaluation-quick-part.json").read_text())
    assert all("region token" not in line["baselines"] for line in record["metrics"]["M1"])


@pytest.mark.slow
def test_the_regions_that_the_bars_are_about_need_their_vaes(ready, tmp_path, capsys):
    shutil.copytree(ready.weights, tmp_path, dirs_exist_ok=True)
    (tmp_path / "vae-deutschl.json").unlink()
    (tmp_path / "vae-deutschl.weights.h5").unlink()
    assert stage("evaluate", "--data", ready.data, "--weights", tmp_path, "--out", tmp_path) == 2
    assert "no VAE of deutschl" in capsys.readouterr().err


def test_what_the_user_can_mend_is_one_line(place, tmp_path, capsys):
    def says(*flags):
        assert stage("evaluate", *flags) == 2
        error = capsys.readouterr().err.strip()
        assert error.startswith("error: ") and "\n" not in error
        return error

    assert "make it with: python evaluate.py" in says("--out", tmp_path, "--table")
    assert "generate_memories.py --regions && python -m vae.train" in says(*place.flags, "--out", tmp_path)
    other = tmp_path / "data"
    other.mkdir()
    (other / "vocabulary.json").write_bytes((place.data / "vocabulary.json").read_bytes())
    heard = json.loads((place.data / "split.json").read_text())["training"]
    dataset.write_songs(other / "songs.h5", [song for song in invented() if song.name in heard], ESSEN, {})
    assert "none of the" in says("--data", other, "--weights", place.weights, "--out", tmp_path, "--quiet")
