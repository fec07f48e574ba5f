"""Temperature scaling (Guo et al. 2017, On Calibration of Modern Neural Networks).

A network that has been trained for long is too sure of what it predicts. Dividing the logits of a head by one number,
its temperature, chosen on songs that the network was not trained on, makes probabilities as large as they should be
and leaves their order as it is. The number is folded into the weights, so nothing else knows of it.
"""

from collections.abc import Sequence

import keras
import numpy as np
from scipy.optimize import minimize_scalar

from melody import scoring
from melody.encoding import HEADS
from melody.lstm import OUTPUT_HEADS

BOUNDS = 0.5, 2.0  # of a temperature


def calibrate(
    network: keras.Model, songs: Sequence[scoring.Tokens], region_ids: np.ndarray | None = None
) -> dict[str, float]:
    """Divide the logits of the heads that predict notes by the temperatures under which `songs` need the fewest bits.

    Returns the temperature of each head that has something to predict. Arguments as `scoring.log_probs`.
    """
    logits, chosen = {}, {}
    for s, heads in scoring.log_probs(network, songs, region_ids=region_ids):
        for head, rows, targets in zip(HEADS, heads, songs[s][1].T, strict=False):
            logits.setdefault(head, []).append(rows[targets >= 0] * np.log(2))
            chosen.setdefault(head, []).append(targets[targets >= 0])
    temperatures = {}
    for head, layer in OUTPUT_HEADS.items():
        if head in chosen and sum(map(len, chosen[head])):
            temperatures[head] = best_temperature(np.concatenate(logits[head]), np.concatenate(chosen[head]))
            network.get_layer(layer).divide_logits(temperatures[head])
    return temperatures


def best_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """The temperature under which `targets` (n,) have the greatest likelihood; `logits` (n, values)."""
    rows = np.arange(len(targets))

    def nats(temperature: float) -> float:
        scaled = logits / temperature
        return float(np.mean(np.logaddexp.reduce(scaled, axis=1) - scaled[rows, targets]))

    return float(minimize_scalar(nats, bounds=BOUNDS, method="bounded", options={"xatol": 1e-3}).x)
