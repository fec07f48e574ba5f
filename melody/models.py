"""The network and the VAEs of a folder of weights, each loaded once for any number of songs."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from melody import lstm, neighbors, own_songs
from melody.sampling import Sampler
from melody.scoring import StateEncoder


class Models:
    """What songs are composed with. `load_vae(weights, name, flags)` gives a VAE and its record; `flags` are for the
    commands in messages.

    Raises `UserError` if something is missing, damaged or too large for this machine.
    """

    def __init__(self, weights: Path, load_vae: Callable[[Path, str, str], tuple]):
        self.trained, self.read = lstm.load(weights), own_songs.read
        self.encoder = StateEncoder(self.trained.network)
        self.sampler = cache(partial(Sampler, self.trained.network, self.trained.vocabulary))  # of `guided`
        self.vae = cache(partial(load_vae, weights))
        self.neighbors = cache(lambda path: neighbors.load(path, self.trained.fingerprint))
