"""M6 and M7: what of a memory the VAE keeps, and whether what is drawn from it is a memory like the real ones."""

from __future__ import annotations

import numpy as np

from evaluation import conditions
from evaluation.context import Context
from evaluation.report import row
from evaluation.statistics import interval_of, mmd, two_sample_test
from evaluation.steering import PAIR
from melody import memory

NEXT = 16  # notes that are foretold after a memory
ACTIVE = 0.01  # variance of a code's posterior mean (Burda, Grosse & Salakhutdinov 2016, section 5.2)


def interrupted(context: Context, region: str) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Memories taken within held-out songs, (count, memory), and how each song goes on: the next 16 notes.

    As those the VAE learns, they hold the last 96 entries of three songs; but the last song is cut off.
    """
    rng, start = context.rng("M6", region), len(context.vocabulary)
    songs = [song for song in context.part("test", region) if len(song) > NEXT + 1]
    entries, pairs = [], []
    for chosen in memory.sample_songs(len(songs), conditions.SONGS, context.sizes.states, rng):
        last = songs[chosen[-1]]
        cut = int(rng.integers(1, len(last) - NEXT))
        heard = [songs[s] for s in chosen[:-1]] + [last[:cut]]
        entries.append(memory.input_sequence(heard, range(conditions.SONGS), conditions.NOTES, start))
        pairs.append((last[cut : cut + NEXT], last[cut + 1 : cut + 1 + NEXT]))
    return memory.pack(context.state_encoder.encode(np.stack(entries))), [
        (read[: len(answer)].astype(np.int32), answer) for read, answer in pairs
    ]


def kept(context: Context, region: str) -> dict[str, np.ndarray]:
    """Bits on the next notes of each interrupted song from its memory, true and squeezed in several ways, (songs,)."""
    memories, pairs = interrupted(context, region)
    vae, components = context.vaes[region], conditions.principal(context, region)
    found = {
        "true": memories,
        conditions.ZERO: np.zeros_like(memories),
        conditions.OURS: vae.decode(vae.encode(memories)),
        conditions.PCA: components.inverse_transform(components.transform(memories)),
    }
    return {name: context.bits(pairs, context.unpack(rows)) for name, rows in found.items()}


def m6(context: Context) -> list[dict]:
    """Functional reconstruction: the share of what a memory is worth that its eight numbers keep."""
    lines = []
    for region in PAIR:
        bits, rng = kept(context, region), context.rng("M6", "interval", region)
        table = np.stack([bits[name] for name in ("true", conditions.ZERO, conditions.OURS, conditions.PCA)], axis=1)

        def share(rows: np.ndarray, column: int = 2) -> float:
            true, zero, squeezed = rows[:, [0, 1, column]].sum(axis=0)
            return 1 - (squeezed - true) / (zero - true)

        def ahead(rows: np.ndarray) -> float:
            return share(rows) - share(rows, 3)

        worth = (table[:, 1] - table[:, 0]).mean() / NEXT
        lines += [
            row(f"{region}: share kept of the {worth:.2f} bits a note that a memory is worth", share(table),
                interval=interval_of(share, table, rng, 1000), baselines={conditions.PCA: share(table, 3)}, must="≥ 0.60",
                aim="≥ 0.75", n=len(table)),
            row(f"{region}: share kept, less PCA-8", ahead(table), interval=interval_of(ahead, table, rng, 1000),
                must="≥ 0.05", n=len(table)),
        ]  # fmt: skip
    return lines


def m7(context: Context) -> list[dict]:
    """The codes: how many are used, whether latents are drawn where they lie, whether drawn memories look real."""
    lines = []
    for region in PAIR:
        vae, rng = context.vaes[region], context.rng("M7", region)
        real, again = (
            conditions.read(context, context.part(part, region), context.sizes.states, rng, once=True)
            for part in ("test", "validation")
        )
        count = len(real)
        active = vae.encode(real).var(axis=0) > ACTIVE
        distance, p = mmd(vae.codes(real, rng), vae.sample(count, rng), rng)
        fakes = {way: conditions.pool(context, way, region)[:count] for way in (conditions.OURS, conditions.PCA)} | {
            conditions.HELD_OUT: again
        }
        accuracy = {way: two_sample_test(real, fake, context.seed)[1] for way, fake in fakes.items()}
        lines += [
            row(f"{region}: active units of {vae.latent}", active.sum(), must="≥ 6", n=count),
            row(f"{region}: codes against what is drawn, MMD² {distance:.4f}: p", p, must="> 0.05", n=count),
            row(f"{region}: drawn memories told from real ones, accuracy", accuracy.pop(conditions.OURS), must="≤ 0.65",
                baselines=accuracy, n=2 * count),
        ]  # fmt: skip
    return lines


METRICS = {"M6": m6, "M7": m7}
