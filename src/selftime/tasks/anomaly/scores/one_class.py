"""Distance to the middle of what is normal, in the space of fixed convolutions."""

import numpy as np
from jaxtyping import Float

from selftime.tasks.anomaly.neighbours import principal
from selftime.tasks.anomaly.record import Record
from selftime.tasks.anomaly.scores.convolutions import KEPT, described

EACH = 4
"""Normal windows for each direction that is kept, at least: with fewer its spread is chance."""


def one_class(record: Record) -> Float[np.ndarray, "T"]:
    """Mahalanobis distance from the mean of the normal windows, in their leading directions.

    The sphere around what is normal of Deep SVDD (Ruff et al. 2018, ICML, equations 3 and 4), with
    fixed features in the place of a network and each direction measured in its own spread.
    """
    starts = record.starts(record.width)
    normal = starts + record.width <= record.train
    normal[0] = True  # there must be one
    features = described(record, starts)
    most = max(min(KEPT, int(normal.sum()) // EACH), 1)
    distances = np.linalg.norm(principal(features, normal, most=most, whiten=True), axis=1)
    return record.over_steps(distances.astype(np.float64), starts, record.width)
