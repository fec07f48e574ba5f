"""Synthetic traditions: one random change of all songs of a stream.

A network that has read 27 collections can recognize each of them. Songs that are all changed in the same way belong to
none, so the network has to learn from what it reads.
"""

from fractions import Fraction

import numpy as np

from melody.encoding import EncodedSong
from melody.meter import Opening, Rhythm, bar_length
from melody.vocabulary import Vocabulary

SCALES = (Fraction(1, 2), Fraction(1), Fraction(2))  # of all note values
PITCH_CHANGES = ("none", "other mode", "inversion", "pentatonic")
MODAL_DEGREES = (2, 5, 6)  # third, sixth and seventh: a chromatic semitone lower in minor than in major
PENTATONIC = {  # degree that is left out: the degree and the position on the line of fifths that replace it
    "major": {3: (2, 4), 6: (5, 3)},
    "minor": {1: (2, -3), 5: (4, 1)},
}


class Traditions:
    """Draws synthetic traditions over a vocabulary."""

    def __init__(self, vocabulary: Vocabulary):
        self.step, self.fifth = np.array(vocabulary.step), np.array(vocabulary.fifth)
        self.index = {spelling: note for note, spelling in enumerate(zip(self.step, self.fifth, strict=True))}
        self.known = vocabulary.rhythm
        self.transpositions = transpositions(vocabulary)
        self.tables = {scale: self._scaled(scale) for scale in SCALES}

    def sample(self, rng: np.random.Generator) -> "Tradition":
        transposition = self.transpositions[rng.integers(len(self.transpositions))]
        scale = SCALES[rng.choice(len(SCALES), p=(0.2, 0.6, 0.2))]
        return Tradition(self, transposition, str(rng.choice(PITCH_CHANGES)), bool(rng.random() < 0.25), scale)

    def _scaled(self, scale: Fraction) -> tuple[np.ndarray, ...]:
        """Rhythms, beat positions, time signatures and openings with all times scaled; one more stands for others."""
        rhythms = _table(self.known.rhythms, lambda one: Rhythm(one.rest_before * scale, one.duration * scale))
        beats = _table(self.known.beats, lambda beat: beat * scale)
        signatures = _table(self.known.signatures, lambda one: _scaled_signature(one, scale))
        openings = _table(
            list(self.known.openings),
            lambda one: Opening(_scaled_signature(one.time_signature, scale), one.pickup * scale),
        )
        return rhythms, beats, signatures, openings


class Tradition:
    """One change of songs; see `Traditions.sample`."""

    def __init__(
        self, traditions: Traditions, transposition: np.ndarray, pitch_change: str, merge: bool, scale: Fraction
    ):
        self.traditions, self.transposition = traditions, transposition
        self.pitch_change, self.merge, self.scale = pitch_change, merge, scale

    def change(self, song: EncodedSong) -> EncodedSong | None:
        """The changed song; None if it has notes that are not in the vocabulary."""
        pitch = self._pitches(song.pitch)
        pitch = np.where(pitch >= 0, self.transposition[pitch], -1)
        if pitch.min() < 0:
            return None
        if self.merge:
            song, pitch = self._merged(song, pitch)
        rhythms, beats, signatures, openings = self.traditions.tables[self.scale]
        return EncodedSong(
            pitch,
            rhythms[song.rhythm],
            song.phrase,
            beats[song.beat],
            int(signatures[song.signature]),
            int(openings[song.opening]),
        )

    def _pitches(self, pitch: np.ndarray) -> np.ndarray:
        step, fifth = self.traditions.step[pitch], self.traditions.fifth[pitch]
        degree, above = (step - step[-1]) % 7, fifth - fifth[-1]
        is_minor = (above[degree == 2] < 0).mean() > 0.5 if (degree == 2).any() else False
        if self.pitch_change == "other mode":
            fifth = fifth + np.isin(degree, MODAL_DEGREES) * (7 if is_minor else -7)
        elif self.pitch_change == "inversion":
            step, fifth = 2 * step[-1] - step, 2 * fifth[-1] - fifth
        elif self.pitch_change == "pentatonic":
            for left_out, (other, position) in PENTATONIC["minor" if is_minor else "major"].items():
                step = np.where(degree == left_out, step + other - left_out, step)
                fifth = np.where(degree == left_out, fifth[-1] + position, fifth)
        else:
            return pitch
        index = self.traditions.index
        return np.array([index.get(spelling, -1) for spelling in zip(step, fifth, strict=True)], np.int32)

    def _merged(self, song: EncodedSong, pitch: np.ndarray) -> tuple[EncodedSong, np.ndarray]:
        """Repeated notes without a rest between them become one, if the vocabulary has its duration."""
        known = self.traditions.known.rhythms
        index = {rhythm: number for number, rhythm in enumerate(known)}
        kept, rhythms = [0], [int(song.rhythm[0])]
        for i in range(1, len(pitch)):
            sum_ = -1
            if pitch[i] == pitch[i - 1] and max(rhythms[-1], song.rhythm[i]) < len(known):
                before, after = known[rhythms[-1]], known[song.rhythm[i]]
                if not after.rest_before:
                    sum_ = index.get(Rhythm(before.rest_before, before.duration + after.duration), -1)
            if sum_ >= 0:
                rhythms[-1] = sum_
            else:
                kept.append(i)
                rhythms.append(int(song.rhythm[i]))
        beat = song.beat[[*kept, -1]]
        merged = EncodedSong(pitch, np.array(rhythms), song.phrase[kept], beat, song.signature, song.opening)
        return merged, pitch[kept]


def transpositions(vocabulary: Vocabulary, furthest: int = 6) -> np.ndarray:
    """The note that each note becomes when a song is transposed by 0, then by -furthest … furthest fifths.

    (transpositions, notes) integers; -1 where the vocabulary has no such note. Each transposition is to the nearest
    octave: a fifth up becomes a fourth down. The first row changes nothing.
    """
    spellings = list(zip(vocabulary.step, vocabulary.fifth, strict=True))
    index = {spelling: note for note, spelling in enumerate(spellings)}
    rows = []
    for fifths in [0, *(f for f in range(-furthest, furthest + 1) if f)]:
        steps = (4 * fifths + 3) % 7 - 3
        rows.append([index.get((step + steps, fifth + fifths), -1) for step, fifth in spellings])
    return np.array(rows)


def _table(values: list, change) -> np.ndarray:
    """The index of each changed value, (values + 1,): that of any other value where it is not among them."""
    index = {value: number for number, value in enumerate(values)}
    return np.array([*(index.get(change(value), len(values)) for value in values), len(values)], np.int32)


def _scaled_signature(signature: str, scale: Fraction) -> str:
    """3/4 with all times twice as long is 3/2."""
    if not bar_length(signature):
        return signature
    beats, unit = map(int, signature.split("/"))
    changed = Fraction(unit) / scale
    return f"{beats}/{changed}" if changed.denominator == 1 else ""
