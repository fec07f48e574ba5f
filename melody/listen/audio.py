"""MIDI file -> sound, through midi2audio and FluidSynth; no other module uses these two.

    python -m melody.listen.audio songs/han/001.mid            # writes songs/han/001.wav
    python -m melody.listen.audio songs/*/*.mid --out wav      # writes wav/001.wav and so on
    python -m melody.listen.audio songs/han/001.mid --play     # plays it

Reads any MIDI file of at most an hour. A song of a minute takes about a second and gives 10 MB. Files that cannot be
rendered are listed at the end; the exit status is then 1.
"""

import argparse
import io
import re
import subprocess
import wave
from functools import partial
from pathlib import Path

import mido
import numpy as np
from midi2audio import FluidSynth

from melody.atomic import atomic_write
from melody.cli import log, run
from melody.errors import UserError
from melody.flags import Flags
from melody.listen.convert import convert_all
from melody.listen.soundfont import check_synthesizer, find_fluidsynth, find_sound_font

RATE = 44100  # samples per second
TAIL = 0.75  # seconds after the last note, fading out; FluidSynth writes two to three
PEAK = 0.7  # of full scale, -3 dBFS: all songs are equally loud, and none clips
SILENCE = 1e-3  # of full scale; a peak below it counts as silence
LONGEST = 3600  # seconds; a damaged file may ask for days


class CheckedFluidSynth(FluidSynth):
    """A `midi2audio.FluidSynth` that puts its options before the files and raises `UserError` when it fails.

    midi2audio ignores the exit status and puts the files first, which some builds refuse (FluidSynth issue 1614).
    """

    def __init__(self, sound_font: str | Path | None = None):
        self.program = find_fluidsynth()
        super().__init__(str(find_sound_font(sound_font).resolve()), RATE)

    def midi_to_audio(self, midi_file: str, audio_file: str) -> str:
        """Render a file; returns the last two lines that FluidSynth prints."""
        return self._run(midi_file, "-F", audio_file)

    def play_midi(self, midi_file: str) -> str:
        """Play a file to its end."""
        return self._run(midi_file)

    def _run(self, midi_file: str, *options: str) -> str:
        command = [self.program, "-ni", *options, "-r", str(self.sample_rate), self.sound_font, midi_file]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        lines = [line for line in done.stderr.decode(errors="replace").splitlines() if not line.startswith("ALSA")]
        output = " ".join(lines[-2:])
        if done.returncode or "Failed to load" in output or "not a SoundFont" in output:
            raise UserError(f"FluidSynth failed with {midi_file}: {output or f'exit status {done.returncode}'}")
        return output


def write_wav(midi_path: Path, wav_path: Path, sound_font: str | Path | None = None) -> float:
    """Render a MIDI file as a 16-bit stereo WAV and return its length in seconds: that of the MIDI file plus `TAIL`.

    Raises `UserError` when FluidSynth or a sound font is missing, when the MIDI file cannot be read, and when the
    result is not a WAV, too short or silent. Then nothing is written, and an older WAV stays.
    """
    seconds = midi_seconds(midi_path)
    synthesizer = CheckedFluidSynth(sound_font)
    with atomic_write(wav_path) as temporary:
        output = synthesizer.midi_to_audio(str(Path(midi_path).resolve()), str(temporary.resolve()))
        sound = _read(temporary, midi_path, output)
        if len(sound) / RATE < seconds - 1:
            rendered = f"FluidSynth rendered {len(sound) / RATE:.1f} of its {seconds:.1f} seconds"
            raise UserError(f"{midi_path}: {rendered}. {output}")
        sound = sound[: round((seconds + TAIL) * RATE)]
        peak = np.abs(sound).max(initial=0)
        if peak < SILENCE:
            font = synthesizer.sound_font
            raise UserError(f"{midi_path} is silent with the sound font {font}; name another one with --sound-font")
        fade = np.minimum(1, np.arange(len(sound), 0, -1, dtype="f4") / (TAIL * RATE))[:, None]
        _write(temporary, sound * fade * (PEAK / peak))
    return len(sound) / RATE


def play(midi_path: Path, sound_font: str | Path | None = None) -> None:
    """Play a MIDI file and wait for its end. Raises `UserError` as `write_wav` does."""
    midi_seconds(midi_path)
    CheckedFluidSynth(sound_font).play_midi(str(Path(midi_path).resolve()))


def midi_seconds(path: Path) -> float:
    """The length of a MIDI file. Raises `UserError` when it is missing, damaged, without notes or too long."""
    if not Path(path).is_file():
        raise UserError(f"{path} is not a file" if Path(path).exists() else f"{path} does not exist")
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    # Some files have a key signature of eight flats, which mido refuses; the key does not matter for the sound.
    content = re.sub(rb"\xff\x59\x02..", b"\xff\x59\x02\x00\x00", content, flags=re.DOTALL)
    try:
        midi = mido.MidiFile(file=io.BytesIO(content))
        seconds = midi.length
    except Exception as error:  # mido raises many kinds on damaged files
        raise UserError(f"{path} is not a readable MIDI file ({str(error) or 'it ends too early'})") from None
    if not any(message.type == "note_on" and message.velocity for track in midi.tracks for message in track):
        raise UserError(f"{path} has no notes")
    if not 0 < seconds <= LONGEST:
        raise UserError(f"{path} lasts {seconds:,.0f} seconds; up to {LONGEST:,} can be rendered")
    return seconds


def _read(path: Path, midi_path: Path, output: str) -> np.ndarray:
    """The samples of a WAV as float32, (frames, channels), full scale 1."""
    try:
        with wave.open(str(path)) as file:
            encoding = file.getsampwidth(), file.getframerate(), file.getnchannels()
            frames = file.readframes(file.getnframes())
    except FileNotFoundError:
        raise UserError(f"FluidSynth wrote no file for {midi_path}. {output}") from None
    except (wave.Error, EOFError):
        reason = "builds without libsndfile cannot write one"
        raise UserError(f"FluidSynth wrote no WAV for {midi_path}; {reason}. {output}") from None
    if encoding != (2, RATE, 2):
        raise UserError(f"FluidSynth wrote a WAV of {encoding} bytes, hertz and channels, not of (2, {RATE}, 2)")
    return np.frombuffer(frames, "<i2").reshape(-1, 2).astype("f4") / 32768


def _write(path: Path, sound: np.ndarray) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((sound * 32767).round().astype("<i2").tobytes())


def main() -> None:
    args = arguments()
    log(args, check_synthesizer(args.sound_font))
    convert_all(args.songs, partial(_play if args.play else _render, args=args), args.quiet)


def arguments() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.add_argument("songs", nargs="+", type=Path, metavar="SONG.mid")
    flags.add_setting("SOUND_FONT")
    flags.add_argument("--out", type=Path, metavar="DIR", help="folder for the WAV files (default: beside each song)")
    flags.add_argument("--play", action="store_true", help="play the songs instead of writing files")
    args = flags.parse_args()
    if not args.play and len({_wav(song, args) for song in args.songs}) < len(args.songs):
        raise UserError("two songs would be written to the same WAV file; render them separately, or omit --out")
    return args


def _wav(song: Path, args: argparse.Namespace) -> Path:
    return (args.out or song.parent) / f"{song.stem}.wav"


def _play(song: Path, args: argparse.Namespace) -> None:
    log(args, f"playing {song}")
    play(song, args.sound_font)


def _render(song: Path, args: argparse.Namespace) -> None:
    seconds = write_wav(song, _wav(song, args), args.sound_font)
    log(args, f"wrote {_wav(song, args)} ({seconds:.1f} seconds)")


if __name__ == "__main__":
    run(main)
