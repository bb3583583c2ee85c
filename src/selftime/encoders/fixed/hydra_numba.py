"""Hydra on the CPU: compiled loops, one thread to each run of series.

Kernels of a group compete over a block of steps that stays in the first-level cache, four of them
in one pass, and the block is counted at once. Rows are padded with 0 up to a whole number of vector
registers: to these all kernels respond with 0, so the first has won and lost them, and is told so.
"""

import numpy as np
from numpy import float32, int32

from selftime.encoders.fixed.compiling_numba import compile_kernel
from selftime.encoders.fixed.rocket_numba import (
    centred_shifts_into,
    how_many,
    padding_for,
    sum_channels_into,
    whole_registers,
)

ABREAST = 4
"""Kernels that compete in one pass: their weights and the rows fill the vector registers."""
_BLOCK = 256
_Plan = tuple[np.ndarray, np.ndarray, np.ndarray]
_Taps = tuple[float32, float32, float32, float32, float32, float32, float32, float32]
_Block = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@compile_kernel()
def hydra_on_cpu(
    start: int,
    stop: int,
    series: np.ndarray,
    lengths: np.ndarray,
    strides: np.ndarray,
    plan: _Plan,
    out: np.ndarray,
) -> None:
    """Write counts (B,E,G,2,K) of series ``start`` to ``stop`` into ``out``.

    They are sums of the winning responses, then counts of the lowest, at every ``strides[b]``-th
    step. The plan has dilations (E,), weights (E,G,K',9) of K kernels and, up to a multiple of
    :data:`ABREAST`, copies of the first; each sums to 0; and the channels (E,G,M) whose sum each
    group reads.
    """
    for b in range(start, stop):
        counts_of_series(series[b, :, : lengths[b]], strides[b], plan, out[b])


@compile_kernel()
def counts_of_series(x: np.ndarray, stride: int, plan: _Plan, out: np.ndarray) -> None:
    """Counts (E,G,2,K) of one series (C,T)."""
    dilations, weights, members = plan
    T, K = x.shape[1], weights.shape[2]
    room = 4 * dilations.max()
    steps, padded = how_many(T, stride), padding_for(T + 2 * room, stride)
    rows = np.empty((9, whole_registers(steps)), float32)
    high, low = np.empty(_BLOCK, float32), np.empty(_BLOCK, float32)
    first, last = np.empty(_BLOCK, np.int32), np.empty(_BLOCK, np.int32)
    won, lost = np.empty(K, float32), np.empty(K, np.int32)
    for e in range(len(dilations)):
        for g in range(weights.shape[1]):
            if g == 0 or x.shape[0] > 1:
                sum_channels_into(x, members[e, g], room, dilations[e], padded)
                centred_shifts_into(padded, room, steps, dilations[e], rows)
            won[:], lost[:] = 0, 0
            for start in range(0, rows.shape[1], _BLOCK):
                block = high, low, first, last
                n = min(_BLOCK, rows.shape[1] - start)
                high[:], low[:] = -np.inf, np.inf
                for k in range(0, K, ABREAST):
                    compete(rows, start, n, weights[e, g], k, block)
                for k in range(0, K, ABREAST):
                    count(n, k, block, won, lost)
            lost[0] -= rows.shape[1] - steps
            for k in range(out.shape[3]):
                out[e, g, 0, k], out[e, g, 1, k] = won[k], lost[k]


@compile_kernel(reorder=True)
def compete(
    rows: np.ndarray, start: int, n: int, weights: np.ndarray, k: int, block: _Block
) -> None:
    """Enter four kernels where they respond more, or less, than those before them.

    Middle weights meet the centred row, which is 0.
    """
    high, low, first, last = block
    r0, r1, r2, r3 = rows[0][start:], rows[1][start:], rows[2][start:], rows[3][start:]
    r5, r6, r7, r8 = rows[5][start:], rows[6][start:], rows[7][start:], rows[8][start:]
    a, b, c, d = (
        outer_weights(weights[k]),
        outer_weights(weights[k + 1]),
        outer_weights(weights[k + 2]),
        outer_weights(weights[k + 3]),
    )
    ka, kb, kc, kd = int32(k), int32(k + 1), int32(k + 2), int32(k + 3)
    for t in range(n):
        r = r0[t], r1[t], r2[t], r3[t], r5[t], r6[t], r7[t], r8[t]
        top, winner, bottom, loser = high[t], first[t], low[t], last[t]
        top, winner, bottom, loser = better(respond(a, r), ka, top, winner, bottom, loser)
        top, winner, bottom, loser = better(respond(b, r), kb, top, winner, bottom, loser)
        top, winner, bottom, loser = better(respond(c, r), kc, top, winner, bottom, loser)
        top, winner, bottom, loser = better(respond(d, r), kd, top, winner, bottom, loser)
        high[t], first[t], low[t], last[t] = top, winner, bottom, loser


@compile_kernel()
def outer_weights(w: np.ndarray) -> _Taps:
    """The weights of a kernel but the middle one."""
    return w[0], w[1], w[2], w[3], w[5], w[6], w[7], w[8]


@compile_kernel(reorder=True)
def respond(w: _Taps, r: _Taps) -> float32:
    """Response of one kernel at one step."""
    left = (w[0] * r[0] + w[1] * r[1]) + (w[2] * r[2] + w[3] * r[3])
    right = (w[4] * r[4] + w[5] * r[5]) + (w[6] * r[6] + w[7] * r[7])
    return left + right


@compile_kernel()
def better(  # noqa: PLR0913 - all in registers
    y: float32, k: int32, top: float32, winner: int32, bottom: float32, loser: int32
) -> tuple[float32, int32, float32, int32]:
    """The greatest and least responses with their kernels, kernel k included."""
    winner, loser = k if y > top else winner, k if y < bottom else loser
    return y if y > top else top, winner, y if y < bottom else bottom, loser


@compile_kernel(reorder=True)
def count(n: int, k: int, block: _Block, won: np.ndarray, lost: np.ndarray) -> None:
    """Add the winning responses of four kernels, and the steps that they lost."""
    high, _, first, last = block
    ka, kb, kc, kd = int32(k), int32(k + 1), int32(k + 2), int32(k + 3)
    none, zero = float32(0), int32(0)
    wa, wb, wc, wd = none, none, none, none
    la, lb, lc, ld = zero, zero, zero, zero
    for t in range(n):
        top, winner, loser = high[t], first[t], last[t]
        wa += top if winner == ka else none
        wb += top if winner == kb else none
        wc += top if winner == kc else none
        wd += top if winner == kd else none
        la = int32(la + int32(loser == ka))
        lb = int32(lb + int32(loser == kb))
        lc = int32(lc + int32(loser == kc))
        ld = int32(ld + int32(loser == kd))
    won[k] += wa
    won[k + 1] += wb
    won[k + 2] += wc
    won[k + 3] += wd
    lost[k] += la
    lost[k + 1] += lb
    lost[k + 2] += lc
    lost[k + 3] += ld
