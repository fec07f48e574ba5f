"""The weights that come with the project: a memory reaches the music."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from melody import lstm, memory, sampling, scoring
from melody.batching import inputs_and_targets
from vae import sample

WEIGHTS = Path(__file__).parent.parent / "weights"
REGIONS = ("china", "deutschl")
SONGS = 256

pytestmark = pytest.mark.slow


@cache
def network():
    return lstm.load(WEIGHTS)


@cache
def states(region):
    vae, record = sample.load(WEIGHTS, [region])
    sample.check_network(record, network().fingerprint)
    return memory.unpack(vae.decode(vae.draw(SONGS, np.random.default_rng(0))), 6)


@cache
def steps(region):
    """Sizes in semitones of the steps of songs composed from memories of a region, without guidance."""
    player = sampling.Sampler(network().network, guided=False)
    rngs = [np.random.default_rng(k) for k in range(SONGS)]
    midi = np.array(network().vocabulary.midi)
    songs = player.compose(states(region), rngs, temperature=1.0, guidance=0.0, length=64)
    return np.concatenate([np.abs(np.diff(midi[song])) for song in songs])


def first_note(region):
    """The distribution of the first note, over memories of a region."""
    start = inputs_and_targets(np.zeros(0, int), len(network().vocabulary))
    found = scoring.log_probs(network().network, [start] * SONGS, states(region))
    return np.mean([np.exp2(logs[0]) for _, logs in found], axis=0)


def test_the_first_note_hangs_on_the_region():
    first, other = (first_note(region) for region in REGIONS)
    apart = np.abs(first - other).sum() / 2
    for region, shares in zip(REGIONS, (first, other), strict=True):
        likeliest = [f"{network().vocabulary.names[n]} {shares[n]:.2f}" for n in np.argsort(-shares[:-1])[:5]]
        print(f"\n{region}: {', '.join(likeliest)}", end="")
    print(f"\ntotal variation distance of the first note: {apart:.2f}")
    assert apart > 0.2


def test_semitones_are_rare_in_chinese_songs_alone():
    """Of the steps in real songs, .017 are semitones in China and .142 in Germany."""
    chinese, german = (np.mean(steps(region) == 1) for region in REGIONS)
    print(f"\nsemitone steps without guidance: china {chinese:.3f}, deutschl {german:.3f}")
    assert chinese < 0.06 and german > 0.1


def test_songs_end_by_themselves():
    player = sampling.Sampler(network().network, guided=True)
    rngs = [np.random.default_rng(k) for k in range(SONGS)]
    songs = player.compose(states("china"), rngs, temperature=1.0, guidance=1.0, length=400)
    lengths = np.array([len(song) for song in songs])
    print(f"\nlength: median {np.median(lengths):.0f} notes, longest {lengths.max()}")
    assert 30 < np.median(lengths) < 80 and np.mean(lengths == 400) < 0.02
