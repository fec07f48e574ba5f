"""Flags, progress and one-line errors."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from melody import cli
from melody.errors import UserError


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (cli.natural, "0", "-1"), (cli.positive, "1", "0"), (cli.positive, "7", "x"),
        (cli.nonnegative, "0", "-.1"),
        (cli.nonnegative, "2.5", "nan"), (cli.above_zero, "1e-3", "0"), (cli.temperature, "0.01", "1e9"),
        (cli.temperature, "100", "0"), (cli.above_zero, "3", "inf"),
    ],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_one_line(kind, good, bad, capsys):
    flags = cli.parser("doc", 0)
    flags.add_argument("--number", type=kind)
    assert flags.parse_args(["--number", good]).number == pytest.approx(float(good))
    with pytest.raises(SystemExit) as end:
        flags.parse_args([f"--number={bad}"])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: argument --number: ") and error.count("\n") == 1


@pytest.mark.parametrize(
    ("raised", "status", "line"),
    [
        (UserError("no\nsongs; do this"), 2, "error: no songs; do this\n"),
        (
            PermissionError(13, "Permission denied", "data/x"),
            2,
            "error: data/x: Permission denied; get leave to use it, or go elsewhere\n",
        ),
        (
            OSError(28, "No space left on device"),
            2,
            "error: No space left on device; free some space, or write elsewhere\n",
        ),
        (KeyboardInterrupt(), 130, "stopped\n"),
    ],
)
def test_what_a_user_can_mend_is_a_line_and_a_status(raised, status, line, capsys):
    def main():
        raise raised

    with pytest.raises(SystemExit) as end:
        cli.run(main)
    assert (end.value.code, capsys.readouterr().err) == (status, line)


def test_a_mistake_of_ours_stays_a_traceback():
    with pytest.raises(ZeroDivisionError):
        cli.run(lambda: 1 / 0)


def test_quiet_is_quiet(capsys):
    args = cli.parser("doc", 0).parse_args(["--quiet"])
    cli.log(args, "a line")
    assert list(cli.progress(range(3), quiet=True)) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_the_settings_are_said_and_the_backend_is_not_heard(capfd):
    args = cli.parser("doc", 3, data="here").parse_args([])
    cli.init_keras(args)
    print("after", file=sys.stderr)
    out, error = capfd.readouterr()
    assert out == "data here, quiet False, seed 3\n" and error == "after\n"


# config.py


@pytest.mark.parametrize(
    ("flag", "default", "says"),
    [
        ({"type": cli.positive}, 0, "'0' is not a whole number from 1"),
        ({"type": cli.positive}, 2.5, "'2.5' is not"),
        ({"type": cli.positive}, True, "'True' is not"),
        ({"type": cli.positive}, None, "'None' is not"),
        ({"type": cli.temperature}, float("nan"), "'nan' is not a number from 0.01 to 100"),
        ({"type": cli.size, "nargs": "+"}, [], "the list is empty"),
        ({"type": cli.size, "nargs": "+"}, [3, 0], "'0' is not"),
        ({"type": cli.natural}, "x", "'x' is not a whole number"),
        ({"nargs": "*"}, 3, "3 is no list"),
        ({"choices": ("a", "b")}, "c", "'c' is none of a, b"),
        ({"type": cli.folder}, None, "None is no text"),
        ({}, 7, "7 is no text"),
    ],
)
def test_values_of_config_have_to_make_sense(flag, default, says, capsys):
    flags = cli.parser("doc", 0)
    flags.add_argument("--setting", default=default, **flag)
    with pytest.raises(SystemExit) as end:
        flags.parse_args([])
    error = capsys.readouterr().err
    assert end.value.code == 2 and f"--setting, as config.py has it: {says}" in error and error.count("\n") == 1


def test_values_of_config_are_what_flags_would_be():
    flags = cli.parser("doc", 0, data="here")
    flags.add_argument("--count", type=cli.positive, default=0)
    flags.add_argument("--regions", nargs="*", default="china")
    flags.add_argument("--font", default=None)
    args = flags.parse_args(["--count", "3"])
    assert (args.count, args.regions, args.font, args.data) == (3, ["china"], None, Path("here"))


def test_config_holds_every_setting_and_no_other():
    import config

    cli.check_config(config)
    known = dict.fromkeys(cli.SETTINGS, 0)
    with pytest.raises(UserError, match="COUTN is no setting; the nearest is COUNT"):
        cli.check_config(SimpleNamespace(**known, COUTN=8))
    del known["COUNT"]
    with pytest.raises(UserError, match="COUNT is missing"):
        cli.check_config(SimpleNamespace(**known))
