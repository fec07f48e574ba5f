"""Limits on reading (file size, time) and the exception for what cannot be read."""

from __future__ import annotations

import ctypes
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from melody.song import printable

# MB per file. Essen songs have at most 12 kB; music21 takes minutes for larger MIDI and MusicXML files.
LARGEST = {"kern": 8, "midi": 1, "abc": 32, "musicxml": 8}
PATIENCE = 30  # seconds of CPU time to read one song; Essen songs take 0.01


class Unreadable(Exception):
    """A file without a song, or one `tune` of a book that cannot be read; the message is the reason."""

    def __init__(self, reason: str, tune: str = ""):
        super().__init__(printable(reason)[:200])
        self.tune = tune


class TooSlow(BaseException):
    """Reading a song took longer than `PATIENCE`. Not an `Exception`: music21 would catch it and continue."""


@contextmanager
def reading_limits() -> Iterator[None]:
    """Read one song within `PATIENCE`. Any error becomes `Unreadable`, so that one song never stops the others."""
    try:
        with _time_limit():
            yield
    except Unreadable:
        raise
    except TooSlow:
        raise Unreadable(f"it takes longer than {PATIENCE} seconds to read") from None
    except MemoryError:
        raise Unreadable("reading it needs more memory than is free") from None
    except Exception as problem:  # music21 raises many kinds on damaged files
        raise Unreadable(f"damaged ({type(problem).__name__}: {problem})") from problem


@contextmanager
def _time_limit() -> Iterator[None]:
    """Raise `TooSlow` in the block after `PATIENCE`, on systems with such a timer (Windows has none)."""
    if threading.current_thread() is not threading.main_thread():
        with _time_limit_of_thread():
            yield
        return
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE, 1)  # then every second, in case music21 catches it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def _time_limit_of_thread() -> Iterator[None]:
    """The same in a thread, such as that of a Dask worker, which gets no signals: another thread looks at its clock."""
    if not hasattr(time, "pthread_getcpuclockid"):
        yield
        return
    thread, over = threading.get_ident(), threading.Event()
    clock = time.pthread_getcpuclockid(thread)
    end = time.clock_gettime(clock) + PATIENCE

    def watch() -> None:
        while not over.wait(max(end - time.clock_gettime(clock), min(PATIENCE, 1))):
            if time.clock_gettime(clock) >= end:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TooSlow))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), None)  # one that came too late
