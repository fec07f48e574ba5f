"""M4, M5 and M8: whether a memory makes the network compose, and expect, songs of its region, and no caricature."""

from __future__ import annotations

from functools import partial

import numpy as np

from evaluation import conditions
from evaluation.context import EVERY, OPENING, THREE, TWO, WINDOW, Context
from evaluation.metrics import STYLE_FEATURES, openings, style_features
from evaluation.ngrams import KneserNey, bits
from evaluation.report import AROUND, row
from evaluation.statistics import difference_interval, log_mean_exp, mean_interval
from melody import scoring
from melody.batching import inputs_and_targets

PAIR = ("china", "deutschl")  # the regions that are set against each other
SAID = {region: label for label, region in TWO.items()}  # what the judge of two calls a region
BEGINNING = 8  # notes that are foretold from memories
BARS = {  # of M5: own memories against none, wrong ones against own, in bits a note
    "china": ("≥ 0.20", "≥ 0.30", "≥ 0.45", "≥ 0.70"),
    "deutschl": ("≥ 0.06", "≥ 0.10", "≥ 0.30", "≥ 0.70"),
}
TELLABLE = 0.75  # balanced accuracy on real songs below which no steering is claimed
FEW = 20  # held-out songs; fewer say nothing


def settings(context: Context) -> dict[str, float]:
    """The two guidances that composed songs are judged at: what people get, and none."""
    return {"default": context.guidance, "without guidance": 0.0} if context.guidance else {"default": 0.0}


# M4


def hits(context: Context, songs: list[np.ndarray], label: str, first: int = 0) -> np.ndarray:
    """Of each song, whether the judge of two calls its notes `first` … `first + 32` by this label."""
    return context.two.calls(openings(songs, OPENING, first)) == label if songs else np.zeros(0, bool)


def m4(context: Context) -> list[dict]:
    """The steering rate: how often an independent judge hears the region in the first notes."""
    return [
        line for name, guidance in settings(context).items() for line in _m4(context, name, guidance)
    ] + each_region(context)


def _m4(context: Context, name: str, guidance: float) -> list[dict]:
    rng, lines, found = context.rng("M4", name), [], {}
    for region, bar in zip(PAIR, ("≥ 0.90", "≥ 0.95"), strict=True):
        label = SAID[region]
        real = hits(context, context.part("test", label), label)
        for first, must in ((0, bar), (OPENING, "≥ 0.80")):
            rates = {
                way: hits(context, conditions.songs(context, way, region, guidance), label, first)
                for way in conditions.every(context)
            }
            own = rates.pop(conditions.OURS)
            if not first:
                found[region] = own
            lines.append(row(
                f"{region} called {label}, notes {first + 1}–{first + OPENING}, {name}", own.mean(), must=must,
                interval=mean_interval(own, np.ones(len(own)), rng), n=len(own),
                real=hits(context, context.part("test", label), label, first).mean(),
                baselines={way: rate.mean() for way, rate in rates.items()},
            ))  # fmt: skip
        apart = difference_interval((found[region], np.ones(len(found[region]))), (real, np.ones(len(real))), rng)
        lines.append(row(f"{region} called {label}, less real songs, {name}", found[region].mean() - real.mean(),
                         interval=apart, must="-0.05 … 0.05", n=len(found[region])))  # fmt: skip
    called = [
        (found["china"], np.ones(len(found["china"]))),
        (1.0 - found["deutschl"], np.ones(len(found["deutschl"]))),
    ]
    lines.insert(0, row(
        f"share called china: from china less from deutschl, {name}", called[0][0].mean() - called[1][0].mean(),
        interval=difference_interval(*called, rng), must="≥ 0.85", n=min(len(calls) for calls, _ in called),
    ))  # fmt: skip
    return lines + three_ways(context, name, guidance)


def three_ways(context: Context, name: str, guidance: float) -> list[dict]:
    """Germany, Han and Shanxi told apart by one judge: the mean of the three shares that are called by their name."""
    if any(region not in context.vaes for region in THREE.values()):
        return []
    rng = context.rng("three", name)

    def calls(songs, label):
        return context.three.calls(openings(songs, OPENING)) == label

    found = {way: {label: calls(conditions.songs(context, way, region, guidance), label) for label, region in THREE.items()}
             for way in conditions.every(context)}  # fmt: skip
    real = {label: calls(context.part("test", label), label) for label in THREE}
    means = {way: float(np.mean([called.mean() for called in shares.values()])) for way, shares in found.items()}
    ours = found[conditions.OURS]
    spread = np.quantile([np.mean([rng.choice(called, len(called)).mean() for called in ours.values()])
                          for _ in range(1000)], (0.025, 0.975))  # fmt: skip
    lines = [row(f"deutschl, han, shanxi told apart, {name}", means.pop(conditions.OURS), interval=spread, aim="≥ 0.70",
                 baselines=means, real=np.mean([called.mean() for called in real.values()]),
                 n=sum(map(len, ours.values())))]  # fmt: skip
    return lines + [
        row(f"{label} called {label}, of three, {name}", ours[label].mean(), real=real[label].mean(),
            interval=mean_interval(ours[label], np.ones(len(ours[label])), rng), n=len(ours[label]))
        for label in THREE
    ]  # fmt: skip


def each_region(context: Context) -> list[dict]:
    """Every region with a VAE against the songs around it: its ceiling on real songs, and what is reached.

    A bar is set only where real songs can be told apart: balanced accuracy of .75 or more on 20 songs or more.
    """
    lines = []
    for region in sorted(set(context.vaes) - {EVERY}):
        judge, real = context.judge_of(region), openings(context.held_out(region), OPENING)
        if not real:
            continue

        def share(songs, region=region, judge=judge):
            return judge.calls(openings(songs, OPENING)) == region

        called = share(conditions.songs(context, conditions.OURS, region))
        others = {
            "without guidance": share(conditions.songs(context, conditions.OURS, region, 0.0)).mean(),
            conditions.ZERO: share(conditions.songs(context, conditions.ZERO, region)).mean(),
            conditions.HELD_OUT: share(conditions.songs(context, conditions.HELD_OUT, region)).mean(),
        }
        theirs = share(context.held_out(region)).mean()
        ceiling = (theirs + 1 - share(context.around("test", region) + context.around("validation", region)).mean()) / 2
        told = ceiling >= TELLABLE and len(real) >= FEW
        lines.append(row(
            f"{region} {AROUND}: {len(real)} real songs told apart with {ceiling:.2f}",
            called.mean(), interval=mean_interval(called, np.ones(len(called)), context.rng("region", region)),
            baselines=others, real=theirs, n=len(called), must=f"> {others[conditions.ZERO]:.3f}" if told else None,
        ))  # fmt: skip
    return lines


# M5


def beginnings(context: Context, songs: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """What is read and to be foretold of the first notes of each song; that it ends there is not asked."""
    pairs = [inputs_and_targets(song[:BEGINNING], len(context.vocabulary)) for song in songs]
    return [(read[:-1], answer[:-1]) for read, answer in pairs]


def by_memories(way: str, context: Context, songs: list[np.ndarray], region: str | None) -> np.ndarray:
    """Bits for the first notes of each song, (songs,), from memories of a region; None: from no memory.

    Each song draws some memories; its probability is the mean of what it is given from each of them.
    """
    pairs = beginnings(context, songs)
    if region is None:
        return context.bits(pairs)
    rng, memories, each = context.rng("M5"), conditions.pool(context, way, region), context.sizes.memories
    drawn = np.concatenate([rng.choice(len(memories), each, replace=False) for _ in songs])
    found = context.bits([pair for pair in pairs for _ in range(each)], context.unpack(memories[drawn]))
    return -log_mean_exp(-found.reshape(len(songs), each), axis=1)


def by_caricature(context: Context, songs: list[np.ndarray], region: str | None) -> np.ndarray:
    """The same by Kneser-Ney of one region's songs; None: of all songs."""
    songs = [song[:BEGINNING] for song in songs]
    model = KneserNey(context.part("training", region or EVERY), len(context.vocabulary), 4)
    return np.add.reduceat(bits(model.probabilities(songs), songs), np.cumsum([0, *map(len, songs[:-1])]))


def by_token(context: Context, songs: list[np.ndarray], region: str | None) -> np.ndarray:
    """The same by the network that is told regions; None: told that there is none.

    A region of several collections is told by each, as likely as a training song of the region is of that one.
    """
    numbers, counts = np.unique(context.told("training", region) if region else [0], return_counts=True)
    pairs = [pair for pair in beginnings(context, songs) for _ in numbers]
    found = scoring.information_content(context.token.network, pairs, region_ids=np.tile(numbers, len(songs)))
    totals = np.array([song.sum() for song in found]).reshape(len(songs), len(numbers))
    return -np.logaddexp2.reduce(np.log2(counts / counts.sum()) - totals, axis=1)


FORETELLERS = {way: partial(by_memories, way) for way in conditions.MEMORIES if way != conditions.ZERO}
FORETELLERS |= {conditions.CARICATURE: by_caricature, conditions.TOKEN: by_token}


def saved(without: dict[str, np.ndarray], having: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What each way saves of the bits that it needs without."""
    return {way: without[way] - having[way] for way in having}


def m5(context: Context) -> list[dict]:
    """Likelihood steering: what a region's memories save its held-out songs, and what the wrong region's cost them.

    What is saved hangs on what was needed without, which each way has its own of; so the bits stand beside it, and
    what is saved against memories of all songs: who foretells by all songs and then learns the region, no more, saves
    at most -log2(the region's share of all songs) bits of a beginning there.
    """
    lines = []
    for region, wrong in (PAIR, PAIR[::-1]):
        rng, songs = context.rng("M5", region), context.part("test", region)
        songs = [songs[k] for k in rng.permutation(len(songs))[: context.sizes.scored]]
        counts = np.array([len(song[:BEGINNING]) for song in songs])
        share = len(context.places("training", region)) / len(context.split["training"])
        most = -np.log2(share) * len(songs) / counts.sum()
        own, none, other, every = (
            {
                way: foretell(context, songs, asked)
                for way, foretell in FORETELLERS.items()
                if way in conditions.every(context)
            }
            for asked in (region, None, wrong, EVERY)
        )
        for what, found, (must, aim) in (
            ("own memories against none", saved(none, own), BARS[region][:2]),
            (f"memories of {wrong} against own", saved(other, own), BARS[region][2:]),
            ("needed with own memories", own, (None, None)),
            ("needed without", none, (None, None)),
            (f"own memories against those of all songs, of {most:.3f} at most", saved(every, own), (None, None)),
        ):
            means = {way: theirs.sum() / counts.sum() for way, theirs in found.items()}
            lines.append(row(
                f"{region}: {what}, bits a note", means.pop(conditions.OURS), must=must, aim=aim, clear=must is not None,
                interval=mean_interval(found[conditions.OURS], counts, rng), baselines=means, n=len(songs),
            ))  # fmt: skip
    return lines


# M8


def m8(context: Context) -> list[dict]:
    """Means that tell the regions apart, which a caricature overshoots: within a fifth of the real difference."""
    real = {
        region: style_features(openings(context.part("test", region), WINDOW), context.vocabulary) for region in PAIR
    }
    apart = np.abs(real[PAIR[0]].mean(axis=0) - real[PAIR[1]].mean(axis=0))
    lines = []
    for name, guidance in settings(context).items():
        for region in PAIR:
            found = {
                way: style_features(
                    openings(conditions.songs(context, way, region, guidance), WINDOW), context.vocabulary
                )
                for way in conditions.every(context)
            }
            ours, rng = found.pop(conditions.OURS), context.rng("M8", region, name)
            for k, measure in enumerate(STYLE_FEATURES):
                middle, room = real[region][:, k].mean(), 0.2 * apart[k]
                lines.append(row(
                    f"{region}: {measure}, {name}", ours[:, k].mean(), real=middle, n=len(ours),
                    interval=mean_interval(ours[:, k], np.ones(len(ours)), rng),
                    baselines={way: theirs[:, k].mean() for way, theirs in found.items()},
                    must=f"{middle - room:.4f} … {middle + room:.4f}",
                ))  # fmt: skip
    return lines


METRICS = {"M4": m4, "M5": m5, "M8": m8}
