"""Quantiles of intervals on the CPU: compiled loops over blocks of rows, one row a lane.

Rows are sorted side by side by a sorting network: which values it compares does not depend on
the values, so that one vector instruction orders a pair in several rows at once.
"""

import numpy as np
from numpy import float32, float64

from selftime.encoders.fixed.compiling_numba import LANES, compile_kernel

_Plan = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@compile_kernel()
def quantiles_of_rows(
    start: int, stop: int, rows: np.ndarray, plan: _Plan, out: np.ndarray
) -> None:
    """Write features (N,F) of rows (N,R), by a `QuantileIndex`, in blocks ``start`` to ``stop``."""
    block = np.zeros((rows.shape[1], LANES), float32)
    ordered = np.empty_like(block)
    features = np.empty((out.shape[1], LANES), float32)
    for first in range(start * LANES, stop * LANES, LANES):
        last = min(first + LANES, len(rows))
        block[:, : last - first] = rows[first:last].T
        features_of_block(block, ordered, plan, features)
        out[first:last] = features[:, : last - first].T


@compile_kernel()
def features_of_block(block: np.ndarray, ordered: np.ndarray, plan: _Plan, out: np.ndarray) -> None:
    """Features (F,W) of a block (R,W); ``ordered`` (R,W) is written over."""
    intervals, left, right, share = plan
    for a, b, first, last in intervals:
        ordered[: b - a] = block[a:b]
        sort_lanes(ordered.reshape(-1), b - a)
        centre = mean_of_lanes(block[a:b])
        for j in range(first, last):
            before, after, s = ordered[left[j]], ordered[right[j]], share[j]
            for lane in range(LANES):
                out[j, lane] = before[lane] + s * (after[lane] - before[lane])
            if (j - first) % 2 == 1:
                out[j] -= centre


@compile_kernel()
def sort_lanes(values: np.ndarray, count: int) -> None:
    """Sort ``count`` runs of `LANES` values, each lane by itself."""
    # Batcher's merge exchange (Knuth, The Art of Computer Programming 3, algorithm 5.2.2M): sorted
    # runs of ``size`` are merged two by two, by comparing values ``gap`` apart.
    size = 1
    while size < count:
        gap = size
        while gap > 0:
            for i in range(gap % size, count - gap, 2 * gap):
                if (i + gap) % (2 * size) != 0:  # else the two lie in different merges
                    low, high = i * LANES, (i + gap) * LANES
                    length = min(gap, count - gap - i) * LANES
                    order(values[low : low + length], values[high : high + length])
            gap //= 2
        size *= 2


@compile_kernel()
def order(low: np.ndarray, high: np.ndarray) -> None:
    """Swap the values of each pair that stand in the wrong order."""
    for t in range(len(low)):
        x, y = low[t], high[t]
        low[t] = x if x < y else y
        high[t] = y if x < y else x


@compile_kernel()
def mean_of_lanes(values: np.ndarray) -> np.ndarray:
    """Mean (W,) of each lane (M,W), added up in float64."""
    total = np.zeros(LANES, float64)
    for row in values:
        total += row
    return (total / len(values)).astype(float32)
