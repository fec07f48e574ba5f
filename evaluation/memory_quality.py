"""M6, M7 and E5: what the VAE keeps of a memory, whether its samples are like real memories, and how they differ."""

from __future__ import annotations

import numpy as np

from evaluation import conditions
from evaluation.context import PAIR, Context
from evaluation.report import Figure, Rows
from evaluation.statistics import bootstrap_weights, interval, interval_of, mmd, two_sample_test
from evaluation.statistics import intraclass_correlation as icc
from melody import encoding, memory, scoring
from melody.encoding import EncodedSong
from melody.key import find_key

NEXT = 16  # notes that are predicted after a memory
ACTIVE = 0.01  # variance of a code's posterior mean (Burda, Grosse & Salakhutdinov 2016, section 5.2)
TRUE = "real memory"
SWAPPED, SHRUNK = "planted fault: states of two memories mixed", "planted fault: 0.75 of the distance from the mean"
ICC_FEATURES = ("first_note", "minor_mode", "range", "mean_interval", "bar_length", "mean_duration")
SQUEEZED = (conditions.VAE, conditions.PCA_8, conditions.PCA_32)


def continuations(context: Context, region: str):
    """Memories taken within real songs, (count, memory), the next 16 notes of each song, and the song's group.

    As those the VAE learns they hold the last entries of some songs; but the last song is always cut off.
    """
    rng, how = context.rng("M6", region), context.records[region].memories
    indices = [s for s in context.indices(context.part, region) if len(context.encoded[s].pitch) > NEXT + 1]
    encoded = [context.encoded[s] for s in indices]
    songs = context.tokens(encoded)
    entries, pairs, groups = [], [], []
    for chosen in conditions.choose(context, encoded, how, context.sizes.continued, rng):
        inputs, targets = songs[chosen[-1]]
        cut = int(rng.integers(1, len(inputs) - 1 - NEXT)) + 1
        read = [songs[k][0] for k in chosen[:-1]] + [inputs[:cut]]
        entries.append(memory.input_sequence(read, how["notes"]))
        pairs.append((inputs[cut : cut + NEXT], targets[cut : cut + NEXT]))
        groups.append(context.groups[indices[chosen[-1]]])
    return memory.pack(context.state_encoder.encode(np.stack(entries))), pairs, groups


def m6(context: Context) -> list[dict]:
    """Functional reconstruction: of what a memory is worth over the mean memory, which share survives the VAE?"""
    rows = []
    for region in PAIR:
        memories, pairs, groups = continuations(context, region)
        models = {conditions.VAE: context.vaes[region]}
        models |= {name: conditions.components(context, region, size) for name, size in conditions.PCA_SIZES.items()}
        mean = np.repeat(conditions.pool(context, conditions.MEAN, region)[:1], len(memories), axis=0)
        decoded = {TRUE: memories, conditions.MEAN: mean}
        decoded |= {name: model.decode(model.encode(memories)) for name, model in models.items()}
        bits = {
            name: np.nansum(
                scoring.information_content(context.trained.network, pairs, context.unpack(one)), axis=(1, 2)
            )
            for name, one in decoded.items()
        }
        rows += reconstruction_rows(bits, bootstrap_weights(groups, context.rng("M6 interval", region)), region)
    return rows


def reconstruction_rows(bits: dict[str, np.ndarray], weights: np.ndarray, region: str) -> list[dict]:
    """From the bits of the next notes of each song, (songs,), and the bootstrap weights of the songs."""
    rows, n = Rows("M6", region=region), len(bits[TRUE])
    weights = np.concatenate([np.ones((1, n)), weights])  # the first row gives the value itself
    worth = weights @ (bits[conditions.MEAN] - bits[TRUE])
    preserved = {name: 1 - weights @ (bits[name] - bits[TRUE]) / worth for name in SQUEEZED}

    def figure(values: np.ndarray) -> Figure:
        return Figure(values[0], n, interval(values[1:]))

    rows.add("bits_per_note_worth_over_mean_memory", TRUE, figure(worth / weights.sum(axis=1) / NEXT))
    rows.add_all("share_of_worth_kept", {name: figure(values) for name, values in preserved.items()})
    for name, target, aim in ((conditions.PCA_8, "≥ 0", None), (conditions.PCA_32, None, "≥ 0")):
        rows.add(
            f"share_minus_{name}", conditions.VAE, figure(preserved[conditions.VAE] - preserved[name]), target, aim
        )
    return rows


def planted_faults(memories: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Real memories spoilt in two ways that leave all means, and in the first case all single numbers, as they were.

    In one, the lower and the upper half of the states come from two memories; in the other each is moved to the mean.
    """
    half = memories.shape[1] // 2
    mixed = np.concatenate([memories[:, :half], rng.permutation(memories)[:, half:]], axis=1)
    middle = memories.mean(axis=0)
    return {SWAPPED: mixed, SHRUNK: (middle + 0.75 * (memories - middle)).astype(memories.dtype)}


def m7(context: Context) -> list[dict]:
    """Are codes used, are they sampled where they lie, and can a classifier tell sampled from real memories?"""
    return [line for region in PAIR for line in sample_rows(context, region)]


def sample_rows(context: Context, region: str) -> list[dict]:
    vae, rng = context.vaes[region], context.rng("M7", region)
    real, again = (
        conditions.read(context, region, context.encoded_of(part, region), context.sizes.continued, rng, distinct=True)
        for part in (context.part, context.other_part)
    )
    n, scale = len(real), np.maximum(conditions.pool(context, conditions.TRAINING, region).std(axis=0), 1e-6)
    sampled = {
        name: rng.permutation(conditions.pool(context, name, region))[:n] for name in (*SQUEEZED, conditions.GAUSSIAN)
    } | {conditions.HELD_OUT: again}
    variance, rows = (real / scale).var(axis=0).sum(), Rows("M7", region=region)
    active, p = (vae.encode(real).var(axis=0) > ACTIVE).sum(), mmd(vae.codes(real, rng), vae.sample(n, rng), rng)[1]
    rows.add("active_units", conditions.VAE, Figure(active, n), f"≥ {vae.latent - 2}")
    rows.add("p_of_codes_against_sampled_latents_mmd", conditions.VAE, Figure(p, n), "> 0.05")
    variances = {name: (memories / scale).var(axis=0).sum() / variance for name, memories in sampled.items()}
    rows.add_all("variance_over_real", {name: Figure(one, n) for name, one in variances.items()}, "0.85 to 1.15")
    for name, memories in (sampled | planted_faults(again, rng)).items():
        auc = Figure(two_sample_test(real, memories, context.seed), n + len(memories))
        rows.add("two_sample_auc", name, auc, {conditions.VAE: "≤ 0.75", SHRUNK: "≥ 0.75"}.get(name))
    return rows


def latent_features(context: Context, songs: list[EncodedSong]) -> np.ndarray:
    """(songs, features): what may differ between latents; bars and durations in quarter notes, pitches in semitones."""
    rows, midi = [], np.array(context.vocabulary.midi)
    for encoded in songs:
        song, pitch = encoding.decode(encoded, context.trained.vocabulary), midi[encoded.pitch]
        is_minor = find_key(song.pitch, song.duration)[:1].islower()
        sizes = np.abs(np.diff(pitch)).sum() / max(len(pitch) - 1, 1)
        rows.append([pitch[0], is_minor, np.ptp(pitch), sizes, song.bar[0], np.mean(song.duration)])
    return np.array(rows, float)


def e5(context: Context) -> list[dict]:
    """Variety: which share of the variance of songs lies between latents rather than between songs of one latent?"""
    rows, count, each = Rows("E5", guidance=context.guidance), context.sizes.latents, context.sizes.songs_per_latent
    names = (conditions.VAE, conditions.MEAN, conditions.TRAINING, conditions.PCA_8, conditions.PCA_32)
    for region in PAIR:
        weights = bootstrap_weights(range(count), context.rng("E5", region), rounds=context.sizes.rounds)
        values = {}
        for name in names:
            pool = conditions.pool(context, name, region)
            memories = np.repeat(pool[np.linspace(0, len(pool) - 1, count).astype(int)], each, axis=0)
            songs = conditions.from_memories(context, memories, context.guidance, context.temperature)
            values[name] = latent_features(context, songs).reshape(count, each, -1)
        for k, feature in enumerate(ICC_FEATURES):
            figures = {
                name: Figure(icc(one[..., k]), count * each, interval_of(icc, one[..., k], weights))
                for name, one in values.items()
            }
            rows.add_all(f"icc_{feature}", figures, "≥ 0.15", region=region)
    return rows


METRICS = {"M6": m6, "M7": m7, "E5": e5}
