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
    refit_effect,
)
from selftime.tasks.forecasting.features import FEATURE_CHUNK, FeatureMap, ModelVectors
from selftime.tasks.forecasting.folds import LOOK_BACKS, BlockedFolds, cut_folds
from selftime.tasks.forecasting.forecasters import (
    FittedForecaster,
    Values,
    WindowForecaster,
    fit_forecaster,
    recent_windows,
    refit_forecaster,
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
    AdaptiveQuantiles,
    pooled_quantiles,
    recent_std,
)
from selftime.tasks.forecasting.network import check_strategy, finetune_forecaster
from selftime.tasks.forecasting.protocols import channel_scale
from selftime.tasks.forecasting.shapes import TABLE_MEMORY, TableShape, is_table
from selftime.tasks.forecasting.smoothing import Smoothing

_HELD_OUT_SHARE = 0.2
"""Share at the end of each series that intervals are measured on."""
MOST_JUDGED = 2000
"""About how many held-out windows the intervals come from."""


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
        said = (*notes, *(rows.notes if rows else ()), *found.other_names())
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
    season = config.season or typical_season(histories)
    counting = Counting(starts, season, is_table(histories))
    table, scaled = counting.of(histories)
    rng, folds = np.random.default_rng(config.seed), cut_folds(scaled, config.horizon)
    fitted, effect = fit_forecaster(folds, season, rng, features, known, counting.memory)
    seen = None if effect is None or known is None else (effect, known)
    offsets = residual_quantiles(histories, counting, fitted, config.levels, seen)
    smoothing = Smoothing.of(less_effect(scaled, seen)) if counting.is_table else None
    reason = reason_of(fitted, effect, table, given=known is not None)
    return FittedForecaster(
        fitted, offsets, season, reason, effect, table=table, smoothing=smoothing
    )


class Counting(NamedTuple):
    """Units of histories: each has its own scale, or all are a table where they are many.

    Attributes:
        starts: steps of time at which they begin; None where they are not dated.
        season: steps of a season.
        is_table: True for many short ones.
    """

    starts: Int64[np.ndarray, "N"] | None
    season: int
    is_table: bool

    @property
    def memory(self) -> float:
        """Share of the last value in the level of a window."""
        return TABLE_MEMORY if self.is_table else 1.0

    def of(
        self, histories: Sequence[Values], ends: Sequence[int] | None = None
    ) -> tuple[TableShape | None, list[Values]]:
        """Return what series have in common, and each in its units, from their steps up to ends."""
        if not self.is_table:
            return None, [channel_scale(history).apply(history) for history in histories]
        before = [h[:end] for h, end in zip(histories, ends, strict=True)] if ends else histories
        table = TableShape.of(before, self.starts, self.season)
        return table, table.apply(histories, self.starts, 0, ends).histories


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


def residual_quantiles(
    histories: Sequence[Values],
    counting: Counting,
    fitted: WindowForecaster,
    levels: Sequence[float],
    seen: tuple[KnownEffect, Sequence[Covariates]] | None = None,
) -> Float[np.ndarray, "Q C H"]:
    """Return quantiles of residuals at the ends of the series, by a fit that has not seen them.

    Of a single series quantiles follow the residuals to the last that is known; of many series
    all windows count alike. The effect of the covariates in ``seen`` is taken out first.
    """
    horizon, season = fitted.horizon, counting.season
    ends = [len(h) - max(int(_HELD_OUT_SHARE * len(h)), horizon) for h in histories]
    scaled = counting.of(histories, [max(end, 1) for end in ends])[1]
    if seen is not None:
        whole = BlockedFolds(tuple(scaled), (), tuple(ends), fitted.look_back, horizon)
        scaled = less_effect(scaled, (refit_effect(seen[0], whole, seen[1], season), seen[1]))
    before = [h[:end] for h, end in zip(scaled, ends, strict=True) if end > 0]
    try:
        folds = cut_folds(before, horizon)
    except SeriesError:
        raise SeriesError(
            f"got horizon {horizon} and series of at most {max(map(len, histories))} steps, wanted "
            f"at least {3 * horizon + min(LOOK_BACKS)} to fit and to hold out one horizon for "
            "intervals: shorten the horizon"
        ) from None
    judge = refit_forecaster(fitted, folds, season)
    if counting.is_table:  # whose unit is that of each series
        return pooled_quantiles(table_residuals(scaled, ends, judge, before), levels)
    residuals, std = residuals_after(scaled, ends, judge)
    ratios = residuals / std[:, :, None]
    if len(scaled) > 1:
        return np.asarray(np.quantile(ratios, levels, axis=0))
    following = AdaptiveQuantiles.of(np.moveaxis(ratios, 2, 0), levels)
    for first in range(0, len(ratios), following.rows):
        following.follow(ratios[first : first + following.rows])
    return np.moveaxis(following.now, 2, 0)


def less_effect(
    scaled: Sequence[Values], seen: tuple[KnownEffect, Sequence[Covariates]] | None
) -> list[Values]:
    """Return scaled series less the effect of covariates, where there is one."""
    if seen is None:
        return list(scaled)
    return [h - seen[0].of(z[: len(h)]) for h, z in zip(scaled, seen[1], strict=True)]


def table_residuals(
    scaled: Sequence[Values],
    ends: Sequence[int],
    judge: WindowForecaster,
    before: Sequence[Values],
) -> Float[np.ndarray, "N C H"]:
    """Return residuals of forecasts after the ends, one horizon apart, of all series."""
    H, smoothing, found = judge.horizon, Smoothing.of(before), []
    most = max(len(h) - end for h, end in zip(scaled, ends, strict=True))
    for later in range(0, most - H + 1, H):
        cuts = [end + later for end in ends]
        some = [i for i, cut in enumerate(cuts) if 0 < cut <= len(scaled[i]) - H]
        past = [scaled[i][: cuts[i]] for i in some]
        forecast = judge.predict(recent_windows(past, judge.look_back))
        forecast = (forecast + smoothing.predict(past, H)) / 2
        truth = np.stack([scaled[i][cuts[i] : cuts[i] + H].T for i in some])
        found.append(truth - forecast)
    return np.concatenate(found)


def residuals_after(
    scaled: Sequence[Values], ends: Sequence[int], judge: WindowForecaster
) -> tuple[Float[np.ndarray, "N C H"], Float[np.ndarray, "N C"]]:
    """Return residuals of windows after the ends, and the std of each window.

    Of a single series every window counts, of many some that are spread evenly.
    """
    L, H = judge.look_back, judge.horizon
    edges = [np.array([max(end, L), len(h)]) for h, end in zip(scaled, ends, strict=True)]
    held = BlockedFolds(tuple(scaled), tuple(edges), tuple(ends), L, H)
    origins = held.origins(held.fold_spans(0))
    if len(scaled) > 1:
        origins = origins[:: max(1, len(origins) // MOST_JUDGED)]
    found, std = [], []
    for first in range(0, len(origins), FEATURE_CHUNK):
        past, future = held.windows(origins[first : first + FEATURE_CHUNK])
        found.append(future - judge.predict(past))
        std.append(recent_std(past))
    return np.concatenate(found), np.concatenate(std)
