"""Spelled pitches, rhythms and openings."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from melody.errors import UserError
from melody.meter import Opening, Rhythm
from melody.vocabulary import ESSEN, RhythmVocabulary, Spelling, Vocabulary, spelled
from tests.synthetic import dataset_of, tunes


def test_essen_has_the_76_notes():
    assert (len(ESSEN), ESSEN.names[0], ESSEN.names[-1]) == (76, "A2", "C7")


def test_a_spelling_has_step_midi_number_and_fifth():
    """C#4 and D-4 are both MIDI 61; their steps differ by one and their fifths by twelve: 7 and -5."""
    sharp, flat = Spelling("C#4"), Spelling("D-4")
    assert (sharp.midi, sharp.step, sharp.fifth) == (61, 28, 7)
    assert (flat.midi, flat.step, flat.fifth) == (61, 29, -5)


def test_a_flat_is_not_a_negative_octave():
    assert Spelling("B-2").midi == 46
    for name in ("H4", "C", "C#-4", "c4", "C4 ", ""):
        with pytest.raises(UserError):
            Spelling(name)


@given(st.sampled_from(ESSEN.spellings))
def test_spelled_undoes_spelling(note):
    assert spelled(note.step, note.fifth) == note.name


@given(st.lists(st.sampled_from(ESSEN.names)))
def test_decode_undoes_encode(names):
    assert ESSEN.decode(ESSEN.encode(names)) == names


@given(st.sets(st.sampled_from(ESSEN.names)))
def test_load_restores_a_saved_vocabulary(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("vocabulary") / "vocabulary.json"
    Vocabulary(names).save(path)
    assert Vocabulary.load(path) == Vocabulary(names)
    assert Vocabulary.load(path).fingerprint == Vocabulary(names).fingerprint


def test_notes_are_sorted_from_low_to_high():
    assert Vocabulary(["E4", "D-4", "C#4", "C4", "C4"]).names == ["C4", "C#4", "D-4", "E4"]


def test_the_error_names_a_note_that_is_not_in_the_vocabulary():
    with pytest.raises(UserError, match="C7"):
        Vocabulary(["C4"]).encode(["C4", "C7"])


# Rhythms and openings

WITH_RHYTHMS = dataset_of([one for one in tunes(2) for _ in range(2)]).vocabulary
DAMAGED = {
    "pitches": ["H4", "", 7],
    "rhythms": ["0", "0 1 2", "0 x", "0 -1", "0 1/0", "0 1e999999999", None],
    "openings": ["3/4", "3/4 1 1", "3/4 -1", "3/4 1/0", "3/4 x", "3/4 3", "0/4 0", "x 0", "free 1"],
}


def test_load_restores_rhythms_and_openings(tmp_path):
    WITH_RHYTHMS.save(tmp_path / "vocabulary.json")
    loaded = Vocabulary.load(tmp_path / "vocabulary.json")
    assert loaded == WITH_RHYTHMS != ESSEN and loaded.rhythm == WITH_RHYTHMS.rhythm
    assert loaded.rhythm.signatures == ["2/4", "3/4", "free"]
    assert list(loaded.rhythm.openings) == list(WITH_RHYTHMS.rhythm.openings), "the order numbers them"
    assert loaded.fingerprint == WITH_RHYTHMS.fingerprint != ESSEN.fingerprint
    np.testing.assert_array_equal(loaded.rhythm.automaton.legal, WITH_RHYTHMS.rhythm.automaton.legal)
    assert "rhythms" not in ESSEN.record() and Vocabulary.parse(ESSEN.record()) == ESSEN


@given(st.fractions(0, 8, max_denominator=96), st.fractions(0, 8, max_denominator=96), st.integers(0, 9))
def test_the_text_of_any_times_is_read_back(rest, duration, songs):
    opening = Opening("12/8", duration % 6)
    rhythm = RhythmVocabulary([Rhythm(rest, duration)], {opening: songs}, {"12/8": {rest: [0]}}, {opening: [rest]})
    assert RhythmVocabulary.parse(json.loads(json.dumps(rhythm.record()))) == rhythm


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in DAMAGED.items() for value in values])
def test_a_damaged_time_or_name_is_one_line(tmp_path, field, value):
    record = WITH_RHYTHMS.record()
    record[field] = record[field] | {value: 1} if isinstance(record[field], dict) else [*record[field], value]
    assert_damaged(tmp_path, record)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.pop("pitches"),
        lambda record: record.pop("endings"),
        lambda record: record.update(openings=["3/4 1"]),
        lambda record: record.update(openings={"3/4 1": "many"}),
        lambda record: record.update(transitions=[]),
        lambda record: record["transitions"]["3/4"].update({"0": [95]}),
        lambda record: record["transitions"]["3/4"].update({"1/0": [0]}),
        lambda record: record["transitions"]["3/4"].update({"0": None}),
        lambda record: record["endings"].update({"3/4 1": ["x"]}),
        lambda record: record["endings"].update({"3/4": ["0"]}),
    ],
)
def test_a_damaged_vocabulary_is_one_line(tmp_path, change):
    record = WITH_RHYTHMS.record()
    change(record)
    assert_damaged(tmp_path, record)


def assert_damaged(folder, record):
    path = folder / "vocabulary.json"
    path.write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"vocabulary\.json is damaged.*python preprocess\.py") as error:
        Vocabulary.load(path)
    assert "\n" not in str(error.value)
