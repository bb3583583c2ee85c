"""How far a window lies from the nearest other one, in any space."""

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from selftime.tasks.anomaly.record import Record

BLOCK = 256
"""Windows that are compared with all others at a time."""


def nearest(
    vectors: Float[np.ndarray, "W D"], starts: Int[np.ndarray, "W"], width: int, record: Record
) -> Float[np.ndarray, "W"]:
    """Distance of each window to the nearest one that does not overlap it; 0 if there is none.

    With ``record.past_only`` only windows of the normal part and earlier ones are asked.

    Args:
        vectors: one for each window.
        starts: where the windows begin.
        width: their length.
        record: what they are windows of.
    """
    points = vectors.astype(np.float64)  # squares cancel, and may not depend on what else is there
    lengths = np.square(points).sum(axis=1)  # (W,)
    found = np.empty(len(points))
    for first in range(0, len(points), BLOCK):
        rows = slice(first, first + BLOCK)
        squares = lengths[rows, None] + lengths - 2 * points[rows] @ points.T  # (K,W)
        squares[~allowed(starts[rows], starts, width, record)] = np.inf
        found[rows] = squares.min(axis=1)
    return np.asarray(np.sqrt(np.maximum(np.where(np.isfinite(found), found, 0.0), 0.0)))


def allowed(
    asking: Int[np.ndarray, "K"], asked: Int[np.ndarray, "W"], width: int, record: Record
) -> Bool[np.ndarray, "K W"]:
    """Which windows may be compared with which."""
    ahead = asked - asking[:, None]  # (K,W)
    apart = np.abs(ahead) >= width
    if not record.past_only:
        return np.asarray(apart)
    return np.asarray(apart & ((ahead < 0) | (asked + width <= record.train)))


def principal(
    vectors: Float[np.ndarray, "W D"],
    usual: Bool[np.ndarray, "W"],
    *,
    most: int,
    whiten: bool = False,
) -> Float32[np.ndarray, "W K"]:
    """The leading principal coordinates of vectors, as the usual ones have them.

    Args:
        vectors: one a row.
        usual: rows from which mean and directions are measured.
        most: K, how many coordinates at most.
        whiten: whether each coordinate is divided by its spread.
    """
    centre = vectors[usual].mean(axis=0)
    centred = vectors - centre
    spread = centred[usual].T @ centred[usual] / usual.sum()  # (D,D)
    variances, directions = np.linalg.eigh(spread)
    variances, directions = variances[::-1][:most], directions[:, ::-1][:, :most]
    seen = variances > 1e-7 * max(variances[0], 1e-12)
    if not seen.any():
        seen[0] = True
    scale = np.sqrt(np.maximum(variances[seen], 1e-12)) if whiten else 1.0
    return np.asarray(centred @ directions[:, seen] / scale, np.float32)
