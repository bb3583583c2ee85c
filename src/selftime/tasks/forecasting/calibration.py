"""Whether intervals hold as often as they promise, on every window of a test part."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.tasks.forecasting.intervals import followed, levels_of
from selftime.tasks.forecasting.metrics import LEVELS, mase, naive_scale, pinball
from selftime.tasks.forecasting.misses import Misses
from selftime.tasks.forecasting.setting import Setting

INTERVALS = (0.2, 0.4, 0.6, 0.8, 0.9, 0.95)
"""Shares of the future that intervals promise to hold."""
EVERY = tuple(sorted({*LEVELS, *(level for share in INTERVALS for level in levels_of(share))}))
"""Levels of all quantiles that are looked at."""


class Calibration(NamedTuple):
    """What quantiles were worth on the test part.

    Attributes:
        coverage: share of the truth within the interval, by what it promised.
        quantile_loss: 2 Σ pinball / Σ|y|, mean over the levels 0.1 to 0.9, in original units.
        mase: absolute error in units of that of the seasonal naive row on the training part.
        errors: standard error of each coverage, from stretches of the test part as long as the
            horizon; NaN where there are not two of them.
    """

    coverage: dict[float, float]
    quantile_loss: float
    mase: float
    errors: dict[float, float] = {}  # noqa: RUF012 - nothing changes it

    def shares(self) -> dict[str, float]:
        """``{"0.8": 0.79, …}``: share that was held, by what was promised."""
        return {f"{promised:g}": round(kept, 4) for promised, kept in self.coverage.items()}

    def doubts(self) -> dict[str, float | None]:
        """``{"0.8": 0.02, …}``: standard error of each share; None where it is not known."""
        return {
            f"{promised:g}": None if np.isnan(error) else round(error, 4)
            for promised, error in self.errors.items()
        }


def calibration_of(misses: Misses, before: Misses, setting: Setting) -> Calibration:
    """Quantiles that begin with held-out residuals and follow what becomes known afterwards.

    No window's quantiles depend on a value after its origin: they begin with residuals known when
    the test part does, and move by :func:`~selftime.tasks.forecasting.intervals.followed`.

    Args:
        misses: of the windows after the training part.
        before: of held-out windows of the training part.
        setting: the series, cut and scaled.
    """
    horizon = misses.residuals.shape[2]
    train, validation, _ = setting.borders
    tested = misses.residuals[validation - train :]
    inside = np.zeros((len(INTERVALS), len(tested)))
    loss, size = np.zeros(len(EVERY)), 0.0
    sd, mean = setting.scale.sd, setting.scale.mean
    for h in range(horizon):
        quantiles = quantiles_of(misses, before, setting, h)  # (Q,n,C)
        miss = tested[:, :, h].astype(np.float64)
        inside += [within(quantiles, miss, share) for share in INTERVALS]
        loss += pinball(quantiles * sd, miss * sd, EVERY)
        size += float(np.abs(setting.values[validation + h :][: len(miss)] * sd + mean).sum())
    scale = naive_scale(setting.values[:train], setting.season)
    return Calibration(
        dict(zip(INTERVALS, (inside.mean(axis=1) / horizon).tolist(), strict=True)),
        float(2 * loss[[EVERY.index(level) for level in LEVELS]].mean() / max(size, 1e-30)),
        mase(tested, np.zeros_like(tested), scale),
        {
            promised: standard_error(kept / horizon, horizon)
            for promised, kept in zip(INTERVALS, inside, strict=True)
        },
    )


def quantiles_of(
    misses: Misses, before: Misses, setting: Setting, h: int
) -> Float[np.ndarray, "Q n C"]:
    """Quantiles of step ``h`` (from 0) for every window of the test part, in scaled units."""
    first = setting.borders.validation - setting.borders.train
    ratios = misses.ratios(h)
    known = ratios[: max(first - h, 0) : before.every]
    begin = np.concatenate([before.ratios(h), known])
    paths = followed(ratios, h + 1, EVERY, begin)[first:-1]
    return np.moveaxis(paths * misses.spread[first:, :, None], 2, 0)


def within(
    quantiles: Float[np.ndarray, "Q n C"], miss: Float[np.ndarray, "n C"], share: float
) -> Float[np.ndarray, "n"]:
    """Share of the channels of each window in the interval that promises to hold ``share``."""
    low, high = (quantiles[EVERY.index(level)] for level in levels_of(share))
    return np.asarray(np.mean((miss >= low) & (miss <= high), axis=1))


def standard_error(shares: Float[np.ndarray, "n"], horizon: int) -> float:
    """Of the mean share of windows a step apart, which have most of their steps in common.

    Means of stretches that are as long as the horizon count as one observation each (batch means;
    Conway 1963). So few of them make a test part that a coverage cannot be told from another.
    """
    count = len(shares) // horizon
    if count < 2:
        return float("nan")
    batches = shares[: count * horizon].reshape(count, horizon).mean(axis=1)
    return float(batches.std(ddof=1) / np.sqrt(count))
