"""Damaged song files: synthetic and real songs changed at random, and hostile files made by hand."""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from melody.formats.song_files import FORMATS
from melody.formats.write_midi import write_midi
from melody.formats.write_musicxml import musicxml
from melody.song import Song
from tests.synthetic import kern, melodies


def song(name: str, pitch: list[str]) -> Song:
    return Song(name, pitch, [1.0] * len(pitch), [0.0] * len(pitch), [False] * len(pitch), title=name)


def abc(pitch: list[str], number: int = 1) -> str:
    letters = [name[0] if name[-1] == "4" else name[0].lower() for name in pitch]
    return f"X:{number}\nT:Synthetic\nM:4/4\nL:1/4\nK:C\n{' '.join(letters)}|\n"


def write_songs(folder: Path, seed: int, songs: int) -> dict[Path, list[str]]:
    """Write good songs, a quarter in each format; returns the notes of each file."""
    notes = {}
    for k, pitch in enumerate(melodies((songs + 1) // 2, seed).values()):
        path = folder / f"good{k:04d}{('.krn', '.mid', '.abc', '.musicxml')[k % 4]}"
        if path.suffix == ".mid":
            write_midi(path, song(path.stem, pitch), 120)
        else:
            text = {".krn": kern, ".abc": abc}.get(path.suffix, lambda pitch: musicxml(song("x", pitch)))(pitch)
            path.write_text(text, encoding="utf-8")
        notes[path] = pitch
    return notes


# At random


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: rng.integers(len(content) + 1)]


def flip_bits(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for index in rng.integers(len(content), size=rng.integers(1, 20)):
        changed[index] ^= 1 << rng.integers(8)
    return bytes(changed)


def lines(content: bytes, rng: np.random.Generator) -> bytes:
    """Delete lines, or repeat them."""
    return b"".join(
        line * int(rng.choice([0, 1, 1, 1, 1, 2, 50], p=[0.2, 0.2, 0.2, 0.2, 0.1, 0.09, 0.01]))
        for line in content.splitlines(keepends=True)
    )


def encoding(content: bytes, rng: np.random.Generator) -> bytes:
    text = content.decode("latin-1")
    return text.encode(str(rng.choice(["utf-16", "utf-16-be", "utf-32", "utf-8", "utf-7", "cp037"])), "replace")


def numbers(content: bytes, rng: np.random.Generator) -> bytes:
    """Replace a number by one that is out of range."""
    found = list(re.finditer(rb"\d+", content))
    if not found:
        return flip_bits(content, rng)
    one = found[rng.integers(len(found))]
    wrong = rng.choice([b"0", b"-1", b"99999999999999999999", b"1e308", b"1" * 5000, b"0.0000000001", b"\xff"])
    return content[: one.start()] + bytes(wrong) + content[one.end() :]


def shuffled(content: bytes, rng: np.random.Generator) -> bytes:
    """Swap two parts."""
    one, two, three = sorted(rng.integers(len(content) + 1, size=3))
    return content[:one] + content[two:three] + content[one:two] + content[three:]


def noise(content: bytes, rng: np.random.Generator) -> bytes:
    index = rng.integers(len(content) + 1)
    return content[:index] + rng.bytes(int(rng.integers(1, 300))) + content[index:]


CHANGES: tuple[Callable, ...] = (cut, flip_bits, lines, encoding, numbers, shuffled, noise)


def damage(folder: Path, sources: list[Path], count: int, rng: np.random.Generator) -> list[Path]:
    """Write `count` damaged copies of the sources, each changed one to three times."""
    made = []
    for k in range(count):
        source = sources[rng.integers(len(sources))]
        content = source.read_bytes()
        for change in rng.choice(len(CHANGES), size=rng.integers(1, 4)):
            content = CHANGES[change](content, rng) if content else content
        suffix = source.suffix if rng.random() < 0.95 else str(rng.choice(list(FORMATS)))
        path = folder / f"bad{k:05d}{suffix}"
        path.write_bytes(content)
        made.append(path)
    return made


# By hand


def track(*events: bytes, end: bytes = b"\0\xff\x2f\0") -> bytes:
    body = b"".join(events) + end
    return b"MTrk" + len(body).to_bytes(4, "big") + body


def midi(*tracks: bytes, kind: int = 1, quarter: int = 96, tracks_in_header: int | None = None) -> bytes:
    count = len(tracks) if tracks_in_header is None else tracks_in_header
    head = b"".join(number.to_bytes(2, "big") for number in (kind, count, quarter))
    return b"MThd\0\0\0\6" + head + b"".join(tracks)


ON, OFF = b"\0\x90\x3c\x5a", b"\x60\x80\x3c\0"
XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
SCORE = (
    "<score-partwise><part-list><score-part id='P1'><part-name>a</part-name></score-part></part-list><part id='P1'>"
    "<measure number='1'><attributes><divisions>1</divisions></attributes>{}</measure></part></score-partwise>"
)
NOTE = "<note>{}<pitch><step>C</step><octave>{}</octave></pitch><duration>{}</duration></note>"
LAUGHS = "".join(f'<!ENTITY l{k} "{f"&l{k - 1};" * 10 if k else "lol"}">' for k in range(10))


def packed(content: bytes, name: str = "s.xml") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", f'<container><rootfile full-path="{name}"/></container>')
        archive.writestr(name, content)
    return file.getvalue()


def book(tunes: int) -> str:
    """A book of many tunes, the seventh of which is damaged."""
    return "\n".join(
        f"X:{k}\nT:Tune {k}\nM:4/4\nL:1/4\nK:C\n{'[[[' if k == 7 else 'C D E F'}|\n" for k in range(1, tunes + 1)
    )


def by_hand(outside: Path) -> dict[str, bytes | str]:
    """Names and contents of hostile files; `outside` is a file that they try to read."""
    return {
        "empty.krn": b"",
        "empty.mid": b"",
        "empty.abc": b"",
        "empty.xml": b"",
        "empty.mxl": b"",
        "binary.krn": bytes(range(256)) * 40,
        "binary.abc": bytes(range(256)) * 40,
        "zeros.xml": bytes(100_000),
        "large.mid": midi(track(*[ON, OFF] * 2**22)) * 3,
        "large.krn": "**kern\n" + "4c\n" * 2**22,
        "large.abc": "X:1\nK:C\n" + "C" * 2**22,
        "nul.abc": "X:\0\nT:\0\nK:C\nC D E\n\nX:2\nK:C\nC D\n",
        "feed.krn": "**kern\n!!!OTL: \x0b\x85\n4c\n*-\n",
        "delta.mid": midi(track(b"\xff\xff\xff\x7f\x90\x3c\x5a", b"\xff\xff\xff\x7f\x80\x3c\0")),
        "low.mid": midi(track(b"\0\x90\x00\x5a", b"\x60\x80\x00\0")),
        "high.mid": midi(track(b"\0\x90\x7f\x5a", b"\x60\x80\x7f\0")),
        "beyond.mid": midi(track(b"\0\x90\xff\xff", OFF)),
        "tracks.mid": midi(*[track(ON, OFF)] * 10_000),
        "tracks-in-header.mid": midi(track(ON, OFF), tracks_in_header=65535),
        "open.mid": midi(track(ON, ON, ON)),
        "quarter.mid": midi(track(ON, OFF), quarter=0),
        "smpte.mid": midi(track(ON, OFF), quarter=0xE728),
        "kind.mid": midi(track(ON, OFF), kind=9),
        "head.mid": b"MThd",
        "meter.mid": midi(track(b"\0\xff\x58\4\0\xff\x18\x08", ON, OFF)),
        "key.mid": midi(track(b"\0\xff\x59\2\x7f\7", ON, OFF)),
        "silent.mid": midi(track()),
        "length.mid": midi(track(ON, OFF))[:14] + b"MTrk\xff\xff\xff\xff" + ON,
        "rests.krn": "**kern\n4r\n2r\n*-\n",
        "rests.abc": "X:1\nK:C\nz4 z4|\n",
        "grace.krn": "**kern\n4cq\n8dq\n*-\n",
        "grace.abc": "X:1\nK:C\n{cd}|\n",
        "split.krn": "**kern\n4c\n*^\n4d\t4e\n*^\t*\n4d\t4e\t4f\n*v\t*v\t*\n*v\t*v\n4g\n*-\n",
        "gone.krn": "**kern\n*-\n4c\n",
        "wide.krn": "\t".join(["**kern"] * 10_000) + "\n" + "\t".join(["4c"] * 10_000) + "\n",
        "crossed.krn": "**kern\n*x\n*v\n*+\n4c\n*-\n",
        "long.krn": "**kern\n4" + "." * 50_000 + "c\n*-\n",
        "zero.krn": "**kern\n4%0c\n*-\n",
        "breve.krn": "**kern\n0c\n000c\n*-\n",
        "sharp.krn": "**kern\n4c" + "#" * 1000 + "\n*-\n",
        "top.krn": "**kern\n4" + "c" * 1000 + "\n*-\n",
        "number.krn": "**kern\n" + "9" * 5000 + "c\n*-\n",
        "book.abc": book(2000),
        "tuplet.abc": "X:1\nK:C\n(99999:1:1C D|\n",
        "slow.abc": "X:1\nL:1/99999999999\nK:C\nC D|\n",
        "times.abc": "X:1\nK:C\nC99999999999999999999 D|\n",
        "voices.abc": "X:1\nK:C\n" + "".join(f"V:{k}\nC|\n" for k in range(500)),
        "repeats.abc": "X:1\nK:C\n" + "|:" * 2000 + "C D" + ":|" * 2000,
        "meter.abc": "X:1\nM:0/0\nK:C\nC D|\n",
        "nest.abc": "X:1\nK:C\n" + "[" * 5000 + "C",
        "bomb.xml": f"{XML}<!DOCTYPE a [{LAUGHS}]>" + SCORE.format("&l9;"),
        "bomb.mxl": packed(bytes(2**26)),
        "bombs.mxl": packed(packed(bytes(2**26))),
        "outside.xml": f'{XML}<!DOCTYPE a [<!ENTITY x SYSTEM "{outside.as_uri()}">]>' + SCORE.format("&x;"),
        "fetched.xml": f'{XML}<!DOCTYPE score-partwise SYSTEM "http://localhost:9/x.dtd">'
        + SCORE.format(NOTE.format("", 4, 1)),
        "climbs.mxl": packed(b"x", "../../../outside.xml"),
        "nowhere.mxl": packed(b"").replace(b"s.xml", b"t.xml", 1),
        "deep.xml": XML + "<a>" * 50_000,
        "octave.xml": XML + SCORE.format(NOTE.format("", 999_999_999, 1)),
        "divisions.xml": XML + SCORE.format(NOTE.format("", 4, "1e-300")),
        "endless.xml": XML + SCORE.format(NOTE.format("", 4, "1e300")),
        "negative.xml": XML + SCORE.format(NOTE.format("", 4, -4)),
        "chord.xml": XML + SCORE.format(NOTE.format("<chord/>", 4, 1)),
        "nan.xml": XML + SCORE.format(NOTE.format("", 4, "nan")),
        "encoding.xml": '<?xml version="1.0" encoding="rot13"?>' + SCORE.format(""),
        "unknown.xml": '<?xml version="1.0" encoding="no-such"?>' + SCORE.format(""),
        "rests.xml": XML + SCORE.format("<note><rest/><duration>4</duration></note>"),
        "漢字 песня.krn": kern(["C4"]),
        "two words.krn": kern(["D4"]),
        "q\"uo'te.krn": kern(["E4"]),
        "new\nline.krn": kern(["F4"]),
        "a,comma;=SUM(1).krn": kern(["G4"]),
        "x" * 251 + ".krn": kern(["A4"]),
        "-rf.krn": kern(["B4"]),
        os.fsdecode(b"\xff\xfe.krn"): kern(["C5"]),
    }


def write_by_hand(folder: Path, outside: Path) -> list[Path]:
    """Write all hostile files, and a folder, a pipe, and links to nothing, to /dev/zero and to itself."""
    made = []
    for name, content in by_hand(outside).items():
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        made.append(path)
    (folder / "folder.krn").mkdir()
    (folder / "folder.krn" / "inside.krn").write_text(kern(["C4", "D4"]))
    os.mkfifo(folder / "pipe.krn")
    for name, target in (("nothing.krn", "nowhere"), ("zeros.krn", "/dev/zero"), ("self.krn", "self.krn")):
        (folder / name).symlink_to(target)
    return [
        *made,
        folder / "folder.krn" / "inside.krn",
        *(folder / f"{name}.krn" for name in ("pipe", "nothing", "zeros", "self")),
    ]
