"""Units: each channel around its mean, by its deviation; of all series alike, or of each."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from selftime.data.series import SeriesSet
from selftime.tasks.imputation.holes import Holes

_FAR = 10.0
"""Series have units of their own where their levels or deviations differ by such a factor."""
_LEAST = 1e-12
"""Least deviation, in units of the mean."""
_FEWEST = 4
"""Values from which a series has units of its own."""


class Units(NamedTuple):
    """Mean and deviation (above 0) of each channel, and whether each series has its own."""

    mean: Float[np.ndarray, "C"]
    sd: Float[np.ndarray, "C"]
    apart: bool

    def of(self, holes: Holes) -> tuple[Float[np.ndarray, "N C"], Float[np.ndarray, "N C"]]:
        """Return mean and deviation for each series."""
        shape = len(holes.lengths), len(self.mean)
        mean, sd = np.broadcast_to(self.mean, shape), np.broadcast_to(self.sd, shape)
        if not self.apart:
            return mean, sd
        own_mean, own_sd, counts = _of_each(holes)
        known = counts >= _FEWEST
        usable = known & (own_sd > 0)
        return np.where(known, own_mean, mean), np.where(usable, own_sd, sd)

    def scaled(self, holes: Holes) -> Holes:
        """Return series in these units."""
        mean, sd = self.of(holes)
        owners = holes.owners
        return Holes.of((holes.steps - mean[owners]) / sd[owners], holes.observed, holes.lengths)


def units_in(holes: Holes) -> tuple[Units, ...]:
    """Return the units that series may be counted in: those of all, and their own where they vary.

    Whether it matters how large a series is, as of gestures, or not, as of shops, is for hidden
    values to say.
    """
    counts = np.maximum(holes.observed.sum(axis=0), 1)
    mean = holes.steps.sum(axis=0) / counts
    centred = np.where(holes.observed, holes.steps - mean, 0.0)
    sd = np.sqrt(np.square(centred).sum(axis=0) / counts)
    shared = Units(mean, np.where(sd > _LEAST * np.abs(mean), sd, 1.0), False)
    own_mean, own_sd, known = _of_each(holes)
    usable = (known >= _FEWEST) & (own_sd > 0)
    if not _vary(own_mean, own_sd, usable):
        return (shared,)
    usual = [np.median(s[u]) if u.any() else 1.0 for s, u in zip(own_sd.T, usable.T, strict=True)]
    return shared, Units(mean, np.array(usual), True)


def _vary(
    mean: Float[np.ndarray, "N C"], sd: Float[np.ndarray, "N C"], usable: Bool[np.ndarray, "N C"]
) -> bool:
    """Return whether levels or deviations of series are far apart in some channel."""
    for m, s, u in zip(mean.T, sd.T, usable.T, strict=True):
        if u.sum() < 2:
            continue
        low, high = np.quantile(s[u], [0.1, 0.9])
        if high > _FAR * low or m[u].std() > _FAR * np.median(s[u]):
            return True
    return False


def _of_each(holes: Holes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return means, deviations and counts of the observed values of each series."""
    starts, owners = holes.starts, holes.owners
    counts = np.add.reduceat(holes.observed.astype(np.int64), starts, axis=0)
    total = np.maximum(counts, 1)
    mean = np.add.reduceat(holes.steps, starts, axis=0) / total
    centred = np.where(holes.observed, holes.steps - mean[owners], 0.0)
    sd = np.sqrt(np.add.reduceat(np.square(centred), starts, axis=0) / total)
    return mean, np.where(sd > _LEAST * np.abs(mean), sd, 0.0), counts


def holes_in(series: SeriesSet) -> Holes:
    """Return the values of series in their own numbers, in 64 bits."""
    steps = series.steps.astype(np.float64)
    if series.origin is not None:
        steps = steps + np.repeat(series.origin, series.lengths, axis=0)
    observed = np.ones(steps.shape, bool) if series.observed is None else series.observed
    return Holes.of(steps, np.asarray(observed), series.lengths)
