"""Distances of windows to the nearest other one: by values, statistics, or shape."""

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from selftime.data.principal import principal_axes
from selftime.tasks.anomaly.record import FLAT_SHARE, ChannelRecord, moving_mean
from selftime.tasks.anomaly.scores import matrix_profile_numba

_WINDOWS_AT_ONCE = 256
"""Windows that are compared with all others at a time."""
_WINDOW_COMPONENTS = 32
"""Principal coordinates that stand for the values of a window."""


def window_knn(record: ChannelRecord) -> Float[np.ndarray, "T"]:
    """Score by the nearest other window in Euclidean distance, mean and scale kept."""
    starts, windows = record.cut(record.width)
    vectors = principal(windows, record.usual(starts, record.width), most=_WINDOW_COMPONENTS)
    return nearest_score(record, vectors, starts)


def statistics(record: ChannelRecord) -> Float[np.ndarray, "T"]:
    """Score by the nearest other window in seven statistics, each divided by its std over windows.

    Amplitude, std and roughness of a window stay as they are, which distances between normalised
    shapes cannot see.
    """
    starts, windows = record.cut(record.width)
    found = statistics_of(windows)
    usual = found[record.usual(starts, record.width)]
    std = np.maximum(usual.std(axis=0), 1e-3 * np.abs(usual).max() + 1e-9)
    return nearest_score(record, (found - usual.mean(axis=0)) / std, starts)


def statistics_of(windows: Float[np.ndarray, "W L"]) -> Float[np.ndarray, "W 7"]:
    """Return mean, std, least, greatest, roughness, change of halves, and last less first."""
    half = windows.shape[1] // 2
    steps = np.abs(np.diff(windows, axis=1, append=windows[:, -1:]))
    return np.stack(
        [
            windows.mean(axis=1),
            windows.std(axis=1),
            windows.min(axis=1),
            windows.max(axis=1),
            steps.mean(axis=1),
            windows[:, half:].mean(axis=1) - windows[:, : max(half, 1)].mean(axis=1),
            windows[:, -1] - windows[:, 0],
        ],
        axis=1,
    )


def energy(record: ChannelRecord) -> Float[np.ndarray, "T"]:
    """Score by the root mean squared distance of each window from the mean of the usual ones."""
    starts, windows = record.cut(record.width)
    centre = windows[record.usual(starts, record.width)].mean(axis=0)
    distances = np.sqrt(np.square(windows - centre).mean(axis=1))
    return record.over_steps(distances, starts, record.width)


def matrix_profile(record: ChannelRecord) -> Float[np.ndarray, "T"]:
    """Score by the matrix profile: nearest other window by shape, the flattest divided by a floor.

    Yeh et al. 2016, "Matrix Profile I: All Pairs Similarity Joins for Time Series", ICDM.
    """
    width = record.width
    starts = np.arange(record.steps - width + 1)
    return record.over_steps(window_profile(record, width), starts, width)


def window_profile(record: ChannelRecord, width: int) -> Float[np.ndarray, "W"]:
    """Return the distance of every window to the nearest that does not overlap it; 0 if none.

    A window x is taken as (x − x̄) / max(s, floor) with s its std and the floor a tenth of the
    std of the whole, so that the noise of flat windows is not blown up to a shape.
    """
    x = record.values
    means = moving_mean(x, width)
    stds = np.sqrt(np.maximum(moving_mean(np.square(x), width) - np.square(means), 0))
    scale = 1 / np.maximum(stds, max(FLAT_SHARE * float(record.known.std()), 1e-6))
    lengths = np.where(record.whole(width), width * np.square(stds * scale), np.inf)
    nearest = np.full(len(means), np.inf)
    ahead = record.train - width if record.past_only else record.steps
    matrix_profile_numba.nearest_by_shape(x, width, means, scale, lengths, ahead, nearest)
    return np.asarray(np.sqrt(np.maximum(np.where(np.isfinite(nearest), nearest, 0), 0)))


def nearest_score(
    record: ChannelRecord, vectors: Float[np.ndarray, "W D"], starts: Int[np.ndarray, "W"]
) -> Float[np.ndarray, "T"]:
    """Score by the distance of each window to the nearest other one, a vector per window."""
    distances = nearest_distances(vectors, starts, record.width, record)
    return record.over_steps(distances, starts, record.width)


def nearest_distances(
    vectors: Float[np.ndarray, "W D"],
    starts: Int[np.ndarray, "W"],
    width: int,
    record: ChannelRecord,
) -> Float[np.ndarray, "W"]:
    """Return the distance of each window to the nearest that does not overlap it; 0 if none.

    With ``record.past_only`` windows are compared with those of the normal part and earlier ones.
    """
    return nearest_windows(vectors, starts, width, record)[0]


def nearest_windows(
    vectors: Float[np.ndarray, "W D"],
    starts: Int[np.ndarray, "W"],
    width: int,
    record: ChannelRecord,
    *,
    normal: bool = False,
) -> tuple[Float[np.ndarray, "W"], Int[np.ndarray, "W"]]:
    """Return :func:`nearest_distances` and which windows are so near; −1 for none.

    With ``normal`` windows are compared with those of the normal part alone.
    """
    points = vectors.astype(np.float64)  # squares cancel, and may not depend on what else is there
    lengths = np.square(points).sum(axis=1)  # (W,)
    found, places = np.empty(len(points)), np.empty(len(points), np.int64)
    for first in range(0, len(points), _WINDOWS_AT_ONCE):
        rows = slice(first, first + _WINDOWS_AT_ONCE)
        squares = lengths[rows, None] + lengths - 2 * points[rows] @ points.T  # (K,W)
        squares[~_allowed_pairs(starts[rows], starts, width, record)] = np.inf
        if normal:
            squares[:, starts + width > record.train] = np.inf
        places[rows] = squares.argmin(axis=1)
        found[rows] = squares.min(axis=1)
    places[~np.isfinite(found)] = -1
    distances = np.sqrt(np.maximum(np.where(np.isfinite(found), found, 0.0), 0.0))
    return np.asarray(distances), places


def _allowed_pairs(
    rows: Int[np.ndarray, "K"], columns: Int[np.ndarray, "W"], width: int, record: ChannelRecord
) -> Bool[np.ndarray, "K W"]:
    """Return True for pairs of windows that may be compared."""
    ahead = columns - rows[:, None]  # (K,W)
    apart = np.abs(ahead) >= width
    if not record.past_only:
        return np.asarray(apart)
    return np.asarray(apart & ((ahead < 0) | (columns + width <= record.train)))


def principal(
    vectors: Float[np.ndarray, "W D"],
    usual: Bool[np.ndarray, "W"],
    *,
    most: int,
    whiten: bool = False,
) -> Float32[np.ndarray, "W K"]:
    """Return at most ``most`` leading principal coordinates of vectors.

    Mean and directions come from the usual rows; ``whiten`` divides each coordinate by its std.
    """
    centre = vectors[usual].mean(axis=0)
    centred = vectors - centre
    covariance = centred[usual].T @ centred[usual] / usual.sum()  # (D,D)
    variances, directions = (part[..., :most] for part in principal_axes(covariance))
    seen = variances > 1e-7 * max(variances[0], 1e-12)
    if not seen.any():
        seen[0] = True
    scale = np.sqrt(np.maximum(variances[seen], 1e-12)) if whiten else 1.0
    return np.asarray(centred @ directions[:, seen] / scale, np.float32)
