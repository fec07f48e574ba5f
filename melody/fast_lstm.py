"""Keras's LSTM layer with a faster time loop for CPUs, which have no cuDNN: the loop holds only what depends on time.

The layer has the weights of Keras's, and its gates in Keras's order i, f, g, o (Hochreiter & Schmidhuber 1997, Gers et
al. 2000):

    z_t = x_t W + b + h_t-1 R        i, f, o = sigmoid(z),  g = tanh(z)
    c_t = f c_t-1 + i g              h_t = o tanh(c_t)

Forward, x W + b is one product for all times. Backward, the loop computes dz alone; the gradient of R is then one
product over all times, where automatic differentiation adds up one for each. Products are in the layer's precision;
everything else in the loop is float32.
"""

import keras
import numpy as np
from keras import ops

from melody.backend import on_cpu


class LSTM(keras.layers.LSTM):
    """`keras.layers.LSTM` without masks and dropout: (batch, time, features) and two states to outputs and states."""

    def __init__(self, units: int, **kwargs):
        super().__init__(units, **kwargs)
        self.own_loop = on_cpu()  # elsewhere Keras uses cuDNN

    def inner_loop(self, sequences, initial_state, mask, training=False):
        if not self.own_loop:
            return super().inner_loop(sequences, initial_state, mask, training)
        weights = self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias
        if keras.backend.backend() == "torch":
            return _torch_lstm(sequences, initial_state, *map(ops.convert_to_tensor, weights))
        scale = ops.cast(np.repeat([1, 1, 2, 1], self.units), self.compute_dtype)
        kernel, recurrent, bias = (ops.convert_to_tensor(weight) * scale for weight in weights)
        projected = ops.matmul(ops.transpose(sequences, (1, 0, 2)), kernel) + bias
        states = _loop(projected, recurrent, *initial_state)  # h at all times, then the last c
        return states[-2], ops.transpose(states[:-1], (1, 0, 2)), [states[-2], states[-1]]


def _torch_lstm(sequences, initial_state, kernel, recurrent, bias):
    """The same by PyTorch's own LSTM, twice as fast: oneDNN packs the weights once for all times."""
    import torch  # only under its own backend

    h, c = (ops.cast(state, sequences.dtype)[None].contiguous() for state in initial_state)
    weights = [kernel.T.contiguous(), recurrent.T.contiguous(), bias, torch.zeros_like(bias)]
    training = torch.is_grad_enabled()
    outputs, h, c = torch.lstm(sequences, (h, c), weights, True, 1, 0.0, training, False, True)
    return h[0], outputs, [h[0], c[0]]


@ops.custom_gradient
def _loop(projected, recurrent, h, c):
    """h at all times and the last c, (time + 1, batch, units); `projected` is x W + b, (time, batch, 4 units).

    In `projected` and `recurrent` (units, 4 units) the columns of g are twice as large, so that one sigmoid gives all
    gates: tanh(z) = 2 sigmoid(2z) - 1. One tensor is returned, because Keras's custom gradient under PyTorch
    allows no more.
    """
    dtype, start = recurrent.dtype, [ops.cast(state, "float32") for state in (h, c)]

    def forward(state, projected):
        h, c, _ = state
        gates = ops.sigmoid(ops.cast(projected + ops.matmul(ops.cast(h, dtype), recurrent), "float32"))
        i, f, g, o = _quarters(gates)
        c = f * c + i * (2 * g - 1)
        state = o * ops.tanh(c), c, gates
        return state, state

    # a scan returns what it carries, so it carries the gates too
    (_, last, _), (h, c, gates) = ops.scan(forward, (*start, ops.concatenate([start[0]] * 4, axis=-1)), projected)

    def gradient(*arguments, upstream=None):
        upstream = arguments[0] if upstream is None else upstream
        h_before, c_before = (
            ops.concatenate([first[None], state[:-1]]) for first, state in zip(start, (h, c), strict=True)
        )
        recurrent_t = ops.transpose(recurrent)

        def backward(state, time):
            dh, dc, _ = state
            dh_out, c, c_before, gates = time
            i, f, g, o = _quarters(gates)
            t = ops.tanh(c)
            dh = dh + ops.cast(dh_out, "float32")
            dc = dc + dh * o * (1 - t * t)
            slopes = ops.concatenate([dc * (2 * g - 1), dc * c_before, 2 * dc * i, dh * t], axis=-1)
            dz = ops.cast(slopes * gates * (1 - gates), dtype)
            state = ops.cast(ops.matmul(dz, recurrent_t), "float32"), dc * f, dz
            return state, state

        end = ops.zeros_like(start[0]), ops.cast(upstream[-1], "float32"), ops.cast(gates[-1], dtype)
        times = upstream[:-1], c, c_before, gates
        (dh, dc, _), (_, _, dz) = ops.scan(backward, end, times, reverse=True)
        rows = ops.reshape(ops.cast(h_before, dtype), (-1, recurrent.shape[0]))
        return dz, ops.matmul(ops.transpose(rows), ops.reshape(dz, (-1, recurrent.shape[1]))), dh, dc

    return ops.cast(ops.concatenate([h, last[None]]), dtype), gradient


def _quarters(gates):
    """i, f, g, o of (batch, 4 units). Slicing is faster than `split` in TensorFlow."""
    units = gates.shape[-1] // 4
    return [gates[:, k * units : (k + 1) * units] for k in range(4)]
