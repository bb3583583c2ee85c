"""Matrix profile: distance to the nearest window by shape, level and scale taken off.

Yeh et al. 2016, "Matrix Profile I: All Pairs Similarity Joins for Time Series", ICDM.
"""

import numpy as np
from jaxtyping import Float

from selftime.tasks.anomaly.record import FLAT, Record
from selftime.tasks.anomaly.scores import self_join_numba
from selftime.tasks.anomaly.windows import moving_mean


def self_join(record: Record) -> Float[np.ndarray, "T"]:
    """Nearest other window by shape; the flattest windows are divided by a floor."""
    width = record.width
    starts = np.arange(record.steps - width + 1)
    return record.over_steps(profile(record, width), starts, width)


def profile(record: Record, width: int) -> Float[np.ndarray, "W"]:
    """Distance of every window to the nearest one that does not overlap it; 0 if there is none.

    A window x is taken as (x − x̄) / max(s, floor) with s its spread and the floor a tenth of the
    spread of the whole, so that the noise of flat windows is not blown up to a shape.
    """
    x = record.values
    means = moving_mean(x, width)
    spreads = np.sqrt(np.maximum(moving_mean(np.square(x), width) - np.square(means), 0))
    scale = 1 / np.maximum(spreads, max(FLAT * float(record.known.std()), 1e-6))
    lengths = np.where(record.whole(width), width * np.square(spreads * scale), np.inf)
    nearest = np.full(len(means), np.inf)
    ahead = record.train - width if record.past_only else record.steps
    self_join_numba.join(x, width, means, scale, lengths, ahead, nearest)
    return np.asarray(np.sqrt(np.maximum(np.where(np.isfinite(nearest), nearest, 0), 0)))
