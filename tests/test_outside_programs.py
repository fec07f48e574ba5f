"""MuseScore, abc2midi, abcm2ps and Verovio read what is written without a warning, and as the same notes."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter

import mido
import pytest
import verovio

from melody.flags import ROOT

pytestmark = pytest.mark.slow

SONGS = {  # folders of six songs each, and the flags that compose them
    "4-4": "--regions deutschl --meter 4/4",
    "6-8": "--regions deutschl --meter 6/8",
    "china": "--regions china",
    "d": "--regions deutschl --meter 3/4 --key d",
}
LAYOUT = re.compile(r".*warning: Line (underfull|overfull|too much shrunk).*")  # how a line of notes fills the page


def installed(*names):
    """The path of a program, or of the first of several names of it."""
    found = next(filter(None, map(shutil.which, names)), None)
    return found or pytest.skip(f"{names[0]} is not installed")


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """The MIDI files of 24 composed songs, with their scores beside them."""
    folder = tmp_path_factory.mktemp("songs")
    for name, flags in SONGS.items():
        words = [*flags.split(), *"--count 6 --score --plain --quiet --out".split(), folder / name]
        subprocess.run([sys.executable, "generate_song.py", *words], cwd=ROOT, check=True)
    found = sorted(folder.rglob("*.mid"))
    records = [json.loads(path.with_suffix(".json").read_text()) for path in found]
    assert len(records) == 24 and any(record["pickup"] for record in records)
    assert {"6/8", "3/4", "2/4", "4/4"} <= {record["meter"] for record in records}
    return found


def notes(path):
    """(onset in quarter notes, MIDI number) of each note of a MIDI file."""
    file, found = mido.MidiFile(path), Counter()
    for track in file.tracks:
        ticks = 0
        for message in track:
            ticks += message.time
            if message.type == "note_on" and message.velocity:
                found[round(ticks / file.ticks_per_beat, 2), message.note] += 1
    return found


def test_musescore_opens_the_midi_and_musicxml_files(songs, tmp_path):
    """It exports each as PDF without a word, and the MusicXML as the notes of the MIDI file."""
    program = installed("mscore3", "mscore", "musescore3", "musescore")
    jobs = [{"in": str(path), "out": [f"{tmp_path}/{n}.pdf"]} for n, path in enumerate(songs)]
    scores = {path: tmp_path / f"{n}-score.mid" for n, path in enumerate(songs)}
    for path, midi in scores.items():
        jobs.append({"in": str(path.with_suffix(".musicxml")), "out": [str(midi), str(midi.with_suffix(".pdf"))]})
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    quiet = os.environ | {"QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": str(tmp_path)}
    command = [program, "-j", tmp_path / "jobs.json"]
    result = subprocess.run(command, env=quiet, capture_output=True, text=True, check=True)
    said = [line for line in result.stderr.splitlines() if not re.match(r"convert <|\tto <|\.\.\. success!", line)]
    assert said == [] and len(list(tmp_path.glob("*.pdf"))) == 2 * len(songs)
    for path, midi in scores.items():
        assert notes(midi) == notes(path), path


def test_abc2midi_reads_the_same_notes(songs, tmp_path):
    program = installed("abc2midi")
    for path in songs:
        command = [program, path.with_suffix(".abc"), "-o", tmp_path / "a.mid"]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        said = [line for line in (result.stdout + result.stderr).splitlines() if re.search("warning|error", line, re.I)]
        assert said == [] and notes(tmp_path / "a.mid") == notes(path), path


def test_abcm2ps_draws_the_tunes(songs, tmp_path):
    program = installed("abcm2ps")
    for path in songs:
        command = [program, "-q", path.with_suffix(".abc"), "-O", tmp_path / "a.ps"]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        said = [line for line in result.stderr.splitlines() if not LAYOUT.fullmatch(line)]
        assert said == [] and (tmp_path / "a.ps").stat().st_size > 10_000, path


@pytest.mark.parametrize("suffix", [".krn", ".musicxml"])
def test_verovio_reads_the_same_notes(songs, tmp_path, suffix, capfd):
    verovio.enableLog(verovio.LOG_WARNING)
    for path in songs:
        toolkit = verovio.toolkit()
        assert toolkit.loadFile(str(path.with_suffix(suffix))), path
        assert "<svg" in toolkit.renderToSVG(1)
        assert toolkit.renderToMIDIFile(str(tmp_path / "v.mid"))
        assert notes(tmp_path / "v.mid") == notes(path), path
    assert capfd.readouterr().err == ""
