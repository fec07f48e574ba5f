"""MusicXML, plain or compressed (.mxl) -> notes. XML entities are refused, and nothing is downloaded."""

from __future__ import annotations

import io
import re
import zipfile
from xml.parsers import expat
from xml.sax.saxutils import unescape

from melody.formats import music21_score
from melody.formats.limits import LARGEST, Unreadable
from melody.song import Song


def read(content: bytes, name: str) -> list[Song]:
    """The first part of a score."""
    text = checked(unpacked(content) if content.startswith(b"PK") else content)
    if "<score-partwise" not in text:
        raise Unreadable("not a MusicXML score (score-partwise)")
    if re.search(r"<fifths>[^<]*\d{3}", text):  # music21 makes a key of one sharp or flat after another
        raise Unreadable("its key has more than 99 sharps or flats")
    title = re.search(r"<(work-title|movement-title)>\s*([^<]*?)\s*</", text)
    return [music21_score.read(text, "musicxml", name, title=unescape(title[2]) if title else "")]


def checked(content: bytes) -> str:
    """The text of an XML file. Raises `Unreadable` if it is malformed or declares entities.

    The check reads the decoded text that music21 gets, so that no encoding can hide a declaration from it.
    """
    text = _decoded(content)
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_declarations
    try:
        parser.Parse(text, True)
    except expat.ExpatError as problem:
        raise Unreadable(f"no well-formed XML: {problem}") from None
    return text


def _refuse_declarations(name: str, system: str | None, public: str | None, declares: bool) -> None:
    if declares:
        raise Unreadable("refused: it declares XML entities")


def _decoded(content: bytes) -> str:
    declared = re.match(rb"(?:\xef\xbb\xbf)?<\?xml[^>]*?encoding=[\"']([\w.-]+)", content)
    encoding = declared[1].decode("ascii") if declared else "utf-8"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    try:
        return content.decode("utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding)
    except (LookupError, UnicodeError):
        raise Unreadable(f"it is not text in the encoding {encoding}") from None


def unpacked(content: bytes) -> bytes:
    """The score in an .mxl archive: the file that its container names."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            container = checked(_member(archive, "META-INF/container.xml"))
            root = re.search(r"<rootfile[^>]*full-path=[\"']([^\"']+)", container)
            return _member(archive, root[1] if root else "")
    except (zipfile.BadZipFile, KeyError) as problem:
        raise Unreadable("a damaged .mxl archive") from problem


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    most = LARGEST["musicxml"] * 2**20
    with archive.open(name) as member:
        content = member.read(most + 1)  # the size stated in the archive may be wrong
    if len(content) > most:
        raise Unreadable(f"larger than {LARGEST['musicxml']} MB when unpacked")
    return content
