"""Forecasts for many series at once: scaled, fitted on all they hold, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from selftime.data.periods import season_of
from selftime.tasks.forecasting.covariates import (
    Covariates,
    KnownEffect,
    refitted_effect,
    without_effect,
)
from selftime.tasks.forecasting.features import FEATURE_CHUNK, FeatureMap, fit_correction
from selftime.tasks.forecasting.folds import BlockedFolds, cut_folds
from selftime.tasks.forecasting.forecasters import WindowForecaster, fit_forecaster, gains_in_words
from selftime.tasks.forecasting.intervals import AdaptiveQuantiles, recent_std
from selftime.tasks.forecasting.linear import fitted_map
from selftime.tasks.forecasting.protocols import Forecasting, channel_scale

_WHY_PERSISTENCE = "held-out blocks do not agree that the past tells more"
"""Why nothing but the last value is used."""
_HELD_OUT_SHARE = 0.2
"""Share at the end of each series that intervals are measured on."""
TYPICAL = 20
"""Series in which a season is looked for."""
MOST_JUDGED = 2000
"""About how many held-out windows the intervals come from."""

History = Float[np.ndarray, "_ C"]
KnownCovariates = tuple[Covariates, Covariates]
"""Covariates of a past (T,K) and of the steps after it (H,K)."""


@dataclass(frozen=True, eq=False)
class FittedForecaster:
    """A forecaster of series in their own units.

    Attributes:
        forecaster: of scaled windows, without the effect of covariates.
        offsets: (Q,C,H) quantiles of what forecasts miss, in units of the spread of the window.
        season: steps of a season, 1 without one.
        reason: in words, what was accepted and what was left out.
        effect: of covariates, in scaled units; None where they are not used.
    """

    forecaster: Forecasting
    offsets: Float[np.ndarray, "Q C H"]
    season: int
    reason: str
    effect: KnownEffect | None = None

    def predict(
        self, histories: Sequence[History], known: Sequence[KnownCovariates] | None = None
    ) -> Float[np.ndarray, "N Q1 C H"]:
        """The forecast of each series, then its quantiles, in the units of the series.

        Args:
            histories: what was seen of each series.
            known: covariates of each, of its past and of the steps that are forecast.
        """
        L = self.forecaster.look_back
        scales = [channel_scale(history) for history in histories]
        scaled = [s.apply(history) for s, history in zip(scales, histories, strict=True)]
        effects = self._effects(scaled, known)
        past = np.stack(
            [last_steps(h - e[: len(h)], L).T for h, e in zip(scaled, effects, strict=True)]
        )  # (N,C,L)
        ahead = np.stack([e[len(h) :].T for h, e in zip(scaled, effects, strict=True)])
        forecast = (self.forecaster.predict(past) + ahead)[:, None]  # (N,1,C,H)
        spread = recent_std(past)[:, None, :, None]
        every = np.concatenate([forecast, forecast + self.offsets * spread], axis=1)
        sd = np.stack([s.sd for s in scales])[:, None, :, None]
        mean = np.stack([s.mean for s in scales])[:, None, :, None]
        return np.asarray(every * sd + mean, np.float64)

    def _effects(
        self, scaled: Sequence[History], known: Sequence[KnownCovariates] | None
    ) -> list[Float[np.ndarray, "_ C"]]:
        """The effect at each step of the past and of the future of each series; 0 without one."""
        if self.effect is None or known is None:
            H = self.offsets.shape[2]
            return [np.zeros((len(h) + H, h.shape[1])) for h in scaled]
        return [self.effect.of(np.concatenate(both)) for both in known]


def fit_histories(  # noqa: PLR0913 - all that a fit depends on
    histories: Sequence[History],
    horizon: int,
    *,
    levels: Sequence[float],
    season: int | None,
    seed: int = 0,
    features: FeatureMap | None = None,
    known: Sequence[Covariates] | None = None,
) -> FittedForecaster:
    """Fit on every window of all series; intervals come from a fit that had not seen the ends.

    Args:
        histories: series without gaps, in their own units.
        horizon: future steps.
        levels: quantiles.
        season: steps of a season; None to look for it.
        seed: fixes the random features.
        features: those of a pretrained model; None learns closed-form ones.
        known: covariates of each series, without gaps.

    Raises:
        SeriesError: series too short for the horizon.
    """
    season = season or typical_season(histories)
    scaled = [channel_scale(history).apply(history) for history in histories]
    rng, blocks = np.random.default_rng(seed), cut_folds(scaled, horizon)
    fitted, effect = fit_forecaster(blocks, season, rng, features, known)
    seen = None if effect is None or known is None else (effect, known)
    offsets = held_out_quantiles(scaled, fitted, levels, season, seen)
    reason = reason_of(fitted, effect, given=known is not None)
    return FittedForecaster(fitted, offsets, season, reason, effect)


def reason_of(fitted: WindowForecaster, effect: KnownEffect | None, *, given: bool) -> str:
    """In words, whether features were accepted, and covariates where some were given."""
    features = gains_in_words(fitted.corrections)
    if fitted.linear.still:
        features = f"the last value is repeated: {_WHY_PERSISTENCE}; {features}"
    if not given:
        return features
    if effect is None:
        return f"{features}; covariates were left out: held-out blocks do not agree on them"
    return f"{features}; the effect of covariates is taken out and added again"


def typical_season(histories: Sequence[History]) -> int:
    """The median season of some of the series."""
    some = histories[:: max(1, len(histories) // TYPICAL)]
    return int(np.median([season_of(history) for history in some]))


def held_out_quantiles(
    scaled: Sequence[History],
    fitted: WindowForecaster,
    levels: Sequence[float],
    season: int,
    seen: tuple[KnownEffect, Sequence[Covariates]] | None = None,
) -> Float[np.ndarray, "Q C H"]:
    """Quantiles of what the same options miss at the ends of the series, fitted without them.

    Of a single series quantiles follow the residuals to the last that is known; of many series
    all windows count alike.

    Args:
        scaled: series.
        fitted: what the options are taken from.
        levels: Q of them.
        season: steps of a season.
        seen: the effect that is taken out of the series, and the covariates that have it.
    """
    horizon = fitted.horizon
    ends = [len(h) - max(int(_HELD_OUT_SHARE * len(h)), horizon) for h in scaled]
    if seen is not None:
        whole = BlockedFolds(tuple(scaled), (), tuple(ends), fitted.look_back, horizon)
        effect = refitted_effect(seen[0], whole, seen[1], season)
        scaled = without_effect(whole, effect, seen[1]).histories
    before = [h[:end] for h, end in zip(scaled, ends, strict=True) if end > 0]
    judge = refitted(fitted, cut_folds(before, horizon), season)
    ratios = residuals_after(scaled, ends, judge)
    if len(scaled) > 1:
        return np.asarray(np.quantile(ratios, levels, axis=0))
    following = AdaptiveQuantiles.of(np.moveaxis(ratios, 2, 0), levels)
    for first in range(0, len(ratios), following.rows):
        following.follow(ratios[first : first + following.rows])
    return np.moveaxis(following.now, 2, 0)


def refitted(fitted: WindowForecaster, blocks: BlockedFolds, season: int) -> WindowForecaster:
    """The same options and features with weights from other windows."""
    chosen = fitted.linear
    options = [o for o in chosen.options if o.look_back <= blocks.look_back] or [
        chosen.options[0]._replace(look_back=blocks.look_back)
    ]
    linear = fitted_map(blocks, options, chosen.pools, season)
    corrections = tuple(
        fit_correction(blocks, linear, c.features)
        for c in fitted.corrections
        if c.accepted and c.look_back <= blocks.look_back
    )
    return WindowForecaster(chosen._replace(map=linear), corrections)


def residuals_after(
    scaled: Sequence[History], ends: Sequence[int], judge: WindowForecaster
) -> Float[np.ndarray, "N C H"]:
    """Truth less forecast, in units of the spread, of windows after the ends.

    Of a single series every window counts, of many some that are evenly chosen.
    """
    L, H = judge.look_back, judge.horizon
    edges = [np.array([max(end, L), len(h)]) for h, end in zip(scaled, ends, strict=True)]
    held = BlockedFolds(tuple(scaled), tuple(edges), tuple(ends), L, H)
    origins = held.origins(held.held(0))
    if len(scaled) > 1:
        origins = origins[:: max(1, len(origins) // MOST_JUDGED)]
    found: list[np.ndarray] = []
    for first in range(0, len(origins), FEATURE_CHUNK):
        past, future = held.windows(origins[first : first + FEATURE_CHUNK])
        found.append((future - judge.predict(past)) / recent_std(past)[:, :, None])
    return np.concatenate(found)


def last_steps(values: Float[np.ndarray, "T C"], steps: int) -> Float[np.ndarray, "L C"]:
    """The last steps; where there are fewer, the first value is held before them."""
    recent = values[-steps:]
    return np.concatenate([np.repeat(recent[:1], steps - len(recent), axis=0), recent])
