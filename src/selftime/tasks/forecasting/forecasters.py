"""The forecaster in closed form: a linear map, and features of what it leaves."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.tasks.forecasting.blocks import BlockedFolds, look_backs_up_to
from selftime.tasks.forecasting.correction import Correction, FeatureMap, fit_correction
from selftime.tasks.forecasting.covariates import (
    Covariates,
    KnownEffect,
    fit_effect,
    effect_helps,
    without_effect,
)
from selftime.tasks.forecasting.latents import PatchFeatures, patch_features, patch_lengths
from selftime.tasks.forecasting.linear import LinearForecaster, fit_linear

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
