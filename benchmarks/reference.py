"""The reference in PyTorch: the same network on `nn.LSTM`, in plain loops.

It does the same arithmetic as the Keras network: the same layers, heads and sizes, the lookback inputs, the copy logits
and the loss. It trains on the streams of `melody.batching`, with the lookback computed beforehand, dropout, clipping
and Adam, and composes with one lookback per note and what the bar automaton forbids masked. The learning rate is
constant, which costs nothing. PyTorch is not among the requirements: `pip install torch`.
"""

from itertools import islice

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks import Round, adapters, synthetic
from melody import encoding, lookback, lstm
from melody.batching import Streams, TrainingSongs
from melody.descriptors import Descriptors
from melody.groupings import groupings
from melody.vocabulary import RhythmVocabulary

ILLEGAL = -1e9  # added to the logit of what cannot follow


class Head(nn.Module):
    """Features -> logits (…, outputs); those of `candidates`, values and match lengths (…, 2) each, are raised."""

    def __init__(self, features: int, dense: int, outputs: int, copies: bool = True):
        super().__init__()
        self.dense, self.logits = nn.Linear(features, dense), nn.Linear(dense, outputs)
        self.copy_logit = nn.Linear(dense, lookback.CANDIDATES) if copies else None

    def forward(self, features, candidates=None):
        x = functional.relu(self.dense(torch.cat(features, dim=-1))).float()
        with torch.autocast("cpu", enabled=False):
            logits = self.logits(x)
            if candidates is None:
                return logits
            (values, lengths), outputs = candidates, logits.shape[-1]
            raised = self.copy_logit(x) * ((lengths > 0) & (values < outputs))
            return logits.scatter_add(-1, values.clamp(max=outputs - 1).long(), raised)


class ReferenceNetwork(nn.Module):
    """The network of `melody.lstm`: inputs (batch, time, columns), state -> logits of each head, output, state.

    The state is that of `nn.LSTM`: h and c, (layers, batch, units) each.
    """

    def __init__(self, shape: lstm.Shape, dropout: float = 0.0):
        super().__init__()
        context = lstm.SIGNATURE_EMBEDDING + lstm.BEAT_EMBEDDING
        width = (1 + lookback.CANDIDATES) * (shape.embedding + lstm.RHYTHM_EMBEDDING) + lstm.PHRASE_EMBEDDING + context
        width += lookback.CANDIDATES * lstm.MATCH_EMBEDDING
        self.shape, layers = shape, shape.layers
        self.pitch = nn.Embedding(shape.notes + 2, shape.embedding)
        self.match_length = nn.Embedding(lookback.MAX_MATCH + 1, lstm.MATCH_EMBEDDING)
        self.rhythm = nn.Embedding(shape.rhythms + 1, lstm.RHYTHM_EMBEDDING)
        self.phrase = nn.Embedding(lstm.MARKS, lstm.PHRASE_EMBEDDING)
        self.signature = nn.Embedding(shape.signatures + 1, lstm.SIGNATURE_EMBEDDING)
        self.beat = nn.Embedding(shape.beats + 1, lstm.BEAT_EMBEDDING)
        self.lstm = nn.LSTM(width, shape.units, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.dropout, features = nn.Dropout(dropout), shape.units + width + context
        self.output_head = Head(features, shape.dense, shape.notes + 1)
        self.rhythm_head = Head(features + shape.embedding, shape.dense, shape.rhythms)
        features += shape.embedding + lstm.RHYTHM_EMBEDDING
        self.phrase_head = Head(features, lstm.PHRASE_DENSE, 2, copies=False)
        self.opening_head = nn.Linear(shape.units, shape.openings)

    def forward(self, inputs, state=None):
        embedded, output, state = self.step(inputs, state)
        context = self.context(inputs[..., encoding.SIGNATURE], inputs[..., encoding.BEAT])
        pitch, rhythm = self.pitch(inputs[..., encoding.NEXT_PITCH]), self.rhythm(inputs[..., encoding.NEXT_RHYTHM])
        features, (pitches, rhythms) = [output, embedded, context], candidates(inputs)
        logits = [self.output_head(features, pitches), self.rhythm_head([*features, pitch], rhythms)]
        logits.append(self.phrase_head([*features, pitch, rhythm]))
        return [*logits, self.opening_head(output)], output, state

    def step(self, inputs, state):
        """What the LSTM reads, its output and its state; at the start of a song the bar is unknown."""
        columns, shape = inputs.unbind(-1), self.shape
        is_start, first = columns[encoding.PITCH] >= shape.notes, encoding.TOKENS
        parts = [self.pitch(columns[k]) for k in (encoding.PITCH, first, first + 3)]
        parts += [self.match_length(columns[k]) for k in (first + 1, first + 4)]
        parts += [self.rhythm(columns[k]) for k in (encoding.RHYTHM, first + 2, first + 5)]
        parts.append(self.phrase(columns[encoding.PHRASES]))
        signature = columns[encoding.SIGNATURE].masked_fill(is_start, shape.signatures)
        parts.append(self.context(signature, columns[encoding.BEAT].masked_fill(is_start, shape.beats)))
        embedded = torch.cat(parts, dim=-1)
        output, state = self.lstm(embedded, state)
        return embedded, self.dropout(output), state

    def context(self, signature, beat):
        return torch.cat([self.signature(signature), self.beat(beat)], dim=-1)


def candidates(inputs):
    """Pitches and match lengths, and rhythms and match lengths, (…, 2) each, of the candidates of the lookback."""
    pitches, lengths, rhythms = (inputs[..., encoding.TOKENS + k :: 3] for k in range(3))
    return (pitches, lengths), (rhythms, lengths)


def training(shape: dict, training: dict, batches: int) -> Round:
    """Train on `batches` batches of streams with the state carried over; work is predicted notes."""
    torch.manual_seed(0)
    own = streams(training, batches)
    model = ReferenceNetwork(lstm.Shape.of(own.vocabulary, shape), training["dropout"])
    segments, described = own.descriptors.segments, nn.Linear(shape["units"], own.descriptors.size)
    parameters = [*model.parameters(), *described.parameters()]
    adam = torch.optim.Adam(parameters, training["learning_rate"])
    steps = list(islice(own.epoch(), batches * training["windows_per_stream"]))
    in_bfloat16 = training["precision"] != "float32"
    # oneDNN has no LSTM in bfloat16 for processors without AVX-512
    torch.backends.mkldnn.enabled = not in_bfloat16 or torch.backends.cpu.get_cpu_capability() == "AVX512"

    def run_round() -> float:
        state = None
        for inputs, targets, descriptions, reset in steps:
            state = None if reset else tuple(part.detach() for part in state)
            with torch.autocast("cpu", torch.bfloat16, enabled=in_bfloat16):
                heads, output, state = model(torch.from_numpy(np.maximum(inputs, 0)), state)
            logits = [*heads, described(output.float())]
            loss = loss_of(logits, targets, descriptions, segments, training["auxiliary_weight"])
            adam.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            adam.step()
        return len(steps) * training["batch"] * training["bptt_length"]

    return run_round


def loss_of(logits: list, targets: np.ndarray, descriptions: np.ndarray, segments: list[slice], weight: float):
    """The loss of `melody.training.StreamModel`: nats a token of all heads and, weighted, of the descriptors."""
    *heads, described = logits
    wanted, about = torch.from_numpy(targets.astype(np.int64)), torch.from_numpy(descriptions)
    nats = [
        functional.cross_entropy(head.flatten(0, 1).float(), wanted[..., k].flatten(), ignore_index=-1, reduction="sum")
        for k, head in enumerate(heads)
    ]
    nats += [-weight * (about[..., part] * functional.log_softmax(described[..., part], -1)).sum() for part in segments]
    return sum(nats) / (wanted[..., 0] >= 0).sum()


def streams(training: dict, batches: int) -> Streams:
    """The streams that `benchmarks.adapters.training` trains on."""
    songs, split = synthetic.dataset_of(adapters.songs_for(training, batches))
    chosen, encoded = split["training"], encoding.encode(songs, songs.vocabulary)
    zeros = [0] * len(chosen)
    known = TrainingSongs([encoded[s] for s in chosen], groupings(songs, chosen), zeros, zeros)
    names = "batch bptt_length windows_per_stream transpose_probability synthetic_probability".split()
    settings = {name: training[name] for name in names}
    return Streams(known, songs.vocabulary, Descriptors(songs.vocabulary, 1), **settings, rng=np.random.default_rng(0))


def composing(shape: dict, songs: int, length: int) -> Round:
    """Compose `songs` songs of exactly `length` notes in one batch; work is notes."""
    torch.manual_seed(0)
    known = synthetic.vocabulary()
    model = ReferenceNetwork(lstm.Shape.of(known, shape)).eval()
    with torch.no_grad():
        model.output_head.logits.bias[-1] = -50.0
    state = tuple(0.3 * torch.randn(shape["layers"], songs, shape["units"]) for _ in range(2))

    def run_round() -> float:
        uniforms = np.random.default_rng(0).random((songs, length, 4), np.float32)
        return len(compose(model, known.rhythm, state, uniforms, temperature=1.0)[0]) * songs

    return run_round


@torch.inference_mode()
def compose(model: ReferenceNetwork, rhythm: RhythmVocabulary, state, uniforms: np.ndarray, temperature: float):
    """Pitches, rhythms and phrase marks, (length, songs) each, and openings (songs,), sampled from a state.

    By inverse transform of uniform numbers (songs, length, 4): for pitch, rhythm, phrase and, at first, opening.
    """
    songs, shape, automaton = len(uniforms), model.shape, rhythm.automaton
    illegal = torch.from_numpy(np.where(automaton.legal, 0.0, ILLEGAL).astype(np.float32))
    following, start = (torch.from_numpy(table).long() for table in (automaton.next_state, automaton.start))
    openings = list(rhythm.openings)
    signatures = torch.tensor([rhythm.signatures.index(openings[o].time_signature) for o, _ in automaton.states])
    beats = torch.tensor([rhythm.beats.index(beat) for _, beat in automaton.states])
    history = torch.full((songs, lookback.HORIZON), -1)
    match, rhythms = torch.zeros_like(history), torch.full_like(history, shape.rhythms)
    age, none = torch.arange(lookback.HORIZON), torch.zeros(songs, dtype=torch.int64)
    history[:, 0], bar, begins, events = shape.notes, None, none, []

    def sample(logits, uniform, illegal=0.0):
        cumulative = torch.softmax((logits[:, 0] + illegal) / temperature, dim=-1).cumsum(dim=-1)
        return (cumulative[:, :-1] <= uniform[:, None]).sum(dim=-1)

    for random in torch.from_numpy(uniforms).permute(1, 2, 0):
        at = none if bar is None else bar
        columns = [history[:, 0], rhythms[:, 0], begins, signatures[at], beats[at], none, none]
        columns += found(history, match, rhythms, age, shape)
        inputs = torch.stack(columns, dim=-1)[:, None]
        embedded, output, state = model.step(inputs, state)
        by_pitch, by_rhythm = candidates(inputs)
        no_end = torch.zeros(songs)
        if bar is None:
            opening, no_end = sample(model.opening_head(output), random[3]), no_end + ILLEGAL  # it has a note
            bar = start[opening]
        features = [output, embedded, model.context(signatures[bar], beats[bar])[:, None]]
        forbidden = torch.zeros((songs, shape.notes + 1))
        forbidden[:, -1] = illegal[bar, -1] + no_end
        pitch = sample(model.output_head(features, by_pitch), random[0], forbidden)
        features.append(model.pitch(pitch)[:, None])
        number = sample(model.rhythm_head(features, by_rhythm), random[1], illegal[bar, :-1])
        begins = sample(model.phrase_head([*features, model.rhythm(number)[:, None]]), random[2])
        bar = following[bar, number]
        match = (match + 1) * (history == pitch[:, None])
        history = torch.cat([pitch[:, None], history[:, :-1]], dim=1)
        rhythms = torch.cat([number[:, None], rhythms[:, :-1]], dim=1)
        events.append((pitch, number, begins))
    return [torch.stack(column).numpy() for column in zip(*events, strict=True)] + [opening.numpy()]


def found(history, match, rhythms, age, shape: lstm.Shape) -> list:
    """The columns of the candidates after the last note, (songs,) each, as `melody.lookback.Lookback` finds them."""
    columns, order = [], match * lookback.HORIZON - age
    for _ in range(lookback.CANDIDATES):
        best, index = order.max(dim=1, keepdim=True)
        pitch = torch.where(best > 0, history.gather(1, index), shape.notes)
        length = torch.where(best > 0, match.gather(1, index), 0).clamp(max=lookback.MAX_MATCH)
        rhythm = torch.where(best > 0, rhythms.gather(1, index), shape.rhythms)
        columns += [column[:, 0] for column in (pitch, length, rhythm)]
        order = torch.where(history == pitch, -1, order)
    return columns
