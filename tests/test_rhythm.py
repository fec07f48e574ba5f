"""The network with rhythm: what each head sees, and songs whose bars are full."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from melody import encoding, lookback, lstm, sampling, sampling_cell, scoring
from melody.encoding import BEAT, HEADS, NEXT_PITCH, NEXT_RHYTHM, SIGNATURE
from melody.errors import UserError
from melody.meter import bar_length
from melody.vocabulary import Vocabulary
from tests.synthetic import REGIONS, dataset_of, tunes
from tests.test_lstm import by_hand

SIZES = {"embedding": 3, "units": 4, "layers": 2, "dense": 6}
SONGS = dataset_of(tunes(6), Vocabulary(name for names in REGIONS.values() for name in names))
VOCABULARY = SONGS.vocabulary
RHYTHM, AUTOMATON = VOCABULARY.rhythm, VOCABULARY.rhythm.automaton
SHAPE = lstm.Shape.of(VOCABULARY, SIZES)
END = SHAPE.notes


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(1)
    built = lstm.build(SHAPE)
    built.set_weights([3 * weight for weight in built.get_weights()])  # far from zero, so that states have an effect
    return built


def states(rows, seed=0):
    return list(np.random.default_rng(seed).normal(size=(SHAPE.states, rows, SHAPE.units)).astype("float32"))


def read(songs):
    """The network's input for songs of equally many notes."""
    rows = np.stack([encoding.inputs(song, VOCABULARY) for song in songs])
    return lookback.with_candidates(rows, SHAPE.notes, SHAPE.rhythms)


def waltzes():
    """Three songs of equally many notes."""
    songs = [song for song in encoding.encode(SONGS, VOCABULARY) if len(song.pitch) >= 15]
    return [song._replace(pitch=song.pitch[:15], rhythm=song.rhythm[:15], phrase=song.phrase[:15], beat=song.beat[:16])
            for song in songs[:3]]  # fmt: skip


def test_the_network_by_hand(network):
    """Each head of the network in NumPy; the lookback finds matches, whose pitch and rhythm are copied."""
    inputs = read(waltzes())
    assert (inputs[..., [8, 11]] > 0).any(axis=(0, 1)).all(), "both candidates"
    *heads, h1, c1, h2, c2 = network.predict_on_batch([inputs, *states(3)])
    expected, after = by_hand(network, inputs, states(3))
    assert len(heads) == len(HEADS)
    for logits, known in zip([*heads, h1, c1, h2, c2], [*expected, *after], strict=True):
        np.testing.assert_allclose(logits, known, atol=1e-5)


def test_the_network_does_not_see_what_it_is_to_predict(network):
    """At the start neither opening nor state depends on the time signature; no pitch depends on itself, no rhythm on
    itself; but the heads that follow see what has been decided."""
    inputs = read(waltzes())

    def changed(column, values, times=slice(None)):
        """Which heads and whether the states differ after another value in a column."""
        other = inputs.copy()
        other[:, times, column] = (other[:, times, column] + 1) % values
        before, after = (network.predict_on_batch([one, *states(3)]) for one in (inputs, other))
        differs = [np.abs(one - two)[:, times].max() > 1e-6 for one, two in zip(before[:4], after[:4], strict=True)]
        moved = any(np.abs(one - two).max() > 0 for one, two in zip(before[4:], after[4:], strict=True))
        return dict(zip((*HEADS, "states"), [*differs, moved], strict=True))

    def only(*names):
        return {name: name in names for name in (*HEADS, "states")}

    assert changed(NEXT_PITCH, SHAPE.notes) == only("rhythm", "phrase")
    assert changed(NEXT_RHYTHM, SHAPE.rhythms) == only("phrase")
    for column, values in ((SIGNATURE, SHAPE.signatures), (BEAT, SHAPE.beats)):
        assert changed(column, values, slice(0, 1)) == only("pitch", "rhythm", "phrase"), "masked at the start"
        assert changed(column, values, slice(1, None)) == only(*HEADS, "states")


def test_information_content_of_all_heads(network):
    """Bits of the targets, each song by itself; NaN where there is none."""
    songs = encoding.encode(SONGS, VOCABULARY)[:5]
    tokens = [(encoding.inputs(song, VOCABULARY), encoding.targets(song, VOCABULARY)) for song in songs]
    for song, (_, targets), bits in zip(songs, tokens, scoring.information_content(network, tokens), strict=True):
        heads = by_hand(network, read([song]), lstm.zero_states(network, 1))[0]
        assert bits.shape == targets.shape and (np.isnan(bits) == (targets < 0)).all()
        for k, logits in enumerate(heads):
            logs = np.log2(np.exp(logits[0]) / np.exp(logits[0]).sum(axis=1, keepdims=True))
            for t in np.flatnonzero(targets[:, k] >= 0):
                assert bits[t, k] == pytest.approx(-logs[t, targets[t, k]], abs=1e-4)


# Composing


@pytest.fixture(scope="module")
def compose(network):
    samplers = {}

    def composed(memories, seeds, guidance=0.0, **settings):
        if (guidance != 0) not in samplers:
            samplers[guidance != 0] = sampling.Sampler(network, VOCABULARY, guided=guidance != 0)
        settings = {"temperature": 1.0, "length": 40, "window": 21} | settings
        rngs = [np.random.default_rng(seed) for seed in seeds]
        return samplers[guidance != 0].compose(memories, rngs, guidance=guidance, **settings)

    return composed


def is_legal(song) -> bool:
    """Whether a song is a path of the bar automaton from its opening to where a song may end."""
    state = AUTOMATON.start[song.opening]
    for rhythm in song.rhythm:
        if not AUTOMATON.legal[state, rhythm]:
            return False
        state = AUTOMATON.next_state[state, rhythm]
    return bool(AUTOMATON.legal[state, -1])


def plain(song):
    return [song.pitch.tolist(), song.rhythm.tolist(), song.phrase.tolist(), song.beat.tolist(), *song[4:]]


def meters(songs):
    return {RHYTHM.signatures[song.signature] for song in songs}


def test_songs_have_full_bars_and_end_where_they_may(network, compose):
    """Songs that end by themselves, songs that are cut at a full bar, and songs in one time signature."""
    memories = states(30)
    bias = network.get_layer("output_head").logits.bias
    before = keras.ops.convert_to_numpy(bias)
    free = compose(memories, range(30))
    only = compose(memories, range(30), meters=["2/4", "3/4"])
    bias.assign(np.where(np.arange(END + 1) == END, -50.0, before))
    cut = compose(memories, range(30), length=14)
    bias.assign(before)
    assert meters(free) == meters(cut) == {"2/4", "3/4", "free"} and meters(only) == {"2/4", "3/4"}
    assert {len(song.pitch) for song in cut if song.signature == 2} == {14}
    assert all(10 <= len(song.pitch) <= 14 for song in cut)
    assert len({len(song.pitch) for song in free}) > 3 and {len(song.phrase.nonzero()[0]) > 0 for song in free} != {
        False
    }
    for song in (*free, *only, *cut):
        assert is_legal(song)
        decoded = encoding.decode(song, VOCABULARY)
        total = sum(decoded.duration) + sum(decoded.rest_before) + decoded.rest_after
        assert not bar_length(decoded.meter) or total % float(bar_length(decoded.meter)) == 0
        again = encoding.composed(VOCABULARY, song.opening, song.pitch, song.rhythm, song.phrase)
        assert plain(again) == plain(song)


@pytest.mark.parametrize(("meter", "found"), [("5/8", "0 songs in 5/8"), ("3/4", "12 songs in 3/4")])
def test_a_meter_of_few_songs_is_refused_with_those_that_there_are(monkeypatch, meter, found):
    monkeypatch.setattr(sampling, "FEWEST_SONGS", 13 if meter == "3/4" else 12)
    with pytest.raises(UserError, match=f"read {found}, too few") as error:
        sampling.openings_in(RHYTHM, [meter])
    assert str(error.value).endswith("(songs read): " + ("" if meter == "3/4" else "2/4 (12), 3/4 (12), free (12)"))
    assert sampling.openings_in(RHYTHM, []).tolist() == [True] * 3


def test_a_vocabulary_in_which_no_song_can_end_is_one_line():
    in_meter = {opening: songs for opening, songs in RHYTHM.openings.items() if bar_length(opening.time_signature)}
    assert sampling.openings_in(replace(RHYTHM, openings=in_meter), []).all()
    for damaged in (replace(RHYTHM, openings=in_meter, endings={}), replace(RHYTHM, openings={})):
        with pytest.raises(UserError, match="no song can end; train it again: python train_lstm"):
            sampling.openings_in(damaged, [])


def test_pitches_alone_have_no_meter():
    alone = Vocabulary(VOCABULARY.names)
    sampler = sampling.Sampler(lstm.build(lstm.Shape.of(alone, SIZES)), alone, guided=False)
    settings = {"temperature": 1.0, "guidance": 0.0, "length": 9}
    with pytest.raises(UserError, match="this network knows pitches alone"):
        sampler.compose(states(1), [np.random.default_rng(0)], meters=["3/4"], **settings)


def logits_of(monkeypatch, network, song, memories):
    """The logits of the sampler at each note of a song and its end: (notes + 1, values) of each head."""
    cell, found = sampling_cell.SamplingCell(network, RHYTHM, guided=False), []
    cell._guide = lambda logits, step: found.append(keras.ops.convert_to_numpy(logits)[0]) or logits
    sampler = object.__new__(sampling.Sampler)
    sampler.shape, sampler.vocabulary = SHAPE, VOCABULARY
    carried = [*sampling.Sampler._at_start(sampler, 1, ()), *memories]
    forced = [*zip(song.pitch, song.rhythm, song.phrase, strict=True), (END, 0, 0)]
    for pitch, rhythm, phrase in forced:
        chosen = iter([song.opening, pitch, rhythm, phrase])
        monkeypatch.setattr(
            sampling_cell, "_index", lambda *_, chosen=chosen: keras.ops.full((1, 1), float(next(chosen)))
        )
        _, carried = cell.call(np.ones((1, cell.step_size), np.float32), carried)
    return [np.stack(found[k::4]) for k in (1, 2, 3, 0)]


def test_the_sampler_predicts_as_the_network_reads(network, monkeypatch):
    """Teacher forcing: at each note of a song the sampler's logits are those with which the song is scored."""
    song, memories = encoding.encode(SONGS, VOCABULARY)[0], states(1)
    tokens = encoding.inputs(song, VOCABULARY), encoding.targets(song, VOCABULARY)
    ((_, logs),) = scoring.log_probs(network, [tokens], memories)
    for head, logits, wanted in zip(logs, logits_of(monkeypatch, network, song, memories), tokens[1].T, strict=True):
        own = (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)) / np.log(2)
        times = wanted >= 0
        np.testing.assert_allclose(own[times], head[times], atol=1e-4)


def sample_by_hand(network, memories, seed, temperature, guidance, length):
    """A song sampled from the NumPy network, note by note: what the automaton forbids has no probability."""
    rng, zero = np.random.default_rng(seed), [np.zeros_like(state) for state in memories]
    pitch, rhythm, phrase, opening = [], [], [], None

    def logits(head, guidance=guidance, **known):
        """The guided logits of a head for the note to come."""
        number = 0 if opening is None else opening
        song = encoding.composed(VOCABULARY, number, *(np.array(part, int) for part in (pitch, rhythm, phrase)))
        inputs = read([song])
        for column, value in known.items():
            inputs[0, -1, {"pitch": NEXT_PITCH, "rhythm": NEXT_RHYTHM}[column]] = value
        one, other = (by_hand(network, inputs, before)[0][head][0, -1] for before in (memories, zero))
        return other + (1 + guidance) * (one - other)

    def softmax(logits, legal, temperature):
        weights = np.exp((logits - logits.max()) / temperature) * legal
        return weights / max(weights.sum(), 1e-9)

    def sample(logits, random, legal, temperature=temperature):
        return int((np.cumsum(softmax(logits, legal, temperature))[:-1] <= random).sum())

    def sample_or_end(random, legal):
        """The song ends as often as it would at temperature 1 without guidance."""
        end = softmax(logits(0, guidance=0), legal, 1.0)[-1]
        pitches = softmax(logits(0)[:-1], legal[:-1], temperature)
        return int((np.cumsum((1 - end) * pitches) <= random).sum())

    while len(pitch) < length:
        random = rng.random(4, dtype=np.float32)
        if opening is None:
            opening = sample(logits(3), random[3], AUTOMATON.start >= 0, temperature=1.0)
            state = AUTOMATON.start[opening]
        legal = AUTOMATON.legal[state]
        may_end = legal[-1] and len(pitch) > 0
        note = sample_or_end(random[0], [legal[:-1].any()] * END + [may_end])
        if note == END:
            break
        number = sample(logits(1, pitch=note), random[1], legal[:-1])
        begins = sample(logits(2, pitch=note, rhythm=number), random[2], np.ones(2))
        pitch, rhythm, phrase = [*pitch, note], [*rhythm, number], [*phrase, begins]
        state = AUTOMATON.next_state[state, number]
    return [pitch, rhythm, phrase]


@pytest.mark.slow
@pytest.mark.parametrize("guidance", [0.0, 1.5])
def test_songs_are_sampled_from_the_network(network, compose, guidance):
    memories = states(6, seed=3)
    songs = compose(memories, range(6), guidance, temperature=0.8, length=30)
    for s, song in enumerate(songs):
        expected = sample_by_hand(network, [state[[s]] for state in memories], s, 0.8, guidance, 30)
        notes = len(song.pitch)
        assert plain(song)[:3] == [part[:notes] for part in expected], "cut at a full bar"
        assert notes > 25 or len(expected[0]) < 30


@pytest.mark.slow
@pytest.mark.parametrize("guidance", [0.0, 1.5])
def test_a_song_does_not_depend_on_its_batch(compose, guidance):
    """More songs than are continued until the last has ended; each alone is compiled by XLA where there is one."""
    count = sampling.MIN_BATCH + 8
    memories = states(count, seed=5)
    together = compose(memories, range(count), guidance)
    for s in (0, 7, count - 1):
        (alone,) = compose([state[[s]] for state in memories], [s], guidance)
        assert plain(alone) == plain(together[s])


@pytest.mark.slow
def test_a_song_that_is_continued_goes_on_as_it_was_composed(network, compose):
    """At a low temperature the likeliest notes follow: also after the first notes have been read."""
    memories = states(1, seed=8)
    (whole,) = compose(memories, [0], temperature=0.01, length=30)
    notes = len(whole.pitch) // 2
    begun = whole._replace(pitch=whole.pitch[:notes], rhythm=whole.rhythm[:notes], phrase=whole.phrase[:notes])
    inputs = read([whole])[:, :notes]
    *_, h1, c1, h2, c2 = network.predict_on_batch([inputs, *memories])
    (rest,) = compose([h1, c1, h2, c2], [1], temperature=0.01, length=30 - notes, begun=[begun])
    both = min(len(rest.pitch), len(whole.pitch) - notes)  # each ends when it ends
    assert notes > 3 and both > 3
    assert [part[:both] for part in plain(rest)[:3]] == [part[notes:][:both] for part in plain(whole)[:3]]
    np.testing.assert_array_equal(rest.beat[:both], whole.beat[notes:][:both])
