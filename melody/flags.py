"""Flags of the scripts: each setting of config.py with its type, default and help."""

from __future__ import annotations

import argparse
import difflib
import sys
import tokenize
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from melody.errors import UserError, print_error
from melody.listen.instruments import instrument
from melody.regions import file_name
from melody.song import FASTEST, LARGEST, SLOWEST, SMALLEST

ROOT = Path(__file__).resolve().parents[1]  # the folder of the scripts and of config.py


# Types of flags


def folder(text: str) -> Path:
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a folder")
    return Path(text)


def region(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not a region; `--regions` with nothing after it: all songs")
    return text


def in_range(least: float, most: float, kind: type = float) -> Callable[[str], float]:
    """The type of a number from `least` to `most`, both included."""
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


def jobs(text: str) -> int:
    if text == "-1" or (text.isdecimal() and int(text) > 0):
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is neither -1 nor a whole number from 1")


def precision(text: str) -> str:
    if text not in ("mixed_bfloat16", "float32"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither mixed_bfloat16 nor float32")
    return text


natural = in_range(0, 2**32 - 1, int)  # a seed: Keras takes no larger ones
positive = in_range(1, 1_000_000, int)
size = in_range(1, 16_384, int)  # of an array in memory
above_zero = in_range(1e-6, 1e6)
nonnegative = in_range(0, 1e6)
temperature = in_range(0.01, 100)  # below: only the likeliest note is left; above: all are equally likely
share = in_range(0, 1)

TYPES = {  # of settings; one that is not listed is `positive` for a whole number, `nonnegative` for another, or text
    folder: "DATA WEIGHTS SONGS",
    natural: "SEED",
    jobs: "JOBS",
    precision: "PRECISION",
    region: "REGIONS",
    str: "SONG_FILES SOUND_FONT",
    positive: "EPOCHS WARMUP_STEPS MEMORIES VAE_EPOCHS COUNT",
    size: "EMBEDDING UNITS DENSE BATCH BPTT_LENGTH WINDOWS_PER_STREAM MEMORY_SONGS MEMORY_NOTES LATENT MIXTURE HIDDEN "
    "VAE_BATCH LENGTH",
    above_zero: "LEARNING_RATE VAE_LEARNING_RATE",
    nonnegative: "BETA",
    temperature: "TEMPERATURE",
    share: "TRANSPOSE_PROBABILITY MID_SONG_FRACTION",
    in_range(1, 64, int): "LAYERS",
    in_range(0, 0.99): "DROPOUT",
    in_range(0, 100): "GUIDANCE",
    in_range(SMALLEST, LARGEST): "NOTE_LENGTH",
    in_range(SLOWEST, FASTEST): "TEMPO",
    instrument: "INSTRUMENT",
}
LISTS = {"REGIONS": "*", "SONG_FILES": "*", "HIDDEN": "+"}  # settings that hold several values
METAVARS = {folder: "DIR", instrument: "NAME", str: "PATH", precision: "NAME", region: "REGION"}


# Flags


class Flags(argparse.ArgumentParser):
    """A parser with errors of one line, which converts and checks defaults as it does flags."""

    def error(self, message: str) -> NoReturn:
        print_error(f"error: {message}; see --help")
        sys.exit(2)

    def parse_args(self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None):
        """The flags; with `--regions` also `name`, the file name of the regions."""
        defaults = {
            action: action.default
            for action in self._actions
            if action.option_strings and action.nargs != 0 and action.default is not argparse.SUPPRESS
        }
        for action in defaults:
            action.default = defaults  # marks a flag that is not given
        parsed = super().parse_args(args, namespace)
        for action, default in defaults.items():
            action.default = default
            if getattr(parsed, action.dest) is defaults:
                try:
                    setattr(parsed, action.dest, _default(action))
                except (argparse.ArgumentTypeError, ValueError) as mistake:
                    self.error(f"config.py: the default of {action.option_strings[0]}: {mistake}")
        if "regions" in parsed:
            parsed.name = file_name(parsed.regions)
        return parsed


def _default(action: argparse.Action) -> object:
    """The default of a flag, converted. One text stands for a list of one; a folder is beside the scripts."""
    value, kind = action.default, action.type or str
    if action.nargs in ("*", "+"):
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, (list, tuple)) or (action.nargs == "+" and not values):
            raise ValueError(f"{value!r} is not a list" if values else "the list is empty")
        return [kind(str(one)) for one in values]
    if value is None and kind in (str, Path):
        return None
    if kind in (str, Path, folder) and not isinstance(value, (str, Path)):
        raise ValueError(f"{value!r} is not a text")
    if action.choices and value not in action.choices:
        raise ValueError(f"{value!r} is not one of {', '.join(action.choices)}")
    converted = kind(str(value))
    return converted if kind is not folder or Path.cwd() == ROOT else ROOT / converted


def parser(doc: str, *settings: str, **renamed: str) -> Flags:
    """The flags of a script: `doc` as help, `--seed`, `--quiet`, and a flag for each setting of config.py it uses.

    `parser(__doc__, "data", count="MEMORIES")` gives `--data` with the default `config.DATA` and `--count` with
    `config.MEMORIES`. The comments of config.py are the help. Raises `UserError` when config.py is not valid.
    """
    flags = Flags(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    config = load_config()
    comments = setting_comments(config)
    kinds = {name: kind for kind, names in TYPES.items() for name in names.split()}
    for flag, name in {**{flag: flag.upper() for flag in (*settings, "seed")}, **renamed}.items():
        value = getattr(config, name)
        known = {int: positive, float: nonnegative}.get(type(value), str)
        kind = kinds.get(name, known)
        flags.add_argument(
            f"--{flag.replace('_', '-')}",
            type=kind,
            default=value,
            nargs=LISTS.get(name),
            metavar=METAVARS.get(kind, "N"),
            help=f"{comments[name]} (default: {shown(value)})".replace("%", "%%"),
        )
    flags.add_argument("--quiet", action="store_true", help="print errors only")
    return flags


def add_regions(flags: Flags, help: str = "") -> None:
    """Add `--regions`; the parsed flags then hold the list `regions` and their file name `name`."""
    config = load_config()
    text = f"{help or setting_comments(config)['REGIONS']} (default: {shown(config.REGIONS)})".replace("%", "%%")
    flags.add_argument("--regions", type=region, nargs="*", default=config.REGIONS, metavar="REGION", help=text)


def load_config() -> ModuleType:
    """The module config.py. Raises `UserError` when it does not run, or when a setting is unknown or missing."""
    try:
        import config
    except SyntaxError as mistake:
        raise UserError(f"config.py, line {mistake.lineno}: {mistake.msg}") from None
    except Exception as mistake:
        raise UserError(f"config.py: {type(mistake).__name__}: {mistake}") from None
    names, explained = {name for name in vars(config) if name.isupper()}, set(setting_comments(config))
    for name in sorted(names - explained):
        near = difflib.get_close_matches(name, explained, n=1, cutoff=0)
        raise UserError(f"config.py: {name} is not a setting; the nearest is {near[0]} (new ones need a comment)")
    for name in sorted(explained - names):
        raise UserError(f"config.py: the setting {name} is missing")
    return config


def setting_comments(config: ModuleType) -> dict[str, str]:
    """The settings in the source of config.py, each with the comment behind its value.

    `COUNT = 8  # songs` gives {"COUNT": "songs"}; a line without a comment defines no setting.
    """
    comments, name = {}, ""
    with open(config.__file__, "rb") as source:
        for token in tokenize.tokenize(source.readline):
            if token.type == tokenize.NAME and token.start[1] == 0:
                name = token.string
            elif token.type == tokenize.COMMENT and name.isupper():
                comments.setdefault(name, token.string.lstrip("# "))
            elif token.type == tokenize.NEWLINE:
                name = ""
    return comments


def shown(value: object) -> str:
    """A setting in words: a list as its values, `none` for an empty one."""
    return " ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
