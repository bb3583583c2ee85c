"""Levels and ranges of series: what each is counted from, and between which values it moves."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float32, Float64

from selftime.data.arrays import lower_medians
from selftime.data.memory import release, row_blocks
from selftime.data.series import SeriesSet

_MOST = float(np.finfo(np.float32).max)
_FAR = 2.0**14
"""Levels that lie further apart than so many times what a series moves are counted each from its
own."""


class EveryNth:
    """Each so many-th of values that come in parts, as if they had come at once."""

    def __init__(self, every: int) -> None:
        self.every, self.count, self.parts = every, 0, list[np.ndarray]()

    def add(self, values: np.ndarray) -> None:
        """Take what follows."""
        self.parts.append(values[-self.count % self.every :: self.every].astype(np.float64))
        self.count += len(values)

    @property
    def values(self) -> Float64[np.ndarray, "n"]:
        """Those of all parts."""
        return np.concatenate(self.parts)


def common_origin(series: SeriesSet) -> Float64[np.ndarray, "C"] | None:
    """Return the level that each channel is counted from in all series; None where it is 0.

    NaN where levels of series lie so far apart that 32 bits would lose how each of them moves.
    """
    if series.origin is None:
        return None
    levels, middle = levels_of(series), np.zeros(series.n_channels)
    for c in np.flatnonzero(series.origin.any(axis=0)):
        middle[c] = np.median(levels[:, c])
        change = np.abs(np.diff(series.steps[:, c]))
        move = np.median(change[change > 0]) if change.any() else np.inf
        if np.abs(levels[:, c] - middle[c]).max() > _FAR * move:
            middle[c] = np.nan
    return middle


def levels_of(series: SeriesSet) -> Float64[np.ndarray, "N C"]:
    """Return the lower median of each series and channel in 64 bits; 0 where nothing was seen."""
    steps = series.steps.astype(np.float64)
    if series.observed is not None:
        steps[~series.observed] = np.nan
    medians = np.stack([lower_medians(column, series.offsets) for column in steps.T], axis=1)
    return medians if series.origin is None else medians + series.origin


def from_own_means(series: SeriesSet) -> SeriesSet:
    """Return the same series, every channel of each counted from the mean of what was observed."""
    steps = np.empty_like(series.steps)
    for i in range(len(series)):
        rows = slice(series.offsets[i], series.offsets[i + 1])
        values = series.steps[rows].astype(np.float64)
        seen = np.full(values.shape, True) if series.observed is None else series.observed[rows]
        mean = values.sum(axis=0, where=seen) / seen.sum(axis=0).clip(min=1)
        steps[rows] = np.where(seen, (values - mean).clip(-_MOST, _MOST), 0.0)
    return replace(series, steps=steps, origin=None)


def measure_from(series: SeriesSet, origin: Float64[np.ndarray, "C"] | None) -> SeriesSet:
    """Return the same series with steps counted from an origin (NaN: from each one's own level)."""
    if series.origin is None and origin is None:
        return series
    now = np.zeros((len(series), series.n_channels)) if series.origin is None else series.origin
    wanted = np.zeros_like(now) if origin is None else np.broadcast_to(origin, now.shape).copy()
    own = np.isnan(wanted)
    if own.any():
        wanted[own] = levels_of(series)[own]
    shift = np.repeat(now - wanted, series.lengths, axis=0)
    if not shift.any():
        return series
    steps = np.clip(series.steps + shift, -_MOST, _MOST).astype(np.float32)
    if series.observed is not None:
        steps[~series.observed] = 0.0
    return replace(series, steps=steps, origin=wanted)


_BOUND_ROWS = 200_000
"""About how many steps quantiles are taken from."""
_REACH = 5.0
"""Bounds lie so many times the distance of the quantiles beyond them."""
_LEAST_TRIMMED = 20
"""Of so many values at least one at either end is not among those that bounds are taken from."""


def bounds_of(series: SeriesSet) -> tuple[Float32[np.ndarray, "C"], Float32[np.ndarray, "C"]]:
    """Return the lowest and highest value of each channel that is not wild.

    Where 98 % of the values are the same, no value is wild by itself: bounds lie as far beyond the
    extremes.
    """
    every = max(len(series.steps) // _BOUND_ROWS, 1)
    low, high = np.zeros((2, series.n_channels))
    for c, some in enumerate(_samples_of(series, every)):
        if not len(some):
            continue
        inner = len(some) >= _LEAST_TRIMMED
        a = float(np.quantile(some, 0.01, method="higher" if inner else "linear"))
        b = float(np.quantile(some, 0.99, method="lower" if inner else "linear"))
        if a == b:
            a, b = (float(end[c]) for end in extremes_of(series))
        low[c], high[c] = a - _REACH * (b - a), b + _REACH * (b - a)
    found = np.clip([low, high], -_MOST, _MOST).astype(np.float32)
    return found[0], found[1]


def extremes_of(series: SeriesSet) -> tuple[Float32[np.ndarray, "C"], Float32[np.ndarray, "C"]]:
    """Return the lowest and highest observed step of each channel; infinite where there is none."""
    low, high = np.full((2, series.n_channels), [[np.inf], [-np.inf]], np.float32)
    for rows in row_blocks(series.steps, series.observed):
        steps = np.ascontiguousarray(series.steps[rows].T)  # eight times as fast along rows
        seen = True if series.observed is None else series.observed[rows].T
        low = np.minimum(low, steps.min(axis=1, where=seen, initial=np.inf))
        high = np.maximum(high, steps.max(axis=1, where=seen, initial=-np.inf))
    return low, high


def largest_in(series: SeriesSet) -> float:
    """Return the size of the largest observed step; 0 where there is none."""
    ends = np.abs(extremes_of(series))
    return float(ends.max(where=np.isfinite(ends), initial=0.0))


def bounded_sums(
    series: SeriesSet, rows: slice, shift: np.ndarray, bounds: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return count, sum and sum of squares (3,C) of observed values of some rows, less ``shift``.

    Values beyond the bounds count as if at them.
    """
    columns = np.ascontiguousarray(series.steps[rows].T)  # seven times as fast along rows
    seen = None if series.observed is None else series.observed[rows].T
    found = np.empty((3, series.n_channels))
    for c, (column, low, high) in enumerate(zip(columns, *bounds, strict=True)):
        some = column if seen is None else column[seen[c]]
        values = np.clip(some, low, high) - shift[c]  # float64, as shift is
        found[:, c] = len(values), values.sum(), (values * values).sum()
    release(series.steps, series.observed)
    return found


def share_missing(series: SeriesSet) -> float:
    """Return the share of values that are missing."""
    if series.observed is None:
        return 0.0
    seen = sum(int(series.observed[rows].sum()) for rows in row_blocks(series.observed))
    return 1 - seen / series.observed.size


def _samples_of(series: SeriesSet, every: int) -> list[Float64[np.ndarray, "n"]]:
    """Return each so many-th observed value of every channel."""
    found = [EveryNth(every) for _ in range(series.n_channels)]
    for rows in row_blocks(series.steps, series.observed):
        for c, some in enumerate(found):
            values = series.steps[rows, c]
            some.add(values if series.observed is None else values[series.observed[rows, c]])
    return [some.values for some in found]
