"""Ways to make the network compose in the manner of a region: the VAE's, those it is to beat, and those it cannot.

A way of memories gives the state that the network starts from; others compose songs by themselves. Further ways join
by an entry in `MEMORIES` or `COMPOSERS`.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from evaluation.context import EVERY, Context
from evaluation.ngrams import kneser_ney_songs
from melody import lookback, lstm, memory

SONGS, NOTES, WITHIN = 3, 96, 0.5  # of a memory: as stage 3's defaults
PRIMER, ANCESTOR_NOTES = 15, 100  # real notes that the ancestor's songs begin with; notes they go on for, at most
OURS, ZERO, RANDOM, HELD_OUT, PCA = "VAE", "zero state", "random songs", "held-out songs", "PCA-8 Gaussian"
ANCESTOR, CARICATURE, TOKEN = "primer of 15 notes", "Kneser-Ney 4 of the region", "region token"


def drawn(context: Context, region: str, count: int, rng: np.random.Generator) -> np.ndarray:
    """Memories that the region's VAE makes of latents drawn from it, (count, memory), as generate_song.py does."""
    vae = context.vaes[region]
    return vae.decode(vae.sample(count, rng))


def nothing(context: Context, region: str, count: int, rng: np.random.Generator) -> np.ndarray:
    return np.zeros((count, lstm.shape_of(context.trained.network).memory), np.float32)


def of_random_songs(context: Context, region: str, count: int, rng: np.random.Generator) -> np.ndarray:
    return read(context, context.part("training"), count, rng)


def of_held_out_songs(context: Context, region: str, count: int, rng: np.random.Generator) -> np.ndarray:
    """Real memories of validation songs of the region: what the VAE could give at best. Test songs are not in them."""
    return read(context, context.part("validation", region), count, rng)


def of_gaussian(context: Context, region: str, count: int, rng: np.random.Generator) -> np.ndarray:
    """Memories from a Gaussian on the first principal components of the memories that a VAE of the region learns."""
    components = principal(context, region)
    latents = rng.standard_normal((count, components.n_components_)) * np.sqrt(components.explained_variance_)
    return components.inverse_transform(latents).astype(np.float32)


MEMORIES = {OURS: drawn, ZERO: nothing, RANDOM: of_random_songs, HELD_OUT: of_held_out_songs, PCA: of_gaussian}


def read(
    context: Context, songs: list[np.ndarray], count: int, rng: np.random.Generator, once: bool = False
) -> np.ndarray:
    """The memories, (count, memory), that reading random ones of these songs leaves.

    `once`: no song is the last one of two memories, which a judge would know by it; there may be fewer then.
    """
    count = min(count, len(songs)) if once else count
    chosen = memory.sample_songs(len(songs), SONGS, count, rng)
    if once:
        chosen[:, -1] = rng.permutation(len(songs))[:count]
    rows = memory.sample_inputs(songs, chosen, NOTES, len(context.vocabulary), WITHIN, rng)
    return memory.pack(context.state_encoder.encode(rows))


@cache
def principal(context: Context, region: str):
    """As many principal components as the VAE has latents, of memories of the region's training songs."""
    from sklearn.decomposition import PCA

    rng = context.rng("principal", region)
    memories = read(context, context.part("training", region), context.sizes.learnt, rng)
    return PCA(context.vaes[region].latent, svd_solver="randomized", random_state=context.seed).fit(memories)


@cache
def pool(context: Context, way: str, region: str) -> np.ndarray:
    """The memories of a way, (context.sizes.songs, memory): all that is composed or foretold from it begins here."""
    region = EVERY if way in (ZERO, RANDOM) else region
    return MEMORIES[way](context, region, context.sizes.songs, context.rng("memories", way, region))


# Songs


def songs(
    context: Context, way: str, region: str, guidance: float | None = None, temperature: float | None = None
) -> list[np.ndarray]:
    """The songs of a way, `context.sizes.songs` of them, composed once; defaults are the context's."""
    guidance = context.guidance if guidance is None else guidance
    temperature = context.temperature if temperature is None else temperature
    if way in (ZERO, ANCESTOR, CARICATURE):
        guidance = 0.0  # there is nothing to be guided away from
    if way in (ZERO, RANDOM):
        region = EVERY
    key = way, region, guidance, temperature
    if key not in context.composed:
        context.composed[key] = _compose(context, *key)
    return context.composed[key]


def _compose(context: Context, way: str, region: str, guidance: float, temperature: float) -> list[np.ndarray]:
    rng, count = context.rng(way, region), context.sizes.songs
    if way in COMPOSERS:
        return COMPOSERS[way](context, region, count, rng, temperature, guidance)
    return context.sampler(guidance != 0).compose(
        context.unpack(pool(context, way, region)), rng.spawn(count),
        temperature=temperature, guidance=guidance, length=context.length,
    )  # fmt: skip


def primed(
    context: Context, region: str, count: int, rng: np.random.Generator, temperature: float, guidance: float
) -> list[np.ndarray]:
    """The ancestor's way: the network goes on from real notes of a training song. Songs without these notes."""
    beginnings = [song[:PRIMER] for song in context.part("training", region) if len(song) > PRIMER]
    chosen = np.stack([beginnings[k] for k in rng.integers(len(beginnings), size=count)])
    notes = len(context.vocabulary)
    read = np.column_stack([np.full(count, notes), chosen])
    states, looking = context.state_encoder.encode(read[:, :-1]), lookback.Lookback(count, notes)
    for entry in read.T:
        looking.append(entry)
    length = min(context.length, ANCESTOR_NOTES)
    draws = np.empty((count, length, 3), np.float32)
    draws[:] = 0.0, temperature, 0.0
    draws[..., 0] = rng.random((count, length))
    before = [looking.history.astype(np.float32), looking.match.astype(np.float32), *states]
    songs = np.asarray(context.sampler(False).model.predict_on_batch([draws, *before])[0])[..., 0].astype(int)
    return [song[: np.append(np.flatnonzero(song == notes), length)[0]] for song in songs]


def caricatured(
    context: Context, region: str, count: int, rng: np.random.Generator, temperature: float, guidance: float
) -> list[np.ndarray]:
    return kneser_ney_songs(context.part("training", region), len(context.vocabulary), 4, count, rng, context.length)


def told(
    context: Context, region: str, count: int, rng: np.random.Generator, temperature: float, guidance: float
) -> list[np.ndarray]:
    """The network that is told regions: each song that of a training song of the region, and no memory."""
    numbers = rng.choice(context.told("training", region), count)
    return context.sampler(guidance != 0, told=True).compose(
        lstm.zero_states(context.token.network, count), rng.spawn(count), region_ids=numbers,
        temperature=temperature, guidance=guidance, length=context.length,
    )  # fmt: skip


COMPOSERS = {ANCESTOR: primed, CARICATURE: caricatured, TOKEN: told}


def every(context: Context) -> tuple[str, ...]:
    """All ways; the region token only where its network is there."""
    return tuple(way for way in (*MEMORIES, *COMPOSERS) if way != TOKEN or context.token)
