"""The evaluation: rows and tables, and a whole run at toy size on synthetic songs."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from evaluate import METRICS
from evaluation import ablations, report, unseen
from evaluation.report import Figure, Rows
from melody import dataset
from melody.song import Song, with_bars
from melody.vocabulary import ESSEN
from preprocess import add_rhythms
from tests.test_pipeline import stage

REGIONS = {
    "asia/china/han/han": ("D4 E4 G4 A4 C5 D5 E5 G5", 1, 60),
    "europa/deutschl/erk/deut": ("C4 D4 E4 F4 G4 A4 B4 C5", 2, 80),
    "asia/china/shanxi/shanx": ("C4 D4 F4 G4 A4 C5 D5 F5", 3, 60),
    "europa/jugoslav/jugos": ("C4 D-4 E4 F4 G4 A-4 B4 C5", 1, 60),
}  # notes, the largest interval, songs
BARS = {"2/4": ([1, 1], [1, 0.5, 0.5], [2]), "3/4": ([1, 1, 1], [2, 1], [1, 0.5, 0.5, 1]), "6/8": ([1, 0.5, 1, 0.5],)}
VAES = (["china"], ["deutschl"], ["han"], ["shanxi"], ["jugoslav"], [])
NETWORK = (
    "--embedding 4 --units 6 --layers 2 --dense 5 --epochs 2 --batch 4 --bptt-length 8 --windows-per-stream 2 "
    "--warmup-steps 2"
)


def test_a_target_is_a_sign_or_a_range_or_asks_for_the_interval():
    assert report.meets(2.45, "≤ 2.45") and not report.meets(2.46, "≤ 2.45")
    assert report.meets(0.06, "> 0.05") and not report.meets(0.05, "> 0.05")
    assert report.meets(0.5, "0.40 to 0.65") and not report.meets(0.7, "0.40 to 0.65")
    assert report.meets(-0.01, "-0.05 to 0.05")
    assert report.meets(0.3, report.CLEAR, (0.1, 0.5)) and not report.meets(0.3, report.CLEAR, (-0.1, 0.5))
    assert report.meets(-0.1, report.NOT_BELOW, (-0.2, 0.1)) and not report.meets(-0.1, report.NOT_BELOW, (-0.2, -0.1))
    assert report.meets(0.1, report.NOT_ABOVE, (-0.2, 0.2)) and not report.meets(0.1, report.NOT_ABOVE, (0.05, 0.2))


@pytest.fixture
def small():
    """Two guidances of one measure, and what has no guidance."""
    rows = Rows("M4", region="china")
    for guidance, value in ((0.5, 0.96), (0.0, 0.93)):
        figures = {"VAE": Figure(value, 1234, (0.9, 0.98)), "unconditional": Figure(0.38, 1234)}
        figures["real songs"] = Figure(0.949, 190)
        rows.add_all("steering_rate", figures, "≥ 0.95", "≥ 0.97", guidance=guidance, notes="1-32")
    rows.add("active_units", "VAE", Figure(46, 5))
    unique = {tuple(row[field] for field in report.FIELDS): row for row in rows}
    return {"rows": list(unique.values()), "about": {"M4": "Does it steer?"}, "conditions": {"VAE": "sampled memories"},
            "settings": {"guidance": 0.5}}  # fmt: skip


def test_rows_are_found_by_their_fields(small):
    rows = small["rows"]
    assert report.value(rows, measure="steering_rate", condition="VAE", guidance=0.5) == 0.96
    assert [row["met"] for row in report.find(rows, measure="steering_rate", condition="VAE")] == [True, False]
    assert report.value(rows, condition="unconditional") == 0.38, "one row for what takes no guidance"
    assert report.value(rows, condition="token") is None
    with pytest.raises(ValueError, match="2 rows"):
        report.value(rows, measure="steering_rate", condition="VAE")


def test_docs_tables_have_a_column_for_each_condition_and_show_the_unguided_beside_every_guidance(small):
    label = "china: steering rate, notes 1-32"
    lines = report.docs_tables(small).removeprefix(report.INTERVALS).strip().splitlines()
    assert lines == [
        "Conditions:", "", "- *VAE*: sampled memories", "", "### M4", "", "Does it steer?", "",
        "|  | guidance | VAE | unconditional | real songs | target | met | n |",
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
        f"| {label} | 0.500 | 0.960 (0.900 to 0.980) | 0.380 | 0.949 | ≥ 0.95 (aim ≥ 0.97) | yes | 1,234 |",
        f"| {label} | 0 | 0.930 (0.900 to 0.980) | 0.380 | 0.949 | ≥ 0.95 (aim ≥ 0.97) | no | 1,234 |",
        "| china: active units |  | 46 |  |  |  |  | 5 |",
    ]  # fmt: skip


def test_the_tables_name_regions_that_their_memories_harm(small):
    rows = Rows("M4")
    for region, spread in (("natmin", (-0.7, -0.1)), ("kinder", (-0.1, 0.1)), ("han", (0.2, 0.8))):
        figure = Figure(np.mean(spread), 9, spread)
        rows.add("steering_rate_minus_unconditional", "VAE", figure, report.NOT_BELOW, region=region)
    text = report.docs_tables(small | {"rows": rows})
    assert text.endswith("Memories of natmin lower the steering rate: do not use them to steer.")


def test_the_readme_table_shows_the_default_guidance(small):
    assert report.readme_table(small).splitlines() == [
        "|  | this project (95 % interval) | real songs | for comparison |",
        "| --- | --: | --: | --: |",
        "| Chinese songs classified as Chinese | 0.960 (0.900 to 0.980) | 0.949 | unconditional 0.380 |",
    ]


def walk(rng, notes, leap):
    """A random walk over the notes, 60 to 90 notes long, its first twenty notes twice."""
    steps = np.clip(np.cumsum(rng.integers(-leap, leap + 1, rng.integers(40, 71))) + 4, 0, len(notes) - 1)
    return [notes[step] for step in [*steps[:20], *steps]]


def synthetic() -> list[Song]:
    """Songs of regions that differ in their scales and intervals."""
    rng, songs = np.random.default_rng(0), []
    for region, (notes, leap, count) in REGIONS.items():
        for k in range(count):
            pitch, times, meter = walk(rng, notes.split(), leap), [], ["2/4", "3/4", "6/8"][(k + count) % 3]
            while len(times) < len(pitch):
                times += BARS[meter][rng.integers(len(BARS[meter]))]
            pitch += pitch[: len(times) - len(pitch)]
            phrase = [i % 8 == 0 for i in range(len(pitch))]
            song = Song(f"{region}{k:04d}", pitch, times, [0.0] * len(pitch), phrase, key="Cc"[k % 3 == 0], meter=meter)
            songs.append(with_bars(song))
    return songs


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Data of synthetic regions, a tiny network and one with a control token."""
    root = tmp_path_factory.mktemp("evaluation")
    place = SimpleNamespace(data=root / "data", weights=root / "weights")
    songs = synthetic()
    place.data.mkdir()
    ESSEN.save(place.data / "vocabulary.json")
    dataset.write_songs(place.data / "songs.h5", dataset.dataset_of(songs, ESSEN), {})
    names = [song.name for song in songs]
    place.split = {"training": names[::2], "validation": names[1::4], "test": names[3::4]}
    (place.data / "split.json").write_text(json.dumps(place.split))
    add_rhythms(place.data)
    place.flags = ("--data", place.data, "--weights", place.weights, "--quiet")
    assert stage("train_lstm", *place.flags, *NETWORK.split()) == 0
    assert stage("evaluation.baselines", "token", *place.flags) == 0
    return place


@pytest.fixture(scope="module")
def ready(place, tmp_path_factory):
    """The same with VAEs, in another folder."""
    root = tmp_path_factory.mktemp("ready")
    ready = SimpleNamespace(data=place.data, split=place.split, weights=root / "weights", out=root / "results")
    shutil.copytree(place.weights, ready.weights)
    folders = ("--data", ready.data, "--weights", ready.weights, "--quiet")
    for regions in VAES:
        assert stage("generate_memories", *folders, "--regions", *regions, "--count", 60, "--memory-notes", 20) == 0
        assert stage("vae.train", *folders, "--regions", *regions, "--latent", 2, "--hidden", 8, "--epochs", 1) == 0
    ready.flags = (*folders, "--out", ready.out)
    return ready


@pytest.fixture(scope="module")
def tiny():
    """A quick run has the smallest sizes that give every figure."""
    from evaluation import context, statistics

    sizes = context.Sizes(songs=60, sets=5, memories=2, scored=6, continued=20, fitted=30, windows=20, latents=4,
                          songs_per_latent=3, rounds=3)  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context, "QUICK", sizes)
        patch.setattr(statistics, "TREES", 20)
        yield


@pytest.fixture(scope="module")
def record(ready, tiny):
    """What a whole quick run on test songs writes."""
    assert stage("evaluate", *ready.flags, "--quick", "--part", "test") == 0
    return json.loads((ready.out / "evaluation-quick.json").read_text())


@pytest.mark.slow
def test_every_metric_has_rows_with_all_fields(record):
    assert list(record["about"]) == METRICS
    assert {row["metric"] for row in record["rows"]} == set(record["about"])
    keys = [tuple(row[name] for name in report.FIELDS) for row in record["rows"]]
    assert len(keys) == len(set(keys)), "each row is identified by its fields"
    for row in record["rows"]:
        assert set(row) == {*report.FIELDS, "value", "interval", "n", "target", "aim", "met"}
        assert np.isfinite(row["value"]) and row["n"] >= 0
        assert (row["met"] is None) == (row["target"] is None)
        assert row["interval"] is None or row["interval"][0] <= row["interval"][1]
    assert record["seed"] == 0 and record["command"].startswith("python evaluate")
    assert record["settings"]["part"] == "test"
    vaes = {f"vae-{name}" for name in ("all", "china", "deutschl", "han", "jugoslav", "shanxi")}
    assert {"network", "token", "vocabulary", "split"} | vaes == set(record["fingerprints"])


@pytest.mark.slow
def test_all_conditions_are_measured(record):
    def conditions(**fields):
        return {row["condition"] for row in report.find(record["rows"], **fields)}

    everything = set(record["conditions"])
    assert {"VAE", "mean memory", "training songs", "PCA-8", "PCA-32", "Gaussian", "control token"} < everything
    assert conditions(measure="steering_rate", region="china") == everything
    assert conditions(metric="M5", region="china", measure="bits_per_note") == everything - {"primer", "real songs"}
    assert {"network", "control token", "long-term + short-term n-gram, given the key"} < conditions(metric="M1")
    assert not any("IDyOM" in str(row) for row in record["rows"])
    assert {"planted fault: states of two memories mixed"} < conditions(metric="M7", measure="two_sample_auc")
    for region in ("han", "shanxi", "jugoslav"):
        assert report.find(record["rows"], measure="steering_rate_minus_unconditional", region=region)


@pytest.mark.slow
def test_figures_are_consistent(record):
    def value(**fields):
        return report.value(record["rows"], **fields)

    steering = {"measure": "steering_rate", "region": "china", "notes": "1-32"}
    assert value(**steering, condition="real songs") > 0.9, "the synthetic regions are easy to classify"
    assert value(**steering, condition="n-gram of the region") > 0.9, "overshoot passes the classifier"
    assert value(measure="three_way_balanced_accuracy", condition="real songs") > 0.8
    fields = {"metric": "M5", "region": "china", "notes": "2-8"}
    saved = value(**fields, measure="bits_saved_over_memories_of_all_songs", condition="VAE")
    every, own = (value(**fields, measure="bits_per_note", condition=name) for name in ("random songs", "VAE"))
    assert saved == pytest.approx(every - own)
    assert value(metric="M6", region="china", measure="share_of_worth_kept", condition="PCA-32") is not None
    for feature in ("first_note", "range"):
        assert abs(value(measure=f"icc_{feature}", region="china", condition="mean memory")) <= 1


@pytest.mark.slow
def test_a_quick_run_draws_no_figures(ready, record):
    assert sorted(path.name for path in ready.out.iterdir()) == ["evaluation-quick.json", "evaluation-quick.md"]
    assert record["curve"] == []


@pytest.mark.slow
def test_figures_are_drawn(ready, tiny, record, tmp_path):
    import argparse

    import evaluate
    from evaluation import figures

    names = {"data": ready.data, "weights": ready.weights, "out": tmp_path, "part": "test"}
    names |= {"quick": True, "quiet": True}
    args = argparse.Namespace(**names, seed=0, temperature=1.0, guidance=0.5, length=90, only=evaluate.METRICS)
    context = evaluate.load_context(args)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "GUIDANCES", (0.0, 0.5))
        patch.setattr(figures, "TEMPERATURES", ())
        args.quick = False
        curve = evaluate.draw(context, args, record["rows"])
    assert {line["region"] for line in curve} == {"china", "deutschl"}
    for name in ("steering", "memory-plane", "features", "traversal", "mixing"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (tmp_path / f"{name}.svg").read_bytes()


@pytest.mark.slow
def test_tables_are_printed_from_the_file(ready, record, capsys):
    for name, table in (("docs", report.docs_tables), ("readme", report.readme_table)):
        assert stage("evaluate", "--out", ready.out, "--quick", "--table", name) == 0
        assert capsys.readouterr().out.strip() == table(record)
    assert (ready.out / "evaluation-quick.md").read_text().strip() == report.docs_tables(record)
    assert all(f"### {name}\n\n{about}" in report.docs_tables(record) for name, about in record["about"].items())
    lines = report.readme_table(record).splitlines()
    assert len(lines) == 2 + len(report.README) == 10 and all(line.count("|") == 5 for line in lines)


def test_the_docs_show_what_was_measured_on_the_shipped_weights():
    root = Path(__file__).parent.parent
    record = json.loads((root / "results/evaluation.json").read_text())
    assert report.readme_table(record) in (root / "README.md").read_text()
    docs = (root / "docs/evaluation.md").read_text()
    assert report.docs_tables(record) in docs
    assert ablations.table(json.loads((root / "results/ablations.json").read_text())) in docs
    assert record["settings"]["part"] == "test" and not record["settings"]["quick"]
    validation = json.loads((root / "results/evaluation-validation.json").read_text())
    met, others = ([row["met"] for row in rows["rows"] if row["met"] is not None] for rows in (validation, record))
    assert f"{sum(met)} of {len(met)} targets are met there,\n{sum(others)} here" in docs
    assert validation["settings"]["part"] == "validation" and validation["fingerprints"] == record["fingerprints"]
    for name in ("china", "deutschl"):
        trained = json.loads((root / f"weights/vae-{name}.json").read_text())
        assert record["fingerprints"][f"vae-{name}"] == trained["weights"]
        assert record["fingerprints"]["network"] == trained["settings"]["memories"]["network"]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_figures(ready, tiny, tmp_path):
    for folder in ("one", "other"):
        assert stage("evaluate", *ready.flags[:-1], tmp_path / folder, "--quick", "--only", "M1", "M10") == 0
    paths = (tmp_path / name / "evaluation-quick-partial-validation.json" for name in ("one", "other"))
    one, other = (json.loads(path.read_text()) for path in paths)
    assert one["rows"] == other["rows"]


@pytest.mark.slow
def test_a_worker_of_a_cluster_gives_the_same_figures(ready, tmp_path):
    from tests.test_cluster import start, start_scheduler, stop, worker_flags

    scheduler, address = start_scheduler(tmp_path)
    worker = start("worker", *worker_flags(address, tmp_path))
    try:
        for folder, flags in (("here", ()), ("there", ("--cluster", address))):
            out = ("--out", tmp_path / folder, "--quick", "--only", "M1", "M3")
            assert stage("evaluate", *ready.flags[:-2], *out, *flags) == 0
    finally:
        for process in (worker, scheduler):
            stop(process)
    here, there = (
        json.loads((tmp_path / name / "evaluation-quick-partial-validation.json").read_text())
        for name in ("here", "there")
    )
    assert here["rows"] == there["rows"] and here["rows"]


@pytest.mark.slow
def test_real_memories_come_from_the_part_that_is_not_measured(ready, tiny):
    import argparse

    import evaluate

    for part, other in (("validation", "test"), ("test", "validation")):
        names = {"data": ready.data, "weights": ready.weights, "part": part, "quick": True, "quiet": True}
        context = evaluate.load_context(argparse.Namespace(**names, seed=0, temperature=1, guidance=0, length=9))
        assert context.other_part == other
        assert context.real("china") is context.songs_of(part, "china")
        assert not set(context.indices(part)) & set(context.indices(other))


@pytest.mark.slow
def test_the_token_network_is_trained_as_the_network_was(place, capsys):
    network, token = (json.loads((place.weights / f"{name}.json").read_text()) for name in ("lstm", "token"))
    assert token["settings"] == network["settings"] | {"token_probability": 0.9}
    assert token["vocabulary"] == network["vocabulary"] and token["regions"] == ["deut", "han", "jugos", "shanx"]
    assert len(token["history"]) == 2
    assert stage("evaluation.baselines", "token", *place.flags) == 2
    assert "token.weights.h5 exists: --resume continues" in capsys.readouterr().err


@pytest.mark.slow
def test_the_control_token_is_left_out_or_refused(ready, tiny, tmp_path, capsys):
    shutil.copytree(ready.weights, tmp_path, dirs_exist_ok=True)
    flags = ("--data", ready.data, "--weights", tmp_path, "--out", tmp_path, "--quick", "--only", "M1")
    token = json.loads((tmp_path / "token.json").read_text())
    token["held_out"]["test"].pop()
    (tmp_path / "token.json").write_text(json.dumps(token))
    assert stage("evaluate", *flags) == 2
    assert "holds out other songs than lstm.json" in capsys.readouterr().err
    (tmp_path / "token.json").unlink()
    assert stage("evaluate", *flags) == 0
    assert "it is left out; train it with: python -m evaluation.baselines token" in capsys.readouterr().out
    record = json.loads((tmp_path / "evaluation-quick-partial-validation.json").read_text())
    assert not report.find(record["rows"], condition="control token")


@pytest.mark.slow
def test_the_other_baselines_predict_beside_the_network(ready, tmp_path):
    """The network on pitches alone has no bits of rhythms; a Transformer has, with streams in one window."""
    shutil.copytree(ready.weights, tmp_path, dirs_exist_ok=True)
    flags = ("--data", ready.data, "--weights", tmp_path, "--quiet")
    for name in ("pitch-only", "transformer", "transformer-no-lookback"):
        assert stage("evaluation.baselines", name, *flags) == 0
    network, other = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("lstm", "transformer"))
    changed = {key for key, value in other["settings"].items() if value != network["settings"][key]}
    assert changed == {"layers", "units", "learning_rate", "bptt_length", "windows_per_stream"}
    assert stage("evaluate", *flags, "--out", tmp_path, "--quick", "--only", "M1") == 0
    record = json.loads((tmp_path / "evaluation-quick-partial-validation.json").read_text())
    pitch, rhythm = (
        {row["condition"]: row["value"] for row in report.find(record["rows"], measure=measure)}
        for measure in ("bits_per_note", "rhythm_bits_per_note")
    )
    names = {"network", "Transformer", "Transformer without lookback"}
    assert names | {"network on pitches alone"} <= set(pitch) and names <= set(rhythm)
    assert "network on pitches alone" not in rhythm
    assert len({pitch[name] for name in names}) == 3


@pytest.mark.slow
def test_ablations_are_trained_once_and_measured(ready, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ablations, "SMALL", {"epochs": 1})
    shutil.copytree(ready.weights, tmp_path, dirs_exist_ok=True)
    flags = ("--data", ready.data, "--weights", tmp_path, "--out", tmp_path, "--quiet")
    flags = (*flags, "--only", "full", "token", "transformer")
    assert stage("evaluation.ablations", *flags[:-3], "pitch-only") == 0
    assert stage("evaluation.ablations", *flags) == 0
    record = json.loads((tmp_path / "ablations.json").read_text())
    trained = json.loads((tmp_path / "ablations" / "full.json").read_text())
    bits, *_ = report.find(record["rows"], measure="rhythm_bits_per_note")
    assert bits["condition"] == "full"
    assert bits["value"] == pytest.approx(trained["history"][0]["validation_rhythm_bits"], abs=1e-4)
    names = [row["condition"] for row in report.find(record["rows"], measure="pitch_bits_per_note")]
    assert names == ["full", "token", "pitch-only", "transformer"], "earlier figures stay"
    given = {
        row["condition"] for row in report.find(record["rows"], measure="pitch_bits_per_note_given_the_collection")
    }
    assert given == {"full", "token", "pitch-only"}, "a Transformer has no memory"
    assert record["changes"]["full"] == {} and record["changes"]["pitch-only"] == {"pitch_only": True}
    before = (tmp_path / "ablations" / "full.weights.h5").stat().st_mtime_ns
    assert stage("evaluation.ablations", *flags) == 0
    assert (tmp_path / "ablations" / "full.weights.h5").stat().st_mtime_ns == before
    assert stage("evaluation.ablations", "--out", tmp_path, "--table") == 0
    assert "pitch bits per note" in capsys.readouterr().out


@pytest.mark.slow
def test_small_networks_that_have_not_read_a_tradition_are_trained_once_and_measured(
    ready, tmp_path, monkeypatch, capsys
):
    import music21

    monkeypatch.setattr(unseen, "SMALL", {"epochs": 1})
    monkeypatch.setattr(unseen, "SIZES", {"songs": 10, "memories": 2, "scored": 5})
    monkeypatch.setattr(music21.common, "getCorpusFilePath", lambda: tmp_path)
    (tmp_path / "oneills1850").mkdir()
    for number in range(12):
        notes = " ".join(np.random.default_rng(number).permutation([*"CDEFGABcde"]))
        (tmp_path / f"oneills1850/{number}.abc").write_text(f"X:1\nM:2/4\nL:1/4\nK:C\n{notes}|\n")
    shutil.copytree(ready.weights, tmp_path / "weights")
    folders = ("--data", ready.data, "--weights", tmp_path / "weights", "--out", tmp_path)
    flags = (*folders, "--memory-notes", 20, "--length", 30, "--quiet")
    assert stage("evaluation.unseen", *flags, "--only", "oneills1850") == 0
    network = tmp_path / "weights/unseen/without-china.json"
    trained, before = json.loads(network.read_text()), network.stat().st_mtime_ns
    assert all("china" in name for name in trained["held_out"]["test"] if name not in ready.split["test"])
    assert not any("china" in name for name in trained["held_out"]["validation"])
    assert stage("evaluation.unseen", *flags, "--only", "china") == 0
    assert network.stat().st_mtime_ns == before
    rows = json.loads((tmp_path / "unseen.json").read_text())["rows"]
    assert [*dict.fromkeys((row["region"], row["network"]) for row in rows)] == [
        (tradition, name) for tradition in ("china", "oneills1850") for name in unseen.TRADITIONS[tradition]
    ]
    assert {path.suffix for path in tmp_path.glob("unseen.*")} == {".json", ".md", ".png", ".svg"}
    assert stage("evaluation.unseen", "--out", tmp_path, "--table") == 0
    assert "pitch bits per note saved, notes 2-8" in capsys.readouterr().out


@pytest.mark.slow
def test_the_regions_of_the_targets_need_their_vaes(ready, tmp_path, capsys):
    shutil.copytree(ready.weights, tmp_path, dirs_exist_ok=True)
    (tmp_path / "vae-deutschl.json").unlink()
    (tmp_path / "vae-deutschl.weights.h5").unlink()
    assert stage("evaluate", "--data", ready.data, "--weights", tmp_path, "--out", tmp_path) == 2
    assert "no VAE of deutschl" in capsys.readouterr().err


@pytest.mark.slow
def test_errors_are_one_line_that_says_what_to_do(place, tmp_path, capsys):
    def error(*flags):
        assert stage("evaluate", *flags) == 2
        line = capsys.readouterr().err.strip()
        assert line.startswith("error: ") and "\n" not in line
        return line

    assert "make it with: python evaluate.py" in error("--out", tmp_path, "--table", "docs")
    advice = error(*place.flags, "--out", tmp_path)
    assert "no VAE of china" in advice and "generate_memories.py --data" in advice and "vae.train" in advice
    other = tmp_path / "data"
    other.mkdir()
    (other / "vocabulary.json").write_bytes((place.data / "vocabulary.json").read_bytes())
    known = json.loads((place.data / "split.json").read_text())["training"]
    few = dataset.dataset_of([song for song in synthetic() if song.name in known], ESSEN)
    dataset.write_songs(other / "songs.h5", few, {})
    assert "none of the" in error("--data", other, "--weights", place.weights, "--out", tmp_path, "--quiet")


@pytest.mark.slow
def test_a_planted_fault_in_memories_is_caught():
    """Memories whose two halves belong together: mixing halves of two leaves every single number as it was."""
    from evaluation.memory_quality import planted_faults
    from evaluation.statistics import two_sample_test

    rng = np.random.default_rng(0)
    codes = rng.normal(size=(2, 400, 3))
    maps = rng.normal(size=(3, 40))
    real, again = (np.concatenate([one @ maps, np.tanh(one @ maps)], axis=1) for one in codes)
    faults = planted_faults(again, rng)
    assert two_sample_test(real, again, 0) < 0.6
    assert all(two_sample_test(real, fault, 0) > 0.8 for fault in list(faults.values())[:1])
    assert two_sample_test(real, list(faults.values())[1], 0) > 0.6
    mixed = next(iter(faults.values()))
    np.testing.assert_array_equal(np.sort(mixed, axis=0), np.sort(again, axis=0))


def test_mixture_bits_by_hand():
    """Two predictors give the first note 1/2 and 1/8, the second 1/2 and 1/2: the mixture gives 5/16, then 1/2."""
    from evaluation.steering import mixture_bits

    logs = np.log2(np.array([[[1 / 2, 1 / 2], [1 / 8, 1 / 2]]]))
    np.testing.assert_allclose(mixture_bits(logs), [[np.log2(16 / 5), 1.0]])
    np.testing.assert_allclose(mixture_bits(logs, np.array([0.25, 0.75])).sum(), -np.log2(1 / 16 + 3 / 64))


def test_pca_with_a_mixture_samples_memories_like_those_it_was_fitted_to():
    from evaluation.conditions import Components

    rng = np.random.default_rng(0)
    memories = (np.repeat([[0.0], [5.0]], 200, axis=0) + rng.normal(0, [1, 2, 3], (400, 3))).astype(np.float32)
    components = Components(memories, 3, 4, 0)
    np.testing.assert_allclose(components.decode(components.encode(memories)), memories, atol=1e-4)
    sampled = components.sample(2000, rng)
    np.testing.assert_allclose(sampled.mean(axis=0), memories.mean(axis=0), atol=0.4)
    np.testing.assert_allclose(sampled.std(axis=0), memories.std(axis=0), rtol=0.1)
    assert sampled.dtype == np.float32 and not np.array_equal(sampled, components.sample(2000, rng))
