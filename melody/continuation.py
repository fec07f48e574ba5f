"""A given tune that the network continues: read after the memory, and left out of the song or kept."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from melody import encoding
from melody.dataset import dataset_of
from melody.encoding import EncodedSong
from melody.errors import UserError
from melody.meter import Opening, closing_rest
from melody.sampling import Sampler
from melody.scoring import StateEncoder
from melody.song import Song, exact, with_bars
from melody.vocabulary import Vocabulary


class Continuation:
    """Continues one tune; with `keep` its notes are part of the songs.

    Raises `UserError` unless it is one tune, whose bars and rhythms the network can compose on from.
    """

    def __init__(
        self, tunes: Sequence[Song], sampler: Sampler, encoder: StateEncoder, vocabulary: Vocabulary, keep: bool
    ):
        if len(tunes) != 1:
            raise UserError(f"{len(tunes)} tunes were given to --continue; give a file of one")
        (tune,) = tunes
        (self.begun,) = encoding.encode(dataset_of([tune], vocabulary), vocabulary)
        if not sampler.can_continue(self.begun):
            raise UserError(f"{tune.name} cannot be continued: {_obstacle(self.begun, vocabulary)}")
        self.encoder, self.vocabulary, self.keep = encoder, vocabulary, keep
        self.tokens = encoding.inputs(self.begun, vocabulary)[:-1]  # the sampler reads the last note

    def states(self, memories: Sequence[np.ndarray] | None, count: int) -> list[np.ndarray]:
        """The states after all notes of the tune but the last, (count, units) each, from memories or from zero."""
        return self.encoder.encode(np.tile(self.tokens, (count, 1, 1)), memories)

    def decode(self, song: EncodedSong, name: str) -> Song:
        """The song that goes on as the sampler says; see `Sampler.compose`."""
        begun = self.begun
        parts = ((getattr(begun, field), getattr(song, field)) for field in ("pitch", "rhythm", "phrase"))
        whole = encoding.composed(self.vocabulary, begun.opening, *(np.concatenate(part) for part in parts))
        decoded = encoding.decode(whole, self.vocabulary, name)
        return decoded if self.keep else tail(decoded, len(begun.pitch))


def tail(song: Song, first: int) -> Song:
    """The song from the note with the index `first` on; what is left of its bar is the pickup, and a rest fills the
    last bar together with it."""
    notes = slice(first, None)
    fields = {field: getattr(song, field)[notes] for field in ("pitch", "duration", "rest_before", "phrase")}
    if not any(song.bar) or not song.pitch[notes]:
        return with_bars(replace(song, **fields, pickup=0.0, rest_after=0.0))
    length = exact(song.bar[first])
    pickup = (exact(song.rest_before[first]) - exact(song.beat[first])) % length
    end = (exact(song.beat[-1]) + exact(song.duration[-1])) % length
    rest = closing_rest(Opening(song.meter, pickup), end)
    return with_bars(replace(song, **fields, pickup=float(pickup), rest_after=float(rest)))


def _obstacle(tune: EncodedSong, vocabulary: Vocabulary) -> str:
    if tune.opening >= len(vocabulary.rhythm.openings):
        return "the network knows no song that opens with its time signature and pickup"
    if (tune.rhythm >= len(vocabulary.rhythm.rhythms)).any():
        return "it has a note or rest of a length that the network does not know"
    return "its bars are not full, or have rhythms where the network knows none"
