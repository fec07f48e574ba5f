"""The key of a melody: found, named, and changed."""

import argparse
from dataclasses import replace
from statistics import mean

import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

import config
from melody import flags
from melody.dataset import dataset_of, intervals_of
from melody.errors import UserError
from melody.formats import corpus
from melody.formats.song_files import find_songs
from melody.key import KEYS, find_key, fitted, kern_key, notated_key, transposed
from melody.regions import choose
from melody.song import Song
from melody.split import grouped_split
from melody.vocabulary import ESSEN, Spelling, spelled

WHITE = [f"{letter}4" for letter in "CDEFGAB"]
NAMES = [name for name in ESSEN.names if "3" < name[-1] < "6"]


def melody(names, key="", duration=None):
    pitch = names.split() if isinstance(names, str) else names
    return Song("tune", pitch, duration or [1.0] * len(pitch), [0.0] * len(pitch), [True] * len(pitch), key=key)


@some.composite
def melodies(draw):
    pitch = draw(some.lists(some.sampled_from(NAMES), max_size=20))
    return melody(pitch, draw(some.sampled_from([*KEYS, ""])), [draw(some.sampled_from([0.5, 1, 1.5])) for _ in pitch])


@pytest.mark.parametrize(
    ("names", "key"),
    [
        ("", ""),
        ("G4 A4 B4 C5 D5 B4 G4", "G"),
        ("D4 E4 F4 G4 A4 F4 D4", "d"),
        ("D-4 E-4 F4 G-4 A-4 F4 D-4", "D-"),
        ("C#4 D#4 E#4 F#4 G#4 E#4 C#4", "C#"),
        ("C4 D4 E4 G4 A4 G4 E4 C4", "C"),  # the same notes: the last one is the tonic
        ("C4 D4 E4 G4 A4 G4 E4 A4", "a"),
        ("F--4", "C-"),  # no key has more than 7 flats
    ],
)
def test_keys_are_found(names, key):
    assert find_key(names.split(), [1.0] * len(names.split())) == key
    assert find_key(names.split(), [0.0] * len(names.split())) == key  # grace notes weigh equally


def test_long_notes_weigh_more():
    pitch = "C4 D4 E4 G4 A4 B4".split()
    assert find_key(pitch, [4, 1, 4, 4, 1, 1]) == "C"
    assert find_key(pitch, [1, 1, 4, 1, 1, 4]) == "e"


@pytest.mark.parametrize(
    ("names", "key"),
    [
        ("", "k[]"),
        ("G4 A4 B4 C5 D5 B4 G4", "G"),  # F or F#: one signature is as good as the other
        ("D4 E4 F4 A4 D5 C#5 D5 C#5 D5", "d"),  # the leading tone needs an accidental in any minor key
        ("D4 E4 F4 A4 B4 A4 B4 D5", "k[]"),  # Dorian
        ("G4 A4 B4 D5 B4 A4 F5 G4", "k[]"),  # Mixolydian
    ],
)
def test_a_score_states_the_signature_alone_where_the_key_would_need_more_accidentals(names, key):
    assert notated_key(names.split(), [1.0] * len(names.split())) == key


@pytest.mark.parametrize(
    ("key", "texts"),
    [
        ("G", ["G", "g major", " *G: "]),
        ("B-", ["B-", "Bb", "B♭", "b- major"]),
        ("b-", ["b-", "bb", "Bbm"]),
        ("f#", ["f#", "F# minor", "F♯m", "F# min"]),
        ("", ["", "H", "Dorian", "k[f#]", "B--", "G# major", "g- minor"]),
    ],
)
def test_keys_are_named(key, texts):
    assert [kern_key(text) for text in texts] == [key] * len(texts)


def test_the_flag_is_a_key(capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument("--key", type=flags.key)
    assert parser.parse_args(["--key", "F# minor"]).key == "f#"
    with pytest.raises(SystemExit):
        parser.parse_args(["--key", "H"])
    assert "--key: 'H' is not a key of up to 7 sharps or flats" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "source", "key", "moved"),
    [
        ("G4 B4 F#4 B-4", "G", "D", "D4 F#4 C#4 F4"),  # down a fourth, not up a fifth
        ("G4 B4 F#4 B-4", "G", "B-", "B-4 D5 A4 D-5"),
        ("D4 F4 C#4", "d", "a-", "A-4 C-5 G4"),
        ("C4 B3", "C", "C#", "C#4 B#3"),
        ("C4 B3", "C", "C-", "C-4 B-3"),
        ("C4 B3", "C", "F#", "F#3 E#3"),
        ("D4 F4 A4 D4", "k[b-]", "e", "E4 G4 B4 E4"),  # only a signature: the key is found
        ("", "", "f", ""),
    ],
)
def test_songs_are_transposed(names, source, key, moved):
    song = melody(names, source)
    assert transposed(song, key) == melody(moved, key)


@given(
    song=some.lists(some.sampled_from(NAMES), min_size=1, max_size=9),
    steps=some.integers(-6, 6),
    octaves=some.integers(-3, 3),
)
def test_a_song_is_transposed_to_known_notes(song, steps, octaves):
    """By no more semitones than lead back to where it came from; its intervals stay."""
    fifths = steps * 7 % 12 - 12 * (steps * 7 % 12 > 6)
    there = [Spelling(name) for name in song]
    shift = 4 * fifths - 7 * round(7 * fifths / 12) + 7 * octaves
    away = [spelled(note.step + shift, note.fifth + fifths) for note in there]
    assume(all(0 <= Spelling(name).midi <= 127 and Spelling(name).step >= 0 for name in away))
    found, semitones = fitted(melody(away), ESSEN.index.__contains__)
    assert set(found.pitch) <= set(ESSEN.names)
    moved = {Spelling(new).midi - Spelling(old).midi for new, old in zip(found.pitch, away, strict=True)}
    assert moved == {semitones} and abs(semitones) <= abs(Spelling(away[0]).midi - there[0].midi)
    assert intervals_of(ESSEN.encode(found.pitch), ESSEN).tolist() == intervals_of(ESSEN.encode(song), ESSEN).tolist()


def test_a_song_of_known_notes_stays_and_one_of_too_many_octaves_fits_nowhere():
    assert fitted(melody("C4 E4 G4", key="C"), ESSEN.index.__contains__) == (melody("C4 E4 G4", key="C"), 0)
    assert fitted(melody("G#6 A#6", key="G#"), ESSEN.index.__contains__)[0].pitch == ["A6", "B6"]
    assert fitted(melody("B#2 F#3", key="f#"), ESSEN.index.__contains__)[0].key == "g"
    assert fitted(melody("C1 C7"), ESSEN.index.__contains__) is None


def test_what_cannot_be_transposed():
    with pytest.raises(UserError, match="tune is in d: choose a minor key instead of G"):
        transposed(melody("D4 F4 A4", "d"), "G")
    with pytest.raises(UserError, match="cannot be written in C#; the nearest possible key is D-"):
        transposed(melody("C4 E##4 G4", "C"), "C#")
    with pytest.raises(UserError, match="cannot be written in F; the nearest possible key is F#"):
        transposed(melody("C4 D9 G9", "C"), "F")  # G9 is the highest MIDI note: F# is below
    assert transposed(melody("C4 E###4", "C"), "C").pitch == ["C4", "E###4"]


@given(melodies(), some.sampled_from(list(KEYS)))
def test_transposing_keeps_intervals_and_can_be_undone(song, key):
    source = kern_key(song.key) or find_key(song.pitch, song.duration) or key
    if source.islower() != key.islower():
        key = next(other for other in KEYS if KEYS[other] == KEYS[key] and other != key)
    try:
        moved = transposed(song, key)
    except UserError as error:
        key = str(error).split()[-1]  # the nearest possible one
        moved = transposed(song, key)
    notes = [(Spelling(old), Spelling(new)) for old, new in zip(song.pitch, moved.pitch, strict=True)]
    for line in ("midi", "step", "fifth"):
        assert len({getattr(new, line) - getattr(old, line) for old, new in notes}) <= 1
    assert all(abs(new.midi - old.midi) <= 6 for old, new in notes)
    assert moved == replace(song, pitch=moved.pitch, key=key)
    assert transposed(moved, source).pitch == song.pitch


@given(some.lists(some.sampled_from(WHITE), min_size=3, max_size=20), some.integers(-4, 4))
def test_the_key_moves_with_the_notes(names, fifths):
    key = find_key(names, [1.0] * len(names))
    assume(abs(KEYS[key] + fifths) <= 7)
    moved = [spelled(note.step + 4 * fifths, note.fifth + fifths) for note in map(Spelling, names)]
    found = find_key(moved, [1.0] * len(names))
    assert (KEYS[found], found.islower()) == (KEYS[key] + fifths, key.islower())


def last_note(song):
    """The last note is the tonic; of its two thirds, the one that sounds longer decides the mode."""
    tonic, fifths = Spelling(song.pitch[-1]).fifth, [Spelling(name).fifth for name in song.pitch]
    minor, major = (
        sum(duration for fifth, duration in zip(fifths, song.duration, strict=True) if fifth == tonic + third)
        for third in (-3, 4)
    )
    name = song.pitch[-1].rstrip("0123456789")
    return name.lower() if minor > major else name


def music21s(song):
    """The key that music21 finds (Aarden-Essen)."""
    stream, note = pytest.importorskip("music21.stream"), pytest.importorskip("music21.note")
    notes = [note.Note(n, quarterLength=time) for n, time in zip(song.pitch, song.duration, strict=True)]
    return stream.Stream(notes).analyze("key").tonicPitchNameWithCase


@pytest.mark.slow
def test_the_keys_of_the_validation_songs(kern_edition):
    """Run with -n 0 -s to see the figures in data/README.md. Enharmonic keys of music21 count as right."""
    songs, _ = corpus.read_all(find_songs([str(kern_edition)]), -1, True)
    names, intervals = [song.name for song in songs], [intervals_of(ESSEN.encode(song.pitch), ESSEN) for song in songs]
    chosen = set(grouped_split(names, intervals, config.SEED)["validation"])
    songs = [song for song in songs if song.name in chosen]
    methods = {
        "`find_key`": lambda song: find_key(song.pitch, song.duration),
        "last note, with its commoner third": last_note,
        "last note, always major": lambda song: last_note(song).title(),
        "music21": music21s,
    }
    arrays = dataset_of(songs, ESSEN)
    parts = [[songs[s] for s in choose(arrays, region)] for region in (["deutschl"], ["china"], [])]
    print("\n" + " | ".join(f"{len(part)} songs" for part in parts))
    for method, find in methods.items():
        found = {song.name: find(song) for song in songs}
        german, *others = [shares_right(part, found) for part in parts]
        print(
            f"| {method} | " + " | ".join(f"{share:.1%}" for share in (*german, *others[0][:2], *others[1][:2])) + " |"
        )
        assert method != "`find_key`" or min(german) >= 0.93


def shares_right(songs, found):
    """Shares of songs with the right tonic and mode, with the right mode, and of minor songs with the right mode."""
    mode = [found[song.name].islower() == song.key.islower() for song in songs]
    tonic = [semitone(found[song.name]) == semitone(song.key) for song in songs]
    minor = [right for song, right in zip(songs, mode, strict=True) if song.key.islower()]
    return mean(map(all, zip(tonic, mode, strict=True))), mean(mode), mean(minor)


def semitone(key):
    return Spelling(key.title() + "4").midi % 12
