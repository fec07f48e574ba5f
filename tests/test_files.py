"""Files that are whole or not there."""

import pytest

from melody.files import made_with, read_json, replacing, write_json
from melody.stage import Problem


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
    import h5py

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
