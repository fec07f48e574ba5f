"""The conditions under which the network composes: memories from the VAE, and what they are compared with.

A condition of `MEMORIES` has states that the network starts from; one of `COMPOSERS` composes songs without them.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from evaluation.context import EVERY, Context
from evaluation.ngrams import kneser_ney_songs
from evaluation.report import UNGUIDED
from melody import encoding, lstm, memory
from melody.descriptors import describe_all
from melody.encoding import EncodedSong

PRIMER_NOTES = 15  # real notes that primed songs continue
VAE, UNCONDITIONAL, MEAN, RANDOM = "VAE", "unconditional", "mean memory", "random songs"
TRAINING, HELD_OUT = "training songs", "held-out songs"
PCA_8, PCA_32, GAUSSIAN = "PCA-8", "PCA-32", "Gaussian"
PCA_SIZES = {PCA_8: 8, PCA_32: 32}
MEMORIES = (VAE, UNCONDITIONAL, MEAN, RANDOM, TRAINING, HELD_OUT, PCA_8, PCA_32, GAUSSIAN)
TOKEN, PRIMER, NGRAM, REAL = "control token", "primer", "n-gram of the region", "real songs"
ABOUT = {
    VAE: "memories sampled from the region's VAE",
    UNCONDITIONAL: "the network with its initial state zero",
    MEAN: "one constant vector, the mean of real memories of training songs of the region",
    RANDOM: "real memories of training songs of all regions",
    TRAINING: "real memories of training songs of the region",
    HELD_OUT: "real memories of songs of the region from the held-out part that is not measured",
    PCA_8: "8 standardized principal components of real memories with the VAE's mixture prior",
    PCA_32: "the same with 32 components",
    GAUSSIAN: "one Gaussian with full covariance (Ledoit & Wolf 2004) fitted to real memories",
    TOKEN: "a network of the same size that is given the collection as a token and has no memory",
    PRIMER: f"the network continues {PRIMER_NOTES} real notes of a training song",
    NGRAM: "Kneser-Ney 4 trained on the region alone, which overshoots the style",
    REAL: "the measured part of the collection",
}


class Components:
    """Principal components of standardized memories, with the mixture of Gaussians that the VAE has for its codes."""

    def __init__(self, memories: np.ndarray, count: int, mixture: int, seed: int):
        count = min(count, *memories.shape)
        self.scaler = StandardScaler().fit(memories)
        self.pca = PCA(count, svd_solver="randomized", random_state=seed).fit(self.scaler.transform(memories))
        codes = self.encode(memories)
        components = min(mixture, len(np.unique(codes, axis=0)))
        self.mixture = GaussianMixture(components, reg_covar=1e-4, random_state=seed).fit(codes)

    def encode(self, memories: np.ndarray) -> np.ndarray:
        return self.pca.transform(self.scaler.transform(memories)).astype(float)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        return self.scaler.inverse_transform(self.pca.inverse_transform(codes)).astype(np.float32)

    def sample(self, count: int, rng: np.random.Generator) -> np.ndarray:
        self.mixture.random_state = int(rng.integers(2**31))
        return self.decode(rng.permutation(self.mixture.sample(count)[0]))


@cache
def components(context: Context, region: str, count: int) -> Components:
    return Components(fitted(context, region), count, context.record_of(region).mixture, context.seed)


@cache
def fitted(context: Context, region: str) -> np.ndarray:
    """`sizes.fitted` memories of the region's training songs."""
    songs = context.encoded_of("training", region)
    return read(context, region, songs, context.sizes.fitted, context.rng("fit", region))


def sample_memories(context: Context, condition: str, region: str, count: int, rng: np.random.Generator) -> np.ndarray:
    """Memories of a condition, (count, memory)."""
    if condition == VAE:
        return context.vaes[region].decode(context.vaes[region].sample(count, rng))
    if condition == UNCONDITIONAL:
        return np.zeros((count, context.memory_size), np.float32)
    if condition == MEAN:
        return np.tile(pool(context, TRAINING, region).mean(axis=0), (count, 1))
    if condition in PCA_SIZES:
        return components(context, region, PCA_SIZES[condition]).sample(count, rng)
    if condition == GAUSSIAN:
        return from_gaussian(fitted(context, region), count, rng)
    part = context.other_part if condition == HELD_OUT else "training"
    return read(context, region, context.encoded_of(part, region), count, rng)


def from_gaussian(memories: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Samples of N(mean, (1 - s) S + s m I) of standardized memories, without forming the covariance S (n rows X):
    X'g / sqrt(n) has the covariance S when g is standard normal; m is the mean variance, 1."""
    rows = (scaler := StandardScaler().fit(memories)).transform(memories)
    shrinkage = ledoit_wolf_shrinkage(rows)
    varied = rng.standard_normal((count, len(rows))) @ rows / np.sqrt(len(rows))
    noise = rng.standard_normal((count, rows.shape[1]))
    mixed = np.sqrt(1 - shrinkage) * varied + np.sqrt(shrinkage * rows.var()) * noise
    return scaler.inverse_transform(mixed).astype(np.float32)


def read(
    context: Context,
    region: str,
    songs: list[EncodedSong],
    count: int,
    rng: np.random.Generator,
    distinct: bool = False,
) -> np.ndarray:
    """The memories, (count, memory), after reading random ones of these songs, with the settings of the region's VAE.

    `distinct`: no song is the last one of two memories, by which a classifier could know it; there may be fewer then.
    """
    how = context.record_of(region).memories
    count = min(count, len(songs)) if distinct else count
    last = rng.permutation(len(songs))[:count] if distinct else None
    chosen = choose(context, songs, how, count, rng, last)
    tokens = [encoding.inputs(song, context.trained.vocabulary) for song in songs]
    rows = memory.sample_inputs(tokens, chosen, how["notes"], how["mid_song_fraction"], rng)
    return memory.pack(context.state_encoder.encode(rows))


def choose(context: Context, songs: list[EncodedSong], how: dict, count: int, rng: np.random.Generator, last=None):
    """The indices of the songs that are read for each memory; `how` are the settings of memories."""
    descriptions = describe_all(songs, context.trained.vocabulary)
    return memory.sample_similar_songs(descriptions, how.get("similar", 0), how["songs"], count, rng, last)


@cache
def pool(context: Context, condition: str, region: str) -> np.ndarray:
    """The memories of a condition, (sizes.songs, memory), in `sizes.sets` sets with their own seeds."""
    region = EVERY if condition in (UNCONDITIONAL, RANDOM) else region
    return np.concatenate(
        [
            sample_memories(context, condition, region, int(count), context.rng("memories", condition, region, k))
            for k, count in enumerate(np.bincount(context.set_of_song))
        ]
    )


# Songs


def songs(
    context: Context, condition: str, region: str, guidance: float | None = None, temperature: float | None = None
) -> list[np.ndarray]:
    """The pitches of `encoded_songs`, (notes,) integers each."""
    return [song.pitch for song in encoded_songs(context, condition, region, guidance, temperature)]


def encoded_songs(
    context: Context, condition: str, region: str, guidance: float | None = None, temperature: float | None = None
) -> list[EncodedSong]:
    """The songs of a condition, `sizes.songs` of them, composed once; defaults are the context's.

    Songs of all memories use the same random numbers, so that conditions are compared song by song.
    """
    guidance = context.guidance if guidance is None else guidance
    temperature = context.temperature if temperature is None else temperature
    region = EVERY if condition in (UNCONDITIONAL, RANDOM) else region
    return _compose(context, condition, region, 0.0 if condition in UNGUIDED else guidance, temperature)


@cache
def _compose(context: Context, condition: str, region: str, guidance: float, temperature: float) -> list[EncodedSong]:
    if condition in COMPOSERS:
        return COMPOSERS[condition](context, region, context.rng(condition, region), temperature, guidance)
    return from_memories(context, pool(context, condition, region), guidance, temperature)


def from_memories(context: Context, memories: np.ndarray, guidance: float, temperature: float) -> list[EncodedSong]:
    """A song from each memory, (count, memory)."""
    generators, options = composing(context, len(memories), guidance, temperature)
    return context.sampler(guidance != 0).compose(context.unpack(memories), generators, **options)


def composing(context: Context, count: int, guidance: float, temperature: float):
    """The random numbers of `count` songs and the options of `Sampler.compose`: hundreds of songs are composed at once,
    so that leaving out those that have ended saves more than new graphs cost."""
    options = {"temperature": temperature, "guidance": guidance, "length": context.length}
    return context.rng("songs").spawn(count), options | {"window": 16, "min_batch": 4}


def primed(context: Context, region: str, rng: np.random.Generator, temperature: float, guidance: float):
    """The network continues the first notes of training songs; these notes are not part of the songs."""
    count, vocabulary, sampler = context.sizes.songs, context.trained.vocabulary, context.sampler(False)
    primers = [cut(song, PRIMER_NOTES) for song in context.encoded_of("training", region)]
    primers = [song for song in primers if len(song.pitch) == PRIMER_NOTES and sampler.can_continue(song)]
    chosen = [primers[k] for k in rng.integers(len(primers), size=count)]
    states = context.state_encoder.encode(np.stack([encoding.inputs(song, vocabulary)[:-1] for song in chosen]))
    _, options = composing(context, count, 0.0, temperature)
    return sampler.compose(states, rng.spawn(count), begun=chosen, **options)


def cut(song: EncodedSong, notes: int) -> EncodedSong:
    """The first notes of a song."""
    pitch, rhythm, phrase, beat, *rest = song
    return EncodedSong(pitch[:notes], rhythm[:notes], phrase[:notes], beat[: notes + 1], *rest)


def from_ngram(context: Context, region: str, rng: np.random.Generator, temperature: float, guidance: float):
    training = context.songs_of("training", region)
    songs = kneser_ney_songs(training, len(context.vocabulary), 4, context.sizes.songs, rng, context.length)
    return [encoding.pitches_alone(pitch) for pitch in songs]


def from_token(context: Context, region: str, rng: np.random.Generator, temperature: float, guidance: float):
    """Each song has the token of a random training song of the region, and no memory."""
    count = context.sizes.songs
    ids, states = context.region_ids("training", region), lstm.zero_states(context.token.network, count)
    generators, options = composing(context, count, guidance, temperature)
    return context.sampler(guidance != 0, token=True).compose(
        states, generators, region_ids=rng.choice(ids, count), **options
    )


COMPOSERS = {TOKEN: from_token, PRIMER: primed, NGRAM: from_ngram}


def available(context: Context) -> tuple[str, ...]:
    """All conditions; the control token only if its network has been trained."""
    return tuple(name for name in (*MEMORIES, *COMPOSERS) if name != TOKEN or context.token)
