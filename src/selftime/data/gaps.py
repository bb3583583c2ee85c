"""Gaps: what stands where nothing was measured."""

import numpy as np
from jaxtyping import Float


def fill_gaps(values: Float[np.ndarray, "T *C"], *, past_only: bool = False) -> np.ndarray:
    """Straight lines over what is not finite, or the last value held; 0 if nothing is finite.

    Before the first measured value that value is held, after the last one that.

    Args:
        values: steps first, and channels after them, if there are several.
        past_only: whether no step may know of a later one.
    """
    if np.isfinite(values).all():
        return np.asarray(values, np.float64)
    if values.ndim > 1:
        columns = [fill_gaps(column, past_only=past_only) for column in values.T]
        return np.stack(columns, axis=1)
    there, steps = np.flatnonzero(np.isfinite(values)), np.arange(len(values))
    if len(there) == 0:
        return np.zeros(len(values))
    if past_only:
        latest = np.searchsorted(there, steps, side="right") - 1
        return np.asarray(values[there[np.maximum(latest, 0)]], np.float64)
    return np.asarray(np.interp(steps, there, values[there].astype(np.float64)))
