"""Compiled loops: the matrix profile along diagonals, and sums of responses of convolutions.

Each product of two windows comes from the one before it on its diagonal in constant time. Every
loop over diagonals does one thing, which compilers turn into instructions for several numbers at
once; with all of them in one loop they do not, and it takes more than twice as long.
"""

import numpy as np

from selftime.encoders.fixed.compiling_numba import compile_kernel

_DIAGONALS_AT_ONCE = 256
"""Diagonals that are followed at once; their running sums stay in the first-level cache."""
_FOLDED = 8
"""Numbers whose least is sought one by one."""


@compile_kernel(reorder=True)
def nearest_by_shape(
    x: np.ndarray,
    width: int,
    means: np.ndarray,
    scale: np.ndarray,
    lengths: np.ndarray,
    ahead: int,
    nearest: np.ndarray,
    first: int,
    stop: int,
    rows: int,
) -> None:
    """Lower ``nearest`` to the squared distance of each window to its nearest one.

    Args:
        x: (T,) values.
        width: steps of a window.
        means: (W,) of the windows.
        scale: (W,) what each window less its mean is multiplied by.
        lengths: (W,) squared length of each window thereafter; inf leaves it out.
        ahead: a later window counts for an earlier one if it begins at this step at the latest.
        nearest: (W,) inf where nothing is known.
        first: windows are compared with those so many steps later …
        stop: … up to so many, this one not included.
        rows: so many of the first windows are compared with later ones; W for all.
    """
    windows, last = len(means), len(x) - 1
    sums, squares = np.zeros(_DIAGONALS_AT_ONCE), np.zeros(_DIAGONALS_AT_ONCE)
    stop = min(stop, windows)
    for lag in range(first, stop, _DIAGONALS_AT_ONCE):
        lanes = min(_DIAGONALS_AT_ONCE, stop - lag)
        _start_products(sums[:lanes], x, width, lag)
        for i in range(min(rows, windows - lag)):
            n, j = min(lanes, windows - lag - i), i + lag
            these = squares[:n]
            other = slice(j, j + n)
            mean, factor = width * means[i], 2 * scale[i]
            _squared_distances(
                these, sums[:n], means[other], scale[other], lengths[other], mean, factor
            )
            _lower_nearest(nearest[other], these, lengths[i])
            counted = min(n, max(ahead - j + 1, 0))
            nearest[i] = min(nearest[i], lengths[i] + _minimum(these[:counted]))  # overwrites them
            n = min(lanes, windows - lag - i - 1)
            new = x[min(i + width, last)]
            _move_products(sums[:n], x[j + width : j + width + n], x[j : j + n], new, x[i])


@compile_kernel(reorder=True)
def _start_products(sums: np.ndarray, x: np.ndarray, width: int, first: int) -> None:
    """Multiply the first window with those ``first`` steps on and later."""
    for lane in range(len(sums)):
        total = 0.0
        for k in range(width):
            total += x[k] * x[k + first + lane]
        sums[lane] = total


@compile_kernel(reorder=True)
def _squared_distances(
    squares: np.ndarray,
    sums: np.ndarray,
    means: np.ndarray,
    scale: np.ndarray,
    lengths: np.ndarray,
    mean: float,
    factor: float,
) -> None:
    """Write squared distances of one window to others, less its own squared length."""
    for lane in range(len(squares)):
        product = (sums[lane] - mean * means[lane]) * (factor * scale[lane])
        squares[lane] = lengths[lane] - product


@compile_kernel(reorder=True)
def _lower_nearest(nearest: np.ndarray, squares: np.ndarray, length: float) -> None:
    """Lower the least distances of others where this window is nearer."""
    for lane in range(len(nearest)):
        square = squares[lane] + length
        nearest[lane] = square if square < nearest[lane] else nearest[lane]


@compile_kernel(reorder=True)
def _minimum(squares: np.ndarray) -> float:
    """Return the least, inf of none; halves are folded, each into the one before, in place."""
    left = len(squares)
    while left > _FOLDED:
        half = (left + 1) // 2
        _lower_nearest(squares[: left - half], squares[half:left], 0.0)
        left = half
    found = np.inf
    for square in squares[:left]:
        found = min(square, found)
    return found


@compile_kernel(reorder=True)
def _move_products(
    sums: np.ndarray, coming: np.ndarray, leaving: np.ndarray, new: float, old: float
) -> None:
    """Move on to the products of the windows that begin a step later."""
    for lane in range(len(sums)):
        sums[lane] += new * coming[lane] - old * leaving[lane]


@compile_kernel()
def sum_responses(
    x: np.ndarray,
    base: np.ndarray,
    first: int,
    second: int,
    third: int,
    threshold: float,
    above: np.ndarray,
    over: np.ndarray,
) -> None:
    """Sum up the responses of a kernel from the beginning to every step.

    Args:
        x: (T,) values.
        base: (R,) what all nine weights of −1 give.
        first: steps to the first of three values that weigh 3 more …
        second: … to the second …
        third: … and to the third.
        threshold: of responses that count.
        above: (R+1,) where the number of those above the threshold is written.
        over: (R+1,) where the sum of those above 0 is written.
    """
    count, total = 0.0, 0.0
    above[0], over[0] = count, total
    for t in range(len(base)):
        response = base[t] + 3 * (x[t + first] + x[t + second] + x[t + third])
        count += 1.0 if response > threshold else 0.0
        total += max(response, 0.0)
        above[t + 1], over[t + 1] = count, total
