"""Trains the network window by window on streams of songs of one region, and validates it on held-out songs."""

import argparse
from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from melody import batching, dataset, lstm, regions, scoring
from melody.backend import check_memory
from melody.cli import log
from melody.errors import UserError
from melody.split import PARTS, load_split, split_fingerprint
from melody.training_run import TrainingRun, same_command

BITS_PER_NAT = 1 / np.log(2)


def train(args: argparse.Namespace, name: str, script: str, settings: dict) -> None:
    """Train a network on the songs of `args.data` and write `<name>.*` to `args.weights`; see `Trainer` for `settings`.

    `args` also holds resume, overwrite and quiet; `script` is the command, for messages.
    """
    songs = dataset.load(args.data)
    split = load_split(args.data, songs)
    if not split["validation"]:
        raise UserError(f"{len(songs)} songs leave none for validation; read more with: {dataset.COMMAND} --songs")
    log(args, f"{len(split['training'])} training and {len(split['validation'])} validation songs; {songs.vocabulary}")
    settings = settings | {"split": split_fingerprint(songs, split)}
    trainer = Trainer(songs, split, settings)
    record = {"vocabulary": songs.vocabulary.names}
    if trainer.token_probability:
        log(args, f"control tokens for {len(trainer.region_names)} regions")
        record["regions"] = trainer.region_names
    record["held_out"] = {part: [songs.name[s] for s in split[part]] for part in PARTS[1:]}
    models = {"model": trainer.model, "eval_model": trainer.eval_model, "monitor": "validation_bits"}
    command = same_command(script)
    run = TrainingRun(args.weights, name, **models, settings=settings, record=record, command=command)
    with run.lock():
        log(args, f"epochs done: {run.start(args.resume, args.overwrite)} of {settings['epochs']}")
        run.train(settings["epochs"], trainer.steps, trainer.epoch, args.quiet)
    log(args, f"{run.best:.3f} bits per note on validation songs; wrote {run.weights}")


class StreamModel(keras.Model):
    """Trains a network window by window: [inputs (batch, length, columns), is_start (batch, 1)] -> logits.

    The state after one window is the state before the next, unless `is_start` is 1: then the network starts from zero.
    Gradients stop at the start of a window (truncated back-propagation through time, Williams & Peng 1990).
    """

    def __init__(self, network: keras.Model, batch: int):
        super().__init__(name="stream_model")
        self.network = network
        fixed = {"initializer": "zeros", "trainable": False, "autocast": False}
        states = network.inputs[1:]
        self.carried = [self.add_weight(shape=(batch, state.shape[-1]), name=state.name, **fixed) for state in states]
        self.built = True

    def call(self, inputs, training=None):
        tokens, is_start = inputs
        before = [(1.0 - is_start) * state for state in self.carried]
        logits, *after = self.network([tokens, *before], training=training)
        for state, value in zip(self.carried, after, strict=True):
            state.assign(ops.cast(value, state.dtype))
        return logits


class Trainer:
    """The network's epochs. `settings` are the flags of train_lstm.py, `split` the song indices of each part.

    With the further setting `token_probability` > 0 the network reads a control token: in that fraction of the
    training streams the number of the region in `region_names`, else 0; in validation songs always their region's.
    """

    def __init__(self, songs: dataset.Dataset, split: dict[str, list[int]], settings: dict):
        keras.utils.set_random_seed(settings["seed"])
        self.settings, self.vocabulary = settings, songs.vocabulary
        self.token_probability = settings.get("token_probability", 0.0)
        self.training = songs.songs(split["training"])
        names = {part: [songs.name[s] for s in split[part]] for part in ("training", "validation")}
        self.region_names = sorted({regions.prefix(name) for name in names["training"]})
        self.regions, validation_ids = (np.array(regions.region_ids(names[part], self.region_names)) for part in names)
        self.validation_region_ids = validation_ids if self.token_probability else None
        notes, validation = len(self.vocabulary), songs.songs(split["validation"])
        self.validation = [batching.inputs_and_targets(song, notes) for song in validation]
        sizes = (settings[name] for name in ("embedding", "units", "layers", "dense"))
        tokens = len(self.region_names) if self.token_probability else 0
        shape = lstm.Shape(notes, *sizes, regions=tokens)
        remedy = "lower --units, --layers, --batch or --bptt-length"
        check_memory(training_bytes(shape, settings["batch"], settings["bptt_length"]), "this training", remedy)
        network = lstm.build(shape, settings["dropout"], settings["precision"])
        self.model, self.eval_model = StreamModel(network, settings["batch"]), lstm.build(shape)
        self.steps = self._streams(0).steps()
        if not self.steps:
            raise UserError(f"{len(self.training)} training songs do not fill --batch {settings['batch']}; lower it")
        warmup = {"warmup_target": settings["learning_rate"], "warmup_steps": settings["warmup_steps"]}
        schedule = keras.optimizers.schedules.CosineDecay(0.0, self.steps * settings["epochs"], **warmup)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.model.compile(keras.optimizers.Adam(schedule, global_clipnorm=1.0), loss)

    def _streams(self, epoch: int) -> batching.Streams:
        settings = self.settings
        own = {name: settings[name] for name in ("batch", "bptt_length", "windows_per_stream")}
        own["transpose_probability"] = settings["transpose_probability"] * (1 - epoch / settings["epochs"])
        own |= {"token_probability": self.token_probability, "rng": np.random.default_rng([settings["seed"], epoch])}
        return batching.Streams(self.training, self.regions, self.vocabulary, **own)

    def epoch(self, number: int, on_step: Callable[[dict], None]) -> dict[str, float]:
        """Train on all streams once; loss (nats) and bits per note of the last step and of the validation songs."""
        self.model.reset_metrics()
        for inputs, targets, is_start in self._streams(number).epoch():
            starts = np.full((len(inputs), 1), is_start, np.float32)
            weights = (targets >= 0) / np.mean(targets >= 0)  # no weight after the end of a stream
            loss = float(self.model.train_on_batch([np.maximum(inputs, 0), starts], np.maximum(targets, 0), weights))
            row = {"loss": loss, "bits": loss * BITS_PER_NAT}
            on_step(row)
        self.eval_model.set_weights(self.model.network.get_weights())
        return row | self._validate()

    def _validate(self) -> dict[str, float]:
        """Bits per note and per ending of the validation songs, each read with the initial state zero."""
        bits = scoring.information_content(self.eval_model, self.validation, region_ids=self.validation_region_ids)
        notes = np.concatenate([song[:-1] for song in bits])
        endings = np.array([song[-1] for song in bits])
        return {"validation_bits": float(notes.mean()), "validation_end_bits": float(endings.mean())}


def training_bytes(shape: lstm.Shape, batch: int, bptt_length: int) -> int:
    """The least memory (bytes) that training needs: weights, gradients, Adam's two moments and `eval_model` in float32;
    and for back-propagation, in two bytes each, the gates and states of each layer at each note of a window."""
    return 5 * 4 * lstm.parameters(shape) + 2 * batch * bptt_length * shape.layers * 6 * shape.units
