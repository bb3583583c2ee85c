"""Scaling of series, per series or by statistics of the training part; and back."""

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
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

    Mean and sd hold a number per channel, in the units of the data.
    """

    mean: tuple[float, ...]
    sd: tuple[float, ...]

    def __post_init__(self) -> None:
        sound = all(map(math.isfinite, self.mean)) and all(0 < sd < math.inf for sd in self.sd)
        if not sound or len(self.mean) != len(self.sd):
            raise SeriesError(
                f"got means {self.mean} and standard deviations {self.sd}, wanted finite numbers, "
                "one of each a channel and no sd of 0: use fit_channels"
            )

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
    """Fit mean and standard deviation of each channel on the training part's observed steps."""
    first = _sums(series, slice(0, BLOCK_ROWS), np.zeros(series.n_channels))
    shift = first[1] / first[0].clip(min=1)  # near the mean, so that squares keep their digits
    spans = (slice(i, i + BLOCK_ROWS) for i in range(0, len(series.steps), BLOCK_ROWS))
    count, total, square = np.sum([_sums(series, span, shift) for span in spans], axis=0)
    gap = total / count.clip(min=1)
    mean = shift + gap
    sd = np.sqrt((square / count.clip(min=1) - gap**2).clip(min=0))
    sd[sd <= np.maximum(_FLAT * np.abs(mean), _SMALLEST)] = 1.0
    return PerChannel(mean=tuple(mean.tolist()), sd=tuple(sd.tolist()))


def from_dict(stored: Mapping[str, Any]) -> Scaling:
    """Read what :meth:`Scaling.to_dict` wrote."""
    final = SCALINGS.get(stored.get("kind", ""))
    if final is None:
        raise SeriesError(
            f"got scaling {stored.get('kind')!r}, wanted one of {', '.join(SCALINGS)}: "
            "was it saved by a newer version?"
        )
    numbers = {name: tuple(value) for name, value in stored.items() if name != "kind"}
    wanted = list(inspect.signature(final).parameters)
    if sorted(numbers) != sorted(wanted):
        raise SeriesError(
            f"got {sorted(numbers)} for scaling {stored['kind']!r}, wanted {wanted}: save it again"
        )
    return final(**numbers)


def _mean(values: Tensor, observed: Tensor) -> Tensor:
    """Mean over the observed steps (B,C,1), 0 where there are none."""
    total = values.masked_fill(~observed, 0.0).sum(dim=2, keepdim=True)
    return total / observed.sum(dim=2, keepdim=True).clamp(min=1)


def _sums(series: SeriesSet, rows: slice, shift: np.ndarray) -> np.ndarray:
    """Count, sum and sum of squares (3,C) of the observed values of some rows, less ``shift``."""
    steps = series.steps[rows]
    valid = np.ones(steps.shape, bool) if series.observed is None else series.observed[rows]
    values = np.where(valid, steps - shift, 0.0)  # float64, as shift is
    return np.stack([valid.sum(axis=0), values.sum(axis=0), (values * values).sum(axis=0)])
