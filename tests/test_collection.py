"""Songs of the kern edition are written in each format and read back as the same songs."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from joblib import Parallel, delayed

from melody.formats.corpus import read_songs
from melody.formats.song_files import find_songs
from melody.formats.write_abc import write_abc
from melody.formats.write_kern import write_kern
from melody.formats.write_midi import write_midi
from melody.formats.write_musicxml import write_musicxml
from melody.notation import FREE, measures
from melody.vocabulary import Spelling

FIELDS = {*"pitch duration rest_before beat bar pickup meter".split()}
WRITERS = {  # the writer of a format, and the fields that it stores
    ".krn": (write_kern, FIELDS | {"title", "rest_after", "phrase"}),
    ".musicxml": (write_musicxml, FIELDS | {"title", "rest_after", "phrase"}),
    ".abc": (partial(write_abc, tempo=96), FIELDS | {"title", "rest_after", "area"}),
    ".mid": (partial(write_midi, tempo=96), FIELDS),
}
SLOW_READERS = (".musicxml", ".abc")  # music21 writes or reads these, so they are tried with every sixth song
BATCHES = 64  # of songs, for all cores
METER_CHANGES_INSIDE_A_BAR = {"han0574", "natmn027"}  # so that no bars fit what is read


def differing(files):
    """The fields that differ in each song, by name and format."""
    found = {}
    with TemporaryDirectory() as folder:
        for number, path, root in files:
            song = read_songs(path, root)[0]
            first = measures(song)[0].signature
            for suffix, (write, fields) in WRITERS.items():
                if suffix in SLOW_READERS and number % 6 and path.stem not in METER_CHANGES_INSIDE_A_BAR:
                    continue
                write(Path(folder) / f"song{suffix}", song)
                expected, again = song, read_songs(Path(folder) / f"song{suffix}", Path(folder))[0]
                if suffix != ".krn" and again.meter.strip(FREE) == first.strip(FREE):
                    again = replace(again, meter=song.meter)  # the meter of the first bar, where kern names another
                if suffix == ".mid":  # MIDI has no spelling
                    expected, again = (replace(one, pitch=sounds(one)) for one in (expected, again))
                found[path.stem, suffix] = {field for field in fields if not same(expected, again, field)}
    return found


def same(song, again, field):
    value, times = getattr(song, field), field in ("duration", "rest_before", "beat", "bar")
    return getattr(again, field) == (pytest.approx(value, abs=1e-3) if times else value)


def sounds(song):
    return [Spelling(name).midi for name in song.pitch]


@pytest.mark.slow
def test_songs_are_read_back_from_every_format(kern_edition):
    """But for the bars of songs that change their meter inside a bar, and in MIDI, which has no bar lines, of 17 more.

    In MIDI the bars of songs whose meter begins later than the song are counted back to their beginning, a bar without
    an onset may be shorter than those around it, and a first bar may look like a pickup.
    """
    found = (file for file in find_songs([str(kern_edition)]) if file[0].stem != "han0953")  # which has no notes
    files = [(number, *file) for number, file in enumerate(found)]
    batches = Parallel(n_jobs=-1)(delayed(differing)(files[first::BATCHES]) for first in range(BATCHES))
    found = {key: fields for batch in batches for key, fields in batch.items()}
    assert [sum(kind == suffix for _, kind in found) for suffix in (".krn", ".mid")] == [8472, 8472]
    assert all(sum(kind == suffix for _, kind in found) >= 8472 / 6 for suffix in SLOW_READERS)
    other = {suffix: {stem for stem, kind in found if kind == suffix and found[stem, kind]} for suffix in WRITERS}
    assert all(fields <= {"beat", "bar", "pickup", "meter"} for fields in found.values())
    assert len(other[".mid"]) == 19 and other.pop(".mid") > METER_CHANGES_INSIDE_A_BAR
    assert all(stems == METER_CHANGES_INSIDE_A_BAR for stems in other.values())
