"""Songs as arrays, and the grouped split."""

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from melody import dataset
from melody.errors import UserError
from melody.song import Song
from melody.split import grouped_split, load_split, near_duplicates, write_split
from melody.vocabulary import ESSEN, Vocabulary
from tests.synthetic import dataset_of, melodies, tunes

DURATIONS, RESTS = st.sampled_from([0.25, 1.0, 1 / 3]), st.sampled_from([0.0, 0.5])
BEATS, BARS = st.sampled_from([0.0, 1.5, 2 / 3]), st.sampled_from([2.0, 3.0])
SONGS = st.lists(st.lists(st.tuples(st.sampled_from(ESSEN.names), DURATIONS, RESTS, st.booleans(), BEATS, BARS)))


def song(name: str, notes: list[tuple]) -> Song:
    pitch, duration, rest, phrase, beat, bar = map(list, zip(*notes, strict=True)) if notes else ([] for _ in range(6))
    bars = {"beat": beat, "bar": bar, "pickup": 1 / 3, "rest_after": 0.5}
    words = {"area": "Nowhere, Île", "title": "歌", "key": "F", "meter": "3/4", "genre": "Ballade"}
    return Song(name, pitch, duration, rest, phrase, **words, **bars)


def simple(name: str, pitch: list[str]) -> Song:
    return song(name, [(note, 1.0, 0.0, False, 0.0, 3.0) for note in pitch])


def write(folder, songs, vocabulary=ESSEN):
    vocabulary.save(folder / "vocabulary.json")
    dataset.write_songs(folder / "songs.h5", dataset.dataset_of(songs, vocabulary), {"seed": 0})
    return dataset.load(folder)


@given(SONGS)
def test_load_restores_written_songs(tmp_path_factory, examples):
    songs = [song(f"a/b{k}", notes) for k, notes in enumerate(examples)]
    loaded = write(tmp_path_factory.mktemp("data"), songs)
    assert loaded.name == [one.name for one in songs]
    for s, one in enumerate(songs):
        notes = slice(loaded.start[s], loaded.start[s + 1])
        assert ESSEN.decode(loaded.song(s)) == one.pitch
        np.testing.assert_array_equal(loaded.duration[notes], np.array(one.duration, np.float32))
        np.testing.assert_array_equal(loaded.rest_before[notes], np.array(one.rest_before, np.float32))
        np.testing.assert_array_equal(loaded.beat[notes], np.array(one.beat, np.float32))
        np.testing.assert_array_equal(loaded.bar[notes], np.array(one.bar, np.float32))
        assert loaded.phrase[notes].tolist() == one.phrase
        assert (loaded.pickup[s], loaded.rest_after[s], loaded.genre[s]) == (np.float32(1 / 3), 0.5, "Ballade")
    assert set(loaded.title) <= {"歌"} and set(loaded.area) <= {"Nowhere, Île"}


def test_the_error_says_whether_songs_are_missing_damaged_or_of_another_vocabulary(tmp_path):
    with pytest.raises(UserError, match=r"preprocess\.py"):
        dataset.load(tmp_path)
    write(tmp_path, [simple("a/b1", ["C7"])])
    Vocabulary(["C4"]).save(tmp_path / "vocabulary.json")
    with pytest.raises(UserError, match="has notes that are not in"):
        dataset.load(tmp_path)
    (tmp_path / "songs.h5").write_bytes(b"no HDF5")
    with pytest.raises(UserError, match="damaged"):
        dataset.load(tmp_path)


def test_songs_are_loaded_in_blocks_as_at_once(tmp_path):
    made = dataset_of(tunes(4))
    dataset.write_songs(tmp_path / "songs.h5", made, {})
    made.vocabulary.save(tmp_path / "vocabulary.json")
    whole, blocks = dataset.load(tmp_path), list(dataset.load_blocks(tmp_path, 5))
    assert [len(block) for block in blocks] == [5, 5, 5, 5, 4]
    for field in dataset.ARRAYS[:-1]:
        np.testing.assert_array_equal(
            np.concatenate([getattr(block, field) for block in blocks]), getattr(whole, field)
        )
    assert [name for block in blocks for name in block.name] == whole.name == made.name
    assert all((one == two).all() for one, two in zip(whole.intervals, made.intervals, strict=True))
    dataset.write_songs(tmp_path / "songs.h5", dataset_of(tunes(1)), {})
    assert whole.pitch.tolist() == made.pitch.tolist(), "does not change with the file"


# Grouped split


def random_intervals(rng, notes):
    return rng.integers(-3, 4, notes)


def test_near_duplicates_are_one_group():
    """Song 1 has 12 8-grams, 3 of them in song 0: 3 / 12 = .25 links them; 2 / 12 does not. Equal songs are linked."""
    rng = np.random.default_rng(0)
    first = random_intervals(rng, 40)
    shares_three, shares_two = (np.concatenate([first[:n], random_intervals(rng, 19 - n)]) for n in (10, 9))
    short = np.array([1, 2, 1])
    groups = near_duplicates([first, shares_three, shares_two, short, short.copy(), np.array([], int)])
    assert groups[0] == groups[1] != groups[2]
    assert groups[3] == groups[4]
    assert len(set(groups.tolist())) == 4


def test_the_split_is_complete_and_grouped_and_does_not_depend_on_the_order():
    rng = np.random.default_rng(1)
    intervals = [random_intervals(rng, 30) for _ in range(100)]
    intervals += [intervals[k].copy() for k in range(20)]
    intervals += [np.concatenate([intervals[50], random_intervals(rng, 2)]) for _ in range(45)]
    names = [f"song{k:03d}" for k in range(len(intervals))]
    split = grouped_split(names, intervals, seed=0)
    assert sorted(name for part in split.values() for name in part) == names
    part = {name: part for part, members in split.items() for name in members}
    assert all(part[names[k]] == part[names[100 + k]] for k in range(20)), "a song and its copy"
    assert {part[name] for name in (*names[120:], names[50])} == {"training"}, "a group of more than 40 songs"
    assert len(split["test"]) == len(split["validation"]) == 16
    order = rng.permutation(len(names))
    assert grouped_split([names[k] for k in order], [intervals[k] for k in order], seed=0) == split
    assert grouped_split(names, intervals, seed=1) != split


@given(st.lists(st.lists(st.integers(-2, 2), max_size=20), max_size=60), st.integers(0, 3), st.randoms())
def test_the_split_of_any_songs_is_complete_with_equal_songs_in_one_part(examples, seed, random):
    songs = {f"a/b{k}": np.array(intervals, int) for k, intervals in enumerate(examples)}
    split = grouped_split(list(songs), list(songs.values()), seed)
    assert sorted(name for part in split.values() for name in part) == sorted(songs)
    assert all(len(split[part]) <= len(songs) // 10 for part in ("test", "validation"))
    part_of = {name: part for part, names in split.items() for name in names}
    first = {}
    assert all(first.setdefault(song.tobytes(), part_of[name]) == part_of[name] for name, song in songs.items())
    names = list(songs)
    random.shuffle(names)
    assert grouped_split(names, [songs[name] for name in names], seed) == split


@pytest.mark.parametrize("damage", ["start", "texts", "lengths", "complex", "type"])
def test_arrays_that_do_not_fit_together_are_refused(tmp_path, damage):
    write(tmp_path, [simple("a/b1", ["C4", "D4"]), simple("a/b2", ["E4"])])
    with h5py.File(tmp_path / "songs.h5", "r+") as file:
        if damage == "start":
            file["start"][:] = [0, 5, 3]
        elif damage == "texts":
            del file["title"]
            file["title"] = np.array(["one"], h5py.string_dtype())
        elif damage == "lengths":
            del file["duration"]
            file["duration"] = [1.0]
        elif damage == "complex":
            del file["beat"]
            file["beat"] = np.zeros(3, complex)
        else:
            del file["pitch"]
            file["pitch"] = [0.5, 1.5, 2.5]
    with pytest.raises(UserError, match=r"songs\.h5 is damaged or of another kind.*preprocess\.py"):
        dataset.load(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("duration", 0, "a duration is 0, allowed is more than 0 to 10,000 quarter notes"),
        ("duration", -1, "a duration is -1, allowed"),
        ("duration", np.nan, "a duration is nan, allowed"),
        ("rest_before", -0.5, "a rest_before is -0.5, allowed is from 0 to 10,000 quarter notes"),
        ("rest_after", np.inf, "a rest_after is inf, allowed"),
        ("beat", 3, "beat position 3 does not lie in a bar of 3 quarter notes"),
    ],
)
def test_times_that_no_song_has_are_refused(tmp_path, field, value, says):
    write(tmp_path, [simple("a/b1", ["C4", "D4"]), simple("a/b2", ["E4"])])
    with h5py.File(tmp_path / "songs.h5", "r+") as file:
        file[field][1] = value
    with pytest.raises(UserError, match=rf"songs\.h5 is damaged or of another kind \(.*{says}.*preprocess\.py$"):
        dataset.load(tmp_path)


def test_vocabularies_of_pitches_alone_are_refused(tmp_path):
    write(tmp_path, [simple("a/b1", ["C4"])])
    (tmp_path / "vocabulary.json").write_text('["C4", "D4"]')
    with pytest.raises(UserError, match=r"vocabulary\.json is damaged; .*make it again with: python preprocess\.py$"):
        dataset.load(tmp_path)


@pytest.mark.parametrize("field", ["beat", "bar", "pickup", "rest_after", "genre"])
def test_songs_written_before_bars_were_read_are_refused(tmp_path, field):
    write(tmp_path, [simple("a/b1", ["C4", "D4"])])
    with h5py.File(tmp_path / "songs.h5", "r+") as file:
        del file[field]
    with pytest.raises(UserError, match=r"songs\.h5 .*make it again with: python preprocess\.py"):
        dataset.load(tmp_path)


def test_songs_without_bars_have_beats_of_zero(tmp_path):
    songs = write(tmp_path, [Song("a/b1", ["C4", "D4"], [1.0, 1.0], [0.0, 0.0], [False, False])])
    assert songs.beat.tolist() == songs.bar.tolist() == [0.0, 0.0]


def test_a_vocabulary_may_have_more_than_256_notes(tmp_path):
    signs = ("", "#", "-", "##", "--")
    names = [f"{letter}{sign}{octave}" for letter in "CDEFGAB" for sign in signs for octave in range(1, 9)]
    vocabulary = Vocabulary(names)
    songs = write(tmp_path, [simple("a/b1", names)], vocabulary)
    assert songs.song(0).tolist() == vocabulary.encode(names)


def test_joined_songs_are_those_of_both():
    notes = {"a/b1": ["C4", "D4"], "a/c1": ["E4"]}
    one, other = (dataset.dataset_of([simple(*named)], ESSEN) for named in notes.items())
    both = dataset.joined(one, other)
    assert both.start.tolist() == [0, 2, 3] and len(both.duration) == 3 and len(both.pickup) == 2
    assert {name: ESSEN.decode(both.song(s)) for s, name in enumerate(both.name)} == notes


def test_a_split_of_other_songs_is_refused(tmp_path):
    songs = write(tmp_path, [simple(name, pitch) for name, pitch in melodies(12).items()])
    write_split(tmp_path, seed=0)
    assert sum(len(part) for part in load_split(tmp_path, songs).values()) == 24
    other = write(tmp_path, [simple("x/y1", ["C4"])])
    with pytest.raises(UserError, match="does not fit"):
        load_split(tmp_path, other)
