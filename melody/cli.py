"""What every script opens and closes with: its flags, its words to the user, its one-line errors."""

from __future__ import annotations

import argparse
import difflib
import errno
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from tqdm import tqdm

from melody.errors import UserError

SETTINGS = frozenset(  # of config.py
    """DATA WEIGHTS SONGS SEED SONG_FILES JOBS EMBEDDING UNITS LAYERS DENSE DROPOUT EPOCHS BATCH BPTT_LENGTH WINDOWS_PER_STREAM TRANSPOSE_PROBABILITY
    LEARNING_RATE WARMUP_STEPS PRECISION REGIONS MEMORIES MEMORY_SONGS MEMORY_NOTES MID_SONG_FRACTION LATENT MIXTURE HIDDEN
    VAE_EPOCHS VAE_BATCH VAE_LEARNING_RATE BETA COUNT TEMPERATURE GUIDANCE LENGTH NOTE_LENGTH TEMPO SOUND_FONT
    INSTRUMENT""".split()
)
REMEDIES = {
    errno.ENOSPC: "free some space, or write elsewhere",
    errno.EDQUOT: "free some space, or write elsewhere",
    errno.EFBIG: "the system allows no larger files here; write elsewhere",
    errno.EROFS: "write elsewhere",
    errno.EACCES: "get leave to use it, or go elsewhere",
    errno.EPERM: "get leave to use it, or go elsewhere",
}


class Flags(argparse.ArgumentParser):
    """A parser whose errors are one line, as all others, and whose defaults have to make as much sense as flags."""

    def error(self, message: str) -> NoReturn:
        sys.exit(_fail(f"error: {message}; --help tells more", 2))

    def parse_args(self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None):
        """The flags. Defaults that are taken are converted and checked here; argparse does so with strings alone."""
        defaults = {
            action: action.default
            for action in self._actions
            if action.option_strings and action.nargs != 0 and action.default is not argparse.SUPPRESS
        }
        for action in defaults:
            action.default = defaults  # tells what was not given
        parsed = super().parse_args(args, namespace)
        for action, default in defaults.items():
            action.default = default
            if getattr(parsed, action.dest) is defaults:
                try:
                    setattr(parsed, action.dest, _default(action))
                except (argparse.ArgumentTypeError, ValueError) as mistake:
                    self.error(f"{action.option_strings[0]}, as config.py has it: {mistake}")
        return parsed


def _default(action: argparse.Action) -> object:
    """The default of a flag, as if it had been given. A lone word stands for a list of one; None is no number."""
    value, kind = action.default, action.type or str
    if action.nargs in ("*", "+"):
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, (list, tuple)) or (action.nargs == "+" and not values):
            raise ValueError(f"{value!r} is no list" if values else "the list is empty")
        return [kind(str(one)) for one in values]
    if value is None and kind in (str, Path):
        return None
    if kind in (str, Path, folder) and not isinstance(value, (str, Path)):
        raise ValueError(f"{value!r} is no text")
    if action.choices and value not in action.choices:
        raise ValueError(f"{value!r} is none of {', '.join(action.choices)}")
    return kind(str(value))


def parser(doc: str, seed: int, **folders: str) -> Flags:
    """A script's flags: its docstring as help, `--seed`, `--quiet`, and one flag for each folder it reads or writes.

    `parser(__doc__, 0, data="data")` gives `--data` with the default `data`, converted to a `Path`.
    """
    flags = Flags(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in folders.items():
        flags.add_argument(f"--{name}", type=folder, default=default, metavar="DIR",
                           help=f"folder (default: {default})")  # fmt: skip
    flags.add_argument("--seed", type=natural, default=seed, help=f"of every random draw (default: {seed})")
    flags.add_argument("--quiet", action="store_true", help="say nothing but errors")
    return flags


def folder(text: str) -> Path:
    """A folder's name, for argparse."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is no folder's name")
    return Path(text)


def in_range(least: float, most: float, kind: type = float) -> Callable[[str], float]:
    """A kind of number for argparse, from `least` to `most`, both of which are allowed."""
    what = f"a {'whole number' if kind is int else 'number'} from {least:,} to {most:,}"

    def number(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
        return value

    return number


natural = in_range(0, 2**32 - 1, int)  # a seed: Keras takes no larger ones
positive = in_range(1, 1_000_000, int)  # of songs, notes, memories, epochs
size = in_range(1, 16_384, int)  # of what is held in memory: units, rows of a batch, notes of a window
above_zero = in_range(1e-6, 1e6)
nonnegative = in_range(0, 1e6)
temperature = in_range(0.01, 100)  # below it only the likeliest note is left, above it all are alike
share = in_range(0, 1)


def log(args: argparse.Namespace, text: str) -> None:
    """Print a line, unless the user asked for quiet."""
    if not args.quiet:
        print(text, flush=True)


def progress(items: Iterable | None, quiet: bool, **settings) -> tqdm:
    """A tqdm bar on the terminal; silent with `quiet` and where nobody watches a terminal."""
    return tqdm(items, disable=quiet or not sys.stderr.isatty(), dynamic_ncols=True, **settings)


def init_keras(args: argparse.Namespace) -> None:
    """Say the settings of a stage that works with Keras, and import it without its backend's start-up chatter.

    The chatter is written by compiled code, past `sys.stderr`; it is shown after all when the import fails.
    """
    log(args, ", ".join(f"{name.replace('_', ' ')} {_shown(value)}" for name, value in sorted(vars(args).items())))
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
        check_config(sys.modules.get("config"))
        main()
    except UserError as problem:
        sys.exit(_fail(f"error: {problem}", 2))
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        remedy = f"; {REMEDIES[problem.errno]}" if problem.errno in REMEDIES else ""
        sys.exit(_fail(f"error: {where}{problem.strerror or problem}{remedy}", 2))
    except MemoryError as problem:
        sys.exit(_fail(f"error: there is not enough memory for these settings ({problem}); ask for less", 2))
    except KeyboardInterrupt as stop:
        sys.exit(_fail(str(stop) or "stopped", 130))


def _fail(line: str, status: int) -> int:
    print(" ".join(line.split()), file=sys.stderr)
    return status


def check_config(config: ModuleType | None) -> None:
    """Raise `Problem` when config.py has a setting that no stage knows, or lacks one."""
    names = {name for name in vars(config) if name.isupper()} if config else SETTINGS
    for name in sorted(names - SETTINGS):
        near = difflib.get_close_matches(name, SETTINGS, n=1, cutoff=0)
        raise UserError(f"config.py: {name} is no setting; the nearest is {near[0]}")
    for name in sorted(SETTINGS - names):
        raise UserError(f"config.py: the setting {name} is missing")
