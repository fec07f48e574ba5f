"""Engrave songs: MusicXML through music21, and an SVG picture through verovio.

    python -m melody.listen.engraving songs/han/001.mid            # writes 001.musicxml and 001.svg beside it
    python -m melody.listen.engraving essen/asia/china --out scores

Reads whatever stage 1 reads: kern, MIDI, ABC, MusicXML. A second for the first song, then about twenty songs a second.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from xml.sax.saxutils import escape

from melody.atomic import atomic_write
from melody.cli import Flags, log, progress, run
from melody.errors import UserError
from melody.formats.corpus import find_songs, read_songs
from melody.formats.limits import Unreadable
from melody.formats.write_musicxml import _printable, musicxml, write_musicxml
from melody.song import Song

MARGIN = 12  # around the lines, in pixels of the picture
LAYOUT = {  # of verovio; widths in pixels of the picture, of which nine make half a staff space
    "pageWidth": 6000,
    "adjustPageWidth": True,  # to its longest line
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
    "svgAdditionalAttribute": ["tie@endid"],  # tells which notes only prolong the one before
    "svgHtml5": True,  # no ids: many scores stand on one page
    "xmlIdChecksum": True,  # the same song, the same bytes
}


def write_svg(path: Path, song: Song) -> None:
    """Engrave the song as an SVG picture."""
    with atomic_write(path) as beside:
        beside.write_text(svg(song), encoding="utf-8", newline="\n")


def svg(song: Song, title: bool = True) -> str:
    """The song engraved, the same picture each time: a line a phrase, as wide as its longest line."""
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    engraver = verovio.toolkit()
    engraver.setOptions(LAYOUT)
    if not engraver.loadData(musicxml(song)):
        raise UserError(f"verovio cannot engrave {song.name or 'the song'}")
    picture = engraver.renderToSVG(1)
    return _titled(picture, _printable(song.title or song.name)) if title else picture


def _titled(picture: str, title: str) -> str:
    """The picture with a title above it, small enough to fit."""
    width, height = map(int, re.search(r'viewBox="0 0 (\d+) (\d+)"', picture).groups())
    size = min(34, 1.5 * (width - 2 * MARGIN) / max(len(title), 1))
    text = f'<text x="{MARGIN}" y="-4" font-size="{size:.1f}" font-family="Times, serif">{escape(title)}</text>'
    picture = picture.replace(f'viewBox="0 0 {width} {height}"', f'viewBox="0 -40 {width} {height + 40}"', 1)
    return picture.replace("</desc>", f"</desc>{text}", 1)


def main() -> None:
    flags = Flags(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("songs", nargs="+", metavar="SONG", help="files, folders or patterns of songs")
    flags.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the tree of scores (default: beside each song)"
    )
    flags.add_argument("--quiet", action="store_true", help="say nothing but errors")
    args = flags.parse_args()
    for path, root in progress(find_songs(args.songs), args.quiet, unit="song"):
        try:
            songs = read_songs(path, root)
        except Unreadable as reason:
            raise UserError(f"{path}: {reason}") from None
        for song in songs:
            score = args.out / song.name if args.out else path.parent / Path(song.name).name
            write_musicxml(Path(f"{score}.musicxml"), song)
            write_svg(Path(f"{score}.svg"), song)
            log(args, f"wrote {score}.musicxml and .svg")


if __name__ == "__main__":
    run(main)
