"""E4: what do memories of a few songs bring for other songs of a tradition that the network has never read?

The songs of the tradition are parted by groups of near-duplicates. Songs of one half are shown to the network, those of
the other half are predicted from its memories, and composed songs are compared with them. Each draw shows other songs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from evaluation import conditions
from evaluation.conditions import REAL, UNCONDITIONAL
from evaluation.context import EVERY, Context
from evaluation.memory_content import REGION, bits_of_mixture, head_logs
from evaluation.ngrams import KneserNey
from evaluation.report import CLEAR, Figure, Rows
from evaluation.rhythm_metrics import quarters
from evaluation.rhythm_parts import Part, distances
from evaluation.statistics import interval, resampled_means
from melody.encoding import EncodedSong
from melody.fitting import fit_offset

SHOWN = (5, 10, 20, 50, 200)  # songs
COMPOSED = (20, 200)  # songs that are shown before songs are composed
FEW = 10  # from so many songs on there are targets
READ = 32  # memories of the songs of a draw; the mean memory is that of all of them
GERMAN, TRAINING, MEAN = "German songs", "songs of training", "mean memory"
FITTED, NGRAM = "fitted memories", "n-gram of these songs"
KNOWN = {GERMAN: REGION, TRAINING: EVERY}  # regions of songs that the network was trained on
HALF = "other real songs"
BOTH = "pitch_and_rhythm"
POSITIONS = {"1": (0, 1), "2-8": (1, 8), "9-32": (8, 32)}
PARTS = [("opening", "opening", (0, 1))]  # head, notes and their positions
PARTS += [(head, notes, where) for head in ("pitch", "rhythm", BOTH) for notes, where in POSITIONS.items()]
TARGETS = {("pitch", "2-8"): "≥ 0.06", ("pitch", "9-32"): CLEAR}  # of what memories save, read or fitted


class Tradition:
    """The measured songs of a region, without those that have a near-duplicate among the training songs."""

    def __init__(self, context: Context, region: str, network: str, fit_steps: int):
        self.context, self.region, self.network, groups = context, region, network, context.groups
        self.fit_steps = fit_steps
        self.fields = {"region": region, "network": network, "shown": None}
        trained = set(groups[context.indices("training")].tolist())
        songs = [s for s in context.indices(context.part, region) if int(groups[s]) not in trained]
        halves = context.rng("halves", region).permutation(np.unique(groups[songs]))
        in_first = np.isin(groups[songs], halves[: len(halves) // 2])
        self.first, self.second = np.array(songs)[in_first].tolist(), np.array(songs)[~in_first].tolist()
        self.measured = context.rng("measured", region).permutation(self.second)[: context.sizes.scored].tolist()
        self.shown = [k for k in SHOWN if k <= len(self.first)]

    @cache  # noqa: B019  there are few traditions, each for a part of the run
    def memories(self, songs: int | str, draw: int) -> np.ndarray:
        """Memories after a number of songs of the tradition, or after training songs of a region, (READ, memory)."""
        rng = self.context.rng("shown", self.region, songs, draw)
        chosen = self.context.encoded_of("training", songs) if isinstance(songs, str) else self.chosen(songs, rng)
        return conditions.read(self.context, EVERY, chosen, READ, rng)

    def chosen(self, songs: int, rng: np.random.Generator) -> list[EncodedSong]:
        """The songs of a draw that are shown; `rng` is that of its memories."""
        return [self.context.encoded[s] for s in self.drawn(songs, rng)]

    def drawn(self, songs: int, rng: np.random.Generator) -> np.ndarray:
        """The indices of the songs that are shown, (songs,)."""
        return rng.choice(self.first, songs, replace=False)

    def songs_of_draws(self, songs: int) -> list[list[EncodedSong]]:
        draws = range(self.context.sizes.sets)
        return [self.chosen(songs, self.context.rng("shown", self.region, songs, draw)) for draw in draws]

    @cache  # noqa: B019
    def fitted(self, songs: int, guidance: float = 0.0) -> list[np.ndarray]:
        """The memories of each draw, fitted to the songs that are shown."""
        context, found = self.context, []
        for draw, chosen in enumerate(self.songs_of_draws(songs)):
            memories, rng = self.memories(songs, draw), context.rng("fit", self.region, songs, draw)
            how = self.fit_steps, guidance, rng
            found.append(memories + fit_offset(context.trained.network, context.tokens(chosen), memories, *how))
        return found

    def draws(self, songs: int | str) -> list[np.ndarray]:
        return [self.memories(songs, draw) for draw in range(self.context.sizes.sets)]

    def bits(self, draws: Sequence[np.ndarray]) -> dict[tuple[str, str], np.ndarray]:
        """Bits of the measured songs by head and notes, (songs, draws); each draw is some memories, (count, memory)."""
        songs, found = [self.context.encoded[s] for s in self.measured], []
        for memories in draws:
            logs = head_logs(self.context, songs, memories[: self.context.sizes.memories])
            logs[BOTH] = logs["pitch"] + logs["rhythm"]
            found.append([bits_of_mixture(logs[head][..., slice(*where)]) for head, _, where in PARTS])
        stacked = (np.stack(bits, axis=1) for bits in zip(*found, strict=True))
        return {(head, notes): bits for (head, notes, _), bits in zip(PARTS, stacked, strict=True)}

    def ngram_bits(self, songs: int) -> dict[tuple[str, str], np.ndarray]:
        """Bits of the pitches of the measured songs under an n-gram of the songs of each draw, (songs, draws)."""
        measured, symbols = [self.context.encoded[s].pitch for s in self.measured], len(self.context.vocabulary)
        pitches, ends, found = np.concatenate(measured), np.cumsum([len(song) for song in measured])[:-1], []
        for shown in self.songs_of_draws(songs):
            probabilities = KneserNey([song.pitch for song in shown], symbols, 3).probabilities(measured)
            bits = np.split(-np.log2(probabilities[np.arange(len(pitches)), pitches]), ends)
            found.append([[song[slice(*where)].sum() for song in bits] for where in POSITIONS.values()])
        return {
            ("pitch", part): np.array(bits).T for part, bits in zip(POSITIONS, zip(*found, strict=True), strict=True)
        }

    def figure_of(self, where: tuple[int, int]) -> Callable[[np.ndarray], Figure]:
        """What makes a figure for each note of bits of these notes of the measured songs, (songs, draws)."""
        context, (first, last) = self.context, where
        weights = context.weights(self.measured, "E4", self.region)
        counts = np.clip([len(context.encoded[s].pitch) - first for s in self.measured], 0, last - first)

        def figure(bits: np.ndarray) -> Figure:
            rounds = resampled_means(bits, counts, weights, context.rng("draws"))
            return Figure(bits.mean(axis=1).sum() / counts.sum(), len(bits), interval(rounds))

        return figure

    def prediction_rows(self, control: Tradition | None = None) -> Rows:
        """Bits of the measured songs, and what memories of the songs shown save of them; also beyond what memories save
        of the `control`, the same songs as another network reads them."""
        context, rows = self.context, Rows("E4", **self.fields)
        none = self.bits([np.zeros((1, context.memory_size), np.float32)])
        known = {name: self.bits(self.draws(region)) for name, region in KNOWN.items()}
        own = {k: self.bits(self.draws(k)) for k in self.shown}
        self.saved = {k: {part: none[part] - bits for part, bits in own[k].items()} for k in self.shown}
        others = {
            MEAN: {k: self.bits([one.mean(axis=0, keepdims=True) for one in self.draws(k)]) for k in self.shown},
            FITTED: {k: self.bits(self.fitted(k)) for k in self.shown},
            NGRAM: {k: self.ngram_bits(k) for k in self.shown},
        }
        for head, notes, where in PARTS:
            figure, part, measure = self.figure_of(where), (head, notes), measure_of(head)
            for name, bits in ({UNCONDITIONAL: none} | known).items():
                rows.add(measure, name, figure(bits[part]), notes=notes)
            for k in self.shown:
                fields = {"notes": notes, "shown": k}
                rows.add(measure, f"{k} songs", figure(own[k][part]), **fields)
                target = TARGETS.get(part) if k >= FEW else None
                rows.add(f"{measure}_saved", f"{k} songs", figure(self.saved[k][part]), target, **fields)
                for name, other in known.items():
                    rows.add(f"{measure}_saved_over_{name}", f"{k} songs", figure(other[part] - own[k][part]), **fields)
                for name, bits in others.items():
                    if part in bits[k]:
                        saved, wanted = figure(none[part] - bits[k][part]), target if name == FITTED else None
                        rows.add(f"{measure}_saved_by_{name}", f"{k} songs", saved, wanted, **fields)
                if control:
                    more = figure(self.saved[k][part] - control.saved[k][part])
                    rows.add(f"{measure}_saved_beyond_{control.network}", f"{k} songs", more, CLEAR, **fields)
        return rows

    def composed(self, draws: Sequence[np.ndarray]) -> list[EncodedSong]:
        """Songs composed from the memories of each draw, `sizes.songs` of them."""
        context, counts = self.context, np.bincount(self.context.set_of_song)
        memories = [one[:count] for one, count in zip(draws, counts, strict=True)]
        return conditions.from_memories(context, np.concatenate(memories), context.guidance, context.temperature)

    def distance_rows(self) -> Rows:
        """Total variation of composed songs from the second half of the tradition, beside songs of the first half."""
        context, rows = self.context, Rows("E4", **self.fields)
        weights, count = context.composed_weights(), context.sizes.songs
        nothing = np.zeros((count, context.memory_size), np.float32)
        songs = {UNCONDITIONAL: conditions.from_memories(context, nothing, 0.0, context.temperature)}
        songs[GERMAN] = self.composed(self.draws(REGION))
        for k in [k for k in COMPOSED if k in self.shown]:
            songs[f"{k} songs"] = self.composed(self.draws(k))
            songs[f"{k} songs, {FITTED}"] = self.composed(self.fitted(k, context.guidance))
        half = context.rng("half", self.region).permutation(self.first)[:count].tolist()
        parts = {name: Part(some, [], weights) for name, some in songs.items()}
        parts[HALF] = Part([context.encoded[s] for s in half], [], context.weights(half, "half", self.region))
        parts[REAL] = Part([context.encoded[s] for s in self.second], [], weights)
        midi, table = np.array(context.vocabulary.midi), quarters(context.trained.vocabulary)
        for name, values in features(midi, table).items():
            found = distances(parts, lambda part, values=values: [values(song).tolist() for song in part.songs])
            rows.add_all(f"{name}_total_variation", found)
        return rows


def measure_of(head: str) -> str:
    return "bits_of_opening" if head == "opening" else f"{head}_bits_per_note"


def features(midi: np.ndarray, table: np.ndarray) -> dict:
    """What is compared: functions of a song, (values,) each. `midi` of each pitch; `table` from `quarters`."""

    def note_values(song: EncodedSong) -> np.ndarray:
        values = table[song.rhythm]
        return values[np.isfinite(values)]

    return {
        "intervals": lambda song: np.diff(midi[song.pitch]),
        "pitch_classes_above_the_last": lambda song: (midi[song.pitch] - midi[song.pitch[-1]]) % 12,
        "time_signatures": lambda song: np.array([song.signature]),
        "note_values": note_values,
    }
