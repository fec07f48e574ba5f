"""Reads what was uploaded or typed, in a process of its own: a file that crashes or exhausts it does no other harm."""

import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from threading import Lock

from melody import own_songs
from melody.errors import UserError
from melody.formats.corpus import reader_of
from melody.formats.limits import Unreadable, reading_limits
from melody.formats.write_abc import abc
from melody.meter import bar_length
from melody.song import Song, with_bars
from melody.vocabulary import Vocabulary

PATIENCE = 60  # seconds for a file, or for the notes of a tune
MEMORY = 4 * 2**30  # bytes of address space; music21 itself takes 1 GB
MOST_SONGS, MOST_NOTES = 500, 50_000  # in a file
LONGEST_TUNE = 300  # notes to continue


class Reader:
    """Reads songs and tunes. Each method raises `UserError` with the reason when there is nothing to read."""

    def __init__(self, vocabulary: Vocabulary):
        self.vocabulary, self.lock, self.process, self.pid = vocabulary, Lock(), None, 0
        self.file = lru_cache(maxsize=64)(self._file)  # a file is read when it is uploaded, then for each song

    def read(
        self,
        files: Sequence[tuple[Path, Path]],
        vocabulary: Vocabulary,
        log: Callable[[str], None],
        jobs: int = 1,
        quiet: bool = True,
    ) -> list[Song]:
        """The songs of some files, as `own_songs.read`."""
        songs, reasons = [], []
        for path, root in files:
            try:
                found, messages = self.file(path, root, path.stat().st_mtime_ns)
            except UserError as reason:
                messages = [str(reason)]
                reasons.append(str(reason))
            else:
                songs += found
            for message in messages:
                log(message)
        if not songs:
            raise UserError(reasons[0] if reasons else "no songs were given")
        return sorted(songs, key=lambda song: song.name)

    def _file(self, path: Path, root: Path, changed: int) -> tuple[list[Song], list[str]]:
        return self._call(_read, path, root, self.vocabulary)

    def tune(self, kind: str, content: bytes) -> str:
        """One tune of a format as ABC, with bar lines and in notes of the vocabulary."""
        return self._call(_tune, kind, content, self.vocabulary)

    def _call(self, function: Callable, *arguments):
        """Call a function in the process, which is started again when it has ended."""
        with self.lock:
            try:
                if not self.process:
                    self.process = ProcessPoolExecutor(1, get_context("spawn"), _limit)
                    self.pid = self.process.submit(os.getpid).result(PATIENCE)
                return self.process.submit(function, *arguments).result(PATIENCE)
            except TimeoutError:
                os.kill(self.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
                self.close()
                raise UserError(f"reading it takes longer than {PATIENCE} seconds") from None
            except BrokenProcessPool:
                self.close()
                raise UserError("reading it needs too much memory, and it was stopped") from None

    def close(self) -> None:
        if self.process:
            self.process.shutdown(wait=False, cancel_futures=True)
        self.process = None


def _limit() -> None:
    """Limit the memory of this process, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the server, which ends this process


def _read(path: Path, root: Path, vocabulary: Vocabulary) -> tuple[list[Song], list[str]]:
    messages: list[str] = []
    songs = own_songs.read([(path, root)], vocabulary, messages.append, jobs=1, quiet=True)
    notes = sum(len(song.pitch) for song in songs)
    if len(songs) > MOST_SONGS or notes > MOST_NOTES:
        found = f"{len(songs):,} songs with {notes:,} notes"
        raise UserError(f"it has {found}; at most {MOST_SONGS} songs with {MOST_NOTES:,} notes are read")
    return songs, messages


def _tune(kind: str, content: bytes, vocabulary: Vocabulary) -> str:
    try:
        with reading_limits():
            found = reader_of(kind).read(content, "tune")
    except Unreadable as reason:
        raise UserError(str(reason)) from None
    if len(found) != 1 or not isinstance(found[0], Song):
        raise UserError(str(found[0]) if len(found) == 1 else f"these are {len(found)} tunes; give one")
    song = found[0]
    if len(song.pitch) > LONGEST_TUNE:
        raise UserError(f"it has {len(song.pitch):,} notes; at most {LONGEST_TUNE} can be continued")
    unknown = next((name for name in song.pitch if name not in vocabulary.index), None)
    if unknown:
        raise UserError(f"the network does not know the note {unknown}; it knows {vocabulary}")
    if bar_length(song.meter) and not any(song.bar):  # typed without bar lines
        song = with_bars(song)
    return abc(replace(song, title=song.title or "tune", area=""))
