"""Random songs and an untrained network of the real sizes: speed does not depend on what they hold.

python -m benchmarks.synthetic DIR '{"songs": 100, "shape": {…}, …}'    writes DIR/data and DIR/weights
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np

from benchmarks import REGION
from melody import checkpoint, dataset, lstm
from melody.atomic import write_json
from melody.formats.write_kern import write_kern
from melody.formats.write_midi import write_midi
from melody.provenance import file_fingerprint
from melody.song import Song
from melody.split import load_split
from melody.vocabulary import ESSEN
from vae.model import VAE

MEAN_LENGTH = 53  # notes per song, as in the Essen collection


def random_songs(count: int) -> list[Song]:
    """Random walks over the Essen notes, of half to one and a half times the mean length."""
    rng, songs = np.random.default_rng(0), []
    for k in range(count):
        steps = rng.integers(-3, 4, rng.integers(MEAN_LENGTH // 2, MEAN_LENGTH * 3 // 2 + 1))
        pitch = ESSEN.decode(np.abs(len(ESSEN) // 2 + np.cumsum(steps)) % len(ESSEN))
        rhythm = [1.0] * len(pitch), [0.0] * len(pitch), [False] * len(pitch)
        songs.append(Song(f"europa/{REGION}/deut{k:05d}", pitch, *rhythm, key="C", meter="4/4"))
    return songs


def encoded_songs(count: int) -> list[np.ndarray]:
    """Random songs as integers of the vocabulary."""
    return [np.array(ESSEN.encode(song.pitch)) for song in random_songs(count)]


def memories(count: int, size: int) -> np.ndarray:
    """(count, size) float32: eight random factors, weighted per column, and noise."""
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((count, 8), np.float32) @ rng.standard_normal((8, size), np.float32)
    return 0.1 * factors + 0.1 * rng.standard_normal((count, size), np.float32)


def dataset_of(count: int) -> tuple[dataset.Dataset, dict[str, list[int]]]:
    """`count` training songs and four validation songs, with their split, as stage 2 loads them."""
    with TemporaryDirectory() as folder:
        write_data(Path(folder), count)
        songs = dataset.load(Path(folder))
        return songs, load_split(Path(folder), songs)


def network(shape: dict) -> keras.Model:
    """An untrained network whose songs end after `MEAN_LENGTH` notes on average."""
    keras.utils.set_random_seed(0)
    model = lstm.build(lstm.Shape(len(ESSEN), **shape))
    set_end_logit(model, np.log(len(ESSEN) / (MEAN_LENGTH - 1)))
    return model


def set_end_logit(model: keras.Model, logit: float) -> None:
    """Set the bias of the END logit; all others become 0."""
    bias = model.get_layer("output_head").logits.bias
    bias.assign(np.where(np.arange(bias.shape[0]) == len(ESSEN), logit, 0.0))


def write_data(data: Path, count: int) -> None:
    """Write songs.h5, vocabulary.json and split.json, as stage 1 does."""
    data.mkdir(parents=True, exist_ok=True)
    songs = random_songs(count + 4)
    names = [song.name for song in songs]
    ESSEN.save(data / "vocabulary.json")
    dataset.write_songs(data / "songs.h5", songs, ESSEN, {})
    write_json(data / "split.json", {"training": names[4:], "validation": names[:4], "test": []})


def write_weights(folder: Path, shape: dict, vae: dict) -> None:
    """Write an untrained network and an untrained VAE of its memories, as stages 2 and 4 do."""
    model, path = network(shape), folder / "lstm.weights.h5"
    checkpoint.save_weights(model, path)
    record = {"weights": file_fingerprint(path), "vocabulary": ESSEN.names, "settings": shape}
    write_json(folder / "lstm.json", record | {"held_out": {"validation": [], "test": []}})
    settings = vae | {"memories": {"regions": [REGION], "network": record["weights"]}}
    memory, path = lstm.shape_of(model).memory, folder / f"vae-{REGION}.weights.h5"
    checkpoint.save_weights(VAE(memory, vae["latent"], vae["hidden"], vae["mixture"]), path)
    record = {"weights": file_fingerprint(path), "memory": memory, "settings": settings}
    write_json(folder / f"vae-{REGION}.json", record)


def main() -> None:
    folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
    write_data(folder / "data", settings["songs"])
    for song in random_songs(settings["files"]):
        write_kern(folder / "kern" / f"{song.name}.krn", song)
        write_midi(folder / "midi" / f"{Path(song.name).name}.mid", song, tempo=120)
    write_weights(folder / "weights", settings["shape"], settings["vae"])


if __name__ == "__main__":
    main()
