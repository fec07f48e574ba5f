"""E1 to E3: does a memory carry what was read, and not only the collection that it was read from?

Songs of one collection are parted by something that they share: mode, meter, genre, area. Memories of songs that share
it must help to predict held-out songs that share it, against memories of other songs of the same collection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from evaluation import conditions
from evaluation.context import EVERY, OPENING, Context
from evaluation.report import CLEAR, KIND, Figure, Rows
from evaluation.statistics import interval, resampled_means
from melody import encoding, memory, scoring
from melody.descriptors import MODES, mode_of
from melody.encoding import EncodedSong
from melody.key import find_key
from melody.regions import prefix
from melody.song import Song

REGION = "deutschl"  # whose songs are parted
OWN, OTHER, OWN_MEAN = KIND, "memories of another kind", "mean memory of the same kind"
VARIANT, SAME_COLLECTION = "memory of a variant", "memories of other songs of its collection"
POSITIONS = {"1": (0, 1), "1-8": (0, 8), "2-8": (1, 8), "9-32": (8, 32)}
METERS = ("6/8", "3/4")
FEWEST = 20  # measured songs of a genre or area
OTHERS = 8  # memories of other songs beside that of a variant
COMPOSED = (OWN, OTHER, OWN_MEAN, conditions.UNCONDITIONAL)


class Kind:
    """Songs of `REGION` of which `value(index)` is `name`, and those of which it is `other`, or anything else."""

    def __init__(
        self, context: Context, value: Callable[[int], str], name: str, other: str | None = None, label: str = ""
    ):
        self.context, self.name = context, label or name
        training = context.indices("training", REGION)
        self.own = [s for s in training if value(s) == name]
        self.other = [s for s in training if (value(s) != name if other is None else value(s) == other)]
        measured = [s for s in context.indices(context.part, REGION) if value(s) == name]
        self.measured = context.rng("kind", self.name).permutation(measured)[: context.sizes.scored].tolist()

    def memories(self, condition: str) -> np.ndarray:
        """Memories of a condition, (count, memory)."""
        context, count = self.context, self.context.sizes.sets * self.context.sizes.memories
        if condition == conditions.UNCONDITIONAL:
            return np.zeros((1, context.memory_size), np.float32)
        songs = [context.encoded[s] for s in (self.other if condition == OTHER else self.own)]
        rng = context.rng("kind", self.name, condition)
        if condition == OWN_MEAN:
            return conditions.read(context, REGION, songs, context.sizes.fitted, rng).mean(axis=0, keepdims=True)
        return conditions.read(context, REGION, songs, count, rng)

    def composed(self, condition: str) -> list[EncodedSong]:
        """Songs composed from memories of the condition, with the default guidance, `sizes.songs` of them."""
        context, rng = self.context, self.context.rng("kind songs", self.name, condition)
        count = context.sizes.songs
        if condition in (conditions.UNCONDITIONAL, OWN_MEAN):
            memories = np.repeat(self.memories(condition), count, axis=0)
        else:
            songs = [context.encoded[s] for s in (self.other if condition == OTHER else self.own)]
            memories = conditions.read(context, REGION, songs, count, rng)
        guidance = 0.0 if condition == conditions.UNCONDITIONAL else context.guidance
        return conditions.from_memories(context, memories, guidance, context.temperature)

    def likelihood_rows(self, metric: str, targets: dict[tuple[str, str], str]) -> list[dict]:
        """Bits per note of the measured songs, and of their openings; `targets` by head and notes are for what is saved
        against memories of another kind."""
        context, rows = self.context, Rows(metric, region=self.name)
        songs = [context.encoded[s] for s in self.measured]
        names = (OWN, OTHER, OWN_MEAN, conditions.UNCONDITIONAL)
        logs = {name: head_logs(context, songs, self.memories(name)) for name in names}
        weights = context.weights(self.measured, metric, self.name)
        lengths = np.array([len(song.pitch) for song in songs])
        for head, notes, (first, last) in parts(context):
            counts = np.clip(lengths - first, 0, last - first)
            bits = {name: bits_of_mixture(log[head][..., first:last]) for name, log in logs.items()}

            def figure(sums: np.ndarray, counts=counts) -> Figure:
                spread = interval(resampled_means(sums, counts, weights))
                return Figure(sums.sum() / counts.sum(), len(songs), spread)

            measure = "bits_of_opening" if head == "opening" else f"{head}_bits_per_note"
            rows.add_all(measure, {name: figure(one) for name, one in bits.items()}, notes=notes)
            saved = {OWN: figure(bits[OTHER] - bits[OWN]), OWN_MEAN: figure(bits[OTHER] - bits[OWN_MEAN])}
            rows.add_all(f"{measure}_saved_over_another_kind", saved, targets.get((head, notes)), notes=notes)
        return rows


def parts(context: Context) -> list[tuple[str, str, tuple[int, int]]]:
    """Head, notes and their positions, for each row."""
    found = [(head, notes, where) for head in ("pitch", "rhythm") for notes, where in POSITIONS.items()]
    if not context.trained.record.shape.rhythms:
        return [part for part in found if part[0] == "pitch"]
    return [("opening", "opening", (0, 1)), *found]


def head_logs(context: Context, songs: Sequence[EncodedSong], memories: np.ndarray) -> dict[str, np.ndarray]:
    """log2 probabilities of the first 32 notes by head, (songs, memories, 32) each; 0 where there is no target.

    `memories` are the same for each song, (memories, memory), or its own, (songs, memories, memory).
    """
    memories = np.broadcast_to(memories, (len(songs), *memories.shape[-2:]))
    tokens = [(read[:-1][:OPENING], wanted[:-1][:OPENING]) for read, wanted in context.tokens(songs)]
    repeated = [pair for pair in tokens for _ in range(memories.shape[1])]
    states = context.unpack(memories.reshape(len(repeated), -1))
    found = scoring.information_content(context.trained.network, repeated, states)
    logs = np.stack([np.pad(-np.nan_to_num(bits), ((0, OPENING - len(bits)), (0, 0))) for bits in found])
    logs = logs.reshape(*memories.shape[:2], OPENING, -1)
    return {head: logs[..., k] for k, head in enumerate(encoding.HEADS[: logs.shape[-1]])}


def bits_of_mixture(logs: np.ndarray) -> np.ndarray:
    """Bits of some notes under an even mixture of memories, (songs,); `logs` (songs, memories, notes) are log2."""
    return np.log2(logs.shape[1]) - np.logaddexp2.reduce(logs.sum(axis=2), axis=1)


def e1(context: Context) -> list[dict]:
    """Do memories of minor songs make minor songs? Do genre and area help, of which no training stream was made?"""
    mode = [MODES[mode_of(key)] for key in context.songs.key]
    minor, major = (Kind(context, mode.__getitem__, *names) for names in (("minor", "major"), ("major", "minor")))
    rows, vocabulary = Rows("E1", region="minor", guidance=context.guidance), context.trained.vocabulary

    def in_minor(songs: Sequence[Song]) -> np.ndarray:
        return np.array([find_key(song.pitch, song.duration)[:1].islower() for song in songs], float)

    composed = {name: minor.composed(name) for name in COMPOSED}
    shares = {name: in_minor([encoding.decode(song, vocabulary) for song in made]) for name, made in composed.items()}
    share_rows(context, rows, "share_in_minor", shares, "≥ 0.30", "≥ 0.45")
    for kind in (minor, major):
        found = in_minor([real_song(context, s) for s in kind.measured])
        rows.add("share_in_minor", f"real {kind.name} songs", Figure(found.mean(), len(found)))
    rows += minor.likelihood_rows("E1", {("pitch", "2-8"): "≥ 0.10"})
    return [*rows, *untrained_rows(context, "genre"), *untrained_rows(context, "area")]


def real_song(context: Context, s: int) -> Song:
    """Pitches and durations of a song."""
    songs, notes = context.songs, slice(*context.songs.start[s : s + 2])
    pitch, duration = songs.vocabulary.decode(songs.song(s)), songs.duration[notes].tolist()
    return Song(songs.name[s], pitch, duration, [0.0] * len(pitch), [False] * len(pitch))


def share_rows(
    context: Context, rows: Rows, measure: str, shares: dict[str, np.ndarray], target: str, aim=None
) -> None:
    """The shares of songs, and the difference between memories of the one kind and of the other."""
    weights = context.composed_weights()

    def figure(values: np.ndarray) -> Figure:
        return Figure(values.mean(), len(values), interval(resampled_means(values, np.ones(len(values)), weights)))

    rows.add_all(measure, {name: figure(values) for name, values in shares.items()})
    rows.add(f"{measure}_above_another_kind", OWN, figure(shares[OWN] - shares[OTHER]), target, aim)


def untrained_rows(context: Context, field: str) -> list[dict]:
    """Kinds that no training stream was made of: the largest genres or areas of the region."""
    values = getattr(context.songs, field)
    counts = Counter(values[s] for s in context.indices(context.part, REGION) if values[s])
    rows = []
    for value, count in counts.most_common(2):
        if count >= FEWEST:
            kind = Kind(context, values.__getitem__, value, label=f"{field} {value}")
            rows += kind.likelihood_rows("E1", {("pitch", "9-32"): CLEAR})
    return rows


def e2(context: Context) -> list[dict]:
    """Do memories of songs in 6/8 make songs in 6/8, against those of songs in 3/4?"""
    if not context.trained.record.shape.rhythms:
        return []
    own, other = METERS
    openings = list(context.trained.vocabulary.rhythm.openings)
    kind = Kind(context, context.songs.meter.__getitem__, own, other)
    rows = Rows("E2", region=own, guidance=context.guidance)

    def shares(songs: Sequence[EncodedSong]) -> np.ndarray:
        return np.array([openings[song.opening].time_signature == own for song in songs], float)

    shares = {name: shares(kind.composed(name)) for name in COMPOSED}
    share_rows(context, rows, f"share_in_{own}", shares, "≥ 0.70")
    clear = {("opening", "opening"): CLEAR, ("pitch", "1-8"): CLEAR, ("rhythm", "9-32"): CLEAR}
    return [*rows, *kind.likelihood_rows("E2", clear)]


def e3(context: Context) -> list[dict]:
    """Does the memory of a variant (a near-duplicate) of a song predict it better than others of its collection?"""
    indices, names = context.indices(context.part), context.songs.name
    groups: dict[int, list[int]] = {}
    collections: dict[str, list[int]] = {}
    for s in indices:
        groups.setdefault(int(context.groups[s]), []).append(s)
        collections.setdefault(prefix(names[s]), []).append(s)
    rng, rows, pairs = context.rng("E3"), Rows("E3", region=EVERY), []
    for members in groups.values():
        for k, s in enumerate(members):
            others = sorted(set(collections[prefix(names[s])]) - set(members))
            if len(members) > 1 and others:
                pairs.append((s, [members[k - 1]], rng.choice(others, OTHERS).tolist()))
    songs = [context.encoded[s] for s, *_ in pairs]
    read = sorted({s for _, *both in pairs for some in both for s in some})
    ends, row = ends_of(context, read), {s: k for k, s in enumerate(read)}
    logs = {
        name: head_logs(context, songs, np.stack([ends[[row[s] for s in pair[k]]] for pair in pairs]))
        for k, name in enumerate((VARIANT, SAME_COLLECTION), start=1)
    }
    weights = context.weights([s for s, *_ in pairs], "E3")
    first, last = POSITIONS["9-32"]
    counts = np.array([np.clip(len(song.pitch) - first, 0, last - first) for song in songs])
    for head in ("pitch", "rhythm"):
        if head not in logs[VARIANT]:
            continue
        sums = {name: -one[head][..., first:last].sum(axis=2).mean(axis=1) for name, one in logs.items()}

        def figure(sums: np.ndarray) -> Figure:
            return Figure(sums.sum() / counts.sum(), len(pairs), interval(resampled_means(sums, counts, weights)))

        rows.add_all(f"{head}_bits_per_note", {name: figure(one) for name, one in sums.items()}, notes="9-32")
        target = ("≥ 0.05", "≥ 0.15") if head == "pitch" else ()
        saved = figure(sums[SAME_COLLECTION] - sums[VARIANT])
        rows.add(f"{head}_bits_per_note_saved_by_the_variant", VARIANT, saved, *target, notes="9-32")
    return rows


def ends_of(context: Context, songs: Sequence[int]) -> np.ndarray:
    """The memory after each of these songs, read from its start, (songs, memory)."""
    rows = [
        memory.input_sequence([tokens[0]], context.record_of(EVERY).memories["notes"])
        for tokens in context.tokens(context.encoded[s] for s in songs)
    ]
    return memory.pack(context.state_encoder.encode(np.stack(rows)))


METRICS = {"E1": e1, "E2": e2, "E3": e3}
