"""Measures and note values, worked by hand, and properties of both."""

from fractions import Fraction
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as some

from melody.meter import bars_of
from melody.notation import lines, measures
from melody.note_values import note_values, values_in_bar
from melody.song import Song


def song(text, signature="", lines=(), **about):
    """`1 r1/2 3/2 |` are durations and rests in quarter notes; the bars follow from the times of the bar lines."""
    duration, rest_before, rest, onset, now = [], [], Fraction(0), [], Fraction(0)
    for word in text.split():
        time = Fraction(word.lstrip("r"))
        if word.startswith("r"):
            rest += time
        else:
            onset.append(now)
            duration.append(float(time))
            rest_before.append(float(rest))
            rest = Fraction(0)
        now += time
    about |= {"meter": signature, "rest_after": float(rest)}
    if signature:
        signatures = signature if isinstance(signature, list) else [(Fraction(0), signature)]
        about["meter"] = signatures[0][1]
        bars = bars_of(onset, now, map(Fraction, lines), signatures)
        about |= {"beat": [float(time) for time in bars.beat], "bar": [float(time) for time in bars.length]}
        about["pickup"] = float(bars.pickup)
    notes = len(duration)
    return Song("a", ["C4"] * notes, duration, rest_before, **{"phrase": [False] * notes} | about)


def written(tune):
    """`0 3/4: 4 | 1: 2 4_ | 2: 2 4r`: number, time signature and values of each measure; _ is tied to the next."""
    texts = []
    for measure in measures(tune):
        values = [
            f"{piece.value.number}{'.' * piece.value.dots}{'r' * (piece.pitch is None)}{'_' * (not piece.last)}"
            for piece in measure.pieces
        ]
        texts.append(f"{measure.number} {measure.signature}".strip() + ": " + " ".join(values))
    return " | ".join(texts)


def test_a_pickup_a_tie_over_a_bar_line_and_a_rest_that_fills_the_last_bar_with_the_pickup():
    """3/4: 1 | 2 and 1 of 2 | 1 of 2, 2 | 1 and a rest of 1: the last bar and the pickup are three quarters."""
    tune = song("1 2 2 2 1 r1", "3/4", (1, 4, 7))
    assert written(tune) == "0 3/4: 4 | 1: 2 4_ | 2: 4 2 | 3: 4 4r"
    assert [(piece.note, piece.first, piece.last) for piece in measures(tune)[2].pieces] == [
        (2, False, True),
        (3, True, True),
    ]


def test_triplets():
    """A triplet of eighths; a triplet of quarters over two beats; 5/3 of a quarter from the bar line."""
    assert written(song("1/3 1/3 1/3 1 2/3 2/3 2/3", "4/4")) == "1 4/4: 12 12 12 4 6 6 6"
    assert written(song("5/3 1/3", "2/4")) == "1 2/4: 4_ 6 12"


def test_phrases_begin_and_end_at_their_pieces():
    """The second of three notes is tied over the bar line and begins a phrase, which ends with the third."""
    tune = song("1 2 r1 2", "2/4", (2, 4), phrase=[False, True, False])
    pieces = [piece for measure in measures(tune) for piece in measure.pieces]
    assert [piece.note for piece in pieces] == [0, 1, 1, -1, 2]
    assert [piece.begins for piece in pieces] == [False, True, False, False, False]
    assert [piece.ends for piece in pieces] == [False, False, False, False, True]


def test_free_meter_has_a_measure_for_each_line():
    tune = song("1 5/4 r1 2", phrase=[True, False, True])
    assert written(tune) == "1 X: 4 4_ 16 4r | 2: 2"
    assert written(song("1 " * 33)).count("|") == 2  # lines of sixteen quarter notes
    assert written(song("")) == "1 X: "


def test_changes_of_meter_and_bars_without_notes():
    """3/4, then 2/4 from the second bar; the third bar has no onset; free meter follows."""
    signatures = [(Fraction(0), "3/4"), (Fraction(3), "2/4"), (Fraction(9), "X")]
    tune = song("3 4 1 1 3 1/2", signatures, (3, 5, 7, 9))
    assert written(tune) == "1 3/4: 2. | 2 2/4: 2_ | 3: 2 | 4: 4 4 | 5 X: 2. 8"


def test_a_bar_divided_at_a_repeat_is_one_measure():
    assert written(song("1 1 1 1 3", "3/4", (1, 3, 4))) == "0 3/4: 4 | 1: 4 4 4 | 2: 2."


def test_contradictory_beats_are_free_meter():
    tune = Song("a", ["C4"] * 2, [1.0, 1.0], [0.0, 0.0], [False] * 2, meter="2/4", beat=[0.0, 1.5], bar=[2.0, 2.0])
    assert written(tune) == "1 X: 4 4"


def test_bars_for_which_there_is_no_time_signature_are_free_meter():
    tune = Song("a", ["C4"] * 2, [2.0, 0.8], [0.0, 0.0], [False] * 2, meter="2/4", beat=[0.0, 0.0], bar=[2.0, 0.8])
    assert written(tune) == "1 X: 2 5"


@pytest.mark.parametrize(
    ("quarters", "values"),
    [
        ("3/2", ["4."]),
        ("1/3", ["12"]),
        ("5/4", ["4", "16"]),
        ("0", []),
        ("9", ["0", "4"]),
        ("7", ["1.."]),
        ("8/3", ["3", "3"]),
    ],
)
def test_note_values_add_up_to_the_duration(quarters, values):
    found = note_values(Fraction(quarters))
    assert [f"{value.number}{'.' * value.dots}" for value in found] == values
    assert sum(value.quarters for value in found) == Fraction(quarters)


@pytest.mark.parametrize(
    ("signature", "begin", "end", "values"),
    [
        ("4/4", "1", "3", "2"),  # a syncopated half note
        ("4/4", "1", "5/2", "4 8"),  # no dotted note across the middle of the bar
        ("4/4", "1/2", "2", "4."),
        ("4/4", "1/2", "5/2", "4. 8"),
        ("2/4", "1/4", "3/4", "8"),
        ("3/4", "0", "5/2", "2 8"),
        ("3/4", "1/2", "3", "8 2"),
        ("6/8", "0", "2", "4. 8"),
        ("6/8", "1", "2", "8 8"),
        ("6/8", "0", "3", "2."),
        ("9/8", "0", "9/2", "2. 4."),
        ("4/2", "0", "8", "0"),
        ("2/4", "1/3", "4/3", "6 12"),
    ],
)
def test_notes_show_the_beats(signature, begin, end, values):
    found = values_in_bar(Fraction(begin), Fraction(end), signature)
    assert " ".join(f"{value.number}{'.' * value.dots}" for value in found) == values


@pytest.mark.parametrize(
    ("signature", "begin", "end", "values"),
    [
        ("4/4", "0", "4", "1"),
        ("4/4", "0", "2", "2"),
        ("4/4", "1", "3", "4 4"),
        ("4/4", "0", "3", "2 4"),
        ("4/4", "0", "3/2", "4 8"),
        ("3/4", "0", "3", "2."),
        ("3/4", "1", "3", "4 4"),
        ("6/8", "0", "1", "4"),
        ("6/8", "1/2", "3/2", "8 8"),
        ("6/8", "1/2", "3", "8 8 4."),
        ("2/4", "0", "3/4", "8."),
    ],
)
def test_rests_show_the_beats(signature, begin, end, values):
    found = values_in_bar(Fraction(begin), Fraction(end), signature, is_rest=True)
    assert " ".join(f"{value.number}{'.' * value.dots}" for value in found) == values


@given(
    some.sampled_from(["2/4", "3/4", "4/4", "5/4", "6/8", "7/8", "12/8", "4/2"]),
    some.integers(0, 7),
    some.lists(some.sampled_from("1/2 1 3/2 1/4 1/3 2/3 5 r1/2 r1 r7/4 1/6".split()), min_size=1, max_size=40),
)
def test_the_measures_hold_the_song(signature, eighths, words):
    """Every measure but the first and last is full, and the pieces of a note add up to its duration."""
    text = " ".join([*words, "1"])
    times = [Fraction(word.lstrip("r")) for word in text.split()]
    length = Fraction(int(signature[:-2]) * 4, int(signature[-1]))
    pickup = Fraction(eighths, 2) % length
    if pickup >= sum(times):
        pickup = Fraction(0)
    lines = list(accumulate([length] * int(sum(times) / length), initial=pickup))
    tune = song(text, signature, lines)
    found = measures(tune)
    sums = [sum(piece.value.quarters for piece in measure.pieces) for measure in found]
    assert all(total == length for total in sums[1:-1]) and sums[0] == min(pickup or length, sum(times))
    assert found[0].number == (0 if pickup else 1)
    durations = [Fraction(0)] * len(tune.pitch)
    for piece in (piece for measure in found for piece in measure.pieces if piece.pitch):
        durations[piece.note] += piece.value.quarters
    assert durations == [Fraction(time).limit_denominator(96) for time in tune.duration]
    assert sum(sums) == sum(times)


def test_lines_hold_a_phrase_or_sixteen_quarter_notes():
    tune = song("1 1 r1 2 1", phrase=[True, False, True, False])
    assert lines(tune) == [slice(0, 2), slice(2, 4)]
    assert lines(song("1 " * 35)) == [slice(0, 16), slice(16, 32), slice(32, 35)]
    assert lines(song("40 1 1")) == [slice(0, 1), slice(1, 3)]
    assert lines(song("")) == []
