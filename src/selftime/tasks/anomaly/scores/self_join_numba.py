"""All pairs of windows along diagonals, each product of two from the last in constant time."""

import numpy as np

from selftime.encoders.compiling_numba import compiled

LANES = 64
"""Diagonals that are followed at once; their running sums stay in the first-level cache."""


@compiled(reorder=True)
def join(
    x: np.ndarray,
    width: int,
    means: np.ndarray,
    scale: np.ndarray,
    lengths: np.ndarray,
    ahead: int,
    nearest: np.ndarray,
) -> None:
    """Squared distance of each window to its nearest one, written into ``nearest``.

    Args:
        x: (T,) values.
        width: steps of a window.
        means: (W,) of the windows.
        scale: (W,) what each window less its mean is multiplied by.
        lengths: (W,) squared length of each window thereafter; inf leaves it out.
        ahead: a later window counts for an earlier one if it begins at this step at the latest.
        nearest: (W,) inf where nothing is known.
    """
    windows = len(means)
    sums = np.zeros(LANES)
    for first in range(width, windows, LANES):
        lanes = min(LANES, windows - first)
        for lane in range(lanes):
            total = 0.0
            for k in range(width):
                total += x[k] * x[k + first + lane]
            sums[lane] = total
        for i in range(windows - first):
            there = min(lanes, windows - first - i)
            mean, factor, length, best = width * means[i], scale[i], lengths[i], nearest[i]
            counted = min(there, max(ahead - i - first + 1, 0))
            for lane in range(there):
                j = i + first + lane
                product = (sums[lane] - mean * means[j]) * factor * scale[j]
                square = length + lengths[j] - 2 * product
                nearest[j] = min(nearest[j], square)
                if lane < counted:
                    best = min(best, square)
            nearest[i] = best
            old, new = x[i], x[min(i + width, len(x) - 1)]
            for lane in range(min(lanes, windows - first - i - 1)):
                j = i + first + lane
                sums[lane] += new * x[j + width] - old * x[j]
