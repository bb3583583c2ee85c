"""Distance to the nearest window by its values."""

import numpy as np
from jaxtyping import Float

from selftime.tasks.anomaly.neighbours import nearest, principal
from selftime.tasks.anomaly.record import Record

KEPT = 32
"""Principal coordinates that stand for the values of a window."""


def raw_values(record: Record) -> Float[np.ndarray, "T"]:
    """Nearest other window in Euclidean distance, neither level nor scale taken off."""
    width = record.width
    starts = record.starts(width)
    windows = record.windows(width, starts)
    vectors = principal(windows, record.usual(starts, width), most=KEPT)
    return record.over_steps(nearest(vectors, starts, width, record), starts, width)
