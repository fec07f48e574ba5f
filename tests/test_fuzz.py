"""The search for files that a reader fails on: what it begins with, and what it takes for a fault."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from melody.formats import corpus
from tests import fuzz

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("kind", fuzz.PARSERS)
def test_the_songs_that_are_changed_are_read(kind):
    songs = fuzz.seeds(kind)
    assert len(songs) > 6 and [fuzz.fault(kind, song) for song in songs] == [""] * len(songs)
    assert fuzz.fault(kind, songs[0][:40]) == "", "a damaged file is no fault"


def reader(read):
    return lambda kind: SimpleNamespace(read=read)


@pytest.mark.parametrize(
    ("read", "says"),
    [
        (lambda content, name: corpus.PATIENCE, ""),  # the line of the test is none of ours
        (lambda content, name: corpus.song_name(None, None), "AttributeError"),
        (lambda content, name: [corpus.Song("", ["C4"], [0.0], [0.0], [False])], "AssertionError"),
        (lambda content, name: [corpus.Song("", ["H4"], [1.0], [0.0], [False], beat=[0], bar=[0])], "UserError"),
        (lambda content, name: (_ for _ in ()).throw(MemoryError), "more memory"),
    ],
)
def test_what_is_a_fault(read, says, monkeypatch):
    monkeypatch.setattr(corpus, "reader_of", reader(lambda *what: list(read(*what))))
    found = fuzz.fault("abc", b"")
    assert (says in found) if says else found == ""


def test_the_page_shows_the_results_file():
    record = json.loads((ROOT / "results/fuzz.json").read_text())
    assert f"\n{fuzz.table(record)}\n" in (ROOT / "docs/robustness.md").read_text()
    assert record["readers"].keys() == fuzz.PARSERS.keys()
