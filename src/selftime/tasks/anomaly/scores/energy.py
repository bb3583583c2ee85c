"""How far a window lies from the mean window."""

import numpy as np
from jaxtyping import Float

from selftime.tasks.anomaly.record import Record


def energy(record: Record) -> Float[np.ndarray, "T"]:
    """Root of the mean squared distance of each window from the mean of the usual ones."""
    starts = record.starts(record.width)
    windows = record.windows(record.width, starts)
    centre = windows[record.usual(starts, record.width)].mean(axis=0)
    distances = np.sqrt(np.square(windows - centre).mean(axis=1))
    return record.over_steps(distances, starts, record.width)
