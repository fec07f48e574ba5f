"""Songs as arrays, the split, and what the network reads."""

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from melody import batching, dataset, lookback
from melody.errors import UserError
from melody.song import Song
from melody.split import grouped_split, load_split, related_groups, write_split
from melody.vocabulary import ESSEN, Vocabulary
from tests.synthetic import melodies

SONGS = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(ESSEN.names),
            st.sampled_from([0.25, 1.0, 1 / 3]),
            st.sampled_from([0.0, 0.5]),
            st.booleans(),
        )
    )
)


def song(name: str, notes: list[tuple]) -> Song:
    pitch, duration, rest, phrase = (list(column) for column in zip(*notes, strict=True)) if notes else ([], [], [], [])
    return Song(name, pitch, duration, rest, phrase, area="Nowhere, Île", title="歌", key="F", meter="3/4")


def simple(name: str, pitch: list[str]) -> Song:
    return song(name, [(note, 1.0, 0.0, False) for note in pitch])


def write(folder, songs, vocabulary=ESSEN):
    vocabulary.save(folder / "vocabulary.json")
    dataset.write_songs(folder / "songs.h5", songs, vocabulary, {"seed": 0})
    return dataset.load(folder)


@given(SONGS)
def test_songs_are_the_same_after_writing(tmp_path_factory, drawn):
    songs = [song(f"a/b{k}", notes) for k, notes in enumerate(drawn)]
    kept = write(tmp_path_factory.mktemp("data"), songs)
    assert kept.name == [one.name for one in songs]
    for s, one in enumerate(songs):
        notes = slice(kept.start[s], kept.start[s + 1])
        assert ESSEN.decode(kept.song(s)) == one.pitch
        np.testing.assert_array_equal(kept.duration[notes], np.array(one.duration, np.float32))
        np.testing.assert_array_equal(kept.rest_before[notes], np.array(one.rest_before, np.float32))
        assert kept.phrase[notes].tolist() == one.phrase
    assert set(kept.title) <= {"歌"} and set(kept.area) <= {"Nowhere, Île"}


def test_missing_damaged_and_foreign_files_are_told_apart(tmp_path):
    with pytest.raises(UserError, match=r"preprocess\.py"):
        dataset.load(tmp_path)
    write(tmp_path, [simple("a/b1", ["C7"])])
    Vocabulary(["C4"]).save(tmp_path / "vocabulary.json")
    with pytest.raises(UserError, match="has notes that are not in"):
        dataset.load(tmp_path)
    (tmp_path / "songs.h5").write_bytes(b"no HDF5")
    with pytest.raises(UserError, match="damaged"):
        dataset.load(tmp_path)


# The split


def random_intervals(rng, notes):
    return rng.integers(-3, 4, notes)


def test_near_duplicates_are_one_group():
    """Song 1 has 12 8-grams, 3 of them in song 0: 3 / 12 = .25 links them; 2 of 12 do not; equal short songs do."""
    rng = np.random.default_rng(0)
    first = random_intervals(rng, 40)
    shares_three, shares_two = (np.concatenate([first[:n], random_intervals(rng, 19 - n)]) for n in (10, 9))
    short = np.array([1, 2, 1])
    groups = related_groups([first, shares_three, shares_two, short, short.copy(), np.array([], int)])
    assert groups[0] == groups[1] != groups[2]
    assert groups[3] == groups[4]
    assert len(set(groups.tolist())) == 4


def test_the_split_is_whole_grouped_and_the_same_whatever_the_order():
    rng = np.random.default_rng(1)
    intervals = [random_intervals(rng, 30) for _ in range(100)]
    intervals += [intervals[k].copy() for k in range(20)]
    intervals += [np.concatenate([intervals[50], random_intervals(rng, 2)]) for _ in range(45)]
    names = [f"song{k:03d}" for k in range(len(intervals))]
    split = grouped_split(names, intervals, seed=0)
    assert sorted(name for part in split.values() for name in part) == names
    part = {name: which for which, members in split.items() for name in members}
    assert all(part[names[k]] == part[names[100 + k]] for k in range(20)), "copies stay on one side"
    assert {part[name] for name in (*names[120:], names[50])} == {"training"}, "a group over 40 songs is for training"
    assert len(split["test"]) == len(split["validation"]) == 16
    order = rng.permutation(len(names))
    assert grouped_split([names[k] for k in order], [intervals[k] for k in order], seed=0) == split
    assert grouped_split(names, intervals, seed=1) != split


@given(st.lists(st.lists(st.integers(-2, 2), max_size=20), max_size=60), st.integers(0, 3), st.randoms())
def test_any_songs_are_split_whole_with_twins_on_one_side(drawn, seed, chance):
    songs = {f"a/b{k}": np.array(steps, int) for k, steps in enumerate(drawn)}
    split = grouped_split(list(songs), list(songs.values()), seed)
    assert sorted(name for part in split.values() for name in part) == sorted(songs)
    assert all(len(split[part]) <= len(songs) // 10 for part in ("test", "validation"))
    place = {name: part for part, names in split.items() for name in names}
    twins = {}
    assert all(twins.setdefault(steps.tobytes(), place[name]) == place[name] for name, steps in songs.items())
    names = list(songs)
    chance.shuffle(names)
    assert grouped_split(names, [songs[name] for name in names], seed) == split


@pytest.mark.parametrize("damage", ["start", "words", "column", "kind"])
def test_columns_that_do_not_fit_are_refused(tmp_path, damage):
    write(tmp_path, [simple("a/b1", ["C4", "D4"]), simple("a/b2", ["E4"])])
    with h5py.File(tmp_path / "songs.h5", "r+") as file:
        if damage == "start":
            file["start"][:] = [0, 5, 3]
        elif damage == "words":
            del file["title"]
            file["title"] = np.array(["one"], h5py.string_dtype())
        elif damage == "column":
            del file["duration"]
            file["duration"] = [1.0]
        else:
            del file["pitch"]
            file["pitch"] = [0.5, 1.5, 2.5]
    with pytest.raises(UserError, match=r"songs\.h5 is damaged or of another kind.*preprocess\.py"):
        dataset.load(tmp_path)


def test_more_than_256_notes_are_kept_apart(tmp_path):
    names = [
        f"{letter}{sign}{octave}"
        for letter in "CDEFGAB"
        for sign in ("", "#", "-", "##", "--")
        for octave in range(1, 9)
    ]
    assert write(tmp_path, [simple("a/b1", names)], Vocabulary(names)).song(0).tolist() == Vocabulary(names).encode(
        names
    )


def test_a_split_of_other_songs_is_refused(tmp_path):
    songs = write(tmp_path, [simple(name, pitch) for name, pitch in melodies(12).items()])
    write_split(tmp_path, seed=0)
    assert sum(len(part) for part in load_split(tmp_path, songs).values()) == 24
    other = write(tmp_path, [simple("x/y1", ["C4"])])
    with pytest.raises(UserError, match="does not fit"):
        load_split(tmp_path, other)


# What the network reads


def test_one_fifth_up_is_a_fourth_down_and_spelled_so():
    table = batching.transpositions(ESSEN)
    assert table[0].tolist() == list(range(76))
    up = table[1:][6]  # moves -6 … -1, 1 … 6: the seventh is one fifth up
    assert [ESSEN.names[up[n]] for n in ESSEN.encode(["C5", "F4", "B-4"])] == ["G4", "C4", "F4"]
    assert up[ESSEN.encode(["A2"])[0]] == -1, "E2 is not in the vocabulary"


@given(st.integers(1, 12), st.data())
def test_a_moved_song_keeps_its_intervals(row, data):
    table = batching.transpositions(ESSEN)[row]
    song = np.array(data.draw(st.lists(st.sampled_from(np.flatnonzero(table >= 0).tolist()), min_size=2)))
    for place in (np.array(ESSEN.midi), np.array(ESSEN.step)):
        np.testing.assert_array_equal(np.diff(place[table[song]]), np.diff(place[song]))


def streams(songs, regions, **settings):
    settings = {
        "batch": 2,
        "bptt_length": 5,
        "windows_per_stream": 3,
        "transpose_probability": 0.0,
        "rng": np.random.default_rng(0),
    } | settings
    return batching.Streams(songs, regions, ESSEN, **settings)


def test_a_stream_holds_whole_songs_of_one_region_from_the_start():
    rng = np.random.default_rng(3)
    songs = [np.full(rng.integers(3, 9), region * 40 + k) for region in (0, 1) for k in range(30)]
    batches = list(streams(songs, ["a"] * 30 + ["b"] * 30).epoch())
    assert [fresh for *_, fresh in batches] == [True, False, False] * (len(batches) // 3)
    for first in range(0, len(batches), 3):
        entries, answer = (np.concatenate([batches[first + w][k] for w in range(3)], axis=1) for k in (0, 1))
        np.testing.assert_array_equal(
            entries, lookback.network_inputs(entries[..., 0], 76), "recall runs through the windows"
        )
        for row, told in zip(entries[..., 0], answer, strict=True):
            assert row[0] == 76, "a stream begins with a start"
            notes = row[(row >= 0) & (row < 76)]
            assert len(set(notes // 40)) == 1, "one region"
            np.testing.assert_array_equal(
                row[1:][row[1:] >= 0], told[:-1][row[1:] >= 0], "end and start share an integer"
            )


def test_each_song_is_read_whole_once_in_an_epoch():
    songs = [np.array([k, k, k]) for k in range(60)]
    whole = np.concatenate(
        [
            entries[..., 0].ravel()
            for entries, *_ in streams(songs, ["a"] * 60, bptt_length=8, windows_per_stream=1, batch=1).epoch()
        ]
    )
    assert set(whole[whole < 76]) - {-1} == set(range(60))


def test_a_told_region_stands_in_a_last_column_and_changes_nothing_else():
    songs, regions = [np.array([k, k, k]) for k in range(60)], [1] * 30 + [2] * 30
    deaf, told = (list(streams(songs, regions, token_probability=share).epoch()) for share in (0.0, 0.5))
    for (entries, answer, fresh), (beside, same, begins) in zip(deaf, told, strict=True):
        np.testing.assert_array_equal(beside[..., :-1], entries)
        np.testing.assert_array_equal(same, answer)
        assert fresh == begins and (beside[..., -1] == beside[:, :1, -1]).all()
        own = beside[beside[..., 0] >= 0]
        assert set(own[own[:, 0] < 30, -1]) <= {0, 1} and set(own[(own[:, 0] >= 30) & (own[:, 0] < 60), -1]) <= {0, 2}
    assert {number for entries, *_ in told for number in entries[:, 0, -1]} == {0, 1, 2}


def test_moved_songs_say_so():
    songs = [np.array(ESSEN.encode(["C5", "D5", "E5", "G5"]))] * 40
    read = np.concatenate(
        [entries[..., 0] for entries, *_ in streams(songs, ["a"] * 40, transpose_probability=1.0).epoch()]
    )
    assert (read == 77).any() and not (read == 76).any()
