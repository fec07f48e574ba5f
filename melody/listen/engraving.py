"""Scores: MusicXML through music21, and an SVG picture of it through verovio.

    python -m melody.listen.engraving songs/han/001.mid            # writes songs/han/001.musicxml and 001.svg
    python -m melody.listen.engraving essen/asia/china --out scores

Reads the formats of preprocess.py: kern, MIDI, ABC, MusicXML. Takes a second for the first song, then engraves about
twenty songs per second. Files that cannot be read are listed at the end; the exit status is then 1.
"""

import argparse
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape

import verovio

from melody.atomic import atomic_write
from melody.cli import log, run
from melody.errors import UserError
from melody.flags import Flags
from melody.formats.corpus import read_songs
from melody.formats.limits import Unreadable
from melody.formats.song_files import find_songs
from melody.formats.write_abc import write_abc
from melody.formats.write_kern import write_kern
from melody.formats.write_musicxml import musicxml, write_musicxml
from melody.listen.convert import convert_all
from melody.song import Song, printable

FONTS = str(Path(verovio.__file__).with_name("data"))
MARGIN = 12  # around the staves, in pixels
LAYOUT = {  # options of verovio; lengths in pixels, nine of which are half a staff space
    "pageWidth": 6000,
    "adjustPageWidth": True,  # to the longest line
    "adjustPageHeight": True,
    "pageHeight": 60000,  # one page, however long the song
    "breaks": "encoded",
    "noJustification": True,  # a short phrase stays a short line
    "header": "none",
    "footer": "none",
    "pageMarginLeft": MARGIN,
    "pageMarginRight": MARGIN,
    "pageMarginTop": MARGIN,
    "pageMarginBottom": 55,  # stems below the last line
    "spacingSystem": 4,
    "spacingStaff": 5,
    "svgViewBox": True,
    "svgFormatRaw": True,
    "svgAdditionalAttribute": ["tie@endid"],  # marks the notes that only prolong the previous one
    "svgHtml5": True,  # data-id instead of id: a page shows many scores
    "xmlIdChecksum": True,  # deterministic ids
}


def write_scores(path: Path, song: Song, settings: Mapping[str, object], tempo: float) -> None:
    """Write the song as MusicXML, SVG, ABC and kern beside its MIDI file `path`, with the settings that made it.

    `tempo`, in quarter notes per minute, is for ABC, which is played.
    """
    write_musicxml(path.with_suffix(".musicxml"), song, settings)
    write_svg(path.with_suffix(".svg"), song)
    write_abc(path.with_suffix(".abc"), song, settings, tempo)
    write_kern(path.with_suffix(".krn"), song, {"OTL": song.title, **settings})


def write_svg(path: Path, song: Song) -> None:
    """Write the engraved song as an SVG picture."""
    with atomic_write(path) as temporary:
        temporary.write_text(svg(song), encoding="utf-8", newline="\n")


def svg(song: Song, title: bool = True) -> str:
    """The engraved song as SVG, deterministic, in the lines of its MusicXML; the width is that of the longest line."""
    verovio.enableLog(verovio.LOG_OFF)
    verovio.setDefaultResourcePath(FONTS)  # each thread has a path of its own
    engraver = verovio.toolkit()
    engraver.setOptions(LAYOUT)
    if not engraver.loadData(musicxml(song)):
        raise UserError(f"verovio cannot engrave {song.name or 'the song'}")
    picture = engraver.renderToSVG(1)
    return _titled(picture, printable(song.title or song.name)) if title else picture


def _titled(picture: str, title: str) -> str:
    """The picture with the title above it, in a font size that fits."""
    width, height = map(int, re.search(r'viewBox="0 0 (\d+) (\d+)"', picture).groups())
    size = min(34, 1.5 * (width - 2 * MARGIN) / max(len(title), 1))
    text = f'<text x="{MARGIN}" y="-4" font-size="{size:.1f}" font-family="Times, serif">{escape(title)}</text>'
    picture = picture.replace(f'viewBox="0 0 {width} {height}"', f'viewBox="0 -40 {width} {height + 40}"', 1)
    return picture.replace("</desc>", f"</desc>{text}", 1)


def main() -> None:
    flags = Flags(__doc__)
    flags.add_argument("songs", nargs="+", metavar="SONG", help="files, folders or patterns of songs")
    out = "folder for the scores, in the same tree as the songs (default: beside each song)"
    flags.add_argument("--out", type=Path, metavar="DIR", help=out)
    args = flags.parse_args()
    convert_all(find_songs(args.songs), partial(_engrave, args=args), args.quiet)


def _engrave(file: tuple[Path, Path], args: argparse.Namespace) -> None:
    """Write the scores of one file. Raises `UserError` that names the file, or its tunes that cannot be read."""
    path, root = file
    broken: dict[str, str] = {}
    try:
        songs = read_songs(path, root, broken)
    except Unreadable as reason:
        raise UserError(f"{path}: {reason}") from None
    for song in songs:
        score = args.out / song.name if args.out else path.parent / Path(song.name).name
        write_musicxml(Path(f"{score}.musicxml"), song)
        write_svg(Path(f"{score}.svg"), song)
        log(args, f"wrote {score}.musicxml and .svg")
    if broken:
        raise UserError("; ".join(f"{tune}: {reason}" for tune, reason in broken.items()))


if __name__ == "__main__":
    run(main)
