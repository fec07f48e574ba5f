"""Trains the network window by window on streams of songs, and validates it on held-out songs."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace

import keras
import numpy as np
from keras import ops

from melody import batching, copies, dataset, distribution, encoding, lstm, regions, scoring
from melody.backend import check_memory
from melody.calibration import calibrate
from melody.cli import log
from melody.descriptors import Descriptors, mode_of
from melody.encoding import HEADS
from melody.errors import UserError
from melody.groupings import SHARES, groupings
from melody.split import PARTS, load_split, split_fingerprint
from melody.training_run import TrainingRun, same_command
from melody.vocabulary import Vocabulary

BITS_PER_NAT = 1 / np.log(2)


def train(
    args: argparse.Namespace,
    name: str,
    script: str,
    settings: dict,
    build: Callable[..., keras.Model] = lstm.build,
    split: dict[str, list[int]] | None = None,
) -> None:
    """Train a network on the songs of `args.data` and write `<name>.*` to `args.weights`; see `Trainer` for the rest.

    `args` also holds resume, overwrite and quiet; `script` is the command, for messages; a `split` replaces that of
    `args.data`.
    """
    songs = dataset.load(args.data)
    split = split or load_split(args.data, songs)
    if not split["validation"]:
        raise UserError(f"{len(songs)} songs leave none for validation; read more with: {dataset.COMMAND} --songs")
    log(args, f"{len(split['training'])} training and {len(split['validation'])} validation songs")
    settings = settings | {"split": split_fingerprint(songs, split)}
    distributed = getattr(args, "processes", 1) > 1 or getattr(args, "all_devices", False)
    trainer = Trainer(songs, split, settings, build, distributed=distributed)
    log(args, str(trainer.vocabulary))
    record = {"vocabulary": trainer.vocabulary.record()}
    if trainer.token_probability:
        log(args, f"control tokens for {len(trainer.region_names)} regions")
        record["regions"] = trainer.region_names
    record["held_out"] = {part: [songs.name[s] for s in split[part]] for part in PARTS[1:]}
    models = {"model": trainer.model, "eval_model": trainer.eval_model, "monitor": "validation_bits"}
    command = same_command(script)
    run = TrainingRun(args.weights, name, **models, settings=settings, record=record, command=command)
    with run.lock():
        log(args, f"epochs done: {run.start(args.resume, args.overwrite)} of {settings['epochs']}")
        if distribution.is_first():
            index = copies.CopyIndex.of(songs, split["training"], bool(trainer.vocabulary.rhythm.rhythms))
            copies.write(copies.path_of(args.weights, name), index, {"split": settings["split"]})
        run.train(settings["epochs"], trainer.steps, trainer.epoch, args.quiet)
    log(args, f"{run.best:.3f} bits per note on validation songs; wrote {run.weights}")


class StreamModel(keras.Model):
    """Trains a network window by window: [inputs (batch, length, columns), is_start (batch, 1)] -> logits.

    The state after one window is the state before the next, unless `is_start` is 1: then the network starts from zero.
    Gradients stop at the start of a window (truncated back-propagation through time, Williams & Peng 1990).

    Beside the logits of the heads it gives those of the descriptors (batch, length, size), from the output of the LSTM.
    """

    def __init__(self, network: keras.Model, batch: int, segments: Sequence[slice], auxiliary_weight: float):
        super().__init__(name="stream_model")
        self.network, self.segments, self.auxiliary_weight = network, segments, auxiliary_weight
        self.heads = len(network.outputs) - len(network.inputs[1:])
        outputs = [*network.outputs, network.get_layer("output").output]
        self.with_output = keras.Model(network.inputs, outputs, name="network_with_output")
        self.descriptor_head = keras.layers.Dense(segments[-1].stop, dtype="float32", name="descriptor_head")
        self.descriptor_head.build(outputs[-1].shape)
        fixed = {"initializer": "zeros", "trainable": False, "autocast": False}
        states = network.inputs[1:]
        self.carried = [self.add_weight(shape=(batch, state.shape[-1]), name=state.name, **fixed) for state in states]
        self.bits = [keras.metrics.Mean(name=f"{head}_bits") for head in HEADS[: self.heads]]
        self.built = True

    def call(self, inputs, training=None):
        tokens, is_start = inputs
        before = [(1.0 - is_start) * state for state in self.carried]
        *outputs, output = self.with_output([tokens, *before], training=training)
        for state, value in zip(self.carried, outputs[self.heads :], strict=True):
            state.assign(ops.cast(value, state.dtype))
        return [*outputs[: self.heads], self.descriptor_head(output)]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The nats of all heads and of the descriptors, for each token; `y` is targets and descriptions."""
        targets, descriptions = map(ops.convert_to_tensor, y)
        *heads, described = y_pred
        tokens = ops.maximum(ops.sum(ops.cast(targets[..., 0] >= 0, "float32")), 1.0)  # all streams may have ended
        loss = self.auxiliary_weight * ops.sum(_nats_of_descriptions(described, descriptions, self.segments)) / tokens
        for k, (logits, bits) in enumerate(zip(heads, self.bits, strict=True)):
            wanted = targets[..., k]
            counted = ops.cast(wanted >= 0, "float32")
            nats = keras.losses.sparse_categorical_crossentropy(ops.maximum(wanted, 0), logits, from_logits=True)
            total = ops.sum(nats * counted)
            bits.update_state(total / ops.maximum(ops.sum(counted), 1.0) * BITS_PER_NAT)
            loss += total / tokens
        return loss


def _nats_of_descriptions(logits, descriptions, segments: Sequence[slice]):
    """Cross-entropy of each description, (batch, time); 0 where it is all zeros."""
    nats = 0.0
    for segment in segments:
        wanted = descriptions[..., segment]
        nats -= ops.sum(wanted * ops.log_softmax(logits[..., segment]), axis=-1)
    return nats


class Trainer:
    """The network's epochs. `settings` are the flags of train_lstm.py, `split` the song indices of each part; `build`
    makes the network of a shape.

    `own` are songs of the user's own, of which the setting `own_share` of the streams are made; see `fine_tuning`.
    `distributed` divides each batch among all devices of all processes; see `distribution`.
    With the further setting `token_probability` > 0 the network reads a control token: in that fraction of the
    training streams the number of the song's collection in `region_names`, else 0; in validation songs always theirs.
    The further setting `groupings` names those of `melody.groupings.SHARES` that streams are made of, if not all are.
    """

    def __init__(
        self,
        songs: dataset.Dataset,
        split: dict[str, list[int]],
        settings: dict,
        build: Callable[..., keras.Model] = lstm.build,
        own: batching.TrainingSongs | None = None,
        distributed: bool = False,
    ):
        keras.utils.set_random_seed(settings["seed"])
        self.settings = settings
        self.vocabulary = Vocabulary(songs.vocabulary.names) if settings["pitch_only"] else songs.vocabulary
        encoded = encoding.EncodedSongs(songs, self.vocabulary)
        names = {part: [songs.name[s] for s in split[part]] for part in ("training", "validation")}
        self.region_names = sorted({regions.prefix(name) for name in names["training"]})
        training_ids, validation_ids = (np.array(regions.region_ids(names[part], self.region_names)) for part in names)
        training = training_songs(songs, split["training"], encoded, (training_ids - 1).tolist())
        chosen = settings.get("groupings", SHARES)
        training = replace(training, groups={kind: training.groups[kind] for kind in chosen})
        self.training = training.with_own(own) if own else training
        self.descriptors = Descriptors(self.vocabulary, len(self.region_names) + bool(own))
        self.token_probability = settings.get("token_probability", 0.0)
        self.validation_region_ids = validation_ids if self.token_probability else None
        self.validation = tokens_of(encoded, split["validation"], self.vocabulary)
        shape = lstm.Shape.of(self.vocabulary, settings, len(self.region_names) if self.token_probability else 0)
        remedy = "lower --units, --layers, --batch or --bptt-length"
        check_memory(training_bytes(shape, settings["batch"], settings["bptt_length"]), "this training", remedy)
        if distributed:
            distribution.distribute(settings["batch"])
        network = build(shape, settings["dropout"], settings["precision"])
        auxiliary = self.descriptors.segments, settings["auxiliary_weight"]
        self.model = StreamModel(network, settings["batch"], *auxiliary)
        with distribution.undivided():
            self.eval_model = build(shape)
        self.steps = self._streams(0).steps()
        if not self.steps:
            raise UserError(
                f"{len(names['training'])} training songs do not fill --batch {settings['batch']}; lower it"
            )
        warmup = {"warmup_target": settings["learning_rate"], "warmup_steps": settings["warmup_steps"]}
        schedule = keras.optimizers.schedules.CosineDecay(0.0, self.steps * settings["epochs"], **warmup)
        self.model.compile(keras.optimizers.Adam(schedule, global_clipnorm=1.0))

    def _streams(self, epoch: int) -> batching.Streams:
        settings = self.settings
        own = {name: settings[name] for name in ("batch", "bptt_length", "windows_per_stream", "synthetic_probability")}
        own["transpose_probability"] = settings["transpose_probability"] * (1 - epoch / settings["epochs"])
        own["own_share"] = settings.get("own_share", 0.0)
        own |= {"token_probability": self.token_probability, "rng": np.random.default_rng([settings["seed"], epoch])}
        return batching.Streams(self.training, self.vocabulary, self.descriptors, **own)

    def epoch(self, number: int, on_step: Callable[[dict], None]) -> dict[str, float]:
        """Train on an epoch of streams; loss (nats a token) and bits so far, and those of the validation songs."""
        totals: dict[str, float] = {}
        rows = distribution.rows(self.settings["batch"])
        for step, (inputs, targets, descriptions, is_start) in enumerate(self._streams(number).epoch(), start=1):
            starts = np.full((len(inputs), 1), is_start, np.float32)
            read, predicted = [np.maximum(inputs, 0)[rows], starts[rows]], [targets[rows], descriptions[rows]]
            row = self.model.train_on_batch(read, predicted, return_dict=True)
            totals = {name: totals.get(name, 0.0) + float(value) for name, value in row.items()}  # Keras resets them
            row = {name: total / step for name, total in totals.items()}
            on_step(row)
        with distribution.undivided():
            self.eval_model.set_weights(self.model.network.get_weights())
            temperatures, validation = self._calibrate(), self._validate()
        return row | validation | {f"{head}_temperature": value for head, value in temperatures.items()}

    def _calibrate(self) -> dict[str, float]:
        return calibrate(self.eval_model, self.validation, self.validation_region_ids)

    def _validate(self) -> dict[str, float]:
        """Bits of each head on the validation songs, each read with the initial state zero: `validation_bits`, the
        sum for a note, chooses the weights."""
        return self.bits("validation", self.validation, self.validation_region_ids)

    def bits(
        self, name: str, songs: Sequence[scoring.Tokens], region_ids: np.ndarray | None = None
    ) -> dict[str, float]:
        """Bits of each head on some songs and their sum for a note, under names that begin with `name`."""
        bits = scoring.information_content(self.eval_model, songs, region_ids=region_ids)
        notes = np.concatenate([song[:-1] for song in bits])
        known = [k for k in range(notes.shape[1]) if not np.isnan(notes[:, k]).all()]  # MIDI songs have no phrases
        means = {HEADS[k]: float(np.nanmean(notes[:, k])) for k in known}
        row = {f"{name}_{head}_bits": mean for head, mean in means.items()}
        row[f"{name}_end_bits"] = float(np.mean([song[-1, 0] for song in bits]))
        return {f"{name}_bits": sum(mean for head, mean in means.items() if head != "opening")} | row


def training_songs(
    songs: dataset.Dataset, chosen: Sequence[int], encoded: encoding.EncodedSongs, collection: list[int]
) -> batching.TrainingSongs:
    """The chosen songs; `collection` is the number of each one's collection."""
    modes = [mode_of(songs.key[s]) for s in chosen]
    return batching.TrainingSongs(encoded.of(chosen), groupings(songs, chosen), modes, collection)


def tokens_of(
    encoded: Sequence[encoding.EncodedSong], chosen: Sequence[int], vocabulary: Vocabulary
) -> list[scoring.Tokens]:
    """What the network reads and predicts of the chosen songs."""
    songs = (encoded[s] for s in chosen)
    return [(encoding.inputs(song, vocabulary), encoding.targets(song, vocabulary)) for song in songs]


def training_bytes(shape: lstm.Shape, batch: int, bptt_length: int) -> int:
    """The least memory (bytes) that training needs: weights, gradients, Adam's two moments and `eval_model` in float32;
    and for back-propagation, in two bytes each, the gates and states of each layer at each note of a window."""
    return 5 * 4 * lstm.parameters(shape) + 2 * batch * bptt_length * shape.layers * 6 * shape.units
