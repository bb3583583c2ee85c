"""The forecaster in closed form, and what stands beside it: repeat-last, seasonal naive, NLinear and DLinear."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.tasks.forecasting.covariates import (
    Covariates,
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
from selftime.tasks.forecasting.linear import LinearForecaster, fit_linear
from selftime.tasks.forecasting.linear_map import LinearMap, ridge_weights
from selftime.tasks.probing.ridge import mean_variance, solve_ridge

LOOK_BACK = 336
"""Past steps of the linear rows (Zeng et al. 2023, section 5.1)."""
_SOLVABLE_RIDGE = 1e-6
"""Ridge that only keeps the equations solvable, in units of the mean variance of a step."""


class FittedPart(NamedTuple):
    """What a reference row may see.

    Attributes:
        blocks: the windows; those before ``fit_end`` are fitted on.
        season: steps of a season, 1 without one.
    """

    blocks: BlockedFolds
    season: int


def repeat_last(training: FittedPart) -> LinearMap:
    """The last value, for every future step."""
    return LinearMap(np.ones((1, 1, training.blocks.horizon)), np.zeros(training.blocks.horizon))


def seasonal_naive(training: FittedPart) -> LinearMap:
    """The last season, again and again."""
    H, season = training.blocks.horizon, training.season
    weights = np.zeros((1, season, H))
    weights[0, np.arange(H) % season, np.arange(H)] = 1
    return LinearMap(weights, np.zeros(H))


def nlinear(training: FittedPart) -> LinearMap:
    """NLinear (Zeng et al. 2023, section 4.1) at its optimum.

    Least squares on windows less their last value, one map for all channels.
    """
    gram, L = _windows(training)
    weights = ridge_weights(gram.from_last_value(L), L, _SOLVABLE_RIDGE, decay=0.0, season=1)
    return LinearMap(weights[None], np.zeros(training.blocks.horizon))


def dlinear(training: FittedPart) -> LinearMap:
    """DLinear (Zeng et al. 2023, section 4.1) at its optimum: least squares with an intercept.

    A map of the moving average and one of the remainder add up to one map of the window itself,
    whatever the average, so both together can do no more and no less than plain least squares.
    """
    gram, L = _windows(training)
    mean = gram.total / gram.windows
    spread = gram.products / gram.windows - np.outer(mean, mean)
    xx = spread[:L, :L]
    weights = solve_ridge(xx, spread[:L, L:], _SOLVABLE_RIDGE * mean_variance(xx))
    return LinearMap(weights[None], mean[L:] - mean[:L] @ weights)


REFERENCE_FORECASTERS: dict[str, Callable[[FittedPart], LinearMap]] = {
    "repeat-last": repeat_last,
    "seasonal naive": seasonal_naive,
    "NLinear": nlinear,
    "DLinear": dlinear,
}
"""The rows of every backtest."""


def _windows(training: FittedPart) -> tuple[WindowGram, int]:
    look_back = min(LOOK_BACK, training.blocks.look_back)
    short = training.blocks.shortened(look_back)
    return short.gram(short.fitted()), look_back


_LATENT_WINDOWS = 3000
"""About how many windows (of one channel) latents are learned from."""


class WindowForecaster(NamedTuple):
    """From windows of scaled values to what follows them.

    Attributes:
        linear: the linear forecaster with what was chosen for it.
        corrections: ridges from features to what it leaves; empty where none was asked for.
    """

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
        """Forecasts from windows of at least ``look_back`` steps."""
        forecast = self.linear.map.predict(past)
        for correction in self.corrections:
            forecast = correction.apply(past, forecast)
        return forecast

    def single(self) -> "WindowForecaster":
        """The same in 32-bit numbers, for many windows."""
        linear = self.linear._replace(map=self.linear.map.single())
        return self._replace(linear=linear)


class CovariateForecaster(NamedTuple):
    """A forecaster, and what it takes as given.

    Attributes:
        forecaster: of series without the effect.
        effect: of covariates; None without any, or where held-out blocks do not agree that taking
            it out helps.
    """

    forecaster: WindowForecaster
    effect: KnownEffect | None = None


def fit_forecaster(
    blocks: BlockedFolds,
    season: int,
    rng: np.random.Generator,
    features: FeatureMap | None = None,
    known: Sequence[Covariates] | None = None,
) -> CovariateForecaster:
    """The linear forecaster, corrected by features wherever blocked folds say that they help.

    Args:
        blocks: windows to learn from.
        season: steps of a season, 1 without one.
        rng: draws the random features.
        features: those of a pretrained model; None learns closed-form ones from the same windows.
        known: covariates of each series, whose effect is taken out first if that helps.
    """
    linear, effect = fit_linear(blocks, season), None
    if known is not None:
        found = fit_effect(blocks, known, season, rng.spawn(1)[0])  # features draw as without
        if effect_helps(blocks, known, found, linear, season):
            blocks, effect = without_effect(blocks, found, known), found
            linear = fit_linear(blocks, season)
    features = features or learned_features(blocks, season, rng).of
    correction = fit_correction(blocks, linear.map, features)
    return CovariateForecaster(WindowForecaster(linear, (correction,)), effect)


def learned_features(
    blocks: BlockedFolds, season: int, rng: np.random.Generator, *, learned: bool = True
) -> PatchFeatures:
    """Patch features whose latents are learned on the windows that may be fitted on.

    Args:
        blocks: windows to learn from.
        season: steps of a season, 1 without one.
        rng: draws the random features.
        learned: False leaves the latents random, for the row beside.
    """
    sample = fitted_windows(blocks, _LATENT_WINDOWS)
    lengths = patch_lengths(season, look_backs_up_to(blocks.look_back)[-1])
    return patch_features(sample, lengths, rng, learned=learned)


def fitted_windows(blocks: BlockedFolds, most: int) -> Float[np.ndarray, "N L"]:
    """About ``most`` pasts of windows that may be fitted on, evenly over all, a channel a row."""
    origins = blocks.origins(blocks.fitted())
    stride = max(1, len(origins) * blocks.n_channels // most)
    past, _ = blocks.windows(origins[::stride])
    return past.reshape(-1, blocks.look_back)


def gains_in_words(corrections: Sequence[Correction]) -> str:
    """Whether features were accepted, and what they gained on held-out blocks."""
    best = [c for c in corrections if c.accepted]
    if not best:
        return "features were left out: held-out blocks do not agree that they help"
    steps = int(sum(c.weights.any(axis=0).sum() for c in best))
    return f"features correct {steps} of the nearest steps; held-out gain up to " + (
        f"{max(max(c.gains) for c in best):.1f} %"
    )
