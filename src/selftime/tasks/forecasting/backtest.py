"""Rolling-origin backtests: every test window counted, nothing after its origin seen."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from selftime.data.frames import Tabular
from selftime.data.grid import on_grid
from selftime.data.series import SeriesSet
from selftime.engine.defaults import check_task
from selftime.progress import Progress, open_progress
from selftime.tasks.forecasting.calibration import (
    Calibration,
    calibration_of,
    cross_conformal_residuals,
    residuals_of,
)
from selftime.tasks.forecasting.covariates import (
    Covariates,
    KnownChannels,
    KnownEffect,
    refit_effect,
    without_effect,
)
from selftime.tasks.forecasting.folds import BlockedFolds
from selftime.tasks.forecasting.forecasters import (
    REFERENCE_FORECASTERS,
    WindowForecaster,
    fit_forecaster,
    refit_forecaster,
)
from selftime.tasks.forecasting.protocols import (
    Forecasting,
    Setting,
    check_horizon,
    setting_of,
    windows_between,
)

log = logging.getLogger(__name__)

ALONE, PLAIN = "weights from the training part alone", "without covariates"
"""Rows that stand beside the forecaster's own."""


class Errors(NamedTuple):
    """Mean errors in standardised units over all windows, channels and steps."""

    mse: float
    mae: float


@dataclass(frozen=True, repr=False)
class Backtest(Tabular):
    """Errors of the forecaster and of the reference rows, for every horizon.

    Attributes:
        errors: of the forecaster by horizon.
        references: the same of each reference row.
        fitted_on: the parts that weights come from.
        seconds: to choose, fit and forecast, all horizons, references and intervals left out.
        calibrations: coverage and losses of the intervals, by horizon.
        forecasters: the fitted forecasters, by horizon.
        covariates_used: by horizon, True where the effect of covariates was taken out.
    """

    errors: dict[int, Errors]
    references: dict[str, dict[int, Errors]]
    fitted_on: str
    seconds: float = 0.0
    calibrations: dict[int, Calibration] = field(default_factory=dict)
    forecasters: dict[int, WindowForecaster] = field(default_factory=dict)
    covariates_used: dict[int, bool] = field(default_factory=dict)

    def to_columns(self) -> dict[str, Any]:
        """Return the errors of the forecaster and of the reference rows at each horizon."""
        rows = [
            (name, H, *found)
            for name, errors in {"selftime": self.errors, **self.references}.items()
            for H, found in errors.items()
        ]
        names = ("row", "horizon", *Errors._fields)
        return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        used = {str(H): used for H, used in self.covariates_used.items()}
        found = {str(H): found for H, found in self.calibrations.items()}
        return {
            **_by_horizon(self.errors),
            "fitted_on": self.fitted_on,
            **({"covariates_used": used} if used else {}),
            "coverage": {H: one.shares() for H, one in found.items()},
            "coverage_error": {H: one.standard_errors() for H, one in found.items()},
            "seconds": round(self.seconds, 2),
            "references": {name: _by_horizon(row) for name, row in self.references.items()},
        }


def _by_horizon(errors: dict[int, Errors]) -> dict[str, dict[str, float]]:
    """Return ``{"mse": {"96": …}, "mae": {"96": …}}``."""
    return {
        name: {str(H): round(getattr(found, name), 6) for H, found in errors.items()}
        for name in Errors._fields
    }


class Fit(NamedTuple):
    """A forecaster, and the series as it sees them: the effect of covariates out where used."""

    forecaster: WindowForecaster
    setting: Setting
    covariates_used: bool = False

    def errors(self) -> Errors:
        """Return the errors on the test part."""
        return errors_of(self.forecaster.single(), self.setting, self.forecaster.horizon)


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
    may reach into earlier parts. Errors are in units of the scale; protocols are those of Zhou et
    al. 2021 and Wu et al. 2021.

    Example:
        >>> import numpy as np, selftime as st
        >>> hours = np.arange(400)
        >>> series = st.SeriesSet.of(np.sin(hours / 24 * 2 * np.pi)[None, None])  # (N,C,T)
        >>> found = st.backtest(series, horizons=[6], progress=False)
        >>> found.errors[6].mse < found.references["repeat-last"][6].mse
        True
        >>> sorted(found.calibrations[6].coverage)
        [0.2, 0.4, 0.6, 0.8, 0.9, 0.95]

    Args:
        series: a single series of any channels; rows that are absent from the rule of its times
            count as missing values.
        horizons: future steps.
        protocol: a name in :data:`~selftime.tasks.forecasting.protocols.PROTOCOLS`.
        refit: fit weights anew on training and validation part once options are chosen, those of
            reference rows too; a row has the errors without that.
        covariates: channels whose future is known when a forecast is made; they are not forecast.
        seed: fixes the random features.
        progress: a bar where a person looks when None; see :func:`selftime.progress.open_progress`.

    Raises:
        SeriesError: more than one series, one too short for the protocol or for a horizon, a
            horizon below 1, or covariates that there are not.
        ValueError: an unknown protocol.
    """
    check_task("forecast", series.kind)
    given = KnownChannels(tuple(covariates))
    notes, series = series.notes, on_grid(series)
    for note in series.notes[len(notes) :]:
        log.warning(note)
    setting = setting_of(given.targets(series), protocol)
    past = given.past(series)
    known = None if past is None else past[0]
    names = [*([ALONE] if refit else []), *([PLAIN] if covariates else []), *REFERENCE_FORECASTERS]
    rows: dict[str, dict[int, Errors]] = {name: {} for name in names}
    part = "training and validation part" if refit else "training part"
    found, seconds = Backtest({}, rows, part), 0.0
    with open_progress(progress) as report:
        for done, horizon in enumerate(horizons):
            report("backtest", done, len(horizons), f"{horizon} steps ahead")
            seconds += _add_horizon(found, setting, horizon, seed, known=known, refit=refit)
    return replace(found, seconds=seconds)


def _add_horizon(
    found: Backtest,
    setting: Setting,
    horizon: int,
    seed: int,
    *,
    known: Covariates | None,
    refit: bool,
) -> float:
    """Add all rows of a horizon, and return the seconds to choose, fit and forecast."""
    check_horizon(setting, horizon)
    rows, start = found.references, time.perf_counter()
    early, last = fit_both(setting, horizon, seed, known=known, refit=refit)
    found.errors[horizon] = last.errors()
    seconds = time.perf_counter() - start
    found.forecasters[horizon] = last.forecaster
    found.calibrations[horizon] = backtest_calibration(early, last, setting)
    if known is not None:
        found.covariates_used[horizon] = used = last.covariates_used
        plain = fit_both(setting, horizon, seed, refit=refit)[1] if used else last
        rows[PLAIN][horizon] = plain.errors()
    if refit:
        rows[ALONE][horizon] = early.errors()
    for name, errors in reference_errors(setting, horizon, refit=refit).items():
        rows[name][horizon] = errors
    return seconds


def reference_errors(setting: Setting, horizon: int, *, refit: bool) -> dict[str, Errors]:
    """Return the errors of every reference row on the test part."""
    folds = _folds_until(setting, horizon, refit)
    made = {
        name: fit(folds, setting.season).single() for name, fit in REFERENCE_FORECASTERS.items()
    }
    return {name: errors_of(row, setting, horizon) for name, row in made.items()}


def fit_both(
    setting: Setting,
    horizon: int,
    seed: int,
    *,
    known: Covariates | None = None,
    refit: bool = True,
) -> tuple[Fit, Fit]:
    """Fit the default forecaster on the training part, and then as it is judged.

    Options and the use of covariates (T,K) are those of the first; where ``refit`` is True the
    second has weights from training and validation part, else it is the first.
    """
    folds, rng = _folds_until(setting, horizon, False), np.random.default_rng(seed)
    given = [] if known is None else [known[: setting.borders.validation]]
    first, effect = fit_forecaster(folds, setting.season, rng, known=given or None)
    early = Fit(first, _without_covariates(setting, effect, known), effect is not None)
    if not refit:
        return early, early
    later = _folds_until(setting, horizon, True)
    if effect is not None:
        effect = refit_effect(effect, later, given, setting.season)
        later = without_effect(later, effect, given)
    last = refit_forecaster(first, later, setting.season)
    return early, Fit(last, _without_covariates(setting, effect, known), effect is not None)


def _without_covariates(
    setting: Setting, effect: KnownEffect | None, known: Covariates | None
) -> Setting:
    """Return the series less the effect of covariates, where there is one."""
    if effect is None or known is None:
        return setting
    return setting._replace(values=setting.values - effect.of(known))


def _folds_until(setting: Setting, horizon: int, validation: bool) -> BlockedFolds:
    """Return folds of training and validation part, of which the former or both are fitted on."""
    folds = setting.folds(horizon)
    return replace(folds, fit_end=(setting.borders.validation,)) if validation else folds


def backtest_calibration(early: Fit, last: Fit, setting: Setting) -> Calibration:
    """Calibrate the intervals of the forecaster that forecasts the test part.

    They begin with windows of the validation part as the early fit, on the training part alone,
    forecasts them.
    """
    train, validation, _ = setting.borders
    horizon = last.forecaster.horizon
    stop = validation + horizon - 1  # no window that begins in the test part
    tuned = residuals_of(early.forecaster.single(), early.setting, horizon, train, stop)
    after = tuned.then(residuals_of(last.forecaster.single(), last.setting, horizon, validation))
    folds = _folds_until(early.setting, horizon, False)
    before = cross_conformal_residuals(early.forecaster.linear, folds, setting.season)
    return calibration_of(after, before, setting)


def errors_of(forecaster: Forecasting, setting: Setting, horizon: int) -> Errors:
    """Return the mean errors over every window of the test part."""
    squares = sizes = count = 0.0
    first = setting.borders.validation
    for past, future in windows_between(setting, forecaster.look_back, horizon, first):
        residuals = forecaster.predict(past) - future
        squares += float(np.sum(residuals * residuals, dtype=np.float64))
        sizes += float(np.sum(np.abs(residuals), dtype=np.float64))
        count += residuals.size
    return Errors(squares / count, sizes / count)
