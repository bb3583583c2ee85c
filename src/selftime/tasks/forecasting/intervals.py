"""Intervals around forecasts: quantiles of held-out residuals that follow what becomes known."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from selftime.tasks.forecasting.intervals_numba import follow

RATE = 0.05
"""Step of the quantiles one step ahead, in units of the typical residual, after each window."""
RECENT = 336
"""Steps that tell how much a window moved: more are slow to tell, fewer tell of chance."""
STILL = 0.05
"""Added to the spread of a window: one that hardly moves still may."""


def levels_of(coverage: float) -> tuple[float, float]:
    """The two quantiles between which so large a share lies."""
    return round((1 - coverage) / 2, 6), round((1 + coverage) / 2, 6)


def spread_of(past: Float[np.ndarray, "N C L"]) -> Float[np.ndarray, "N C"]:
    """What residuals are measured in: how much each channel moved in the last steps of the window.

    Where a series has become restless so have its residuals, and a forecaster can see the former
    at once (locally weighted residuals; Lei et al. 2018, section 5.2).
    """
    return np.asarray(past[:, :, -RECENT:].std(axis=2) + past.dtype.type(STILL))


def followed(
    residuals: Float[np.ndarray, "N C"],
    ahead: int,
    levels: Sequence[float],
    begin: Float[np.ndarray, "M C"],
) -> Float[np.ndarray, "N1 C Q"]:
    """Quantiles of the residuals of one future step that follow what becomes known.

    They begin as quantiles of ``begin``. When the truth about a window arrives, the quantile of
    level τ moves up by η τ if the one in force when the window was made was exceeded, and down by
    η (1 − τ) if it was not. The moves add up to the way from the first quantile to the last, so it
    was exceeded in a share 1 − τ of the windows but for that way over η N, whatever the data do
    (Gibbs and Candès 2021, proposition 4.1; the quantile itself is moved as in Angelopoulos et al.
    2023, equation 4). Truths come late, and late ones all tell of the same time, so η falls as one
    over the root of the delay (Joulani et al. 2013).

    Args:
        residuals: of windows a step apart, in units of their spread.
        ahead: windows after which a truth is known; h for the step h, counted from 1.
        levels: Q of them, ascending.
        begin: residuals of windows that nothing was fitted on.

    Returns:
        Offsets in force when each of the N windows was made, and after them, in ascending order.
    """
    paths = np.empty((len(residuals) + 1, residuals.shape[1], len(levels)))
    paths[0] = np.quantile(begin, levels, axis=0).T
    steps = RATE / np.sqrt(ahead) * np.abs(begin).mean(axis=0, dtype=np.float64) + 1e-12
    follow(np.ascontiguousarray(residuals), ahead, np.asarray(levels, np.float64), steps, paths)
    return np.sort(paths, axis=2)
