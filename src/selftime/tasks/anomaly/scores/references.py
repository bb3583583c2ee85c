"""Plain scores that stand beside every other one, smoothed alike."""

import numpy as np
from jaxtyping import Float

from selftime.tasks.anomaly.record import Record


def noise(record: Record) -> Float[np.ndarray, "T"]:
    """Nothing but chance: smoothing alone raises what it is worth in ranges of labels."""
    return record.smooth(np.random.default_rng(0).uniform(size=record.steps))


def first_difference(record: Record) -> Float[np.ndarray, "T"]:
    """Absolute change from the step before."""
    return record.smooth(np.abs(np.diff(record.values, prepend=record.values[:1])))


def moving_average(record: Record) -> Float[np.ndarray, "T"]:
    """Absolute distance from the mean over a window."""
    return record.smooth(np.abs(record.values - record.smooth(record.values)))


def isolation_forest(record: Record) -> Float[np.ndarray, "T"]:
    """Isolation forest of windows (Liu, Ting & Zhou 2008, ICDM), as scikit-learn has it."""
    from sklearn.ensemble import IsolationForest

    width = record.width
    starts = record.starts(width)
    windows = record.windows(width, starts)
    forest = IsolationForest(random_state=0)
    forest.fit(windows[record.usual(starts, width)])
    return record.over_steps(-forest.score_samples(windows), starts, width)
