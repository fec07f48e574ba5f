"""Keras's LSTM layer with a time loop of its own for processors without cuDNN: what needs no loop is taken out of it.

The same layer with the same weights, its gates in Keras's order i, f, g, o (Hochreiter & Schmidhuber 1997, Gers et al.
2000):

    z_t = x_t W + b + h_t-1 R        i, f, o = sigmoid(z),  g = tanh(z)
    c_t = f c_t-1 + i g              h_t = o tanh(c_t)

Reading, x W + b is one product for all times. Learning, the loop back in time finds dz alone; the gradient of R is then
one product over all times, where automatic differentiation adds up one for each. Products are in the layer's precision,
all else in the loop is float32.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops


class LSTM(keras.layers.LSTM):
    """`keras.layers.LSTM` without masks and dropout of its own, (batch, time, numbers) and two states to the same."""

    def __init__(self, units: int, **kwargs):
        super().__init__(units, **kwargs)
        self.loops = on_processor()  # elsewhere Keras has cuDNN's

    def inner_loop(self, sequences, initial_state, mask, training=False):
        if not self.loops:
            return super().inner_loop(sequences, initial_state, mask, training)
        weights = self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias
        twice = ops.cast(np.repeat([1, 1, 2, 1], self.units), self.compute_dtype)
        kernel, recurrent, bias = (ops.convert_to_tensor(weight) * twice for weight in weights)
        read = ops.matmul(ops.transpose(sequences, (1, 0, 2)), kernel) + bias
        found = _loop(read, recurrent, *initial_state)
        return found[-2], ops.transpose(found[:-1], (1, 0, 2)), [found[-2], found[-1]]


def on_processor() -> bool:
    """Whether the backend works out arrays on a processor, not on a GPU or the like."""
    return "cpu" in str(ops.zeros(()).device).lower()


def jit_compile() -> bool | str:
    """What to tell a model's `compile`: on a processor Keras leaves out TensorFlow's XLA unless it is asked for."""
    if keras.backend.backend() != "tensorflow" or not on_processor():
        return "auto"
    import tensorflow

    return tensorflow.test.is_built_with_xla()


@ops.custom_gradient
def _loop(read, recurrent, h, c):
    """h at all times and the last c, (time + 1, batch, units), from `read`, which is x W + b, (time, batch, 4 units).

    In `read` and `recurrent` (units, 4 units) what makes g is twice as large, so that one sigmoid makes all gates:
    tanh(z) = 2 sigmoid(2z) - 1. One tensor is returned, since PyTorch under Keras takes a gradient of no more.
    """
    dtype, start = recurrent.dtype, [ops.cast(state, "float32") for state in (h, c)]

    def forward(state, read):
        h, c, _ = state
        gates = ops.sigmoid(ops.cast(read + ops.matmul(ops.cast(h, dtype), recurrent), "float32"))
        i, f, g, o = _quarters(gates)
        c = f * c + i * (2 * g - 1)
        state = o * ops.tanh(c), c, gates
        return state, state

    # a scan gives what it carries, so the gates are carried, too
    (_, last, _), (h, c, gates) = ops.scan(forward, (*start, ops.concatenate([start[0]] * 4, axis=-1)), read)

    def gradient(*arguments, upstream=None):
        upstream = arguments[0] if upstream is None else upstream
        h_before, c_before = (
            ops.concatenate([first[None], state[:-1]]) for first, state in zip(start, (h, c), strict=True)
        )
        back = ops.transpose(recurrent)

        def backward(state, time):
            dh, dc, _ = state
            asked, c, c_before, gates = time
            i, f, g, o = _quarters(gates)
            t = ops.tanh(c)
            dh = dh + ops.cast(asked, "float32")
            dc = dc + dh * o * (1 - t * t)
            slopes = ops.concatenate([dc * (2 * g - 1), dc * c_before, 2 * dc * i, dh * t], axis=-1)
            dz = ops.cast(slopes * gates * (1 - gates), dtype)
            state = ops.cast(ops.matmul(dz, back), "float32"), dc * f, dz
            return state, state

        end = ops.zeros_like(start[0]), ops.cast(upstream[-1], "float32"), ops.cast(gates[-1], dtype)
        times = upstream[:-1], c, c_before, gates
        (dh, dc, _), (_, _, dz) = ops.scan(backward, end, times, reverse=True)
        rows = ops.reshape(ops.cast(h_before, dtype), (-1, recurrent.shape[0]))
        return dz, ops.matmul(ops.transpose(rows), ops.reshape(dz, (-1, recurrent.shape[1]))), dh, dc

    return ops.cast(ops.concatenate([h, last[None]]), dtype), gradient


def _quarters(gates):
    """i, f, g, o of (batch, 4 units). Slices, which TensorFlow takes faster than a split."""
    units = gates.shape[-1] // 4
    return [gates[:, k * units : (k + 1) * units] for k in range(4)]
