"""The forecaster in closed form, and beside it persistence, seasonal naive, NLinear and DLinear."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from selftime.data.periods import season_of
from selftime.data.scaling import SCALED_LIMIT
from selftime.tasks.forecasting.covariates import (
    Covariates,
    KnownCovariates,
    KnownEffect,
    effect_helps,
    fit_effect,
    without_effect,
)
from selftime.tasks.forecasting.features import (
    Correction,
    FeatureMap,
    PatchFeatures,
    fit_correction,
    patch_features,
    patch_lengths,
)
from selftime.tasks.forecasting.folds import BlockedFolds, WindowGram, look_backs_up_to
from selftime.tasks.forecasting.histories import SHORTEST
from selftime.tasks.forecasting.intervals import offsets_after, recent_std
from selftime.tasks.forecasting.linear import (
    LinearForecaster,
    LinearMap,
    fit_linear,
    fit_map,
    ridge_weights,
)
from selftime.tasks.forecasting.protocols import ChannelScale, Forecasting, channel_scale
from selftime.tasks.forecasting.shapes import Counted, TableShape, count_each
from selftime.tasks.forecasting.smoothing import Smoothing
from selftime.tasks.probing.ridge import mean_variance, solve_ridge

LOOK_BACK = 336
"""Past steps of the linear rows (Zeng et al. 2023, section 5.1)."""
_SOLVABLE_RIDGE = 1e-6
"""Ridge that only keeps the equations solvable, in units of the mean variance of a step."""
_LATENT_WINDOWS = 3000
"""About how many windows (of one channel) latents are learned from."""
TYPICAL = 20
"""Series in which a season is looked for."""
Values = Float[np.ndarray, "_ C"]


def repeat_last(folds: BlockedFolds, season: int) -> LinearMap:  # noqa: ARG001
    """Forecast the last value, for every future step."""
    return LinearMap(np.ones((1, 1, folds.horizon)), np.zeros(folds.horizon))


def seasonal_naive(folds: BlockedFolds, season: int) -> LinearMap:
    """Forecast the last season, again and again."""
    H = folds.horizon
    weights = np.zeros((1, season, H))
    weights[0, np.arange(H) % season, np.arange(H)] = 1
    return LinearMap(weights, np.zeros(H))


def nlinear(folds: BlockedFolds, season: int) -> LinearMap:  # noqa: ARG001
    """Fit NLinear (Zeng et al. 2023, section 4.1) at its optimum.

    Least squares on windows less their last value, one map for all channels.
    """
    gram, L = _reference_gram(folds)
    weights = ridge_weights(gram.from_level(L), L, _SOLVABLE_RIDGE, decay=0.0, season=1)
    return LinearMap(weights[None], np.zeros(folds.horizon))


def dlinear(folds: BlockedFolds, season: int) -> LinearMap:  # noqa: ARG001
    """Fit DLinear (Zeng et al. 2023, section 4.1) at its optimum: least squares with an intercept.

    A map of the moving average and one of the remainder add up to one map of the window itself,
    whatever the average, so both together can do no more and no less than plain least squares.
    """
    gram, L = _reference_gram(folds)
    mean = gram.total / gram.windows
    covariance = gram.products / gram.windows - np.outer(mean, mean)
    xx = covariance[:L, :L]
    weights = solve_ridge(xx, covariance[:L, L:], _SOLVABLE_RIDGE * mean_variance(xx))
    return LinearMap(weights[None], mean[L:] - mean[:L] @ weights)


def _reference_gram(folds: BlockedFolds) -> tuple[WindowGram, int]:
    short = folds.shortened(min(LOOK_BACK, folds.look_back))
    return short.gram(short.training_spans()), short.look_back


REFERENCE_FORECASTERS: dict[str, Callable[[BlockedFolds, int], LinearMap]] = {
    "repeat-last": repeat_last,
    "seasonal naive": seasonal_naive,
    "NLinear": nlinear,
    "DLinear": dlinear,
}
"""The rows of every backtest, fitted on training windows of a season of so many steps."""


class WindowForecaster(NamedTuple):
    """The linear forecaster of scaled windows, and corrections by features."""

    linear: LinearForecaster
    corrections: tuple[Correction, ...] = ()

    @property
    def look_back(self) -> int:
        """Past steps that are used at most."""
        longest = [c.look_back for c in self.corrections if c.accepted]
        return max([self.linear.map.look_back, *longest])

    @property
    def horizon(self) -> int:
        """Future steps that are forecast."""
        return self.linear.map.horizon

    def predict(self, past: Float[np.ndarray, "N C L"]) -> Float[np.ndarray, "N C H"]:
        """Forecast from windows of at least ``look_back`` steps."""
        forecast = self.linear.map.predict(past)
        for correction in self.corrections:
            forecast = correction.apply(past, forecast)
        return forecast

    def single(self) -> "WindowForecaster":
        """Return the same in 32-bit numbers, for many windows."""
        return self._replace(linear=self.linear._replace(map=self.linear.map.single()))

    def gains_in_words(self) -> str:
        """Say whether features were accepted, and what they gained on held-out folds."""
        best = [c for c in self.corrections if c.accepted]
        if not best:
            return "features were left out: held-out folds do not agree that they help"
        steps = int(sum(c.weights.any(axis=0).sum() for c in best))
        gain = max(max(c.gains) for c in best)
        return f"features correct {steps} of the nearest steps; held-out gain up to {gain:.1f} %"


def fit_forecaster(
    folds: BlockedFolds,
    season: int,
    rng: np.random.Generator,
    features: FeatureMap | None = None,
    known: Sequence[Covariates] | None = None,
    memory: float = 1.0,
) -> tuple[WindowForecaster, KnownEffect | None]:
    """Fit the linear forecaster, corrected by features wherever blocked folds say that they help.

    Features are those of a pretrained model; None learns closed-form ones from the same windows.
    The effect of known covariates is taken out first; it is None without any, or where held-out
    folds do not agree that taking it out helps. Windows are counted from the level that ``memory``
    says (:func:`~selftime.tasks.forecasting.folds.level_weights`).
    """
    linear, effect = fit_linear(folds, season, memory), None
    if known is not None:
        found = fit_effect(folds, known, season, rng.spawn(1)[0])  # features draw as without
        if effect_helps(folds, known, found, linear, season):
            folds, effect = without_effect(folds, found, known), found
            linear = fit_linear(folds, season, memory)
    features = features or learned_features(folds, season, rng).of
    return WindowForecaster(linear, (fit_correction(folds, linear.map, features),)), effect


def refit_forecaster(
    fitted: WindowForecaster, folds: BlockedFolds, season: int
) -> WindowForecaster:
    """Keep options and features, and fit weights on other windows."""
    linear = fitted.linear
    options = [o for o in linear.options if o.look_back <= folds.look_back] or [
        linear.options[0]._replace(look_back=folds.look_back)
    ]
    anew = fit_map(folds, options, linear.pools, season)
    corrections = tuple(
        fit_correction(folds, anew, c.features)
        for c in fitted.corrections
        if c.accepted and c.look_back <= folds.look_back
    )
    return WindowForecaster(linear._replace(map=anew), corrections)


def learned_features(
    folds: BlockedFolds, season: int, rng: np.random.Generator, *, learned: bool = True
) -> PatchFeatures:
    """Learn latents of patches on windows that may be fitted on, or draw them at random."""
    origins = folds.origins(folds.training_spans())
    stride = max(1, len(origins) * folds.n_channels // _LATENT_WINDOWS)  # evenly over all
    past, _ = folds.windows(origins[::stride])
    lengths = patch_lengths(season, look_backs_up_to(folds.look_back)[-1])
    return patch_features(past.reshape(-1, folds.look_back), lengths, rng, learned=learned)


@dataclass(frozen=True, eq=False)
class FittedForecaster:
    """A forecaster of series in their own units, by one of scaled windows.

    Offsets are quantiles of residuals in units of the std of the window, of a table in those of
    each series. The effect is None where
    covariates are not used; the reason says what was accepted and what was left out. The unit is
    how much a channel usually moves, for histories that are too short to tell; nothing that is
    forecast is below the floor. Many short series have a table, which is what they have in common,
    and are smoothed: their forecast is the mean of both.
    """

    forecaster: Forecasting
    offsets: Float[np.ndarray, "Q C H"]
    season: int
    reason: str
    effect: KnownEffect | None = None
    unit: Float[np.ndarray, "C"] | None = None
    floor: Float[np.ndarray, "C"] | None = None
    table: TableShape | None = None
    smoothing: Smoothing | None = None

    def predict(
        self,
        histories: Sequence[Values],
        known: Sequence[KnownCovariates] | None = None,
        gaps: Sequence[Int64[np.ndarray, "C"]] | None = None,
        starts: Int64[np.ndarray, "N"] | None = None,
    ) -> Float[np.ndarray, "N Q1 C H"]:
        """Forecast each series, then its quantiles, in the units of the series.

        Missing steps at the end (``gaps``, of each channel) are forecast first, and intervals are
        those of as many more steps ahead. ``starts`` are the steps of time at which histories
        begin, counted alike; None where they are not dated.
        """
        whole = list(histories)
        if gaps is not None and any(gap.any() for gap in gaps):
            whole = self._fill_ends(histories, known, gaps, starts)
            known_end = [h[: len(h) - g.max()] for h, g in zip(whole, gaps, strict=True)]
        else:
            gaps, known_end = None, whole
        counted = self._count(whole, starts, [len(h) for h in known_end])
        rest, ahead = self._rest(counted, known)
        past = recent_windows(rest, self.forecaster.look_back)
        forecast = self.forecaster.predict(past) + ahead  # (N,C,H)
        if self.smoothing is not None:
            forecast = (forecast + self.smoothing.predict(rest, ahead.shape[2]) + ahead) / 2
        std = recent_std(past)
        if self.table is not None:
            std = spread_of_level([len(h) for h in known_end], self.forecaster.look_back, std)
        elif gaps is not None:
            before = self._rest(self._count(known_end, starts), known)[0]
            std = recent_std(recent_windows(before, self.forecaster.look_back))
        short = [i for i, h in enumerate(known_end) if self._is_short(h)]
        forecast[short], std[short] = past[short][:, :, -1:], 1.0
        offsets = self.offsets
        if gaps is not None:
            offsets = np.stack([offsets_after(gap, offsets) for gap in gaps])
        spread = offsets * std[:, None, :, None]
        every = np.concatenate([forecast[:, None], forecast[:, None] + spread], axis=1)
        return self._above_floor(counted.invert(every), histories)

    def _count(
        self,
        histories: Sequence[Values],
        starts: Int64[np.ndarray, "N"] | None,
        ends: Sequence[int] | None = None,
    ) -> Counted:
        """Return histories in units that come from their steps up to the ends."""
        H = self.offsets.shape[2]
        if self.table is not None:
            return self.table.apply(histories, starts, H, ends)
        ends = ends or [len(h) for h in histories]
        scales = [self._scale_of(h[:end]) for h, end in zip(histories, ends, strict=True)]
        return count_each(histories, scales, H)

    def _rest(
        self, counted: Counted, known: Sequence[KnownCovariates] | None
    ) -> tuple[list[Values], Float[np.ndarray, "N C H"]]:
        """Return histories less the effect, and what is added ahead."""
        both = list(zip(counted.histories, self._effects(counted.histories, known), strict=True))
        H = self.offsets.shape[2]
        ahead = np.stack([e[len(h) : len(h) + H].T for h, e in both])
        return [h - e[: len(h)] for h, e in both], ahead + counted.ahead

    def _fill_ends(
        self,
        histories: Sequence[Values],
        known: Sequence[KnownCovariates] | None,
        gaps: Sequence[Int64[np.ndarray, "C"]],
        starts: Int64[np.ndarray, "N"] | None,
    ) -> list[Values]:
        """Return histories whose missing steps at the end are forecast from what was before."""
        filled = [history.copy() for history in histories]
        at = [len(h) - int(gap.max()) for h, gap in zip(filled, gaps, strict=True)]
        while rows := [i for i, h in enumerate(filled) if at[i] < len(h)]:
            given = None
            if known is not None:
                given = [steps_around(known[i], at[i], self.offsets.shape[2]) for i in rows]
            begin = None if starts is None else starts[rows]
            past = [filled[i][: at[i]] for i in rows]
            found = self.predict(past, given, starts=begin)[:, 0]
            for i, forecast in zip(rows, found, strict=True):
                block = filled[i][at[i] : at[i] + forecast.shape[1]]
                missing = np.arange(at[i], at[i] + len(block))[:, None] >= len(filled[i]) - gaps[i]
                block[missing] = forecast.T[: len(block)][missing]
                at[i] += len(block)
        return filled

    def _is_short(self, history: Values) -> bool:
        return self.unit is not None and self.table is None and len(history) < SHORTEST

    def _scale_of(self, history: Values) -> ChannelScale:
        """Return the scale of a history; the last value and the usual unit where it is short."""
        if self.unit is not None and self._is_short(history):
            return ChannelScale(history[-1], self.unit)
        return channel_scale(history)

    def _above_floor(
        self, every: Float[np.ndarray, "N Q1 C H"], histories: Sequence[Values]
    ) -> Float[np.ndarray, "N Q1 C H"]:
        """Return nothing below the floor, or below histories that are lower themselves."""
        if self.floor is None:
            return every
        lowest = np.stack([np.minimum(self.floor, h.min(axis=0)) for h in histories])
        return np.asarray(np.maximum(every, lowest[:, None, :, None]))

    def _effects(
        self, scaled: Sequence[Values], known: Sequence[KnownCovariates] | None
    ) -> list[Float[np.ndarray, "_ C"]]:
        """Return the effect at each step of past and future of each series; 0 without one."""
        if self.effect is None or known is None:
            H = self.offsets.shape[2]
            return [np.zeros((len(h) + H, h.shape[1])) for h in scaled]
        return [self.effect.of(np.concatenate(both)) for both in known]


def recent_windows(histories: Sequence[Values], look_back: int) -> Float[np.ndarray, "N C L"]:
    """Return the last steps of each history, not too far from what is usual."""
    past = [last_steps(history, look_back).T for history in histories]
    return np.asarray(np.clip(np.stack(past), -SCALED_LIMIT, SCALED_LIMIT))


def spread_of_level(
    lengths: Sequence[int], look_back: int, like: Float[np.ndarray, "N C"]
) -> Float[np.ndarray, "N C"]:
    """Return units of residuals of a table: 1, and more where few steps tell of the level.

    The mean of n values is off by one deviation over the root of n.
    """
    n = np.array(lengths, np.float64)[:, None]
    return np.asarray(np.where(n < look_back, np.sqrt(1 + 1 / n), 1.0) + np.zeros_like(like))


def steps_around(known: KnownCovariates, at: int, horizon: int) -> KnownCovariates:
    """Return the covariates before a step, and those of the steps from it on."""
    whole = np.concatenate(known)
    return whole[:at], whole[at : at + horizon]


def typical_season(histories: Sequence[Values]) -> int:
    """Return the median season of some of the series."""
    long = [history for history in histories if len(history) >= SHORTEST] or [np.zeros((2, 1))]
    some = long[:: max(1, len(long) // TYPICAL)]
    return int(np.median([season_of(history) for history in some]))


def last_steps(values: Float[np.ndarray, "T C"], steps: int) -> Float[np.ndarray, "L C"]:
    """Return the last steps; where there are fewer, the first value is held before them."""
    recent = values[-steps:]
    return np.concatenate([np.repeat(recent[:1], steps - len(recent), axis=0), recent])
