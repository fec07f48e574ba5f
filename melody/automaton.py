"""The bar automaton: which rhythms may follow at each beat position, so that every bar of a composed song is full."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from melody.meter import Opening, Rhythm, bar_length, first_beat

Transitions = Mapping[str, Mapping[Fraction, Sequence[int]]]  # by time signature and beat position: rhythms
Endings = Mapping[Opening, Iterable[Fraction]]  # by opening: beat positions


class BarAutomaton:
    """The rhythms that may follow at each beat position, so that every bar of a composed song is full.

    A state is an opening and the beat position at the end of the last note. A rhythm leads to the next state by
    arithmetic: beat position + rest + duration, modulo the bar. It is legal if training songs of that time signature
    have it at that beat position (`transitions`) and END can be reached after it. END is legal where training songs of
    that opening end (`endings`). A free opening has one state, in which everything is legal.

    `legal` (states, rhythms + 1) bool, the last column for END; `next_state` (states, rhythms) int32, 0 where illegal;
    `start` (openings,) int32, the state before the first note, -1 if no song can be composed from it; `opening`
    (states,) int32; `beat` (states,) float32, quarter notes.

    >>> quarter, half = Rhythm(Fraction(0), Fraction(1)), Rhythm(Fraction(0), Fraction(2))
    >>> waltz = Opening("3/4", Fraction(1))
    >>> observed = observe([quarter, half], [(waltz, [0, 1, 0, 1])])  # 4 | 2 4 | 2
    >>> automaton = BarAutomaton([quarter, half], [waltz], *observed)
    >>> automaton.legal[automaton.start[0]].tolist()
    [True, False, True]
    """

    def __init__(
        self, rhythms: Sequence[Rhythm], openings: Sequence[Opening], transitions: Transitions, endings: Endings
    ):
        self.rhythms, self.openings = list(rhythms), list(openings)
        states, edges = self._explore(transitions)
        ends = {(number, beat) for number, one in enumerate(openings) for beat in endings.get(one, ())}
        ending = {state for state in states if state in ends or bar_length(openings[state[0]].time_signature) == 0}
        alive = _ancestors(ending, edges)
        self.states = [state for state in states if state in alive]
        index = {state: number for number, state in enumerate(self.states)}
        self.legal = np.zeros((len(index), len(rhythms) + 1), bool)
        self.next_state = np.zeros((len(index), len(rhythms)), np.int32)
        for state, number in index.items():
            self.legal[number, -1] = state in ending
            for rhythm, after in edges[state].items():
                if after in alive:
                    self.legal[number, rhythm], self.next_state[number, rhythm] = True, index[after]
        first = (index.get((number, first_beat(one)), -1) for number, one in enumerate(openings))
        self.start = np.array(list(first), np.int32)
        self.opening = np.array([opening for opening, _ in self.states], np.int32)
        self.beat = np.array([beat for _, beat in self.states], np.float32)

    def cut(self, state: int, rhythms: Sequence[int]) -> int:
        """How many of the rhythms after a state a song keeps that is cut: it ends with the last full bar.

        Without a full bar it ends where a rest can fill the bar; without such a place nothing is cut.
        """
        ends: dict[bool, int] = {}
        for number, rhythm in enumerate(rhythms, start=1):
            state = self.next_state[state, rhythm]
            if self.legal[state, -1]:
                ends[bool(state == self.start[self.opening[state]])] = number
        return ends.get(True) or ends.get(False) or len(rhythms)

    def _explore(self, transitions: Transitions) -> tuple[list, dict]:
        """All reachable states, in order, and for each the rhythms that may follow with their next states."""
        states = [(number, first_beat(opening)) for number, opening in enumerate(self.openings)]
        known, edges = set(states), {}
        for state in states:  # grows in the loop
            opening, beat = state
            signature = self.openings[opening].time_signature
            free = not bar_length(signature)
            following = range(len(self.rhythms)) if free else transitions.get(signature, {}).get(beat, ())
            edges[state] = {
                rhythm: (opening, step(signature, beat, self.rhythms[rhythm])) for rhythm in sorted(following)
            }
            for after in edges[state].values():
                if after not in known:
                    known.add(after)
                    states.append(after)
        return states, edges


def step(time_signature: str, beat: Fraction, rhythm: Rhythm) -> Fraction:
    """The beat position at the end of a rhythm that starts at `beat`."""
    length = bar_length(time_signature)
    return (beat + sum(rhythm)) % length if length else Fraction(0)


def observe(rhythms: Sequence[Rhythm], songs: Iterable[tuple[Opening, Sequence[int]]]) -> tuple[dict, dict]:
    """The transitions and endings of songs in one meter: `BarAutomaton`'s.

    A song is its opening and the indices of its rhythms; an index that is not in `rhythms` ends what is known of it.
    """
    states: dict[tuple[str, Fraction], _State] = {}
    endings: dict[Opening, set[Fraction]] = {}

    def state(signature: str, beat: Fraction) -> _State:
        return states.setdefault((signature, beat), _State(beat, {}))

    for opening, indices in songs:
        signature = opening.time_signature
        now = state(signature, first_beat(opening))
        for rhythm in indices:
            if not 0 <= rhythm < len(rhythms):
                break
            if rhythm not in now.following:  # else arithmetic with fractions would take most of the time
                now.following[rhythm] = state(signature, step(signature, now.beat, rhythms[rhythm]))
            now = now.following[rhythm]
        else:
            endings.setdefault(opening, set()).add(now.beat)
    transitions: dict[str, dict[Fraction, set[int]]] = {}
    for (signature, beat), one in states.items():
        if one.following:
            transitions.setdefault(signature, {})[beat] = set(one.following)
    return transitions, endings


class _State(NamedTuple):
    """A beat position, and the states to which the rhythms that were observed there lead."""

    beat: Fraction
    following: dict[int, _State]


def _ancestors(targets: set, edges: dict) -> set:
    """The targets and all states from which one of them can be reached."""
    before: dict = {}
    for state, following in edges.items():
        for after in following.values():
            before.setdefault(after, set()).add(state)
    found, queue = set(targets), list(targets)
    while queue:
        for state in before.get(queue.pop(), ()):
            if state not in found:
                found.add(state)
                queue.append(state)
    return found
