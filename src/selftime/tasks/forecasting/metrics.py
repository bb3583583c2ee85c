"""How far forecasts are from what came."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

LEVELS = tuple(round(0.1 * i, 1) for i in range(1, 10))
"""Quantiles over which the weighted quantile loss is averaged."""


def mse(forecast: Float[np.ndarray, "*N"], truth: Float[np.ndarray, "*N"]) -> float:
    """Mean squared error over windows, channels and steps."""
    return float(np.mean((forecast - truth) ** 2, dtype=np.float64))


def mae(forecast: Float[np.ndarray, "*N"], truth: Float[np.ndarray, "*N"]) -> float:
    """Mean absolute error over windows, channels and steps."""
    return float(np.mean(np.abs(forecast - truth), dtype=np.float64))


def naive_scale(train: Float[np.ndarray, "T C"], season: int) -> Float[np.ndarray, "C"]:
    """Mean absolute change over a season in the training part, in the units of the data.

    The denominator of MASE (Hyndman and Koehler 2006, section 3).
    """
    change = np.abs(train[season:] - train[:-season]).mean(axis=0)
    return np.where(change > 0, change, 1.0)


def mase(
    forecast: Float[np.ndarray, "N C H"],
    truth: Float[np.ndarray, "N C H"],
    scale: Float[np.ndarray, "C"],
) -> float:
    """Mean absolute error of each channel in units of its :func:`naive_scale`, mean of channels."""
    each = np.abs(forecast - truth).mean(axis=(0, 2), dtype=np.float64)
    return float(np.mean(each / scale))


def pinball(
    quantiles: Float[np.ndarray, "Q *N"], truth: Float[np.ndarray, "*N"], levels: Sequence[float]
) -> Float[np.ndarray, "Q"]:
    """Quantile loss of each level, summed: max(q (y − ŷ), (q − 1)(y − ŷ))."""
    q = np.reshape(levels, (-1,) + (1,) * truth.ndim)
    miss = truth - quantiles
    loss = np.maximum(q * miss, (q - 1) * miss)
    return np.asarray(loss.reshape(len(loss), -1).sum(axis=1, dtype=np.float64))


def weighted_quantile_loss(
    quantiles: Float[np.ndarray, "Q *N"], truth: Float[np.ndarray, "*N"], levels: Sequence[float]
) -> float:
    """2 Σ pinball / Σ|y|, mean over levels, in original units (Park et al. 2022, equation 8).

    With many evenly spaced levels it approaches the CRPS over the mean absolute value.
    """
    size = max(float(np.abs(truth).sum(dtype=np.float64)), 1e-30)
    return float(np.mean(2 * pinball(quantiles, truth, levels) / size))
