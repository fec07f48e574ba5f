"""What is measured, laid out once: the songs of each part and region, the network, its VAEs, judges, sizes, draws."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np

from evaluation.classifier import StyleClassifier
from evaluation.metrics import Songs
from melody import lstm, memory, regions, sampling, scoring
from melody.dataset import Dataset

OPENING = 32  # notes that the judges hear
WINDOW = 48  # notes of a song that form and manner are measured on
EVERY = regions.ALL  # the region of all songs
TWO = {"china": "china", "europa": "deutschl"}  # what the first judge says: the region that is composed for it
THREE = {"deutschl": "deutschl", "han": "han", "shanxi": "shanxi"}


@dataclass(frozen=True)
class Sizes:
    """How much is drawn and read; the full run's, or the quick one's."""

    songs: int  # composed for each region in each way
    memories: int  # that a held-out song is foretold from (M5)
    scored: int  # held-out songs of a region that are foretold from memories, at most
    states: int  # memories compared with each other (M6, M7)
    learnt: int  # memories that principal components are taken from
    judged: int  # windows that two sets are compared on (M11, M12), at most
    rounds: int  # of resampling where a figure is dear


FULL = Sizes(songs=1200, memories=32, scored=600, states=500, learnt=4000, judged=500, rounds=200)
QUICK = Sizes(songs=128, memories=8, scored=80, states=128, learnt=1000, judged=100, rounds=20)


@dataclass(eq=False)
class Context:
    """Everything that the metrics ask. `vaes` are by the name of their region."""

    songs: Dataset
    split: dict[str, list[int]]
    trained: lstm.TrainedNetwork
    vaes: dict
    sizes: Sizes
    seed: int
    temperature: float
    guidance: float
    length: int  # notes a song has at most
    token: lstm.TrainedNetwork | None = None  # the network that is told regions, see evaluation/token.py
    composed: dict = field(default_factory=dict)  # (way, region, guidance, temperature): songs

    def rng(self, *words: object) -> np.random.Generator:
        """A generator that follows from the seed and some words, so that no draw depends on what was drawn before."""
        return np.random.default_rng([self.seed, *" ".join(map(str, words)).encode()])

    def places(self, part: str, region: str = EVERY) -> list[int]:
        """Where the songs of a region in `training`, `validation` or `test` stand in the data."""
        names = self.songs.name
        return [s for s in self.split[part] if region == EVERY or regions.matches(names[s], region)]

    @cache  # noqa: B019  there is one context, as long as the run
    def part(self, part: str, region: str = EVERY) -> list[np.ndarray]:
        """The songs of a region in `training`, `validation` or `test`."""
        return self.songs.songs(self.places(part, region))

    def told(self, part: str, region: str = EVERY) -> np.ndarray:
        """What the token network is told of these songs, (songs,): their regions' numbers, 0 for an unknown one."""
        names = [self.songs.name[s] for s in self.places(part, region)]
        return np.array(regions.region_ids(names, self.token.record.regions))

    def held_out(self, region: str = EVERY) -> list[np.ndarray]:
        return self.part("test", region) + self.part("validation", region)

    @cache  # noqa: B019
    def around(self, part: str, region: str) -> list[np.ndarray]:
        """The other songs of the region's continent, when there are half as many; else of the whole collection."""
        names, inside = self.songs.name, {s for s, name in enumerate(self.songs.name) if regions.matches(name, region)}
        continents = {names[s].split("/")[0] for s in inside}
        near = {s for s, name in enumerate(names) if name.split("/")[0] in continents} - inside
        outside = near if 2 * len(near) >= len(inside) else set(range(len(names))) - inside
        return self.songs.songs(s for s in self.split[part] if s in outside)

    @cached_property
    def vocabulary(self):
        return self.songs.vocabulary

    @cached_property
    def two(self) -> StyleClassifier:
        """Says `china` or `europa`."""
        return self.judge(list(TWO))

    @cached_property
    def three(self) -> StyleClassifier:
        """Says `deutschl`, `han` or `shanxi`."""
        return self.judge(list(THREE))

    def judge(self, labels: list[str]) -> StyleClassifier:
        """A judge that has learnt from the training songs of some regions."""
        pieces = [(song, label) for label in labels for song in self.part("training", label)]
        return StyleClassifier([song for song, _ in pieces], [label for _, label in pieces], self.vocabulary, OPENING)

    @cache  # noqa: B019
    def judge_of(self, region: str) -> StyleClassifier:
        """Says the region's name, or `else`."""
        pieces = {region: self.part("training", region), "else": self.around("training", region)}
        return StyleClassifier([song for songs in pieces.values() for song in songs],
                     [label for label, songs in pieces.items() for _ in songs], self.vocabulary, OPENING)  # fmt: skip

    @cache  # noqa: B019
    def sampler(self, guided: bool, told: bool = False) -> sampling.Sampler:
        return sampling.Sampler((self.token if told else self.trained).network, guided)

    @cached_property
    def state_encoder(self) -> scoring.StateEncoder:
        return scoring.StateEncoder(self.trained.network)

    def unpack(self, memories: np.ndarray) -> list[np.ndarray]:
        """Memories, (count, memory), to the network's states, (count, units) each."""
        return memory.unpack(memories, len(self.trained.network.inputs) - 1)

    def bits(self, pairs: Songs, states=None) -> np.ndarray:
        """Bits that the network needs for all answers of each pair, (pairs,)."""
        return np.array([song.sum() for song in scoring.information_content(self.trained.network, pairs, states)])
