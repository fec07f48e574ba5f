"""Finding and reading songs. The melodies are invented; each file has one peculiarity."""

import os
import random
import re
import signal
import zipfile
from contextlib import suppress
from itertools import accumulate
from pathlib import Path

import pytest

from melody.errors import UserError
from melody.formats import corpus, essen
from melody.formats.corpus import find_songs, read_songs, song_name
from melody.formats.limits import Unreadable
from melody.formats.read_midi import midi_name
from melody.formats.song_builder import signature
from melody.vocabulary import ESSEN, Spelling, Vocabulary

KERN = "!!!ARE: Nowhere, Island\n!!!OTL: A made-up song\n**kern\n*M3/4\n*k[f#]\n*G:\n{}\n*-\n"


@pytest.fixture
def read(tmp_path):
    """Read one file with this name and content, (its songs, what was broken in it)."""

    def read_file(name, content):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        broken = {}
        return read_songs(path, tmp_path, broken), broken

    return read_file


@pytest.fixture
def kern(read):
    """Read the song of these kern tokens."""
    return lambda tokens: read("song.krn", KERN.format("\n".join(tokens.split(","))))[0][0]


def reason(read, name, content):
    with pytest.raises(Unreadable) as refused:
        read(name, content)
    return str(refused.value)


# kern


def test_kern_says_pitch_length_and_words(kern):
    song = kern("4g,8.ff#,16B-,2.CC")
    assert song.pitch == ["G4", "F#5", "B-3", "C2"]
    assert song.duration == [1, 0.75, 0.25, 3]
    assert (song.name, song.area, song.title) == ("song", "Nowhere, Island", "A made-up song")
    assert (song.key, song.meter, song.chords, song.parts) == ("G", "3/4", 0, 1)


def test_tied_notes_are_one(kern):
    song = kern("[4a,2a_,8a],4a")
    assert (song.pitch, song.duration) == (["A4", "A4"], [3.5, 1])
    assert kern("[4a,[2a],4a]").duration == [4]  # the middle of a tie, as some Essen files write it


def test_a_tie_across_a_rest_or_to_another_pitch_joins_nothing(kern):
    assert kern("[4a,4r,4a]").duration == [1, 1]
    assert kern("[4a,4b]").pitch == ["A4", "B4"]


def test_grace_notes_are_left_out(kern):
    assert kern("4a,8bq,16ccQ,4dd").pitch == ["A4", "D5"]


def test_rests_stand_before_the_next_note(kern):
    assert kern("8r,4a,4r,2r,4b,4c,4r").rest_before == [0.5, 3, 0]


def test_phrases_begin_at_notes(kern):
    assert kern("{4a,4b},{4r,4c,4d}").phrase == [True, False, True, False]


def test_of_a_chord_the_top_note_is_kept(kern):
    song = kern("4c 4e 4g,4f")
    assert (song.pitch, song.chords) == (["G4", "F4"], 1)


def test_triplets_are_exact(kern):
    assert sum(kern("12a,12b,12a").duration) == pytest.approx(1)


def test_free_metre_and_signature_without_a_key(read):
    song = read("a.krn", "**kern\n*MX\n*k[b-]\n4a\n*-\n")[0][0]
    assert (song.meter, song.key) == ("X", "k[b-]")


def test_the_byte_ff_does_no_harm(read):
    assert read("a.krn", b"!! \xff\x85\n**kern\n4a\n*-\n")[0][0].pitch == ["A4"]


def test_of_several_spines_the_first_kern_spine_is_read(read):
    song = read("a.krn", "**text\t**kern\t**kern\nla\t4a\t4c\n.\t4b\t.\n*-\t*-\t*-\n")[0][0]
    assert (song.pitch, song.parts) == (["A4", "B4"], 2)


def test_spines_split_join_and_change_places(read):
    lines = ["**kern\t**kern", "4C\t4c", "*^\t*", "4D\t4E\t4d", "*v\t*v\t*", "*x\t*x", "4e\t4F", "*\t*^", "4f\t4G\t4B"]
    song = read("a.krn", "\n".join([*lines, "*-\t*-\t*-"]))[0][0]
    assert song.pitch == ["C3", "D3", "F3", "G3"]


def test_a_wrong_token_is_named_with_its_line(read):
    assert reason(read, "a.krn", "**kern\n4a\n4zz\n*-\n") == "line 3: '4zz' is no note"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.krn", "", "an empty file"),
        ("a.krn", bytes(range(256)), "no \\*\\*kern spine"),
        ("a.krn", "**kern\n4r\n*-\n", "no notes"),
        ("a.krn", "**kern\n4AAAAAA\n*-\n", "below C1"),
        ("a.mid", "", "an empty file"),
        ("a.mid", "RIFF", "not a MIDI file"),
        ("a.mid", b"MThd\0\0\0\6\0\1\0\1\0", "damaged"),
        ("a.mid", bytes(2**20 + 1), "larger than 1 MB"),
        ("a.abc", "only words", "no tune"),
        ("a.abc", "X:1\nK:C\n", "no notes"),
        ("a.xml", "<score", "no well-formed XML"),
        ("a.xml", "<a/>", "not a MusicXML score"),
        ("a.mxl", b"PK\3\4", "damaged .mxl"),
        ("a.txt", "4c", "no format"),
    ],
)
def test_what_gives_no_song_says_why(read, name, content, why):
    assert re.search(why, reason(read, name, content))


# MIDI


def track(*events):
    """A track of (ticks since the last event, bytes)."""
    body = b"".join(bytes([ticks]) + event for ticks, event in (*events, (0, b"\xff\x2f\0")))
    return b"MTrk" + len(body).to_bytes(4, "big") + body


def midi(*tracks, quarter=8):
    head = b"MThd\0\0\0\6\0\1" + len(tracks).to_bytes(2, "big") + quarter.to_bytes(2, "big")
    return head + b"".join(tracks)


def key_signature(sharps):
    return 0, b"\xff\x59\2" + bytes([sharps % 256, 0])


def notes(*numbers, channel=0):
    """Quarter notes one after another."""
    for number in numbers:
        yield 0, bytes([0x90 + channel, number, 90])
        yield 8, bytes([0x80 + channel, number, 0])


def test_midi_notes_rests_and_metre(read):
    melody = [
        (0, b"\xff\x58\4\6\3\x18\x08"),
        (4, b"\x90\x3c\x5a"),
        (8, b"\x90\x3c\0"),
        (2, b"\x90\x3e\x5a"),
        (16, b"\x80\x3e\0"),
    ]
    song = read("a.mid", midi(track(*melody)))[0][0]
    assert (song.pitch, song.duration, song.rest_before) == (["C4", "D4"], [1, 2], [0.5, 0.25])
    assert (song.meter, song.phrase) == ("6/8", [False, False])


@pytest.mark.parametrize(
    ("sharps", "names"), [(0, ["C#4", "E-4", "F#4"]), (4, ["C#4", "D#4", "F#4"]), (-5, ["D-4", "E-4", "G-4"])]
)
def test_midi_is_spelled_by_its_key_signature(read, sharps, names):
    song = read("a.mid", midi(track(key_signature(sharps)), track(*notes(61, 63, 66))))[0][0]
    assert song.pitch == names
    assert song.key == signature(sharps)


def test_eight_flats_are_read(read):
    song = read("a.mid", midi(track(key_signature(-8)), track(*notes(64, 71))))[0][0]
    assert (song.pitch, song.key) == (["F-4", "C-5"], "k[b--e-a-d-g-c-f-]")


@pytest.mark.parametrize("sharps", range(-8, 9))
def test_every_midi_number_keeps_its_sound(sharps):
    assert all(Spelling(midi_name(number, sharps)).midi == number for number in range(24, 128))


def test_midi_chords_parts_and_drums(read):
    chord = [(0, b"\x90\x3c\x5a"), (0, b"\x90\x43\x5a"), (8, b"\x80\x3c\0"), (0, b"\x80\x43\0")]
    song = read("a.mid", midi(track(*notes(36, channel=9)), track(*chord, *notes(65)), track(*notes(48))))[0][0]
    assert (song.pitch, song.chords, song.parts) == (["G4", "F4"], 1, 2)


def test_a_midi_note_ends_where_the_next_begins(read):
    song = read(
        "a.mid", midi(track((0, b"\x90\x3c\x5a"), (8, b"\x90\x3e\x5a"), (8, b"\x80\x3c\0"), (8, b"\x80\x3e\0")))
    )[0][0]
    assert (song.duration, song.rest_before) == ([1, 2], [0, 0])


def test_a_track_that_breaks_off_is_damaged(read):
    assert "breaks off" in reason(read, "a.mid", midi(track(*notes(60, 62)))[:-8])


# ABC

BOOK = """M:3/4
L:1/4

X:1
T:First % a remark
O:Nowhere
K:G
"G"G A {c}B-|B z [Gd]|]

Words between the tunes.

X:2
K:C
[[[

X:2
K:Em
E F/2G/2 (3ABc|
"""


def test_a_book_of_tunes_one_broken(read, tmp_path):
    (first, second), broken = read("book.abc", BOOK)
    assert (first.name, first.pitch, first.duration) == ("book#1", ["G4", "A4", "B4", "D5"], [1, 1, 2, 1])
    assert (first.rest_before, first.chords) == ([0, 0, 0, 1], 1)
    assert (first.title, first.area, first.key, first.meter) == ("First", "Nowhere", "G", "3/4")
    assert (second.name, second.key, second.pitch[1]) == ("book#2.2", "e", "F#4")
    assert list(broken) == [f"{tmp_path / 'book.abc'}#2"]


def test_a_single_tune_has_the_files_name(read):
    song = read("tune.abc", "X:7\nK:C\nV:1\nC2 D2|\nV:2\nE2 F2|\n")[0][0]
    assert (song.name, song.pitch, song.duration, song.parts) == ("tune", ["C4", "D4"], [1, 1], 2)


def test_a_book_without_a_whole_tune(read):
    assert "none of its 2 tunes" in reason(read, "a.abc", "X:1\nK:C\n[[[\n\nX:2\nK:C\n[[[\n")


# MusicXML

NOTE = "<note>{}<pitch><step>{}</step><octave>4</octave></pitch><duration>{}</duration>{}</note>"
SCORE = (
    '<?xml version="1.0" encoding="UTF-8"?>{}<score-partwise version="4.0">'
    "<movement-title>Up &amp; down</movement-title>"
    '<part-list><score-part id="P1"><part-name>a</part-name></score-part></part-list><part id="P1"><measure number="1">'
    "<attributes><divisions>2</divisions><key><fifths>1</fifths><mode>major</mode></key>"
    "<time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
    + NOTE.format("", "G", 1, "")
    + "<note><rest/><duration>1</duration></note>"
    + NOTE.format("", "A", 4, '<tie type="start"/>')
    + '</measure><measure number="2">'
    + NOTE.format("", "A", 2, '<tie type="stop"/>')
    + NOTE.format("", "C", 2, "")
    + NOTE.format("<chord/>", "E", 2, "")
    + "</measure></part></score-partwise>"
)
DOCTYPE = '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "partwise.dtd">'
ENTITIES = [
    '<!DOCTYPE a [<!ENTITY b "cc">]>',
    '<!DOCTYPE a [<!ENTITY b SYSTEM "other.xml">]>',
    '<!DOCTYPE a [<!ENTITY % b "c">]>',
]


def test_musicxml(read):
    song = read("a.musicxml", SCORE.format(DOCTYPE))[0][0]
    assert (song.pitch, song.duration, song.rest_before) == (["G4", "A4", "E4"], [0.5, 3, 1], [0, 0.5, 0])
    assert (song.title, song.key, song.meter, song.chords) == ("Up & down", "G", "3/4", 1)


@pytest.mark.parametrize("declaration", ENTITIES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_in_every_encoding(read, declaration, encoding):
    text = SCORE.replace("UTF-8", encoding).format(declaration).encode(encoding)
    assert "declares XML entities" in reason(read, "a.xml", text)


def mxl(path, score):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "META-INF/container.xml", '<container><rootfiles><rootfile full-path="s.xml"/></rootfiles></container>'
        )
        archive.writestr("s.xml", score)
    return path.read_bytes()


def test_packed_musicxml(read, tmp_path):
    assert read("a.mxl", mxl(tmp_path / "b", SCORE.format("")))[0][0].pitch == ["G4", "A4", "E4"]


def test_a_packed_bomb_is_not_unpacked(read, tmp_path):
    assert "when unpacked" in reason(read, "a.mxl", mxl(tmp_path / "b", bytes(9 * 2**20)))
    assert "declares" in reason(read, "a.mxl", mxl(tmp_path / "b", SCORE.format(ENTITIES[0])))


# Songs that harm


def read_or_be_killed(files, read=corpus.read_batch):
    """`read_batch`, but at one file the system ends the process."""
    if any(path.name == "b.krn" for path, _ in files):
        os.kill(os.getpid(), signal.SIGKILL)
    return read(files)


def test_a_reader_that_the_system_kills_costs_one_file(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.krn").write_text("**kern\n4c\n*-\n")
    monkeypatch.setattr(corpus, "BATCH", 2)
    monkeypatch.setattr(corpus, "read_batch", read_or_be_killed)
    songs, skipped = corpus.read_all(find_songs([str(tmp_path)]), jobs=2, quiet=True)
    assert [song.name for song in songs] == ["a", "c"]
    assert skipped == [(str(tmp_path / "b.krn"), "the system stopped the reading of it; it needs too much memory")]


def test_a_song_that_takes_too_long_is_skipped(read, monkeypatch):
    def endless(*_):
        while True:
            with suppress(Exception):
                sum(range(1000))

    monkeypatch.setattr("melody.formats.limits.PATIENCE", 0.1)
    monkeypatch.setattr("melody.formats.read_kern.read", endless)
    assert "takes longer than 0.1 seconds" in reason(read, "a.krn", "**kern\n4c\n*-\n")


def test_what_only_has_a_files_name_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.krn")
    (tmp_path / "zeros.krn").symlink_to("/dev/zero")
    (tmp_path / "gone.krn").symlink_to("nowhere")
    songs, skipped = corpus.read_batch(find_songs([str(tmp_path)]))
    assert not songs and [Path(path).name for path, _ in skipped] == ["gone.krn", "pipe.krn", "zeros.krn"]
    assert [why.split()[0] for _, why in skipped] == ["cannot", "no", "no"]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.krn", "**kern\n4cccccccc\n*-\n", "above G9"),
        ("a.krn", "**kern\n4c\n" + "0000c\n" * 1000, "quarter notes|no note"),
        ("a.abc", "X:1\nK:C\n" + "C" * 200_001, "200,000 letters"),
    ],
)
def test_what_no_song_holds(read, name, content, why):
    with suppress(Unreadable):
        read(name, content)
        assert name == "a.krn" and "0000c" in content, "breves are long, but no reason to skip"
        return
    assert re.search(why, reason(read, name, content))


def test_numbers_of_tunes_are_printable(read):
    songs, broken = read("a.abc", "X:\0\x01\nK:C\nC D\n\nX:2\nK:C\nC\n")
    assert all(name.isprintable() for name in (*broken, *(song.name for song in songs)))
    assert len(broken) + len(songs) == 2


# Finding and naming


@pytest.fixture
def tree(tmp_path):
    for name in ("asia/one.krn", "asia/x.krn/two.mid", "europa/THREE.ABC", "europa/words.txt", "europa/._one.krn"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names_found(*patterns):
    return [song_name(path, root) for path, root in find_songs([str(pattern) for pattern in patterns])]


def test_songs_are_found_in_folders_by_pattern_and_alone(tree):
    assert names_found(tree) == ["asia/one", "asia/x.krn/two", "europa/THREE"]
    assert names_found(tree / "**/*.krn") == ["asia/one", "asia/x.krn/two"]
    assert names_found(tree / "eur*", tree / "asia/one.krn") == ["one", "europa/THREE"]
    assert names_found(tree, tree / "asia") == names_found(tree)


def test_nothing_found_is_said(tree):
    with pytest.raises(UserError, match="no songs at"):
        find_songs([str(tree), str(tree / "africa")])


@pytest.mark.parametrize(
    ("stem", "folder"),
    [
        ("han0001", "asia/china/han"),
        ("han0339b", "asia/china/han"),
        ("shanx001", "asia/china/shanxi"),
        ("appenzel", "europa/misc"),
        ("deut001", "europa/deutschl/fink"),
        ("deut0566", "europa/deutschl/fink"),
        ("deut0567", "europa/deutschl/erk"),
        ("deut5157", "europa/deutschl/test"),
        ("deut", ""),
        ("handel12", ""),
        ("a song", ""),
    ],
)
def test_an_essen_name_tells_its_folder(stem, folder):
    assert essen.folder_of(stem) == folder
    assert song_name(Path("all", f"{stem}.mid"), Path("all")) == (f"{folder}/{stem}" if folder else stem)
    assert song_name(Path("all/own", f"{stem}.mid"), Path("all")) == f"own/{stem}"


def test_a_name_taken_is_skipped_with_its_reason(tmp_path):
    for name in ("a.krn", "a.abc"):
        (tmp_path / name).write_text("**kern\n4a\n*-" if name == "a.krn" else "X:1\nK:C\nC")
    songs, skipped = corpus.read_all(find_songs([str(tmp_path)]), jobs=1, quiet=True)
    assert [song.name for song in songs] == ["a"]
    assert skipped[0][0] == str(tmp_path / "a.krn") and "is taken by" in skipped[0][1]


# The whole collection


@pytest.fixture(scope="session")
def midi_edition(tmp_path_factory):
    folder = tmp_path_factory.mktemp("midi") / "essen"
    try:
        essen.fetch(folder)
    except UserError as problem:
        pytest.skip(f"no MIDI edition: {problem}")
    return folder


def parsed(path, kind):
    """(pitch, onset, length) of each note as music21's own parser gives them, tied notes joined."""
    from music21 import converter

    line = converter.parse(path, format=kind, forceSource=True, quantizePost=False).parts[0].stripTies().flatten()
    notes = [note for note in line.notes if not note.duration.isGrace]
    return [(note.pitches[-1], float(note.offset), float(note.quarterLength)) for note in notes]


def differing(files, kind, sample):
    """Names of the songs among `sample` files whose notes differ from those of music21's own parser."""
    from joblib import Parallel, delayed

    chosen = random.Random(0).sample(files, min(sample, len(files)))
    alike = Parallel(n_jobs=-1)(delayed(as_parsed)(path, root, kind) for path, root in chosen)
    return {path.stem for (path, _), same in zip(chosen, alike, strict=True) if not same}


def as_parsed(path, root, kind):
    song = read_songs(path, root)[0]
    ends = list(accumulate(rest + length for rest, length in zip(song.rest_before, song.duration, strict=True)))
    ours = [(name, end - length, length) for name, end, length in zip(song.pitch, ends, song.duration, strict=True)]
    theirs = parsed(path, kind)
    return len(ours) == len(theirs) and all(
        (name, length) == (pitch.nameWithOctave, pytest.approx(lasts))
        if kind == "humdrum"
        else Spelling(name).midi == pitch.midi and start == pytest.approx(onset, abs=0.01)
        for (name, start, length), (pitch, onset, lasts) in zip(ours, theirs, strict=True)
    )


@pytest.mark.slow
def test_the_kern_edition(kern_edition):
    songs, skipped = corpus.read_all(find_songs([str(kern_edition)]), jobs=-1, quiet=True)
    assert (len(songs), sum(len(song.pitch) for song in songs)) == (8472, 444_919)
    assert [(Path(path).name, why) for path, why in skipped] == [("han0953.krn", "no notes")]
    assert Vocabulary(name for song in songs for name in song.pitch) == ESSEN
    assert sum(sum(song.phrase) for song in songs) == 47_446


# `[4a]` opens and ends a tie at once. We read it as the middle or the end of one, music21 as a new beginning,
# which it joins to what was before only if another end follows.
TIED_OTHERWISE = {"han0048", "han0794", "natmn020", "natmn024", "natmn025", "natmn043", "shanx364"}


@pytest.mark.slow
def test_kern_equals_music21s_parser(kern_edition):
    files = [found for found in find_songs([str(kern_edition)]) if found[0].stem != "han0953"]
    assert differing(files, "humdrum", len(files)) == TIED_OTHERWISE


@pytest.mark.slow
def test_midi_equals_music21s_parser(midi_edition):
    """In sound and onset; the lengths are compared with kern below, since music21 cuts notes at barlines."""
    assert differing(find_songs([str(midi_edition)]), "midi", 2000) == set()


@pytest.mark.slow
def test_midi_is_spelled_as_kern(kern_edition, midi_edition):
    """Run with -s to see the figure that the README gives."""
    kern_songs, midi_songs = (
        {Path(song.name).name: song for song in corpus.read_all(find_songs([str(folder)]), -1, True)[0]}
        for folder in (kern_edition, midi_edition)
    )
    assert set(kern_songs) == set(midi_songs)
    pairs = [(kern_songs[stem], midi_songs[stem]) for stem in set(kern_songs) - TIED_OTHERWISE]
    assert all(kern.name == midi.name for kern, midi in pairs)
    assert all(kern.duration == pytest.approx(midi.duration, abs=0.001) for kern, midi in pairs)
    assert all(kern.rest_before == pytest.approx(midi.rest_before, abs=0.001) for kern, midi in pairs)
    notes = [pair for kern, midi in pairs for pair in zip(kern.pitch, midi.pitch, strict=True)]
    assert all(Spelling(kern).midi == Spelling(midi).midi for kern, midi in set(notes))
    agreement = sum(kern == midi for kern, midi in notes) / len(notes)
    print(f"\n{len(notes):,} notes of {len(pairs):,} songs, spelled alike: {agreement:.2%}")
    assert agreement >= 0.999
