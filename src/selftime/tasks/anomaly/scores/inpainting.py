"""How badly the middle of a window is told from what stands around it, in closed form."""

import numpy as np
from jaxtyping import Float

from selftime.tasks.anomaly.record import Record

PENALTY = 1e-2
"""Ridge penalty, in units of the mean variance of the surrounding steps."""
EXAMPLES = 3000
"""Windows that the regression is solved from, at most."""


def inpainting(record: Record) -> Float[np.ndarray, "T"]:
    """Error of ridge regression from both surroundings to a hidden middle of a quarter width.

    The closed form of masked reconstruction: for windows (x, y) of surroundings and middle,
    B = (XᵀX + λI)⁻¹XᵀY. Errors are averaged over a window like all scores.
    """
    hidden = max(record.width // 4, 1)
    beside = min(record.width, max((record.train - hidden) // 4, 1))
    width = min(hidden + 2 * beside, record.steps)
    starts = record.starts(width)
    windows = record.windows(width, starts)
    middle = np.zeros(width, bool)
    middle[beside : beside + hidden] = True
    usual = windows[record.usual(starts, width)]
    centre = usual.mean(axis=0)
    few = (usual - centre)[:: -(-len(usual) // EXAMPLES)]
    weights = ridge(few[:, ~middle], few[:, middle])
    missed = (windows - centre)[:, middle] - (windows - centre)[:, ~middle] @ weights
    errors = np.sqrt(np.square(missed).mean(axis=1))
    if record.past_only:
        return record.smooth(record.over_steps(errors, starts, width))
    at = starts + beside + hidden // 2
    return record.smooth(np.interp(np.arange(record.steps), at, errors))


def ridge(x: Float[np.ndarray, "N P"], y: Float[np.ndarray, "N Q"]) -> Float[np.ndarray, "P Q"]:
    """(XᵀX + λI)⁻¹XᵀY with λ in units of the mean variance of X."""
    squares = x.T @ x
    penalty = PENALTY * np.trace(squares) / max(len(squares), 1) + 1e-9
    return np.asarray(np.linalg.solve(squares + penalty * np.eye(len(squares)), x.T @ y))
