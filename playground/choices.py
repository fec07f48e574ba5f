"""What can be chosen: the values of the controls, and the map of memories."""

from __future__ import annotations

import numpy as np

from melody import sampling
from melody.atomic import open_hdf5
from melody.flags import load_config
from melody.key import NAMES
from melody.listen.instruments import INSTRUMENTS
from melody.provenance import settings_of
from melody.source_flags import FARTHEST
from playground.composing import SongService
from playground.settings import MOST_NOTES, MOST_SONGS

POINTS = 500  # memories on the map
DEFAULTS = "TEMPERATURE GUIDANCE LENGTH TEMPO INSTRUMENT KEY".split()


def choices(service: SongService) -> dict:
    """The values of the controls, and their defaults and limits."""
    config, _ = load_config()
    meters = sampling.meters_of(service.models.trained.vocabulary.rhythm)
    return {
        "regions": list(service.sources),
        "meters": [meter for meter, songs in meters.items() if songs >= sampling.FEWEST_SONGS],
        "keys": NAMES,
        "instruments": INSTRUMENTS,
        "defaults": {name.lower(): getattr(config, name) for name in DEFAULTS},
        "most": {"count": MOST_SONGS, "length": MOST_NOTES, "at": FARTHEST},
    }


def latent_map(service: SongService, name: str) -> dict:
    """Where memories of a region lie on the latent plane of its VAE, (x, y, song) each, at most `POINTS` of them.

    They are the real ones of data/memories, or ones that are sampled from the VAE if these are not there.
    """
    vae, _ = service.models.vae(name, " ".join(service.sources[name]))
    path, rng = service.args.data / "memories" / f"{name}.h5", np.random.default_rng(0)
    memories, songs = _memories(path, service.models.trained.fingerprint, rng)
    latents = vae.sample(POINTS, rng) if memories is None else vae.encode(memories)
    points = np.clip(vae.plane().points(latents), -FARTHEST, FARTHEST).round(2).tolist()
    return {"name": name, "real": memories is not None, "points": points, "songs": songs}


def _memories(path, network: str, rng: np.random.Generator) -> tuple[np.ndarray | None, list[str]]:
    """Some memories of a file and the songs that they end with; None if they are not there, or of another network."""
    if not path.exists():
        return None, []
    with open_hdf5(path, "python generate_memories.py --overwrite") as file:
        if settings_of(file).get("network") != network:
            return None, []
        chosen = np.sort(rng.permutation(len(file["memory"]))[:POINTS])
        names = file["name"].asstr()[:]
        return file["memory"][chosen], names[file["song"][chosen][:, -1]].tolist()
