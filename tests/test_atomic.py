"""Files that are whole or not there."""

import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from melody.atomic import atomic_write, atomic_write_all, file_lock, load_json, open_hdf5, write_json
from melody.errors import UserError
from melody.provenance import is_up_to_date

ROOT = Path(__file__).parents[1]


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "folder" / "song.mid"
    with atomic_write(path) as beside:
        beside.write_text("first")
        assert beside.suffix == ".mid" and not path.exists()
    with pytest.raises(RuntimeError), atomic_write(path) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "first" and [entry.name for entry in path.parent.iterdir()] == ["song.mid"]


def test_json_that_is_missing_or_damaged_names_the_command(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(UserError, match="make it with: python x"):
        load_json(path, "python x")
    write_json(path, {"é": [1]})
    assert load_json(path, "python x") == {"é": [1]}
    path.write_bytes(path.read_bytes()[:4])
    with pytest.raises(UserError, match="damaged"):
        load_json(path, "python x")


def test_other_settings_are_named_with_both_values(tmp_path):
    path = tmp_path / "a.h5"
    assert not is_up_to_date(path, {"seed": 1})
    with h5py.File(path, "w") as file:
        file.attrs["settings"] = '{"seed": 1, "count": 5}'
    assert is_up_to_date(path, {"seed": 1})
    with pytest.raises(UserError, match="made with seed 1, now it is 2"):
        is_up_to_date(path, {"seed": 2})
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match="damaged"):
        is_up_to_date(path, {"seed": 1})


def test_files_that_belong_together_come_together(tmp_path):
    for content in ("old", "new"):
        with atomic_write_all(tmp_path, ["a", "b"]) as beside:
            (beside / "a").write_text(content)
            assert content == "old" or (tmp_path / "b").read_text() == "old"
            (beside / "b").write_text(content)
    with pytest.raises(RuntimeError), atomic_write_all(tmp_path, ["a", "b"]) as beside:
        (beside / "a").write_text("half")
        raise RuntimeError
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "new", "b": "new"}


def test_what_the_system_refuses_names_the_file_also_when_hdf5_says_it(tmp_path):
    words = "Can't write data (file write failed: errno = 28, error message = 'No space left on device', buf = 0x1)"
    for refused in (OSError(28, "No space left on device"), OSError(words), RuntimeError(words)):
        with pytest.raises(OSError, match="No space left") as failed, atomic_write(tmp_path / "a.h5"):
            raise refused
        assert (failed.value.errno, failed.value.filename) == (28, str(tmp_path / "a.h5"))
    with pytest.raises(FileNotFoundError, match="other"), atomic_write(tmp_path / "a.h5"):
        (tmp_path / "other").read_bytes()
    assert not list(tmp_path.iterdir())


# One run at a time

HOLD = """
import sys, time
from pathlib import Path
from melody.atomic import atomic_write, file_lock
with file_lock(Path(sys.argv[1])), atomic_write(Path(sys.argv[1])) as beside:
    beside.write_text("half")
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_told_and_a_killed_one_leaves_nothing(tmp_path):
    path = tmp_path / "new" / "a.weights.h5"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(UserError, match=r"another run is writing .*a\.weights\.h5"), file_lock(path):
            pass
        with file_lock(path.with_name("b.weights.h5")):
            pass  # another file of the folder
    finally:
        holder.kill()
        holder.communicate()
    assert len(list(path.parent.iterdir())) == 2, "the lock's file, and what was half-written"
    with file_lock(path):
        assert [left.name for left in path.parent.iterdir()] == [".lock-a.weights.h5"]
    assert path.parent.exists() and not list(path.parent.iterdir())


def test_a_folder_that_was_made_for_nothing_goes_again(tmp_path):
    with pytest.raises(UserError), file_lock(tmp_path / "new" / "a"):
        raise UserError
    assert not list(tmp_path.iterdir())
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / ".001.melody-tmp-77.mid").touch()
    with file_lock(tmp_path / "songs"):
        assert not list((tmp_path / "songs").iterdir()), "what was left inside a folder"


def test_clean_up_leaves_the_files_of_the_user(tmp_path):
    folder = tmp_path / "songs"
    (folder / ".backup.1").mkdir(parents=True)
    for name in (".notes.2024.txt", ".001.77.mid", ".a"):
        (folder / name).touch()
    (tmp_path / ".songs.123").touch()
    before = sorted(tmp_path.rglob("*"))
    with file_lock(folder):
        pass
    assert sorted(tmp_path.rglob("*")) == before


# HDF5 that others have made


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda file: file.create_dataset("a", (10**12,), "u1", chunks=True), "far larger than the file"),
        (lambda file: file.create_dataset("a", (9,), "u1", external=[("/etc/passwd", 0, 9)]), "another file"),
        (lambda file: file.update({"a": h5py.ExternalLink("b.h5", "/")}), "is a link"),
        (lambda file: file.update({"a": h5py.SoftLink("/a")}), "is a link"),
        (lambda file: file.create_group("/g" * 3000), "nested over 20 deep"),
        (lambda file: file.update({"b": [1]}), "a"),
    ],
)
def test_a_file_that_claims_too_much_is_refused(tmp_path, make, words):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        make(file)
    words = rf"damaged or of another kind .*{words}.*python x"
    with pytest.raises(UserError, match=words), open_hdf5(tmp_path / "a.h5", "python x") as file:
        file["a"][:]


@pytest.mark.parametrize("content", [b"[" * 100_000, b'["a list"]', b"\xff", b"", b'{"a": '])
def test_json_of_another_kind_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        load_json(tmp_path / "a.json", "python x")
