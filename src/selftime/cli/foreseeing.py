"""``selftime forecast`` and ``selftime backtest``: what comes next, and how well it was told."""

import math
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from selftime.cli import terminal
from selftime.cli.looking import PICTURES
from selftime.cli.outputs import TABLES, check_file, write_file
from selftime.cli.sources import Reader
from selftime.engine.model import load
from selftime.report.coverage import coverage_picture
from selftime.report.forecasts import forecast_picture
from selftime.report.palette import save_picture
from selftime.tasks.forecasting import backtest as tasks
from selftime.tasks.forecasting.backtest import Backtest
from selftime.tasks.forecasting.calibration import Calibration
from selftime.tasks.forecasting.fitting import ForecastOrder, fit_series

LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
"""Quantiles that are written: the ends of intervals of 80 % and 95 %, and the median."""


class Outlook(NamedTuple):
    """What is to be forecast, and how.

    Attributes:
        data: where the histories are.
        horizon: how many steps.
        model: model folder or run folder whose vectors may help, or None.
        season: steps of a season; None to look for it.
        seed: fixes everything random.
        picture: where a picture should go, if one is wanted.
        covariates: channels that are given, not forecast.
        future: where their future is, if it is needed.
        strategy: how the model is used.
    """

    data: str
    horizon: int
    model: str | None = None
    season: int | None = None
    seed: int = 0
    picture: str | None = None
    covariates: tuple[str, ...] = ()
    future: str | None = None
    strategy: str = "probe"


class Hindsight(NamedTuple):
    """What is to be forecast in hindsight.

    Attributes:
        file: where the series is.
        horizons: steps ahead.
        protocol: how it is cut.
        seed: fixes everything random.
        picture: where the calibration plot should go, if one is wanted.
        refit: whether weights come from the validation part too.
        covariates: channels that are given, not forecast.
    """

    file: str
    horizons: tuple[int, ...]
    protocol: str
    seed: int = 0
    picture: str | None = None
    refit: bool = True
    covariates: tuple[str, ...] = ()


def names_in(text: str | None) -> tuple[str, ...]:
    """Names of channels from ``temperature,holiday``; none from None."""
    return tuple(name.strip() for name in text.split(",")) if text else ()


def horizons_in(text: str) -> tuple[int, ...]:
    """Steps ahead from ``96,192``, each once, in the order given.

    Raises:
        ValueError: not positive numbers.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ValueError(f"got --horizons {text!r}, wanted positive numbers, such as 96,192")
    return tuple(dict.fromkeys(map(int, words)))


def forecast(order: Outlook, read: Reader, *, out: str, force: bool, as_json: bool) -> None:
    """Write forecasts and quantiles of every series, and a picture if asked."""
    target = Path(out)
    check_file(target, TABLES, force=force)
    if order.picture:
        check_file(Path(order.picture), PICTURES, force=force)
    series = read(order.data)
    model = load(order.model) if order.model else None
    asked = ForecastOrder(
        order.horizon, LEVELS, order.season, model, order.strategy, order.covariates, order.seed
    )
    with terminal.progress() as told:
        told("fitting", 0, 1)
        fitted = fit_series(series, asked, told)
    found = fitted.forecasts(series, read(order.future) if order.future else None)
    reason = fitted.cases.reason
    write_file(target, TABLES[target.suffix.lower()](found.columns()))
    lines = [f"{len(series):,} series, {order.horizon} steps ahead: {out}", reason]
    if order.picture:
        save_picture(
            forecast_picture(fitted.targets(series), found, title=order.data),
            Path(order.picture),
        )
        lines.append(f"Picture: {order.picture}")
    result = {
        "out": out,
        "series": len(series),
        "horizon": order.horizon,
        "season": fitted.cases.season,
        "features": reason,
        "picture": order.picture,
    }
    terminal.show(result, *lines, as_json=as_json)


def backtest(trial: Hindsight, read: Reader, *, force: bool, as_json: bool) -> None:
    """Print errors on the test part beside those of the reference rows, and what intervals held."""
    if trial.picture:
        check_file(Path(trial.picture), PICTURES, force=force)
    series = read(trial.file)
    with terminal.progress() as told:
        found = tasks.backtest(
            series,
            trial.horizons,
            protocol=trial.protocol,
            refit=trial.refit,
            covariates=trial.covariates,
            seed=trial.seed,
            progress=told,
        )
    lines = [
        f"Weights of all rows but one are from the {found.fitted_on}.",
        f"{found.seconds:.1f} s to choose, fit and forecast, references and intervals left out.",
    ]
    if not trial.refit:
        lines[0] = f"Weights are from the {found.fitted_on} alone."
    if trial.picture:
        save_picture(coverage_picture(found.calibrations, title=trial.file), Path(trial.picture))
        lines.append(f"Picture: {trial.picture}")
    terminal.show(found.to_dict(), _table_of(found), *lines, as_json=as_json)


def _table_of(found: Backtest) -> Table:
    """Mean squared error of every row, a column a horizon; absolute error in brackets."""
    table = Table("", *map(str, found.errors), title="MSE (MAE) of standardised values")
    rows: dict[str, Any] = {"selftime": found.errors, **found.references}
    for name, errors in rows.items():
        table.add_row(name, *(f"{e.mse:.3f} ({e.mae:.3f})" for e in errors.values()))
    table.add_section()
    for share in (0.8, 0.95):
        held = [held_words(one, share) for one in found.calibrations.values()]
        table.add_row(f"held in intervals of {100 * share:.0f} %", *held)
    return table


def held_words(one: Calibration, share: float) -> str:
    """``79.5 ± 1.2 %``: what an interval held, and the standard error of it where it is known."""
    doubt = one.errors.get(share, math.nan)
    error = "" if math.isnan(doubt) else f" ± {100 * doubt:.1f}"
    return f"{100 * one.coverage[share]:.1f}{error} %"
