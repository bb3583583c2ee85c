"""Series in, forecasts out: fitted on all histories, with intervals, names and times."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.data.series import SeriesError, SeriesSet
from selftime.engine.model import Model
from selftime.progress import Progress, silent
from selftime.tasks.forecasting.covariates import (
    Covariates,
    KnownChannels,
    KnownEffect,
    histories_of,
    refit_effect,
    without_effect,
)
from selftime.tasks.forecasting.features import FEATURE_CHUNK, FeatureMap, ModelVectors
from selftime.tasks.forecasting.folds import BlockedFolds, cut_folds
from selftime.tasks.forecasting.forecasters import (
    FittedForecaster,
    History,
    WindowForecaster,
    fit_forecaster,
    refit_forecaster,
    typical_season,
)
from selftime.tasks.forecasting.intervals import AdaptiveQuantiles, recent_std
from selftime.tasks.forecasting.network import check_strategy, finetune_forecaster
from selftime.tasks.forecasting.protocols import channel_scale

_HELD_OUT_SHARE = 0.2
"""Share at the end of each series that intervals are measured on."""
MOST_JUDGED = 2000
"""About how many held-out windows the intervals come from."""


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Forecasts of each series, with quantiles.

    Attributes:
        ids: (N,) names of the series.
        channels: C names.
        mean: (N,C,H) forecasts, in the units of the series.
        quantiles: (N,Q,C,H) in ascending order of the levels.
        levels: Q levels between 0 and 1.
        times: (N,H) times of the steps, where the series carry times; else None.
    """

    ids: np.ndarray
    channels: tuple[str, ...]
    mean: Float[np.ndarray, "N C H"]
    quantiles: Float[np.ndarray, "N Q C H"]
    levels: tuple[float, ...]
    times: np.ndarray | None = None

    def columns(self) -> dict[str, np.ndarray]:
        """Return a row per series and step: ``unique_id``, ``ds`` or ``step``, values, quantiles.

        A quantile is named after its channel and level, such as ``OT_q0.9``.
        """
        N, C, H = self.mean.shape
        out: dict[str, np.ndarray] = {"unique_id": np.repeat(self.ids, H)}
        if self.times is None:
            out["step"] = np.tile(np.arange(1, H + 1), N)
        else:
            out["ds"] = self.times.ravel()
        for c, name in enumerate(self.channels):
            out[name] = self.mean[:, c].ravel()
            for q, level in enumerate(self.levels):
                out[f"{name}_q{level:g}"] = self.quantiles[:, q, c].ravel()
        return out


def following_times(series: SeriesSet, horizon: int) -> np.ndarray | None:
    """Return times after the last of each series, a typical step apart (N,H); None without times.

    The typical step is the median, so that a gap or a late reading does not set the clock.
    """
    if series.times is None or (series.lengths < 2).any():
        return None
    rows = []
    for first, last in zip(series.offsets[:-1], series.offsets[1:], strict=True):
        own = series.times[first:last]
        steps = np.diff(own)
        step = np.sort(steps)[len(steps) // 2]
        rows.append(own[-1] + step * np.arange(1, horizon + 1))
    return np.stack(rows)


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
    """

    horizon: int
    levels: tuple[float, ...]
    season: int | None = None
    model: Model | None = None
    strategy: str = "probe"
    covariates: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, eq=False)
class FittedSeries:
    """A forecaster of series with the channels it was fitted on, covariates included."""

    config: ForecastConfig
    cases: FittedForecaster
    channels: tuple[str, ...]

    def targets(self, series: SeriesSet) -> SeriesSet:
        """Return the series with the channels to forecast alone."""
        return KnownChannels(self.config.covariates).targets(series)

    def forecasts(self, series: SeriesSet, future: SeriesSet | None = None) -> Forecasts:
        """Forecast what follows each history, given the covariates of the steps ahead."""
        if series.n_channels != len(self.channels):
            raise SeriesError(
                f"got series of {series.n_channels} channels, wanted {len(self.channels)} "
                f"({', '.join(self.channels)}): give the same channels as in fit"
            )
        given, known = KnownChannels(self.config.covariates), None
        targets, past = given.targets(series), given.past(series)
        horizon, levels = self.config.horizon, self.config.levels
        if past is not None:
            ahead = given.ahead(past, future, series.ids, horizon)
            known = list(zip(past, ahead, strict=True))
        every = self.cases.predict(histories_of(targets), known)  # (N,1+Q,C,H)
        ids, times = targets.ids.astype(str), following_times(targets, horizon)
        return Forecasts(ids, targets.channels, every[:, 0], every[:, 1:], levels, times)


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
    targets, past = given.targets(series), given.past(series)
    check_strategy(config.strategy, model, config.covariates)
    histories = histories_of(targets)
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
        return FittedSeries(config, cases, series.channels)
    progress("fitting", 0, 1)
    features = None if model is None else ModelVectors(model, targets.n_channels).of
    cases = fit_histories(histories, config, features, past)
    progress("fitting", 1, 1)
    return FittedSeries(config, cases, series.channels)


def fit_histories(
    histories: Sequence[History],
    config: ForecastConfig,
    features: FeatureMap | None = None,
    known: Sequence[Covariates] | None = None,
) -> FittedForecaster:
    """Fit on every window of all series; intervals come from a fit that had not seen the ends.

    Features are those of a pretrained model; None learns closed-form ones.
    """
    season = config.season or typical_season(histories)
    scaled = [channel_scale(history).apply(history) for history in histories]
    rng, folds = np.random.default_rng(config.seed), cut_folds(scaled, config.horizon)
    fitted, effect = fit_forecaster(folds, season, rng, features, known)
    seen = None if effect is None or known is None else (effect, known)
    offsets = residual_quantiles(scaled, fitted, config.levels, season, seen)
    reason = reason_of(fitted, effect, given=known is not None)
    return FittedForecaster(fitted, offsets, season, reason, effect)


def reason_of(fitted: WindowForecaster, effect: KnownEffect | None, *, given: bool) -> str:
    """Say whether features were accepted, and covariates where some were given."""
    words = fitted.gains_in_words()
    if fitted.linear.is_persistence:
        why = "held-out folds do not agree that the past tells more"
        words = f"the last value is repeated: {why}; {words}"
    if not given:
        return words
    if effect is None:
        return f"{words}; covariates were left out: held-out folds do not agree on them"
    return f"{words}; the effect of covariates is taken out and added again"


def residual_quantiles(
    scaled: Sequence[History],
    fitted: WindowForecaster,
    levels: Sequence[float],
    season: int,
    seen: tuple[KnownEffect, Sequence[Covariates]] | None = None,
) -> Float[np.ndarray, "Q C H"]:
    """Return quantiles of residuals at the ends of the series, by a fit that has not seen them.

    Of a single series quantiles follow the residuals to the last that is known; of many series
    all windows count alike. The effect of the covariates in ``seen`` is taken out first.
    """
    horizon = fitted.horizon
    ends = [len(h) - max(int(_HELD_OUT_SHARE * len(h)), horizon) for h in scaled]
    if seen is not None:
        whole = BlockedFolds(tuple(scaled), (), tuple(ends), fitted.look_back, horizon)
        effect = refit_effect(seen[0], whole, seen[1], season)
        scaled = without_effect(whole, effect, seen[1]).histories
    before = [h[:end] for h, end in zip(scaled, ends, strict=True) if end > 0]
    judge = refit_forecaster(fitted, cut_folds(before, horizon), season)
    ratios = residuals_after(scaled, ends, judge)
    if len(scaled) > 1:
        return np.asarray(np.quantile(ratios, levels, axis=0))
    following = AdaptiveQuantiles.of(np.moveaxis(ratios, 2, 0), levels)
    for first in range(0, len(ratios), following.rows):
        following.follow(ratios[first : first + following.rows])
    return np.moveaxis(following.now, 2, 0)


def residuals_after(
    scaled: Sequence[History], ends: Sequence[int], judge: WindowForecaster
) -> Float[np.ndarray, "N C H"]:
    """Return residuals of windows after the ends, in units of the std of the window.

    Of a single series every window counts, of many some that are spread evenly.
    """
    L, H = judge.look_back, judge.horizon
    edges = [np.array([max(end, L), len(h)]) for h, end in zip(scaled, ends, strict=True)]
    held = BlockedFolds(tuple(scaled), tuple(edges), tuple(ends), L, H)
    origins = held.origins(held.fold_spans(0))
    if len(scaled) > 1:
        origins = origins[:: max(1, len(origins) // MOST_JUDGED)]
    found: list[np.ndarray] = []
    for first in range(0, len(origins), FEATURE_CHUNK):
        past, future = held.windows(origins[first : first + FEATURE_CHUNK])
        found.append((future - judge.predict(past)) / recent_std(past)[:, :, None])
    return np.concatenate(found)
