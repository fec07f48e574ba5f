"""A page on which a listener distinguishes real songs from composed ones: excerpts in random order, then the score.

The real songs are held-out ones of the reader's own copy of the collection. All excerpts are read from the network's
integers and written alike, without titles and phrases, so that they differ in nothing but the music.
"""

import base64
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from string import Template

import numpy as np

from evaluation.conditions import from_memories
from evaluation.context import Context
from melody import encoding
from melody.errors import UserError
from melody.key import notated_key
from melody.listen.page_html import PageSong, write_page
from melody.meter import bar_length
from melody.song import Song, onsets

EACH = 5  # real songs of each region, and as many composed ones
REGIONS = ("china", "deutschl")
BARS = 8  # of an excerpt, at most
TEMPO = 100.0  # quarter notes per minute
QUESTIONS = Path(__file__).with_name("listening.html")


def write_listening_page(folder: Path, context: Context) -> Path:
    """Write the page and return its path. Raises `UserError` if the collection has too few songs."""
    rng, songs, is_real = context.rng("listening"), [], []
    for region in REGIONS:
        songs += real_songs(context, region, rng) + composed_songs(context, region, rng)
        is_real += [True] * EACH + [False] * EACH
    order = rng.permutation(len(songs))
    entries = [
        PageSong(excerpt(songs[k], f"Excerpt {place}"), TEMPO, plain=True) for place, k in enumerate(order, start=1)
    ]
    questions = Template(QUESTIONS.read_text(encoding="utf-8")).substitute(key=hidden([is_real[k] for k in order], rng))
    return write_page(folder, "Real or composed?", entries, questions, "listening.html")


def real_songs(context: Context, region: str, rng: np.random.Generator) -> list[Song]:
    """Measured songs of a region that the network could have composed: in one meter, of known rhythms."""
    sampler, vocabulary = context.sampler(context.guidance != 0), context.trained.vocabulary
    found = [
        encoding.decode(song, vocabulary)
        for song in context.encoded_of(context.part, region)
        if sampler.can_continue(song)
    ]
    found = [song for song in found if bar_length(song.meter)]
    if len(found) < EACH:
        raise UserError(
            f"{len(found)} held-out songs of {region} are too few; read the collection: python preprocess.py"
        )
    return [found[k] for k in rng.permutation(len(found))[:EACH]]


def composed_songs(context: Context, region: str, rng: np.random.Generator) -> list[Song]:
    """Composed songs with bars, from the region's VAE."""
    vae = context.vaes[region]
    memories = vae.decode(vae.sample(4 * EACH, rng))
    encoded = from_memories(context, memories, context.guidance, context.temperature)
    found = [encoding.decode(song, context.trained.vocabulary) for song in encoded if len(song.pitch)]
    return [song for song in found if bar_length(song.meter)][:EACH]


def excerpt(song: Song, title: str) -> Song:
    """The first `BARS` full bars of a song, with the pickup, or the whole song if it is shorter."""
    end = song.pickup + BARS * float(bar_length(song.meter))
    count = sum(stop <= end + 1e-6 for _, stop in onsets(song))
    if count == len(song.pitch):
        kept = replace(song)
    else:
        notes = slice(count)
        parts = {name: getattr(song, name)[notes] for name in ("pitch", "duration", "rest_before", "beat", "bar")}
        kept = replace(song, **parts, rest_after=end - onsets(song)[count - 1][1])
    key = notated_key(kept.pitch, kept.duration)
    return replace(kept, name="", title=title, key=key, phrase=[False] * len(kept.pitch))


def hidden(is_real: Sequence[bool], rng: np.random.Generator) -> str:
    """The key in base64, so that no one reads it in the page by chance: the lowest bit of a random byte for each."""
    numbers = rng.integers(128, size=len(is_real)) * 2 + np.array(is_real)
    return base64.b64encode(bytes(numbers.tolist())).decode()
