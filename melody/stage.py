"""What every script opens and closes with: its flags, its words to the user, its one-line errors."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm


class Problem(Exception):
    """Something the user can mend; the message says what is wrong and what to do."""


class Flags(argparse.ArgumentParser):
    """A parser whose errors are one line, as all others."""

    def error(self, message: str) -> NoReturn:
        sys.exit(_fail(f"error: {message}; --help tells more", 2))


def parser(doc: str, seed: int, **folders: str) -> Flags:
    """A script's flags: its docstring as help, `--seed`, `--quiet`, and one flag for each folder it reads or writes.

    `parser(__doc__, 0, data="data")` gives `--data` with the default `data`, converted to a `Path`.
    """
    flags = Flags(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in folders.items():
        flags.add_argument(
            f"--{name}", type=Path, default=Path(default), metavar="DIR", help=f"folder (default: {default})"
        )
    flags.add_argument("--seed", type=natural, default=seed, help=f"of every random draw (default: {seed})")
    flags.add_argument("--quiet", action="store_true", help="say nothing but errors")
    return flags


def natural(text: str) -> int:
    """A whole number from 0, for argparse."""
    return _number(text, int, 0, "a whole number from 0")


def positive(text: str) -> int:
    """A whole number from 1, for argparse."""
    return _number(text, int, 1, "a whole number from 1")


def above_zero(text: str) -> float:
    """A number above 0, for argparse."""
    return _number(text, float, 1e-9, "a number above 0")


def temperature(text: str) -> float:
    """A number from 0.01 to 100, for argparse: below it only the likeliest note is left, above it all are alike."""
    value = above_zero(text)
    if not 0.01 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a temperature from 0.01 to 100")
    return value


def nonnegative(text: str) -> float:
    """A above_zero number from 0, for argparse."""
    return _number(text, float, 0, "a number from 0")


def _number(text: str, kind: type, least: float, what: str):
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not least <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return value


def say(args: argparse.Namespace, text: str) -> None:
    """Print a line, unless the user asked for quiet."""
    if not args.quiet:
        print(text, flush=True)


def progress(items: Iterable | None, quiet: bool, **settings) -> tqdm:
    """A tqdm bar on the terminal; silent with `quiet` and where nobody watches a terminal."""
    return tqdm(items, disable=quiet or not sys.stderr.isatty(), dynamic_ncols=True, **settings)


def begin(args: argparse.Namespace) -> None:
    """Say the settings of a stage that works with Keras, and import it without its backend's start-up chatter.

    The chatter is written by compiled code, past `sys.stderr`; it is shown after all when the import fails.
    """
    say(args, ", ".join(f"{name.replace('_', ' ')} {_shown(value)}" for name, value in sorted(vars(args).items())))
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of songs of many lengths
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            import keras

            keras.ops.zeros(1)  # wakes the device, which has its own to say
        except BaseException:
            chatter.seek(0)
            os.write(stderr, chatter.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def _shown(value: object) -> str:
    return " ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def run(main: Callable[[], None]) -> None:
    """Run a script's `main`; a `Problem` becomes one line `error: …` and exit status 2, Ctrl-C exit status 130."""
    try:
        main()
    except Problem as problem:
        sys.exit(_fail(f"error: {problem}", 2))
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        sys.exit(_fail(f"error: {where}{problem.strerror or problem}", 2))
    except KeyboardInterrupt:
        sys.exit(_fail("stopped", 130))


def _fail(line: str, status: int) -> int:
    print(" ".join(line.split()), file=sys.stderr)
    return status
