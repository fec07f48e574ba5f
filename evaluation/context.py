"""What is measured: songs by part and region, network, VAEs, classifiers, sizes and random numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import chain

import numpy as np

from evaluation.baselines import TOKEN
from evaluation.classifier import StyleClassifier
from evaluation.metrics import intervals
from evaluation.statistics import ROUNDS, bootstrap_weights
from melody import encoding, lstm, memory, regions, sampling, scoring
from melody.dataset import Dataset
from melody.encoding import EncodedSong
from melody.records import VaeRecord
from melody.split import near_duplicates
from melody.vocabulary import Vocabulary

OPENING = 32  # notes that classifiers see
WINDOW = 48  # notes of a song that features are computed on
EVERY = regions.ALL  # the region of all songs
PAIR = ("china", "deutschl")  # the regions that are compared with each other
CLASSES = {"china": "china", "deutschl": "europa"}  # the class of the two-way classifier that a region belongs to
TWO = tuple(CLASSES.values())
THREE = ("deutschl", "han", "shanxi")  # classes of the three-way classifier


@dataclass(frozen=True)
class Sizes:
    """How much is composed, read and resampled."""

    songs: int  # composed for each condition, region and guidance
    sets: int  # of memories and songs, seeded independently
    memories: int  # in each set that held-out songs are predicted from (M5)
    scored: int  # held-out songs of a region that are predicted from memories, at most (M5)
    continued: int  # memories compared with each other (M6, M7)
    fitted: int  # memories that PCA and the Gaussian are fitted to
    windows: int  # compared between two sets, at most (M11, M12)
    latents: int  # for the variance between latents (E5)
    songs_per_latent: int  # the same
    rounds: int  # of the bootstrap where a statistic is expensive


FULL = Sizes(600, 5, 3, 250, 500, 2000, 500, 60, 8, 200)
QUICK = Sizes(30, 3, 1, 30, 80, 150, 30, 8, 4, 20)


@dataclass(eq=False)
class Context:
    """Everything that the metrics use. `vaes` and `records` are by the name of their region."""

    songs: Dataset
    split: dict[str, list[int]]
    trained: lstm.TrainedNetwork
    vaes: dict
    records: dict  # `VaeRecord`s, with the settings of the memories
    part: str  # `validation` or `test`: the songs that are measured
    sizes: Sizes
    seed: int
    temperature: float
    guidance: float
    length: int  # notes a song has at most
    baselines: dict[str, lstm.TrainedNetwork] = field(default_factory=dict)  # by name, see evaluation/baselines.py

    def rng(self, *words: object) -> np.random.Generator:
        """A generator that depends on the seed and some words only, not on what was sampled before."""
        return np.random.default_rng([self.seed, *" ".join(map(str, words)).encode()])

    @property
    def token(self) -> lstm.TrainedNetwork | None:
        """The network with a control token."""
        return self.baselines.get(TOKEN)

    @property
    def other_part(self) -> str:
        """The held-out part that is not measured: real memories of held-out songs are read from it."""
        return "validation" if self.part == "test" else "test"

    @cached_property
    def guidances(self) -> tuple[float, ...]:
        """Composed songs are measured at the default guidance, and in a full run without guidance too."""
        return tuple(dict.fromkeys((self.guidance, 0.0)))[: 1 if self.sizes == QUICK else 2]

    def indices(self, part: str, region: str = EVERY) -> list[int]:
        """The indices of the songs of a region in a part of the split."""
        members = self.members(region)
        return [s for s in self.split[part] if s in members]

    @cache  # noqa: B019  there is one context, for the whole run
    def members(self, region: str) -> frozenset[int]:
        """The indices of all songs of a region: a constraint, or the name of a VAE's."""
        if region == EVERY:
            return frozenset(range(len(self.songs)))
        constraints = self.records[region].memories["regions"] if region in self.records else [region]
        return frozenset().union(*(regions.members(self.songs, constraint) for constraint in constraints))

    @cache  # noqa: B019
    def songs_of(self, part: str, region: str = EVERY) -> list[np.ndarray]:
        return self.songs.songs(self.indices(part, region))

    def record_of(self, region: str) -> VaeRecord:
        """The record of the region's VAE, or if it has none of the first one: for the settings of memories."""
        return self.records.get(region) or next(iter(self.records.values()))

    @cached_property
    def encoded(self) -> list[EncodedSong]:
        """All songs as integers of the network's vocabulary."""
        return encoding.encode(self.songs, self.trained.vocabulary)

    def encoded_of(self, part: str, region: str = EVERY) -> list[EncodedSong]:
        return [self.encoded[s] for s in self.indices(part, region)]

    def tokens(self, songs: Iterable[EncodedSong], vocabulary: Vocabulary | None = None) -> list[scoring.Tokens]:
        """What a network of a vocabulary, by default the network's, reads and predicts of songs."""
        vocabulary = vocabulary or self.trained.vocabulary
        return [(encoding.inputs(song, vocabulary), encoding.targets(song, vocabulary)) for song in songs]

    def real(self, region: str = EVERY) -> list[np.ndarray]:
        """The measured real songs of a region."""
        return self.songs_of(self.part, region)

    @cache  # noqa: B019
    def others(self, part: str, region: str) -> list[np.ndarray]:
        """The other songs of the region's continent if there are half as many, else of the whole collection."""
        names, inside = self.songs.name, self.members(region)
        continents = {names[s].split("/")[0] for s in inside}
        near = {s for s, name in enumerate(names) if name.split("/")[0] in continents} - inside
        outside = near if 2 * len(near) >= len(inside) else set(range(len(names))) - inside
        return self.songs.songs(s for s in self.split[part] if s in outside)

    def region_ids(self, part: str, region: str = EVERY) -> np.ndarray:
        """The control tokens of these songs, (songs,); 0 for a collection that the token network does not know."""
        names = [self.songs.name[s] for s in self.indices(part, region)]
        return np.array(regions.region_ids(names, self.token.record.regions))

    # Intervals

    @cached_property
    def groups(self) -> np.ndarray:
        """The group of near-duplicates of every song, (songs,)."""
        return near_duplicates(self.songs.intervals)

    def weights(self, indices: list[int], *words: object, rounds: int = ROUNDS) -> np.ndarray:
        """Bootstrap weights of real songs, (rounds, songs): groups of near-duplicates are resampled."""
        return bootstrap_weights(self.groups[indices], self.rng("bootstrap", *words), rounds=rounds)

    @cache  # noqa: B019
    def composed_weights(self, rounds: int = ROUNDS) -> np.ndarray:
        """Bootstrap weights of composed songs, (rounds, songs); one for all conditions, so differences are paired."""
        return bootstrap_weights(range(self.sizes.songs), self.rng("bootstrap composed"), self.set_of_song, rounds)

    @cached_property
    def set_of_song(self) -> np.ndarray:
        """The set of memory samples that each composed song belongs to, (sizes.songs,)."""
        return np.arange(self.sizes.songs) * self.sizes.sets // self.sizes.songs

    @cached_property
    def training_intervals(self) -> list[np.ndarray]:
        return intervals(self.songs_of("training"), self.vocabulary)

    # Classifiers and views on the networks

    @cached_property
    def vocabulary(self):
        return self.songs.vocabulary

    @cache  # noqa: B019
    def classifier(self, *regions: str) -> StyleClassifier:
        """Classifies songs as one of these regions; of one region, as this or `others`."""
        songs = {region: self.songs_of("training", region) for region in regions}
        if len(songs) == 1:
            songs["others"] = self.others("training", *regions)
        labels = np.repeat([*songs], [len(members) for members in songs.values()]).tolist()
        return StyleClassifier([*chain(*songs.values())], labels, self.vocabulary, OPENING)

    @cache  # noqa: B019
    def sampler(self, guided: bool, token: bool = False) -> sampling.Sampler:
        trained = self.token if token else self.trained
        return sampling.Sampler(trained.network, trained.vocabulary, guided)

    @cached_property
    def state_encoder(self) -> scoring.StateEncoder:
        return scoring.StateEncoder(self.trained.network)

    @cached_property
    def memory_size(self) -> int:
        return self.trained.record.shape.memory

    def unpack(self, memories: np.ndarray) -> list[np.ndarray]:
        """Memories, (count, memory), to the network's states, (count, units) each."""
        return memory.unpack(memories, len(self.trained.network.inputs) - 1)
