"""Records beside weights: what is loaded, and what is refused."""

import json
from fractions import Fraction

import pytest

from melody.errors import UserError
from melody.meter import Rhythm
from melody.reach import Reach
from melody.records import NetworkRecord, Shape, VaeRecord, load
from melody.vocabulary import RhythmVocabulary, Vocabulary

NETWORK = {
    "weights": "0123",
    "vocabulary": {"pitches": ["C4", "D4"]},
    "held_out": {"validation": ["a"], "test": []},
    "settings": {"embedding": 3, "units": 4, "layers": 2, "dense": 6, "seed": 0},
}
VAE = {
    "weights": "4567",
    "memory": 16,
    "settings": {
        "latent": 2,
        "hidden": [5, 4],
        "mixture": 3,
        "memories": {"regions": ["han", "asia/*"], "network": "0123"},
    },
}


def write(path, record):
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


def test_a_network_record_has_its_shape_and_songs(tmp_path):
    record = load(NetworkRecord, write(tmp_path / "lstm.json", NETWORK), "train")
    assert record.shape == Shape(notes=2, embedding=3, units=4, layers=2, dense=6)
    assert (record.weights, record.held_out["validation"], record.regions) == ("0123", ["a"], [])
    token = load(NetworkRecord, write(tmp_path / "token.json", NETWORK | {"regions": ["deut", "han"]}), "train")
    assert token.shape.regions == 2


def test_a_vocabulary_in_which_no_song_can_begin_is_one_line():
    vocabulary = Vocabulary(["C4"], RhythmVocabulary([Rhythm(Fraction(0), Fraction(1))], {}, {}, {}))
    with pytest.raises(UserError, match="no rhythms or no openings; read more songs"):
        Shape.of(vocabulary, NETWORK["settings"])


def test_a_vae_record_knows_its_network(tmp_path):
    record = load(VaeRecord, write(tmp_path / "vae.json", VAE), "train")
    assert (record.memory, record.latent, record.hidden, record.mixture) == (16, 2, [5, 4], 3)
    record.check_network("0123")
    with pytest.raises(UserError, match=r"belongs to network 0123, not to 89.*--regions han 'asia/\*' --overwrite"):
        record.check_network("89")


def test_a_vae_record_of_songs_of_ones_own_has_their_name(tmp_path):
    own = changed(changed(VAE, ("settings", "memories", "regions"), None), ("settings", "memories", "name"), "irish")
    record = load(VaeRecord, write(tmp_path / "vae.json", own), "train")
    with pytest.raises(UserError, match=r"the VAE of irish belongs.*--songs PATH --name irish --overwrite"):
        record.check_network("89")
    nameless = changed(own, ("settings", "memories", "name"), None)
    with pytest.raises(UserError, match="name is missing"):
        load(VaeRecord, write(tmp_path / "vae.json", nameless), "train")


def test_a_vae_record_may_say_whether_its_memories_reach_their_songs(tmp_path):
    measured = VAE | {"reach": Reach(20, 0.6, 0.5, 0.7)._asdict()}
    assert load(VaeRecord, write(tmp_path / "vae.json", measured), "train").reach == Reach(20, 0.6, 0.5, 0.7)
    assert load(VaeRecord, write(tmp_path / "vae.json", VAE), "train").reach is None
    with pytest.raises(UserError, match=r"is damaged .*make it again with: train"):
        load(VaeRecord, write(tmp_path / "vae.json", VAE | {"reach": {"shown": "many"}}), "train")


def changed(record, path, value):
    """A copy of a record with another value at a path of keys; None: without it."""
    copy = json.loads(json.dumps(record))
    *parents, last = path
    place = copy
    for key in parents:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return copy


@pytest.mark.parametrize("value", [None, "many", 0, 10**9, 2.5, True, [], {}])
@pytest.mark.parametrize(
    ("kind", "record", "path"),
    [
        (NetworkRecord, NETWORK, ("settings", "units")),
        (NetworkRecord, NETWORK, ("settings", "layers")),
        (NetworkRecord, NETWORK, ("settings",)),
        (NetworkRecord, NETWORK, ("vocabulary",)),
        (NetworkRecord, NETWORK, ("held_out", "test")),
        (NetworkRecord, NETWORK, ("weights",)),
        (VaeRecord, VAE, ("settings", "latent")),
        (VaeRecord, VAE, ("settings", "hidden")),
        (VaeRecord, VAE, ("settings", "memories")),
        (VaeRecord, VAE, ("settings", "memories", "network")),
        (VaeRecord, VAE, ("weights",)),
    ],
)
def test_a_damaged_record_is_one_line(tmp_path, kind, record, path, value):
    if (path[-1], value) in (("weights", "many"), ("network", "many"), ("test", []), ("vocabulary", [])):
        return  # these are what they should be
    with pytest.raises(UserError, match=r"record.json is damaged .*; make it again with: train") as error:
        load(kind, write(tmp_path / "record.json", changed(record, path, value)), "train")
    assert "\n" not in str(error.value)
