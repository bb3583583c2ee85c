"""Whether intervals hold as often as they promise, on every window of a test part."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.tasks.forecasting.backtest import Forecasting, Setting, windows_after
from selftime.tasks.forecasting.intervals import (
    INTERVALS,
    QuantileTracker,
    arriving,
    levels_of,
)
from selftime.tasks.forecasting.metrics import LEVELS, mase, naive_scale, pinball


class Calibration(NamedTuple):
    """What quantiles were worth on the test part.

    Attributes:
        coverage: share of the truth within the interval, by what it promised.
        quantile_loss: 2 Σ pinball / Σ|y|, mean over the levels 0.1 to 0.9, in original units.
        mase: absolute error in units of that of the seasonal naive row on the training part.
    """

    coverage: dict[float, float]
    quantile_loss: float
    mase: float


def calibration_of(forecaster: Forecasting, setting: Setting, horizon: int) -> Calibration:
    """Quantiles that begin with the validation part and follow what becomes known afterwards.

    No window's quantiles depend on a value after its origin: see
    :class:`~selftime.tasks.forecasting.intervals.QuantileTracker`.

    Args:
        forecaster: fitted on the training part alone.
        setting: the series, cut and scaled.
        horizon: future steps.
    """
    residuals, truth = _after_training(forecaster, setting, horizon)
    train, validation, _ = setting.borders
    first = validation - train  # the first window of the test part
    ends = [level for share in INTERVALS for level in levels_of(share)]
    levels = sorted({*LEVELS, *ends})
    tracker = QuantileTracker(residuals[: first - horizon + 1], levels)
    inside = np.zeros(len(INTERVALS))
    loss, size = np.zeros(len(levels)), 0.0
    sd, mean = setting.scale.sd[:, None], setting.scale.mean[:, None]
    known = setting.values[:train]
    for origin in range(1, len(residuals)):
        tracker.learn(arriving(residuals, origin))
        if origin < first:
            continue
        quantiles, miss = tracker.quantiles(), residuals[origin].astype(np.float64)
        inside += [_within(quantiles, levels, miss, share) for share in INTERVALS]
        loss += pinball(quantiles * sd, miss * sd, levels)
        size += float(np.abs(truth[origin] * sd + mean).sum())
    count = len(residuals) - max(first, 1)
    chosen = [i for i, level in enumerate(levels) if level in LEVELS]
    return Calibration(
        {share: float(inside[i] / count) for i, share in enumerate(INTERVALS)},
        float(2 * loss[chosen].mean() / max(size, 1e-30)),
        mase(truth[first:] - residuals[first:], truth[first:], naive_scale(known, setting.season)),
    )


def _within(
    quantiles: Float[np.ndarray, "Q C H"],
    levels: list[float],
    miss: Float[np.ndarray, "C H"],
    share: float,
) -> float:
    low, high = (levels.index(level) for level in levels_of(share))
    return float(np.mean((miss >= quantiles[low]) & (miss <= quantiles[high])))


def _after_training(
    forecaster: Forecasting, setting: Setting, horizon: int
) -> tuple[Float[np.ndarray, "N C H"], Float[np.ndarray, "N C H"]]:
    """Truth less forecast, and the truth, of every window after the training part."""
    misses, truths = [], []
    train = setting.borders.train
    for past, future in windows_after(setting, train, forecaster.look_back, horizon):
        misses.append((future - forecaster.predict(past)).astype(np.float32))
        truths.append(future)
    return np.concatenate(misses), np.concatenate(truths)
