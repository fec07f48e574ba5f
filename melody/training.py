"""How the network learns: streams of songs of one region, window by window, judged by songs it has not read."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from melody import batching, dataset, lstm, regions, scoring
from melody.errors import UserError

NAT = 1 / np.log(2)  # bits


class StreamModel(keras.Model):
    """Trains a network window by window: [entry (batch, length, columns), fresh (batch, 1)] -> logits.

    The state after one window is the state before the next, unless `fresh` is 1: then the network starts from zero.
    Gradients stop at the window's edge (truncated back-propagation through time, Williams & Peng 1990).
    """

    def __init__(self, network: keras.Model, batch: int):
        super().__init__(name="trainer")
        self.network = network
        self.carried = [
            self.add_weight(
                shape=(batch, entry.shape[-1]), initializer="zeros", trainable=False, autocast=False, name=entry.name
            )
            for entry in network.inputs[1:]
        ]
        self.built = True

    def call(self, inputs, training=None):
        entry, fresh = inputs
        before = [(1.0 - fresh) * state for state in self.carried]
        logits, *after = self.network([entry, *before], training=training)
        for state, value in zip(self.carried, after, strict=True):
            state.assign(ops.cast(value, state.dtype))
        return logits


class Trainer:
    """The network's epochs. `settings` are the flags of train_lstm.py, `split` the songs of each part.

    With a further setting `token_probability`, a share above 0, the network has an input more and is told the region of so many
    streams, by its place in `region_names`, and of every validation song.
    """

    def __init__(self, songs: dataset.Dataset, split: dict[str, list[int]], settings: dict):
        keras.utils.set_random_seed(settings["seed"])
        self.settings, self.vocabulary = settings, songs.vocabulary
        self.training = songs.songs(split["training"])
        names = {part: [songs.name[s] for s in split[part]] for part in ("training", "validation")}
        self.region_names, self.token_probability = (
            sorted({regions.prefix(name) for name in names["training"]}),
            settings.get("token_probability", 0.0),
        )
        self.regions, judged = (regions.numbers(names[part], self.region_names) for part in names)
        self.validation_region_ids = judged if self.token_probability else None
        self.validation = [
            batching.inputs_and_targets(song, len(self.vocabulary)) for song in songs.songs(split["validation"])
        ]
        sizes = (settings[name] for name in ("embedding", "units", "layers", "dense"))
        shape = lstm.Shape(
            len(self.vocabulary), *sizes, regions=len(self.region_names) if self.token_probability else 0
        )
        network = lstm.build(shape, settings["dropout"], settings["precision"])
        self.model, self.eval_model = StreamModel(network, settings["batch"]), lstm.build(shape)
        self.steps = sum(1 for _ in self._streams(0).epoch())
        if not self.steps:
            raise UserError(f"{len(self.training)} training songs do not fill --batch {settings['batch']}; lower it")
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0,
            self.steps * settings["epochs"],
            warmup_target=settings["learning_rate"],
            warmup_steps=settings["warmup_steps"],
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.model.compile(keras.optimizers.Adam(schedule, global_clipnorm=1.0), loss)

    def _streams(self, epoch: int) -> batching.Streams:
        settings = self.settings
        return batching.Streams(
            self.training, self.regions, self.vocabulary,
            batch=settings["batch"], bptt_length=settings["bptt_length"], windows_per_stream=settings["windows_per_stream"],
            transpose_probability=settings["transpose_probability"] * (1 - epoch / settings["epochs"]), token_probability=self.token_probability,
            rng=np.random.default_rng([settings["seed"], epoch]),
        )  # fmt: skip

    def epoch(self, number: int, on_step: Callable[[dict], None]) -> dict[str, float]:
        """Read the training part once; loss (nats) and bits per note on training streams and validation songs."""
        self.model.reset_metrics()
        for entry, answer, fresh in self._streams(number).epoch():
            begins = np.full((len(entry), 1), fresh, np.float32)
            counts = (answer >= 0) / np.mean(answer >= 0)  # what follows a stream's last song does not count
            loss = float(self.model.train_on_batch([np.maximum(entry, 0), begins], np.maximum(answer, 0), counts))
            row = {"loss": loss, "bits": loss * NAT}
            on_step(row)
        self.eval_model.set_weights(self.model.network.get_weights())
        return row | self._validate()

    def _validate(self) -> dict[str, float]:
        """Bits per note and per ending of the validation songs, each read from the zero state."""
        bits = scoring.information_content(self.eval_model, self.validation, region_ids=self.validation_region_ids)
        notes = np.concatenate([song[:-1] for song in bits])
        return {
            "validation_bits": float(notes.mean()),
            "validation_end_bits": float(np.mean([song[-1] for song in bits])),
        }
