"""The measurements of docs/scaling.md, and the collections that they are made with."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import scaling, simulated, variations
from melody import dataset
from melody.formats import corpus
from melody.formats.corpus import read_all
from melody.formats.song_files import find_songs
from melody.formats.write_kern import write_kern
from melody.split import near_duplicates
from melody.vocabulary import ESSEN
from tests.synthetic import tunes
from tests.test_pipeline import stage

ROOT = Path(__file__).parents[1]


def test_the_page_shows_the_results_file():
    rows = json.loads((ROOT / "results/scaling.json").read_text(encoding="utf-8"))
    assert f"\n{scaling.table(rows)}\n" in (ROOT / "docs/scaling.md").read_text(encoding="utf-8")


def test_variations_have_the_rhythm_of_a_song_and_are_no_near_duplicates(tmp_path):
    for song in tunes(2):
        write_kern(tmp_path / "essen" / f"{song.name}.krn", song)
    variations.write_variations(tmp_path / "essen", tmp_path / "copies", 36, seed=0, quiet=True)
    found, skipped = read_all(find_songs([str(tmp_path / "copies")]), 1, True)
    originals, _ = read_all(find_songs([str(tmp_path / "essen")]), 1, True)
    assert (len(found), skipped) == (36, [])
    assert {tuple(song.duration) for song in found} == {tuple(song.duration) for song in originals}
    intervals = [np.array(ESSEN.encode(song.pitch)) for song in found]
    assert len(set(near_duplicates(intervals).tolist())) == 36


def test_simulated_songs_are_written_as_those_that_are_read(tmp_path, monkeypatch):
    import preprocess

    for module, name in ((preprocess, "find_songs"), (corpus, "_results")):
        monkeypatch.setattr(module, name, None)  # replaced below, and put back at the end
    monkeypatch.setattr("sys.argv", [])
    simulated.write(12, str(tmp_path / "data"))
    songs = dataset.load(tmp_path / "data")
    assert songs.name == [f"copies/00000/tune{k:08d}" for k in range(12)]
    assert songs.vocabulary.rhythm.rhythms and (tmp_path / "data/split.json").exists()


@pytest.mark.slow
def test_every_stage_and_the_start_of_training_are_measured(tmp_path, monkeypatch):
    for song in tunes(10):
        write_kern(tmp_path / "essen" / f"{song.name}.krn", song)
    data = tmp_path / "data"
    assert stage("preprocess", "--songs", tmp_path / "essen", "--data", data, "--quiet") == 0
    monkeypatch.setattr(scaling, "MEMORIES", 20)
    monkeypatch.setattr(scaling, "SONGS", 2)
    monkeypatch.setattr(scaling, "TRAINING", [*scaling.TRAINING, *"--batch 4 --bptt-length 16".split()])
    for case in ("stages", "training"):
        assert stage("benchmarks.scaling", case, "--data", data, "--out", tmp_path, "--quiet") == 0
    rows = {row["work"]: row for row in json.loads((tmp_path / "scaling.json").read_text())}
    sizes = {"generate_memories.py": 20, "vae.train, one region": 20, "generate_song.py": 2}
    sizes |= {f"train_lstm.py, its first {scaling.STEPS} steps": 60}
    assert {work: row["size"] for work, row in rows.items()} == sizes
    assert all(row["cpu_seconds"] > 1 and row["peak_mb"] > 100 for row in rows.values()), "Keras alone takes as much"


def test_a_row_of_the_same_work_is_replaced(tmp_path, monkeypatch):
    row = {"work": "a", "size": 10, "unit": "song", "workers": 1, "seconds": 2.0, "cpu_seconds": 1.0, "peak_mb": 5.0}
    for seconds in (2.0, 4.0):
        monkeypatch.setitem(scaling.CASES, "preprocess", lambda *_, seconds=seconds: [row | {"seconds": seconds}])
        assert stage("benchmarks.scaling", "preprocess", "--out", tmp_path, "--quiet") == 0
    (kept,) = json.loads((tmp_path / "scaling.json").read_text())
    assert kept["seconds"] == 4
    assert scaling.table([kept]).endswith("| a | 10 songs | 1 | 4 | 1 | 100.00 ms | 5 MB |")
