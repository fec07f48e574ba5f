"""Bars and the bar automaton: worked examples and properties."""

from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from melody.automaton import BarAutomaton, observe
from melody.meter import (
    FREE,
    Opening,
    Rhythm,
    bar_length,
    bars_of,
    closing_rest,
    estimate_bars,
    estimate_pickup,
    first_beat,
)

QUARTER, HALF, EIGHTH = (Rhythm(Fraction(0), Fraction(length)) for length in ("1", "2", "1/2"))


def times(*quarters):
    return [Fraction(time) for time in quarters]


@pytest.mark.parametrize(
    ("words", "quarters"), [("3/4", 3), ("6/8", 3), ("4/2", 8), ("3/8", Fraction(3, 2)), ("X", 0), ("", 0), ("0/4", 0)]
)
def test_the_length_of_a_bar(words, quarters):
    assert bar_length(words) == quarters


def test_the_pickup_stands_at_the_end_of_its_bar():
    """3/4: 4d | 4g 4a 4b | 2g: the pickup stands on the third beat."""
    bars = bars_of(times(0, 1, 2, 3, 4), Fraction(6), times(1, 4), [(Fraction(0), "3/4")])
    assert bars.beat == times(2, 0, 1, 2, 0)
    assert bars.length == times(3, 3, 3, 3, 3)
    assert bars.pickup == 1


def test_a_bar_divided_in_two():
    """4/4: four quarters | two | two | a whole note."""
    onsets = times(0, 1, 2, 3, 4, 5, 6, 7, 8)
    bars = bars_of(onsets, Fraction(12), times(4, 6, 8), [(Fraction(0), "4/4")])
    assert bars.beat == times(0, 1, 2, 3, 0, 1, 2, 3, 0)
    assert bars.pickup == 0


@pytest.mark.parametrize("lines", [(3, 5), (2, 8), (5,)], ids=["short", "short, then long", "too long"])
def test_bars_that_do_not_fit_the_meter_are_none(lines):
    assert bars_of(times(*range(9)), Fraction(9), times(*lines), [(Fraction(0), "3/4")]) is None


def test_a_change_of_meter_is_read_from_the_bar_lines():
    signatures = [
        (Fraction(0), "2/4"),
        (Fraction(0), "3/4"),
    ]  # both stand at the beginning; bars of two and three follow
    bars = bars_of(times(*range(7)), Fraction(7), times(2, 5), signatures)
    assert bars.beat == times(0, 1, 0, 1, 2, 0, 1)
    assert bars.length == times(2, 2, 3, 3, 3, 2, 2)


def test_without_meter_there_are_no_bars():
    bars = bars_of(times(0, 1, 2), Fraction(3), times(1), [(Fraction(0), "X")])
    assert bars.beat == bars.length == times(0, 0, 0)


@given(
    st.sampled_from(["2/4", "3/4", "4/4", "6/8", "5/8"]),
    st.integers(0, 7),
    st.lists(st.sampled_from(["1/2", "1", "3/2", "1/4"]), min_size=1, max_size=40),
)
def test_bars_agree_with_arithmetic(signature, eighths, durations):
    """With bar lines after the pickup, a beat position is the onset less the pickup, modulo the bar."""
    length = bar_length(signature)
    pickup = Fraction(eighths, 2) % length
    ends = list(accumulate(map(Fraction, durations)))
    onsets, end = [Fraction(0), *ends[:-1]], ends[-1]
    lines = [pickup + number * length for number in range(int(end / length) + 1)]
    bars = bars_of(onsets, end, lines, [(Fraction(0), signature)])
    if pickup < end:
        assert bars.pickup == pickup
        assert bars.beat == [(onset - pickup) % length for onset in onsets]


def automaton_of(rhythms, openings, songs):
    return BarAutomaton(rhythms, openings, *observe(rhythms, [(openings[number], song) for number, song in songs]))


def test_the_automaton_by_hand():
    """4 | 2 4 | 2: after the pickup a half note, then a quarter; the song may end after the half note."""
    waltz = Opening("3/4", Fraction(1))
    automaton = automaton_of([QUARTER, HALF, EIGHTH], [waltz], [(0, [0, 1, 0, 1])])
    start = automaton.start[0]
    assert automaton.beat[start] == 2
    assert automaton.legal[start].tolist() == [True, False, False, True]
    downbeat = automaton.next_state[start, 0]
    assert automaton.legal[downbeat].tolist() == [False, True, False, False]
    assert automaton.next_state[downbeat, 1] == start
    assert closing_rest(waltz, automaton.states[start][1]) == 0
    assert closing_rest(waltz, automaton.states[downbeat][1]) == 2


def test_a_song_that_is_cut_ends_with_a_full_bar():
    """4 | 2 4 | 2 and 4 | 2: after the second half note the bar is full, after the first a song ends with a rest."""
    automaton = automaton_of([QUARTER, HALF], [Opening("3/4", Fraction(1))], [(0, [0, 1, 0, 1]), (0, [0])])
    start, rhythms = automaton.start[0], [0, 1, 0, 1, 0]
    assert [automaton.cut(start, rhythms[:count]) for count in range(6)] == [0, 1, 2, 2, 4, 4]
    never_full = automaton_of([QUARTER], [Opening("3/4", Fraction(1))], [(0, [0, 0])])
    assert never_full.cut(never_full.start[0], [0]) == 1


def test_a_rhythm_after_which_no_song_can_end_is_illegal():
    common, waltz = Opening("2/4", Fraction(0)), Opening("2/4", Fraction(1))
    songs = [(0, [1]), (1, [0, 2, 2, 0])]  # the second opening has eighths on the downbeat
    automaton = automaton_of([QUARTER, HALF, EIGHTH], [common, waltz], songs)
    for state, (opening, _) in enumerate(automaton.states):
        reached, queue = set(), [state]
        while queue:
            at = queue.pop()
            if at not in reached:
                reached.add(at)
                queue += automaton.next_state[at][automaton.legal[at, :-1]].tolist()
        assert automaton.legal[list(reached), -1].any(), f"a song of opening {opening} cannot end"


def test_everything_is_legal_without_meter():
    automaton = automaton_of([QUARTER, EIGHTH], [Opening(FREE, Fraction(0))], [(0, [0])])
    assert automaton.legal.all() and len(automaton.states) == 1


@given(st.data())
def test_a_random_walk_has_full_bars(data):
    """Every legal path with its closing rest is a whole number of bars long, pickup included."""
    openings = [Opening("3/4", Fraction(1)), Opening("6/8", Fraction(1, 2)), Opening("2/4", Fraction(0))]
    rhythms = [QUARTER, HALF, EIGHTH, Rhythm(Fraction(1, 2), Fraction(1, 2)), Rhythm(Fraction(0), Fraction(3, 2))]
    songs = [(0, [0, 1, 0, 4, 2, 0, 1]), (1, [2, 4, 4, 0, 2, 0]), (2, [0, 0, 1, 3, 2, 2])]
    automaton = automaton_of(rhythms, openings, songs)
    opening = data.draw(st.integers(0, 2))
    state, total, steps = automaton.start[opening], Fraction(0), 0
    while True:
        legal = np.flatnonzero(automaton.legal[state, :-1])
        if automaton.legal[state, -1] and (steps > 30 or data.draw(st.booleans()) or not legal.size):
            break
        rhythm = data.draw(st.sampled_from(legal.tolist()))
        total, state, steps = total + sum(rhythms[rhythm]), automaton.next_state[state, rhythm], steps + 1
    length = bar_length(openings[opening].time_signature)
    whole = first_beat(openings[opening]) + total + closing_rest(openings[opening], automaton.states[state][1])
    assert (whole - first_beat(openings[opening])) % length == 0


def test_the_pickup_of_a_melody_without_bar_lines():
    """4d | 4. 8 4 | 2. in 3/4: under a pickup of one quarter long notes begin the bars and none crosses a bar line."""
    durations = times("1", "3/2", "1/2", "1", "3")
    onsets = [Fraction(0), *accumulate(durations[:-1])]
    assert estimate_pickup(onsets, durations, "3/4") == 1
    assert estimate_pickup([], [], "3/4") == 0


def test_the_pickup_of_a_long_melody_is_estimated_from_its_beginning():
    durations = times(*["1", "2", "1", "2", "1"] * 1000)
    onsets = [Fraction(0), *accumulate(durations[:-1])]
    assert estimate_pickup(onsets, durations, "4/4") == estimate_pickup(onsets[:1000], durations[:1000], "4/4")


def test_bars_before_a_change_of_meter_are_counted_back_from_it():
    """The change to 2/4 after four quarter notes leaves a pickup of one in 3/4."""
    bars = estimate_bars(times(*range(6)), times(*[1] * 6), [(Fraction(0), "3/4"), (Fraction(4), "2/4")])
    assert (bars.beat, bars.length, bars.pickup) == (times(2, 0, 1, 2, 0, 1), times(3, 3, 3, 3, 2, 2), 1)


@pytest.mark.parametrize("signatures", [[], [(Fraction(0), "0/4")]])
def test_without_a_time_signature_no_bars_are_estimated(signatures):
    bars = estimate_bars(times(0, 1), times(1, 1), signatures)
    assert (bars.beat, bars.length, bars.pickup) == ([0, 0], [0, 0], 0)
