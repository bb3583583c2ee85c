"""MiniRocket and MultiRocket of one series on the CPU, in compiled loops.

The response of a kernel is written once into a buffer that stays in the first-level cache, and
all its biases are counted from there. Poolings of the steps above a bias are those of MultiRocket
(Tan, Dempster, Bergmeir & Webb 2022, section 3.2); rows are padded with −∞, which exceeds no bias,
up to a whole number of vector registers, so that counting never runs its slow scalar tail.
"""

import itertools

import numpy as np
from numpy import float32, int32

from selftime.encoders.fixed.compiling_numba import compile_kernel

ROCKET_POOLINGS = ("ppv", "mpv", "mipv", "lspv")
_LANES = 32  # four vector registers of eight floats: the step of the unrolled counting loop
TAPS = np.array(list(itertools.combinations(range(9), 3)))
"""(84,3) positions of the weight 2 in each kernel of length 9; the other six weigh −1."""
BankPlan = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@compile_kernel()
def features_of_series(x: np.ndarray, plan: BankPlan, out: np.ndarray) -> None:
    """Features (P,F) of one series (C,T)."""
    dilations, counts, subsets, biases, poolings = plan
    T, several = x.shape[1], x.shape[0] > 1
    room = 4 * dilations.max()
    padded = padding_for(T + 2 * room, 1)
    rows = np.empty((9, T), float32)
    response = np.empty(whole_registers(T), float32)
    first = 0
    for e in range(len(dilations)):
        for kernel in range(84):
            if several or kernel == 0:
                sum_channels_into(x, subsets[e * 84 + kernel], room, dilations[e], padded)
            lo, n = valid_window(T, dilations[e], (e + kernel) % 2 == 1)
            if several:
                respond_once(padded[0], room + lo, dilations[e], kernel, response[:n])
            else:
                if kernel == 0:
                    centred_shifts_into(padded, room, T, dilations[e], rows)
                    weigh_shifts(rows)
                respond_by_rows(rows, kernel, lo, response[:n])
            response[n : whole_registers(n)] = -np.inf
            last = first + counts[e]
            pool(poolings, response, n, biases, (first, last), out)
            first = last


@compile_kernel()
def how_many(T: int, stride: int) -> int:
    """Steps 0, stride, 2·stride, … of T: how many there are."""
    return (T + stride - 1) // stride


@compile_kernel()
def padding_for(T: int, stride: int) -> np.ndarray:
    """Zeros (stride,S) for T steps: step t stands in row t mod stride.

    So every stride-th step from any first one lies side by side.
    """
    return np.zeros((stride, how_many(T, stride)), float32)


@compile_kernel()
def steps_from(padded: np.ndarray, t: int) -> np.ndarray:
    """Step t and every stride-th one after it."""
    steps: np.ndarray = padded[t % len(padded)][t // len(padded) :]
    return steps


@compile_kernel()
def sum_channels_into(
    x: np.ndarray, subset: np.ndarray, room: int, dilation: int, padded: np.ndarray
) -> None:
    """Write the sum of the selected channels into the padding, ``room`` steps after its start.

    −1 selects no channel. Steps that no tap of a dilated kernel meets are left out.
    """
    T, stride = x.shape[1], len(padded)
    for i in range(len(subset)):
        if subset[i] < 0:
            continue
        row = x[subset[i]]
        for phase in range(stride):
            if not is_met(phase, stride, dilation):
                continue
            total = steps_from(padded, room + phase)
            steps = how_many(T - phase, stride)
            if i == 0:
                for t in range(steps):
                    total[t] = row[phase + t * stride]
            else:
                for t in range(steps):
                    total[t] += row[phase + t * stride]


@compile_kernel()
def is_met(phase: int, stride: int, dilation: int) -> bool:
    """True if a tap of a kernel at every stride-th step meets steps t with t mod stride = phase."""
    for k in range(-4, 5):  # noqa: SIM110 - compiled
        if (k * dilation - phase) % stride == 0:
            return True
    return False


@compile_kernel()
def centred_shifts_into(
    padded: np.ndarray, room: int, steps: int, dilation: int, out: np.ndarray
) -> None:
    """``out[k, i] = x[t + (k − 4)·dilation] − x[t]`` for the i-th of so many steps t.

    What a row has room for beyond them is 0.
    """
    # All kernels sum to 0, so the centre changes no response; without it a flat stretch gives
    # exactly 0, and series far from 0 have no rounding errors.
    x = steps_from(padded, room)
    for k in range(9):
        row, shifted = out[k], steps_from(padded, room + (k - 4) * dilation)
        for i in range(steps):
            row[i] = shifted[i] - x[i]
        row[steps:] = 0


@compile_kernel()
def weigh_shifts(rows: np.ndarray) -> None:
    """Triple the rows and take a third of the sum of all nine from each."""
    # Any three of them then add up to thrice these three minus all nine: to a kernel's response.
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
def respond_by_rows(rows: np.ndarray, kernel: int, lo: int, out: np.ndarray) -> None:
    """Response of one kernel from step ``lo`` on, out of weighed rows."""
    i, j, k = TAPS[kernel]
    a, b, c = rows[i][lo:], rows[j][lo:], rows[k][lo:]
    for t in range(len(out)):
        out[t] = (a[t] + b[t]) + c[t]


@compile_kernel()
def respond_once(
    padded: np.ndarray, first: int, dilation: int, kernel: int, out: np.ndarray
) -> None:
    """The same to the bit for rows that serve one kernel only, without writing them down."""
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


@compile_kernel()
def whole_registers(steps: int) -> int:
    """Steps rounded up to a multiple of the lanes."""
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
    """Write one number for each pooling and bias: of the steps at which the response exceeds it."""
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
    """Number of values that exceed the bias."""
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
