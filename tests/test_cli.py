"""Flags from config.py, log lines, and one-line errors."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from melody import cli, flags
from melody.errors import UserError

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (flags.natural, "0", "-1"),
        (flags.positive, "1", "0"),
        (flags.positive, "7", "x"),
        (flags.nonnegative, "0", "-.1"),
        (flags.nonnegative, "2.5", "nan"),
        (flags.above_zero, "1e-3", "0"),
        (flags.temperature, "0.01", "1e9"),
        (flags.temperature, "100", "0"),
        (flags.above_zero, "3", "inf"),
    ],
)
def test_numbers_out_of_range_are_one_line(kind, good, bad, capsys):
    parser = flags.parser("doc")
    parser.add_argument("--number", type=kind)
    assert parser.parse_args(["--number", good]).number == pytest.approx(float(good))
    with pytest.raises(SystemExit) as end:
        parser.parse_args([f"--number={bad}"])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: argument --number: ") and error.count("\n") == 1


@pytest.mark.parametrize(
    ("features", "backend", "gpu", "precision"),
    [
        ("flags: avx512f avx512_bf16 fma", "torch", False, "mixed_bfloat16"),
        ("flags: amx_bf16", "", False, "mixed_bfloat16"),
        ("flags: avx2 avx512f", "tensorflow", False, "float32"),
        ("flags: avx512_bf16", "jax", False, "float32"),
        (None, "jax", True, "mixed_bfloat16"),
        (None, "", False, "float32"),
    ],
)
def test_auto_is_the_precision_that_is_faster_here(features, backend, gpu, precision, monkeypatch):
    def read(path, encoding):
        if features is None:
            raise FileNotFoundError(path)
        return features

    monkeypatch.setattr(Path, "exists", lambda path: gpu)
    monkeypatch.setattr(Path, "read_text", read)
    monkeypatch.setenv("KERAS_BACKEND", backend)
    assert flags.precision("auto") == precision
    assert flags.precision("float32") == "float32"


@pytest.mark.parametrize(
    ("raised", "status", "line"),
    [
        (UserError("no\nsongs; do this"), 2, "error: no songs; do this\n"),
        (
            PermissionError(13, "Permission denied", "data/x"),
            2,
            "error: data/x: Permission denied; change its permissions, or use another folder\n",
        ),
        (
            OSError(28, "No space left on device"),
            2,
            "error: No space left on device; free some space, or write elsewhere\n",
        ),
        (KeyboardInterrupt(), 130, "stopped\n"),
    ],
)
def test_an_error_of_the_user_is_one_line_and_a_status(raised, status, line, capsys):
    def main():
        raise raised

    with pytest.raises(SystemExit) as end:
        cli.run(main)
    assert (end.value.code, capsys.readouterr().err) == (status, line)


def test_a_bug_stays_a_traceback():
    with pytest.raises(ZeroDivisionError):
        cli.run(lambda: 1 / 0)


def test_quiet_prints_nothing(capsys):
    args = flags.parser("doc").parse_args(["--quiet"])
    cli.log(args, "a line")
    assert list(cli.progress(range(3), quiet=True)) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_the_settings_are_printed_and_the_backend_is_silent(capfd):
    args = flags.parser("doc", "data").parse_args(["--data", "here", "--seed", "0"])
    cli.init_keras(args)
    print("after", file=sys.stderr)
    out, error = capfd.readouterr()
    assert out == "data here, seed 0\n" and error == "after\n"


def test_the_settings_are_wrapped_and_leave_out_what_is_off(capsys):
    numbers = {f"number_{k}": 1 for k in range(20)}
    args = SimpleNamespace(quiet=False, play=False, font=None, page=True, name="x", regions=["a"], **numbers)
    cli.log_settings(args)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1 and all(len(line) <= 100 for line in lines) and lines[1].startswith("  ")
    assert lines[-1].endswith("page, regions a") and not {"play", "font", "name"} & set(" ".join(lines).split())


# Flags from config.py


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("COUNT", 0, "'0' is not a whole number from 1"),
        ("COUNT", 2.5, "'2.5' is not"),
        ("COUNT", True, "'True' is not"),
        ("COUNT", None, "'None' is not"),
        ("TEMPERATURE", float("nan"), "'nan' is not a number from 0.01 to 100"),
        ("HIDDEN", [], "the list is empty"),
        ("HIDDEN", [3, 0], "'0' is not"),
        ("SEED", "x", "'x' is not a whole number"),
        ("JOBS", 0, "'0' is not -1 or a whole number from 1"),
        ("REGIONS", [""], "'' is not a region"),
        ("REGIONS", 3, "3 is not a list"),
        ("PRECISION", "int4", "'int4' is not auto, mixed_bfloat16 or float32"),
        ("DATA", None, "None is not a text"),
        ("DATA", "", "'' is not the name of a folder"),
        ("SOUND_FONT", 7, "7 is not a text"),
    ],
)
def test_values_of_config_are_checked(name, value, says, monkeypatch):
    monkeypatch.setattr(f"config.{name}", value)
    with pytest.raises(UserError, match=f"^config.py: {name}: {re.escape(says)}"):
        flags.parser("doc", name)


def test_values_of_config_are_converted_like_flags(monkeypatch):
    monkeypatch.chdir(ROOT)
    for name, value in {"COUNT": "4", "REGIONS": "china", "SOUND_FONT": None, "DATA": "data"}.items():
        monkeypatch.setattr(f"config.{name}", value)
    known = flags.parser("doc", "data", "sound_font", count="COUNT")
    flags.add_regions(known)
    args = known.parse_args([])
    assert (args.count, args.regions, args.sound_font, args.data) == (4, ["china"], None, Path("data"))


def test_default_paths_start_from_the_scripts_and_given_ones_from_here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("config.SONG_FILES", ["essen/**/*.krn", "~/songs", "/abc"])
    args = flags.parser("doc", "data", "weights", songs="SONG_FILES").parse_args(["--data", "here"])
    assert (args.data, args.weights) == (Path("here"), ROOT / "weights")
    assert args.songs == [f"{ROOT}/essen/**/*.krn", str(Path("~/songs").expanduser()), "/abc"]
    assert flags.parser("doc", songs="SONG_FILES").parse_args(["--songs", "mine"]).songs == ["mine"]


def test_flags_explain_themselves_by_the_comments_of_config(capsys):
    import config

    comments = flags.setting_comments(config)
    assert comments["COUNT"] == "songs" and {name for name in vars(config) if name.isupper()} == set(comments)
    assert {name for names in flags.TYPES.values() for name in names.split()} | {*flags.LISTS} <= set(comments)
    with pytest.raises(SystemExit):
        flags.parser("doc", "temperature", count="MEMORIES").parse_args(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert f"--count N memories (default: {config.MEMORIES})" in said and comments["TEMPERATURE"] in said


def test_a_new_setting_is_one_line(monkeypatch, tmp_path):
    """A setting that no table mentions: its type follows from its value, its help from its comment."""
    path = tmp_path / "config.py"
    path.write_text((ROOT / "config.py").read_text() + "STEPS = 3  # of a stair\nSIGMA = 0.5  # a spread\n")
    module = SimpleNamespace(__file__=str(path))
    exec(path.read_text(), vars(module))
    monkeypatch.setitem(sys.modules, "config", module)
    args = flags.parser("doc", "steps", "sigma").parse_args(["--sigma", "2"])
    assert (args.steps, args.sigma) == (3, 2.0)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("COUTN = 8", "config.py: COUTN is not a setting; the nearest is COUNT"),
        ("del COUNT", "config.py: the setting COUNT is missing"),
        ("COUNT = (", "config.py, line "),
        ("COUNT = eight", "config.py: NameError: name 'eight' is not defined"),
    ],
)
def test_a_mistake_in_config_is_one_line(tmp_path, line, says):
    for name in ("preprocess.py", "melody"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "config.py").write_text((ROOT / "config.py").read_text() + line + "\n")
    code = "import sys; sys.path[0] = '.'; sys.argv = ['x']; import preprocess; preprocess.run(preprocess.main)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and says in done.stderr and done.stderr.count("\n") == 1


def test_regions_are_a_list_and_a_file_name(capsys):
    parser = flags.parser("doc")
    flags.add_regions(parser)
    args = parser.parse_args(["--regions", "Han", "china"])
    assert (args.regions, args.name) == (["Han", "china"], "china+han")
    assert parser.parse_args(["--regions"]).name == "all"
    with pytest.raises(SystemExit):
        parser.parse_args(["--regions", ""])
    assert "'' is not a region" in capsys.readouterr().err


# Advice


def test_advice_repeats_the_folders_of_the_user(monkeypatch, capsys):
    def main():
        raise UserError("no VAE; python generate_memories.py --regions a && python -m vae.train; python preprocess.py")

    monkeypatch.setattr(sys, "argv", ["x", "--weights", "my weights", "--data=d", "--out", "o", "--play"])
    with pytest.raises(SystemExit):
        cli.run(main)
    assert capsys.readouterr().err == (
        "error: no VAE; python generate_memories.py --data d --weights 'my weights' --regions a && "
        "python -m vae.train --data d --weights 'my weights'; python preprocess.py --data d\n"
    )


# Unusual terminals


def ended(command: str, **environment) -> tuple[int, str, str]:
    """The status, output and errors of a command in bash, run in the project's folder."""
    environment = os.environ | {"PY": sys.executable} | environment
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, cwd=ROOT, env=environment)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_a_closed_pipe_ends_silently():
    status, _, error = ended("$PY preprocess.py --help | true")
    assert (status, error) in ((141, ""), (0, ""))
    loop = "from melody import cli; cli.run(lambda: [print('x' * 99) for _ in range(9999)])"
    assert ended(f'$PY -c "{loop}" | head -1') == (141, "x" * 99 + "\n", "")


def test_a_closed_stderr_is_no_error():
    assert ended("$PY preprocess.py --songs nowhere 2>&-") == (2, "", "")
    code = "import argparse; from melody import cli; cli.run(lambda: cli.init_keras(argparse.Namespace(quiet=True)))"
    assert ended(f"$PY -c '{code}' 2>&-")[0] == 0
    assert ended("$PY preprocess.py --help >&- 2>&-")[0] == 0


def test_output_is_utf8_whatever_the_terminal_says():
    code = "from melody import cli; cli.run(lambda: print('Île – 歌'))"
    assert ended(f'$PY -c "{code}"', PYTHONIOENCODING="ascii", LC_ALL="C") == (0, "Île – 歌\n", "")


def test_a_missing_backend_is_one_line():
    code = "import argparse; from melody import cli; cli.run(lambda: cli.init_keras(argparse.Namespace(quiet=True)))"
    hidden = "import sys; sys.modules['jax'] = None;"
    for backend, before in (("jax", hidden), ("nonesuch", "")):
        status, _, error = ended(f'$PY -c "{before}{code}"', KERAS_BACKEND=backend)
        assert status == 2 and error.startswith("error: Keras cannot load its backend") and error.count("\n") == 1


@pytest.mark.slow
def test_quiet_silences_the_backend():
    code = (
        "import argparse, logging, warnings; from melody import cli; cli.init_keras(argparse.Namespace(quiet=True));"
        "warnings.warn('a'); logging.getLogger('tensorflow').warning('b'); import keras, numpy;"
        "m = keras.Sequential([keras.layers.Dense(1)]); m.compile('sgd', 'mse', jit_compile=True);"
        "m.train_on_batch(numpy.ones((2, 2)), numpy.ones((2, 1)))"
    )
    assert ended(f'$PY -c "{code}"')[::2] == (0, "")


@pytest.mark.parametrize("script", ["vae/train.py", "vae/sample.py"])
def test_a_module_run_as_a_file_names_the_command(script):
    status, _, error = ended(f"$PY {script}")
    assert status != 0 and error.count("\n") == 1 and f"python -m {script[:-3].replace('/', '.')}" in error
