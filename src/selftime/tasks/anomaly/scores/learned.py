"""Distance to the nearest window in the space of a pretrained model."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from selftime.data.series import SeriesSet
from selftime.engine.model import Model
from selftime.tasks.anomaly.neighbours import nearest, principal
from selftime.tasks.anomaly.record import Record

KEPT = 64
"""Whitened principal coordinates of the embeddings that are compared."""


def learned(channels: Sequence[Record], model: Model) -> Float[np.ndarray, "T"]:
    """Nearest other window by the model's embeddings, whitened, of all channels at once.

    Raises:
        SeriesError: another number of channels than the model was made for.
    """
    first = channels[0]
    starts = first.starts(first.width)
    windows = np.stack([r.windows(first.width, starts) for r in channels], axis=1)  # (W,C,L)
    vectors = model.embed(SeriesSet.of(windows), progress=False)
    usual = first.usual(starts, first.width)
    near = principal(vectors, usual, most=KEPT, whiten=True)
    return first.over_steps(nearest(near, starts, first.width, first), starts, first.width)
