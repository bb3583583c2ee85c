"""Distance to the nearest window in the space of fixed convolutions, nothing learned.

The kernels of MiniRocket (Dempster, Schmidt & Webb 2021, KDD, section 3.1), summed up over each
window as in MultiRocket (Tan et al. 2022, DMKD, section 3.2): the share of steps at which a kernel
exceeds a threshold, and how far it lies above 0 on the mean.
"""

import itertools

import numpy as np
from jaxtyping import Float, Float32, Int

from selftime.tasks.anomaly.record import ChannelRecord
from selftime.tasks.anomaly.scores.distances import nearest_score, principal
from selftime.tasks.anomaly.scores.windows_numba import sum_responses

CONVOLUTION_COMPONENTS = 16
"""Whitened principal coordinates that are compared. Whitening weighs the fast, small directions
like the slow, large ones: an encoder that learns to be invariant loses what marks anomalies.
"""
QUANTILES = (0.25, 0.5, 0.75)
"""Thresholds of the kernels, in turn, as quantiles of their responses."""
EACH = 4
"""Normal windows for each direction that is kept, at least: with fewer its std is chance."""
TRIPLES = tuple(itertools.combinations(range(9), 3))
"""Positions of the weight 2 in each of the 84 kernels of length 9; the other six weigh −1."""


def convolutions(record: ChannelRecord) -> Float[np.ndarray, "T"]:
    """Score by the nearest other window in statistics of convolutions, whitened."""
    starts = record.starts(record.width)
    usual = record.usual(starts, record.width)
    found = window_statistics(record, starts)
    vectors = principal(found, usual, most=CONVOLUTION_COMPONENTS, whiten=True)
    return nearest_score(record, vectors, starts)


def one_class(record: ChannelRecord) -> Float[np.ndarray, "T"]:
    """Score by the Mahalanobis distance from the mean of the normal windows.

    The sphere around what is normal of Deep SVDD (Ruff et al. 2018, ICML, equations 3 and 4), with
    fixed features in the place of a network, each leading direction in units of its own std.
    """
    starts = record.starts(record.width)
    normal = starts + record.width <= record.train
    normal[0] = True  # there must be one
    features = window_statistics(record, starts)
    most = max(min(CONVOLUTION_COMPONENTS, int(normal.sum()) // EACH), 1)
    distances = np.linalg.norm(principal(features, normal, most=most, whiten=True), axis=1)
    return record.over_steps(distances.astype(np.float64), starts, record.width)


def window_statistics(
    record: ChannelRecord, starts: Int[np.ndarray, "W"]
) -> Float32[np.ndarray, "W F"]:
    """Return pooled responses of each window, in units of their std over the usual ones."""
    features, usual = pooled_responses(record, starts), record.usual(starts, record.width)
    std = features[usual].std(axis=0)
    least = 1e-6 * np.abs(features[usual]).max() + 1e-9
    return np.asarray(features / np.maximum(std, least))


def pooled_responses(
    record: ChannelRecord, starts: Int[np.ndarray, "W"]
) -> Float32[np.ndarray, "W F"]:
    """Return the share of steps above a threshold and the mean above 0 of each kernel and window.

    A kernel counts only where it lies within the window, so that a window is described by its own
    steps alone.
    """
    out = []
    for dilation in dilations_of(record.width):
        inner = max(record.width - 8 * dilation, 1)
        x = pad_to_fit(record.values, 8 * dilation)
        count = len(x) - 8 * dilation
        shifts = [x[j * dilation : j * dilation + count] for j in range(9)]
        minus = -np.sum(shifts, axis=0)  # (R,)
        known = max(record.train - 8 * dilation, 1) if record.past_only else count
        few = slice(0, known, 1 + min(known, count) // 10_000)
        above, over = np.empty(count + 1), np.empty(count + 1)
        for k, (a, b, c) in enumerate(TRIPLES):
            seen = minus[few] + 3 * (shifts[a][few] + shifts[b][few] + shifts[c][few])
            threshold = float(np.quantile(seen, QUANTILES[k % 3]))
            places = (a * dilation, b * dilation, c * dilation)
            sum_responses(x, minus, *places, threshold, above, over)
            out += [means_from(sums, starts, inner) for sums in (above, over)]
    return np.stack(out, axis=1)


def pad_to_fit(x: Float[np.ndarray, "T"], reach: int) -> Float[np.ndarray, "S"]:
    """Return values of more than ``reach`` steps; the last of fewer is repeated."""
    return np.concatenate([x, np.repeat(x[-1:], max(reach + 1 - len(x), 0))])


def means_from(
    sums: Float[np.ndarray, "S"], starts: Int[np.ndarray, "W"], count: int
) -> Float32[np.ndarray, "W"]:
    """Return the mean of ``count`` values from each start, or of those left, from their sums."""
    last = np.minimum(starts + count, len(sums) - 1)
    return np.asarray((sums[last] - sums[np.minimum(starts, last)]) / count, np.float32)


def dilations_of(width: int) -> list[int]:
    """Return 1, 2, 4, … as long as a kernel fills at most half a window; 1 at least."""
    return [d for d in (1, 2, 4, 8, 16, 32) if d == 1 or 2 * 8 * d < width]
