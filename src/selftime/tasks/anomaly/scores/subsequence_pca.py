"""What principal directions of normal windows do not explain."""

import numpy as np
from jaxtyping import Float

from selftime.tasks.anomaly.record import Record

EXPLAINED = 0.9
"""Share of the variance that the kept directions explain."""


def subsequence_pca(record: Record) -> Float[np.ndarray, "T"]:
    """Length of what is left of each window off the principal directions of the normal ones."""
    width = record.width
    starts = record.starts(width)
    windows = record.windows(width, starts)
    within = starts + width <= record.train
    normal = windows[within] if within.any() else windows
    centred = windows - normal.mean(axis=0)
    spread = np.cov((normal - normal.mean(axis=0)).T, bias=True).reshape(width, width)
    variances, directions = np.linalg.eigh(spread)
    falling = np.maximum(variances[::-1], 0)
    kept = int(np.searchsorted(np.cumsum(falling), EXPLAINED * falling.sum())) + 1
    rest = centred @ directions[:, : width - kept]
    return record.over_steps(np.sqrt(np.square(rest).mean(axis=1)), starts, width)
