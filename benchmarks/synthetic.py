"""Invented songs and an untrained network, as large as the real ones: speed does not hang on what they hold.

python -m benchmarks.synthetic DIR '{"songs": 100, "shape": {…}, …}'    writes DIR/data and DIR/weights
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from benchmarks import REGION
from melody import dataset
from melody.atomic import write_json
from melody.provenance import file_fingerprint
from melody.song import Song
from melody.split import load_split
from melody.vocabulary import ESSEN

MEAN = 53  # notes of a song, as in the Essen collection


def songs(count: int, seed: int = 0) -> list[Song]:
    """Random walks over the Essen notes, from half to one and a half times as long as its songs are on the mean."""
    rng, found = np.random.default_rng(seed), []
    for k in range(count):
        steps = rng.integers(-3, 4, rng.integers(MEAN // 2, MEAN * 3 // 2 + 1))
        notes = ESSEN.decode(np.abs(len(ESSEN) // 2 + np.cumsum(steps)) % len(ESSEN))
        times = [1.0] * len(notes), [0.0] * len(notes), [False] * len(notes)
        found.append(Song(f"europa/{REGION}/deut{k:05d}", notes, *times, key="C", meter="4/4"))
    return found


def write_files(folder: Path, count: int) -> None:
    """Write songs as both editions have them: folder/kern/… and folder/midi/…."""
    from melody.formats.write_kern import write_kern
    from melody.formats.write_midi import write_midi

    for song in songs(count):
        write_kern(folder / "kern" / f"{song.name}.krn", song)
        write_midi(folder / "midi" / f"{Path(song.name).name}.mid", song, tempo=120)


def loaded(count: int) -> tuple[dataset.Dataset, dict[str, list[int]]]:
    """Invented songs as the network's trainer want them, all but four for training."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        write_data(Path(folder), count)
        found = dataset.load(Path(folder))
        return found, load_split(Path(folder), found)


def write_data(data: Path, count: int) -> None:
    """Write songs.h5, vocabulary.json and split.json, as stage 1 does."""
    data.mkdir(parents=True, exist_ok=True)
    found = songs(count + 4)
    names = [song.name for song in found]
    ESSEN.save(data / "vocabulary.json")
    dataset.write_songs(data / "songs.h5", found, ESSEN, {})
    write_json(data / "split.json", {"training": names[4:], "validation": names[:4], "test": []})


def network(shape: dict):
    """An untrained network that ends a song after `MEAN` notes on the mean."""
    import keras

    from melody import lstm

    keras.utils.set_random_seed(0)
    built = lstm.build(lstm.Shape(len(ESSEN), **shape))
    endings(built, np.log(len(ESSEN) / (MEAN - 1)))
    return built


def endings(built, likeliness: float) -> None:
    """Set how likely a song's end is after each note, as the bias of its logit."""
    bias = built.get_layer("output_head").logits.bias
    bias.assign(np.where(np.arange(bias.shape[0]) == len(ESSEN), likeliness, 0.0))


def write_weights(folder: Path, shape: dict, vae: dict) -> None:
    """Write an untrained network and an untrained VAE of its memories, as stages 2 and 4 do."""
    from melody import checkpoint, lstm
    from vae.model import VAE

    built = network(shape)
    path = folder / "lstm.weights.h5"
    checkpoint.save_weights(built, path)
    trained = file_fingerprint(path)
    record = {
        "weights": trained,
        "vocabulary": ESSEN.names,
        "held_out": {"validation": [], "test": []},
        "settings": shape,
    }
    write_json(folder / "lstm.json", record)
    memory = lstm.shape_of(built).memory
    path = folder / f"vae-{REGION}.weights.h5"
    checkpoint.save_weights(VAE(memory, vae["latent"], vae["hidden"], vae["mixture"]), path)
    record = {"weights": file_fingerprint(path), "memory": memory}
    vae = vae | {"memories": {"regions": [REGION], "network": trained}}
    write_json(path.with_name(f"vae-{REGION}.json"), record | {"settings": vae})


def main() -> None:
    folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
    write_data(folder / "data", settings["songs"])
    write_files(folder, settings["files"])
    write_weights(folder / "weights", settings["shape"], settings["vae"])


if __name__ == "__main__":
    main()
