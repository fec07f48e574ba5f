"""Songs composed by random walks of a small bar automaton, as a hypothesis strategy."""

from fractions import Fraction

import numpy as np
from hypothesis import strategies as some

from melody.automaton import BarAutomaton, observe
from melody.meter import FREE, Opening, Rhythm, bar_length, closing_rest, first_beat
from melody.song import Song

NAMES = some.builds(
    "{}{}{}".format, some.sampled_from("CDEFGAB"), some.sampled_from(["", "#", "-"]), some.integers(3, 6)
)
SONGS = {  # rhythms of songs in each opening, as rest and duration; from these the automaton learns what is legal
    ("3/4", "1"): "1 1 1/2 1/2 2 1/2 1/2 1/3 1/3 1/3 1/2 r1/2+1/2 1 3/2 1/4 1/4 1/2 1/2 2 2 1 2",
    ("6/8", "1/2"): "1/2 1 1/2 1 1/2 3/2 1/2 r1/2+1/2 1/4 1/4 1/2 1/2 3/2 5/2",
    ("4/4", "0"): "1 1/2 1/2 2 3/2 1/2 r1+1 1/2 1/2 1/3 2/3 1 1/4 1/4 1/2 4 3 2 2 1 2",
    ("2/4", "0"): "1/2 1/4 1/4 1/2 1/2 3/4 1/4 1 r1/2+1/2 1/2 3/2 1/2 3/2 1/2 2",
    (FREE, "0"): "1 2",
}


def _rhythm(word):
    rest, _, duration = word.rpartition("+")
    return Rhythm(Fraction(rest.lstrip("r") or 0), Fraction(duration))


RHYTHMS = sorted({_rhythm(word) for text in SONGS.values() for word in text.split()})
OPENINGS = [Opening(signature, Fraction(pickup)) for signature, pickup in SONGS]
AUTOMATON = BarAutomaton(
    RHYTHMS,
    OPENINGS,
    *observe(
        RHYTHMS,
        [
            (opening, [RHYTHMS.index(_rhythm(word)) for word in text.split()])
            for opening, text in zip(OPENINGS, SONGS.values(), strict=True)
        ],
    ),
)


@some.composite
def songs(draw):
    """A song with full bars, at least three of them, as the network composes it."""
    opening = draw(some.integers(0, len(OPENINGS) - 1))
    state, total, path, choose = AUTOMATON.start[opening], Fraction(0), [], draw(some.randoms(use_true_random=False))
    signature, length = OPENINGS[opening].time_signature, bar_length(OPENINGS[opening].time_signature)
    while not (AUTOMATON.legal[state, -1] and total > 3 * length and choose.random() < 0.2):
        path.append(choose.choice(np.flatnonzero(AUTOMATON.legal[state, :-1]).tolist()))
        state, total = AUTOMATON.next_state[state, path[-1]], total + sum(RHYTHMS[path[-1]])
    rests, durations = zip(*(RHYTHMS[rhythm] for rhythm in path), strict=True)
    beat, time = [], first_beat(OPENINGS[opening])
    for rest, duration in zip(rests, durations, strict=True):
        beat.append(float((time + rest) % length) if length else 0.0)
        time += rest + duration
    notes = len(path)
    return Song(
        "composed",
        draw(some.lists(NAMES, min_size=notes, max_size=notes)),
        list(map(float, durations)),
        list(map(float, rests)),
        [True] + [choose.random() < 0.2 for _ in path[1:]],
        key=draw(some.sampled_from(["", "G", "d", "E-", "k[f#c#]"])),
        meter=signature if length else "X",
        beat=beat,
        bar=[float(length)] * notes,
        pickup=float(OPENINGS[opening].pickup),
        rest_after=float(closing_rest(OPENINGS[opening], AUTOMATON.states[state][1])),
    )
