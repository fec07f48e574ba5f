"""Random songs and an untrained network of the real sizes: speed does not depend on what they hold.

python -m benchmarks.synthetic DIR '{"songs": 100, "shape": {…}, …}'    writes DIR/data and DIR/weights
"""

import json
import sys
from fractions import Fraction
from functools import cache
from pathlib import Path

import keras
import numpy as np

from benchmarks import REGION
from melody import checkpoint, dataset, lstm
from melody.atomic import write_json
from melody.formats.write_kern import write_kern
from melody.formats.write_midi import write_midi
from melody.meter import Opening, Rhythm, bar_length
from melody.provenance import file_fingerprint
from melody.records import NetworkRecord
from melody.song import Song, with_bars
from melody.vocabulary import ESSEN, RhythmVocabulary, Vocabulary
from vae.model import VAE

MEAN_LENGTH = 53  # notes per song, as in the Essen collection
DURATIONS, RESTS = range(1, 20), (0, 1, 2, 4, 8)  # sixteenths: 95 rhythms, as in the Essen collection
BEATS, PICKUPS = range(2, 13), range(6)  # quarter notes and sixteenths: 66 openings, as there
LEGAL = 6  # rhythms at each beat position


@cache
def vocabulary(pitch_only: bool = False) -> Vocabulary:
    """The notes of the Essen collection, with as many rhythms and openings as it has unless `pitch_only`."""
    if pitch_only:
        return ESSEN
    rhythms = [Rhythm(Fraction(rest, 4), Fraction(time, 4)) for rest in RESTS for time in DURATIONS]
    openings = [Opening(f"{beats}/4", Fraction(pickup, 4)) for beats in BEATS for pickup in PICKUPS]
    grid = {
        one.time_signature: [Fraction(k, 4) for k in range(int(4 * bar_length(one.time_signature)))] for one in openings
    }
    transitions = {signature: {beat: list(range(LEGAL)) for beat in beats} for signature, beats in grid.items()}
    endings = {one: [*grid[one.time_signature]] for one in openings}
    return Vocabulary(ESSEN.names, RhythmVocabulary(rhythms, dict.fromkeys(openings, 100), transitions, endings))


def random_songs(count: int) -> list[Song]:
    """Random walks over the Essen notes, of half to one and a half times the mean length; every other has phrases."""
    rng, songs = np.random.default_rng(0), []
    for k in range(count):
        steps = rng.integers(-3, 4, rng.integers(MEAN_LENGTH // 2, MEAN_LENGTH * 3 // 2 + 1))
        pitch = ESSEN.decode(np.abs(len(ESSEN) // 2 + np.cumsum(steps)) % len(ESSEN))
        duration = (rng.integers(1, LEGAL + 1, len(pitch)) / 4).tolist()
        phrase = [k % 2 == 0 and note % 8 == 0 for note in range(len(pitch))]
        name = f"europa/{REGION}/deut{k:05d}"
        songs.append(with_bars(Song(name, pitch, duration, [0.0] * len(pitch), phrase, key="C", meter="4/4")))
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
    songs = dataset.dataset_of(random_songs(count + 4), vocabulary())
    return songs, {"training": [*range(4, count + 4)], "validation": [*range(4)], "test": []}


def network(shape: dict, pitch_only: bool = False) -> lstm.TrainedNetwork:
    """An untrained network whose songs end after `MEAN_LENGTH` notes on average."""
    keras.utils.set_random_seed(0)
    known = vocabulary(pitch_only)
    record = NetworkRecord("", lstm.Shape.of(known, shape), known, {}, shape)
    model = lstm.build(record.shape)
    set_end_logit(model, np.log(len(ESSEN) / (MEAN_LENGTH - 1)))
    return lstm.TrainedNetwork(model, record)


def set_end_logit(model: keras.Model, logit: float) -> None:
    """Set the bias of the END logit; all others become 0."""
    bias = model.get_layer("output_head").logits.bias
    bias.assign(np.where(np.arange(bias.shape[0]) == len(ESSEN), logit, 0.0))


def write_data(data: Path, count: int) -> None:
    """Write songs.h5, vocabulary.json and split.json, as stage 1 does."""
    data.mkdir(parents=True, exist_ok=True)
    songs = random_songs(count + 4)
    names = [song.name for song in songs]
    vocabulary().save(data / "vocabulary.json")
    dataset.write_songs(data / "songs.h5", dataset.dataset_of(songs, vocabulary()), {})
    write_json(data / "split.json", {"training": names[4:], "validation": names[:4], "test": []})


def write_weights(folder: Path, shape: dict, vae: dict) -> None:
    """Write an untrained network and an untrained VAE of its memories, as stages 2 and 4 do."""
    model, path = network(shape).network, folder / "lstm.weights.h5"
    checkpoint.save_weights(model, path)
    record = {"weights": file_fingerprint(path), "vocabulary": vocabulary().record(), "settings": shape}
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
