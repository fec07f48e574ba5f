"""Where the memories of composed songs come from: a VAE, given songs, the memory of another song, or several of these.

A source gives a memory for each random number generator, (songs, memory) float32, and what the record of each song says
about it, such as the latent that was sampled.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from melody import encoding, memory, regions
from melody.atomic import load_json
from melody.cli import log
from melody.dataset import Dataset, dataset_of
from melody.descriptors import describe_all
from melody.errors import UserError
from melody.formats.song_files import find_songs
from melody.neighbors import MemoryNeighbors
from melody.provenance import files_fingerprint
from melody.records import VaeRecord
from melody.scoring import StateEncoder
from melody.song import check_record
from melody.source_flags import split_part

if TYPE_CHECKING:
    from melody.models import Models
    from vae.model import VAE

FEWEST = 5  # songs to read, below which it is said what to expect
Origins = list[dict[str, object]]


class Source(Protocol):
    """`shown` are the songs that it reads itself, which composed songs may copy."""

    shown: Sequence[Dataset]

    def memories(self, rngs: Sequence[np.random.Generator]) -> tuple[np.ndarray, Origins]: ...


class VaeSource:
    """Latents sampled from a VAE, decoded. With the real memories that it was trained on as `neighbors` the songs'
    records say which ones are nearest."""

    def __init__(self, vae: VAE, neighbors: MemoryNeighbors | None = None):
        self.vae, self.neighbors, self.shown = vae, neighbors, ()

    def memories(self, rngs: Sequence[np.random.Generator]) -> tuple[np.ndarray, Origins]:
        memories, origins = _decoded(self.vae, np.concatenate([self.vae.sample(1, rng) for rng in rngs]))
        if self.neighbors:
            styles = self.neighbors.nearest(memories)
            origins = [one | {"in_style_of": style} for one, style in zip(origins, styles, strict=True)]
        return memories, origins


class PlaneSource:
    """Latents sampled from a VAE, each moved to the same point of the latent plane, see `VAE.plane`."""

    def __init__(self, vae: VAE, point: Sequence[float]):
        self.vae, self.point, self.shown = vae, np.asarray(point), ()

    def memories(self, rngs: Sequence[np.random.Generator]) -> tuple[np.ndarray, Origins]:
        latents = np.concatenate([self.vae.sample(1, rng) for rng in rngs])
        return _decoded(self.vae, self.vae.plane().moved(latents, self.point))


class VariedSource:
    """The latent of another song, or latents at a distance from it in random directions; a distance of 1 is a standard
    deviation of N(0, 1) in the latent space."""

    def __init__(self, vae: VAE, latent: Sequence[float], distance: float):
        self.vae, self.latent, self.distance, self.shown = vae, np.asarray(latent, np.float32), distance, ()

    def memories(self, rngs: Sequence[np.random.Generator]) -> tuple[np.ndarray, Origins]:
        steps = np.stack([rng.standard_normal(self.latent.size, dtype="float32") for rng in rngs])
        steps *= self.distance / np.linalg.norm(steps, axis=1, keepdims=True)
        return _decoded(self.vae, self.latent + steps)


class SongsSource:
    """Real memories of given songs, without a VAE: the states of the network after reading `each` of them that are like
    each other (see `memory.sample_similar_songs`), the last one to its end, at most `notes` notes."""

    def __init__(self, encoder: StateEncoder, songs: Dataset, similar: int, each: int, notes: int):
        self.encoder, self.names, self.notes, self.shown = encoder, songs.name, notes, (songs,)
        encoded = encoding.encode(songs, songs.vocabulary)
        self.tokens = [encoding.inputs(song, songs.vocabulary) for song in encoded]
        self.how = describe_all(encoded, songs.vocabulary), similar, min(each, len(self.tokens))

    def memories(self, rngs: Sequence[np.random.Generator]) -> tuple[np.ndarray, Origins]:
        read = [memory.sample_similar_songs(*self.how, 1, rng) for rng in rngs]
        rows = [
            memory.sample_inputs(self.tokens, songs, self.notes, 0.0, rng)
            for songs, rng in zip(read, rngs, strict=True)
        ]
        states = self.encoder.encode(np.concatenate(rows))
        return memory.pack(states), [{"read": [self.names[s] for s in songs[0]]} for songs in read]


class MixedSource:
    """The weighted sum of memories of several sources. With weights that sum to less than 1 it lies nearer to zero, the
    initial state without a memory."""

    def __init__(self, weights: Sequence[float], sources: Sequence[Source]):
        self.weights, self.sources = weights, sources
        self.shown = [songs for source in sources for songs in source.shown]

    def memories(self, rngs: Sequence[np.random.Generator]) -> tuple[np.ndarray, Origins]:
        parts, origins = zip(*(source.memories(rngs) for source in self.sources), strict=True)
        mixed = np.tensordot(np.asarray(self.weights, np.float32), np.stack(parts), axes=1)
        return mixed, [{"mixed": list(parts)} for parts in zip(*origins, strict=True)]


def _decoded(vae: VAE, latents: np.ndarray) -> tuple[np.ndarray, Origins]:
    return vae.decode(latents), [{"latent": latent.tolist()} for latent in latents]


def load(args: argparse.Namespace, models: Models) -> tuple[Source, dict]:
    """The source that the flags of `melody.source_flags` name, and the fingerprints of its models or files.

    Raises `UserError` when something is missing or does not belong to the network.
    """
    vocabulary = models.trained.vocabulary

    def checked_vae(name: str, flags: str) -> tuple[VAE, VaeRecord]:
        vae, record = models.vae(name, flags)
        record.check_network(models.trained.fingerprint)
        if record.reach:
            log(args, record.reach.text(name, flags.startswith("--name")))
        return vae, record

    def of_files(patterns: Sequence[str]) -> tuple[Source, str]:
        files = find_songs(patterns)
        songs = models.read(files, vocabulary, partial(log, args), quiet=args.quiet)
        log(args, f"songs to read: {len(songs):,}, notes: {sum(len(song.pitch) for song in songs):,}")
        if len(songs) < FEWEST:
            log(args, f"fewer than {FEWEST} songs say little of a style: expect their meter, hardly their melodies")
        read = dataset_of(songs, vocabulary)
        how = args.memory_similar, args.memory_songs, args.memory_notes
        return SongsSource(models.encoder, read, *how), files_fingerprint(files)

    def of_part(name: str) -> tuple[Source, str]:
        if (args.weights / f"vae-{name}.json").exists() or not Path(name).exists():
            chosen = None if regions.is_free(name) else name.split("+")
            file = name if chosen is None else regions.file_name(chosen)
            vae, record = checked_vae(file, regions.flag(chosen, name))
            return VaeSource(vae), record.weights
        return of_files([name])

    if args.like:
        source, files = of_files(args.like)
        return source, {"files": files}
    if args.mix:
        names, weights = zip(*map(split_part, args.mix), strict=True)
        parts, fingerprints = zip(*map(of_part, names), strict=True)
        return MixedSource(weights, parts), {"vae": list(fingerprints)}
    if args.vary:
        return varied(args, checked_vae)
    vae, record = checked_vae(args.name, regions.flag(args.regions, args.name))
    if args.at:
        return PlaneSource(vae, args.at), {"vae": record.weights}
    real = models.neighbors(args.data / "memories" / f"{args.name}.h5")
    return VaeSource(vae, real), {"vae": record.weights}


def varied(args: argparse.Namespace, checked_vae: Callable[[str, str], tuple]) -> tuple[Source, dict]:
    """The source of `--vary`. Raises `UserError` if the song has no latent, or one of another VAE."""
    path = args.vary.with_suffix(".json")
    song = load_json(path, "python generate_song.py")
    check_record(song, path)
    latent, chosen = song.get("latent"), song.get("regions")
    if not isinstance(latent, list):
        raise UserError(
            f"{path} has no latent, since it was not composed from one memory of a VAE; it cannot be varied"
        )
    own = song.get("vae_of") or song.get("name", "")  # a varied song says of which VAE its memory is
    name = own if chosen is None else regions.file_name(chosen)
    vae, record = checked_vae(name, regions.flag(chosen, name))
    numbers = [number for number in latent if type(number) in (int, float) and math.isfinite(number)]
    if song.get("vae") != record.weights or not len(latent) == len(numbers) == vae.latent:
        raise UserError(f"{path} was composed from VAE {song.get('vae')}, not from {record.weights}; compose it again")
    return VariedSource(vae, latent, args.distance or 0.0), {"vae": record.weights, "vae_of": name}
