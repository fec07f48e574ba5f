"""The LSTM of `melody.fast_lstm` under PyTorch on a CPU: `torch.lstm`, but for training of large layers in bfloat16.

`torch.lstm` is oneDNN's LSTM, which packs the weights once for all times. But of large layers in bfloat16 its gradient
takes five times as long as its outputs, where twice as many operations are needed. So these are trained in a loop of
our own, written with in-place operations, as PyTorch takes longer to allocate such small tensors than to compute them.
"""

import torch

LARGE = 384  # units; of smaller layers oneDNN's gradient is faster


def lstm(sequences, initial_state, kernel, recurrent, bias):
    """Inputs (batch, time, features) and h and c (batch, units) each to outputs (batch, time, units), last h and c.

    The weights are those of Keras, (features, 4 units), (units, 4 units) and (4 units,), with the dtype of the inputs.
    """
    h, c = (state.to(sequences.dtype) for state in initial_state)
    if torch.is_grad_enabled() and sequences.dtype == torch.bfloat16 and len(recurrent) > LARGE:
        outputs, c = Loop.apply(sequences.transpose(0, 1) @ kernel + bias, recurrent, h, c)
        return outputs.transpose(0, 1), outputs[-1], c
    weights = [kernel.T.contiguous(), recurrent.T.contiguous(), bias, torch.zeros_like(bias)]
    states = h[None].contiguous(), c[None].contiguous()
    outputs, h, c = torch.lstm(sequences, states, weights, True, 1, 0.0, torch.is_grad_enabled(), False, True)
    return outputs, h[0], c[0]


class Loop(torch.autograd.Function):
    """x W + b (time, batch, 4 units), R and the first h and c to h at all times (time, batch, units) and the last c."""

    @staticmethod
    def forward(ctx, projected, recurrent, h, c):
        time, batch, size = projected.shape
        units, dtype = size // 4, projected.dtype
        gates = torch.empty(time, batch, size)
        hidden, cells = torch.empty(time + 1, batch, units, dtype=dtype), torch.empty(time + 1, batch, units)
        hidden[0], cells[0] = h, c
        for t in range(time):
            gates[t] = torch.addmm(projected[t], hidden[t], recurrent)
            i, f, g, o = gates[t].view(batch, 4, units).unbind(1)
            gates[t, :, : 2 * units].sigmoid_()
            g.tanh_()
            o.sigmoid_()
            torch.mul(f, cells[t], out=cells[t + 1]).addcmul_(i, g)
            hidden[t + 1] = torch.tanh(cells[t + 1]).mul_(o)
        ctx.save_for_backward(recurrent, gates, cells, hidden)
        return hidden[1:], cells[-1].to(dtype)

    @staticmethod
    def backward(ctx, upstream, last):
        recurrent, gates, cells, hidden = ctx.saved_tensors
        time, batch, size = gates.shape
        i, f, g, o = gates.view(time, batch, 4, size // 4).unbind(2)
        tanh = torch.tanh(cells[1:])
        over_c = torch.stack([(i - i * i).mul_(g), (f - f * f).mul_(cells[:-1]), i - i * g * g], dim=2)  # dz / dc
        over_h, carried = (o - o * o).mul_(tanh), o - o * tanh * tanh  # dz / dh of the gate o, and dc / dh
        dz, slopes = torch.empty(time, batch, 4, size // 4, dtype=recurrent.dtype), torch.empty(batch, 4, size // 4)
        dh, dc = torch.zeros(batch, size // 4), last.to(torch.float32, copy=True)
        for t in reversed(range(time)):
            dh += upstream[t]
            dc.addcmul_(dh, carried[t])
            torch.mul(over_c[t], dc[:, None], out=slopes[:, :3])
            torch.mul(over_h[t], dh, out=slopes[:, 3])
            dz[t] = slopes
            dc.mul_(f[t])
            dh = torch.mm(dz[t].view(batch, size), recurrent.T).float()
        rows = dz.view(-1, size)
        return dz.view(time, batch, size), hidden[:-1].reshape(len(rows), -1).T @ rows, dh, dc
