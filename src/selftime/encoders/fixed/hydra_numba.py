"""Hydra on the CPU: compiled loops, one thread to each run of series."""

import numpy as np
from numpy import float32, int32

from selftime.encoders.fixed.compiling_numba import compile_kernel
from selftime.encoders.fixed.rocket_numba import centred_shifts_into, sum_channels_into

_Plan = tuple[np.ndarray, np.ndarray, np.ndarray]


@compile_kernel()
def hydra_on_cpu(
    start: int, stop: int, series: np.ndarray, lengths: np.ndarray, plan: _Plan, out: np.ndarray
) -> None:
    """Write counts (B,E,G,2,K) of series ``start`` to ``stop`` into ``out``.

    They are sums of the winning responses, then counts of the lowest. The plan has dilations (E,),
    weights (E,G,K,9), each kernel sums to 0, and the channels (E,G,M) whose sum each group reads.
    """
    for b in range(start, stop):
        counts_of_series(series[b, :, : lengths[b]], plan, out[b])


@compile_kernel()
def counts_of_series(x: np.ndarray, plan: _Plan, out: np.ndarray) -> None:
    """Counts (E,G,2,K) of one series (C,T)."""
    dilations, weights, members = plan
    T = x.shape[1]
    padded = np.zeros(T + 8 * dilations.max(), float32)
    rows = np.empty((9, T), float32)
    response, high, low = np.empty(T, float32), np.empty(T, float32), np.empty(T, float32)
    first, last = np.empty(T, np.int32), np.empty(T, np.int32)
    for e in range(len(dilations)):
        for g in range(weights.shape[1]):
            if g == 0 or x.shape[0] > 1:
                sum_channels_into(x, members[e, g], padded)
                centred_shifts_into(padded, dilations[e], rows)
            for k in range(weights.shape[2]):
                _respond(rows, weights, e, g, k, response)
                keep_higher(response, k, high, first)
                keep_lower(response, k, low, last)
            for k in range(weights.shape[2]):
                out[e, g, 0, k] = sum_where(high, first, k)
                out[e, g, 1, k] = count_where(last, k)


@compile_kernel(reorder=True)
def _respond(
    rows: np.ndarray, weights: np.ndarray, e: int, g: int, k: int, out: np.ndarray
) -> None:
    """Response of one kernel; its middle weight meets the centred row, which is 0."""
    w = weights[e, g, k]
    w0, w1, w2, w3, w5, w6, w7, w8 = w[0], w[1], w[2], w[3], w[5], w[6], w[7], w[8]
    r0, r1, r2, r3 = rows[0], rows[1], rows[2], rows[3]
    r5, r6, r7, r8 = rows[5], rows[6], rows[7], rows[8]
    for t in range(len(out)):
        left = (w0 * r0[t] + w1 * r1[t]) + (w2 * r2[t] + w3 * r3[t])
        right = (w5 * r5[t] + w6 * r6[t]) + (w7 * r7[t] + w8 * r8[t])
        out[t] = left + right


@compile_kernel()
def keep_higher(response: np.ndarray, k: int, best: np.ndarray, winner: np.ndarray) -> None:
    """Make kernel k the winner where it responds more than those before it."""
    if k == 0:
        best[:] = -np.inf
    for t in range(len(best)):
        better = response[t] > best[t]
        best[t] = response[t] if better else best[t]
        winner[t] = int32(k) if better else winner[t]


@compile_kernel()
def keep_lower(response: np.ndarray, k: int, best: np.ndarray, winner: np.ndarray) -> None:
    """Make kernel k the winner where it responds less than those before it."""
    if k == 0:
        best[:] = np.inf
    for t in range(len(best)):
        better = response[t] < best[t]
        best[t] = response[t] if better else best[t]
        winner[t] = int32(k) if better else winner[t]


@compile_kernel(reorder=True)
def sum_where(values: np.ndarray, winner: np.ndarray, k: int) -> float32:
    """Sum of the values that kernel k won."""
    total, own = float32(0), int32(k)
    for t in range(len(values)):
        total += values[t] if winner[t] == own else float32(0)
    return total


@compile_kernel()
def count_where(winner: np.ndarray, k: int) -> int32:
    """Number of steps that kernel k won."""
    count, own = int32(0), int32(k)
    for t in range(len(winner)):
        count = int32(count + int32(winner[t] == own))
    return count
