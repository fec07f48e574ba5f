"""What a few songs of an unknown tradition bring: memories that are read, fitted memories, and fine-tuning (E4).

Contexts are those of the network before and after fine-tuning, by `BEFORE` and `AFTER`. Their training songs are those
that were read, their validation songs those that are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from evaluation import conditions
from evaluation import rhythm_metrics as r
from evaluation.context import EVERY, Context
from evaluation.report import Figure, Rows
from evaluation.statistics import interval, resampled_means
from melody import encoding, scoring
from melody.copies import CopyIndex
from melody.dataset import Dataset
from melody.encoding import EncodedSong
from melody.fitting import fit_offset
from melody.split import split_from_held_out

BEFORE, AFTER, NONE, READ, OTHERS = "before", "after", "without a memory", "the songs read", "other real songs"
FITTED = "fitted memories"
COMPOSED = 100  # songs of each network
MEASURED = 200  # other songs, and songs of the collection, at most
COPIED = 12  # notes in a row of a song that was read, from which on a composed song copies it
Contexts = dict[str, Context]


def memories_of(context: Context, count: int, steps: int, guidance: float, *words: str) -> np.ndarray:
    """Memories of the songs that were read, (count, memory); with `steps` > 0 fitted to these for a guidance."""
    songs = context.encoded_of("training")
    memories = conditions.read(context, EVERY, songs, count, context.rng("memories", *words))
    if not steps:
        return memories
    network, rng = context.trained.network, context.rng("fit", *words)
    return memories + fit_offset(network, context.tokens(songs), memories, steps, guidance, rng)


def conditions_of(contexts: Contexts, steps: int) -> dict[str, tuple]:
    """Each network with memories that are read, and with fitted ones: its context and the steps of fitting."""
    return {
        name + f", {FITTED}" * bool(fit): (context, fit) for name, context in contexts.items() for fit in (0, steps)
    }


def add_collection_bits(rows: Rows, contexts: Contexts, collection: Dataset) -> None:
    """Bits per note of validation songs of the collection, without a memory, and what they lose."""
    context, trained = contexts[BEFORE], contexts[BEFORE].trained
    known = encoding.encode(collection, trained.vocabulary)
    kept = context.rng("collection").permutation(split_from_held_out(collection, trained.held_out)["validation"])
    songs = [known[s] for s in kept[:MEASURED]]
    bits = {name: bits_of(one, songs) for name, one in contexts.items()}
    for head, (_, counts) in bits[BEFORE].items():
        means = {name: bits[name][head][0].sum() / counts.sum() for name in contexts}
        rows.add_all(f"collection_{head}_bits_per_note", {name: Figure(one, len(songs)) for name, one in means.items()})
        lost = Figure(means[AFTER] - means[BEFORE], len(songs))
        rows.add(f"collection_{head}_bits_per_note_lost", AFTER, lost, "≤ 0.03")


def add_bits(rows: Rows, contexts: Contexts, steps: int) -> None:
    """Bits per note of the measured songs without a memory and, each after one memory, what is saved of them."""
    context = contexts[BEFORE]
    songs, weights = context.encoded_of("validation"), context.weights(context.indices("validation"), "E4")
    none, count = bits_of(context, songs), len(songs)
    found = {f"{name}, {NONE}": bits_of(one, songs) for name, one in contexts.items()}
    for name, (one, fit) in conditions_of(contexts, steps).items():
        found[name] = bits_of(one, songs, memories_of(one, count, fit, 0.0, "bits"))
    for head, (before, counts) in none.items():
        for name, bits in found.items():
            rows.add(f"{head}_bits_per_note", name, Figure(bits[head][0].sum() / counts.sum(), count))
            saved = before - bits[head][0]
            figure = Figure(saved.sum() / counts.sum(), count, interval(resampled_means(saved, counts, weights)))
            target = "≥ 0.15" if name.startswith(AFTER) else None
            rows.add(f"{head}_bits_per_note_saved", name, figure, target)


def bits_of(context: Context, songs: Sequence[EncodedSong], memories=None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For pitch and rhythm the bits of each song and its notes, (songs,) each; with `memories` each after its own."""
    states = None if memories is None else context.unpack(memories)
    bits = scoring.information_content(context.trained.network, context.tokens(songs), states)
    found = {}
    for k, head in enumerate(encoding.HEADS[: min(2, bits[0].shape[1])]):
        notes = [song[:-1, k] for song in bits]
        counts = np.array([np.isfinite(song).sum() for song in notes])
        found[head] = np.array([np.nansum(song) for song in notes]), counts
    return found


def add_distances(rows: Rows, contexts: Contexts, steps: int) -> None:
    """Total variation of composed songs, and of the songs that were read, from the measured ones; how many of them have
    a passage of the songs that were read; and how many of the measured songs in one meter could be composed."""
    context = contexts[BEFORE]
    midi, times = np.array(context.trained.vocabulary.midi), r.quarters(context.trained.vocabulary)
    parts = {READ: context.encoded_of("training"), "": context.encoded_of("validation")}
    for name, one in contexts.items():
        parts[f"{name}, {NONE}"] = conditions.encoded_songs(one, conditions.UNCONDITIONAL, EVERY)
    for name, (one, fit) in conditions_of(contexts, steps).items():
        memories = memories_of(one, COMPOSED, fit, one.guidance, "composed")
        parts[name] = conditions.from_memories(one, memories, one.guidance, one.temperature)
    kinds: dict[str, Callable[..., list[Hashable]]] = {
        "pitches": lambda song: midi[song.pitch].tolist(),
        "intervals": lambda song: np.diff(midi[song.pitch]).tolist(),
        "note_values": lambda song: times[song.rhythm][np.isfinite(times[song.rhythm])].tolist(),
        "time_signatures": lambda song: [song.signature],
    }
    for kind, values in kinds.items():
        counts = r.histograms(*([values(song) for song in songs] for songs in parts.values()))
        totals = dict(zip(parts, (one.sum(axis=0) for one in counts), strict=True))
        real = totals.pop("")
        figures = {name: Figure(r.total_variation(one, real), len(parts[name])) for name, one in totals.items()}
        rows.add_all(f"{kind}_total_variation", figures)
        for name in conditions_of(contexts, steps):
            ratio = Figure(figures[name].value / figures[BEFORE].value, figures[name].n)
            rows.add(f"{kind}_total_variation_against_before", name, ratio, "≤ 0.5" if name.startswith(AFTER) else None)
    index, real = CopyIndex.of(context.songs, context.indices("training")), context.indices("validation")
    copied = {OTHERS: Figure(np.mean([index.longest_of(context.songs, s) >= COPIED for s in real]), len(real))}
    for name in [name for name in parts if name.startswith((BEFORE, AFTER))]:
        vocabulary = contexts[name.partition(",")[0]].trained.vocabulary
        found = [index.longest(encoding.decode(song, vocabulary, name)) >= COPIED for song in parts[name]]
        copied[name] = Figure(np.mean(found), len(found))
    rows.add_all(f"songs_with_{COPIED}_notes_of_a_song_read", copied)
    allowed = {}
    for name, one in contexts.items():
        known, clock = one.trained.vocabulary.rhythm.automaton, r.Clock(one.trained.vocabulary)
        in_meter = [song for song in one.encoded_of("validation") if clock.read(song)]
        found = [r.states(song, known) is not None for song in in_meter]
        allowed[name] = Figure(np.mean(found), len(found))
    rows.add_all("songs_that_the_bar_automaton_allows", allowed)
