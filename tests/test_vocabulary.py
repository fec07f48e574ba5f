"""Spelled pitches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from melody.errors import UserError
from melody.vocabulary import ESSEN, Spelling, Vocabulary, spelled


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
