"""MiniRocket and MultiRocket on the CPU: compiled loops, one thread to each run of series.

The response of a kernel is written once into a buffer that stays in the first-level cache, and
all its biases are counted from there.
"""

import itertools

import numpy as np
from numpy import float32

from selftime.encoders.fixed.compiling_numba import compile_kernel
from selftime.encoders.fixed.poolings_numba import pool, whole_registers

TAPS = np.array(list(itertools.combinations(range(9), 3)))
"""(84,3) positions of the weight 2 in each kernel of length 9; the other six weigh −1."""
_Plan = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@compile_kernel()
def minirocket_on_cpu(
    start: int, stop: int, series: np.ndarray, lengths: np.ndarray, plan: _Plan, out: np.ndarray
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


@compile_kernel()
def features_of_series(x: np.ndarray, plan: _Plan, out: np.ndarray) -> None:
    """Features (P,F) of one series (C,T)."""
    dilations, counts, subsets, biases, poolings = plan
    T, several = x.shape[1], x.shape[0] > 1
    padded = np.zeros(T + 8 * dilations.max(), float32)
    rows = np.empty((9, T), float32)
    response = np.empty(whole_registers(T), float32)
    first = 0
    for e in range(len(dilations)):
        for kernel in range(84):
            if several or kernel == 0:
                sum_channels_into(x, subsets[e * 84 + kernel], padded)
            lo, n = valid_window(T, dilations[e], (e + kernel) % 2 == 1)
            if several:
                respond_once(padded, T, dilations[e], kernel, lo, response[:n])
            else:
                if kernel == 0:
                    centred_shifts_into(padded, dilations[e], rows)
                    _weigh(rows)
                _respond(rows, kernel, lo, response[:n])
            response[n : whole_registers(n)] = -np.inf
            last = first + counts[e]
            pool(poolings, response, n, biases, (first, last), out)
            first = last


@compile_kernel()
def sum_channels_into(x: np.ndarray, subset: np.ndarray, padded: np.ndarray) -> None:
    """Sum of the chosen channels, into the middle of the padding; −1 chooses none."""
    T = x.shape[1]
    total = padded[(len(padded) - T) // 2 :]
    total[:T] = x[subset[0]]
    for i in range(1, len(subset)):
        if subset[i] >= 0:
            row = x[subset[i]]
            for t in range(T):
                total[t] += row[t]


@compile_kernel()
def centred_shifts_into(padded: np.ndarray, dilation: int, out: np.ndarray) -> None:
    """``out[k, t] = x[t + (k − 4)·dilation] − x[t]``, x in the middle of its padding.

    All kernels here sum to 0, so that taking the centre away changes no response, but makes the
    response to a flat stretch exactly 0 and spares series far from 0 their rounding errors.
    """
    T = out.shape[1]
    first = (len(padded) - T) // 2
    x = padded[first:]
    for k in range(9):
        row, shifted = out[k], padded[first + (k - 4) * dilation :]
        for t in range(T):
            row[t] = shifted[t] - x[t]


@compile_kernel()
def _weigh(rows: np.ndarray) -> None:
    """Triple the rows and take a third of the sum of all nine from each.

    Any three of them then add up to thrice these three minus all nine: to a kernel's response.
    """
    third = rows[0].copy()
    for k in range(1, 9):
        row = rows[k]
        for t in range(len(third)):
            third[t] += row[t]
    for t in range(len(third)):
        third[t] /= float32(3)
    for k in range(9):
        row = rows[k]
        for t in range(len(third)):
            row[t] = float32(3) * row[t] - third[t]


@compile_kernel()
def valid_window(steps: int, dilation: int, valid: bool) -> tuple[int, int]:
    """First step and number of steps that count: without padding if ``valid`` and possible."""
    if valid and steps > 8 * dilation:
        return 4 * dilation, steps - 8 * dilation
    return 0, steps


@compile_kernel()
def _respond(rows: np.ndarray, kernel: int, lo: int, out: np.ndarray) -> None:
    """Response of one kernel from step ``lo`` on, out of weighed rows."""
    i, j, k = TAPS[kernel]
    a, b, c = rows[i][lo:], rows[j][lo:], rows[k][lo:]
    for t in range(len(out)):
        out[t] = (a[t] + b[t]) + c[t]


@compile_kernel()
def respond_once(
    padded: np.ndarray, T: int, dilation: int, kernel: int, lo: int, out: np.ndarray
) -> None:
    """The same to the bit for rows that serve one kernel only, without writing them down."""
    first = (len(padded) - T) // 2 + lo
    x = padded[first:]
    third_of_shifts(padded, x, first, dilation, out)
    i, j, k = TAPS[kernel]
    a = padded[first + (i - 4) * dilation :]
    b = padded[first + (j - 4) * dilation :]
    c = padded[first + (k - 4) * dilation :]
    three = float32(3)
    for t in range(len(out)):
        outer = (three * (a[t] - x[t]) - out[t]) + (three * (b[t] - x[t]) - out[t])
        out[t] = outer + (three * (c[t] - x[t]) - out[t])


@compile_kernel()
def third_of_shifts(
    padded: np.ndarray, x: np.ndarray, first: int, dilation: int, out: np.ndarray
) -> None:
    """A third of the sum of all centred shifts, four to a pass: more pointers defeat SIMD."""
    before, after = first - 4 * dilation, first + dilation
    a, b = padded[before:], padded[before + dilation :]
    c, d = padded[before + 2 * dilation :], padded[before + 3 * dilation :]
    for t in range(len(out)):
        out[t] = (((a[t] - x[t]) + (b[t] - x[t])) + (c[t] - x[t])) + (d[t] - x[t])
    a, b = padded[after:], padded[after + dilation :]
    c, d = padded[after + 2 * dilation :], padded[after + 3 * dilation :]
    for t in range(len(out)):
        left = (out[t] + (a[t] - x[t])) + (b[t] - x[t])
        out[t] = ((left + (c[t] - x[t])) + (d[t] - x[t])) / float32(3)
