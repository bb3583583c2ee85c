"""What every linear forecaster comes down to: weights from past steps to future ones."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class LinearMap(NamedTuple):
    """Future steps as weighted sums of past ones.

    Attributes:
        weights: (G,L,H), one map a channel, or a single one for all (G = 1).
        intercept: (H,) added to every forecast.
    """

    weights: Float[np.ndarray, "G L H"]
    intercept: Float[np.ndarray, "H"]

    @property
    def look_back(self) -> int:
        """Past steps that are used."""
        return int(self.weights.shape[1])

    @property
    def horizon(self) -> int:
        """Future steps that are forecast."""
        return int(self.weights.shape[2])

    def predict(self, past: Float[np.ndarray, "N C L"]) -> Float[np.ndarray, "N C H"]:
        """Forecasts from windows of at least ``look_back`` steps, of which the last count."""
        recent = past[..., -self.look_back :]
        if len(self.weights) == 1:
            return np.asarray(recent @ self.weights[0] + self.intercept)
        each = [recent[:, c] @ w for c, w in enumerate(self.weights)]
        return np.asarray(np.stack(each, axis=1) + self.intercept)

    def single(self) -> "LinearMap":
        """The same in 32-bit numbers, which is twice as fast where many windows are forecast."""
        return LinearMap(self.weights.astype(np.float32), self.intercept.astype(np.float32))


def mean_map(maps: list[LinearMap]) -> LinearMap:
    """The mean forecast of several maps, shared by channels or not, as one map."""
    longest = max(m.look_back for m in maps)
    shape = (max(len(m.weights) for m in maps), longest, maps[0].horizon)
    weights = np.zeros(shape)
    for m in maps:
        weights[:, longest - m.look_back :] += m.weights / len(maps)
    return LinearMap(weights, np.mean([m.intercept for m in maps], axis=0))
