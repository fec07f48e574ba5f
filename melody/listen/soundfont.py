"""Finds what FluidSynth needs on this machine, its program and a sound font, or says how to install them."""

import importlib.util
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from melody.errors import UserError

SOUND_FONTS = (  # usual locations, best first
    "~/.fluidsynth/default_sound_font.sf2",  # the default of midi2audio
    "/usr/share/sounds/sf2/default-GM.sf2",  # Debian, Ubuntu
    "/usr/share/sounds/sf3/default-GM.sf3",
    "/usr/share/sounds/sf2/*.sf2",
    "/usr/share/soundfonts/default.sf2",  # Arch, Fedora
    "/usr/share/soundfonts/*.sf2",
    "/opt/homebrew/share/sounds/sf2/*.sf2",  # macOS, Homebrew
    "/usr/local/share/sounds/sf2/*.sf2",
    "~/Library/Audio/Sounds/Banks/*.sf2",
    "C:/soundfonts/*.sf2",  # Windows
    "C:/ProgramData/soundfonts/*.sf2",
)
HOMEBREW_FONTS = (  # 0.3 MB, part of Homebrew's FluidSynth: poor sound, so the last choice
    "/opt/homebrew/share/fluid-synth/sf2/*.sf2",
    "/usr/local/share/fluid-synth/sf2/*.sf2",
)


def check_synthesizer(sound_font: str | Path | None = None) -> str:
    """One line for the user that names program and sound font. Raises `UserError` when one of them is missing."""
    return f"FluidSynth {find_fluidsynth()} with the sound font {find_sound_font(sound_font)}"


def find_fluidsynth() -> str:
    """The path of FluidSynth. Raises `UserError` with the command that installs it."""
    program = shutil.which("fluidsynth")
    if not program:
        raise UserError(
            "FluidSynth, which renders the sound, is not installed; install it with: "
            "sudo apt install fluidsynth fluid-soundfont-gm (Debian, Ubuntu), brew install fluid-synth (macOS), "
            "choco install fluidsynth (Windows)"
        )
    return program


def find_sound_font(sound_font: str | Path | None = None) -> Path:
    """`sound_font` if given, else the one in the environment variable SOUND_FONT, else the first in the usual places.

    Raises `UserError` when the named file is not a sound font, or when none is found.
    """
    for source, path in (("", sound_font), ("SOUND_FONT: ", os.environ.get("SOUND_FONT"))):
        if path:
            return _checked(Path(path).expanduser(), source)
    if font := next(_usual_sound_fonts(), None):
        return font
    raise UserError(
        "no sound font was found; install one with: sudo apt install fluid-soundfont-gm (Debian, Ubuntu) or "
        "python -m pip install pretty_midi (macOS, Windows: it contains a small one), "
        "or name one with --sound-font or in the environment variable SOUND_FONT"
    )


def _checked(path: Path, source: str) -> Path:
    if not path.is_file():
        raise UserError(f"{source}the sound font {path} does not exist")
    with path.open("rb") as file:
        head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise UserError(f"{source}{path} is not a sound font (.sf2 or .sf3)")
    return path


def _usual_sound_fonts() -> Iterator[Path]:
    yield from _files(SOUND_FONTS)
    package = importlib.util.find_spec("pretty_midi")  # located without importing it
    yield from _files(f"{folder}/*.sf2" for folder in (package.submodule_search_locations or () if package else ()))
    yield from _files(HOMEBREW_FONTS)


def _files(patterns: Iterable[str]) -> Iterator[Path]:
    for pattern in patterns:
        path = Path(pattern).expanduser()
        yield from (font for font in sorted(path.parent.glob(path.name)) if font.is_file())
