"""Plain scores that stand beside every other one, smoothed alike."""

import numpy as np
from jaxtyping import Float

from selftime.data.principal import principal_axes
from selftime.tasks.anomaly.record import ChannelRecord

EXPLAINED = 0.9
"""Share of the variance that the kept directions explain."""


def noise(record: ChannelRecord) -> Float[np.ndarray, "T"]:
    """Nothing but chance: smoothing alone raises what it is worth in ranges of labels."""
    return record.smooth(np.random.default_rng(0).uniform(size=record.steps))


def first_difference(record: ChannelRecord) -> Float[np.ndarray, "T"]:
    """Absolute change from the step before."""
    return record.smooth(np.abs(np.diff(record.values, prepend=record.values[:1])))


def moving_average(record: ChannelRecord) -> Float[np.ndarray, "T"]:
    """Absolute distance from the mean over a window."""
    return record.smooth(np.abs(record.values - record.smooth(record.values)))


def isolation_forest(record: ChannelRecord) -> Float[np.ndarray, "T"]:
    """Isolation forest of windows (Liu, Ting & Zhou 2008, ICDM), as scikit-learn has it."""
    from sklearn.ensemble import IsolationForest

    width = record.width
    starts = record.starts(width)
    windows = record.windows(width, starts)
    forest = IsolationForest(random_state=0)
    forest.fit(windows[record.usual(starts, width)])
    return record.over_steps(-forest.score_samples(windows), starts, width)


def subsequence_pca(record: ChannelRecord) -> Float[np.ndarray, "T"]:
    """Length of what is left of each window off the principal directions of the normal ones."""
    width = record.width
    starts = record.starts(width)
    windows = record.windows(width, starts)
    within = starts + width <= record.train
    normal = windows[within] if within.any() else windows
    centred = windows - normal.mean(axis=0)
    spread = np.cov((normal - normal.mean(axis=0)).T, bias=True).reshape(width, width)
    variances, directions = principal_axes(spread)
    kept = int(np.searchsorted(np.cumsum(variances), EXPLAINED * variances.sum())) + 1
    rest = centred @ directions[:, kept:]
    return record.over_steps(np.sqrt(np.square(rest).mean(axis=1)), starts, width)
