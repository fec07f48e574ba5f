"""Sound: with the real FluidSynth if installed, and with fakes that fail in each way that midi2audio hides."""

import argparse
import os
import re
import shutil
import stat
import sys
import wave

import numpy as np
import pytest

from melody.errors import UserError
from melody.formats.write_midi import write_midi
from melody.listen import audio, soundfont
from melody.listen.instruments import INSTRUMENTS, instrument
from melody.song import Song

pytest.importorskip("mido")
pytest.importorskip("midi2audio")


def melody(pitch, duration, rest_before, **about):
    return Song("test", pitch, duration, rest_before, [False] * len(pitch), **about)


SONG = melody(["C4", "E4", "G4", "C5"], [1, 1, 1, 2], [0, 0, 1, 0])  # 6 quarter notes: 3 seconds at 120 a minute


def missing_synthesizer():
    try:
        soundfont.check_synthesizer()
    except UserError as missing:
        return str(missing)


needs_synthesizer = pytest.mark.skipif(missing_synthesizer() is not None, reason=missing_synthesizer() or "")
needs_shell = pytest.mark.skipif(sys.platform == "win32", reason="the fake synthesizers are shell scripts")


@pytest.fixture
def song(tmp_path):
    write_midi(tmp_path / "song.mid", SONG, 120)
    return tmp_path / "song.mid"


@pytest.fixture
def font(tmp_path):
    (tmp_path / "a.sf2").write_bytes(b"RIFF\0\0\0\0sfbk")
    return tmp_path / "a.sf2"


def samples(path):
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 44100)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2) / 32768


def peak_hertz(sound):
    spectrum = np.abs(np.fft.rfft(sound.mean(1) * np.hanning(len(sound))))
    return np.fft.rfftfreq(len(sound), 1 / 44100)[spectrum.argmax()]


@needs_synthesizer
def test_length_and_level_of_a_wav(song, tmp_path):
    seconds = audio.write_wav(song, tmp_path / "out" / "song.wav")
    sound = samples(tmp_path / "out" / "song.wav")
    assert abs(len(sound) / 44100 - 3) < 1 and seconds == pytest.approx(len(sound) / 44100)
    assert 0.65 < np.abs(sound).max() < 0.75  # loud, and not clipped
    assert np.abs(sound[-200:]).max() < 0.01  # faded out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["song.wav"]


@needs_synthesizer
def test_a4_is_440_hertz(tmp_path):
    write_midi(tmp_path / "a.mid", melody(["A4"], [4], [0]), 120, instrument=73)
    audio.write_wav(tmp_path / "a.mid", tmp_path / "a.wav")
    assert peak_hertz(samples(tmp_path / "a.wav")) == pytest.approx(440, rel=0.01)


@needs_synthesizer
def test_a_key_of_eight_flats_is_rendered(song, tmp_path):
    content = song.read_bytes()
    place = content.index(b"\xff\x59\x02")
    (tmp_path / "flats.mid").write_bytes(content[: place + 3] + b"\xf8\x00" + content[place + 5 :])
    assert audio.write_wav(tmp_path / "flats.mid", tmp_path / "flats.wav") == pytest.approx(3.75, abs=0.01)


@needs_synthesizer
def test_the_command_writes_beside_each_song(song, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["audio", str(song)])
    audio.main()
    assert song.with_suffix(".wav").exists()
    output = capsys.readouterr().out
    assert "sound font" in output and "3.8 seconds" in output


@needs_synthesizer
def test_the_command_goes_on_after_unreadable_files_and_lists_them(song, tmp_path, monkeypatch, capsys):
    (tmp_path / "bad.mid").write_bytes(b"hello")
    monkeypatch.setattr(sys, "argv", ["audio", str(tmp_path / "bad.mid"), str(tmp_path / "gone.mid"), str(song)])
    with pytest.raises(SystemExit) as end:
        audio.main()
    assert end.value.code == 1 and song.with_suffix(".wav").exists()
    bad, gone = capsys.readouterr().err.strip().splitlines()
    assert "bad.mid" in bad and "gone.mid" in gone and bad.startswith("error: ")
    assert not (tmp_path / "bad.wav").exists()


def writing(frames):
    """A shell command that writes a WAV of these frames, a Python expression, to the third argument."""
    setup = "w = wave.open(sys.argv[1], 'wb'); w.setnchannels(2); w.setsampwidth(2); w.setframerate(44100)"
    return f'{sys.executable} -c "import sys, wave; {setup}; w.writeframes({frames})" "$3"'


FAKES = {
    "refuses": ("echo 'fluidsynth: error: no such thing' >&2; exit 1", "no such thing"),
    "writes nothing": ("exit 0", "wrote no file"),
    "writes no wave": ('echo raw > "$3"', "no WAV"),
    "ignores the font": ("echo 'Failed to load the SoundFont' >&2", "Failed to load"),
    "is silent": (writing("bytes(4 * 44100 * 5)"), "silent"),
    "stops halfway": (writing("b'abcd' * 44100"), "rendered 1.0"),
}


def fake_synthesizer(folder, script, monkeypatch):
    folder.mkdir()
    program = folder / "fluidsynth"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/bin{os.pathsep}/usr/bin")


@needs_shell
@pytest.mark.parametrize("script, words", FAKES.values(), ids=list(FAKES))
def test_a_failure_that_midi2audio_hides_is_an_error_and_leaves_no_file(
    song, font, tmp_path, monkeypatch, script, words
):
    fake_synthesizer(tmp_path / "bin", script, monkeypatch)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.wav").write_bytes(b"older")
    for name in ("new.wav", "old.wav"):
        with pytest.raises(UserError, match=words):
            audio.write_wav(song, tmp_path / "out" / name, font)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["old.wav"]
    assert (tmp_path / "out" / "old.wav").read_bytes() == b"older"


@needs_shell
def test_options_come_before_the_files(song, font, tmp_path, monkeypatch):
    fake_synthesizer(tmp_path / "bin", f'echo "$@" > {tmp_path}/arguments', monkeypatch)
    audio.play(song, font)
    assert (tmp_path / "arguments").read_text().split() == ["-ni", "-r", "44100", str(font), str(song)]


def test_the_error_of_a_missing_program_names_the_commands(song, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        UserError, match=r"apt install fluidsynth .*brew install fluid-synth .*choco install fluidsynth"
    ):
        audio.write_wav(song, tmp_path / "song.wav")


def test_the_error_of_a_missing_sound_font_names_the_commands(monkeypatch):
    monkeypatch.delenv("SOUND_FONT", raising=False)
    monkeypatch.setattr(soundfont, "_usual_sound_fonts", lambda: iter(()))
    with pytest.raises(UserError, match=r"apt install fluid-soundfont-gm .*pip install pretty_midi"):
        soundfont.find_sound_font()


def test_the_named_sound_font_comes_first_then_the_environment_variable(font, tmp_path, monkeypatch):
    other = shutil.copy(font, tmp_path / "b.sf2")
    monkeypatch.setenv("SOUND_FONT", str(other))
    assert soundfont.find_sound_font(font) == font
    assert soundfont.find_sound_font() == other
    monkeypatch.setenv("SOUND_FONT", str(tmp_path / "c.sf2"))
    with pytest.raises(UserError, match=r"SOUND_FONT: .*does not exist"):
        soundfont.find_sound_font()
    with pytest.raises(UserError, match="not a sound font"):
        soundfont.find_sound_font(__file__)


def test_a_sound_font_in_a_usual_folder_is_found(font, monkeypatch):
    monkeypatch.delenv("SOUND_FONT", raising=False)
    monkeypatch.setattr(soundfont, "SOUND_FONTS", (str(font.parent / "*.sf2"),))
    assert soundfont.find_sound_font() == font


def broken(whole: bytes) -> dict[str, bytes]:
    cut = {"half": whole[: len(whole) // 2], "head": whole[:14]}
    return cut | {"empty": b"", "text": b"hello", "noise": bytes(range(256)) * 4, "zeros": bytes(100)}


@pytest.mark.parametrize("kind", list(broken(b"")))
def test_a_damaged_midi_file_is_an_error_of_one_line_and_leaves_no_file(song, tmp_path, kind):
    (tmp_path / "bad.mid").write_bytes(broken(song.read_bytes())[kind])
    with pytest.raises(UserError, match=r"bad\.mid") as caught:
        audio.write_wav(tmp_path / "bad.mid", tmp_path / "bad.wav")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "bad.wav").exists()


def test_errors_of_a_missing_file_a_folder_and_a_song_without_notes(tmp_path):
    write_midi(tmp_path / "none.mid", melody([], [], []), 120)
    for path, words in (
        (tmp_path / "gone.mid", "does not exist"),
        (tmp_path, "is not a file"),
        (tmp_path / "none.mid", "no notes"),
    ):
        with pytest.raises(UserError, match=words):
            audio.midi_seconds(path)


def test_a_file_that_lasts_days_is_refused(tmp_path):
    write_midi(tmp_path / "days.mid", melody(["C4"] * 20, [10_000] * 20, [0] * 20), 120)
    with pytest.raises(UserError, match="lasts 100,000 seconds"):
        audio.write_wav(tmp_path / "days.mid", tmp_path / "days.wav")


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("flute", 73),
        ("Flute", 73),
        ("73", 73),
        ("0", 0),
        ("harpsi", 6),
        ("nylon", 24),
        ("gunshot", 127),
        ("violin", 40),
    ],
)
def test_instruments_by_name_and_number(text, program):
    assert instrument(text) == program


def test_instruments_are_those_of_general_midi():
    pretty_midi = pytest.importorskip("pretty_midi")
    for number, name in enumerate(INSTRUMENTS):
        known = pretty_midi.program_to_instrument_name(number).lower()
        assert set(re.findall("[a-z]{3,}", name)) & set(re.findall("[a-z]{3,}", known)), (name, known)
    assert len(INSTRUMENTS) == len(set(INSTRUMENTS)) == 128


@pytest.mark.parametrize(
    ("text", "nearest"),
    [("flutte", "flute"), ("violine", "violin"), ("piano", "acoustic grand piano"), ("128", ""), ("-1", "")],
)
def test_an_unknown_instrument_is_an_error_with_the_nearest_names(text, nearest):
    with pytest.raises(argparse.ArgumentTypeError, match=f"{text}.*{nearest}"):
        instrument(text)
