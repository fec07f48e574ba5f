"""The reference in PyTorch: the same network on `nn.LSTM` and the same VAE, in plain loops.

It does the same arithmetic as the Keras network: the same layers and sizes, the lookback inputs and the copy logits. It
trains on the streams of `melody.batching`, with the lookback computed beforehand, dropout, clipping and Adam, and
composes with one lookback per note. The learning rate is constant, which costs nothing. PyTorch is not among the
requirements: `pip install torch`.
"""

from itertools import islice, pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks import REGION, Round, adapters, synthetic
from melody import lookback
from melody.batching import Streams
from melody.vocabulary import ESSEN

MATCH_EMBEDDING = 16  # size of the embedding of match lengths, as in melody.lstm
NOTES = len(ESSEN)


class ReferenceNetwork(nn.Module):
    """The network: inputs (batch, time, lookback.COLUMNS), state -> logits (batch, time, notes + 1), state.

    The state is that of `nn.LSTM`: h and c, (layers, batch, units) each.
    """

    def __init__(self, notes: int, embedding: int, units: int, layers: int, dense: int, dropout: float = 0.0):
        super().__init__()
        width = (1 + lookback.CANDIDATES) * embedding + lookback.CANDIDATES * MATCH_EMBEDDING
        self.note = nn.Embedding(notes + 2, embedding)
        self.length = nn.Embedding(lookback.MAX_MATCH + 1, MATCH_EMBEDDING)
        self.lstm = nn.LSTM(width, units, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.dropout, self.dense = nn.Dropout(dropout), nn.Linear(units + width, dense)
        self.logits, self.copy_logit = nn.Linear(dense, notes + 1), nn.Linear(dense, lookback.CANDIDATES)

    def forward(self, inputs, state=None):
        notes, lengths = inputs[..., 1::2], inputs[..., 2::2]
        parts = self.note(inputs[..., 0]), self.note(notes).flatten(-2), self.length(lengths).flatten(-2)
        embedded = torch.cat(parts, dim=-1)
        output, state = self.lstm(embedded, state)
        x = functional.relu(self.dense(torch.cat([self.dropout(output), embedded], dim=-1))).float()
        with torch.autocast("cpu", enabled=False):
            return self.logits(x).scatter_add(-1, notes.long(), self.copy_logit(x) * (lengths > 0)), state


def training(shape: dict, training: dict, batches: int) -> Round:
    """Train on `batches` batches of streams with the state carried over; work is predicted notes."""
    torch.manual_seed(0)
    model = ReferenceNetwork(NOTES, **shape, dropout=training["dropout"])
    adam = torch.optim.Adam(model.parameters(), training["learning_rate"])
    steps = list(islice(streams(training, batches).epoch(), batches * training["windows_per_stream"]))

    def run_round() -> float:
        state = None
        for inputs, targets, reset in steps:
            state = None if reset else tuple(part.detach() for part in state)
            with torch.autocast("cpu", torch.bfloat16, enabled=training["precision"] != "float32"):
                logits, state = model(torch.from_numpy(np.maximum(inputs, 0)), state)
            flat = torch.from_numpy(targets.astype(np.int64)).flatten()
            loss = functional.cross_entropy(logits.flatten(0, 1), flat, ignore_index=-1)
            adam.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            adam.step()
        return len(steps) * training["batch"] * training["bptt_length"]

    return run_round


def streams(training: dict, batches: int) -> Streams:
    """The streams that `benchmarks.adapters.training` trains on."""
    songs = synthetic.encoded_songs(adapters.songs_for(training, batches))
    names = "batch", "bptt_length", "windows_per_stream", "transpose_probability"
    settings = {name: training[name] for name in names}
    return Streams(songs, [REGION] * len(songs), ESSEN, **settings, rng=np.random.default_rng(0))


def composing(shape: dict, songs: int, length: int) -> Round:
    """Compose `songs` songs of exactly `length` notes in one batch; work is notes."""
    torch.manual_seed(0)
    model = ReferenceNetwork(NOTES, **shape).eval()
    with torch.no_grad():
        model.logits.bias[-1] = -50.0
    state = tuple(0.3 * torch.randn(shape["layers"], songs, shape["units"]) for _ in range(2))

    def run_round() -> float:
        uniforms = np.random.default_rng(0).random((songs, length), np.float32)
        return compose(model, state, uniforms, temperature=1.0).size

    return run_round


@torch.inference_mode()
def compose(model: ReferenceNetwork, state, uniforms: np.ndarray, temperature: float) -> np.ndarray:
    """Notes (songs, length) sampled from a state by inverse transform of uniform numbers (songs, length)."""
    songs, end = len(uniforms), model.logits.out_features - 1
    history = torch.full((songs, lookback.HORIZON), -1)
    match = torch.zeros((songs, lookback.HORIZON), dtype=torch.int64)
    history[:, 0], age, composed = end, torch.arange(lookback.HORIZON), []
    for uniform in torch.from_numpy(uniforms).T[..., None]:
        logits, state = model(lookback_inputs(history, match, age, end)[:, None], state)
        logits = logits[:, 0]
        if not composed:
            logits[:, end] -= 1e9  # a song has at least one note
        cumulative = torch.softmax(logits / temperature, dim=-1).cumsum(dim=-1)
        note = (cumulative[:, :-1] <= uniform).sum(dim=-1, keepdim=True)
        composed.append(note)
        match = (match + 1) * (history == note)
        history = torch.cat([note, history[:, :-1]], dim=1)
    return torch.cat(composed, dim=1).numpy()


def lookback_inputs(history, match, age, end: int):
    """Network inputs after the last note, (songs, lookback.COLUMNS), as `melody.lookback.network_inputs` makes them."""
    columns, order = [history[:, :1]], match * lookback.HORIZON - age
    for _ in range(lookback.CANDIDATES):
        best, index = order.max(dim=1, keepdim=True)
        note = torch.where(best > 0, history.gather(1, index), end)
        length = torch.where(best > 0, match.gather(1, index), 0)
        columns += [note, length.clamp(max=lookback.MAX_MATCH)]
        order = torch.where(history == note, -1, order)
    return torch.cat(columns, dim=1)


def dense(sizes: list[int]) -> nn.Sequential:
    """Dense layers between consecutive sizes, with GELU after all but the last."""
    steps = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.GELU())]
    return nn.Sequential(*steps[:-1])


class ReferenceVAE(nn.Module):
    """The VAE of `vae.model` and its loss, with the optimal variance of the decoder in closed form."""

    def __init__(self, memory: int, latent: int, hidden: list[int], beta: float):
        super().__init__()
        self.encoder = dense([memory, *hidden, 2 * latent])
        self.decoder = dense([latent, *reversed(hidden), memory])
        self.memory, self.beta = memory, beta

    def forward(self, memories):
        """Loss of standardised memories (batch, memory) in nats per memory, and the latent means."""
        z_mean, z_log_var = self.encoder(memories).chunk(2, dim=-1)
        decoded = self.decoder(z_mean + torch.exp(z_log_var / 2) * torch.randn_like(z_mean))
        error = functional.mse_loss(decoded, memories)
        kl = (z_mean.square() + z_log_var.exp() - z_log_var - 1).sum(dim=-1).mean() / 2
        return self.memory / 2 * (1 + torch.log(2 * np.pi * error)) + self.beta * kl, z_mean


def vae(settings: dict, memory: int, memories: int) -> Round:
    """Train on memories for one epoch and validate on a held-out tenth; work is memories."""
    torch.manual_seed(0)
    held_out, training = torch.from_numpy(synthetic.memories(memories, memory)).tensor_split([memories // 10])
    mean, std = training.mean(dim=0), training.std(dim=0, correction=0).clamp(min=1e-6)
    model = ReferenceVAE(memory, settings["latent"], settings["hidden"], settings["beta"])
    adam = torch.optim.Adam(model.parameters(), settings["learning_rate"])

    def run_round() -> float:
        for batch in training[torch.randperm(len(training))].split(settings["batch"]):
            loss, _ = model((batch - mean) / std)
            adam.zero_grad()
            loss.backward()
            adam.step()
        with torch.inference_mode():
            _, z_mean = model((held_out - mean) / std)
            z_mean.var(dim=0)
        return memories

    return run_round
