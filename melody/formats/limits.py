"""Limits on what is read: file formats, sizes, seconds."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

FORMATS = {
    ".krn": "kern",
    ".mid": "midi",
    ".midi": "midi",
    ".abc": "abc",
    ".xml": "musicxml",
    ".musicxml": "musicxml",
    ".mxl": "musicxml",
}
# MB a file. Essen songs have 12 thousand bytes at most; music21 takes minutes for larger files of MIDI and MusicXML.
LARGEST = {"kern": 8, "midi": 1, "abc": 32, "musicxml": 8}
PATIENCE = 30  # seconds of one core that a song may take to be read; Essen songs take a hundredth of one


class Unreadable(Exception):
    """A file that gives no song, or one `tune` of a file of many; the message is the reason, in words."""

    def __init__(self, reason: str, tune: str = ""):
        super().__init__("".join(filter(str.isprintable, " ".join(reason.split())))[:200])
        self.tune = tune


class TooSlow(BaseException):
    """A song takes longer to read than `PATIENCE`. Not an `Exception`, which music21 would catch and go on."""


@contextmanager
def reading_limits() -> Iterator[None]:
    """Read one song within `PATIENCE`. Raises `Unreadable`, whatever goes wrong: no song must stop the others."""
    try:
        with _time_limit():
            yield
    except Unreadable:
        raise
    except TooSlow:
        raise Unreadable(f"it takes longer than {PATIENCE} seconds to read") from None
    except MemoryError:
        raise Unreadable("it needs more memory to be read than there is") from None
    except Exception as problem:  # music21 raises many kinds on damaged files
        raise Unreadable(f"damaged ({type(problem).__name__}: {problem})") from problem


@contextmanager
def _time_limit() -> Iterator[None]:
    """Raise `TooSlow` in the block after `PATIENCE`, where the system has such a clock (Windows has none)."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE, 1)  # and once more each second, should it be caught
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
