"""Steps of causal dilated convolutions, as one compiled loop over streams.

A step of one stream is half a million products, which take less time than it takes to start the
hundred tensor operations they are made of. Weights and rings lie one behind the other, in the
order in which they are read, so that a step is one pass over both.
"""

import numpy as np
from numpy import float32

from selftime.encoders.compiling_numba import compiled

TOGETHER = 32
"""Streams that share a pass over the weights: what they carry stays in the first-level cache."""


@compiled(reorder=True)
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
    """Tokens of the next steps of streams ``start`` to ``stop``, whose rings go along.

    Args:
        start: first stream.
        stop: one after the last stream.
        values: (S,C,k) float32.
        observed: (S,C,k).
        time: steps that came before.
        widths: features after the entry and after each block.
        weights: matrix and bias of the entry, then of each block's first and second convolution
            and of the map beside the last block; matrices (O,K·I), tap after tap.
        past: the rings (2d,S,I) of each block's first and second convolution.
        tokens: (k,S,D) float32 zeros, written into.
    """
    streams, _, steps = values.shape
    for a in range(start, stop, TOGETHER):
        b = min(a + TOGETHER, stop)
        for j in range(steps):
            h = np.zeros((b - a, widths[0]), float32)
            w, p, dilation = enter(values[a:b, :, j], observed[a:b, :, j], weights, h), 0, 1
            for k in range(1, len(widths)):
                inner = h
                for _ in range(2):
                    outer = np.zeros((b - a, widths[k]), float32)
                    when = streams, a, time + j, dilation
                    w, p = convolve(inner, weights, w, past, p, when, outer)
                    inner = outer
                if k == len(widths) - 1:
                    beside = np.zeros((b - a, widths[k]), float32)
                    w = affine(h, weights, w, beside)
                    h = beside
                add(h, outer)
                h, dilation = outer, 2 * dilation
            add(h, tokens[j, a:b])


@compiled(reorder=True)
def enter(values: np.ndarray, observed: np.ndarray, weights: np.ndarray, h: np.ndarray) -> int:
    """Write M values + b into h where anything was observed, and say where M and b end."""
    (S, C), H = values.shape, h.shape[1]
    for s in range(S):
        seen = False
        for c in range(C):
            if observed[s, c]:
                seen = True
                for o in range(H):
                    h[s, o] += values[s, c] * weights[o * C + c]
        for o in range(H if seen else 0):
            h[s, o] += weights[C * H + o]
    return (C + 1) * H  # type: ignore[no-any-return]


@compiled(reorder=True)
def convolve(
    x: np.ndarray,
    weights: np.ndarray,
    w: int,
    past: np.ndarray,
    p: int,
    where: tuple[int, int, int, int],
    y: np.ndarray,
) -> tuple[int, int]:
    """Write three taps over gelu(x) into y; gelu(x) into its ring. Say where weights and ring end.

    Args:
        x: (n,I) of this step.
        weights: matrix (O,3I) and bias from ``w`` on.
        w: see above.
        past: ring (2d,S,I) from ``p`` on.
        p: see above.
        where: S, the first of the n streams, the step, d.
        y: (n,O).
    """
    (streams, first, time, dilation), (n, inner) = where, x.shape
    rows, row = 2 * dilation, streams * inner
    now = p + time % rows * row + first * inner
    middle = p + (time + dilation) % rows * row + first * inner
    taps = np.empty((n, 3 * inner), float32)
    for s in range(n):
        for i in range(inner):
            taps[s, i] = past[now + s * inner + i]
            taps[s, inner + i] = past[middle + s * inner + i]
        gelu(x[s], past[now + s * inner : now + (s + 1) * inner])
        for i in range(inner):
            taps[s, 2 * inner + i] = past[now + s * inner + i]
    return affine(taps, weights, w, y), p + rows * row


@compiled(reorder=True)
def affine(x: np.ndarray, weights: np.ndarray, w: int, y: np.ndarray) -> int:
    """Write M x + b into y for every row of x, and say where M (O,I) and b end.

    Four outputs of two rows at a time, so that eight sums stay in registers; where they do not
    come out even, the last ones are computed more than once.
    """
    (S, inner), outer = x.shape, y.shape[1]
    bias = w + inner * outer
    matrix = weights[w:bias].reshape(outer, inner)
    for o in range(0, outer, 4):
        p, q, r = min(o + 1, outer - 1), min(o + 2, outer - 1), min(o + 3, outer - 1)
        a, b, c, d = matrix[o], matrix[p], matrix[q], matrix[r]
        for s in range(0, S, 2):
            t = min(s + 1, S - 1)
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
    for s in range(S):
        for o in range(outer):
            y[s, o] += weights[bias + o]
    return bias + outer  # type: ignore[no-any-return]


@compiled(reorder=True)
def add(x: np.ndarray, y: np.ndarray) -> None:
    """Add x to y."""
    for s in range(x.shape[0]):
        for i in range(x.shape[1]):
            y[s, i] += x[s, i]


FAR = float32(5.5)
"""Beyond it x Φ(x) is 0 or x within 1e-7."""
UNIT = float32(1 / 5.5**2)
HALF = float32(0.5)
P0, P1, P2 = float32(0.39894239), float32(0.80221745), float32(3.85718062)
P3, P4, P5 = float32(2.58836996), float32(4.85162193), float32(0.71276579)
Q1, Q2 = float32(7.05261677), float32(22.34382975)
Q3, Q4, Q5 = float32(40.30290552), float32(41.33086045), float32(33.29185784)


@compiled(reorder=True)
def gelu(x: np.ndarray, y: np.ndarray) -> None:
    """Write x Φ(x) into y, Φ the normal distribution (Hendrycks & Gimpel 2016, equation 1).

    With u = (x / 5.5)² it is Φ(x) = ½ + x P(u) / Q(u) within 1e-7.
    """
    for i in range(len(x)):
        v = x[i]
        u = v * v * UNIT
        p = P0 + u * (P1 + u * (P2 + u * (P3 + u * (P4 + u * P5))))
        q = float32(1) + u * (Q1 + u * (Q2 + u * (Q3 + u * (Q4 + u * Q5))))
        near = v * (HALF + v * p / q)
        far = v if v > 0 else float32(0)
        y[i] = near if abs(v) < FAR else far
