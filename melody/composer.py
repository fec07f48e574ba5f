"""Composes songs, each from its own memory and random numbers, until they are as they were asked for."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from melody import cluster, encoding, memory
from melody.continuation import Continuation
from melody.encoding import EncodedSong
from melody.key import notated_key
from melody.sampling import Sampler
from melody.selection import Check, checked
from melody.song import Song
from melody.sources import Source
from melody.vocabulary import Vocabulary

BLOCK = 64  # songs that a worker of --cluster composes at once


@dataclass(frozen=True)
class ComposedSong:
    """A song, what its record says beside its notes, and what it misses after the last attempt."""

    song: Song
    record: dict
    missed: list[str]


@dataclass
class _Trial:
    """The songs composed for one number."""

    found: list[ComposedSong] = field(default_factory=list)  # those that may be kept
    rejected: Counter = field(default_factory=Counter)  # what the others missed
    is_over: bool = False


@dataclass(frozen=True)
class Composer:
    """Composes songs by their numbers. A song depends on its number and on what is given here alone."""

    sampler: Sampler
    source: Source
    vocabulary: Vocabulary
    name: str  # of the songs, before their numbers
    seed: int
    options: dict  # temperature, guidance, length, meters: see `Sampler.compose`
    checks: Sequence[Check] = ()
    attempts: int = 1  # at a song that passes all checks
    continuation: Continuation | None = None
    candidates: int = 1  # songs of which the best is kept
    score: Callable[[Song], float] = lambda song: 0.0  # of a candidate; higher is better

    def compose(self, numbers: Sequence[int], on_song: Callable[[int, ComposedSong], None]) -> None:
        """Call `on_song` for each number as soon as its song is there.

        A song that misses something is composed again from another memory, up to `attempts` times.
        """
        trials = {number: _Trial() for number in numbers}
        for attempt in range(self.attempts):
            waiting = [number for number in numbers if not trials[number].is_over]
            if waiting:
                is_last = attempt == self.attempts - 1
                self._attempt(waiting, attempt, partial(self._on_end, trials, is_last, on_song))

    def _on_end(
        self, trials: dict[int, _Trial], is_last: bool, on_song: Callable, number: int, song: ComposedSong
    ) -> None:
        """Keep or reject a song that has ended; call `on_song` when it is the last one of its number."""
        trial = trials[number]
        if song.missed and not is_last:
            trial.rejected.update(song.missed)
            return
        trial.found.append(song)
        trial.is_over = is_last or len(trial.found) == self.candidates
        if trial.is_over:
            on_song(number, self._best(trial))

    def _attempt(self, numbers: Sequence[int], attempt: int, on_end: Callable[[int, ComposedSong], None]) -> None:
        """Compose a song for each number once."""
        # [seed, number, 0] gives the random numbers of [seed, number]
        rngs = [np.random.default_rng([self.seed, number, attempt]) for number in numbers]
        memories, origins = self.source.memories(rngs)
        states, begun = memory.unpack(memories, self.sampler.shape.states), {}
        if self.continuation:
            tune = self.continuation
            begun = {"begun": [tune.begun] * len(rngs), "unconditional": tune.states(None, len(rngs))}
            states = tune.states(states, len(rngs))

        def on_song(index: int, encoded: EncodedSong) -> None:
            title = f"{self.name} {numbers[index]:03d}"
            decode = self.continuation.decode if self.continuation else self._decode
            song = decode(encoded, title)
            song = replace(song, key=notated_key(song.pitch, song.duration))
            song, missed = checked(song, self.checks)
            on_end(numbers[index], ComposedSong(song, origins[index], missed))

        self.sampler.compose(states, rngs, **self.options, **begun, on_song=on_song)

    def _decode(self, encoded: EncodedSong, title: str) -> Song:
        return encoding.decode(encoded, self.vocabulary, title)

    def _best(self, trial: _Trial) -> ComposedSong:
        """The candidate with the highest score among those that miss the least."""
        best = min(trial.found, key=lambda one: (len(one.missed), -self.score(one.song)))
        about = {"rejected": dict(trial.rejected)} if trial.rejected else {}
        about |= {"score": round(self.score(best.song), 3)} if self.candidates > 1 else {}
        return replace(best, record=best.record | about)


def compose_on_workers(
    args: argparse.Namespace, load: str, numbers: Sequence[int], on_song: Callable[[int, ComposedSong], None]
) -> None:
    """`Composer.compose` by the workers of --cluster; `load` names the function that makes their composers."""
    blocks = (numbers[first : first + BLOCK] for first in range(0, len(numbers), BLOCK))
    for songs in cluster.results(args.cluster, "melody.composer:composed", blocks, args, load):
        for number, song in songs.items():
            on_song(number, song)


def composed(loaded: tuple[Callable, dict], numbers: Sequence[int]) -> dict[int, ComposedSong]:
    """The songs of these numbers, on a worker."""
    found: dict[int, ComposedSong] = {}
    loaded[0](numbers, found.__setitem__)
    return {number: found[number] for number in numbers}
