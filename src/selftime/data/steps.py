"""Steps of pictures, texts, sounds and films, end to end as a SeriesSet of their kind."""

from collections.abc import Sequence

import numpy as np

from selftime.data.series import SeriesSet, names_of_channels
from selftime.data.signals import Signal


def series_of_steps(parts: Sequence[np.ndarray], kind: Signal) -> SeriesSet:
    """Return parts (T,C) as one series each; NaN is missing.

    Times are seconds from the start of each, where the kind has a rate.
    """
    lengths = np.array([len(part) for part in parts], np.int64)
    steps = np.ascontiguousarray(np.concatenate(parts), np.float32)
    lost = np.isnan(steps)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    within = np.arange(len(steps)) - np.repeat(offsets[:-1], lengths)
    return SeriesSet(
        steps=np.where(lost, np.float32(0), steps) if lost.any() else steps,
        offsets=offsets,
        channels=names_of_channels(steps.shape[1]),
        ids=np.arange(len(lengths)).astype(str),
        observed=~lost if lost.any() else None,
        times=None if kind.per_second is None else within / kind.per_second,
        kind=kind,
    )
