"""Files that are whole or not there."""

import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from melody.files import alone, made_with, read_json, reading, replacing, replacing_all, write_json
from melody.stage import Problem

ROOT = Path(__file__).parents[1]


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "folder" / "song.mid"
    with replacing(path) as beside:
        beside.write_text("first")
        assert beside.suffix == ".mid" and not path.exists()
    with pytest.raises(RuntimeError), replacing(path) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "first" and [entry.name for entry in path.parent.iterdir()] == ["song.mid"]


def test_json_that_is_missing_or_damaged_names_the_command(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(Problem, match="make it with: python x"):
        read_json(path, "python x")
    write_json(path, {"é": [1]})
    assert read_json(path, "python x") == {"é": [1]}
    path.write_bytes(path.read_bytes()[:4])
    with pytest.raises(Problem, match="damaged"):
        read_json(path, "python x")


def test_other_settings_are_named_with_both_values(tmp_path):
    path = tmp_path / "a.h5"
    assert not made_with(path, {"seed": 1})
    with h5py.File(path, "w") as file:
        file.attrs["settings"] = '{"seed": 1, "count": 5}'
    assert made_with(path, {"seed": 1})
    with pytest.raises(Problem, match="made with seed 1, now it is 2"):
        made_with(path, {"seed": 2})
    path.write_bytes(b"nothing")
    with pytest.raises(Problem, match="damaged"):
        made_with(path, {"seed": 1})


def test_files_that_belong_together_come_together(tmp_path):
    for content in ("old", "new"):
        with replacing_all(tmp_path, ["a", "b"]) as beside:
            (beside / "a").write_text(content)
            assert content == "old" or (tmp_path / "b").read_text() == "old"
            (beside / "b").write_text(content)
    with pytest.raises(RuntimeError), replacing_all(tmp_path, ["a", "b"]) as beside:
        (beside / "a").write_text("half")
        raise RuntimeError
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "new", "b": "new"}


def test_what_the_system_refuses_names_the_file_also_when_hdf5_says_it(tmp_path):
    words = "Can't write data (file write failed: errno = 28, error message = 'No space left on device', buf = 0x1)"
    for refused in (OSError(28, "No space left on device"), OSError(words), RuntimeError(words)):
        with pytest.raises(OSError, match="No space left") as failed, replacing(tmp_path / "a.h5"):
            raise refused
        assert (failed.value.errno, failed.value.filename) == (28, str(tmp_path / "a.h5"))
    with pytest.raises(FileNotFoundError, match="other"), replacing(tmp_path / "a.h5"):
        (tmp_path / "other").read_bytes()
    assert not list(tmp_path.iterdir())


# One run at a time

HOLD = """
import sys, time
from pathlib import Path
from melody.files import alone, replacing
with alone(Path(sys.argv[1])), replacing(Path(sys.argv[1])) as beside:
    beside.write_text("half")
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such lock")
def test_a_second_run_is_told_and_a_killed_one_leaves_nothing(tmp_path):
    path = tmp_path / "new" / "a.weights.h5"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Problem, match=r"another run is writing .*a\.weights\.h5"), alone(path):
            pass
        with alone(path.with_name("b.weights.h5")):
            pass  # another file of the folder
    finally:
        holder.kill()
        holder.communicate()
    assert len(list(path.parent.iterdir())) == 2, "the lock's file, and what was half-written"
    with alone(path):
        assert [left.name for left in path.parent.iterdir()] == [".lock-a.weights.h5"]
    assert path.parent.exists() and not list(path.parent.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such lock")
def test_a_folder_that_was_made_for_nothing_goes_again(tmp_path):
    with pytest.raises(Problem), alone(tmp_path / "new" / "a"):
        raise Problem
    assert not list(tmp_path.iterdir())
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / ".001.77.mid").touch()
    with alone(tmp_path / "songs"):
        assert not list((tmp_path / "songs").iterdir()), "what was left inside a folder"


# HDF5 that others have made


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda file: file.create_dataset("a", (10**12,), "u1", chunks=True), "larger than the file"),
        (lambda file: file.create_dataset("a", (9,), "u1", external=[("/etc/passwd", 0, 9)]), "another file"),
        (lambda file: file.update({"a": h5py.ExternalLink("b.h5", "/")}), "is a link"),
        (lambda file: file.update({"a": h5py.SoftLink("/a")}), "is a link"),
        (lambda file: file.update({"b": [1]}), "a"),
    ],
)  # fmt: skip
def test_a_file_that_claims_too_much_is_refused(tmp_path, make, words):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        make(file)
    words = rf"damaged or of another kind .*{words}.*python x"
    with pytest.raises(Problem, match=words), reading(tmp_path / "a.h5", "python x") as file:
        file["a"][:]


@pytest.mark.parametrize("content", [b"[" * 100_000, b'["a list"]', b"\xff", b"", b'{"a": '])
def test_json_of_another_kind_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(Problem, match="damaged"):
        read_json(tmp_path / "a.json", "python x")
