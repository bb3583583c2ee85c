"""Rolling-origin backtests: every test window counted, nothing after its origin seen."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from selftime.data.series import SeriesSet
from selftime.progress import Progress, open_progress
from selftime.tasks.forecasting.calibration import (
    Calibration,
    calibration_of,
    cross_conformal_residuals,
    residuals_of,
)
from selftime.tasks.forecasting.cases import refitted
from selftime.tasks.forecasting.covariates import (
    Covariates,
    KnownEffect,
    refitted_effect,
    without_effect,
)
from selftime.tasks.forecasting.fitting import KnownChannels
from selftime.tasks.forecasting.folds import BlockedFolds
from selftime.tasks.forecasting.forecasters import (
    REFERENCE_FORECASTERS,
    FittedPart,
    WindowForecaster,
    fit_forecaster,
)
from selftime.tasks.forecasting.protocols import (
    Forecasting,
    Setting,
    check_horizon,
    setting_of,
    windows_after,
)

ALONE, PLAIN = "weights from the training part alone", "without covariates"
"""Rows that stand beside the forecaster's own."""


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
        fitted_on: what weights come from.
        seconds: to choose, fit and forecast, all horizons, references and intervals left out.
        calibrations: what intervals were worth, by horizon.
        forecasters: what was fitted, by horizon.
        explained: whether the effect of covariates was taken out, by horizon.
    """

    errors: dict[int, Errors]
    references: dict[str, dict[int, Errors]]
    fitted_on: str
    seconds: float = 0.0
    calibrations: dict[int, Calibration] = field(default_factory=dict)
    forecasters: dict[int, WindowForecaster] = field(default_factory=dict)
    explained: dict[int, bool] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        used = {str(H): used for H, used in self.explained.items()}
        return {
            **by_horizon(self.errors),
            "fitted_on": self.fitted_on,
            **({"covariates_used": used} if used else {}),
            "coverage": {str(H): found.shares() for H, found in self.calibrations.items()},
            "coverage_error": {str(H): found.doubts() for H, found in self.calibrations.items()},
            "seconds": round(self.seconds, 2),
            "references": {name: by_horizon(found) for name, found in self.references.items()},
        }


class Fit(NamedTuple):
    """A forecaster, and the series as it sees them.

    Attributes:
        forecaster: fitted on some part.
        setting: the series, without the effect of covariates where that is taken out.
        explained: whether it is.
    """

    forecaster: WindowForecaster
    setting: Setting
    explained: bool = False


def by_horizon(errors: dict[int, Errors]) -> dict[str, dict[str, float]]:
    """``{"mse": {"96": …}, "mae": {"96": …}}``."""
    return {
        name: {str(H): round(getattr(found, name), 6) for H, found in errors.items()}
        for name in Errors._fields
    }


def backtest(  # noqa: PLR0913 - all that a backtest depends on
    series: SeriesSet,
    horizons: Sequence[int],
    *,
    protocol: str = "70-10-20",
    refit: bool = True,
    covariates: Sequence[str] = (),
    seed: int = 0,
    progress: bool | Progress | None = None,
) -> Backtest:
    """Forecast every window of the test part, for every horizon.

    The scale of each channel comes from the training part; look-backs, penalties, pooling and
    whether features and covariates are used from blocked folds over training and validation part;
    weights from both parts, as they would in use, or from the training part alone. The look-back
    may reach into earlier parts.

    Args:
        series: a single series of any channels.
        horizons: future steps.
        protocol: a name in :data:`~selftime.tasks.forecasting.protocols.PROTOCOLS`.
        refit: whether weights are fitted anew on training and validation part once options are
            chosen, of reference rows too; a row says what they are worth without that.
        covariates: channels whose future is known when a forecast is made; they are not forecast.
        seed: fixes the random features.
        progress: a bar where a person looks when None; see :func:`selftime.progress.open_progress`.

    Raises:
        SeriesError: more than one series, one too short for the protocol or for a horizon, a
            horizon below 1, or covariates that there are not.
        ValueError: an unknown protocol.
    """
    given = KnownChannels(tuple(covariates))
    setting = setting_of(given.targets(series), protocol)
    past = given.past(series)
    known = None if past is None else past[0]
    names = [*([ALONE] if refit else []), *([PLAIN] if covariates else []), *REFERENCE_FORECASTERS]
    rows: dict[str, dict[int, Errors]] = {name: {} for name in names}
    part = "training and validation part" if refit else "training part"
    found, seconds = Backtest({}, rows, part), 0.0
    with open_progress(progress) as tell:
        for done, horizon in enumerate(horizons):
            tell("backtest", done, len(horizons), f"{horizon} steps ahead")
            check_horizon(setting, horizon)
            start = time.perf_counter()
            early, last = fits_of(setting, horizon, seed, known=known, refit=refit)
            found.errors[horizon] = errors_of(last.forecaster.single(), last.setting, horizon)
            seconds += time.perf_counter() - start
            found.forecasters[horizon] = last.forecaster
            found.calibrations[horizon] = backtest_calibration(early, last, setting)
            if covariates:
                found.explained[horizon] = last.explained
                plain = fits_of(setting, horizon, seed, refit=refit)[1] if last.explained else last
                rows[PLAIN][horizon] = errors_of(plain.forecaster.single(), setting, horizon)
            if refit:
                rows[ALONE][horizon] = errors_of(early.forecaster.single(), early.setting, horizon)
            for name, errors in reference_errors(setting, horizon, refit=refit).items():
                rows[name][horizon] = errors
    return replace(found, seconds=seconds)


def reference_errors(setting: Setting, horizon: int, *, refit: bool) -> dict[str, Errors]:
    """Errors of every reference row on the test part."""
    training = FittedPart(_until(setting, horizon, refit), setting.season)
    made = {name: fit(training).single() for name, fit in REFERENCE_FORECASTERS.items()}
    return {name: errors_of(row, setting, horizon) for name, row in made.items()}


def fits_of(
    setting: Setting,
    horizon: int,
    seed: int,
    *,
    known: Covariates | None = None,
    refit: bool = True,
) -> tuple[Fit, Fit]:
    """The default forecaster with weights from the training part, and as it is judged.

    Args:
        setting: a series, cut and scaled.
        horizon: future steps.
        seed: fixes the random features.
        known: covariates of every step (T,K), or None.
        refit: whether the second has weights from training and validation part.
    """
    blocks, rng = _until(setting, horizon, False), np.random.default_rng(seed)
    given = None if known is None else [known[: setting.borders.validation]]
    chosen, effect = fit_forecaster(blocks, setting.season, rng, known=given)
    early = Fit(chosen, _without_covariates(setting, effect, known), effect is not None)
    if not refit:
        return early, early
    later = _until(setting, horizon, True)
    if effect is not None and given is not None:
        effect = refitted_effect(effect, later, given, setting.season)
        later = without_effect(later, effect, given)
    anew = refitted(chosen, later, setting.season)
    return early, Fit(anew, _without_covariates(setting, effect, known), effect is not None)


def _without_covariates(
    setting: Setting, effect: KnownEffect | None, known: Covariates | None
) -> Setting:
    """The series without the effect of covariates, where there is one."""
    if effect is None or known is None:
        return setting
    return setting._replace(values=setting.values - effect.of(known))


def _until(setting: Setting, horizon: int, validation: bool) -> BlockedFolds:
    """Windows of training and validation part, of which the former or both are fitted on."""
    blocks = setting.blocks(horizon)
    return replace(blocks, fit_end=(setting.borders.validation,)) if validation else blocks


def backtest_calibration(early: Fit, last: Fit, setting: Setting) -> Calibration:
    """What intervals are worth.

    They begin with windows of the validation part as they are forecast from the training part.

    Args:
        early: fitted on the training part alone.
        last: what the windows of the test part are forecast by.
        setting: the series as it is.
    """
    train, validation, _ = setting.borders
    horizon = last.forecaster.horizon
    stop = validation + horizon - 1  # no window that begins in the test part
    tuned = residuals_of(early.forecaster.single(), early.setting, horizon, train, stop)
    misses = tuned.then(residuals_of(last.forecaster.single(), last.setting, horizon, validation))
    blocks = _until(early.setting, horizon, False)
    return calibration_of(
        misses, cross_conformal_residuals(early.forecaster.linear, blocks, setting.season), setting
    )


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
