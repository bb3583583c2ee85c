"""Scaling of series, per series or by statistics of the training part; and back."""

import inspect
import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selftime.data.batch import Batch
from selftime.data.graph import is_whole
from selftime.data.levels import (
    bounded_sums,
    bounds_of,
    common_origin,
    from_own_means,
    measure_from,
)
from selftime.data.memory import row_blocks
from selftime.data.records import unpack
from selftime.data.series import SeriesError, SeriesSet
from selftime.door import option
from selftime.settings import settings_of

_FLAT = 1e-6
"""A standard deviation below this share of the mean is the rounding of 32-bit numbers: the
channel counts as constant, is divided by 1, and comes out as 0."""
_SMALLEST = 1e-35
"""Standard deviations below this count as 0 too: they are no normal 32-bit numbers."""
SCALED_LIMIT = 1e12
"""Scaled values count as no larger, so that nothing overflows after, and no stream remembers it."""
SCALED_LEAST = 1e-30
"""Scaled values that are smaller count as 0: products with weights would be no normal 32-bit
numbers, with which convolutions take many times as long."""
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
        """Return series in units of ``sd`` around ``mean``, finite; 0 where not observed."""
        scaled = (batch.values - self.mean) / self.sd
        if not is_whole(scaled.isfinite()):  # a difference or quotient beyond 32 bits
            scaled = (batch.values / 4 - self.mean / 4) / (self.sd / 4)
            scaled = scaled.clamp(-SCALED_LIMIT, SCALED_LIMIT)
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

    whole: ClassVar[bool] = False
    """True where the scale of a series is known once all of its steps are."""

    def measure(self, series: SeriesSet) -> SeriesSet:
        """Return series whose steps are counted from the level that this scaling counts from."""
        return measure_from(series, None)

    @abstractmethod
    def scale_of(self, batch: Batch) -> Scale:
        """Return the scale of each series and channel of a batch."""

    def apply(self, batch: Batch) -> Batch:
        """Return the scaled series as encoders read them, without their scale.

        Values are 0, or between :data:`SCALED_LEAST` and :data:`SCALED_LIMIT` in size.
        """
        scaled = self.scale_of(batch).apply(self.bound(batch))
        values = scaled.values.clamp(-SCALED_LIMIT, SCALED_LIMIT)
        return Batch(F.hardshrink(values, SCALED_LEAST), batch.observed)

    def bound(self, batch: Batch) -> Batch:
        """Return series whose wild values are no wilder than what was learned from; here all."""
        return batch

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, exact to the bit; :func:`from_dict` reads them."""
        kind = next(name for name, final in SCALINGS.items() if isinstance(self, final))
        rows = {name: map(_plain, value) for name, value in settings_of(self).items()}
        return {"kind": kind} | {name: list(row) for name, row in rows.items()}


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

    whole: ClassVar[bool] = True

    def measure(self, series: SeriesSet) -> SeriesSet:
        """Return the series as they are: each is counted from its own level anyway."""
        return series

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
        most = _FLOAT32_MAX
        is_sound = all(abs(x) <= most for x in (*self.mean, *self.low, *self.high))
        if not is_sound or not all(0 < np.float32(min(sd, 2 * most)) <= most for sd in self.sd):
            raise SeriesError(
                f"got means {self.mean}, standard deviations {self.sd} and bounds {self.low}, "
                f"{self.high}, wanted finite 32-bit numbers and no sd of 0: use fit_channels"
            )
        if len(self.mean) != len(self.sd) or not all(map(operator.le, self.low, self.high)):
            raise SeriesError(
                f"got {len(self.mean)} means and {len(self.sd)} standard deviations, low bounds "
                f"{self.low} and high {self.high}, wanted one of each a channel, low ones first"
            )

    def measure(self, series: SeriesSet) -> SeriesSet:
        """Return series whose steps are counted from the origin."""
        return measure_from(series, np.array(self.origin) if self.origin else None)

    def bound(self, batch: Batch) -> Batch:
        """Return series whose wild values are no wilder than the bounds."""
        if not self.low:
            return batch
        low, high = batch.values.new_tensor([self.low, self.high])[:, None, :, None]
        return Batch(batch.values.clamp(low, high), batch.observed)

    def count_wild(self, series: SeriesSet) -> int:
        """Return how many values lie beyond the bounds, and are learned from as if at them."""
        if not self.low:
            return 0
        measured = self.measure(series)
        low, high = np.array([self.low, self.high], np.float32)
        count = 0
        for rows in row_blocks(measured.steps, measured.observed):
            wild = (measured.steps[rows] < low) | (measured.steps[rows] > high)
            seen = True if measured.observed is None else measured.observed[rows]
            count += int((wild & seen).sum())
        return count

    def scale_of(self, batch: Batch) -> Scale:
        """Return the fitted numbers (1,C,1)."""
        if batch.values.shape[1] != len(self.mean):
            raise SeriesError(
                f"got {batch.values.shape[1]} channels, the scaling was fitted on "
                f"{len(self.mean)}: give the same channels in the same order"
            )
        mean, sd = batch.values.new_tensor([self.mean, self.sd])[:, None, :, None]
        return Scale(mean, sd)


@dataclass(frozen=True)
class OwnLevel(Scaling):
    """Each series and channel from its own mean, in units that are the same for all series.

    Of logarithms of energy this is cepstral mean subtraction (Atal 1974, *Effectiveness of linear
    prediction characteristics of the speech wave*; Furui 1981): what a voice, a microphone or a
    room multiplies each band by is taken away, and how much each band changes is left. ``sd`` holds
    a number per channel, in the units of the data, fitted by :func:`fit_own_level`.
    """

    whole: ClassVar[bool] = True
    sd: tuple[float, ...]

    def __post_init__(self) -> None:
        PerChannel((0.0,) * len(self.sd), self.sd)  # checks them

    def measure(self, series: SeriesSet) -> SeriesSet:
        """Return the series as they are: each is counted from its own level anyway."""
        return series

    def scale_of(self, batch: Batch) -> Scale:
        """Return the mean over the observed steps, 0 where there are none, and the units."""
        own = PerSeries().scale_of(batch)
        units = PerChannel((0.0,) * len(self.sd), self.sd).scale_of(batch).sd
        return Scale(own.mean, units.expand_as(own.mean))


@dataclass(frozen=True)
class Together(Scaling):
    """All series and channels by the same two numbers, fitted by :func:`fit_together`.

    Pixels keep their differences so: one that is nearly always dark is not made loud. Each field
    holds one number; ``low`` and ``high`` bound what is learned from as it is.
    """

    mean: tuple[float, ...]
    sd: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        if any(len(part) != 1 for part in (self.mean, self.sd, self.low, self.high)):
            raise SeriesError("got several numbers, wanted one for all channels: use fit_together")
        PerChannel(self.mean, self.sd, self.low, self.high)  # checks them

    def bound(self, batch: Batch) -> Batch:
        """Return series whose wild values are no wilder than the bounds."""
        return Batch(batch.values.clamp(self.low[0], self.high[0]), batch.observed)

    def scale_of(self, batch: Batch) -> Scale:
        """Return the fitted numbers (1,C,1), the same for each channel."""
        like = batch.values.new_ones(1, batch.values.shape[1], 1)
        return Scale(like * self.mean[0], like * self.sd[0])


SCALINGS: dict[str, type[Scaling]] = {
    "none": Unscaled,
    "per_series": PerSeries,
    "channels": PerChannel,
    "together": Together,
    "own_level": OwnLevel,
}
"""The kinds that a stored model may name."""


def none() -> Scaling:
    """Leave values as they are."""
    return Unscaled()


def per_series() -> Scaling:
    """Scale each series and channel to mean 0 and deviation 1 over its observed steps."""
    return PerSeries()


def fit(series: SeriesSet) -> Scaling:
    """Fit the scaling that suits what series are: measurements, pixels or symbols."""
    if series.kind.scaled == "none":
        return none()
    return fit_together(series) if series.kind.scaled == "together" else fit_channels(series)


def fit_own_level(series: SeriesSet) -> OwnLevel:
    """Fit the deviation of each channel around each series' own mean, on the training part.

    Raises:
        SeriesError: symbols, or pixels, whose means are the picture.
    """
    if series.kind.scaled != "channels":
        raise SeriesError(
            f"got {series.kind.name} to count from the mean of each channel, wanted measurements, "
            f"sound or wave: leave {option('own_level', True)} out"
        )
    sd = np.array(fit_channels(from_own_means(series)).sd)
    sd[sd <= _FLAT * np.abs(fit_channels(series).mean)] = 1.0
    return OwnLevel(tuple(sd.tolist()))


def fit_together(series: SeriesSet) -> Together:
    """Fit mean and standard deviation of all channels together on the training part."""
    N, C = len(series), series.n_channels
    flat = SeriesSet(
        steps=measure_from(series, np.zeros(C)).steps.reshape(-1, 1),
        offsets=series.offsets * C,
        channels=("all",),
        ids=np.arange(N),
        observed=None if series.observed is None else series.observed.reshape(-1, 1),
    )
    found = fit_channels(flat)
    return Together(found.mean, found.sd, found.low, found.high)


def fit_channels(series: SeriesSet) -> PerChannel:
    """Fit mean and standard deviation of each channel on the training part's observed steps.

    Wild values, further beyond the quantiles of 1 % and 99 % than five times what lies between
    these, count as if they lay there. Where none is wild they are those of all values.
    """
    origin = common_origin(series)
    series = measure_from(series, origin)
    low, high = bounds_of(series)
    first = bounded_sums(series, slice(0, BLOCK_ROWS), np.zeros(series.n_channels), (low, high))
    shift = first[1] / first[0].clip(min=1)  # near the mean, so that squares keep their digits
    spans = (slice(i, i + BLOCK_ROWS) for i in range(0, len(series.steps), BLOCK_ROWS))
    sums = np.sum([bounded_sums(series, span, shift, (low, high)) for span in spans], axis=0)
    count, total, square = sums
    gap = total / count.clip(min=1)
    mean = shift + gap
    sd = np.sqrt((square / count.clip(min=1) - gap**2).clip(min=0))
    flat = sd <= np.maximum(_FLAT * np.abs(mean), _SMALLEST)
    sd[flat] = 1.0
    low, high = np.where(flat, mean - _FLAT_REACH, low), np.where(flat, mean + _FLAT_REACH, high)
    bounds = np.clip([low, high], -_FLOAT32_MAX, _FLOAT32_MAX).astype(np.float32).tolist()
    return PerChannel(
        mean=tuple(mean.tolist()),
        sd=tuple(sd.tolist()),
        low=tuple(bounds[0]),
        high=tuple(bounds[1]),
        origin=() if origin is None else tuple(origin.tolist()),
    )


_FLOAT32_MAX = float(np.finfo(np.float32).max)
_FLAT_REACH = 1e4
"""Bounds of a channel that never changes lie so far around it: what it does later is seen."""


def from_dict(stored: Any, channels: int) -> Scaling:
    """Read what :meth:`Scaling.to_dict` wrote for so many channels; it may be anything.

    Raises:
        SeriesError: an unknown kind, or numbers that are no scaling of that many channels.
    """
    kind = stored.get("kind") if isinstance(stored, Mapping) else None
    final = SCALINGS.get(kind) if isinstance(kind, str) else None
    if final is None:
        raise SeriesError(
            f"got scaling {kind!r}, wanted one of {', '.join(SCALINGS)}: "
            "was it saved by a newer version?"
        )
    given = {name: value for name, value in stored.items() if name != "kind"}
    parameters = inspect.signature(final).parameters
    wanted = [name for name, part in parameters.items() if part.default is part.empty]
    if not set(wanted) <= set(given) <= set(parameters):
        raise SeriesError(
            f"got {sorted(given)} for scaling {kind!r}, wanted {wanted}: save it again"
        )
    kinds = {name: tuple[float, ...] for name in given} | {"origin": tuple[float | None, ...]}
    rows = {name: unpack(value, kinds[name], {}, {}) for name, value in given.items()}
    numbers = {name: tuple(math.nan if x is None else x for x in row) for name, row in rows.items()}
    wide = 1 if final is Together else channels
    for name, row in numbers.items():
        if len(row) != wide and (row or name in wanted):
            raise SeriesError(f"got {len(row)} numbers for {name}, wanted {wide}: save it again")
    return final(**numbers)


def _plain(number: float) -> float | None:
    """Return a number as JSON has it, where NaN, each series' own level, is null."""
    return None if math.isnan(number) else number


def _mean(values: Tensor, observed: Tensor) -> Tensor:
    """Mean over the observed steps (B,C,1), 0 where there are none."""
    total = values.masked_fill(~observed, 0.0).sum(dim=2, keepdim=True)
    return total / observed.sum(dim=2, keepdim=True).clamp(min=1)
