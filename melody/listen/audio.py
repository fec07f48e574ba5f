"""A MIDI file -> sound, through midi2audio and FluidSynth. The only place that knows of either.

    python -m melody.listen.audio songs/han/001.mid            # writes songs/han/001.wav
    python -m melody.listen.audio songs/*/*.mid --out wav      # writes wav/001.wav and so on
    python -m melody.listen.audio songs/han/001.mid --play     # plays it on this machine's loudspeaker

Takes any MIDI file of up to an hour. A song of a minute takes about a second and 10 MB.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import wave
from pathlib import Path

from melody.atomic import atomic_write
from melody.cli import Flags, log, progress, run
from melody.errors import UserError
from melody.listen.soundfont import equipment, find_program, find_sound_font

RATE = 44100  # samples a second
TAIL = 0.75  # seconds that the last note may ring on, fading; FluidSynth writes two to three
PEAK = 0.7  # of full scale, -3 dBFS: every song is as loud, and none clips
LONGEST = 3600  # seconds; a damaged file may ask for days


def write_wav(midi_path: Path, wav_path: Path, sound_font: str | Path | None = None) -> float:
    """Render a MIDI file as a 16-bit stereo WAV and return its length in seconds: the MIDI file's and `TAIL`.

    Raises `Problem` when FluidSynth or a sound font is missing, when the MIDI file cannot be read, and when what comes
    out is no WAV, too short or silent. Then nothing is left behind, and an older WAV stays.
    """
    import numpy as np

    seconds = midi_seconds(midi_path)
    synth = synthesiser(sound_font)
    with atomic_write(wav_path) as beside:
        words = synth.midi_to_audio(str(Path(midi_path).resolve()), str(beside.resolve()))
        sound = _read(beside, midi_path, words)
        if len(sound) / RATE < seconds - 1:
            raise UserError(
                f"{midi_path} lasts {seconds:.1f} seconds, FluidSynth gave {len(sound) / RATE:.1f}. {words}"
            )
        sound = sound[: round((seconds + TAIL) * RATE)]
        peak = np.abs(sound).max(initial=0)
        if peak < 1e-3:
            raise UserError(
                f"{midi_path} came out silent with the sound font {synth.sound_font}; name another with --sound-font"
            )
        fade = np.minimum(1, np.arange(len(sound), 0, -1, dtype="f4") / (TAIL * RATE))[:, None]
        _write(beside, sound * fade * (PEAK / peak))
    return len(sound) / RATE


def play(midi_path: Path, sound_font: str | Path | None = None) -> None:
    """Play a MIDI file on this machine's loudspeaker and wait for its end. Raises `Problem` as `write_wav`."""
    midi_seconds(midi_path)
    synthesiser(sound_font).play_midi(str(Path(midi_path).resolve()))


def midi_seconds(path: Path) -> float:
    """How long a MIDI file lasts. Raises `Problem` when it is missing, empty, damaged, has no notes or is too long."""
    import mido

    if not Path(path).is_file():
        raise UserError(f"{path} is not there" if not Path(path).exists() else f"{path} is no file")
    # Some files carry a key of eight flats, which mido refuses; a key makes no sound, so any will do.
    content = re.sub(rb"\xff\x59\x02..", b"\xff\x59\x02\x00\x00", Path(path).read_bytes(), flags=re.DOTALL)
    try:
        midi = mido.MidiFile(file=io.BytesIO(content))
        seconds = midi.length
    except Exception as reason:  # mido raises many kinds on damaged files
        raise UserError(f"{path} is no MIDI file that can be read ({str(reason) or 'it ends too soon'})") from None
    if not any(message.type == "note_on" and message.velocity for track in midi.tracks for message in track):
        raise UserError(f"{path} has no notes")
    if not 0 < seconds <= LONGEST:
        raise UserError(f"{path} lasts {seconds:,.0f} seconds; from 0 to {LONGEST:,} can be rendered")
    return seconds


def synthesiser(sound_font: str | Path | None = None):
    """A `midi2audio.FluidSynth` that puts its options first, keeps quiet, and raises `Problem` where it fails.

    midi2audio itself ignores the exit status and names the files first, which some builds refuse (FluidSynth issue
    1614).
    """
    program, font = find_program(), find_sound_font(sound_font)
    try:
        from midi2audio import FluidSynth
    except ImportError:
        raise UserError("midi2audio is not installed: python -m pip install midi2audio") from None

    class Checked(FluidSynth):
        def midi_to_audio(self, midi_file: str, audio_file: str) -> str:
            return self._call(midi_file, "-F", audio_file)

        def play_midi(self, midi_file: str) -> str:
            return self._call(midi_file)

        def _call(self, midi_file: str, *options: str) -> str:
            command = [program, "-ni", *options, "-r", str(self.sample_rate), self.sound_font, midi_file]
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
            lines = [line for line in done.stderr.decode(errors="replace").splitlines() if not line.startswith("ALSA")]
            words = " ".join(lines[-2:])
            if done.returncode or "Failed to load" in words or "not a SoundFont" in words:
                raise UserError(f"FluidSynth failed with {midi_file}: {words or f'exit status {done.returncode}'}")
            return words

    return Checked(str(font.resolve()), RATE)


def _read(path: Path, midi_path: Path, words: str):
    """The samples of a WAV as float32, (frames, channels), full scale 1."""
    import numpy as np

    try:
        with wave.open(str(path)) as file:
            form = file.getsampwidth(), file.getframerate(), file.getnchannels()
            frames = file.readframes(file.getnframes())
    except FileNotFoundError:
        raise UserError(f"FluidSynth made no sound of {midi_path}. {words}") from None
    except (wave.Error, EOFError):
        raise UserError(f"FluidSynth made no WAV of {midi_path}; builds without libsndfile cannot. {words}") from None
    if form != (2, RATE, 2):
        raise UserError(f"FluidSynth made a WAV of {form} bytes, hertz and channels; (2, {RATE}, 2) was asked for")
    return np.frombuffer(frames, "<i2").reshape(-1, 2).astype("f4") / 32768


def _write(path: Path, sound) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((sound * 32767).round().astype("<i2").tobytes())


def main() -> None:
    import config

    flags = Flags(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("songs", nargs="+", type=Path, metavar="SONG.mid")
    flags.add_argument("--sound-font", default=config.SOUND_FONT, metavar="FILE",
                       help="an .sf2 or .sf3 file (default: config.py, else the usual places)")  # fmt: skip
    flags.add_argument("--out", type=Path, metavar="DIR", help="folder for the WAV files (default: beside each song)")
    flags.add_argument("--play", action="store_true", help="play the songs instead of writing files")
    flags.add_argument("--quiet", action="store_true", help="say nothing but errors")
    args = flags.parse_args()
    for song in args.songs:
        midi_seconds(song)
    log(args, equipment(args.sound_font))
    if args.play:
        for song in args.songs:
            log(args, f"playing {song}")
            play(song, args.sound_font)
        return
    wavs = [(args.out or song.parent) / f"{song.stem}.wav" for song in args.songs]
    if len(set(wavs)) < len(wavs):
        raise UserError("two songs would be written to one file; render them apart, or leave out --out")
    for song, wav in progress(list(zip(args.songs, wavs, strict=True)), args.quiet, unit="song"):
        log(args, f"wrote {wav} ({write_wav(song, wav, args.sound_font):.1f} seconds)")


if __name__ == "__main__":
    run(main)
