"""Flags of the scripts: each setting of config.py with its type, default and help."""

import argparse
import difflib
import os
import re
import sys
import tokenize
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from melody.errors import UserError, print_error
from melody.key import kern_key
from melody.listen.instruments import instrument
from melody.meter import FREE, bar_length
from melody.regions import file_name, is_constraint, is_free
from melody.song import FASTEST, SLOWEST
from melody.training_settings import chosen_precision

ROOT = Path(__file__).resolve().parents[1]  # the folder of the scripts and of config.py


# Types of flags


def folder(text: str) -> Path:
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a folder")
    return Path(text)


def path(text: str) -> str:
    """A file, folder or pattern."""
    return text


def parsed(kind: Callable[[str], object], allowed: Callable[[object], bool], what: str) -> Callable[[str], object]:
    """The type of a flag: `kind(text)` if it is `allowed`; `what` describes what is."""

    def convert(text: str) -> object:
        try:
            if allowed(value := kind(text)):
                return value
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")

    return convert


def in_range(least: float, most: float, kind: type = float) -> Callable[[str], object]:
    """The type of a number from `least` to `most`, both included."""
    what = f"a {'whole number' if kind is int else 'number'} from {least:,} to {most:,}"
    return parsed(kind, lambda value: least <= value <= most, what)


region = parsed(str, is_constraint, "a region; `--regions` with nothing after it: all songs")
songs_name = parsed(str, is_free, "a name of letters, digits, - and _ that is no region of the collection")
jobs = parsed(int, lambda count: count == -1 or count > 0, "-1 or a whole number from 1")
precision = parsed(chosen_precision, ("mixed_bfloat16", "float32").__contains__, "auto, mixed_bfloat16 or float32")
meter = parsed(str, lambda text: text == FREE or bar_length(text), f"a time signature such as 3/4, or {FREE}")
key = parsed(kern_key, bool, "a key of up to 7 sharps or flats, such as G, d, B- or F# minor")
address = parsed(str, re.compile(r"(\w+://)?[^\s/]+:\d{1,5}").fullmatch, "an address such as 10.0.0.1:8786")
natural = in_range(0, 2**32 - 1, int)  # a seed: Keras takes no larger ones
positive = in_range(1, 1_000_000, int)
size = in_range(1, 16_384, int)  # of an array in memory
above_zero = in_range(1e-6, 1e6)
nonnegative = in_range(0, 1e6)
temperature = in_range(0.01, 100)  # below: only the likeliest note is left; above: all are equally likely

TYPES = {  # of settings; one that is not listed is `positive` for a whole number, `nonnegative` for another, or text
    folder: "DATA WEIGHTS SONGS RESULTS",
    path: "SONG_FILES SOUND_FONT",
    natural: "SEED MEMORY_SIMILAR FIT_STEPS",
    jobs: "JOBS",
    precision: "PRECISION",
    region: "REGIONS",
    positive: "EPOCHS WARMUP_STEPS FINE_TUNING_EPOCHS FINE_TUNING_WARMUP_STEPS MEMORIES VAE_EPOCHS COUNT",
    size: "EMBEDDING UNITS DENSE BATCH BPTT_LENGTH WINDOWS_PER_STREAM FINE_TUNING_WINDOWS_PER_STREAM MEMORY_SONGS "
    "MEMORY_NOTES LATENT MIXTURE HIDDEN VAE_BATCH LENGTH",
    above_zero: "LEARNING_RATE FINE_TUNING_LEARNING_RATE VAE_LEARNING_RATE",
    nonnegative: "BETA AUXILIARY_WEIGHT FINE_TUNING_AUXILIARY_WEIGHT",
    temperature: "TEMPERATURE",
    in_range(0.05, 1): "FINE_TUNING_OWN_SHARE",
    in_range(0, 1): "TRANSPOSE_PROBABILITY SYNTHETIC_PROBABILITY MID_SONG_FRACTION",
    in_range(1, 64, int): "LAYERS",
    in_range(0, 0.99): "DROPOUT",
    in_range(0, 100): "GUIDANCE",
    meter: "METERS",
    key: "KEY",
    in_range(SLOWEST, FASTEST): "TEMPO",
    instrument: "INSTRUMENT",
}
LISTS = {"REGIONS": "*", "METERS": "*", "SONG_FILES": "*", "HIDDEN": "+"}  # settings that hold several values
METAVARS = {
    folder: "DIR",
    path: "PATH",
    region: "REGION",
    meter: "METER",
    key: "KEY",
    **dict.fromkeys((instrument, precision, str), "NAME"),
}


# Flags


class Flags(argparse.ArgumentParser):
    """A parser with `--quiet`, flags for settings of config.py, and errors of one line.

    Raises `UserError` when config.py is not valid, and with `exit_on_error` False for flags that are not.
    """

    def __init__(self, doc: str):
        super().__init__(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
        self.config, self.comments = load_config()
        self.add_argument("--quiet", action="store_true", help="print errors only")

    def error(self, message: str) -> NoReturn:
        if not self.exit_on_error:
            raise UserError(message)
        print_error(f"error: {message}; see --help")
        sys.exit(2)

    def parse_args(self, *args) -> argparse.Namespace:
        """The flags. With `--regions` the parsed `name` is their file name; with `--name` the regions are None."""
        parsed = super().parse_args(*args)
        if "regions" in parsed:
            parsed.regions = None if parsed.name else parsed.regions
            parsed.name = parsed.name or file_name(parsed.regions)
        return parsed

    def add_setting(self, name: str, flag: str = "", help: str = "", group=None) -> None:
        """Add the flag of a setting, by default `--sound-font` for SOUND_FONT; its comment is the help."""
        value, nargs = getattr(self.config, name), LISTS.get(name)
        kinds = {known: kind for kind, names in TYPES.items() for known in names.split()}
        kind = kinds.get(name) or {int: positive, float: nonnegative}.get(type(value), str)
        try:
            default = checked(value, kind, nargs)
        except (argparse.ArgumentTypeError, ValueError) as mistake:
            raise UserError(f"config.py: {name}: {mistake}") from None
        (group or self).add_argument(
            f"--{(flag or name.lower()).replace('_', '-')}",
            type=kind,
            default=default,
            nargs=nargs,
            metavar=METAVARS.get(kind, "N"),
            help=f"{help or self.comments[name]} (default: {shown(value)})".replace("%", "%%"),
        )


def checked(value: object, kind: Callable[[str], object], nargs: str | None = None) -> object:
    """A value of config.py, converted as a flag is. One text stands for a list of one; paths start from `ROOT`."""
    if nargs:
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, (list, tuple)) or (nargs == "+" and not values):
            raise ValueError(f"{value!r} is not a list" if values else "the list is empty")
        return [checked(one, kind) for one in values]
    if value is None and kind in (path, key):
        return None
    if kind in (folder, path, str) and not isinstance(value, (str, Path)):
        raise ValueError(f"{value!r} is not a text")
    converted = kind(str(value))
    if kind in (folder, path) and Path.cwd() != ROOT:
        return kind(os.path.join(ROOT, os.path.expanduser(converted)))
    return converted


def parser(doc: str, *settings: str, **renamed: str) -> Flags:
    """The flags of a script: `doc` as help, `--quiet`, `--seed`, and a flag for each setting of config.py it uses.

    `parser(__doc__, "data", count="MEMORIES")` gives `--data` with the default `config.DATA` and `--count` with
    `config.MEMORIES`.
    """
    flags = Flags(doc)
    for name in (*settings, "seed"):
        flags.add_setting(name.upper())
    for flag, name in renamed.items():
        flags.add_setting(name, flag)
    return flags


def add_regions(flags: Flags, help: str = ""):
    """Add `--regions` and `--name`, of which one may be given, see `Flags.parse_args`; returns their group."""
    one = flags.add_mutually_exclusive_group()
    flags.add_setting("REGIONS", help=help, group=one)
    one.add_argument("--name", type=songs_name, help="songs of your own, which generate_memories.py read by this name")
    return one


def add_cluster(flags: Flags) -> None:
    """Add `--cluster`."""
    help = "work on the workers of the Dask scheduler at this address, such as tcp://10.0.0.1:8786; see docs/scaling.md"
    flags.add_argument("--cluster", type=address, metavar="ADDRESS", help=help)


def add_training_start(flags: Flags) -> None:
    """Add `--resume` and `--overwrite`, of which one may be given."""
    start = flags.add_mutually_exclusive_group()
    start.add_argument("--resume", action="store_true", help="continue after the last complete epoch")
    start.add_argument("--overwrite", action="store_true", help="start again and replace the weights")


def add_pitch_only(flags: Flags) -> None:
    """Add `--pitch-only`, by default the opposite of config.RHYTHM."""
    if not isinstance(flags.config.RHYTHM, bool):
        raise UserError(f"config.py: RHYTHM: {flags.config.RHYTHM!r} is not True or False")
    help = "train on pitches alone: a network that knows no meter, rhythm or phrases"
    flags.add_argument("--pitch-only", action="store_true", default=not flags.config.RHYTHM, help=help)


def load_config() -> tuple[ModuleType, dict[str, str]]:
    """The module config.py and its comments. Raises `UserError` when a setting is unknown or missing, or it fails."""
    try:
        import config
    except SyntaxError as mistake:
        raise UserError(f"config.py, line {mistake.lineno}: {mistake.msg}") from None
    except Exception as mistake:
        raise UserError(f"config.py: {type(mistake).__name__}: {mistake}") from None
    names, comments = {name for name in vars(config) if name.isupper()}, setting_comments(config)
    for name in sorted(names - set(comments)):
        near = difflib.get_close_matches(name, comments, n=1, cutoff=0)
        raise UserError(f"config.py: {name} is not a setting; the nearest is {near[0]} (new ones need a comment)")
    for name in sorted(set(comments) - names):
        raise UserError(f"config.py: the setting {name} is missing")
    return config, comments


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
