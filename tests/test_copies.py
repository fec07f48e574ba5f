"""Runs of notes that a song shares with others, found by an index that holds no song."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import cache

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.metrics import longest_shared, shared_runs
from melody import copies, dataset, encoding, sampling
from melody.copies import GRAM, CopyIndex, no_copy
from melody.errors import UserError
from melody.song import Song
from melody.split import split_from_held_out
from melody.vocabulary import ESSEN, Spelling, Vocabulary, spelled
from tests.synthetic import tunes
from tests.test_shipped import GOLDEN, REGIONS, ROOT, SONGS, WEIGHTS, network, states

MOST = 5_000_000  # bytes of the file in the repository
TUNE = "C4 E4 D4 F4 E4 G4 F4 A4 C5 B4 G4 C4"
TIMES = [1.0, 0.5, 0.5, 1.0, 1.5, 0.5, 1.0, 1.0, 0.5, 0.25, 0.25, 2.0]
HIGHER = "D4 F#4 E4 G4 F#4 A4 G4 B4 D5 C#5 A4 D4"  # by a whole step


def song(notes, durations, rests=None):
    pitch = notes.split()
    return Song("", pitch, list(durations), rests or [0.0] * len(pitch), [False] * len(pitch))


def arrays(songs):
    return dataset.dataset_of(songs, Vocabulary(note for one in songs for note in one.pitch))


def index_of(*songs):
    return CopyIndex.of(arrays(songs), range(len(songs)))


def lines(songs):
    return [line.view(np.int64) for line in copies.lines(arrays(songs), range(len(songs)))]


def exact(songs, others):
    """The longest run that each song shares with one of the others, in notes, by another way of finding it."""
    return longest_shared(shared_runs(lines(songs), others))


def transposed(one, steps, fifths):
    """A song an interval higher, which is given in diatonic steps and on the line of fifths."""
    notes = map(Spelling, one.pitch)
    return replace(one, pitch=[spelled(note.step + steps, note.fifth + fifths) for note in notes])


def test_a_run_is_found_in_any_key_and_at_any_tempo():
    """All twelve notes are there, transposed, twice as long, and with a rest in place of the last eighth of a note."""
    index = index_of(song(TUNE, TIMES))
    assert index.longest(song(TUNE, TIMES)) == 12
    assert index.longest(song(HIGHER, TIMES)) == 12
    assert index.longest(song(HIGHER, [2 * time for time in TIMES])) == 12
    shorter, rests = [*TIMES[:4], 1.0, *TIMES[5:]], [0.0] * 5 + [0.5] + [0.0] * 6
    assert index.longest(song(TUNE, shorter, rests)) == 12


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        (10, 10),  # the first ten notes and the last one are left
        (7, 0),  # seven notes and four are left, both too short
        (1, 10),
    ],
)
def test_a_changed_note_ends_the_run(changed, found):
    """A note that is an octave higher, or longer, is in no run of the other song; the notes on its sides are."""
    index, notes, times = index_of(song(TUNE, TIMES)), TUNE.split(), list(TIMES)
    other = song(" ".join([*notes[:changed], "C7", *notes[changed + 1 :]]), times)
    times[changed] = 7.0
    for one in (other, song(TUNE, times)):
        assert index.longest(one) == found
        assert exact([one], lines([song(TUNE, TIMES)])) == max(found, 7)


def test_the_spelling_of_an_interval_counts():
    """C# to E is a third, D flat to E is a second."""
    index = index_of(song("C#4 E4 D4 F4 E4 G4 F4 A4 C5", TIMES[:9]))
    assert index.longest(song("C#5 E5 D5 F5 E5 G5 F5 A5 C6", TIMES[:9])) == 9
    assert index.longest(song("D-4 E4 D4 F4 E4 G4 F4 A4 C5", TIMES[:9])) == 0


@pytest.mark.parametrize("notes", [0, 1, GRAM - 1])
def test_a_song_of_fewer_notes_than_an_n_gram_has_none(notes):
    short = song(" ".join(TUNE.split()[:notes]), TIMES[:notes])
    assert index_of(song(TUNE, TIMES)).longest(short) == 0
    assert index_of(short).longest(song(TUNE, TIMES)) == 0


INTERVALS = st.sampled_from([(0, 0), (1, 2), (4, 1), (3, -1), (-1, -2), (-7, 0), (2, 4)])


@cache
def known(seed):
    return (songs := tunes(1, seed)), index_of(*songs)


@settings(max_examples=40)
@given(st.integers(0, 3), st.integers(0, 5), st.data(), INTERVALS, st.sampled_from([0.25, 0.5, 1, 3]))
def test_a_cut_of_a_song_is_found_whole(seed, number, data, interval, factor):
    """Also at another pitch and tempo, and in the middle of other notes."""
    songs, index = known(seed)
    whole = songs[number]
    notes = data.draw(st.integers(GRAM, len(whole.pitch)))
    first = data.draw(st.integers(0, len(whole.pitch) - notes))
    part = slice(first, first + notes)
    cut = Song("", whole.pitch[part], whole.duration[part], whole.rest_before[part], whole.phrase[part])
    cut = transposed(replace(cut, duration=[factor * time for time in cut.duration]), *interval)
    assert index.longest(cut) >= notes
    sides = [5.0, *cut.duration, 5.0], [0.0, *cut.rest_before, 0.0]
    assert index.longest(song(" ".join(["B2", *cut.pitch, "B6"]), *sides)) >= notes


@settings(max_examples=20)
@given(st.integers(0, 3), st.integers(4, 19))
def test_what_is_found_is_never_less_than_what_is_shared_with_one_song(seed, other):
    (songs, index), composed = known(seed), tunes(1, other)
    for one, shared in zip(composed, exact(composed, lines(songs)), strict=True):
        assert index.longest(one) >= (shared if shared >= GRAM else 0)


def test_few_other_n_grams_are_taken_for_those_of_the_index():
    """Of random notes; the share is what the index says of itself."""
    rng = np.random.default_rng(0)
    notes = [ESSEN.names[k] for k in rng.integers(len(ESSEN), size=6_000)]
    index = index_of(song(" ".join(notes), [1.0] * len(notes)))
    share = index.knows(rng.integers(2**64, size=20_000, dtype=np.uint64)).mean()
    assert share == pytest.approx(index.false_positive_rate, abs=0.01)
    assert 0.04 < share < 1 / copies.BITS_PER_GRAM


def test_the_check_of_a_composed_song_has_a_constant_reason():
    check = no_copy([index_of(*tunes(1)), index_of(song(TUNE, TIMES))], most=10)
    copy, part = song(HIGHER, TIMES), song(" ".join(TUNE.split()[:10]), TIMES[:10])
    assert check(copy) == (copy, "copies over 10 notes") and check(part) == (part, "")
    assert no_copy([], most=10)(copy) == (copy, "")


def test_the_index_of_pitches_alone_knows_no_rhythm():
    made = dataset.dataset_of([song(TUNE, TIMES)], ESSEN)
    even = song(HIGHER, [1.0] * 12)
    assert CopyIndex.of(made, [0]).longest(even) == 0
    assert CopyIndex.of(made, [0], rhythm=False).longest(even) == 12


# Files


@settings(max_examples=20)
@given(st.permutations(range(6)), INTERVALS, st.sampled_from([0.5, 2]))
def test_the_file_knows_no_key_tempo_order_or_name(order, interval, factor):
    songs, index = known(0)
    changed = [
        replace(transposed(songs[k], *interval), name="", duration=[factor * time for time in songs[k].duration])
        for k in order
    ]
    assert index_of(*changed).table.tobytes() == index.table.tobytes()


def written(folder):
    path, index = folder / "lstm-copies.h5", index_of(*tunes(1))
    copies.write(path, index, {"split": "0123"})
    return path, index


def test_a_file_holds_the_index_and_nothing_else(tmp_path):
    path, index = written(tmp_path)
    loaded = copies.load(path, "make", {"split": "0123"})
    np.testing.assert_array_equal(loaded.table, index.table)
    assert loaded.rhythm and not copies.load(path, "make", {}).longest(song("", []))
    with h5py.File(path) as file:
        assert (list(file), list(file.attrs), list(file["copies"].attrs)) == (["copies"], ["settings"], ["rhythm"])
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def replaced(file, values, **attributes):
    del file["copies"]
    file["copies"] = values
    file["copies"].attrs.update({"rhythm": True} | attributes)


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.__delitem__("copies"),
        lambda file: file.attrs.__delitem__("settings"),
        lambda file: file["copies"].attrs.__delitem__("rhythm"),
        lambda file: replaced(file, np.zeros(3, np.uint8)),
        lambda file: replaced(file, np.zeros(0, np.uint8)),
        lambda file: replaced(file, np.zeros((2, 2), np.uint8)),
        lambda file: replaced(file, np.zeros(4, np.int64)),
        lambda file: replaced(file, np.float32(1)),
        lambda file: replaced(file, np.zeros(4, np.uint8), rhythm="yes"),
        lambda file: file.attrs.update(settings='{"split": "4567"}'),
        lambda file: file.attrs.update(settings="[]"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path, damage):
    path, _ = written(tmp_path)
    with h5py.File(path, "r+") as file:
        damage(file)
    says = r"copies\.h5 is damaged or of another kind .*make it again with: make$"
    with pytest.raises(UserError, match=says) as error:
        copies.load(path, "make", {"split": "0123"})
    assert "\n" not in str(error.value)


def test_a_missing_or_cut_file_names_the_command(tmp_path):
    path, _ = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="make it again with: make"):
        copies.load(path, "make", {})
    with pytest.raises(UserError, match="is not there; make it with: make"):
        copies.load(tmp_path / "none.h5", "make", {})


# The file of the repository


def shipped():
    record = json.loads((WEIGHTS / "lstm.json").read_text(encoding="utf-8"))["settings"]
    return copies.load(copies.path_of(WEIGHTS), copies.COMMAND, {"split": record["split"]})


def test_the_shipped_index_is_small_and_knows_what_the_golden_songs_copy():
    """The eight songs of each region that the shipped weights compose, by the file that comes with them."""
    index, found = shipped(), {}
    for region, composed in json.loads(GOLDEN.read_text(encoding="utf-8")).items():
        for one in composed:
            rests, times = zip(*(map(float, rhythm.split()) for rhythm in one["rhythms"]), strict=True)
            found.setdefault(region, []).append(index.longest(song(" ".join(one["notes"]), times, list(rests))))
    assert copies.path_of(WEIGHTS).stat().st_size <= MOST
    assert int(np.bitwise_count(index.table).sum()) == 232_405
    assert found == {"china": [10, 9, 9, 9, 10, 10, 10, 9], "deutschl": [10, 9, 10, 9, 9, 9, 9, 9]}


@pytest.mark.slow
def test_the_shipped_index_beside_the_runs_shared_with_one_song(kern_edition, tmp_path):
    """Of composed songs and of validation songs; prints the shares of songs with long runs."""
    command = [sys.executable, "preprocess.py", "--songs", kern_edition, "--data", tmp_path, "--quiet"]
    subprocess.run(command, cwd=ROOT, check=True)
    songs, index = dataset.load(tmp_path), shipped()
    split = split_from_held_out(songs, network().held_out)
    assert CopyIndex.of(songs, split["training"]).table.tobytes() == index.table.tobytes()
    training = [line.view(np.int64) for line in copies.lines(songs, split["training"])]
    for region in REGIONS:
        held_out = [song_at(songs, s) for s in split["validation"] if f"/{region}/" in songs.name[s]]
        for what, some in (("composed", composed(region)), ("validation", held_out)):
            shared, found = exact(some, training), np.array([index.longest(one) for one in some])
            long = shared >= GRAM
            assert (found >= shared)[long].all()
            print(f"\n{region}, {what}: {len(some)} songs, equal for {(found == shared)[long].mean():.2f}", end="")
            for most in (10, 12, 16):
                print(f"; over {most}: {(shared > most).mean():.3f}, found {(found > most).mean():.3f}", end="")
            assert ((found > 12) & (shared <= 12)).mean() < 0.2


def composed(region):
    """Songs that the shipped weights compose with the defaults."""
    rngs = [np.random.default_rng(k) for k in range(SONGS)]
    sampler = sampling.Sampler(network().network, network().vocabulary, guided=True)
    found = sampler.compose(states(region), rngs, temperature=0.85, guidance=0.5, length=200)
    return [encoding.decode(one, network().vocabulary) for one in found]


def song_at(songs, s):
    row, rest_after = slice(*songs.start[s : s + 2]), float(songs.rest_after[s])
    times = songs.duration[row].tolist(), songs.rest_before[row].tolist()
    return Song("", songs.vocabulary.decode(songs.song(s)), *times, songs.phrase[row].tolist(), rest_after=rest_after)
