"""Songs as integers: a worked example, round trips, and what is unknown of a song."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from melody import dataset, encoding
from melody.encoding import (
    HEADS,
    NEXT_PITCH,
    NEXT_RHYTHM,
    PHRASES,
    PITCH,
    RHYTHM,
    TOKENS,
    UNKNOWN,
    EncodedSong,
    EncodedSongs,
    composed,
    decode,
    encode,
    inputs,
    rhythm_vocabulary,
    targets,
    with_bars_of,
)
from melody.meter import Opening, Rhythm, bar_length
from melody.song import Song
from melody.vocabulary import Vocabulary
from tests.synthetic import dataset_of, tunes

WALTZ = Song(  # 4d | 4g 8r 8a 4b | 2g
    "a/b1",
    ["D4", "G4", "A4", "B4", "G4"],
    [1.0, 1.0, 0.5, 1.0, 2.0],
    [0.0, 0.0, 0.5, 0.0, 0.0],
    [True, False, False, True, False],
    meter="3/4",
    beat=[2.0, 0.0, 1.5, 2.0, 0.0],
    bar=[3.0] * 5,
    pickup=1.0,
)
NOTES = Vocabulary(["D4", "G4", "A4", "B4"])
FIELDS = "pitch duration rest_before phrase meter beat bar pickup".split()


def fields(song: Song) -> dict:
    return {name: getattr(song, name) for name in FIELDS}


def test_a_song_in_three_four_time_with_a_pickup_by_hand():
    """Rhythms by number: a quarter 0, a half 1, an eighth after an eighth rest 2; 3 is any other and the start.
    Beat positions 0, 1, 2. The notes are numbered from low to high; 4 is start and end."""
    songs = dataset_of([WALTZ, WALTZ], NOTES)
    known = songs.vocabulary.rhythm
    half = Fraction(1, 2)
    assert known.rhythms == [Rhythm(Fraction(0), Fraction(1)), Rhythm(Fraction(0), Fraction(2)), Rhythm(half, half)]
    assert known.openings == {Opening("3/4", Fraction(1)): 2} and known.signatures == ["3/4"]
    assert known.beats == [0, 1, 2]
    assert known.transitions == {"3/4": {0: [0, 1], 1: [2], 2: [0]}}
    assert known.endings == {Opening("3/4", Fraction(1)): [2]}
    song = encode(songs, songs.vocabulary)[0]
    assert song.rhythm.tolist() == [0, 0, 2, 0, 1]
    assert (song.beat.tolist(), song.signature, song.opening) == ([2, 0, 1, 2, 0, 2], 0, 0)
    assert inputs(song, songs.vocabulary).T.tolist() == [
        [4, 0, 1, 2, 3, 1],  # the last note
        [3, 0, 0, 2, 0, 1],  # its rhythm
        [0, 1, 0, 0, 1, 0],  # whether it began a phrase
        [0, 0, 0, 0, 0, 0],  # the time signature
        [2, 0, 1, 2, 0, 2],  # beat position before the note to come
        [0, 1, 2, 3, 1, 4],  # that note
        [0, 0, 2, 0, 1, 3],  # its rhythm
    ]
    assert targets(song, songs.vocabulary).T.tolist() == [
        [0, 1, 2, 3, 1, 4],
        [0, 0, 2, 0, 1, -1],
        [1, 0, 0, 1, 0, -1],
        [0, -1, -1, -1, -1, -1],
    ]
    assert inputs(song, songs.vocabulary, transposed=True)[0, PITCH] == 5
    assert fields(decode(song, songs.vocabulary)) == fields(WALTZ)


@st.composite
def metric_songs(draw):
    """Songs in one meter whose last bar completes the pickup, with rests and notes that cross bar lines."""
    signature = draw(st.sampled_from(["2/4", "3/4", "6/8", "5/8"]))
    length = bar_length(signature)
    pickup = draw(st.integers(0, int(length * 2) - 1)) / 2
    end, onsets, duration, rest = 0.0, [], [], []
    while True:
        rest.append(draw(st.sampled_from([0.0, 0.0, 0.0, 0.5])))
        onsets.append(end + rest[-1])
        duration.append(draw(st.sampled_from([0.25, 0.5, 1.0, 1.5, 2.0])))
        end = onsets[-1] + duration[-1]
        if len(duration) > 20 or (end % float(length) == 0 and draw(st.booleans())):
            break
    left = -end % float(length)
    duration[-1] += left
    beat = [(onset - pickup) % float(length) for onset in onsets]
    pitch = draw(st.lists(st.sampled_from(NOTES.names), min_size=len(onsets), max_size=len(onsets)))
    phrase = draw(st.lists(st.booleans(), min_size=len(onsets), max_size=len(onsets)))
    bars = {"beat": beat, "bar": [float(length)] * len(onsets), "pickup": pickup, "meter": signature}
    return Song("a/b", pitch, duration, rest, phrase, **bars)


@settings(max_examples=40)
@given(st.lists(metric_songs(), min_size=1, max_size=3))
def test_decode_restores_songs_in_one_meter(songs):
    both = dataset_of([song for song in songs for _ in range(2)], NOTES)
    vocabulary = both.vocabulary
    for song, encoded in zip(songs, encode(both, vocabulary)[::2], strict=True):
        assert fields(decode(encoded, vocabulary)) == fields(song)
        again = composed(vocabulary, encoded.opening, encoded.pitch, encoded.rhythm, encoded.phrase)
        for one, other in zip(again, encoded, strict=True):
            np.testing.assert_array_equal(one, other)
        automaton = vocabulary.rhythm.automaton
        state = automaton.start[encoded.opening]
        for rhythm, beat in zip(encoded.rhythm, encoded.beat, strict=False):
            assert automaton.legal[state, rhythm] and automaton.beat[state] == vocabulary.rhythm.beats[beat]
            state = automaton.next_state[state, rhythm]
        assert automaton.legal[state, -1], "a training song is a legal path"
        read, wanted = inputs(encoded, vocabulary), targets(encoded, vocabulary)
        assert read.shape == (len(song.pitch) + 1, TOKENS) and wanted.shape == (len(song.pitch) + 1, len(HEADS))
        np.testing.assert_array_equal(read[1:, [PITCH, RHYTHM]], read[:-1, [NEXT_PITCH, NEXT_RHYTHM]])
        np.testing.assert_array_equal(read[:, NEXT_PITCH], wanted[:, 0])
        np.testing.assert_array_equal(read[:-1, NEXT_RHYTHM], wanted[:-1, 1])


def test_a_vocabulary_with_the_bars_of_further_songs_by_hand():
    """4d | 4g 4a 4b | 2g adds a quarter on the second beat of 3/4. A song in 2/4 adds nothing: its opening is unknown.
    What a dotted half begins does not count either: it is another rhythm. All numbers keep their meaning."""
    known = dataset_of([WALTZ, WALTZ], NOTES).vocabulary
    plain = replace(WALTZ, duration=[1.0, 1.0, 1.0, 1.0, 2.0], rest_before=[0.0] * 5, beat=[2.0, 0.0, 1.0, 2.0, 0.0])
    march = replace(WALTZ, meter="2/4", duration=[1.0] * 5, beat=[1.0, 0.0, 1.0, 0.0, 1.0], bar=[2.0] * 5)
    other = replace(WALTZ, duration=[3.0] * 5, rest_before=[0.0] * 5, beat=[2.0] * 5)
    further = dataset.dataset_of([plain, march, other], known)
    found = with_bars_of(known, further, [0, 1, 2])
    assert found.rhythm.transitions == {"3/4": {0: [0, 1], 1: [0, 2], 2: [0]}}
    assert found.rhythm.endings == known.rhythm.endings and found.rhythm.beats == known.rhythm.beats
    assert (found.names, found.rhythm.rhythms) == (known.names, known.rhythm.rhythms)
    assert with_bars_of(known, further, [1, 2]) == known


def test_what_is_unknown_is_told_as_unknown_and_is_no_target():
    """A rhythm, an opening and a time signature of one song alone are not in the vocabulary; nor are phrases known of
    a song without a mark."""
    odd = Song(
        "a/b2",
        ["D4", "G4"],
        [0.75, 0.5],
        [0.0, 0.0],
        [False, False],
        meter="5/16",
        beat=[0.0, 0.75],
        bar=[1.25, 1.25],
    )
    songs = dataset_of([WALTZ, WALTZ, odd], NOTES)
    vocabulary = Vocabulary(NOTES.names, rhythm_vocabulary(songs, [0, 1]))
    song = encode(songs, vocabulary)[2]
    known = vocabulary.rhythm
    assert song.rhythm.tolist() == [len(known.rhythms)] * 2
    assert (song.signature, song.opening) == (len(known.signatures), len(known.openings))
    assert song.beat.tolist() == [0, len(known.beats), 0], "three sixteenths are no beat position of the waltz"
    assert song.phrase.tolist() == [UNKNOWN, UNKNOWN]
    assert targets(song, vocabulary).T.tolist() == [[0, 1, 4], [-1] * 3, [-1] * 3, [-1] * 3]
    assert inputs(song, vocabulary)[:, PHRASES].tolist() == [0, UNKNOWN, UNKNOWN]


def test_a_song_whose_bars_make_no_sense_is_free():
    songs = dataset_of([replace(WALTZ, bar=(), beat=())] * 2, NOTES)
    assert songs.vocabulary.rhythm.openings == {Opening("free", Fraction(0)): 2}
    song = decode(encode(songs, songs.vocabulary)[0], songs.vocabulary)
    assert (song.meter, song.pickup, list(song.bar)) == ("", 0, [0] * 5)
    assert song.duration == WALTZ.duration and song.rest_before == WALTZ.rest_before


def test_a_network_of_pitches_alone_reads_and_predicts_one_column():
    songs = dataset_of(tunes(1))
    alone = Vocabulary(songs.vocabulary.names)
    song = encode(songs, alone)[0]
    assert inputs(song, alone)[:, 0].tolist() == [76, *songs.song(0)]
    assert targets(song, alone)[:, 0].tolist() == [*songs.song(0), 76]
    assert inputs(song, alone).shape[1] == targets(song, alone).shape[1] == 1
    decoded = decode(song, alone)
    assert decoded.pitch == alone.decode(songs.song(0)) and set(decoded.duration) == {1.0}


def test_the_commonest_rhythms_of_the_training_songs_are_known(monkeypatch):
    monkeypatch.setattr("melody.encoding.MOST_RHYTHMS", 2)
    songs = dataset_of([WALTZ, WALTZ], NOTES)
    assert [float(one.duration) for one in songs.vocabulary.rhythm.rhythms] == [1.0, 2.0]
    assert rhythm_vocabulary(songs, []).rhythms == [] == list(rhythm_vocabulary(songs, [0]).openings)
    assert songs.vocabulary.rhythm.endings == {}, "no song is known to its end"
    assert isinstance(encode(songs, songs.vocabulary)[0], EncodedSong)


def test_a_rhythm_too_short_to_be_composed_is_not_known():
    """A note of a tick, as in MIDI files, is nearer to no duration than to 1/96 of a quarter note."""
    songs = dataset_of([replace(WALTZ, duration=[1.0, 1.0, 0.001, 1.0, 2.0])] * 2, NOTES)
    assert Rhythm(Fraction(1, 2), Fraction(0)) not in songs.vocabulary.rhythm.rhythms
    assert encode(songs, songs.vocabulary)[0].rhythm.tolist() == [0, 0, 2, 0, 1]


def test_songs_are_unpacked_from_blocks_as_from_one(monkeypatch):
    """Of 60 songs, in blocks of 7 songs or in one, the same integers; and of a choice those that were chosen.

    Besides the songs no more than 3 bytes a note and 4 a song are in memory."""
    songs = dataset_of(tunes(10), Vocabulary({name for song in tunes(10) for name in song.pitch}))
    whole = encode(songs, songs.vocabulary)
    monkeypatch.setattr(encoding, "BLOCK", 7)
    blocks = EncodedSongs(songs, songs.vocabulary)
    assert len(blocks) == len(whole) == 60
    some = blocks.of([59, 0, 8]).of([2, 0])
    for one, other in [*zip(blocks, whole, strict=True), *zip(some, [whole[8], whole[59]], strict=True)]:
        for field in EncodedSong._fields:
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
    held = sum(array.nbytes for array in vars(blocks).values() if isinstance(array, np.ndarray))
    assert held <= 3 * len(songs.pitch) + 4 * len(songs)
