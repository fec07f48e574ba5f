"""Reach: distances by hand, known mixtures, what is said, and what a memories file must hold."""

import json

import h5py
import numpy as np
import pytest

from melody import memory, reach
from melody.descriptors import describe_all
from melody.encoding import PHRASE, UNKNOWN, encode, pitches_alone
from melody.errors import UserError
from melody.reach import Reach, measure, resampled, squared_distance
from tests.synthetic import dataset_of, tunes


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    monkeypatch.setattr(reach, "ROUNDS", 100)


def songs(count, mean, rng):
    """Descriptions of songs, each a distribution of 20 notes over as many kinds as `mean` has shares."""
    return rng.multinomial(20, mean, count) / 20


FAR, NEAR = np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.3, 0.6])


def mixture(count, share, rng):
    """Songs of which this share are like NEAR and the others like FAR."""
    near = rng.random(count) < share
    return np.where(near[:, None], songs(count, NEAR, rng), songs(count, FAR, rng))


def test_the_distance_of_two_sets_of_two_songs_by_hand():
    """Two songs of one set have the product .5, of the other 1; means (.75, .25) and (0, 1): .5 + 1 - 2 x .25.

    The distance of the means, .75² + .75² = 1.125, would also count that the songs of one set differ.
    """
    rng = np.random.default_rng(0)
    one, other = (resampled(np.array(rows), rng) for rows in ([[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.0, 1.0]]))
    assert squared_distance(one, other)[0] == pytest.approx(1.0)
    assert squared_distance(other, other)[0] == pytest.approx(0.0)


def test_songs_are_described_without_their_phrases():
    """Files that mark no phrases, and songs without notes, make no difference."""
    data = dataset_of(tunes(2))
    encoded = encode(data, data.vocabulary)
    unmarked = [song._replace(phrase=np.full_like(song.phrase, UNKNOWN)) for song in encoded]
    assert any((song.phrase == PHRASE).any() for song in encoded)
    rows = describe_all(encoded, data.vocabulary)
    np.testing.assert_array_equal(rows, describe_all([*unmarked, pitches_alone(np.zeros(0, int))], data.vocabulary))
    assert rows.shape[0] == len(encoded) and (rows >= 0).all()
    assert describe_all([], data.vocabulary).shape == (0, rows.shape[1])


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("shown", [6, 200])
def test_reach_is_the_share_of_songs_like_those_shown(share, shown):
    """On average over samples; and the interval holds it, more often than not if few songs are shown."""
    found = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        sets = songs(shown, NEAR, rng), songs(128, FAR, rng), mixture(128, share, rng)
        found.append(measure(*sets, seed))
    assert np.mean([one.share for one in found]) == pytest.approx(share, abs=0.04)
    assert np.mean([one.low <= share <= one.high for one in found]) >= 0.8


def test_songs_like_those_shown_have_reach_1():
    rng = np.random.default_rng(0)
    near = songs(400, NEAR, rng)
    found = measure(near[:200], songs(128, FAR, rng), near[200:], 0)
    assert found.share > 0.9 and found.high == 1.0


def test_there_is_no_way_to_go_if_songs_are_alike_without_a_memory():
    none = [measure(*np.split(songs(300, FAR, np.random.default_rng(seed)), 3), seed).share for seed in range(20)]
    assert sum(share is None for share in none) >= 18


def test_a_few_songs_are_too_few():
    rng = np.random.default_rng(0)
    found = measure(songs(4, NEAR, rng), songs(50, FAR, rng), songs(50, FAR, rng), 0)
    assert found == Reach(4)
    assert found.text("irish", True) == "too few songs of irish (4) to tell whether composed songs are like them"


FINE_TUNE = "; to train the network on them: python train_lstm.py --from weights --songs PATH --name irish"


@pytest.mark.parametrize(
    ("found", "own", "begins", "ends"),
    [
        (Reach(20, 0.62, 0.48, 0.75), True, "songs composed from these memories lie 62% of the way", "and range)"),
        (Reach(20, 0.3, -0.1, 0.6), True, "warning: these songs sound perhaps no more like irish than", FINE_TUNE),
        (Reach(20, 0.1, 0.05, 0.2), True, "warning: these songs sound little more like irish than", FINE_TUNE),
        (Reach(20, -0.1, -0.3, 0.1), False, "warning: these songs sound no more like irish than", "and range)"),
        (Reach(20), True, "songs without a memory already sound much like these 20 songs of irish", "and range)"),
        (Reach(12), True, "too few songs of irish (12) to tell whether", "are like them"),
    ],
)
def test_the_line_says_whether_memories_reach_the_songs(found, own, begins, ends):
    line = found.text("irish", own)
    assert line.startswith(begins) and line.endswith(ends) and "\n" not in line
    if found.share is not None:
        assert f"(95 % interval {found.low:.0%} to {found.high:.0%}; " in line


def test_a_record_of_reach_is_read_back_and_checked():
    for found in (Reach(3), Reach(20, 0.6, 0.5, 0.7)):
        assert Reach.parse(json.loads(json.dumps(found._asdict()))) == found
    for damaged in ({}, {"shown": "many"}, {"shown": 9, "share": 0.5}, {"shown": 9, "reach": 1}, {"shown": None}):
        with pytest.raises((TypeError, ValueError)):
            Reach.parse(damaged)


@pytest.mark.parametrize(
    ("descriptions", "says"),
    [
        (None, "description"),
        (np.zeros(3, np.float32), "its descriptions of songs are not rows of finite numbers"),
        (np.full((3, 2), np.nan, np.float32), "its descriptions of songs are not rows of finite numbers"),
    ],
)
def test_memories_without_descriptions_must_be_made_again(tmp_path, descriptions, says):
    path = tmp_path / "memories" / "irish.h5"
    path.parent.mkdir()
    with h5py.File(path, "w") as file:
        file["memory"] = np.zeros((2, 4), np.float32)
        if descriptions is not None:
            file["description"] = descriptions
        file.attrs["settings"] = json.dumps({"regions": None, "name": "irish", "network": "0123"})
    again = r"make it again with: python generate_memories.py --songs PATH --name irish --overwrite"
    with pytest.raises(UserError, match=f"{says}.*{again}"):
        memory.load(tmp_path, "irish", None)
