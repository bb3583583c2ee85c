"""Linear maps from past to future steps, by ridge regression of every strength from one eigendecomposition."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.tasks.probing.ridge import RidgePath, mean_variance, solve_ridge

PER_STEP_ALPHAS = 10.0 ** np.arange(-4.5, 2.01, 0.25)
"""Strengths that are tried, in units of the mean variance of a past step."""


def lag_ridge(
    moments: Float[np.ndarray, "M M"], look_back: int, *, decay: float, season: int
) -> RidgePath:
    """The ridge from ``look_back`` steps, the last value subtracted, to the steps after them.

    The penalty on the weight of a step grows with its distance d from the last one, in seasons:
    (1 + d)^decay, so that long look-backs do no harm: what is long ago must prove its use.

    Args:
        moments: mean of v vᵀ over windows of ``look_back`` past steps and the future ones
            (:meth:`WindowGram.from_last_value`).
        look_back: L, at least 1.
        decay: how fast the penalty grows; 0 for plain ridge.
        season: steps in which the distance is measured.
    """
    xx, xy, prior = _penalised_moments(moments, look_back, decay, season)
    path = RidgePath.of(xx, xy)
    return replace(path, basis=prior[:, None] * path.basis)


def ridge_weights(
    moments: Float[np.ndarray, "M M"], look_back: int, alpha: float, *, decay: float, season: int
) -> Float[np.ndarray, "L H"]:
    """The weights of one strength: what a forecast is made of.

    The last value is subtracted from the past and added again, so that the columns add up to 1.

    Args:
        moments: as :func:`lag_ridge` takes them.
        look_back: L, at least 1.
        alpha: strength, above 0; where it is infinite the last value is repeated.
        decay: how fast the penalty grows; 0 for plain ridge.
        season: steps in which the distance is measured.
    """
    if np.isinf(alpha):
        return np.eye(look_back)[:, -1:].repeat(len(moments) - look_back, axis=1)
    xx, xy, prior = _penalised_moments(moments, look_back, decay, season)
    w = prior[:, None] * solve_ridge(xx, xy, alpha)
    w[-1] += 1 - w.sum(axis=0)
    return np.asarray(w)


def _penalised_moments(
    moments: np.ndarray, look_back: int, decay: float, season: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moments of penalised steps among themselves and with future ones, and the penalty's root."""
    distance = np.arange(look_back)[::-1] / season
    prior = (1 + distance) ** (-decay / 2)  # root of the prior variance of a weight
    xx = prior[:, None] * moments[:look_back, :look_back] * prior
    unit = mean_variance(xx)
    return xx / unit, prior[:, None] * moments[:look_back, look_back:] / unit, prior


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
