"""Where the memories of songs come from, and tunes that are continued."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from melody import memory
from melody.continuation import tail
from melody.dataset import dataset_of
from melody.song import exact, onsets
from melody.source_flags import mixture_part, split_part, with_title
from melody.sources import MixedSource, PlaneSource, SongsSource, VaeSource, VariedSource
from melody.vocabulary import ESSEN, Vocabulary
from tests.composed import songs as composed_songs
from tests.synthetic import tunes


class FakeVae:
    """Its memories are three copies of the latent."""

    latent = 2

    def sample(self, count, rng):
        return rng.standard_normal((count, 2), dtype="float32")

    def decode(self, latents):
        return np.repeat(latents, 3, axis=1)


def rngs(count=4):
    return [np.random.default_rng([0, number]) for number in range(count)]


def test_a_memory_depends_on_its_generator_alone():
    together, origins = VaeSource(FakeVae()).memories(rngs())
    alone, _ = VaeSource(FakeVae()).memories(rngs()[2:3])
    np.testing.assert_array_equal(alone[0], together[2])
    np.testing.assert_allclose(np.repeat([one["latent"] for one in origins], 3, axis=1), together, rtol=1e-6)


def test_latents_are_moved_to_the_same_point():
    vae = FakeVae()
    vae.plane = lambda: SimpleNamespace(moved=lambda latents, point: latents * [0, 1] + point)
    _, origins = PlaneSource(vae, [2.0, 0.0]).memories(rngs())
    latents, sampled = (
        np.array([one["latent"] for one in found]) for found in (origins, VaeSource(vae).memories(rngs())[1])
    )
    np.testing.assert_allclose(latents[:, 0], 2)
    np.testing.assert_allclose(latents[:, 1], sampled[:, 1])


@pytest.mark.parametrize("distance", [0.0, 1.5])
def test_a_varied_latent_lies_at_the_distance(distance):
    _, origins = VariedSource(FakeVae(), [1.0, -2.0], distance).memories(rngs())
    away = np.linalg.norm(np.array([one["latent"] for one in origins]) - [1.0, -2.0], axis=1)
    np.testing.assert_allclose(away, distance, atol=1e-6)


def test_mixed_memories_are_weighted_sums():
    """What the parts sample is part of the record; half of a memory is half way to the zero state."""
    one, other = VaeSource(FakeVae()), VariedSource(FakeVae(), [1.0, 3.0], 0.0)
    memories, origins = MixedSource([0.5, 2.0], [one, other]).memories(rngs())
    expected, _ = one.memories(rngs())
    np.testing.assert_allclose(memories, 0.5 * expected + 2 * np.repeat([[1, 3]], 3, axis=1), rtol=1e-6)
    assert [part["latent"] for part in origins[0]["mixed"]][1] == [1, 3]


class FakeEncoder:
    """A state is the sum of what was read."""

    def encode(self, rows):
        return [rows.sum(axis=1).astype(np.float32)]


def test_memories_of_given_songs_name_what_was_read():
    songs = dataset_of(tunes(3), Vocabulary(ESSEN.names))
    source = SongsSource(FakeEncoder(), songs, similar=0, each=2, notes=8)
    memories, origins = source.memories(rngs(8))
    assert memories.shape[0] == 8 and all(len(one["read"]) == 2 for one in origins)
    last = {one["read"][-1] for one in origins}
    assert len(last) > 1 and last <= set(songs.name)
    few = SongsSource(FakeEncoder(), dataset_of(tunes(3)[:1], Vocabulary(ESSEN.names)), similar=4, each=3, notes=8)
    assert all(one["read"] == [tunes(3)[0].name] for one in few.memories(rngs(2))[1])


@given(composed_songs(), some.data())
def test_the_tail_of_a_song_has_its_notes_in_their_places(song, data):
    """Beat positions stay; the pickup is what was left of the bar, and bars are full."""
    first = data.draw(some.integers(0, len(song.pitch) - 1))
    cut = tail(song, first)
    assert cut.pitch == song.pitch[first:] and cut.duration == song.duration[first:]
    assert list(map(exact, cut.beat)) == list(map(exact, song.beat[first:]))
    length = max(song.bar, default=0)
    total = exact(onsets(cut)[-1][1]) + exact(cut.rest_after)
    assert not length or (total % exact(length) == 0 and cut.pickup < length)


@pytest.mark.parametrize("text", ["china", "=1", "china=", "china=x", "china=1e9", "china=nan"])
def test_parts_of_a_mixture_that_are_not_valid(text):
    with pytest.raises(Exception, match="is not a name and a weight"):
        mixture_part(text)


def test_parts_of_a_mixture():
    assert [split_part(text) for text in ("china=0.7", "a=b=-.5")] == [("china", 0.7), ("a=b", -0.5)]


@pytest.mark.parametrize(
    ("flags", "title"),
    [
        ({"name": "china+han"}, "china+han"),
        ({"like": ["a/my tune.abc", "b.krn"]}, "like-my-tune-b"),
        ({"mix": ["china=0.7", "tunes/a.abc=0.3"]}, "mix-china-a"),
        ({"name": "irish", "continued": "x/reel.mid"}, "irish-continue-reel"),
    ],
)
def test_titles(flags, title):
    given = dict.fromkeys("name at like mix vary distance keep continued regions".split()) | flags
    assert with_title(None, SimpleNamespace(**given)).title == title


def test_packed_states_are_unpacked():
    assert memory.unpack(np.arange(6.0)[None], 3)[1].tolist() == [[2, 3]]
