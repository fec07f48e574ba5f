"""Stage 5 with a fake composer: which songs it writes, when, and what it says."""

import argparse
import json
import sys

import mido
import pytest

import generate_song
from melody.cli import run
from melody.composer import ComposedSong
from melody.errors import UserError
from melody.selection import checked
from melody.song import Song
from melody.song_folder import SongFolder


def waltz(bars):
    pitch = ["E4", "D4", "C4"] * bars
    notes = len(pitch)
    return Song("a", pitch, [1.0] * notes, [0.0] * notes, [False] * notes, title="a waltz", key="C", meter="3/4")


@pytest.fixture
def script(tmp_path, monkeypatch, capsys):
    """Runs generate_song.py with flags; gives its exit status, stdout and stderr. Song n has n bars."""

    def load_composer(args):
        def compose(numbers, on_song):
            for number in sorted(numbers, reverse=True):  # the network ends songs in any order
                song, missed = checked(waltz(number), generate_song.checks(args, ()))
                on_song(number, ComposedSong(song, {"latent": [args.seed, number]}, missed))

        return compose, generate_song.settings_of(args)

    def script(*flags):
        monkeypatch.setattr(sys, "argv", ["generate_song", "--out", str(tmp_path), "--regions", "china", *flags])
        status = 0
        try:
            run(generate_song.main)
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    monkeypatch.setattr(generate_song, "load_composer", load_composer)
    monkeypatch.setattr(generate_song, "init_keras", lambda args: None)
    return script


def midi_names(folder):
    return sorted(path.name for path in (folder / "china").glob("*.mid"))


def test_one_song_is_reported_in_the_singular(script, tmp_path):
    assert script("--count", "1")[1].splitlines()[-1] == f"wrote 1 song, {tmp_path}/china/001.mid"
    assert script("--count", "2")[1].splitlines()[-1] == f"wrote 2 songs, {tmp_path}/china/002.mid to 003.mid"


def test_a_number_composes_that_song_alone_with_the_same_bytes(script, tmp_path):
    assert script("--count", "8")[0] == 0
    assert script("--number", "6", "--out", str(tmp_path / "one"))[0] == 0
    assert midi_names(tmp_path / "one") == ["006.mid"]
    for name in ("006.mid", "006.json"):
        assert (tmp_path / "one/china" / name).read_bytes() == (tmp_path / "china" / name).read_bytes()
    assert json.loads((tmp_path / "china/006.json").read_text())["number"] == 6


def test_a_number_never_replaces_another_song_unasked(script, tmp_path):
    assert script("--number", "6")[0] == script("--number", "6")[0] == 0, "the same song may be written again"
    before = (tmp_path / "china/006.mid").read_bytes()
    status, _, error = script("--number", "6", "--seed", "9")
    assert status == 2 and error.count("\n") == 1 and "seed 0, not 9" in error and "--overwrite" in error
    assert (tmp_path / "china/006.mid").read_bytes() == before
    assert script("--number", "6", "--seed", "9", "--overwrite")[0] == 0
    assert (tmp_path / "china/006.mid").read_bytes() != before
    (tmp_path / "china/007.mid").write_bytes(b"mine")
    assert script("--number", "7")[0] == 2 and (tmp_path / "china/007.mid").read_bytes() == b"mine"


def test_new_songs_take_the_lowest_free_numbers(script, tmp_path):
    script("--count", "4")
    (tmp_path / "china/002.mid").unlink()
    script("--count", "2")
    assert midi_names(tmp_path) == ["001.mid", "002.mid", "003.mid", "004.mid", "005.mid"]


def test_ctrl_c_keeps_the_songs_that_have_ended(script, tmp_path, monkeypatch):
    """Of a block of five songs two have ended: both are written, whole, and the message counts them."""
    write = SongFolder.write

    def write_two(folder, record, score):
        if record["number"] == 3:
            raise KeyboardInterrupt
        write(folder, record, score)

    monkeypatch.setattr(SongFolder, "write", write_two)
    status, _, error = script("--count", "5")
    assert status == 130 and midi_names(tmp_path) == ["004.mid", "005.mid"]
    assert error.strip().startswith(f"stopped; 2 of 5 songs are written to {tmp_path}/china")
    monkeypatch.setattr(SongFolder, "write", write)
    assert script("--count", "3")[0] == 0
    assert midi_names(tmp_path) == [f"00{number}.mid" for number in range(1, 6)]


@pytest.mark.parametrize(
    ("flags", "warning"),
    [
        ("--temperature .5", "at temperatures up to 0.5 a third of the songs mostly repeat the same notes"),
        ("--temperature 2", "at temperatures from 2 notes are nearly random"),
        ("--guidance 10", "with guidance from 10 songs are a third shorter"),
        ("--temperature 1.3 --guidance 3", None),
    ],
)
def test_extreme_settings_warn_in_one_line(script, flags, warning):
    lines = [line for line in script("--count", "1", *flags.split())[1].splitlines() if line.startswith("warning: ")]
    assert len(lines) == (warning is not None) and (not warning or warning in lines[0])


def test_an_instrument_by_name(script, tmp_path):
    assert script("--count", "1", "--instrument", "violin")[0] == 0
    assert json.loads((tmp_path / "china/001.json").read_text())["instrument"] == 40
    status, _, error = script("--instrument", "flutte")
    assert status == 2 and error.count("\n") == 1 and "flute" in error


def test_a_mode_that_cannot_be_had_is_said_in_one_line(script, tmp_path):
    lines = script("--count", "2", "--key", "d")[1].splitlines()
    assert "64 attempts were not enough for 001 (not in minor), 002 (not in minor); the last song is kept" in lines
    record = json.loads((tmp_path / "china/001.json").read_text())
    assert (record["key"], record["asked_key"], record["notes"][:3]) == ("D", "d", ["F#4", "E4", "D4"])
    assert not any("attempts" in line for line in script("--count", "2", "--key", "G")[1].splitlines())


def test_plain_midi_files_are_the_exact_score(script, tmp_path):
    assert script("--count", "1")[0] == script("--count", "1", "--plain")[0] == 0
    velocities = [
        {message.velocity for message in mido.MidiFile(tmp_path / "china" / name) if message.type == "note_on"}
        for name in ("001.mid", "002.mid")
    ]
    assert len(velocities[0]) > 1 == len(velocities[1])


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--meter", "3"), "'3' is not a time signature such as 3/4, or free"),
        (("--meter", "3/4", "0/4"), "'0/4' is not a time signature"),
        (("--key", "H"), "'H' is not a key of up to 7 sharps or flats, such as G, d, B- or F# minor"),
        (("--key", "G#"), "'G#' is not a key"),
        (("--range", "C4", "H5"), "'H5' is not a note name"),
        (("--distance", "1"), "--distance goes with --vary"),
        (("--keep",), "--keep goes with --continue"),
        (("--at", "1", "7"), "'7' is not a number from -6 to 6"),
        (("--range", "C0", "C5"), "C0 is not a note from C1 to G9"),
        (("--range", "C5", "C4"), "--range C5 C4: the lowest note comes first"),
        (("--min-length", "300"), "--min-length 300 is more than --length 200"),
        (("--continue", "a.abc", "--meter", "3/4"), "--continue goes on in the meter of the tune"),
        (("--max-copy", "3"), "'3' is not a whole number from 8 to 1,000"),
        (("--mix", "china=1"), "not allowed with argument --regions"),
    ],
)
def test_flags_that_are_not_valid_are_one_line(script, flags, says):
    status, _, error = script(*flags)
    assert status == 2 and error.count("\n") == 1 and says in error


def test_the_advice_on_listening_names_the_song_and_the_sound_font(script, tmp_path, monkeypatch):
    monkeypatch.setattr(generate_song, "check_synthesizer", lambda font: "")
    output = script("--count", "1", "--sound-font", "my font.sf2")[1]
    assert f"python -m melody.listen.audio {tmp_path}/china/001.mid --play --sound-font 'my font.sf2'" in output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--key", "H"], "not a key"),
        (["--keep"], "goes with --continue"),
        (["x"], "x"),
        (["--at", "1", "1", "--vary", "a.json"], "one VAE"),
    ],
)
def test_flags_that_are_given_as_words_raise_instead_of_ending_the_process(words, says):
    with pytest.raises((UserError, argparse.ArgumentError), match=says):
        generate_song.arguments(words)
    assert generate_song.arguments(["--seed", "7"]).seed == 7
