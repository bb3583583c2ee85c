"""Intervals around forecasts from residuals that were held out, and how often they hold."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

RATE = 0.03
"""Step of the tracked quantiles in units of the typical residual, after each window."""
INTERVALS = (0.8, 0.95)
"""Shares of the future that intervals promise to hold."""


def levels_of(coverage: float) -> tuple[float, float]:
    """The two quantiles between which so large a share lies."""
    return round((1 - coverage) / 2, 6), round((1 + coverage) / 2, 6)


class QuantileTracker:
    """Quantiles of residuals, step by step and channel by channel, that follow what happens.

    They begin as quantiles of held-out residuals. Whenever the truth about an earlier forecast
    arrives, the quantile of level τ moves up by η τ where it was exceeded, and down by η (1 − τ)
    where it was not: over time it is exceeded as often as promised, whatever the data do (Gibbs
    and Candès 2021, proposition 4.1, with the quantile itself moved as in Angelopoulos et al.
    2023, equation 4). A forecast of h steps is judged only when h steps have gone by.

    Attributes:
        levels: Q quantile levels.
        offsets: (Q,C,H) quantiles of the residuals (truth less forecast) as they stand.
        step: (C,H) η.
    """

    def __init__(self, held_out: Float[np.ndarray, "N C H"], levels: Sequence[float]) -> None:
        """Begin with residuals of windows that nothing was fitted on."""
        self.levels = np.asarray(levels, np.float64)
        self.offsets = np.quantile(held_out, self.levels, axis=0)
        self.step = RATE * np.abs(held_out).mean(axis=0) + 1e-12

    def learn(self, residuals: Float[np.ndarray, "C H"]) -> None:
        """Take in what has become known: row h of the window made h + 1 steps ago."""
        level = self.levels[:, None, None]
        known = np.isfinite(residuals)
        above = residuals > self.offsets
        move = np.where(above, level, level - 1) * self.step
        self.offsets += np.where(known, move, 0.0)

    def quantiles(self) -> Float[np.ndarray, "Q C H"]:
        """The offsets in ascending order of their levels."""
        return np.sort(self.offsets, axis=0)


def arriving(residuals: Float[np.ndarray, "N C H"], origin: int) -> Float[np.ndarray, "C H"]:
    """Residuals that become known when the value before window ``origin`` does; NaN where none.

    The future step h (from 0) of window o is known to a forecaster at origin o + h + 1.
    """
    H = residuals.shape[2]
    made = origin - 1 - np.arange(H)
    found = np.full(residuals.shape[1:], np.nan)
    there = made >= 0
    found[:, there] = residuals[made[there], :, np.arange(H)[there]].T
    return found
