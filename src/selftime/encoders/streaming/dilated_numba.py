"""Steps of causal dilated convolutions, as one compiled loop.

A step of one stream is some hundred thousand products, which take less time than it takes to start
the hundred tensor operations they are made of. Weights and rings lie one behind the other in the
order in which they are read: ``w`` and ``p`` are the next positions.
"""

import numpy as np
from numpy import float32

from selftime.encoders.fixed.compiling_numba import compile_kernel

ROWS_AT_ONCE = 32
"""Rows, each a step of a stream, that share a pass over the weights; they fit into the cache."""


@compile_kernel(reorder=True)
def advance(
    start: int,
    stop: int,
    values: np.ndarray,
    observed: np.ndarray,
    time: int,
    widths: np.ndarray,
    weights: np.ndarray,
    past: np.ndarray,
    tokens: np.ndarray,
) -> None:
    """Write tokens (k,S,D) of the next steps of streams ``start`` to ``stop``, and their rings.

    Values and observed are (S,C,k), after ``time`` other steps. Widths are features after the entry
    and after each block. Weights are matrix and bias of the entry, then of each block's first and
    second convolution and of the map beside the last block; matrices (O,K·I), tap after tap. The
    past has the rings (2d,S,I) of each block's first and second convolution.
    """
    streams, _, steps = values.shape
    for a in range(start, stop, ROWS_AT_ONCE):
        b = min(a + ROWS_AT_ONCE, stop)
        long = max(ROWS_AT_ONCE // (b - a), 1)
        for j in range(0, steps, long):
            end = min(j + long, steps)
            rows, where = (end - j) * (b - a), (streams, a, b, time + j)
            h = np.zeros((rows, widths[0]), float32)
            w, p, dilation = enter(values[a:b, :, j:end], observed[a:b, :, j:end], weights, h), 0, 1
            for k in range(1, len(widths)):
                inner = h
                for _ in range(2):
                    outer = np.zeros((rows, widths[k]), float32)
                    w, p = convolve(inner, weights, w, past, p, where, dilation, outer)
                    inner = outer
                if k == len(widths) - 1:
                    beside = np.zeros((rows, widths[k]), float32)
                    w = affine(h, weights, w, beside)
                    h = beside
                add(h, outer)
                h, dilation = outer, 2 * dilation
            for r in range(end - j):
                add(h[r * (b - a) : (r + 1) * (b - a)], tokens[j + r, a:b])


@compile_kernel(reorder=True)
def enter(values: np.ndarray, observed: np.ndarray, weights: np.ndarray, h: np.ndarray) -> int:
    """Write M values + b into h (steps, in each the streams) where observed; return the end."""
    (S, C, _), H = values.shape, h.shape[1]
    for r in range(len(h)):
        j, s, seen = r // S, r % S, False
        for c in range(C):
            if observed[s, c, j]:
                seen = True
                for o in range(H):
                    h[r, o] += values[s, c, j] * weights[o * C + c]
        for o in range(H if seen else 0):
            h[r, o] += weights[C * H + o]
    return (C + 1) * H  # type: ignore[no-any-return]


@compile_kernel(reorder=True)
def convolve(
    x: np.ndarray,
    weights: np.ndarray,
    w: int,
    past: np.ndarray,
    p: int,
    where: tuple[int, int, int, int],
    dilation: int,
    y: np.ndarray,
) -> tuple[int, int]:
    """Write three taps over gelu(x) into y, and gelu(x) into its ring; return the ends of both.

    Weights, matrix (O,3I) and bias, begin at ``w``, the ring (2d,S,I) at ``p``. The row of step t
    lies at t modulo 2d, where that of step t − 2d was. Rows of x (R,I) and y (R,O) are as in
    :func:`enter`; ``where`` is S, the first stream, one after the last, the first step.
    """
    streams, first, stop, time = where
    (rows, width), n, steps = x.shape, stop - first, 2 * dilation
    taps = np.empty((rows, 3 * width), float32)
    for r in range(rows):
        gelu(x[r], taps[r, 2 * width :])
    for r in range(rows):
        for tap in range(2):
            back = (2 - tap) * dilation
            at = p + ((time + r // n - back) % steps * streams + first + r % n) * width
            earlier = past[at : at + width] if r < back * n else taps[r - back * n, 2 * width :]
            copy(earlier, taps[r, tap * width : (tap + 1) * width])
    for r in range(max(rows - steps * n, 0), rows):
        at = p + ((time + r // n) % steps * streams + first + r % n) * width
        copy(taps[r, 2 * width :], past[at : at + width])
    return affine(taps, weights, w, y), p + steps * streams * width


@compile_kernel()
def copy(x: np.ndarray, y: np.ndarray) -> None:
    """Write x into y."""
    for i in range(len(x)):
        y[i] = x[i]


@compile_kernel(reorder=True)
def affine(x: np.ndarray, weights: np.ndarray, w: int, y: np.ndarray) -> int:
    """Write M x + b into y for every row of x; return the end of M (O,I) and b."""
    # Four outputs of two rows at a time, so that eight sums stay in registers; the last ones are
    # computed more than once where their number is not even.
    (rows, inner), outer = x.shape, y.shape[1]
    bias = w + inner * outer
    matrix = weights[w:bias].reshape(outer, inner)
    for o in range(0, outer, 4):
        p, q, r = min(o + 1, outer - 1), min(o + 2, outer - 1), min(o + 3, outer - 1)
        a, b, c, d = matrix[o], matrix[p], matrix[q], matrix[r]
        for s in range(0, rows, 2):
            t = min(s + 1, rows - 1)
            u, v = x[s], x[t]
            ua = ub = uc = ud = va = vb = vc = vd = float32(0)
            for i in range(inner):
                ua += u[i] * a[i]
                ub += u[i] * b[i]
                uc += u[i] * c[i]
                ud += u[i] * d[i]
                va += v[i] * a[i]
                vb += v[i] * b[i]
                vc += v[i] * c[i]
                vd += v[i] * d[i]
            y[s, o], y[s, p], y[s, q], y[s, r] = ua, ub, uc, ud
            y[t, o], y[t, p], y[t, q], y[t, r] = va, vb, vc, vd
    for s in range(rows):
        for o in range(outer):
            y[s, o] += weights[bias + o]
    return bias + outer  # type: ignore[no-any-return]


@compile_kernel(reorder=True)
def add(x: np.ndarray, y: np.ndarray) -> None:
    """Add x to y."""
    for s in range(x.shape[0]):
        for i in range(x.shape[1]):
            y[s, i] += x[s, i]


_FAR = float32(5.5)
"""Beyond it x Φ(x) is 0 or x within 1e-7."""
UNIT = float32(1 / 5.5**2)
_HALF = float32(0.5)
P0, P1, P2 = float32(0.39894239), float32(0.80221745), float32(3.85718062)
P3, P4, P5 = float32(2.58836996), float32(4.85162193), float32(0.71276579)
Q1, Q2 = float32(7.05261677), float32(22.34382975)
Q3, Q4, Q5 = float32(40.30290552), float32(41.33086045), float32(33.29185784)


@compile_kernel(reorder=True)
def gelu(x: np.ndarray, y: np.ndarray) -> None:
    """Write x Φ(x) into y, Φ the normal distribution (Hendrycks & Gimpel 2016, equation 1).

    With u = (x / 5.5)² it is Φ(x) = ½ + x P(u) / Q(u), polynomials of degree 5 that keep the
    largest difference within |x| ≤ 5.5 smallest: it is 6e-8. Found by linear programming.
    """
    for i in range(len(x)):
        v = x[i]
        u = v * v * UNIT
        p = P0 + u * (P1 + u * (P2 + u * (P3 + u * (P4 + u * P5))))
        q = float32(1) + u * (Q1 + u * (Q2 + u * (Q3 + u * (Q4 + u * Q5))))
        near = v * (_HALF + v * p / q)
        far = v if v > 0 else float32(0)
        y[i] = near if abs(v) < _FAR else far
