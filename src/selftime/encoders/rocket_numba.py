"""MiniRocket and MultiRocket on the CPU: compiled loops, one thread to each run of series.

The response of a kernel is written once into a buffer that stays in the first-level cache, and
all its biases are counted from there.
"""

import itertools

import numpy as np
from numpy import float32

from selftime.encoders.compiling_numba import compiled as compiled
from selftime.encoders.compiling_numba import over_series as over_series
from selftime.encoders.poolings_numba import pool, whole_registers

TAPS = np.array(list(itertools.combinations(range(9), 3)))
"""(84,3) positions of the weight 2 in each kernel of length 9; the other six weigh −1."""
Plan = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@compiled()
def minirocket(
    start: int, stop: int, series: np.ndarray, lengths: np.ndarray, plan: Plan, out: np.ndarray
) -> None:
    """Features of series ``start`` to ``stop``, written into ``out``.

    Args:
        start: first series.
        stop: one after the last series.
        series: (B,C,T) float32.
        lengths: (B,) steps of each series, at least 1.
        plan: dilations (E,); how many biases each kernel has at each of them (E,); the channels
            that each of the 84·E kernels reads (84·E,M), −1 where fewer than M; biases (F,) by
            dilation, then kernel; poolings (P,), indices into `POOLINGS`.
        out: (B,P,F) float32.
    """
    for b in range(start, stop):
        features_of_series(series[b, :, : lengths[b]], plan, out[b])


@compiled()
def features_of_series(x: np.ndarray, plan: Plan, out: np.ndarray) -> None:
    """Features (P,F) of one series (C,T)."""
    dilations, counts, subsets, biases, poolings = plan
    T = x.shape[1]
    source = x[0].copy()
    rows = np.empty((9, T), float32)
    third = np.empty(T, float32)
    response = np.empty(whole_registers(T), float32)
    first = 0
    for e in range(len(dilations)):
        for kernel in range(84):
            if kernel == 0 or x.shape[0] > 1:
                sum_channels(x, subsets[e * 84 + kernel], source)
                centred_shifts(source, dilations[e], rows)
                weigh(rows, third)
            lo, n = valid_window(T, dilations[e], (e + kernel) % 2 == 1)
            respond(rows, kernel, lo, n, response)
            last = first + counts[e]
            pool(poolings, response, n, biases, (first, last), out)
            first = last


@compiled()
def sum_channels(x: np.ndarray, subset: np.ndarray, out: np.ndarray) -> None:
    """Sum of the chosen channels; −1 chooses none."""
    out[:] = x[subset[0]]
    for channel in subset[1:]:
        if channel >= 0:
            out += x[channel]


@compiled()
def centred_shifts(x: np.ndarray, dilation: int, out: np.ndarray) -> None:
    """``out[k, t] = x[t + (k − 4)·dilation] − x[t]``, where x is 0 before and after its steps.

    All kernels here sum to 0, so that taking the centre away changes no response, but makes the
    response to a flat stretch exactly 0 and spares series far from 0 their rounding errors.
    """
    T = len(x)
    for k in range(9):
        row, shift = out[k], (k - 4) * dilation
        lo, hi = min(T, max(0, -shift)), max(0, min(T, T - shift))
        for t in range(T):
            row[t] = -x[t]
        source, inside = x[lo + shift :], row[lo:]
        for t in range(hi - lo):
            inside[t] += source[t]


@compiled()
def weigh(rows: np.ndarray, third: np.ndarray) -> None:
    """Triple the rows and take a third of the sum of all nine from each.

    Any three of them then add up to thrice these three minus all nine: to a kernel's response.
    """
    third[:] = rows[0]
    for k in range(1, 9):
        third += rows[k]
    third /= float32(3)
    for k in range(9):
        row = rows[k]
        for t in range(len(third)):
            row[t] = float32(3) * row[t] - third[t]


@compiled()
def valid_window(steps: int, dilation: int, valid: bool) -> tuple[int, int]:
    """First step and number of steps that count: without padding if ``valid`` and possible."""
    if valid and steps > 8 * dilation:
        return 4 * dilation, steps - 8 * dilation
    return 0, steps


@compiled()
def respond(rows: np.ndarray, kernel: int, lo: int, n: int, out: np.ndarray) -> None:
    """Response of one kernel at n steps from ``lo`` on, then −∞ up to whole registers."""
    i, j, k = TAPS[kernel]
    a, b, c = rows[i][lo:], rows[j][lo:], rows[k][lo:]
    for t in range(n):
        out[t] = (a[t] + b[t]) + c[t]
    for t in range(n, whole_registers(n)):
        out[t] = -np.inf
