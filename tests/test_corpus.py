"""Finding, naming and reading songs, including damaged and harmful files."""

import os
import random
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import pytest

from melody.automaton import BarAutomaton, observe
from melody.dataset import dataset_of
from melody.errors import UserError
from melody.formats import corpus, essen
from melody.formats.corpus import read_songs
from melody.formats.limits import Unreadable
from melody.formats.song_files import find_songs, song_name
from melody.meter import Opening, Rhythm, bar_length, closing_rest
from melody.regions import choose
from melody.vocabulary import ESSEN, Spelling, Vocabulary


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.krn", "", "an empty file"),
        ("a.krn", bytes(range(256)), "no \\*\\*kern spine"),
        ("a.krn", "**kern\n4r\n*-\n", "no notes"),
        ("a.krn", "**kern\n4AAAAAA\n*-\n", "below C1"),
        ("a.krn", "**kern\n4d---\n*-\n", "more than two sharps or flats"),
        ("a.mid", "", "an empty file"),
        ("a.mid", "RIFF", "not a MIDI file"),
        ("a.mid", b"MThd\0\0\0\6\0\1\0\1\0", "damaged"),
        ("a.mid", bytes(2**20 + 1), "larger than 1 MB"),
        ("a.abc", "only words", "no tune"),
        ("a.abc", "X:1\nK:C\n", "no notes"),
        ("a.xml", "<score", "no well-formed XML"),
        ("a.xml", "<a/>", "not a MusicXML score"),
        ("a.xml", "<score-partwise><fifths>-1000000000</fifths></score-partwise>", "more than 99 sharps or flats"),
        ("a.mxl", b"PK\3\4", "damaged .mxl"),
        ("a.txt", "4c", "not a format"),
    ],
)
def test_files_without_songs_are_refused_with_the_reason(reason, name, content, why):
    assert re.search(why, reason(name, content))


def test_a_book_without_a_readable_tune(tmp_path):
    (tmp_path / "a.abc").write_text("X:1\nK:C\n[[[\n\nX:2\nK:C\n[[[\n")
    with pytest.raises(Unreadable, match="none of its 2 tunes"):
        corpus.read_songs(tmp_path / "a.abc", tmp_path)
    _, skipped = corpus.read_batch(find_songs([str(tmp_path)]))
    assert [Path(file).name for file, _ in skipped] == ["a.abc#1", "a.abc#2"]


# Harmful files


def read_or_get_killed(files, read=corpus.read_batch):
    """`read_batch`, but the system kills the process at one file."""
    if any(path.name == "b.krn" for path, *_ in files):
        os.kill(os.getpid(), signal.SIGKILL)
    return read(files)


def test_a_reader_that_the_system_kills_costs_one_file(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.krn").write_text("**kern\n4c\n*-\n")
    monkeypatch.setattr(corpus, "BATCH", 2)
    monkeypatch.setattr(corpus, "read_batch", read_or_get_killed)
    songs, skipped = corpus.read_all(find_songs([str(tmp_path)]), jobs=2, quiet=True)
    assert [song.name for song in songs] == [f"{tmp_path.name}/a", f"{tmp_path.name}/c"]
    assert skipped == [(str(tmp_path / "b.krn"), "reading it needs too much memory, and the system stopped it")]


@pytest.mark.parametrize("threads", [False, True])
def test_a_song_that_takes_too_long_is_skipped(reason, monkeypatch, threads):
    """Also where Python runs no signal handlers: in a thread, as on a Dask worker."""

    def endless(*_):
        while True:
            with suppress(Exception):
                sum(range(1000))

    monkeypatch.setattr("melody.formats.limits.PATIENCE", 0.1)
    monkeypatch.setattr("melody.formats.read_kern.read", endless)
    song = "a.krn", "**kern\n4c\n*-\n"
    with ThreadPoolExecutor(1) as thread:
        why = thread.submit(reason, *song).result() if threads else reason(*song)
    assert "takes longer than 0.1 seconds" in why


def test_pipes_devices_and_broken_links_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.krn")
    (tmp_path / "zeros.krn").symlink_to("/dev/zero")
    (tmp_path / "gone.krn").symlink_to("nowhere")
    songs, skipped = corpus.read_batch(find_songs([str(tmp_path)]))
    assert not songs and [Path(path).name for path, _ in skipped] == ["gone.krn", "pipe.krn", "zeros.krn"]
    assert [why.split()[0] for _, why in skipped] == ["cannot", "not", "not"]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.krn", "**kern\n4cccccccc\n*-\n", "above G9"),
        ("a.krn", "**kern\n4c\n" + "0000c\n" * 1000, "quarter notes|not a note"),
        ("a.abc", "X:1\nK:C\n" + "C" * 200_001, "200,000 characters"),
    ],
)
def test_extreme_notes_and_lengths(read, reason, name, content, why):
    with suppress(Unreadable):
        read(name, content)
        assert name == "a.krn" and "0000c" in content, "long notes are no reason to skip a song"
        return
    assert re.search(why, reason(name, content))


def test_numbers_of_tunes_are_printable(read):
    songs, broken = read("a.abc", "X:\0\x01\nK:C\nC D\n\nX:2\nK:C\nC\n")
    assert all(name.isprintable() for name in (*(tune.tune for tune in broken), *(song.name for song in songs)))
    assert len(broken) + len(songs) == 2


# Finding and naming


@pytest.fixture
def tree(tmp_path):
    tmp_path = tmp_path / "tree"
    for name in ("asia/one.krn", "asia/x.krn/two.mid", "europa/THREE.ABC", "europa/words.txt", "europa/._one.krn"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names_found(*patterns):
    return [song_name(path, root) for path, root in find_songs([str(pattern) for pattern in patterns])]


def test_songs_are_found_in_folders_by_pattern_and_alone(tree):
    assert names_found(tree) == ["tree/asia/one", "tree/asia/x.krn/two", "tree/europa/THREE"]
    assert names_found(tree / "**/*.krn") == ["tree/asia/one", "tree/asia/x.krn/two"]
    assert names_found(tree / "eur*", tree / "asia/one.krn") == ["asia/one", "tree/europa/THREE"]
    assert names_found(tree, tree / "asia") == names_found(tree)


def test_a_pattern_without_songs_is_an_error(tree):
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
def test_the_folder_of_an_essen_song_follows_from_its_name(stem, folder):
    assert essen.folder_of(stem) == folder
    assert song_name(Path("all", f"{stem}.mid"), Path("all")) == (f"{folder}/{stem}" if folder else f"all/{stem}")
    assert song_name(Path("all/own", f"{stem}.mid"), Path("all")) == f"all/own/{stem}"


def test_a_second_song_of_the_same_name_is_skipped_with_the_reason(tmp_path):
    for name in ("a.krn", "a.abc"):
        (tmp_path / name).write_text("**kern\n4a\n*-" if name == "a.krn" else "X:1\nK:C\nC")
    songs, skipped = corpus.read_all(find_songs([str(tmp_path)]), jobs=1, quiet=True)
    assert [song.name for song in songs] == [f"{tmp_path.name}/a"]
    assert skipped[0][0] == str(tmp_path / "a.krn") and "is taken by" in skipped[0][1]


def test_the_kern_edition_has_its_names_whatever_folder_is_given(tmp_path):
    song = tmp_path / "essen/asia/china/han/han0001.krn"
    song.parent.mkdir(parents=True)
    song.touch()
    for given in (
        tmp_path,
        tmp_path / "essen",
        tmp_path / "essen/asia",
        song.parent,
        song,
        tmp_path / "essen/**/*.krn",
    ):
        assert names_found(given) == ["asia/china/han/han0001"]


def test_the_folder_given_and_the_file_name_of_a_book_are_regions(tmp_path, monkeypatch):
    (tmp_path / "my/irish").mkdir(parents=True)
    (tmp_path / "my/irish/oneills.abc").write_text("X:1\nK:C\nC\n\nX:2\nK:C\nD\n")
    (tmp_path / "my/irish/tune.abc").write_text("X:1\nK:C\nC\n")
    names = ["irish/oneills/oneills#1", "irish/oneills/oneills#2", "irish/tune"]
    monkeypatch.chdir(tmp_path / "my/irish")
    for given in (tmp_path / "my/irish", tmp_path / "my/irish/*.abc", "../irish", ".", "*.abc"):
        songs, _ = corpus.read_all(find_songs([str(given)]), jobs=1, quiet=True)
        assert [song.name for song in songs] == names
        arrays = dataset_of(songs, ESSEN)
        assert choose(arrays, ["irish"]) == [0, 1, 2] and choose(arrays, ["oneills"]) == [0, 1]


@pytest.mark.parametrize("pattern", ["", "**/*.krn", "**"])
def test_loops_of_symbolic_links_are_read_once(tree, pattern):
    (tree / "asia/loop").symlink_to(tree)
    (tree / "europa/loop").symlink_to(tree / "asia")
    (tree / "one again.krn").symlink_to(tree / "asia/one.krn")
    found = [path.relative_to(tree) for path, _ in find_songs([str(tree / pattern)])]
    assert [path.name for path in found if path.suffix == ".krn"] == ["one again.krn"]


def test_a_large_book_is_read_in_parts_with_the_same_result(tmp_path, monkeypatch):
    tunes = (f"X:{number // 2}\nT:Tune {number}\nK:C\n{'[[[' if number % 7 == 3 else 'CDE'}\n" for number in range(40))
    (tmp_path / "book.abc").write_text("L:1/4\n\n" + "\n".join(tunes))
    (tmp_path / "a.krn").write_text("**kern\n4c\n*-\n")
    (tmp_path / "no.abc").write_text("words\n" * 100)
    files = find_songs([str(tmp_path)])
    whole = corpus.read_all(files, jobs=1, quiet=True)
    monkeypatch.setattr(corpus, "PART_BYTES", 200)
    batches = list(corpus._batches(files))
    assert len(batches) > 5 and batches[0] == [(tmp_path / "a.krn", tmp_path)]
    assert corpus.read_all(files, jobs=2, quiet=True) == corpus.read_all(files, jobs=1, quiet=True) == whole
    assert len(whole[0]) == 35 and len(whole[1]) == 7


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


def differing(files, kind, sample=2000):
    """Names of the songs among `sample` files, and of those below, whose notes differ from music21's."""
    from joblib import Parallel, delayed

    known = [found for found in files if found[0].stem in TIED_DIFFERENTLY]
    chosen = list(dict.fromkeys(known + random.Random(0).sample(files, sample)))
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


def with_one_meter(songs):
    """The songs with one time signature whose bars are full."""
    return [song for song in songs if set(song.bar) == {float(bar_length(song.meter))} != {0.0}]


@pytest.mark.slow
def test_every_song_of_one_meter_is_a_path_of_the_bar_automaton(kern_edition):
    """Run with -n 0 -s to see the counts in data/README.md."""
    songs, _ = corpus.read_all(find_songs([str(kern_edition)]), jobs=-1, quiet=True)
    stated = [song for song in songs if bar_length(song.meter)]
    free = [song for song in stated if not any(song.bar)]
    one_meter = with_one_meter(songs)
    rhythms, openings, paths = {}, {}, []
    for song in one_meter:
        opening = Opening(song.meter, exact(song.pickup))
        symbols = [Rhythm(exact(rest), exact(time)) for rest, time in zip(song.rest_before, song.duration, strict=True)]
        indices = [rhythms.setdefault(symbol, len(rhythms)) for symbol in symbols]
        paths.append((openings.setdefault(opening, len(openings)), indices))
    observed = observe(list(rhythms), [(list(openings)[number], path) for number, path in paths])
    automaton = BarAutomaton(list(rhythms), list(openings), *observed)
    unfilled = 0
    for song, (opening, indices) in zip(one_meter, paths, strict=True):
        state, length = automaton.start[opening], bar_length(song.meter)
        for rhythm, beat in zip(indices, song.beat, strict=True):
            assert automaton.legal[state, rhythm]
            assert (automaton.states[state][1] + automaton.rhythms[rhythm].rest_before) % length == exact(beat)
            state = automaton.next_state[state, rhythm]
        assert automaton.legal[state, -1]
        unfilled += closing_rest(list(openings)[opening], automaton.states[state][1]) != exact(song.rest_after)
    print(
        f"\n{len(stated):,} songs with a meter, {len(free)} of them read as free; {len(one_meter):,} of one meter; "
        f"{unfilled} of these end within a bar"
    )
    assert (len(stated), len(free), len(one_meter), unfilled) == (8265, 297, 7422, 91)


def exact(quarters):
    return Fraction(quarters).limit_denominator(1000)


# `[4a]` begins and ends a tie at once. We read it as its middle or end; music21 reads a new tie, which it joins to
# the previous note only if another end follows.
TIED_DIFFERENTLY = {"han0048", "han0794", "natmn020", "natmn024", "natmn025", "natmn043", "shanx364"}


@pytest.mark.slow
def test_kern_equals_music21s_parser(kern_edition):
    files = [found for found in find_songs([str(kern_edition)]) if found[0].stem != "han0953"]
    assert differing(files, "humdrum") == TIED_DIFFERENTLY


@pytest.mark.slow
def test_midi_equals_music21s_parser(midi_edition):
    """In sound and onset. Durations are compared with kern below, because music21 cuts notes at bar lines."""
    assert differing(find_songs([str(midi_edition)]), "midi") == set()


@pytest.mark.slow
def test_midi_is_spelled_and_barred_as_kern(kern_edition, midi_edition):
    """Run with -n 0 -s to see the figures in docs/kern-edition.md and data/README.md."""
    kern_songs, midi_songs = (
        {Path(song.name).name: song for song in corpus.read_all(find_songs([str(folder)]), -1, True)[0]}
        for folder in (kern_edition, midi_edition)
    )
    assert set(kern_songs) == set(midi_songs)
    pairs = [(kern_songs[stem], midi_songs[stem]) for stem in set(kern_songs) - TIED_DIFFERENTLY]
    assert all(kern.name == midi.name for kern, midi in pairs)
    assert all(kern.duration == pytest.approx(midi.duration, abs=0.001) for kern, midi in pairs)
    assert all(kern.rest_before == pytest.approx(midi.rest_before, abs=0.001) for kern, midi in pairs)
    notes = [pair for kern, midi in pairs for pair in zip(kern.pitch, midi.pitch, strict=True)]
    assert all(Spelling(kern).midi == Spelling(midi).midi for kern, midi in set(notes))
    agreement = sum(kern == midi for kern, midi in notes) / len(notes)
    print(f"\n{len(notes):,} notes of {len(pairs):,} songs, spelled alike: {agreement:.2%}")
    assert agreement >= 0.999
    one_meter = [(song, midi_songs[Path(song.name).name]) for song in with_one_meter(kern_songs.values())]
    agreement = sum(kern.pickup == midi.pickup for kern, midi in one_meter) / len(one_meter)
    print(f"{len(one_meter):,} songs of one meter, with the pickup of the kern edition: {agreement:.2%}")
    assert agreement >= 0.87
