"""What a user who writes PyTorch would run: the same network on `nn.LSTM`, the same VAE, in plain loops.

The twin does the same arithmetic as ours: the same layers and sizes, the entry with what is recalled, the answer that
points; in training the streams of `melody.dataset`, with what is recalled worked out beforehand, dropout, clipping and
Adam; in composing a look back at each note. Learning rates stand still, which costs nothing. PyTorch is not among the
requirements: `pip install torch`.
"""

from __future__ import annotations

from itertools import islice, pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks import REGION, adapters
from melody import lookback
from melody.batching import Streams
from melody.vocabulary import ESSEN

MATCH_EMBEDDING = 16  # numbers that stand for the length of a recalled passage, as in melody.lstm
NOTES = len(ESSEN)


class ReferenceNetwork(nn.Module):
    """The network: entry (batch, time, recall.COLUMNS), state -> logits (batch, time, notes + 1), state.

    The state is `nn.LSTM`'s, (layers, batch, units) of h and of c.
    """

    def __init__(self, notes: int, embedding: int, units: int, layers: int, dense: int, dropout: float = 0.0):
        super().__init__()
        entry = (1 + lookback.CANDIDATES) * embedding + lookback.CANDIDATES * MATCH_EMBEDDING
        self.note = nn.Embedding(notes + 2, embedding)
        self.length = nn.Embedding(lookback.MAX_MATCH + 1, MATCH_EMBEDDING)
        self.lstm = nn.LSTM(entry, units, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.dropout, self.dense = nn.Dropout(dropout), nn.Linear(units + entry, dense)
        self.logits, self.copy_logit = nn.Linear(dense, notes + 1), nn.Linear(dense, lookback.CANDIDATES)

    def forward(self, entry, state=None):
        parts = (
            self.note(entry[..., 0]),
            self.note(entry[..., 1::2]).flatten(-2),
            self.length(entry[..., 2::2]).flatten(-2),
        )
        made = torch.cat(parts, dim=-1)
        output, state = self.lstm(made, state)
        x = functional.relu(self.dense(torch.cat([self.dropout(output), made], dim=-1))).float()
        with torch.autocast("cpu", enabled=False):
            trust = self.copy_logit(x) * (entry[..., 2::2] > 0)
            return self.logits(x).scatter_add(-1, entry[..., 1::2].long(), trust), state


def copied(network) -> ReferenceNetwork:
    """The twin of a Keras network, with its weights: the gates stand in the same order, ours have one bias."""
    from melody import lstm

    shape = lstm.shape_of(network)
    twin = ReferenceNetwork(shape.notes, shape.embedding, shape.units, shape.layers, shape.dense)
    entry, answer = network.get_layer("input_embedding"), network.get_layer("output_head")
    pairs = [(twin.note.weight, entry.pitch.embeddings), (twin.length.weight, entry.match_length.embeddings)]
    for ours_, theirs in (
        (answer.dense, twin.dense),
        (answer.logits, twin.logits),
        (answer.copy_logit, twin.copy_logit),
    ):
        pairs += [(theirs.weight, ours_.kernel), (theirs.bias, ours_.bias)]
    for k in range(shape.layers):
        cell = network.get_layer(f"lstm_{k + 1}").cell
        for name, weight in (("weight_ih", cell.kernel), ("weight_hh", cell.recurrent_kernel), ("bias_ih", cell.bias)):
            pairs.append((getattr(twin.lstm, f"{name}_l{k}"), weight))
        nn.init.zeros_(getattr(twin.lstm, f"bias_hh_l{k}"))
    with torch.no_grad():
        for theirs, weight in pairs:
            values = torch.from_numpy(np.array(weight))
            theirs.copy_(values if values.shape == theirs.shape else values.T)
    return twin.eval()


# Training


def training(shape: dict, learning: dict, batches: int, precision: str) -> adapters.Round:
    """Train on `batches` batches of streams, carrying the state as we do; work is useful notes."""
    torch.manual_seed(0)
    twin = ReferenceNetwork(NOTES, **shape, dropout=learning["dropout"])
    adam = torch.optim.Adam(twin.parameters(), learning["learning_rate"])
    steps = list(islice(streams(learning, batches).epoch(), batches * learning["windows_per_stream"]))

    def one_round() -> float:
        state = None
        for entry, answer, fresh in steps:
            state = None if fresh else tuple(part.detach() for part in state)
            with torch.autocast("cpu", torch.bfloat16, enabled=precision != "float32"):
                logits, state = twin(torch.from_numpy(np.maximum(entry, 0)), state)
            answers = torch.from_numpy(answer.astype(np.int64)).flatten()
            loss = functional.cross_entropy(logits.flatten(0, 1), answers, ignore_index=-1)
            adam.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(twin.parameters(), 1.0)
            adam.step()
        return len(steps) * learning["batch"] * learning["bptt_length"]

    return one_round


def streams(learning: dict, batches: int) -> Streams:
    """The streams that ours trains on."""
    songs = adapters.song_notes(adapters.songs_for(learning, batches))
    return Streams(
        songs, [REGION] * len(songs), ESSEN, batch=learning["batch"], length=learning["bptt_length"],
        windows=learning["windows_per_stream"], moved=learning["transpose_probability"], rng=np.random.default_rng(0),
    )  # fmt: skip


# Composing


def composing(shape: dict, songs: int, length: int) -> adapters.Round:
    """Compose `songs` songs of `length` notes side by side, none of which ends before; work is notes."""
    torch.manual_seed(0)
    twin = ReferenceNetwork(NOTES, **shape).eval()
    with torch.no_grad():
        twin.logits.bias[-1] = -50.0
    state = tuple(0.3 * torch.randn(shape["layers"], songs, shape["units"]) for _ in range(2))

    def one_round() -> float:
        draws = np.random.default_rng(0).random((songs, length), np.float32)
        return compose(twin, state, draws, temperature=1.0).size

    return one_round


@torch.inference_mode()
def compose(twin: ReferenceNetwork, state, draws: np.ndarray, temperature: float) -> np.ndarray:
    """The notes that uniform numbers (songs, length) draw, (songs, length), begun from a state."""
    songs, end = len(draws), twin.logits.out_features - 1
    heard = torch.full((songs, lookback.HORIZON), -1)
    match = torch.zeros((songs, lookback.HORIZON), dtype=torch.int64)
    heard[:, 0], newest, found = end, torch.arange(lookback.HORIZON), []
    for uniform in torch.from_numpy(draws).T[..., None]:
        logits, state = twin(look_back(heard, match, newest, end)[:, None], state)
        logits = logits[:, 0]
        if not found:
            logits[:, end] -= 1e9  # a song has at least one note
        reached = torch.softmax(logits / temperature, dim=-1).cumsum(dim=-1)
        note = (reached[:, :-1] <= uniform).sum(dim=-1, keepdim=True)
        found.append(note)
        match = (match + 1) * (heard == note)
        heard = torch.cat([note, heard[:, :-1]], dim=1)
    return torch.cat(found, dim=1).numpy()


def look_back(heard, match, newest, end: int):
    """The entry of the last note heard, (songs, recall.COLUMNS): `melody.lookback.Lookback.candidates` in PyTorch."""
    columns, order = [heard[:, :1]], match * lookback.HORIZON - newest
    for _ in range(lookback.CANDIDATES):
        best, place = order.max(dim=1, keepdim=True)
        note = torch.where(best > 0, heard.gather(1, place), end)
        length = torch.where(best > 0, match.gather(1, place), 0)
        columns += [note, length.clamp(max=lookback.MAX_MATCH)]
        order = torch.where(heard == note, -1, order)
    return torch.cat(columns, dim=1)


# The VAE


def dense(sizes: list[int]) -> nn.Sequential:
    """Layers from each size to the next, with GELU between."""
    steps = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.GELU())]
    return nn.Sequential(*steps[:-1])


class PlainVAE(nn.Module):
    """The VAE of `vae.model` with its loss: encoder, decoder, the decoder's variance in closed form."""

    def __init__(self, memory: int, latent: int, hidden: list[int], beta: float):
        super().__init__()
        self.encoder = dense([memory, *hidden, 2 * latent])
        self.decoder = dense([latent, *reversed(hidden), memory])
        self.memory, self.beta = memory, beta

    def forward(self, memories):
        """The loss of standardised memories (batch, memory), nats a memory, and the means of their posteriors."""
        z_mean, z_log_var = self.encoder(memories).chunk(2, dim=-1)
        decoded = self.decoder(z_mean + torch.exp(z_log_var / 2) * torch.randn_like(z_mean))
        error = functional.mse_loss(decoded, memories)
        kl = (z_mean.square() + z_log_var.exp() - z_log_var - 1).sum(dim=-1).mean() / 2
        return self.memory / 2 * (1 + torch.log(2 * np.pi * error)) + self.beta * kl, z_mean


def vae(settings: dict, memory: int, count: int) -> adapters.Round:
    """See `count` memories once, and judge by a tenth held out, as we do after an epoch; work is memories."""
    torch.manual_seed(0)
    memories = torch.from_numpy(adapters.invented_memories(count, memory))
    training, held_out = memories[count // 10 :], memories[: count // 10]
    mean, deviation = training.mean(dim=0), training.std(dim=0, correction=0).clamp(min=1e-6)
    plain = PlainVAE(memory, settings["latent"], settings["hidden"], settings["beta"])
    adam = torch.optim.Adam(plain.parameters(), settings["learning_rate"])

    def one_round() -> float:
        for batch in training[torch.randperm(len(training))].split(settings["batch"]):
            loss, _ = plain((batch - mean) / deviation)
            adam.zero_grad()
            loss.backward()
            adam.step()
        with torch.inference_mode():
            _, z_mean = plain((held_out - mean) / deviation)
            z_mean.var(dim=0)
        return count

    return one_round
