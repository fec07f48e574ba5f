"""Flags, progress and one-line errors."""

import sys

import pytest

from melody import stage
from melody.stage import Problem


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (stage.natural, "0", "-1"), (stage.positive, "1", "0"), (stage.positive, "7", "x"),
        (stage.nonnegative, "0", "-.1"),
        (stage.nonnegative, "2.5", "nan"), (stage.above_zero, "1e-3", "0"), (stage.temperature, "0.01", "1e9"),
        (stage.temperature, "100", "0"), (stage.above_zero, "3", "inf"),
    ],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_one_line(kind, good, bad, capsys):
    flags = stage.parser("doc", 0)
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
        (Problem("no\nsongs; do this"), 2, "error: no songs; do this\n"),
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
        stage.run(main)
    assert (end.value.code, capsys.readouterr().err) == (status, line)


def test_a_mistake_of_ours_stays_a_traceback():
    with pytest.raises(ZeroDivisionError):
        stage.run(lambda: 1 / 0)


def test_quiet_is_quiet(capsys):
    args = stage.parser("doc", 0).parse_args(["--quiet"])
    stage.say(args, "a line")
    assert list(stage.progress(range(3), quiet=True)) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_the_settings_are_said_and_the_backend_is_not_heard(capfd):
    args = stage.parser("doc", 3, data="here").parse_args([])
    stage.begin(args)
    print("after", file=sys.stderr)
    out, error = capfd.readouterr()
    assert out == "data here, quiet False, seed 3\n" and error == "after\n"
