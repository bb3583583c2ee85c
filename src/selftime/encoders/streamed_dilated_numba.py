"""One step of causal dilated convolutions for a few streams, as one compiled loop.

A step of one stream is half a million products, which take less time than it takes to start the
sixty tensor operations they are made of. Weights and rings lie one behind the other, in the order
in which they are read, so that a step is one pass over both.
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
        tokens: (S,k,D) float32, written into.
    """
    for j in range(values.shape[2]):
        h = np.zeros((len(values), widths[0]), float32)
        w, p = enter(values[:, :, j], observed[:, :, j], weights, h), 0
        for k in range(len(widths) - 1):
            y = np.zeros((len(h), widths[k + 1]), float32)
            z = np.zeros((len(h), widths[k + 1]), float32)
            w, p = add_convolution(h, time + j, 2**k, weights, w, past, p, y)
            w, p = add_convolution(y, time + j, 2**k, weights, w, past, p, z)
            if k == len(widths) - 2:  # the last block
                w = add_map(h, weights, w, z)
            else:
                z += h
            h = z
        tokens[:, j] = h


@compiled(reorder=True)
def enter(values: np.ndarray, observed: np.ndarray, weights: np.ndarray, h: np.ndarray) -> int:
    """Add values M + b to h where anything was observed, and say where M and b end."""
    (S, C), H = values.shape, h.shape[1]
    matrix, bias = weights[: C * H].reshape(C, H), weights[C * H : (C + 1) * H]
    for s in range(S):
        for c in range(C):
            if observed[s, c]:
                h[s] += values[s, c] * matrix[c]
        if observed[s].any():
            h[s] += bias
    end: int = (C + 1) * H
    return end


@compiled(reorder=True)
def add_map(x: np.ndarray, weights: np.ndarray, w: int, y: np.ndarray) -> int:
    """Add x M + b to y, both read from ``w`` on, and say where they end."""
    inner, outer = x.shape[1], y.shape[1]
    bias = w + inner * outer
    end: int = bias + outer
    add_product(x, weights[w:bias].reshape(inner, outer), y)
    y += weights[bias:end]
    return end


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
    (S, inner), outer, rows = x.shape, y.shape[1], 2 * dilation
    ring = past[p : p + rows * S * inner].reshape(rows, S, inner)
    now, middle = time % rows, (time + dilation) % rows
    size = inner * outer
    add_product(ring[now], weights[w : w + size].reshape(inner, outer), y)
    add_product(ring[middle], weights[w + size : w + 2 * size].reshape(inner, outer), y)
    gelu(x, ring[now])
    return add_map(ring[now], weights, w + 2 * size, y), p + ring.size


@compiled(reorder=True)
def add_product(x: np.ndarray, matrix: np.ndarray, y: np.ndarray) -> None:
    """Add x M to y, four rows of the matrix at a time for all streams."""
    inner, outer = matrix.shape
    whole = inner - inner % 4
    for i in range(0, whole, 4):
        a, b, c, d = matrix[i], matrix[i + 1], matrix[i + 2], matrix[i + 3]
        for s in range(len(x)):
            r, t, u, v, out = x[s, i], x[s, i + 1], x[s, i + 2], x[s, i + 3], y[s]
            for o in range(outer):
                out[o] += r * a[o] + t * b[o] + u * c[o] + v * d[o]
    for i in range(whole, inner):
        for s in range(len(x)):
            for o in range(outer):
                y[s, o] += x[s, i] * matrix[i, o]


@compiled()
def gelu(x: np.ndarray, y: np.ndarray) -> None:
    """Write x Φ(x) into y, Φ the normal distribution (Hendrycks & Gimpel 2016, equation 1)."""
    for s in range(x.shape[0]):
        for i in range(x.shape[1]):
            y[s, i] = HALF * x[s, i] * (ONE + math.erf(ROOT * x[s, i]))
