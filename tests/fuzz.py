"""Search for files that a reader fails on: random changes, kept where they reach new code (Atheris, libFuzzer).

writes  results/fuzz.json      for each reader how long and on how many files it was tried, and what was found
        fuzz/<reader>/1 ...    (--finds) a file for each fault

    pip install atheris
    python -m tests.fuzz abc --seconds 600
    python -m tests.fuzz --table     the table of results/fuzz.json, as in docs/robustness.md

A fault is an exception of our own code other than `Unreadable`, a song that is invalid or that cannot be written as ABC
and kern, or one file that takes over `SLOW` seconds or `MEMORY` bytes. The files that are changed are made here.
"""

from __future__ import annotations

import argparse
import inspect
import os
import re
import sys
import tempfile
import time
import traceback
from pathlib import Path

import numpy as np

from melody.atomic import load_json, write_json
from melody.cli import run
from melody.flags import Flags, positive

SLOW = 10  # seconds of CPU time for a file, of at most `LARGEST` bytes
LARGEST = 4000
MEMORY = 4 * 2**30  # bytes of address space
PARSERS = {"kern": "humdrum.spineParser", "midi": "midi", "abc": "abcFormat", "musicxml": "musicxml.xmlToM21"}
OURS = Path(__file__).parents[1] / "melody"
TUNES = [
    "X:1\nT:One\nO:Here\nM:6/8\nL:1/8\nQ:3/8=80\nK:Gm\nD|G2A B>cd|(3efg ^f2 _e- e|[GB]2{c}d !trill!z|[1 d3:|[2 G3|]\n",
    '%%propagate-accidentals not\nL:1/4\nX:1\nM:C|\nK:D exp ^f _b\nV:1\nG,,/2c\'3/4 [K:Bb] | x2 "Am"A-A |: y B :|\n\n'
    "X:2\nK:HP\n[M:3/4] +AB+ (2cd (5:4:3efgab & c |\\\nw: la\n% end\nZ4 |]\n",
]
SPINES = [
    "!!!OTL: One\n!!!ARE: Here\n**kern\t**text\n*k[b-]\t*\n*d:\t*\n*M3/4\t*\n8.dd{\tla\n=1\t=1\n[4g#\t.\n16qc\t.\n"
    "4g#]}\t.\n2.r\t.\n*^\t*\n4c 4e\t4G\t.\n*v\t*v\t*\n*x\t*x\n=2\t=2\n12e\t.\n12f\t.\n12a;\t.\n*-\t*-\n",
    "**kern\n*M3+2/8\n*MX\n*+\n4cc--\t4.n\n000C\t4CCC##\n4%3d_\t.\n*-\t*-\n",
]
SCORE = (
    '<?xml version="1.0" encoding="UTF-8"?><score-partwise version="4.0"><work><work-title>A &amp; b</work-title>'
    "</work><part-list><score-part id='P1'><part-name>a</part-name></score-part></part-list><part id='P1'>"
    "<measure number='0' implicit='yes'><attributes><divisions>6</divisions><key><fifths>-2</fifths><mode>minor</mode>"
    "</key><time><beats>3+2</beats><beat-type>8</beat-type></time><clef><sign>G</sign><line>2</line></clef></attributes>"
    "<note><pitch><step>B</step><alter>-1</alter><octave>4</octave></pitch><duration>2</duration><voice>1</voice>"
    "<type>eighth</type><time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes>"
    "</time-modification><tie type='start'/><notations><tied type='start'/><articulations><breath-mark/>"
    "</articulations></notations></note><note><chord/><unpitched/><duration>2</duration></note><note><grace/><pitch><step>C</step>"
    "<octave>5</octave></pitch></note><backup><duration>2</duration></backup><note><rest measure='yes'/><duration>12"
    "</duration><voice>2</voice></note><forward><duration>6</duration></forward><harmony><root><root-step>C</root-step>"
    "</root><kind>major</kind></harmony><barline location='right'><repeat direction='backward' times='2'/>"
    "<ending number='1' type='stop'/></barline></measure></part></score-partwise>"
)


def seeds(kind: str) -> list[bytes]:
    """Small songs of a format to begin with."""
    from melody.formats.write_abc import abc
    from melody.formats.write_kern import kern
    from melody.formats.write_midi import write_midi
    from melody.formats.write_musicxml import musicxml
    from tests.faults.damage import OFF, ON, midi, packed, track
    from tests.synthetic import tunes

    songs = tunes(1)
    if kind == "midi":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "one.mid"
            written = [write_midi(path, song, 90) or path.read_bytes() for song in songs]
        meters = [b"\0\xff\x58\4" + bytes([beats, 2, 24, 8]) for beats in (1, 3)]
        pickup = meters[0], ON, OFF, meters[1], b"\0\xff\x59\2\xfd\1", ON, b"\x60\x3c\0"
        return [*written, midi(track(*pickup)), midi(track(ON, OFF), track(b"\0\x99\x40\x5a", OFF), kind=0)]
    write, more = {
        "abc": (abc, TUNES),
        "kern": (kern, SPINES),
        "musicxml": (musicxml, [SCORE]),
    }[kind]
    written = [text.encode() for text in (*map(write, songs), *more)]
    return written + [packed(SCORE.encode())] * (kind == "musicxml")


def fault(kind: str, content: bytes) -> str:
    """What a reader does wrong with a file, and where; "" if nothing."""
    from melody.errors import UserError
    from melody.formats.corpus import reader_of
    from melody.formats.limits import Unreadable, reading_limits
    from melody.formats.write_abc import abc
    from melody.formats.write_kern import kern
    from melody.song import Song, check_song
    from melody.vocabulary import Spelling

    try:
        with reading_limits():
            found = reader_of(kind).read(content, "tune")
    except Unreadable as reason:
        found = [reason]
    except BaseException as problem:
        return f"{type(problem).__name__} {_place(problem)}"
    for song in found:
        if not isinstance(song, Song):
            if re.search("takes longer|more memory", str(song)):
                return str(song)
            if str(song).startswith("damaged (") and (place := _place(song.__cause__)):
                return f"{song} {place}"
            continue
        try:
            check_song(song)
            times = np.array([*song.duration, *song.rest_before, *song.beat, *song.bar, song.pickup])
            assert all(map(Spelling, song.pitch)) and np.isfinite(times).all() and min(song.duration) > 0
            assert len(song.phrase) == len(song.beat) == len(song.bar) == len(song.pitch)
            for write in (abc, kern) if len(song.pitch) < 300 else ():
                write(song)
        except (Exception, UserError) as problem:
            return f"a song: {type(problem).__name__}: {problem} {_place(problem)}"
    return ""


def _place(problem: BaseException | None) -> str:
    """The line that raised an exception, if it is one of ours."""
    frames = traceback.extract_tb(problem.__traceback__) if problem else []
    if not frames or OURS not in Path(frames[-1].filename).parents:
        return ""
    return f"at {Path(frames[-1].filename).name}:{frames[-1].lineno}"


def followed(kind: str) -> list:
    """The functions whose branches are counted: of our readers, and of the parser in music21."""
    names = [name for name in sys.modules if name.startswith(("melody.formats.", f"music21.{PARSERS[kind]}"))]
    found = []
    for name in names:
        parts = [vars(sys.modules[name])]
        parts += [vars(one) for one in parts[0].values() if isinstance(one, type) and one.__module__ == name]
        found += [one for part in parts for one in part.values() if getattr(one, "__module__", "") == name]
    return [one for one in map(inspect.unwrap, found) if inspect.isfunction(one)]


def fuzz(kind: str, args: argparse.Namespace) -> None:
    """Try a reader until the time is up; does not return."""
    import resource

    import atheris

    from melody.formats import limits
    from melody.formats.corpus import reader_of

    reader_of(kind)
    for function in followed(kind):
        atheris.instrument_func(function)
    limits.PATIENCE = SLOW
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    folder, begun, found, tried = args.finds / kind, time.monotonic(), {}, 0
    folder.mkdir(parents=True, exist_ok=True)

    def try_one(content: bytes) -> None:
        nonlocal tried
        tried += 1
        if wrong := fault(kind, content):
            place = re.sub(r"\d{3,}|'.*'", "", wrong.rpartition(" at ")[2] or wrong)
            if place not in found:
                found[place] = wrong
                (folder / f"{len(found)}").write_bytes(content)
                print(f"found {folder / str(len(found))}: {wrong}", flush=True)
        if time.monotonic() - begun > args.seconds:
            end()

    def end() -> None:
        path = args.out / "fuzz.json"
        readers = load_json(path, "python -m tests.fuzz")["readers"] if path.exists() else {}
        seconds = round(time.monotonic() - begun)
        readers[kind] = {"seconds": seconds, "files": tried, "faults": list(found.values())}
        write_json(path, {"command": "python -m tests.fuzz READER --seconds N", "readers": readers})
        print(f"{tried:,} files in {seconds} seconds, {len(found)} faults; wrote {path}", flush=True)
        os._exit(bool(found))  # libFuzzer has no other way to end

    with tempfile.TemporaryDirectory() as scratch:
        corpus_folder, dictionary = Path(scratch) / "corpus", Path(scratch) / "words"
        corpus_folder.mkdir()
        for number, content in enumerate(begin := seeds(kind)):
            (corpus_folder / str(number)).write_bytes(content)
        words = sorted(set(re.findall(rb"<[a-z/-]{1,40}|[A-Za-z*!%=|:]{2,20}", b"\n".join(begin))))
        dictionary.write_text("\n".join(f'"{word.decode()}"' for word in words))
        flags = [f"-max_len={LARGEST}", "-rss_limit_mb=0", f"-dict={dictionary}", f"-seed={args.seed}"]
        atheris.Setup([sys.argv[0], *flags, str(corpus_folder)], try_one)
        atheris.Fuzz()


def table(record: dict) -> str:
    """The readers as a Markdown table."""
    lines = ["| reader | minutes | files | faults |", "|---|--:|--:|--:|"]
    for kind, row in sorted(record["readers"].items()):
        lines.append(f"| {kind} | {row['seconds'] / 60:.0f} | {row['files']:,} | {len(row['faults'])} |")
    return "\n".join(lines)


def main() -> None:
    flags = Flags(__doc__)
    flags.add_argument("reader", nargs="?", choices=PARSERS, help=f"one of {' '.join(PARSERS)}")
    flags.add_argument("--seconds", type=positive, default=600, metavar="N", help="how long (default: 600)")
    flags.add_argument("--seed", type=positive, default=1, metavar="N", help="of the changes (default: 1)")
    flags.add_argument("--out", type=Path, default=Path("results"), metavar="DIR", help="folder (default: results)")
    flags.add_argument("--finds", type=Path, default=Path("fuzz"), metavar="DIR", help="folder (default: fuzz)")
    flags.add_argument("--table", action="store_true", help="print the table of earlier runs")
    args = flags.parse_args()
    if args.table:
        return print(table(load_json(args.out / "fuzz.json", "python -m tests.fuzz")))
    if not args.reader:
        flags.error(f"name a reader: {' '.join(PARSERS)}")
    fuzz(args.reader, args)


if __name__ == "__main__":
    run(main)
