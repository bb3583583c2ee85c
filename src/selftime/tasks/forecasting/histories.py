"""Series as forecasters see them: without gaps, ends held."""

import numpy as np
from jaxtyping import Float

from selftime.data.series import SeriesSet


def bridged(values: Float[np.ndarray, "T C"]) -> Float[np.ndarray, "T C"]:
    """Gaps (NaN) bridged by straight lines, ends held; a channel never observed is 0."""
    gaps = np.isnan(values)
    if not gaps.any():
        return values
    steps = np.arange(len(values))
    columns = [
        np.interp(steps, steps[~gap], column[~gap]) if not gap.all() else np.zeros(len(column))
        for column, gap in zip(values.T, gaps.T, strict=True)
    ]
    return np.stack(columns, axis=1)


def histories_of(series: SeriesSet) -> list[Float[np.ndarray, "_ C"]]:
    """The values of each series, steps first, without gaps."""
    return [bridged(np.asarray(series.series(i).T, np.float64)) for i in range(len(series))]


def ending(values: Float[np.ndarray, "T C"], steps: int) -> Float[np.ndarray, "L C"]:
    """The last steps; where there are fewer, the first value is held before them."""
    recent = values[-steps:]
    return np.concatenate([np.repeat(recent[:1], steps - len(recent), axis=0), recent])
