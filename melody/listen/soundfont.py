"""What FluidSynth needs on this machine, its program and a sound font: where they are, or how to get them."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from melody.errors import UserError

SOUND_FONTS = (  # the usual places, in the order of trust
    "~/.fluidsynth/default_sound_font.sf2",  # midi2audio's own
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
BREW_FONTS = (  # a toy of 0.3 MB that comes with Homebrew's FluidSynth: better than silence
    "/opt/homebrew/share/fluid-synth/sf2/*.sf2",
    "/usr/local/share/fluid-synth/sf2/*.sf2",
)


def equipment(sound_font: str | Path | None = None) -> str:
    """What will make the sound, for a line to the user."""
    return f"FluidSynth {find_program()} with the sound font {find_sound_font(sound_font)}"


def find_program() -> str:
    """Where FluidSynth is. Raises `Problem` with the command that installs it."""
    program = shutil.which("fluidsynth")
    if not program:
        raise UserError(
            "FluidSynth, which makes the sound, is not installed: sudo apt install fluidsynth fluid-soundfont-gm "
            "(Debian, Ubuntu), brew install fluid-synth (macOS), choco install fluidsynth (Windows)"
        )
    return program


def find_sound_font(asked: str | Path | None = None) -> Path:
    """The sound font asked for, else that in the variable SOUND_FONT, else the first in the usual places.

    Raises `Problem` when the one named is none, or when there is none at all.
    """
    for source, named in (("", asked), ("SOUND_FONT: ", os.environ.get("SOUND_FONT"))):
        if named:
            return _sound_font(Path(named).expanduser(), source)
    for font in _usual_sound_fonts():
        return font
    raise UserError(
        "no sound font was found: sudo apt install fluid-soundfont-gm (Debian, Ubuntu), "
        "python -m pip install pretty_midi (macOS, Windows: it brings a small one); "
        "or name one with --sound-font or in the variable SOUND_FONT"
    )


def _sound_font(path: Path, source: str) -> Path:
    if not path.is_file():
        raise UserError(f"{source}the sound font {path} is not there")
    with path.open("rb") as file:
        head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise UserError(f"{source}{path} is no sound font (.sf2 or .sf3)")
    return path


def _usual_sound_fonts() -> Iterator[Path]:
    yield from _matching(SOUND_FONTS)
    package = importlib.util.find_spec("pretty_midi")
    yield from _matching(f"{folder}/*.sf2" for folder in (package.submodule_search_locations or () if package else ()))
    yield from _matching(BREW_FONTS)


def _matching(patterns: Iterable[str]) -> Iterator[Path]:
    for pattern in patterns:
        path = Path(pattern).expanduser()
        yield from (font for font in sorted(path.parent.glob(path.name)) if font.is_file())
