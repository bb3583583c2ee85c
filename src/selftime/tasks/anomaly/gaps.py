"""Recordings without gaps: what stands where nothing was measured."""

import numpy as np
from jaxtyping import Float


def bridged(x: Float[np.ndarray, "T"], *, past_only: bool) -> Float[np.ndarray, "T"]:
    """Straight lines over what is not finite, or the last value held; 0 if nothing is finite.

    Before the first measured value that value is held, after the last one that.
    """
    there = np.flatnonzero(np.isfinite(x))
    if len(there) == 0:
        return np.zeros(len(x))
    steps = np.arange(len(x))
    if past_only:
        latest = np.searchsorted(there, steps, side="right") - 1
        return np.asarray(x[there[np.maximum(latest, 0)]], np.float64)
    return np.asarray(np.interp(steps, there, x[there].astype(np.float64)))
