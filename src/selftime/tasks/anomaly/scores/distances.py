"""Distances of windows to the nearest other one: by values, statistics, or shape.

Work is linear in the length of a recording. Up to ``PAIRED`` steps each window is compared with
all others. In a longer one it is compared with a bounded number of them; then those that are still
the farthest are compared with all others, the farthest first, as discords are sought (Yankov,
Keogh & Rebbapragada 2008, KAIS, "Disk aware discord discovery", its two phases). So no distance is
too small, those of refined windows are exact, and the others are exact or too large. With
``past_only`` nothing is refined, as which windows are far is not known before the end; each is
compared with half as many more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from selftime.data.principal import principal_axes
from selftime.tasks.anomaly.record import FLAT_SHARE, ChannelRecord, moving_mean
from selftime.tasks.anomaly.scores.windows_numba import nearest_by_shape

_WINDOWS_AT_ONCE = 256
"""Windows that are compared with all others at a time."""
_PAIRS_AT_ONCE = 2**20
"""Of pairs no more are compared at a time."""
_ROUNDS = 4
"""Rounds in which the farthest windows are compared with all others."""
_ROWS_AT_ONCE = 8192
"""Vectors that principal coordinates are computed of at a time."""
_LAG_BLOCK = 512
"""Lags that are followed at a time: more than any period, so that some of them fit."""
_LAGS, _REFINED = 1 / 8, 1 / 16
"""Of a long recording so many of the nearest lags, as many of the others, and so many of the
farthest windows are compared by shape, in units of the steps of which all pairs would be. With
``past_only`` more lags take the place of the latter."""
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
    std of the whole, so that the noise of flat windows is not blown up to a shape. Of long
    recordings some diagonals of the matrix of all pairs are followed (Zhu et al. 2018, ICDM,
    "Matrix Profile XI: SCRIMP++", its SCRIMP): the nearest lags and blocks of farther ones.
    """
    x = record.values
    means = moving_mean(x, width)
    stds = np.sqrt(np.maximum(moving_mean(np.square(x), width) - np.square(means), 0))
    scale = 1 / np.maximum(stds, max(FLAT_SHARE * float(record.known.std()), 1e-6))
    lengths = np.where(record.whole(width), width * np.square(stds * scale), np.inf)
    nearest = np.full(len(means), np.inf)
    ahead = record.train - width if record.past_only else record.steps
    shapes, firsts = Shapes(x, width, means, scale, lengths), lags_of(record, width)
    refined = int(_REFINED * record.paired) if record.long and not record.past_only else 0
    work, done = _LAG_BLOCK * len(firsts) + 2 * refined, 0
    for first in firsts.tolist():
        nearest_by_shape(*shapes, ahead, nearest, first, first + _LAG_BLOCK, len(means))
        record.advance((done := done + _LAG_BLOCK) / work)
    for count in refine_by_shape(shapes, nearest, refined):
        record.advance((done := done + 2 * count) / work)
    return np.asarray(np.sqrt(np.maximum(np.where(np.isfinite(nearest), nearest, 0), 0)))


class Shapes(NamedTuple):
    """All windows of a recording, each less its mean and times a scale.

    ``lengths`` are squared, and inf for windows that are left out.
    """

    x: Float[np.ndarray, "T"]
    width: int
    means: Float[np.ndarray, "W"]
    scale: Float[np.ndarray, "W"]
    lengths: Float[np.ndarray, "W"]

    def since(self, first: int) -> "Shapes":
        """Return the windows from one on."""
        x, width, *about = self
        return Shapes(x[first:], width, *(part[first:] for part in about))

    def reversed(self) -> "Shapes":
        """Return the windows in reversed time."""
        x, width, *about = self
        return Shapes(x[::-1].copy(), width, *(part[::-1].copy() for part in about))


def lags_of(record: ChannelRecord, width: int) -> Int[np.ndarray, "K"]:
    """Return the first of each block of lags by which compared windows are apart.

    Together all lags; of a long recording a bounded number, which depends on no value.
    """
    windows = record.steps - width + 1
    if not record.long:
        return np.arange(width, windows, _LAG_BLOCK)
    share = _LAGS + (_REFINED if record.past_only else 0)
    blocks = int(share * record.paired) // _LAG_BLOCK
    far = width + blocks * _LAG_BLOCK
    near = np.arange(width, far, _LAG_BLOCK)
    return np.append(near, draw_each(far, windows - _LAG_BLOCK, blocks))


def refine_by_shape(shapes: Shapes, nearest: Float[np.ndarray, "W"], most: int) -> Iterator[int]:
    """Compare about ``most`` of the farthest windows with all others, each with those around it.

    Lowers ``nearest``: later windows come first, then earlier ones, in reversed time. Yields how
    many windows are done, a few at a time.
    """
    W, width, left = len(nearest), shapes.width, most
    open_, found = np.isfinite(shapes.lengths), np.full(W, np.inf)
    forward, backward = shapes, shapes.reversed()
    while left > 0 and open_.any():
        peak = int(np.where(open_, nearest, -1.0).argmax())
        start, stop = max(peak - width // 2, 0), min(peak + width // 2 + 1, W)
        for way, out, first in ((forward, nearest, start), (backward, found, W - stop)):
            nearest_by_shape(*way.since(first), W, out[first:], width, W, stop - start)
        np.minimum(nearest, found[::-1], out=nearest)
        open_[start:stop] = False
        left -= stop - start
        yield stop - start


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
    windows = _Windows(points, np.square(points).sum(axis=1), starts, width, record, normal)
    rows, among, others = np.arange(len(points)), *compared_windows(starts, width, record, normal)
    squares, places = windows.nearest(rows, among)
    if len(among) < len(others) and record.refined:
        open_ = squares.copy()
        for _ in range(_ROUNDS):
            far = np.sort(np.argsort(open_)[-record.refined // _ROUNDS :])
            squares[far], places[far] = windows.nearest(far, others)
            open_[far] = -np.inf
    places[~np.isfinite(squares)] = -1
    distances = np.sqrt(np.maximum(np.where(np.isfinite(squares), squares, 0.0), 0.0))
    return np.asarray(distances), places


def compared_windows(
    starts: Int[np.ndarray, "W"], width: int, record: ChannelRecord, normal: bool
) -> tuple[Int[np.ndarray, "K"], Int[np.ndarray, "M"]]:
    """Return which windows all are compared with, and which the farthest are.

    Both are all, save of a long recording. Of such the former are drawn: half of them from the
    normal part, half from the rest; with ``normal`` all from the normal part.
    """
    W, most = len(starts), record.compared
    if not record.long:
        return np.arange(W), np.arange(W)
    inside = int(np.searchsorted(starts, record.train - width, side="right"))
    if normal:
        return draw_each(0, inside, most), np.arange(inside)
    halves = draw_each(0, inside, most // 2), draw_each(inside, W, most // 2)
    return np.concatenate(halves), np.arange(W)


def draw_each(first: int, stop: int, most: int) -> Int[np.ndarray, "K"]:
    """Return a number drawn from each of at most so many equal ranges, so that no period hides."""
    edges = np.linspace(first, stop, min(most, stop - first) + 1).astype(int)
    return np.random.default_rng(0).integers(edges[:-1], edges[1:])


@dataclass(frozen=True, eq=False)
class _Windows:
    """Windows as points with squared lengths, and which pairs of them may be compared."""

    points: Float[np.ndarray, "W D"]
    lengths: Float[np.ndarray, "W"]
    starts: Int[np.ndarray, "W"]
    width: int
    record: ChannelRecord
    normal: bool

    def nearest(
        self, rows: Int[np.ndarray, "R"], among: Int[np.ndarray, "K"]
    ) -> tuple[Float[np.ndarray, "R"], Int[np.ndarray, "R"]]:
        """Return the least squared distance of each row to some windows, and where it is."""
        found, places = np.full(len(rows), np.inf), np.zeros(len(rows), np.int64)
        others, lengths = self.points[among].T, self.lengths[among]
        at_once = min(_WINDOWS_AT_ONCE, max(_PAIRS_AT_ONCE // max(len(among), 1), 1))
        for first in range(0, len(rows) if len(among) else 0, at_once):
            part = rows[first : first + at_once]
            squares = 2 * self.points[part] @ others
            np.subtract(self.lengths[part, None] + lengths, squares, out=squares)
            self._forbid(squares, self.starts[part], self.starts[among])
            best = squares.argmin(axis=1)
            places[first : first + at_once] = among[best]
            found[first : first + at_once] = squares[np.arange(len(part)), best]
        return found, places

    def _forbid(
        self,
        squares: Float[np.ndarray, "R K"],
        rows: Int[np.ndarray, "R"],
        columns: Int[np.ndarray, "K"],
    ) -> None:
        """Write inf where windows that begin at these steps may not be compared."""
        low = int(np.searchsorted(columns, rows[0] - self.width, side="right"))
        high = int(np.searchsorted(columns, rows[-1] + self.width, side="left"))
        inside = int(np.searchsorted(columns, self.record.train - self.width, side="right"))
        ahead = columns[low:high] - rows[:, None]
        banned = np.abs(ahead) < self.width
        if self.record.past_only:
            banned |= (ahead > 0) & (np.arange(low, high) >= inside)
            squares[:, max(high, inside) :] = np.inf
        squares[:, low:high][banned] = np.inf
        if self.normal:
            squares[:, inside:] = np.inf


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
    parts = [slice(i, i + _ROWS_AT_ONCE) for i in range(0, len(vectors), _ROWS_AT_ONCE)]
    near = ((vectors[rows] - centre)[usual[rows]] for rows in parts)
    covariance = sum(part.T @ part.copy() for part in near) / usual.sum()  # (D,D)
    variances, directions = (part[..., :most] for part in principal_axes(covariance))
    seen = variances > 1e-7 * max(variances[0], 1e-12)
    if not seen.any():
        seen[0] = True
    scale = np.sqrt(np.maximum(variances[seen], 1e-12)) if whiten else 1.0
    axes = directions[:, seen]
    found = [np.asarray((vectors[rows] - centre) @ axes / scale, np.float32) for rows in parts]
    return np.concatenate(found)
