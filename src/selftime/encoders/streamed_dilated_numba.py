"""Steps of causal dilated convolutions for a few streams, as one compiled loop.

A step of one stream is half a million products, which take less time than it takes to start the
hundred tensor operations they are made of. Weights and rings lie one behind the other, in the
order in which they are read, so that a step is one pass over both.
"""

import math

import numpy as np
from numpy import float32

from selftime.encoders.compiling_numba import compiled

HALF, ONE, ROOT = float32(0.5), float32(1), float32(0.5**0.5)


@compiled(reorder=True)
def advance(
    values: np.ndarray,
    observed: np.ndarray,
    time: int,
    widths: np.ndarray,
    weights: np.ndarray,
    past: np.ndarray,
    tokens: np.ndarray,
) -> None:
    """Tokens of the next steps of all streams, whose rings go along.

    Args:
        values: (S,C,k) float32.
        observed: (S,C,k).
        time: steps that came before.
        widths: features after the entry and after each block.
        weights: matrix and bias of the entry, then of each block's first and second convolution
            and of the map beside the last block; matrices (K·I,O), tap after tap.
        past: the rings (2d,S,I) of each block's first and second convolution.
        tokens: (k,S,D) float32 zeros, written into.
    """
    S, _, steps = values.shape
    for j in range(steps):
        h, dilation, p = np.zeros((S, widths[0]), float32), 1, 0
        w = enter(values[:, :, j], observed[:, :, j], weights, h)
        for k in range(1, len(widths)):
            y, z = np.zeros((S, widths[k]), float32), np.zeros((S, widths[k]), float32)
            w, p = add_convolution(h, time + j, dilation, weights, w, past, p, y)
            w, p = add_convolution(y, time + j, dilation, weights, w, past, p, z)
            if k < len(widths) - 1:
                add(h, z)
            else:
                w = add_map(h, weights, w, z)
            h, dilation = z, 2 * dilation
        add(h, tokens[j])


@compiled(reorder=True)
def enter(values: np.ndarray, observed: np.ndarray, weights: np.ndarray, h: np.ndarray) -> int:
    """Write values M + b into h where anything was observed, and say where M and b end."""
    (S, C), H = values.shape, h.shape[1]
    for s in range(S):
        seen = False
        for c in range(C):
            if observed[s, c]:
                seen = True
                for o in range(H):
                    h[s, o] += values[s, c] * weights[c * H + o]
        for o in range(H if seen else 0):
            h[s, o] += weights[C * H + o]
    return (C + 1) * H  # type: ignore[no-any-return]


@compiled(reorder=True)
def add_convolution(
    x: np.ndarray,
    time: int,
    dilation: int,
    weights: np.ndarray,
    w: int,
    past: np.ndarray,
    p: int,
    y: np.ndarray,
) -> tuple[int, int]:
    """Add three taps of gelu(x) to y, remember it in the ring from ``p`` on, say where both end."""
    (S, inner), rows = x.shape, 2 * dilation
    ring = past[p : p + rows * x.size].reshape(rows, S, inner)
    now = ring[time % rows]
    w = add_product(now, weights, w, y)
    w = add_product(ring[(time + dilation) % rows], weights, w, y)
    gelu(x, now)
    return add_map(now, weights, w, y), p + ring.size


@compiled(reorder=True)
def add_map(x: np.ndarray, weights: np.ndarray, w: int, y: np.ndarray) -> int:
    """Add x M + b to y, both read from ``w`` on, and say where they end."""
    w = add_product(x, weights, w, y)
    for s in range(y.shape[0]):
        for o in range(y.shape[1]):
            y[s, o] += weights[w + o]
    return w + y.shape[1]  # type: ignore[no-any-return]


@compiled(reorder=True)
def add_product(x: np.ndarray, weights: np.ndarray, w: int, y: np.ndarray) -> int:
    """Add x M to y, four rows of M at a time for all streams, and say where M ends."""
    inner, outer = x.shape[1], y.shape[1]
    whole = inner - inner % 4
    for i in range(0, whole, 4):
        a, b = weights[w : w + outer], weights[w + outer : w + 2 * outer]
        c, d = weights[w + 2 * outer : w + 3 * outer], weights[w + 3 * outer : w + 4 * outer]
        for s in range(len(x)):
            r, t, u, v, out = x[s, i], x[s, i + 1], x[s, i + 2], x[s, i + 3], y[s]
            for o in range(outer):
                out[o] += r * a[o] + t * b[o] + u * c[o] + v * d[o]
        w += 4 * outer
    for i in range(whole, inner):
        for s in range(len(x)):
            for o in range(outer):
                y[s, o] += x[s, i] * weights[w + o]
        w += outer
    return w


@compiled(reorder=True)
def add(x: np.ndarray, y: np.ndarray) -> None:
    """Add x to y."""
    for s in range(x.shape[0]):
        for i in range(x.shape[1]):
            y[s, i] += x[s, i]


@compiled()
def gelu(x: np.ndarray, y: np.ndarray) -> None:
    """Write x Φ(x) into y, Φ the normal distribution (Hendrycks & Gimpel 2016, equation 1)."""
    for s in range(x.shape[0]):
        for i in range(x.shape[1]):
            y[s, i] = HALF * x[s, i] * (ONE + math.erf(ROOT * x[s, i]))
