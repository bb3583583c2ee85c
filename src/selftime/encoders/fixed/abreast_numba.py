"""MiniRocket on the CPU: shares of many series of one length abreast, all else one by one.

Step t of sixteen series stands side by side in the registers. So nothing is added across a
register, which takes as long as counting 128 steps does, and no number of steps leaves a rest.
"""

import numpy as np
from numpy import float32, int32, uint64

from selftime.encoders.fixed.compiling_numba import LANES, compile_kernel
from selftime.encoders.fixed.rocket_numba import (
    BankPlan,
    centred_shifts_into,
    features_of_series,
    padding_for,
    respond_by_rows,
    respond_once,
    sum_channels_into,
    valid_window,
    weigh_shifts,
)

_BLOCK = 128
"""Steps of series that stand abreast whose responses are cached at a time."""
_CACHED = 2**19
"""Values of several channels, abreast, that are cached while all kernels sum them."""
# Unsigned: the compiler need not think of places counted from the end, and reads side by side.
_L = uint64(LANES)
_NONE, _L2, _L3, _L4 = uint64(0), uint64(2 * LANES), uint64(3 * LANES), uint64(4 * LANES)


@compile_kernel()
def minirocket_on_cpu(
    start: int, stop: int, series: np.ndarray, lengths: np.ndarray, plan: BankPlan, out: np.ndarray
) -> None:
    """Write features (B,P,F) of series ``start`` to ``stop`` into ``out``.

    The plan has dilations (E,), the number of biases of each kernel at each of them (E,), the
    channels (84·E,M) that each kernel reads, −1 where fewer than M, biases (F,) by dilation, then
    kernel, and poolings (P,), indices into :data:`ROCKET_POOLINGS`.
    """
    shares_alone = len(plan[4]) == 1 and plan[4][0] == 0
    b = start
    while b < stop:
        many = abreast(lengths[b : min(b + LANES, stop)]) if shares_alone else 1
        fits = series.shape[1] == 1 or series.shape[1] * lengths[b] * LANES <= _CACHED
        if many > LANES // 4 and fits:
            shares_abreast(series[b : b + many, :, : lengths[b]], plan, out[b : b + many, 0])
        else:
            many = 1
            features_of_series(series[b, :, : lengths[b]], plan, out[b])
        b += many


@compile_kernel()
def abreast(lengths: np.ndarray) -> int:
    """Return how many of the first series have the same length."""
    many = 1
    while many < len(lengths) and lengths[many] == lengths[0]:
        many += 1
    return many


@compile_kernel()
def shares_abreast(x: np.ndarray, plan: BankPlan, out: np.ndarray) -> None:
    """Write shares (B,F) of up to :data:`LANES` series (B,C,T), to the bit as one by one.

    Step t of all series stands side by side, so that nothing is added across a register and no
    number of steps leaves a rest. A shift by a step is one by so many numbers; all else is as in
    :func:`features_of_series`.
    """
    dilations, counts, subsets, biases, _ = plan
    C, T = x.shape[1:]
    room = 4 * dilations.max()
    lanes, padded = in_lanes(x), padding_for((T + 2 * room) * LANES, 1)
    rows = np.empty((9, _BLOCK * LANES), float32)
    response = np.empty(_BLOCK * LANES, float32)
    first = 0
    for e in range(len(dilations)):
        own = counts[e]
        above = np.full((84, own + own % 2), np.inf, float32)  # what is beyond counts nothing
        above[:, :own] = biases[first : first + 84 * own].reshape(84, own)
        counted = np.zeros((84, above.shape[1] * LANES), int32)
        # All kernels read one channel alike, so a block of its steps stays cached for all of them.
        together = 84 if C == 1 else 1
        for kernel in range(0, 84, together):
            sum_channels_into(lanes, subsets[e * 84 + kernel], room * LANES, 1, padded)
            for start in range(0, T, _BLOCK):
                if C == 1:
                    steps = min(_BLOCK, T - start) * LANES
                    at = (room + start) * LANES
                    centred_shifts_into(padded, at, steps, dilations[e] * LANES, rows)
                    weigh_shifts(rows)
                for k in range(kernel, kernel + together):
                    lo, n = valid_window(T, dilations[e], (e + k) % 2 == 1)
                    begin, end = max(lo, start), min(lo + n, start + _BLOCK)
                    found = response[: max(end - begin, 0) * LANES]
                    if C == 1:
                        respond_by_rows(rows, k, (begin - start) * LANES, found)
                    else:
                        at = (room + begin) * LANES
                        respond_once(padded[0], at, dilations[e] * LANES, k, found)
                    count_abreast(found, above[k], counted[k])
        write_shares(counted, (T, dilations[e], e), own, out[:, first:])
        first += 84 * own


@compile_kernel()
def in_lanes(x: np.ndarray) -> np.ndarray:
    """Return series (B,C,T) as (C,T·LANES): each step of all, 0 where there are fewer."""
    B, C, T = x.shape
    lanes = np.zeros((C, T * LANES), float32)
    for b in range(B):
        for c in range(C):
            for t in range(T):
                lanes[c, t * LANES + b] = x[b, c, t]
    return lanes


@compile_kernel()
def write_shares(counted: np.ndarray, at: tuple[int, int, int], own: int, out: np.ndarray) -> None:
    """Write the counts of the kernels of the e-th dilation as shares of the steps that count."""
    T, dilation, e = at
    for kernel in range(84):
        _, n = valid_window(T, dilation, (e + kernel) % 2 == 1)
        share = float32(1) / float32(n)
        for b in range(len(out)):
            for f in range(own):
                out[b, kernel * own + f] = float32(counted[kernel, f * LANES + b]) * share


@compile_kernel()
def count_abreast(row: np.ndarray, biases: np.ndarray, counted: np.ndarray) -> None:
    """Add the steps of each series at which its response exceeds each bias, of an even number."""
    tail = len(biases) - len(biases) % 4
    for f in range(0, tail, 4):
        count_above_four(row, biases[f:], counted[f * LANES :])
    if tail < len(biases):
        count_above_two(row, biases[tail:], counted[tail * LANES :])


@compile_kernel()
def count_above_four(row: np.ndarray, biases: np.ndarray, counted: np.ndarray) -> None:
    """Add those above the first four biases, four steps at a time: counts are read seldom."""
    b0, b1, b2, b3 = biases[0], biases[1], biases[2], biases[3]
    end = uint64(len(row))
    fours = end - end % _L4
    for t in range(_NONE, fours, _L4):
        for i in range(_L):
            v = row[t + i], row[t + i + _L], row[t + i + _L2], row[t + i + _L3]
            counted[i] += how_many_above(v, b0)
            counted[i + _L] += how_many_above(v, b1)
            counted[i + _L2] += how_many_above(v, b2)
            counted[i + _L3] += how_many_above(v, b3)
    for t in range(fours, end, _L):
        for i in range(_L):
            counted[i] += int32(row[t + i] > b0)
            counted[i + _L] += int32(row[t + i] > b1)
            counted[i + _L2] += int32(row[t + i] > b2)
            counted[i + _L3] += int32(row[t + i] > b3)


@compile_kernel()
def count_above_two(row: np.ndarray, biases: np.ndarray, counted: np.ndarray) -> None:
    """Add those above the first two biases."""
    b0, b1 = biases[0], biases[1]
    end = uint64(len(row))
    fours = end - end % _L4
    for t in range(_NONE, fours, _L4):
        for i in range(_L):
            v = row[t + i], row[t + i + _L], row[t + i + _L2], row[t + i + _L3]
            counted[i] += how_many_above(v, b0)
            counted[i + _L] += how_many_above(v, b1)
    for t in range(fours, end, _L):
        for i in range(_L):
            counted[i] += int32(row[t + i] > b0)
            counted[i + _L] += int32(row[t + i] > b1)


@compile_kernel()
def how_many_above(v: tuple[float32, float32, float32, float32], bias: float32) -> int32:
    """Return how many of four values exceed a bias."""
    first, last = int32(v[0] > bias) + int32(v[1] > bias), int32(v[2] > bias) + int32(v[3] > bias)
    return int32(first + last)
