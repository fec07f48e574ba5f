"""M4, M5 and M8: whether a memory makes the network compose, and expect, songs of its region, and no caricature."""

from __future__ import annotations

from functools import partial

import numpy as np

from evaluation import ways
from evaluation.baselines import KneserNey, bits
from evaluation.bench import EVERY, OPENING, THREE, TWO, WINDOW, Bench
from evaluation.metrics import MANNER, manner, openings
from evaluation.rows import AROUND, row
from evaluation.statistics import difference_interval, log_mean_exp, mean_interval
from melody import lstm
from melody.dataset import read_and_answer

PAIR = ("china", "deutschl")  # the regions that are set against each other
SAID = {region: label for label, region in TWO.items()}  # what the judge of two calls a region
BEGINNING = 8  # notes that are foretold from memories
BARS = {  # of M5: own memories against none, wrong ones against own, in bits a note
    "china": ("≥ 0.20", "≥ 0.30", "≥ 0.45", "≥ 0.70"),
    "deutschl": ("≥ 0.06", "≥ 0.10", "≥ 0.30", "≥ 0.70"),
}
TELLABLE = 0.75  # balanced accuracy on real songs below which no steering is claimed
FEW = 20  # held-out songs; fewer say nothing


def settings(bench: Bench) -> dict[str, float]:
    """The two guidances that composed songs are judged at: what people get, and none."""
    return {"default": bench.guidance, "without guidance": 0.0} if bench.guidance else {"default": 0.0}


# M4


def hits(bench: Bench, songs: list[np.ndarray], label: str, first: int = 0) -> np.ndarray:
    """Of each song, whether the judge of two calls its notes `first` … `first + 32` by this label."""
    return bench.two.calls(openings(songs, OPENING, first)) == label if songs else np.zeros(0, bool)


def m4(bench: Bench) -> list[dict]:
    """The steering rate: how often an independent judge hears the region in the first notes."""
    return [line for name, guidance in settings(bench).items() for line in _m4(bench, name, guidance)] + each_region(
        bench
    )


def _m4(bench: Bench, name: str, guidance: float) -> list[dict]:
    rng, lines, found = bench.rng("M4", name), [], {}
    for region, bar in zip(PAIR, ("≥ 0.90", "≥ 0.95"), strict=True):
        label = SAID[region]
        real = hits(bench, bench.part("test", label), label)
        for first, must in ((0, bar), (OPENING, "≥ 0.80")):
            rates = {
                way: hits(bench, ways.songs(bench, way, region, guidance), label, first) for way in ways.every(bench)
            }
            own = rates.pop(ways.OURS)
            if not first:
                found[region] = own
            lines.append(row(
                f"{region} called {label}, notes {first + 1}–{first + OPENING}, {name}", own.mean(), must=must,
                interval=mean_interval(own, np.ones(len(own)), rng), n=len(own),
                real=hits(bench, bench.part("test", label), label, first).mean(),
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
    return lines + three_ways(bench, name, guidance)


def three_ways(bench: Bench, name: str, guidance: float) -> list[dict]:
    """Germany, Han and Shanxi told apart by one judge: the mean of the three shares that are called by their name."""
    if any(region not in bench.vaes for region in THREE.values()):
        return []
    rng = bench.rng("three", name)

    def calls(songs, label):
        return bench.three.calls(openings(songs, OPENING)) == label

    found = {way: {label: calls(ways.songs(bench, way, region, guidance), label) for label, region in THREE.items()}
             for way in ways.every(bench)}  # fmt: skip
    real = {label: calls(bench.part("test", label), label) for label in THREE}
    means = {way: float(np.mean([called.mean() for called in shares.values()])) for way, shares in found.items()}
    ours = found[ways.OURS]
    spread = np.quantile([np.mean([rng.choice(called, len(called)).mean() for called in ours.values()])
                          for _ in range(1000)], (0.025, 0.975))  # fmt: skip
    lines = [row(f"deutschl, han, shanxi told apart, {name}", means.pop(ways.OURS), interval=spread, aim="≥ 0.70",
                 baselines=means, real=np.mean([called.mean() for called in real.values()]),
                 n=sum(map(len, ours.values())))]  # fmt: skip
    return lines + [
        row(f"{label} called {label}, of three, {name}", ours[label].mean(), real=real[label].mean(),
            interval=mean_interval(ours[label], np.ones(len(ours[label])), rng), n=len(ours[label]))
        for label in THREE
    ]  # fmt: skip


def each_region(bench: Bench) -> list[dict]:
    """Every region with a VAE against the songs around it: its ceiling on real songs, and what is reached.

    A bar is set only where real songs can be told apart: balanced accuracy of .75 or more on 20 songs or more.
    """
    lines = []
    for region in sorted(set(bench.vaes) - {EVERY}):
        judge, real = bench.judge_of(region), openings(bench.held_out(region), OPENING)
        if not real:
            continue

        def share(songs, region=region, judge=judge):
            return judge.calls(openings(songs, OPENING)) == region

        called = share(ways.songs(bench, ways.OURS, region))
        others = {
            "without guidance": share(ways.songs(bench, ways.OURS, region, 0.0)).mean(),
            ways.ZERO: share(ways.songs(bench, ways.ZERO, region)).mean(),
            ways.HELD_OUT: share(ways.songs(bench, ways.HELD_OUT, region)).mean(),
        }
        theirs = share(bench.held_out(region)).mean()
        ceiling = (theirs + 1 - share(bench.around("test", region) + bench.around("validation", region)).mean()) / 2
        told = ceiling >= TELLABLE and len(real) >= FEW
        lines.append(row(
            f"{region} {AROUND}: {len(real)} real songs told apart with {ceiling:.2f}",
            called.mean(), interval=mean_interval(called, np.ones(len(called)), bench.rng("region", region)),
            baselines=others, real=theirs, n=len(called), must=f"> {others[ways.ZERO]:.3f}" if told else None,
        ))  # fmt: skip
    return lines


# M5


def beginnings(bench: Bench, songs: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """What is read and to be foretold of the first notes of each song; that it ends there is not asked."""
    pairs = [read_and_answer(song[:BEGINNING], len(bench.vocabulary)) for song in songs]
    return [(read[:-1], answer[:-1]) for read, answer in pairs]


def by_memories(way: str, bench: Bench, songs: list[np.ndarray], region: str | None) -> np.ndarray:
    """Bits for the first notes of each song, (songs,), from memories of a region; None: from no memory.

    Each song draws some memories; its probability is the mean of what it is given from each of them.
    """
    pairs = beginnings(bench, songs)
    if region is None:
        return bench.bits(pairs)
    rng, memories, each = bench.rng("M5"), ways.pool(bench, way, region), bench.sizes.memories
    drawn = np.concatenate([rng.choice(len(memories), each, replace=False) for _ in songs])
    found = bench.bits([pair for pair in pairs for _ in range(each)], bench.unpack(memories[drawn]))
    return -log_mean_exp(-found.reshape(len(songs), each), axis=1)


def by_caricature(bench: Bench, songs: list[np.ndarray], region: str | None) -> np.ndarray:
    """The same by Kneser-Ney of one region's songs; None: of all songs."""
    songs = [song[:BEGINNING] for song in songs]
    model = KneserNey(bench.part("training", region or EVERY), len(bench.vocabulary), 4)
    return np.add.reduceat(bits(model.probabilities(songs), songs), np.cumsum([0, *map(len, songs[:-1])]))


def by_token(bench: Bench, songs: list[np.ndarray], region: str | None) -> np.ndarray:
    """The same by the network that is told regions; None: told that there is none.

    A region of several collections is told by each, as likely as a training song of the region is of that one.
    """
    numbers, counts = np.unique(bench.told("training", region) if region else [0], return_counts=True)
    pairs = [pair for pair in beginnings(bench, songs) for _ in numbers]
    found = lstm.song_bits(bench.token.network, pairs, told=np.tile(numbers, len(songs)))
    totals = np.array([song.sum() for song in found]).reshape(len(songs), len(numbers))
    return -np.logaddexp2.reduce(np.log2(counts / counts.sum()) - totals, axis=1)


FORETELLERS = {way: partial(by_memories, way) for way in ways.MEMORIES if way != ways.ZERO}
FORETELLERS |= {ways.CARICATURE: by_caricature, ways.TOKEN: by_token}


def saved(without: dict[str, np.ndarray], having: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What each way saves of the bits that it needs without."""
    return {way: without[way] - having[way] for way in having}


def m5(bench: Bench) -> list[dict]:
    """Likelihood steering: what a region's memories save its held-out songs, and what the wrong region's cost them.

    What is saved hangs on what was needed without, which each way has its own of; so the bits stand beside it, and
    what is saved against memories of all songs: who foretells by all songs and then learns the region, no more, saves
    at most -log2(the region's share of all songs) bits of a beginning there.
    """
    lines = []
    for region, wrong in (PAIR, PAIR[::-1]):
        rng, songs = bench.rng("M5", region), bench.part("test", region)
        songs = [songs[k] for k in rng.permutation(len(songs))[: bench.sizes.scored]]
        counts = np.array([len(song[:BEGINNING]) for song in songs])
        share = len(bench.places("training", region)) / len(bench.split["training"])
        most = -np.log2(share) * len(songs) / counts.sum()
        own, none, other, every = (
            {way: foretell(bench, songs, asked) for way, foretell in FORETELLERS.items() if way in ways.every(bench)}
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
                f"{region}: {what}, bits a note", means.pop(ways.OURS), must=must, aim=aim, clear=must is not None,
                interval=mean_interval(found[ways.OURS], counts, rng), baselines=means, n=len(songs),
            ))  # fmt: skip
    return lines


# M8


def m8(bench: Bench) -> list[dict]:
    """Means that tell the regions apart, which a caricature overshoots: within a fifth of the real difference."""
    real = {region: manner(openings(bench.part("test", region), WINDOW), bench.vocabulary) for region in PAIR}
    apart = np.abs(real[PAIR[0]].mean(axis=0) - real[PAIR[1]].mean(axis=0))
    lines = []
    for name, guidance in settings(bench).items():
        for region in PAIR:
            found = {
                way: manner(openings(ways.songs(bench, way, region, guidance), WINDOW), bench.vocabulary)
                for way in ways.every(bench)
            }
            ours, rng = found.pop(ways.OURS), bench.rng("M8", region, name)
            for k, measure in enumerate(MANNER):
                middle, room = real[region][:, k].mean(), 0.2 * apart[k]
                lines.append(row(
                    f"{region}: {measure}, {name}", ours[:, k].mean(), real=middle, n=len(ours),
                    interval=mean_interval(ours[:, k], np.ones(len(ours)), rng),
                    baselines={way: theirs[:, k].mean() for way, theirs in found.items()},
                    must=f"{middle - room:.4f} … {middle + room:.4f}",
                ))  # fmt: skip
    return lines


METRICS = {"M4": m4, "M5": m5, "M8": m8}
