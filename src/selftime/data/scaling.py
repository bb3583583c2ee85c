"""Scaling of series, per series or by statistics of the training part; and back."""

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor

from selftime.data.batch import Batch
from selftime.data.series import SeriesError, SeriesSet
from selftime.settings import settings_of

_FLAT = 1e-6
"""A standard deviation below this share of the mean is the rounding of 32-bit numbers: the
channel counts as constant, is divided by 1, and comes out as 0."""
_SMALLEST = 1e-35
"""Standard deviations below this count as 0 too: they are no normal 32-bit numbers."""
BLOCK_ROWS = 1 << 18
"""Rows that are summed at a time, so that series may be larger than memory."""


class Scale(NamedTuple):
    """Mean and standard deviation by which values are scaled.

    Both are (B,C,1), or (1,C,1) for all series, in the units of the data, and ``sd`` is above 0.
    Forecasts (B,C,H) of scaled series come back by ``forecast * scale.sd + scale.mean``.
    """

    mean: Float[Tensor, "B C 1"]
    sd: Float[Tensor, "B C 1"]

    def apply(self, batch: Batch) -> Batch:
        """Return series in units of ``sd`` around ``mean``; 0 where not observed."""
        scaled = (batch.values - self.mean) / self.sd
        return Batch(scaled.masked_fill(~batch.observed, 0.0), batch.observed)

    def invert(self, batch: Batch) -> Batch:
        """Return scaled series in their own units; 0 where not observed."""
        values = batch.values * self.sd + self.mean
        return Batch(values.masked_fill(~batch.observed, 0.0), batch.observed)


class Scaling(ABC):
    """A rule that gives the scale of a batch.

    With ``scale = scaling.scale_of(batch)``, ``scale.invert(scale.apply(batch))`` is the batch
    again, within the rounding of 32-bit numbers.
    """

    def measure(self, series: SeriesSet) -> SeriesSet:
        """Return series whose steps are counted from the level that this scaling counts from."""
        return measure_from(series, None)

    @abstractmethod
    def scale_of(self, batch: Batch) -> Scale:
        """Return the scale of each series and channel of a batch."""

    def apply(self, batch: Batch) -> Batch:
        """Return the scaled series alone, without their scale."""
        return self.scale_of(batch).apply(batch)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, exact to the bit; :func:`from_dict` reads them."""
        kind = next(name for name, final in SCALINGS.items() if isinstance(self, final))
        return {"kind": kind} | {name: list(value) for name, value in settings_of(self).items()}


@dataclass(frozen=True)
class Unscaled(Scaling):
    """Values as they are."""

    def scale_of(self, batch: Batch) -> Scale:
        """Return mean 0 and standard deviation 1 (1,C,1)."""
        sd = batch.values.new_ones(1, batch.values.shape[1], 1)
        return Scale(torch.zeros_like(sd), sd)


@dataclass(frozen=True)
class PerSeries(Scaling):
    """Each series and channel by its own mean and standard deviation."""

    def scale_of(self, batch: Batch) -> Scale:
        """Return both over the observed steps (B,C,1); 0 and 1 where there are none.

        Values are measured in units of the largest, so that squares neither overflow nor vanish.
        """
        values = batch.values.masked_fill(~batch.observed, 0.0)
        peak = values.abs().amax(dim=2, keepdim=True)
        unit = peak.masked_fill(peak == 0, 1.0)
        mean = _mean(values / unit, batch.observed)
        sd = _mean((values / unit - mean).square(), batch.observed).sqrt() * unit
        flat = sd <= (_FLAT * mean.abs() * unit).clamp(min=_SMALLEST)
        return Scale(mean * unit, sd.masked_fill(flat, 1.0))


@dataclass(frozen=True)
class PerChannel(Scaling):
    """All series by the same numbers, fitted on the training part by :func:`fit_channels`.

    Each holds a number per channel, in the units of the data: mean and sd of values above the
    origin, and the lowest and highest value above it that is learned from as it is; wilder ones
    count as these. An origin is there only for channels whose level 32 bits do not hold; it is NaN
    where levels of series differ so much that each is counted from its own.
    """

    mean: tuple[float, ...]
    sd: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    origin: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        sound = all(map(math.isfinite, self.mean)) and all(0 < sd < math.inf for sd in self.sd)
        if not sound or len(self.mean) != len(self.sd):
            raise SeriesError(
                f"got means {self.mean} and standard deviations {self.sd}, wanted finite numbers, "
                "one of each a channel and no sd of 0: use fit_channels"
            )

    def measure(self, series: SeriesSet) -> SeriesSet:
        """Return series whose steps are counted from the origin."""
        return measure_from(series, np.array(self.origin) if self.origin else None)

    def apply(self, batch: Batch) -> Batch:
        """Return the scaled series, wild values no wilder than the bounds."""
        scale = self.scale_of(batch)
        if not self.low:
            return scale.apply(batch)
        low, high = batch.values.new_tensor([self.low, self.high])[:, None, :, None]
        return scale.apply(Batch(batch.values.clamp(low, high), batch.observed))

    def count_wild(self, series: SeriesSet) -> int:
        """Return how many values lie beyond the bounds, and are learned from as if at them."""
        steps = self.measure(series).steps
        return int(((steps < self.low) | (steps > self.high)).sum()) if self.low else 0

    def scale_of(self, batch: Batch) -> Scale:
        """Return the fitted numbers (1,C,1)."""
        if batch.values.shape[1] != len(self.mean):
            raise SeriesError(
                f"got {batch.values.shape[1]} channels, the scaling was fitted on "
                f"{len(self.mean)}: give the same channels in the same order"
            )
        mean, sd = batch.values.new_tensor([self.mean, self.sd])[:, None, :, None]
        return Scale(mean, sd)


SCALINGS: dict[str, type[Scaling]] = {
    "none": Unscaled,
    "per_series": PerSeries,
    "channels": PerChannel,
}
"""The kinds that a stored model may name."""


def none() -> Scaling:
    """Leave values as they are."""
    return Unscaled()


def per_series() -> Scaling:
    """Scale each series and channel to mean 0 and deviation 1 over its observed steps."""
    return PerSeries()


def fit_channels(series: SeriesSet) -> Scaling:
    """Fit mean and standard deviation of each channel on the training part's observed steps.

    Wild values, further beyond the quantiles of 1 % and 99 % than five times what lies between
    these, count as if they lay there.
    """
    origin = common_origin(series)
    series = measure_from(series, origin)
    bounds = bounds_of(series)
    first = _sums(series, slice(0, BLOCK_ROWS), np.zeros(series.n_channels), bounds)
    shift = first[1] / first[0].clip(min=1)  # near the mean, so that squares keep their digits
    spans = (slice(i, i + BLOCK_ROWS) for i in range(0, len(series.steps), BLOCK_ROWS))
    count, total, square = np.sum([_sums(series, span, shift, bounds) for span in spans], axis=0)
    gap = total / count.clip(min=1)
    mean = shift + gap
    sd = np.sqrt((square / count.clip(min=1) - gap**2).clip(min=0))
    sd[sd <= np.maximum(_FLAT * np.abs(mean), _SMALLEST)] = 1.0
    low, high = (tuple(bound.tolist()) for bound in bounds)
    level = () if origin is None else tuple(origin.tolist())
    return PerChannel(tuple(mean.tolist()), tuple(sd.tolist()), low, high, level)


_BOUND_ROWS = 200_000
"""About how many steps quantiles are taken from."""
_REACH = 5.0
"""Bounds lie so many times the distance of the quantiles beyond them."""


def bounds_of(series: SeriesSet) -> tuple[Float32[np.ndarray, "C"], Float32[np.ndarray, "C"]]:
    """Return the lowest and highest value of each channel that is not wild.

    Where 98 % of the values are the same, no value is wild by itself: bounds lie as far beyond the
    extremes.
    """
    rows = slice(None, None, max(len(series.steps) // _BOUND_ROWS, 1))
    low, high = np.zeros((2, series.n_channels))
    for c in range(series.n_channels):
        seen = slice(None) if series.observed is None else series.observed[:, c]
        values = series.steps[:, c][seen].astype(np.float64)
        if not len(values):
            continue
        a, b = np.quantile(values[rows], (0.01, 0.99))
        if a == b:
            a, b = values.min(), values.max()
        low[c], high[c] = a - _REACH * (b - a), b + _REACH * (b - a)
    limit = np.finfo(np.float32).max
    return np.clip(low, -limit, limit).astype(np.float32), np.clip(high, -limit, limit).astype(
        np.float32
    )


_FAR = 2.0**14
"""Levels that lie further apart than so many times what a series moves are counted each from its
own."""


def common_origin(series: SeriesSet) -> Float64[np.ndarray, "C"] | None:
    """Return the level that each channel is counted from in all series; None where it is 0.

    NaN where levels of series lie so far apart that 32 bits would lose how each of them moves.
    """
    if series.origin is None:
        return None
    middle = np.median(series.origin, axis=0)
    move = np.median(np.abs(np.diff(series.steps, axis=0, prepend=series.steps[:1])), axis=0)
    apart = np.abs(series.origin - middle).max(axis=0)
    return np.where(apart > _FAR * np.maximum(move, 1e-300), np.nan, middle)


def measure_from(series: SeriesSet, origin: Float64[np.ndarray, "C"] | None) -> SeriesSet:
    """Return the same series with steps counted from an origin (NaN: from each one's own level)."""
    if series.origin is None and origin is None:
        return series
    now = np.zeros((len(series), series.n_channels)) if series.origin is None else series.origin
    wanted = np.zeros_like(now) if origin is None else np.broadcast_to(origin, now.shape).copy()
    own = np.isnan(wanted)
    if own.any():
        levels = [np.nanmedian(series.series(i), axis=1) for i in range(len(series))]
        wanted[own] = np.nan_to_num(np.stack(levels))[own]
    shift = np.repeat(now - wanted, series.lengths, axis=0)
    if not shift.any():
        return series
    steps = (series.steps + shift).astype(np.float32)
    if series.observed is not None:
        steps[~series.observed] = 0.0
    return replace(series, steps=steps, origin=wanted)


def from_dict(stored: Mapping[str, Any]) -> Scaling:
    """Read what :meth:`Scaling.to_dict` wrote."""
    final = SCALINGS.get(stored.get("kind", ""))
    if final is None:
        raise SeriesError(
            f"got scaling {stored.get('kind')!r}, wanted one of {', '.join(SCALINGS)}: "
            "was it saved by a newer version?"
        )
    numbers = {name: tuple(value) for name, value in stored.items() if name != "kind"}
    parameters = inspect.signature(final).parameters
    wanted = [name for name, given in parameters.items() if given.default is given.empty]
    if not set(wanted) <= set(numbers) <= set(parameters):
        raise SeriesError(
            f"got {sorted(numbers)} for scaling {stored['kind']!r}, wanted {wanted}: save it again"
        )
    return final(**numbers)


def _mean(values: Tensor, observed: Tensor) -> Tensor:
    """Mean over the observed steps (B,C,1), 0 where there are none."""
    total = values.masked_fill(~observed, 0.0).sum(dim=2, keepdim=True)
    return total / observed.sum(dim=2, keepdim=True).clamp(min=1)


def _sums(
    series: SeriesSet, rows: slice, shift: np.ndarray, bounds: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Count, sum and sum of squares (3,C) of the observed values of some rows, less ``shift``.

    Values beyond the bounds count as if at them.
    """
    steps = np.clip(series.steps[rows], *bounds)
    valid = np.ones(steps.shape, bool) if series.observed is None else series.observed[rows]
    values = np.where(valid, steps - shift, 0.0)  # float64, as shift is
    return np.stack([valid.sum(axis=0), values.sum(axis=0), (values * values).sum(axis=0)])
