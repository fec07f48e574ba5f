"""A Transformer decoder (Vaswani et al. 2017) in the place of the LSTM: the same inputs and heads, and no memory.

Layers are pre-norm (Xiong et al. 2020); positions are relative, by rotary embeddings (Su et al. 2021, RoFormer). It
reads a whole stream at once, with all songs before, where the LSTM has its state.
"""

import keras
import numpy as np
from keras import layers, ops

from melody import lstm
from melody.records import Shape

HEAD_UNITS = 64  # of each attention head
LEARNING_RATE = 1e-3  # that of the LSTM is higher
BASE = 10_000.0  # of the rotary embeddings' wavelengths


def settings(network: dict) -> dict:
    """What differs from the settings of the network: the learning rate; streams of the same length unbroken; and twice
    as many layers of half as many units, 6 × 256, which have about as many weights."""
    length = network["bptt_length"] * network["windows_per_stream"]
    sizes = {"layers": 2 * network["layers"], "units": network["units"] // 2}
    return sizes | {"learning_rate": LEARNING_RATE, "bptt_length": length, "windows_per_stream": 1}


class CausalAttention(layers.Layer):
    """Self-attention to the times up to each one, with rotary embeddings: (batch, time, units) to the same."""

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.size = min(HEAD_UNITS, units)
        self.projection = layers.Dense(3 * units, use_bias=False, dtype=self.dtype_policy, name="projection")
        self.output_projection = layers.Dense(units, use_bias=False, dtype=self.dtype_policy, name="output_projection")

    def call(self, x):
        batch, time, units = ops.shape(x)
        heads = ops.reshape(self.projection(x), (batch, time, 3, units // self.size, self.size))
        query, key, value = (heads[:, :, k] for k in range(3))
        attended = ops.dot_product_attention(rotated(query), rotated(key), value, is_causal=True)
        return self.output_projection(ops.reshape(attended, (batch, time, units)))


def rotated(x):
    """Each pair of numbers turned by an angle that grows with time, so that a product depends on their distance alone:
    (batch, time, heads, size) to the same."""
    half = x.shape[-1] // 2
    frequency = ops.convert_to_tensor(BASE ** (-np.arange(half) / half), dtype="float32")
    angle = ops.arange(ops.shape(x)[1], dtype="float32")[:, None, None] * frequency
    cosine, sine = ops.cast(ops.cos(angle), x.dtype), ops.cast(ops.sin(angle), x.dtype)
    first, second = x[..., :half], x[..., half:]
    return ops.concatenate([first * cosine - second * sine, first * sine + second * cosine], axis=-1)


def build(shape: Shape, dropout: float = 0.0, dtype: str = "float32", with_lookback: bool = True) -> keras.Model:
    """The Transformer: [inputs (batch, time, columns)] -> logits of each head; as `melody.lstm.build`, without states.

    Without lookback all candidates are read as missing.
    """
    columns = lstm.candidates(shape)[-1].stop
    inputs = keras.Input((None, columns), dtype="int32", name="inputs")
    read = inputs if with_lookback else ops.where(*_missing(shape, columns), inputs)
    embedded, context, *next_note = lstm.InputEmbedding(shape, dtype=dtype)(read)
    x = layers.Dense(shape.units, dtype=dtype, name="embedded")(embedded)
    for k in range(1, shape.layers + 1):
        y = CausalAttention(shape.units, dtype=dtype, name=f"attention_{k}")(_norm(x, dtype, f"norm_{k}"))
        x = layers.Add(dtype=dtype)([x, layers.Dropout(dropout, dtype=dtype)(y)])
        y = layers.Dense(4 * shape.units, activation="gelu", dtype=dtype, name=f"widened_{k}")(
            _norm(x, dtype, f"norm_of_widened_{k}")
        )
        y = layers.Dense(shape.units, dtype=dtype, name=f"narrowed_{k}")(y)
        x = layers.Add(dtype=dtype)([x, layers.Dropout(dropout, dtype=dtype)(y)])
    x = layers.Dropout(dropout, dtype=dtype, name="output")(_norm(x, dtype, "norm"))
    return keras.Model([inputs], lstm.predict(shape, dtype, read, x, context, next_note), name="transformer")


def _norm(x, dtype: str, name: str):
    return layers.LayerNormalization(dtype=dtype, name=name)(x)


def _missing(shape: Shape, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Which columns belong to candidates, and what they hold where there is none, see `melody.lookback`."""
    values = np.zeros(columns, np.int32)
    for found in lstm.candidates(shape):
        values[list(found)] = (shape.notes, 0, shape.rhythms)[: len(found)]
    return np.arange(columns) >= lstm.token_columns(shape), values
