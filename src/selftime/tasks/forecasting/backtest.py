"""Rolling-origin backtests: every test window counted, nothing after its origin seen."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from selftime.data.series import SeriesSet
from selftime.tasks.forecasting.blocks import Blocks
from selftime.tasks.forecasting.calibration import Calibration, calibration_of
from selftime.tasks.forecasting.forecasters import WindowForecaster, fit_forecaster
from selftime.tasks.forecasting.misses import after_training, in_blocks
from selftime.tasks.forecasting.references import REFERENCES, FittedPart
from selftime.tasks.forecasting.setting import (
    Forecasting,
    Setting,
    check_horizon,
    setting_of,
    windows_after,
)


class Errors(NamedTuple):
    """Mean errors in standardised units over all windows, channels and steps."""

    mse: float
    mae: float


@dataclass(frozen=True)
class Backtest:
    """Errors of the forecaster and of the reference rows, for every horizon.

    Attributes:
        errors: of the forecaster by horizon.
        references: the same of each reference row.
        seconds: to choose, fit and forecast, all horizons, references and intervals left out.
        calibrations: what intervals were worth, by horizon.
        forecasters: what was fitted, by horizon.
    """

    errors: dict[int, Errors]
    references: dict[str, dict[int, Errors]]
    seconds: float
    calibrations: dict[int, Calibration] = field(default_factory=dict)
    forecasters: dict[int, WindowForecaster] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **by_horizon(self.errors),
            "coverage": {str(H): found.shares() for H, found in self.calibrations.items()},
            "seconds": round(self.seconds, 2),
            "references": {name: by_horizon(found) for name, found in self.references.items()},
        }


def by_horizon(errors: dict[int, Errors]) -> dict[str, dict[str, float]]:
    """``{"mse": {"96": …}, "mae": {"96": …}}``."""
    return {
        name: {str(H): round(getattr(found, name), 6) for H, found in errors.items()}
        for name in Errors._fields
    }


def backtest(
    series: SeriesSet,
    horizons: Sequence[int],
    *,
    protocol: str = "70-10-20",
    seed: int = 0,
    watch: Callable[[str, int, int], None] | None = None,
) -> Backtest:
    """Forecast every window of the test part, for every horizon.

    The scale of each channel comes from the training part; look-back, penalties, pooling and
    whether features are used from blocked folds over training and validation part; weights from
    the training part alone. The look-back may reach into earlier parts.

    Args:
        series: a single series of any channels.
        horizons: future steps.
        protocol: a name in :data:`~selftime.tasks.forecasting.protocols.PROTOCOLS`.
        seed: fixes the random features.
        watch: told of progress.

    Raises:
        SeriesError: more than one series, one too short for the protocol or for a horizon, or a
            horizon below 1.
        ValueError: an unknown protocol.
    """
    setting = setting_of(series, protocol)
    errors: dict[int, Errors] = {}
    rows: dict[str, dict[int, Errors]] = {name: {} for name in REFERENCES}
    calibrations: dict[int, Calibration] = {}
    forecasters: dict[int, WindowForecaster] = {}
    seconds = 0.0
    for done, horizon in enumerate(horizons):
        if watch:
            watch("backtest", done, len(horizons))
        check_horizon(setting, horizon)
        start = time.perf_counter()
        blocks = setting.blocks(horizon)
        fitted = fit_forecaster(blocks, setting.season, np.random.default_rng(seed))
        errors[horizon] = errors_of(fitted.single(), setting, horizon)
        seconds += time.perf_counter() - start
        forecasters[horizon] = fitted
        calibrations[horizon] = calibrated(fitted, setting, blocks)
        for name, fit in REFERENCES.items():
            reference = fit(FittedPart(blocks, setting.season)).single()
            rows[name][horizon] = errors_of(reference, setting, horizon)
    return Backtest(errors, rows, seconds, calibrations, forecasters)


def calibrated(fitted: WindowForecaster, setting: Setting, blocks: Blocks) -> Calibration:
    """What the intervals of a forecaster are worth that was fitted on the training part alone."""
    misses = after_training(fitted.single(), setting, blocks.horizon)
    return calibration_of(misses, in_blocks(fitted.linear, blocks, setting.season), setting)


def errors_of(forecaster: Forecasting, setting: Setting, horizon: int) -> Errors:
    """Mean errors over every window of the test part."""
    squares = sizes = count = 0.0
    first = setting.borders.validation
    for past, future in windows_after(setting, first, forecaster.look_back, horizon):
        miss = forecaster.predict(past) - future
        squares += float(np.sum(miss * miss, dtype=np.float64))
        sizes += float(np.sum(np.abs(miss), dtype=np.float64))
        count += miss.size
    return Errors(squares / count, sizes / count)
