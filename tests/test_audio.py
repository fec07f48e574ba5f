"""Sound: with the real FluidSynth where there is one, and with false ones that fail in every way midi2audio hides."""

import os
import shutil
import stat
import sys
import wave

import numpy as np
import pytest

from melody.errors import UserError
from melody.formats.write_midi import write_midi
from melody.listen import audio, soundfont
from melody.song import Song

pytest.importorskip("mido")
pytest.importorskip("midi2audio")


def melody(pitch, duration, rest_before, **about):
    return Song("test", pitch, duration, rest_before, [False] * len(pitch), **about)


SONG = melody(["C4", "E4", "G4", "C5"], [1, 1, 1, 2], [0, 0, 1, 0])  # 6 quarter notes: 3 seconds at 120 a minute


def real_synthesiser():
    try:
        soundfont.equipment()
    except UserError as problem:
        return str(problem)


needs_synthesiser = pytest.mark.skipif(real_synthesiser() is not None, reason=real_synthesiser() or "")
needs_shell = pytest.mark.skipif(sys.platform == "win32", reason="the false synthesisers are shell scripts")


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


def loudest_hertz(sound):
    spectrum = np.abs(np.fft.rfft(sound.mean(1) * np.hanning(len(sound))))
    return np.fft.rfftfreq(len(sound), 1 / 44100)[spectrum.argmax()]


@needs_synthesiser
def test_a_wav_of_the_right_length_and_level(song, tmp_path):
    seconds = audio.write_wav(song, tmp_path / "out" / "song.wav")
    sound = samples(tmp_path / "out" / "song.wav")
    assert abs(len(sound) / 44100 - 3) < 1 and seconds == pytest.approx(len(sound) / 44100)
    assert 0.65 < np.abs(sound).max() < 0.75  # loud, and not clipped
    assert np.abs(sound[-200:]).max() < 0.01  # faded out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["song.wav"]


@needs_synthesiser
def test_an_a_sounds_at_440_hertz(tmp_path):
    write_midi(tmp_path / "a.mid", melody(["A4"], [4], [0]), 120, instrument=73)
    audio.write_wav(tmp_path / "a.mid", tmp_path / "a.wav")
    assert loudest_hertz(samples(tmp_path / "a.wav")) == pytest.approx(440, rel=0.01)


@needs_synthesiser
def test_a_key_of_eight_flats_is_no_hindrance(song, tmp_path):
    content = song.read_bytes()
    place = content.index(b"\xff\x59\x02")
    (tmp_path / "flats.mid").write_bytes(content[: place + 3] + b"\xf8\x00" + content[place + 5 :])
    assert audio.write_wav(tmp_path / "flats.mid", tmp_path / "flats.wav") == pytest.approx(3.75, abs=0.01)


@needs_synthesiser
def test_the_command_writes_beside_each_song(song, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["audio", str(song)])
    audio.main()
    assert song.with_suffix(".wav").exists()
    said = capsys.readouterr().out
    assert "sound font" in said and "3.8 seconds" in said


FALSE = {
    "refuses": ("echo 'fluidsynth: error: no such thing' >&2; exit 1", "no such thing"),
    "writes nothing": ("exit 0", "made no sound"),
    "writes no wave": ('echo raw > "$3"', "no WAV"),
    "passes over the font": ("echo 'Failed to load the SoundFont' >&2", "Failed to load"),
    "is silent": (f"{sys.executable} -c \"import sys, wave; w = wave.open(sys.argv[1], 'wb'); w.setnchannels(2); "
                  'w.setsampwidth(2); w.setframerate(44100); w.writeframes(bytes(4 * 44100 * 5))" "$3"', "silent"),
    "stops halfway": (f"{sys.executable} -c \"import sys, wave; w = wave.open(sys.argv[1], 'wb'); w.setnchannels(2); "
                      'w.setsampwidth(2); w.setframerate(44100); w.writeframes(b\'abcd\' * 44100)" "$3"', "gave 1.0"),
}  # fmt: skip


def false_synthesiser(folder, script, monkeypatch):
    folder.mkdir()
    program = folder / "fluidsynth"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/bin{os.pathsep}/usr/bin")


@needs_shell
@pytest.mark.parametrize("script, words", FALSE.values(), ids=list(FALSE))
def test_what_midi2audio_hides_is_a_problem_and_leaves_nothing(song, font, tmp_path, monkeypatch, script, words):
    false_synthesiser(tmp_path / "bin", script, monkeypatch)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.wav").write_bytes(b"older")
    for name in ("new.wav", "old.wav"):
        with pytest.raises(UserError, match=words):
            audio.write_wav(song, tmp_path / "out" / name, font)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["old.wav"]
    assert (tmp_path / "out" / "old.wav").read_bytes() == b"older"


@needs_shell
def test_options_stand_before_the_files(song, font, tmp_path, monkeypatch):
    false_synthesiser(tmp_path / "bin", f'echo "$@" > {tmp_path}/said', monkeypatch)
    audio.play(song, font)
    assert (tmp_path / "said").read_text().split() == ["-ni", "-r", "44100", str(font), str(song)]


def test_no_program_is_a_problem_with_the_commands(song, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        UserError, match=r"apt install fluidsynth .*brew install fluid-synth .*choco install fluidsynth"
    ):
        audio.write_wav(song, tmp_path / "song.wav")


def test_no_sound_font_is_a_problem_with_the_commands(monkeypatch):
    monkeypatch.delenv("SOUND_FONT", raising=False)
    monkeypatch.setattr(soundfont, "_usual_sound_fonts", lambda: iter(()))
    with pytest.raises(UserError, match=r"apt install fluid-soundfont-gm .*pip install pretty_midi"):
        soundfont.find_sound_font()


def test_the_sound_font_asked_for_comes_first_then_the_variable(font, tmp_path, monkeypatch):
    other = shutil.copy(font, tmp_path / "b.sf2")
    monkeypatch.setenv("SOUND_FONT", str(other))
    assert soundfont.find_sound_font(font) == font
    assert soundfont.find_sound_font() == other
    monkeypatch.setenv("SOUND_FONT", str(tmp_path / "c.sf2"))
    with pytest.raises(UserError, match=r"SOUND_FONT: .*not there"):
        soundfont.find_sound_font()
    with pytest.raises(UserError, match="no sound font"):
        soundfont.find_sound_font(__file__)


def test_a_font_in_a_usual_place_is_found(font, monkeypatch):
    monkeypatch.delenv("SOUND_FONT", raising=False)
    monkeypatch.setattr(soundfont, "SOUND_FONTS", (str(font.parent / "*.sf2"),))
    assert soundfont.find_sound_font() == font


def broken(whole: bytes) -> dict[str, bytes]:
    return {"empty": b"", "text": b"hello", "half": whole[: len(whole) // 2], "head": whole[:14],
            "noise": bytes(range(256)) * 4, "zeros": bytes(100)}  # fmt: skip


@pytest.mark.parametrize("kind", list(broken(b"")))
def test_a_bad_midi_file_is_one_line_and_leaves_nothing(song, tmp_path, kind):
    (tmp_path / "bad.mid").write_bytes(broken(song.read_bytes())[kind])
    with pytest.raises(UserError, match=r"bad\.mid") as caught:
        audio.write_wav(tmp_path / "bad.mid", tmp_path / "bad.wav")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "bad.wav").exists()


def test_a_missing_file_a_folder_and_a_song_without_notes(tmp_path):
    write_midi(tmp_path / "none.mid", melody([], [], []), 120)
    for path, words in (
        (tmp_path / "gone.mid", "not there"),
        (tmp_path, "no file"),
        (tmp_path / "none.mid", "no notes"),
    ):
        with pytest.raises(UserError, match=words):
            audio.midi_seconds(path)


def test_a_file_that_asks_for_days_is_not_rendered(tmp_path):
    write_midi(tmp_path / "days.mid", melody(["C4"], [200_000], [0]), 120)
    with pytest.raises(UserError, match="lasts 100,000 seconds"):
        audio.write_wav(tmp_path / "days.mid", tmp_path / "days.wav")
