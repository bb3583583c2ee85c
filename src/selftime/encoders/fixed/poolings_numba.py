"""What is kept of the steps at which a response exceeds a bias: the poolings of MultiRocket.

Tan, Dempster, Bergmeir & Webb 2022, section 3.2. Rows are padded with −∞, which exceeds no bias,
up to a whole number of vector registers, so that counting never runs its slow scalar tail.
"""

import numpy as np
from numpy import float32, int32

from selftime.encoders.fixed.compiling_numba import compile_kernel

ROCKET_POOLINGS = ("ppv", "mpv", "mipv", "lspv")
_LANES = 32  # four vector registers of eight floats: the step of the unrolled counting loop


@compile_kernel()
def whole_registers(steps: int) -> int:
    """Steps rounded up to a multiple of `LANES`."""
    return (steps + _LANES - 1) // _LANES * _LANES


@compile_kernel()
def pool(
    poolings: np.ndarray,
    row: np.ndarray,
    n: int,
    biases: np.ndarray,
    span: tuple[int, int],
    out: np.ndarray,
) -> None:
    """For each pooling and bias, one number for the steps at which the response exceeds it."""
    first, last = span
    for p in range(len(poolings)):
        if poolings[p] == 0:
            share_above(row, n, biases, first, last, out[p])
        elif poolings[p] == 1:
            mean_above(row, n, biases, first, last, out[p])
        elif poolings[p] == 2:
            mean_step_above(row, n, biases, first, last, out[p])
        else:
            longest_above(row, n, biases, first, last, out[p])


@compile_kernel()
def share_above(
    row: np.ndarray, n: int, biases: np.ndarray, first: int, last: int, out: np.ndarray
) -> None:
    """Share of values above each bias; four biases share one pass over the row."""
    steps, share = whole_registers(n), float32(1) / float32(n)
    tail = last - (last - first) % 4
    for f in range(first, tail, 4):
        b0, b1, b2, b3 = biases[f], biases[f + 1], biases[f + 2], biases[f + 3]
        c0, c1, c2, c3 = int32(0), int32(0), int32(0), int32(0)
        for t in range(steps):
            value = row[t]
            c0 = int32(c0 + int32(value > b0))
            c1 = int32(c1 + int32(value > b1))
            c2 = int32(c2 + int32(value > b2))
            c3 = int32(c3 + int32(value > b3))
        out[f], out[f + 1] = float32(c0) * share, float32(c1) * share
        out[f + 2], out[f + 3] = float32(c2) * share, float32(c3) * share
    for f in range(tail, last):
        out[f] = float32(count_above(row, steps, biases[f])) * share


@compile_kernel()
def count_above(row: np.ndarray, steps: int, bias: float32) -> int32:
    """How many values exceed the bias."""
    count = int32(0)
    for t in range(steps):
        count = int32(count + int32(row[t] > bias))
    return count


@compile_kernel(reorder=True)
def mean_above(
    row: np.ndarray, n: int, biases: np.ndarray, first: int, last: int, out: np.ndarray
) -> None:
    """Mean excess of the values above each bias, 0 if there are none."""
    for f in range(first, last):
        bias, excess, count = biases[f], float32(0), int32(0)
        for t in range(whole_registers(n)):
            above = row[t] > bias
            excess += row[t] - bias if above else float32(0)
            count = int32(count + int32(above))
        out[f] = excess / max(float32(count), float32(1))


@compile_kernel(reorder=True)
def mean_step_above(
    row: np.ndarray, n: int, biases: np.ndarray, first: int, last: int, out: np.ndarray
) -> None:
    """Mean position, as a share of n, of the values above each bias; −1/n if there are none."""
    for f in range(first, last):
        bias, steps, count = biases[f], float32(0), int32(0)
        for t in range(whole_registers(n)):
            above = row[t] > bias
            steps += float32(int32(t)) if above else float32(0)
            count = int32(count + int32(above))
        out[f] = (steps / float32(count) if count > 0 else float32(-1)) / float32(n)


@compile_kernel()
def longest_above(
    row: np.ndarray, n: int, biases: np.ndarray, first: int, last: int, out: np.ndarray
) -> None:
    """Longest run, as a share of n, of values above each bias; two biases at a time."""
    share = float32(1) / float32(n)
    for f in range(first, last, 2):
        g = min(f + 1, last - 1)
        run0, run1, top0, top1 = 0, 0, 0, 0
        for t in range(n):
            run0 = run0 + 1 if row[t] > biases[f] else 0
            run1 = run1 + 1 if row[t] > biases[g] else 0
            top0, top1 = max(top0, run0), max(top1, run1)
        out[f], out[g] = float32(top0) * share, float32(top1) * share
