"""Series in, forecasts out: fitted on all histories, with intervals, names and times."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from selftime.data.channels import match_channels
from selftime.data.grid import clocks_of, on_grid, starts_of
from selftime.data.series import SeriesError, SeriesSet
from selftime.engine.model import Model
from selftime.progress import Progress, silent
from selftime.tasks.forecasting.covariates import (
    Covariates,
    KnownChannels,
    KnownEffect,
    fit_effect,
)
from selftime.tasks.forecasting.features import FeatureMap, ModelVectors
from selftime.tasks.forecasting.folds import cut_folds
from selftime.tasks.forecasting.forecasters import (
    FittedForecaster,
    Values,
    WindowForecaster,
    fit_forecaster,
    typical_season,
)
from selftime.tasks.forecasting.forecasts import Forecasts, following_times
from selftime.tasks.forecasting.futures import future_rows
from selftime.tasks.forecasting.histories import (
    SHORTEST,
    History,
    count_floors,
    histories_in,
    histories_in_words,
)
from selftime.tasks.forecasting.intervals import (
    recent_std,
)
from selftime.tasks.forecasting.network import check_strategy, finetune_forecaster
from selftime.tasks.forecasting.protocols import channel_scale
from selftime.tasks.forecasting.residuals import Counting, less_effect, residual_quantiles
from selftime.tasks.forecasting.shapes import TableShape, is_table
from selftime.tasks.forecasting.smoothing import Smoothing


class ForecastConfig(NamedTuple):
    """Options of a forecaster.

    Attributes:
        horizon: future steps.
        levels: quantiles, ascending.
        season: steps of a season; None to look for it.
        model: pretrained, or None.
        strategy: how the model is used.
        covariates: names of channels that are given, not forecast.
        seed: fixes everything random.
        lower: the least that can be forecast; "auto" is 0 for counts, None for no floor.
    """

    horizon: int
    levels: tuple[float, ...]
    season: int | None = None
    model: Model | None = None
    strategy: str = "probe"
    covariates: tuple[str, ...] = ()
    seed: int = 0
    lower: int | float | Literal["auto"] | None = "auto"


@dataclass(frozen=True, eq=False)
class FittedSeries:
    """A forecaster of series with the channels it was fitted on, covariates included.

    The notes say what was decided in fitting.
    """

    config: ForecastConfig
    cases: FittedForecaster
    channels: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def targets(self, series: SeriesSet) -> SeriesSet:
        """Return the series with the channels to forecast alone."""
        return KnownChannels(self.config.covariates).targets(series)

    def forecasts(self, series: SeriesSet, future: SeriesSet | None = None) -> Forecasts:
        """Forecast what follows each history, given the covariates of the steps ahead."""
        series = match_channels(series, self.channels)
        clocks = clocks_of(series)
        whole = on_grid(series, clocks)
        given, known = KnownChannels(self.config.covariates), None
        targets, past = given.targets(whole), given.past(whole)
        horizon, levels = self.config.horizon, self.config.levels
        rows = None
        if past is not None:
            rows = None if future is None else future_rows(whole, future, horizon, clocks)
            known = list(zip(past, given.ahead(whole, rows, horizon), strict=True))
        histories = histories_in(targets)
        every = self.cases.predict(
            [h.values for h in histories],
            known,
            [h.gaps for h in histories],
            starts_of(whole, clocks),
        )  # (N,1+Q,C,H)
        table = self.cases.table is not None
        times, why = following_times(whole, clocks, horizon)
        notes = (
            *whole.notes[len(series.notes) :],
            *histories_in_words(targets, histories, table=table),
            *why,
        )
        found = Forecasts(
            targets.ids,
            targets.channels,
            every[:, 0],
            every[:, 1:],
            levels,
            times,
            series.stamps,
            histories=given.targets(series),
        )
        ahead = (*rows.notes, *given.gaps_in_words(rows)) if rows else ()
        said = (*notes, *ahead, *found.other_names())
        return replace(found, notes=said)


def fit_series(
    series: SeriesSet, config: ForecastConfig, progress: Progress = silent
) -> FittedSeries:
    """Fit a forecaster on histories.

    Args:
        series: histories.
        config: options.
        progress: called after each step where a network is trained, else before and after.

    Raises:
        SeriesError: series too short for the horizon, covariates that there are not, or a model
            made for other channels.
        ValueError: an unknown strategy, or one that cannot be.
    """
    given, model = KnownChannels(config.covariates), config.model
    clocks = clocks_of(series)
    whole = on_grid(series, clocks)
    targets, past = given.targets(whole), given.past(whole)
    check_strategy(config.strategy, model, config.covariates)
    every = histories_in(targets)
    kept = [i for i, h in enumerate(every) if h.end >= SHORTEST] or list(range(len(every)))
    histories = [every[i].values[: every[i].end] for i in kept]
    if past is not None:
        past = [past[i][: every[i].end] for i in kept]
    if model is not None and config.strategy != "probe":
        cases = finetune_forecaster(
            histories,
            config.horizon,
            model,
            config.strategy,
            levels=config.levels,
            seed=config.seed,
            progress=progress,
        )
    else:
        progress("fitting", 0, 1)
        features = None if model is None else ModelVectors(model, targets.n_channels).of
        starts = starts_of(whole, clocks)
        starts = None if starts is None else starts[kept]
        cases = fit_histories(histories, config, features, past, starts)
        progress("fitting", 1, 1)
    table = cases.table is not None
    floor, why = floors_in_words(config.lower, every, targets.channels)
    notes = (*whole.notes[len(series.notes) :], *histories_in_words(targets, every, table=table))
    reason = "; ".join((cases.reason, *why, *notes))
    unit = np.median([usual_move(history) for history in histories], axis=0)
    cases = replace(cases, reason=reason, unit=unit, floor=floor)
    return FittedSeries(config, cases, series.channels, notes)


def usual_move(history: Values) -> Float[np.ndarray, "C"]:
    """Return how much each channel moves in the last steps, in its own units."""
    scale = channel_scale(history)
    return np.asarray(scale.sd * recent_std(scale.apply(history).T[None])[0])


def floors_in_words(
    lower: int | float | Literal["auto"] | None,
    histories: Sequence[History],
    channels: Sequence[str],
) -> tuple[Float[np.ndarray, "C"] | None, tuple[str, ...]]:
    """Return the floor of each channel (-infinity for none) and what is said of it."""
    if lower is None:
        return None, ()
    if lower != "auto":
        return np.full(len(channels), float(lower)), (f"nothing is forecast below {lower:g}",)
    floor = count_floors(histories)
    counts = [name for name, low in zip(channels, floor, strict=True) if low == 0]
    if not counts:
        return None, ()
    which = "" if len(counts) == len(channels) else f" of {', '.join(counts)}"
    return floor, (
        f"nothing{which} is forecast below 0, as all values are whole numbers from 0 on",
    )


def fit_histories(
    histories: Sequence[Values],
    config: ForecastConfig,
    features: FeatureMap | None = None,
    known: Sequence[Covariates] | None = None,
    starts: Int64[np.ndarray, "N"] | None = None,
) -> FittedForecaster:
    """Fit on every window of all series; intervals come from a fit that had not seen the ends.

    Features are those of a pretrained model; None learns closed-form ones. Many short series are
    counted as a table, from steps of time (``starts``) on where they are dated.
    """
    many, season = is_table(histories), config.season
    if season is None and many and known is not None:
        season = season_beside(histories, starts, known, config)
    counting = Counting(starts, season or typical_season(histories), many)
    if counting.is_table and not helps_as_table(histories, counting, config, features, known):
        counting = counting._replace(is_table=False)
    fitted = fit_counted(histories, counting, config, features, known)
    seen = None if fitted.effect is None or known is None else (fitted.effect, known)
    judged: WindowForecaster = fitted.forecaster  # type: ignore[assignment]
    offsets = residual_quantiles(histories, counting, judged, config.levels, seen)
    return replace(fitted, offsets=offsets)


def season_beside(
    histories: Sequence[Values],
    starts: Int64[np.ndarray, "N"] | None,
    known: Sequence[Covariates],
    config: ForecastConfig,
) -> int:
    """Return the season of many short series less the effect of covariates, which may hide it."""
    scaled = Counting(starts, 1, is_table=True).of(histories)[1]
    folds, rng = cut_folds(scaled, config.horizon), np.random.default_rng(config.seed)
    return typical_season(less_effect(scaled, (fit_effect(folds, known, 1, rng), known)))


def fit_counted(
    histories: Sequence[Values],
    counting: Counting,
    config: ForecastConfig,
    features: FeatureMap | None,
    known: Sequence[Covariates] | None,
) -> FittedForecaster:
    """Fit on every window of all series in given units; nothing is known yet of residuals."""
    season, (table, scaled) = counting.season, counting.of(histories)
    rng, folds = np.random.default_rng(config.seed), cut_folds(scaled, config.horizon)
    fitted, effect = fit_forecaster(folds, season, rng, features, known, counting.memory)
    seen = None if effect is None or known is None else (effect, known)
    smoothing = Smoothing.of(less_effect(scaled, seen)) if counting.is_table else None
    reason = reason_of(fitted, effect, table, given=known is not None)
    none = np.zeros((len(config.levels), scaled[0].shape[1], config.horizon))
    return FittedForecaster(fitted, none, season, reason, effect, table=table, smoothing=smoothing)


def helps_as_table(
    histories: Sequence[Values],
    counting: Counting,
    config: ForecastConfig,
    features: FeatureMap | None,
    known: Sequence[Covariates] | None,
) -> bool:
    """Return whether the last horizon is forecast better as a table than each series by itself.

    Both are fitted on what was before it. Series that are too short for that stay a table.
    """
    H = config.horizon
    rows = [i for i, h in enumerate(histories) if len(h) >= H + SHORTEST]
    before = [histories[i][:-H] for i in rows]
    past = None if known is None else [known[i][: len(histories[i]) - H] for i in rows]
    ahead = None
    if known is not None:
        last = [known[i][len(histories[i]) - H : len(histories[i])] for i in rows]
        ahead = list(zip(past or (), last, strict=True))
    starts = None if counting.starts is None else counting.starts[rows]
    errors = []
    for joined in (True, False):
        how = Counting(starts, counting.season, joined)
        try:
            fitted = fit_counted(before, how, config, features, past)
        except SeriesError:
            return True
        found = fitted.predict(before, ahead, starts=starts)[:, 0]
        off = np.stack([histories[i][-H:].T for i in rows]) - found  # (N,C,H)
        unit = np.stack([channel_scale(h).sd for h in before])[:, :, None]
        errors.append(float(np.abs(off / unit).mean()))
    return errors[0] <= errors[1]


def reason_of(
    fitted: WindowForecaster,
    effect: KnownEffect | None,
    table: TableShape | None = None,
    *,
    given: bool,
) -> str:
    """Say how many short series were counted, and what was accepted and left out."""
    words = fitted.gains_in_words()
    if fitted.linear.is_persistence:
        why = "held-out folds do not agree that the past tells more"
        what = "last value" if fitted.linear.options[0].memory == 1 else "level"
        words = f"the {what} is repeated: {why}; {words}"
    if table is not None:
        words = f"{table.in_words()}; {words}"
    if not given:
        return words
    if effect is None:
        return f"{words}; covariates were left out: held-out folds do not agree on them"
    return f"{words}; the effect of covariates is taken out and added again"
