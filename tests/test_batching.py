"""What the network is trained on: streams, what their songs share, and the descriptions of the songs before."""

import numpy as np
import pytest

from melody import encoding, lookback
from melody.batching import Streams, TrainingSongs
from melody.descriptors import MODES, NOTE_VALUES, Descriptors, mean_of_recent, mode_of
from melody.encoding import NO_PHRASE, PHRASES, PITCH, UNKNOWN, EncodedSong
from melody.groupings import SHARES, groupings
from melody.song import Song
from melody.vocabulary import ESSEN, Vocabulary
from tests.synthetic import dataset_of, tunes

NOTES = Vocabulary("C4 D4 E4 F4 G4 A4 B4 C5 D5 E5".split())


def plain(*pitches) -> EncodedSong:
    """A song of pitches alone."""
    zeros = np.zeros(len(pitches) + 1, np.int32)
    return EncodedSong(np.array(pitches, np.int32), zeros[1:], zeros[1:], zeros, 0, 0)


def streams(songs: list[EncodedSong], collection: list[int], vocabulary=ESSEN, groups=None, **settings) -> Streams:
    numbers = np.array(collection)
    groups = groups or {"collection": numbers}
    training = TrainingSongs(songs, groups | {"collection": numbers}, [0] * len(songs), collection)
    sizes = {"batch": 2, "bptt_length": 5, "windows_per_stream": 3}
    chance = {"transpose_probability": 0.0, "synthetic_probability": 0.0, "rng": np.random.default_rng(0)}
    descriptors = Descriptors(vocabulary, max(collection) + 1)
    return Streams(training, vocabulary, descriptors, **(sizes | chance | settings))


def whole(found: Streams) -> list[tuple[np.ndarray, ...]]:
    """Inputs, targets and descriptions of each stream of an epoch, (time, …) each."""
    batches = list(found.epoch())
    rows = []
    for first in range(0, len(batches), found.windows_per_stream):
        windows = batches[first : first + found.windows_per_stream]
        for row in range(found.batch):
            rows.append(tuple(np.concatenate([window[k][row] for window in windows]) for k in range(3)))
    return rows


def songs_of(inputs: np.ndarray, start: int) -> list[list[int]]:
    """The pitches of the songs of a stream, without their starts and what follows the last."""
    pitch = inputs[inputs[:, PITCH] >= 0, PITCH]
    return [part[1:].tolist() for part in np.split(pitch, np.flatnonzero(pitch == start))[1:]]


def test_a_stream_has_whole_songs_of_one_group_from_their_start():
    rng = np.random.default_rng(3)
    songs = [plain(*[region * 40 + k] * rng.integers(3, 9)) for region in (0, 1) for k in range(30)]
    found = streams(songs, [0] * 30 + [1] * 30)
    batches = list(found.epoch())
    assert len(batches) == found.steps()
    assert [is_start for *_, is_start in batches] == [True, False, False] * (len(batches) // 3)
    for inputs, targets, _ in whole(streams(songs, [0] * 30 + [1] * 30)):
        tokens = inputs[None, :, :1]
        np.testing.assert_array_equal(inputs[None], lookback.with_candidates(tokens, 76), "lookback crosses windows")
        assert inputs[0, PITCH] == 76, "a stream begins with a start"
        known = [song.pitch.tolist() for song in songs]
        read = songs_of(inputs, 76)
        assert all(song in known for song in read), "whole songs"
        assert len({song[0] // 40 for song in read}) == 1, "one group"
        assert len({song[0] for song in read}) == len(read), "no song twice"
        inside = inputs[:, PITCH] >= 0
        np.testing.assert_array_equal(inputs[1:, PITCH][inside[1:]], targets[:-1, 0][inside[1:]])
        assert targets[inside, 0][-1] == 76 and (targets[~inside] == -1).all(), "the last song ends"


class InOrder:
    """A random generator that takes the first, and shuffles nothing."""

    def permutation(self, x):
        return np.array(x)

    def random(self):
        return 1.0

    def choice(self, x, p=None):
        return 0

    def integers(self, x):
        return 0


def test_streams_of_a_worked_example():
    """The example in the docstring of `Streams`; `c c c` does not fit into what is left."""
    songs = [plain(*[10] * 3), plain(*[20] * 2), plain(*[30] * 3)]
    found = streams(songs, [0] * 3, bptt_length=4, windows_per_stream=2, batch=1, rng=InOrder())
    (inputs, targets, described, first), (more_inputs, more_targets, more_described, second) = found.epoch()
    assert inputs[0, :, 0].tolist() == [76, 10, 10, 10] and more_inputs[0, :, 0].tolist() == [76, 20, 20, -1]
    assert targets[0, :, 0].tolist() == [10, 10, 10, 76] and more_targets[0, :, 0].tolist() == [20, 20, 76, -1]
    assert (first, second) == (True, False)
    assert not described.any(), "nothing was read before the first song"
    assert more_described[0].any(axis=1).tolist() == [True, False, False, False]
    np.testing.assert_array_equal(more_described[0, 0], found.descriptors.describe(songs[0], 0, 0))


def test_a_song_longer_than_a_stream_is_cut_off():
    found = streams([plain(*range(40)), plain(*range(40))], [0, 0])
    for inputs, targets, _ in whole(found):
        assert inputs[:, PITCH].tolist() == [76, *range(14)] and targets[:, 0].tolist() == list(range(15))


def test_descriptions_are_the_mean_of_the_last_three_songs():
    songs = [plain(k, k, k + 2) for k in range(8)]
    found = streams(songs, [0] * 8, bptt_length=16, windows_per_stream=2, batch=2)
    for inputs, _, described in whole(found):
        before: list[np.ndarray] = []
        for start, song in zip(np.flatnonzero(inputs[:, PITCH] == 76), songs_of(inputs, 76), strict=True):
            expected = mean_of_recent(before) if before else np.zeros(found.descriptors.size)
            np.testing.assert_allclose(described[start], expected, atol=1e-6)
            before.append(found.descriptors.describe(songs[song[0]], 0, 0))
        assert len(before) == 8
        assert not described[inputs[:, PITCH] != 76].any()


def test_every_grouping_has_its_share_of_the_streams():
    """Of the groupings of pairs (.05), of all songs (.05) and of one collection (.2) one in six streams has a pair, and
    one in thirty of the others."""
    songs = [plain(k, k) for k in range(60)]
    groups = {"folder": np.arange(60) // 2, "nothing": np.zeros(60, int)}
    settings = {"bptt_length": 6, "windows_per_stream": 1, "batch": 600}
    repeated = {kind: np.tile(numbers, 30) for kind, numbers in groups.items()}
    found = streams(songs * 30, [0] * 1800, groups=repeated, **settings)
    rows = whole(found)
    assert len(rows) == 600 and SHARES["folder"] == SHARES["nothing"] == 0.05 and SHARES["collection"] == 0.2
    pairs = [songs_of(inputs, 76) for inputs, *_ in rows]
    alike = np.mean([one[0] // 2 == other[0] // 2 for one, other in pairs])
    assert 0.05 / 0.3 - 0.06 < alike < 0.05 / 0.3 + 0.08


def test_a_control_token_is_a_further_column():
    songs, collection = [plain(k, k, k) for k in range(60)], [0] * 30 + [1] * 30
    found = whole(streams(songs, collection, token_probability=0.5))
    for inputs, targets, _ in found:
        tokens, region_ids = inputs[:, PITCH], inputs[:, -1]
        np.testing.assert_array_equal(inputs[None, :, :-1], lookback.with_candidates(inputs[None, :, :1], 76))
        np.testing.assert_array_equal(targets[:-1, 0][tokens[1:] >= 0], tokens[1:][tokens[1:] >= 0])
        assert set(region_ids[(tokens >= 0) & (tokens < 30)]) <= {0, 1}
        assert set(region_ids[(tokens >= 30) & (tokens < 60)]) <= {0, 2}
        assert len(set(region_ids[tokens >= 0])) == 1, "one of the whole stream"
    assert {int(inputs[0, -1]) for inputs, *_ in found} == {0, 1, 2}
    assert whole(streams(songs, collection))[0][0].shape[-1] == found[0][0].shape[-1] - 1


def test_a_transposed_song_has_another_start():
    songs = [plain(*ESSEN.encode(["C5", "D5", "E5", "G5"]))] * 40
    starts = {
        p: np.concatenate([row[0][:, 0] for row in whole(streams(songs, [0] * 40, transpose_probability=p))])
        for p in (0, 1)
    }
    assert (starts[1] == 77).any() and not (starts[1] == 76).any()
    assert (starts[0] == 76).any() and not (starts[0] == 77).any()


def test_all_songs_of_a_synthetic_stream_are_changed_alike():
    """All songs have the same intervals; so do they after the same change, but not after one each."""
    songs = [plain(*ESSEN.encode(["C5", "E5", "D5", "G5", "C5"]))] * 200
    settings = {"bptt_length": 12, "windows_per_stream": 2, "batch": 20}
    midi, changes = np.array(ESSEN.midi), set()
    for inputs, *_ in whole(streams(songs, [0] * 200, synthetic_probability=1.0, **settings)):
        assert (inputs[0, PITCH], 76 in inputs[:, PITCH]) == (77, False), "the start of a transposed song"
        read = songs_of(inputs, 77)
        assert len(read) == 4 and len({tuple(song) for song in read}) == 1
        changes.add(tuple(np.diff(midi[read[0]]).tolist()))
    assert len(changes) >= 3, "as they are, in the other mode, inverted"
    for inputs, *_ in whole(streams(songs, [0] * 200, transpose_probability=1.0, **settings)):
        assert len({tuple(song) for song in songs_of(inputs, 77)}) > 1, "transposed each by itself"
        break


# With rhythms


@pytest.fixture(scope="module")
def metric():
    """Songs with rhythms: the data, the vocabulary and the encoded songs."""
    songs = dataset_of(tunes(8))
    return songs, songs.vocabulary, encoding.encode(songs, songs.vocabulary)


def test_phrases_of_a_third_of_the_songs_are_hidden(metric):
    _, vocabulary, songs = metric
    marked = [song for song in songs if (song.phrase != UNKNOWN).any()] * 20
    assert len(marked) == 480
    found = streams(marked, [0] * 480, vocabulary, batch=4, bptt_length=64)
    hidden = shown = 0
    for inputs, targets, _ in whole(found):
        starts = np.flatnonzero(inputs[:, PITCH] == 76)
        for first, last in zip(starts, [*starts[1:], len(inputs)], strict=True):
            inside = inputs[first:last, PITCH] >= 0
            marks, wanted = inputs[first:last, PHRASES][inside], targets[first:last, 2][inside]
            assert marks[0] == NO_PHRASE and (wanted[-1] == -1 or last == len(inputs))
            assert (wanted == -1).all() == (marks[1:] == UNKNOWN).all() == (marks[1:] == UNKNOWN).any()
            hidden, shown = hidden + (wanted == -1).all(), shown + (wanted != -1).any()
    assert abs(hidden / (hidden + shown) - 1 / 3) < 0.1


def test_descriptions_are_distributions(metric):
    _, vocabulary, encoded = metric
    descriptors = Descriptors(vocabulary, 3)
    names = "signature mode profile values intervals range phrases collection".split()
    assert len(descriptors.segments) == len(names) and descriptors.segments[-1].stop == descriptors.size
    for song in encoded:
        row = descriptors.describe(song, 1, 2)
        assert row.shape == (descriptors.size,) and (row >= 0).all()
        sums = {name: row[segment].sum() for name, segment in zip(names, descriptors.segments, strict=True)}
        unknown = {"phrases"} if (song.phrase == UNKNOWN).all() else set()
        assert sums == pytest.approx({name: float(name not in unknown) for name in names})
    unknown = descriptors.describe(encoded[0])
    for k in (1, 7):
        assert not unknown[descriptors.segments[k]].any()
    mean = mean_of_recent([descriptors.describe(song, 0, 0) for song in encoded])
    np.testing.assert_allclose(mean, np.mean([descriptors.describe(song, 0, 0) for song in encoded[-3:]], axis=0))


def test_a_description_by_hand():
    """C4 E4 E4 C4 in 3/4: intervals 4, 0 and 4 semitones; C and E above the last note twice each; range 4 of 24; one
    phrase of four notes, of 24; rhythms 0 0 1 0."""
    song = Song("a/b", ["C4", "E4", "E4", "C4"], [1.0, 1.0, 2.0, 1.0], [0.0] * 4, [True, False, False, False],
                meter="3/4", beat=[2.0, 0.0, 1.0, 0.0], bar=[3.0] * 4, pickup=1.0)  # fmt: skip
    songs = dataset_of([song, song], NOTES)
    descriptors = Descriptors(songs.vocabulary, 2)
    row = descriptors.describe(encoding.encode(songs, songs.vocabulary)[0], MODES.index("minor"), 1)
    signature, mode, profile, values, intervals, span, phrases, collection = (row[one] for one in descriptors.segments)
    assert (signature.tolist(), mode.tolist(), collection.tolist()) == ([1, 0], [0, 1, 0], [0, 1])
    assert {k: profile[k] for k in profile.nonzero()[0]} == {0: 0.5, 4: 0.5}
    assert values.tolist() == [0.75, 0.25, 0]
    assert {k: intervals[k] for k in intervals.nonzero()[0]} == pytest.approx({0: 1 / 3, 4: 2 / 3})
    assert span.tolist() == pytest.approx([1 / 6, 5 / 6]) and phrases.tolist() == pytest.approx([1 / 6, 5 / 6])
    assert len(values) - 1 <= NOTE_VALUES


@pytest.mark.parametrize(("key", "mode"), [("F", 0), ("B-", 0), ("d", 1), ("f#", 1), ("k[b-]", 2), ("", 2)])
def test_the_mode_of_a_key(key, mode):
    assert mode_of(key) == mode


def test_groupings_by_hand():
    """Genre and area differ but make no group, so that they can be asked for afterwards; song 3 is song 0 again."""
    keys, meters = ["C", "a", "G", "C", "k[]"], ["3/4", "3/4", "2/4", "3/4", "3/4"]
    names = ["x/one/deut1", "x/one/deut2", "x/two/deut3", "x/two/han4", "x/two/han5"]
    walk = [int(k) for k in np.random.default_rng(0).integers(0, 10, 30)]
    pitches = [walk, walk[::-1], walk[5:] + walk[:5][::-1], walk, walk[::2]]
    songs = []
    for k, (name, pitch) in enumerate(zip(names, pitches, strict=True)):
        notes, count = NOTES.decode(pitch), len(pitch)
        words = {"key": keys[k], "meter": meters[k], "genre": f"genre {k % 2}", "area": f"area {k % 2}"}
        songs.append(Song(name, notes, [1.0] * count, [0.0] * count, [False] * count, **words))
    found = groupings(dataset_of(songs, NOTES), range(5))
    assert list(found) == list(SHARES) and not {"genre", "area"} & set(" ".join(SHARES).split())
    assert found["collection"].tolist() == [0, 0, 0, 1, 1]
    assert found["folder"].tolist() == [0, 0, 1, 1, 1]
    assert found["mode"].tolist() == [0, 1, 0, 0, 2]
    assert found["collection and mode"].tolist() == [0, 1, 0, 2, 3]
    assert found["collection, mode and meter"].tolist() == [0, 1, 2, 3, 4]
    assert found["variants"][0] == found["variants"][3] != found["variants"][1]
    assert found["nothing"].tolist() == [0] * 5
    assert sum(SHARES.values()) == pytest.approx(1)
    assert groupings(dataset_of(songs, NOTES), [3, 4])["collection"].tolist() == [0, 0], "of the chosen songs alone"
