"""R1 to R9: whether composed songs have the bars, rhythms, phrases and endings of real ones.

A network that knows pitches alone has none of these figures. Songs that change their meter or have none are left out
of what needs bars, and counted in R2.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, wraps
from itertools import chain

import numpy as np

from evaluation import conditions, read_back
from evaluation import metrics as m
from evaluation import rhythm_metrics as r
from evaluation.classifier import RhythmClassifier
from evaluation.conditions import REAL, UNCONDITIONAL, VAE
from evaluation.context import CLASSES, OPENING, TWO, Context
from evaluation.report import Figure, Rows, around
from evaluation.rhythm_parts import OTHER, SHUFFLED, Part, add_as_real, distances, per_song, ratio, subjects
from melody import scoring
from melody.encoding import EncodedSong, decode

ANY_NOTE, CHANCE = "any note of real songs", "two real bars by chance"
SIGNATURES = {"china": ("2/4",), "deutschl": ("2/4", "4/4", "3/4", "6/8")}  # whose onsets are compared
PERCENTILES = (5, 25, 50, 75, 95)
WRITTEN = 5  # one of so many `sizes.windows` songs is written to files


def needs_rhythm(metric: Callable) -> Callable:
    """The metric; without rows for a network that knows pitches alone."""

    @wraps(metric)
    def measured(context: Context) -> list[dict]:
        if context.trained.record.shape.rhythms:
            return metric(context)
        logging.getLogger(__name__).warning("%s is left out: the network knows pitches alone", metric.__name__.upper())
        return []

    return measured


# Bars


def r1(context: Context) -> list[dict]:
    """Is every bar of every song full, also as music21 reads its files, and how much probability do masks remove?"""
    rows, vocabulary = Rows("R1"), context.trained.vocabulary
    for region, parts in subjects(context, rows):
        full, allowed = {}, {}
        for name, part in parts.items():
            if name != REAL:
                full[name] = ratio(per_song([r.is_full(decode(song, vocabulary)) for song in part.songs]), part.weights)
            allowed[name] = ratio(per_song(legal(context, part, part.songs)), part.weights)
        real, rng = parts[REAL], context.rng("R1", region)
        permuted = [song._replace(rhythm=rng.permutation(song.rhythm)) for song in real.songs]
        allowed[SHUFFLED] = ratio(per_song(legal(context, real, permuted)), real.weights)
        rows.add_all("songs_whose_bars_are_full", full, "≥ 1")
        rows.add_all("songs_that_the_bar_automaton_allows", allowed, "≥ 1")
        songs = [decode(song, vocabulary, "song") for song in parts[VAE].songs[: context.sizes.windows // WRITTEN]]
        for suffix, share in read_back.shares_of_full_songs(songs).items():
            rows.add(f"songs_whose_bars_are_full_in_{suffix}", VAE, Figure(share, len(songs)), "≥ 1")
        removed = {name: masked(context, name, parts[name].songs, region) for name in (VAE, UNCONDITIONAL)}
        for what in removed[VAE]:
            found = {name: ratio(masses[what], parts[name].weights) for name, masses in removed.items()}
            rows.add_all(f"probability_that_masks_remove_{what}", found, "≤ 0.02")
    return rows


def legal(context: Context, part: Part, songs: list[EncodedSong]) -> list[float]:
    """Whether the bar automaton allows each of the songs; nan for what in `part` is not in one meter."""
    automaton = context.trained.vocabulary.rhythm.automaton
    timed = zip(songs, part.timed, strict=True)
    return [np.nan if time is None else r.states(song, automaton) is not None for song, time in timed]


def masked(context: Context, condition: str, songs: list[EncodedSong], region: str) -> dict[str, np.ndarray]:
    """The probability that the masks of composing remove from the network's predictions, (songs, 2) sums and counts.

    The network reads the composed songs after the memories that they were composed from, without guidance.
    """
    automaton, memories = context.trained.vocabulary.rhythm.automaton, conditions.pool(context, condition, region)
    found = {name: np.zeros((len(songs), 2)) for name in ("rhythm", "end", "opening")}
    tokens, before = context.tokens(songs), context.unpack(memories)
    for s, (pitch, rhythm, _, opening) in scoring.log_probs(context.trained.network, tokens, before):
        states = r.states(songs[s], automaton)
        if states is not None:
            allowed, notes = automaton.legal[states[:-1]], len(states) - 1
            found["rhythm"][s] = (np.exp2(rhythm[:-1]) * ~allowed[:, :-1]).sum(), notes
            found["end"][s] = (np.exp2(pitch[:-1, -1]) * ~allowed[:, -1]).sum(), notes
            found["opening"][s] = np.exp2(opening[0, automaton.start < 0]).sum(), 1
    return found


def r2(context: Context) -> list[dict]:
    """Are the time signatures those of the region's real songs (total variation)? Which share is in one meter?"""
    rows = Rows("R2")
    for _, parts in subjects(context, rows, OTHER):
        found = distances(parts, lambda part: [[song.signature] for song in part.songs])
        rows.add_all("time_signatures_total_variation", found, "≤ 0.10")
        one_meter = {name: ratio(per_song([song is not None for song in part.timed]), part.weights)
                     for name, part in parts.items()}  # fmt: skip
        rows.add_all("songs_in_one_meter", one_meter)
    return rows


def r3(context: Context) -> list[dict]:
    """Do notes begin where they do in bars of real songs of the time signature (total variation)?"""
    rows = Rows("R3")
    for region, parts in subjects(context, rows, OTHER, SHUFFLED):
        for signature in SIGNATURES[region]:
            found = distances(parts, lambda part, sig=signature: [r.onset_positions(one, sig) for one in part.timed])
            if VAE in found and OTHER in found:
                target = f"≤ {found[OTHER].value + 0.03:.4g}"
                rows.add_all(f"onsets_in_{signature}_total_variation", found, target)
    return rows


def r4(context: Context) -> list[dict]:
    """Are the note values those of the region's real songs (total variation)?"""
    rows, table = Rows("R4"), r.quarters(context.trained.vocabulary)
    for _, parts in subjects(context, rows, OTHER):
        found = distances(
            parts, lambda part: [table[song.rhythm][np.isfinite(table[song.rhythm])] for song in part.songs]
        )
        rows.add_all("note_values_total_variation", found, "≤ 0.06")
    return rows


def r5(context: Context) -> list[dict]:
    """Does the rhythm of a bar equal that of 1, 2, 4 bars before as often as in real songs?"""
    rows = Rows("R5")
    for _, parts in subjects(context, rows, SHUFFLED):
        bars = list(chain(*(r.bar_rhythms(song) for song in parts[REAL].timed if song)))
        for distance in (1, 2, 4):
            found = {
                name: ratio(np.array([r.repeated_bars(song, distance) for song in part.timed]), part.weights)
                for name, part in parts.items()
            }
            chance = {CHANCE: Figure(r.chance_of_equal(bars), len(bars))}
            add_as_real(rows, f"bars_with_the_rhythm_of_{distance}_before", found | chance, 0.05)
    return rows


def r6(context: Context) -> list[dict]:
    """Are phrases as long as in real songs, and their last notes as long beside the others?"""
    rows, table = Rows("R6"), r.quarters(context.trained.vocabulary)
    for _, parts in subjects(context, rows):
        lengths = {
            name: np.concatenate([r.phrase_lengths(song) for song in part.songs]) for name, part in parts.items()
        }
        for percent in PERCENTILES:
            found = {
                name: Figure(np.percentile(some, percent), len(some)) for name, some in lengths.items() if len(some)
            }
            target = around(found[REAL].value, 1) if percent == 50 and REAL in found else None
            rows.add_all(f"notes_in_a_phrase_percentile_{percent}", found, target)
        figures = {}
        for name, part in parts.items():
            ends, others = (np.array([r.durations(song, table, last) for song in part.songs]) for last in (True, False))
            figures[name] = ratio(ends, part.weights, over=others)
        add_as_real(rows, "last_note_of_a_phrase_over_others", figures, 0.2, relative=True)
    return rows


def r7(context: Context) -> list[dict]:
    """Do notes of the tonic triad fall on strong beats, above the same notes in the rhythms of other songs?"""
    rows = Rows("R7")
    for region, parts in subjects(context, rows):
        found = {}
        for name, part in parts.items():
            rng = context.rng("R7", region)
            found[name] = ratio(per_song(r.triad_on_strong_beats(part.timed, context.vocabulary, rng)), part.weights)
        rows.add_all("tonic_triad_on_strong_beats", found, f"≥ {0.7 * found[REAL].value:.4g}")
    return rows


def r8(context: Context) -> list[dict]:
    """Is the last note the tonic, on the first beat, and longer than the mean note, as often as in real songs?"""
    rows = Rows("R8")
    for _, parts in subjects(context, rows):
        for k, measure in enumerate(("on_tonic", "on_downbeat", "longer_than_mean")):
            every = {name: [song and r.about_notes(song, context.vocabulary)[:, k] for song in part.timed]
                     for name, part in parts.items()}  # fmt: skip
            found = {
                name: ratio(per_song([np.nan if song is None else song[-1] for song in songs]), parts[name].weights)
                for name, songs in every.items()
            }
            notes = np.array([(0, 0) if song is None else (song.sum(), len(song)) for song in every[REAL]])
            add_as_real(rows, f"last_note_{measure}", found | {ANY_NOTE: ratio(notes, parts[REAL].weights)}, 0.05)
    return rows


@cache
def classifier(context: Context) -> RhythmClassifier:
    songs = {region: [*map(r.rhythm_line, context.encoded_of("training", region))] for region in TWO}
    labels = np.repeat([*songs], [*map(len, songs.values())]).tolist()
    return RhythmClassifier([*chain(*songs.values())], labels, context.vocabulary, OPENING)


def r9(context: Context) -> list[dict]:
    """Does the rhythm of the first 32 notes alone tell the region, as often as in real songs?"""
    rows = Rows("R9", notes=f"1-{OPENING}")
    for region, parts in subjects(context, rows):
        found = {}
        for name, part in parts.items():
            lines = m.openings([*map(r.rhythm_line, part.songs)], OPENING)
            right = np.full(len(part.songs), np.nan)
            long = [len(song.rhythm) >= OPENING for song in part.songs]
            if lines:
                right[long] = classifier(context).predict(lines) == CLASSES[region]
            found[name] = ratio(per_song(right), part.weights)
        add_as_real(rows, "classified_right_by_rhythm", found, 0.05)
    return rows


METRICS = {metric.__name__.upper(): needs_rhythm(metric) for metric in (r1, r2, r3, r4, r5, r6, r7, r8, r9)}
