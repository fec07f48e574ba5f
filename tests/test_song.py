"""Songs: onsets, note values and records (JSON)."""

import json
import math

import pytest

from melody.errors import UserError
from melody.formats.write_kern import kern
from melody.formats.write_musicxml import musicxml
from melody.song import Song, check_song, onsets, song_from_record, song_record

SETTINGS = {"regions": ["china"], "seed": 3, "tempo": 120, "instrument": 73}
# 3/4 with a pickup: 4B- | 4.c 8r 8ff# [8c | 4c] 4r
NOTES, DURATIONS, RESTS = ["B-3", "C4", "F#5", "C4"], [1.0, 1.5, 0.5, 1.5], [0.0, 0.0, 0.5, 0.0]


@pytest.fixture
def record():
    marks, bars = [True, False, False, True], {"meter": "3/4", "pickup": 1.0, "rest_after": 1.0, "key": "B-"}
    return song_record(Song("a", NOTES, DURATIONS, RESTS, marks, title="china 007", **bars), 7, SETTINGS)


def test_onsets():
    song = Song("a", ["C4", "D4"], [1.0, 0.5], [0.0, 0.25], [True, False])
    assert onsets(song) == [(0.0, 1.0), (1.25, 1.75)]


def test_a_record_keeps_the_song(record):
    """The record holds no beat positions: they follow from the time signature and the pickup."""
    song = song_from_record(json.loads(json.dumps(record)))
    assert (song.title, song.pitch, song.duration, song.rest_before) == ("china 007", NOTES, DURATIONS, RESTS)
    assert (song.meter, song.pickup, song.rest_after, song.key) == ("3/4", 1.0, 1.0, "B-")
    assert song.phrase == [True, False, False, True] and record["phrases"] == [0, 3] and record["number"] == 7
    assert song.beat == [2.0, 0.0, 2.0, 2.5] and song.bar == [3.0] * 4


def test_a_free_song_has_no_bars(record):
    song = song_from_record(record | {"meter": "", "pickup": 0.0, "durations": [1.0, 2.0, 1.0, 0.3]})
    assert (song.meter, song.beat, song.bar) == ("", [0.0] * 4, [0.0] * 4)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"durations": [1.0, 2.0, 0.5, 1.5]}, "its notes and rests fill 6.5 quarter notes, a bar of 3/4 has 3"),
        ({"rest_after": 0.0}, "its notes and rests fill 5 quarter notes, a bar of 3/4 has 3"),
        ({"meter": "4/4"}, "its notes and rests fill 6 quarter notes, a bar of 4/4 has 4"),
        ({"meter": "", "pickup": 1.0}, "its pickup has 1 quarter notes, a bar of free meter has 0"),
        ({"pickup": 3.0}, "its pickup has 3 quarter notes, a bar of 3/4 has 3"),
    ],
)
def test_a_record_whose_bars_are_not_full_is_refused(record, changes, says):
    with pytest.raises(UserError, match=f"^007.json is damaged: {says}; compose the song again$"):
        song_from_record(record | changes, "007.json")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tempo", 0), ("tempo", math.nan), ("tempo", "fast"), ("tempo", True), ("tempo", None), ("tempo", 10**400),
        ("regions", 7), ("regions", "china"), ("regions", [1]), ("regions", None),
        ("notes", "C4"), ("notes", [60]), ("notes", ["H4"]), ("notes", ["C" + "#" * 50 + "4"]), ("notes", None),
        ("notes", ["C" + "9" * 4000]), ("notes", ["C" + "9" * 5000]), ("notes", ["C99"]),
        *[("durations", [1.0, value, 0.5, 1.5]) for value in (0, -1, 1e300, math.inf, math.nan, "1", None, True, [])],
        *[("rests", [0.0, value, 0.5, 0.0]) for value in (-0.5, 1e300, math.nan, "0", None)],
        ("durations", [1.0]), ("rests", [0.0] * 5), ("durations", 1.0), ("rests", None), ("durations", {"0": 1.0}),
        ("phrases", [4]), ("phrases", [-1]), ("phrases", [0.5]), ("phrases", [True]), ("phrases", 0),
        ("meter", "3"), ("meter", "0/4"), ("meter", "3/4 "), ("meter", "999/1" * 9), ("meter", None), ("meter", 0.75),
        ("pickup", -1), ("pickup", math.nan), ("pickup", "1"), ("rest_after", -1), ("rest_after", math.inf),
        ("key", None), ("key", ["G"]), ("number", 0), ("number", "7"), ("number", 1.5),
        ("title", 7), ("title", None), ("instrument", 128), ("instrument", 7.5),
    ],
)  # fmt: skip
def test_a_damaged_record_is_refused_in_one_line_that_names_the_field(record, field, value):
    with pytest.raises(UserError, match=f"^007.json is damaged: {field} is ") as refused:
        song_from_record(record | {field: value}, "007.json")
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 120


@pytest.mark.parametrize(
    "field", "title number notes durations rests phrases meter pickup rest_after key tempo".split()
)
def test_a_record_without_a_field_is_refused(record, field):
    del record[field]
    with pytest.raises(UserError, match=f"{field} is missing"):
        song_from_record(record)


@pytest.mark.parametrize("damaged", [[], None, "china", 3])
def test_a_record_that_is_no_object_is_refused(damaged):
    with pytest.raises(UserError, match="not a JSON object"):
        song_from_record(damaged)


@pytest.mark.parametrize("quarters", [1e300, math.inf, math.nan, -1])
def test_writers_refuse_durations_that_no_song_has(quarters):
    song = Song("a", ["C4"], [quarters], [0.0], [False])
    for use in (check_song, onsets, kern, musicxml):
        with pytest.raises(UserError, match="a note or rest of"):
            use(song)
