"""The weights that come with the project: they give the same songs and figures as when they were trained."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from melody import dataset, encoding, lstm, memory, sampling, scoring
from vae import sample

ROOT = Path(__file__).parent.parent
WEIGHTS = ROOT / "weights"
REGIONS = ("china", "deutschl")
SONGS = 256
GOLDEN = Path(__file__).with_name("golden_songs.json")


@cache
def network():
    return lstm.load(WEIGHTS)


@cache
def load_vae(region):
    vae, record = sample.load(WEIGHTS, region, f"--regions {region}")
    record.check_network(network().fingerprint)
    return vae


def states_of(vae, latents):
    return memory.unpack(vae.decode(latents), lstm.shape_of(network().network).states)


@cache
def states(region):
    vae = load_vae(region)
    return states_of(vae, vae.sample(SONGS, np.random.default_rng(0)))


@pytest.mark.parametrize("region", REGIONS)
def test_the_shipped_weights_give_the_golden_songs(region):
    """Songs 1 to 8 of seed 3, temperature 0.85, guidance 0.5, at most 200 notes: a change of code that changes a note
    is noticed here. New weights need new golden songs: python -m tests.test_shipped"""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))[region]
    assert golden_songs(region) == golden


def golden_songs(region):
    vae, rngs = load_vae(region), [np.random.default_rng([3, number]) for number in range(1, 9)]
    latents = np.concatenate([vae.sample(1, rng) for rng in rngs])
    songs = sampling.Sampler(network().network, network().vocabulary, guided=True).compose(
        states_of(vae, latents), rngs, temperature=0.85, guidance=0.5, length=200
    )
    found = []
    for song in songs:
        decoded = encoding.decode(song, network().vocabulary)
        rhythms = [f"{rest:g} {time:.6g}" for rest, time in zip(decoded.rest_before, decoded.duration, strict=True)]
        phrases = np.flatnonzero(decoded.phrase).tolist()
        opening = {"meter": decoded.meter, "pickup": decoded.pickup}
        found.append(opening | {"notes": decoded.pitch, "rhythms": rhythms, "phrases": phrases})
    return found


def tokens(song):
    """Inputs and targets of a song."""
    return encoding.inputs(song, network().vocabulary), encoding.targets(song, network().vocabulary)


@pytest.mark.slow
def test_the_shipped_network_predicts_the_test_songs_as_in_the_evaluation(kern_edition, tmp_path):
    """M1: the mean information content of the test songs' pitches and rhythms, each song read from the zero state."""
    command = [sys.executable, "preprocess.py", "--songs", kern_edition, "--data", tmp_path, "--quiet"]
    subprocess.run(command, cwd=ROOT, check=True)
    collection = dataset.load(tmp_path)
    index = {name: s for s, name in enumerate(collection.name)}
    encoded = encoding.encode(collection, network().vocabulary)
    pairs = [tokens(encoded[index[name]]) for name in network().held_out["test"]]
    notes = np.concatenate([song[:-1, :2] for song in scoring.information_content(network().network, pairs)])
    rows = json.loads((ROOT / "results" / "evaluation.json").read_text(encoding="utf-8"))["rows"]
    for bits, measure in zip(notes.T, ("bits_per_note", "rhythm_bits_per_note"), strict=True):
        (value,) = (row["value"] for row in rows if (row["measure"], row["condition"]) == (measure, "network"))
        assert np.nanmean(bits) == pytest.approx(value, abs=0.0005)


@cache
def intervals(region):
    """Sizes in semitones of the intervals in songs composed from memories of a region, without guidance."""
    sampler = sampling.Sampler(network().network, network().vocabulary, guided=False)
    rngs = [np.random.default_rng(k) for k in range(SONGS)]
    midi = np.array(network().vocabulary.midi)
    songs = sampler.compose(states(region), rngs, temperature=1.0, guidance=0.0, length=64)
    return np.concatenate([np.abs(np.diff(midi[song.pitch])) for song in songs])


def first_note(region):
    """The distribution of the first note, over memories of a region."""
    start = tokens(encoding.EncodedSong(*np.zeros((3, 0), int), np.zeros(1, int), 0, 0))
    found = scoring.log_probs(network().network, [start] * SONGS, states(region))
    return np.mean([np.exp2(heads[0][0]) for _, heads in found], axis=0)


@pytest.mark.slow
def test_the_first_note_depends_on_the_region():
    first, other = (first_note(region) for region in REGIONS)
    distance = np.abs(first - other).sum() / 2
    for region, probabilities in zip(REGIONS, (first, other), strict=True):
        likeliest = [
            f"{network().vocabulary.names[n]} {probabilities[n]:.2f}" for n in np.argsort(-probabilities[:-1])[:5]
        ]
        print(f"\n{region}: {', '.join(likeliest)}", end="")
    print(f"\ntotal variation distance of the first note: {distance:.2f}")
    assert distance > 0.2


@pytest.mark.slow
def test_semitones_are_rare_in_chinese_songs_alone():
    """Of the intervals in real songs, .017 are semitones in China and .142 in Germany."""
    chinese, german = (np.mean(intervals(region) == 1) for region in REGIONS)
    print(f"\nsemitones without guidance: china {chinese:.3f}, deutschl {german:.3f}")
    assert chinese < 0.06 and german > 0.1


@pytest.mark.slow
def test_songs_end_by_themselves():
    sampler = sampling.Sampler(network().network, network().vocabulary, guided=True)
    rngs = [np.random.default_rng(k) for k in range(SONGS)]
    songs = sampler.compose(states("china"), rngs, temperature=1.0, guidance=1.0, length=400)
    lengths = np.array([len(song.pitch) for song in songs])
    print(f"\nlength: median {np.median(lengths):.0f} notes, longest {lengths.max()}")
    assert 30 < np.median(lengths) < 80 and np.mean(lengths == 400) < 0.02


if __name__ == "__main__":
    songs = {region: golden_songs(region) for region in REGIONS}
    GOLDEN.write_text(json.dumps(songs, ensure_ascii=False) + "\n", encoding="utf-8")
