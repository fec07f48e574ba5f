"""Songs: onsets, note values and records (JSON)."""

import json
import math

import pytest

from melody.errors import UserError
from melody.formats.write_kern import kern
from melody.formats.write_musicxml import musicxml
from melody.song import Song, check_song, onsets, song_from_record, song_record

SETTINGS = {"regions": ["china"], "seed": 3, "note_length": 0.5, "tempo": 120, "instrument": 73}


@pytest.fixture
def record():
    return song_record("china 007", 7, ["C4", "F#5", "B-3"], SETTINGS)


def test_onsets():
    song = Song("a", ["C4", "D4"], [1.0, 0.5], [0.0, 0.25], [True, False])
    assert onsets(song) == [(0.0, 1.0), (1.25, 1.75)]


def test_a_record_keeps_the_song(record):
    song = song_from_record(json.loads(json.dumps(record)))
    assert (song.title, song.pitch) == ("china 007", ["C4", "F#5", "B-3"])
    assert song.duration == [0.5] * 3 and song.rest_before == [0.0] * 3
    assert record["number"] == 7


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tempo", 0), ("tempo", math.nan), ("tempo", "fast"), ("tempo", True), ("tempo", None), ("tempo", 10**400),
        ("regions", 7), ("regions", "china"), ("regions", [1]), ("regions", None),
        ("notes", "C4"), ("notes", [60]), ("notes", ["H4"]), ("notes", ["C" + "#" * 50 + "4"]), ("notes", None),
        ("notes", ["C" + "9" * 4000]), ("notes", ["C" + "9" * 5000]), ("notes", ["C99"]),
        ("note_length", 1e300), ("note_length", 0), ("note_length", -1), ("note_length", math.inf),
        ("note_length", "1"), ("note_length", []), ("number", 0), ("number", "7"), ("number", 1.5),
        ("title", 7), ("title", None), ("instrument", 128), ("instrument", 7.5),
    ],
)  # fmt: skip
def test_a_damaged_record_is_refused_in_one_line_that_names_the_field(record, field, value):
    with pytest.raises(UserError, match=f"^007.json is damaged: {field} is ") as refused:
        song_from_record(record | {field: value}, "007.json")
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 120


@pytest.mark.parametrize("field", ["title", "number", "notes", "note_length", "tempo"])
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
