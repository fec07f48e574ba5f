"""How every script starts and ends: log lines, the start of Keras, one-line errors."""

import argparse
import errno
import logging
import os
import re
import shlex
import shutil
import sys
import tempfile
import textwrap
import warnings
from collections.abc import Callable, Iterable

from tqdm import tqdm

from melody.errors import UserError, print_error
from melody.flags import shown

ADVICE = {
    errno.EFBIG: "the system allows no larger files here; write elsewhere",
    errno.EROFS: "write elsewhere",
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free some space, or write elsewhere"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "change its permissions, or use another folder"),
}
HIDDEN = ("name", "title", "given")  # settings that follow from others
MODULES = (
    "-m melody.copies",
    "-m vae.train",
    "-m vae.sample",
    "-m evaluation.baselines",
    "-m evaluation.ablations",
    "-m evaluation.fine_tuning",
    "-m evaluation.unseen",
)
SCRIPT_FOLDERS = {  # the folder flags of each script that an error may advise to run
    "preprocess.py": ("data",),
    "generate_song.py": ("data", "weights", "out"),
    **dict.fromkeys(("train_lstm.py", "generate_memories.py", "evaluate.py", *MODULES), ("data", "weights")),
}


# Words on the terminal


def log(args: argparse.Namespace, text: str) -> None:
    """Print a line, except with --quiet."""
    if not args.quiet:
        print(text, flush=True)


def progress(items: Iterable | None, quiet: bool, **settings) -> tqdm:
    """A tqdm bar; silent with `quiet` and when stderr is not a terminal."""
    return tqdm(items, disable=quiet or not sys.stderr.isatty(), dynamic_ncols=True, **settings)


def log_settings(args: argparse.Namespace) -> None:
    """Print the settings of a run, those that are off or follow from others left out, wrapped to the terminal."""
    settings = sorted((name.replace("_", " "), value) for name, value in vars(args).items() if name not in HIDDEN)
    given = [(name, value) for name, value in settings if value is not None and value is not False]
    text = ", ".join(name if value is True else f"{name} {shown(value)}" for name, value in given)
    log(args, textwrap.fill(text, min(shutil.get_terminal_size().columns, 100), subsequent_indent="  "))


def init_keras(args: argparse.Namespace) -> None:
    """Print the settings of a script that needs Keras, and import Keras without the messages of its backend.

    Compiled code writes these messages, past `sys.stderr`. Raises `UserError` when the backend is not installed.
    """
    log_settings(args)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if args.quiet else "1")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of songs of different lengths
    if args.quiet:
        logging.disable(logging.WARNING)
        warnings.simplefilter("ignore")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            import keras

            keras.ops.zeros(1)  # starts the device, which has messages too
        except (ImportError, ValueError) as missing:
            raise UserError(
                f"Keras cannot load its backend ({missing}); install it with pip, "
                "or set the environment variable KERAS_BACKEND to tensorflow, jax or torch"
            ) from None
        except BaseException:
            messages.seek(0)
            os.write(stderr, messages.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


# Errors


def run(main: Callable[[], None]) -> None:
    """Run the `main` of a script. A `UserError` ends it with one line `error: …` and status 2, Ctrl-C with 130."""
    _open_streams()
    try:
        try:
            main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has stopped, as `head` does
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        sys.exit(141)
    except KeyboardInterrupt as stop:
        print_error(str(stop) or "stopped")
        sys.exit(130)
    except UserError as error:
        message = str(error)
    except MemoryError as error:
        message = f"there is not enough memory for these settings ({error}); use smaller ones"
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        advice = f"; {ADVICE[error.errno]}" if error.errno in ADVICE else ""
        message = f"{where}{error.strerror or error}{advice}"
    else:
        return
    print_error(f"error: {with_given_folders(message)}")
    sys.exit(2)


def _open_streams() -> None:
    """Write UTF-8 whatever the terminal says, and to nowhere where stdout or stderr is closed."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the free number, so that no file of ours gets it
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def with_given_folders(message: str) -> str:
    """The message with the user's own --data, --weights and --out in the commands that it advises."""
    folders = argparse.ArgumentParser(add_help=False)
    for name in ("data", "weights", "out"):
        folders.add_argument(f"--{name}")
    given = vars(folders.parse_known_args()[0])

    def completed(command: re.Match) -> str:
        names = [name for name in SCRIPT_FOLDERS[command[1]] if given[name] is not None and f"--{name} " not in message]
        return " ".join([command[0], *(shlex.join([f"--{name}", given[name]]) for name in names)])

    return re.sub(rf"\bpython ({'|'.join(map(re.escape, SCRIPT_FOLDERS))})", completed, message)
