"""Errors of predicting some steps from those around or before them, in closed form."""

import numpy as np
from jaxtyping import Float, Int

from selftime.tasks.anomaly.record import ChannelRecord
from selftime.tasks.probing.ridge import solve_ridge

INPAINTING_PENALTY = 1e-2
"""Ridge penalty, in units of the mean variance of the surrounding steps."""
_MAX_EXAMPLES = 3000
"""Windows that the regression is solved from, at most."""
AHEAD = 8
"""One step is forecast for so many of the past."""


def inpainting(record: ChannelRecord) -> Float[np.ndarray, "T"]:
    """Score by the error of a ridge from both surroundings to a hidden middle of a quarter width.

    The closed form of masked reconstruction: for windows (x, y) of surroundings and middle,
    B = (XᵀX + λI)⁻¹XᵀY. Errors are averaged over a window like all scores.
    """
    hidden = max(record.width // 4, 1)
    beside = min(record.width, max((record.train - hidden) // 4, 1))
    width = min(hidden + 2 * beside, record.steps)
    starts, windows = record.cut(width)
    middle = np.zeros(width, bool)
    middle[beside : beside + hidden] = True
    usual = windows[record.usual(starts, width)]
    centre = usual.mean(axis=0)
    few = (usual - centre)[:: -(-len(usual) // _MAX_EXAMPLES)]
    weights = ridge_between(few[:, ~middle], few[:, middle])
    residuals = (windows - centre)[:, middle] - (windows - centre)[:, ~middle] @ weights
    errors = np.sqrt(np.square(residuals).mean(axis=1))
    return record.smooth(_over_steps(record, errors, starts, width, beside + hidden // 2))


def forecast_error(record: ChannelRecord) -> Float[np.ndarray, "T"]:
    """Score by the error of a ridge from a window to the steps after it, fitted on the normal part.

    The error of each step ahead is divided by its median size in the normal part, so that later
    ones, which are always worse, do not drown the first; a window has their root mean square.
    """
    ahead = max(record.width // AHEAD, 1)
    back = max(min(record.width, record.train - ahead), 1)
    width = min(back + ahead, record.steps)
    starts, windows = record.cut(width)
    normal = starts + width <= record.train
    normal[0] = True  # there must be one
    centred = windows - windows[normal].mean(axis=0)
    before, after = centred[:, :-ahead], centred[:, -ahead:]
    residuals = np.abs(after - before @ ridge_between(before[normal], after[normal]))
    usual = np.median(residuals[normal], axis=0)
    errors = np.sqrt(
        np.square(residuals / np.maximum(usual, 1e-3)).mean(axis=1)
    )  # values have std 1
    scores = _over_steps(record, errors, starts, width, width - 1 - ahead // 2)
    return scores if record.past_only else record.smooth(scores)


def ridge_between(
    x: Float[np.ndarray, "N P"], y: Float[np.ndarray, "N Q"]
) -> Float[np.ndarray, "P Q"]:
    """Return the weights of a ridge from visible steps to hidden ones."""
    squares = x.T @ x
    penalty = INPAINTING_PENALTY * np.trace(squares) / max(len(squares), 1) + 1e-9
    return solve_ridge(squares, x.T @ y, float(penalty))


def _over_steps(
    record: ChannelRecord,
    errors: Float[np.ndarray, "W"],
    starts: Int[np.ndarray, "W"],
    width: int,
    middle: int,
) -> Float[np.ndarray, "T"]:
    """Place errors of windows at the middle of the predicted steps, or at the end of the window."""
    if record.past_only:
        return record.over_steps(errors, starts, width)
    return np.asarray(np.interp(np.arange(record.steps), starts + middle, errors))
