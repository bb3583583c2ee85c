"""What is known ahead, such as weather or holidays: its effect is taken out of series first.

Regression with errors that are forecast as any series is (Hyndman and Athanasopoulos 2021, section
10.1): what is left of a series without the effect is forecast, and the effect of what is known of
the future is added.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.tasks.forecasting.folds import BlockedFolds
from selftime.tasks.forecasting.linear import LinearForecaster, folds_agree, held_out_error
from selftime.tasks.probing.ridge import mean_variance, solve_ridge

_COVARIATE_WAVES = 64
"""Random Fourier features of covariates beside their values."""
_EFFECT_STRENGTHS = 10.0 ** np.arange(-5.0, 1.01, 0.5)
"""Of the ridge, in units of the mean variance of a feature."""

Covariates = Float[np.ndarray, "_ K"]
"""Values of what is known, a row a step."""


@dataclass(frozen=True, eq=False)
class KnownEffect:
    """What covariates add to each channel, at the step at which they hold.

    A ridge from their values and from random waves of all of them together (Rahimi and Recht 2007,
    algorithm 1), which bend and let one change what another does.

    Attributes:
        mean: (K,) of the covariates.
        sd: (K,) their deviation.
        waves: (K,F) frequencies.
        phases: (F,) between 0 and 2π.
        weights: (K + F,C) in scaled units of the channels.
        strength: of the ridge.
    """

    mean: Float[np.ndarray, "K"]
    sd: Float[np.ndarray, "K"]
    waves: Float[np.ndarray, "K F"]
    phases: Float[np.ndarray, "F"]
    weights: Float[np.ndarray, "KF C"]
    strength: float = 1.0

    def features(self, z: Covariates) -> Float[np.ndarray, "T KF"]:
        """Values in units of their deviation, then their waves."""
        unit = (z - self.mean) / self.sd
        waves = np.cos(unit @ self.waves + self.phases) * np.sqrt(2 / len(self.phases))
        return np.concatenate([unit, waves], axis=1)

    def of(self, z: Covariates) -> Float[np.ndarray, "T C"]:
        """The effect at each step."""
        return np.asarray(self.features(z) @ self.weights)


class ChangeMoments(NamedTuple):
    """Second moments of changes of features (D,D), with those of channels (D,C), of these (C,)."""

    features: Float[np.ndarray, "D D"]
    cross: Float[np.ndarray, "D C"]
    squares: Float[np.ndarray, "C"]

    def weights(self, strength: float) -> Float[np.ndarray, "D C"]:
        """The ridge."""
        return solve_ridge(self.features, self.cross, strength * mean_variance(self.features))

    def error(self, weights: Float[np.ndarray, "D C"]) -> float:
        """Sum of squares that weights leave."""
        change = ((self.features @ weights - 2 * self.cross) * weights).sum()
        return max(float(self.squares.sum() + change), 0.0)


def fit_effect(
    blocks: BlockedFolds, z: Sequence[Covariates], season: int, rng: np.random.Generator
) -> KnownEffect:
    """The effect by ridge on changes over a season, its strength by blocked folds.

    Levels that wander and seasons that both sides share say nothing of an effect; changes over one
    season (one step without) are free of both.

    Args:
        blocks: scaled series; steps before ``fit_end`` are fitted on.
        z: covariates of each series, of the same length.
        season: steps of a season, 1 without one.
        rng: draws waves.
    """
    every = np.concatenate([part[:end] for part, end in zip(z, blocks.fit_end, strict=True)])
    sd, (K, C) = every.std(axis=0), (every.shape[1], blocks.n_channels)
    blank = KnownEffect(
        every.mean(axis=0),
        np.where(sd > 0, sd, 1.0),
        rng.normal(size=(K, _COVARIATE_WAVES)) / np.sqrt(K),
        rng.uniform(0, 2 * np.pi, _COVARIATE_WAVES),
        np.zeros((K + _COVARIATE_WAVES, C)),
    )
    parts = changes_of(blocks, z, blank, season)
    errors = np.zeros(len(_EFFECT_STRENGTHS))
    for k, held in enumerate(parts):
        fit = sum_of(parts[:k] + parts[k + 1 :])
        errors += [np.log(held.error(fit.weights(s)) + 1e-30) for s in _EFFECT_STRENGTHS]
    chosen = replace(blank, strength=float(_EFFECT_STRENGTHS[errors.argmin()]))
    return refitted_effect(chosen, blocks, z, season)


def refitted_effect(
    effect: KnownEffect, blocks: BlockedFolds, z: Sequence[Covariates], season: int
) -> KnownEffect:
    """The same features and strength, with weights from all steps that may be fitted on."""
    whole = [np.array([0, end]) for end in blocks.fit_end]
    found = changes_in(blocks, z, effect, season, whole, 0)
    return replace(effect, weights=found.weights(effect.strength))


def changes_of(
    blocks: BlockedFolds, z: Sequence[Covariates], effect: KnownEffect, season: int
) -> list[ChangeMoments]:
    """Moments of changes that end within each block."""
    return [changes_in(blocks, z, effect, season, blocks.edges, k) for k in range(blocks.count)]


def sum_of(parts: Sequence[ChangeMoments]) -> ChangeMoments:
    """The sums of all parts."""
    return ChangeMoments(*(np.sum(moments, axis=0) for moments in zip(*parts, strict=True)))


def changes_in(
    blocks: BlockedFolds,
    z: Sequence[Covariates],
    effect: KnownEffect,
    season: int,
    edges: Sequence[np.ndarray],
    k: int,
) -> ChangeMoments:
    """Moments of changes over a season that end within block ``k`` of these edges."""
    D, C = effect.weights.shape
    found = [ChangeMoments(np.zeros((D, D)), np.zeros((D, C)), np.zeros(C))]
    for history, known, edge in zip(blocks.histories, z, edges, strict=True):
        first, stop = max(int(edge[k]) - season, 0), int(edge[k + 1])
        if stop - first <= season:
            continue
        x, y = effect.features(known[first:stop]), history[first:stop]
        dx, dy = x[season:] - x[:-season], y[season:] - y[:-season]
        found.append(ChangeMoments(dx.T @ dx, dx.T @ dy, np.square(dy).sum(axis=0)))
    return sum_of(found)


def without_effect(
    blocks: BlockedFolds, effect: KnownEffect, z: Sequence[Covariates]
) -> BlockedFolds:
    """The same blocks of what is left of the series."""
    left = [h - effect.of(part[: len(h)]) for h, part in zip(blocks.histories, z, strict=True)]
    return replace(blocks, histories=tuple(left))


def effect_helps(
    blocks: BlockedFolds,
    z: Sequence[Covariates],
    effect: KnownEffect,
    linear: LinearForecaster,
    season: int,
) -> bool:
    """Whether held-out blocks agree that forecasts are better without the effect in the series.

    The effect and the forecaster of a block have not seen it. The mean gain over blocks must be
    above its standard error.

    Args:
        blocks: scaled series.
        z: covariates of each.
        effect: whose features and strength are judged.
        linear: of the series as they are; the best of its options is taken for both.
        season: steps of a season, 1 without one.
    """
    best = linear.options[0]
    parts, short = changes_of(blocks, z, effect, season), blocks.shortened(best.look_back)
    after = []
    for k in range(len(best.errors)):
        weights = sum_of(parts[:k] + parts[k + 1 :]).weights(effect.strength)
        left = without_effect(short, replace(effect, weights=weights), z)
        after.append(held_out_error(left.fold(k), best, season) + 1e-30)
    return folds_agree(best.errors, after)
