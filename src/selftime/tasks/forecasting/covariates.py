"""Covariates, such as weather or holidays: given channels, and their effect on the others.

Regression with errors that are forecast as any series is (Hyndman and Athanasopoulos 2021, section
10.1): a series is forecast without the effect, and the effect of the covariates of the future is
added.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.data.channels import select_channels
from selftime.data.gaps import fill_gaps
from selftime.data.series import SeriesError, SeriesSet, names_of_channels
from selftime.door import option
from selftime.tasks.forecasting.folds import BlockedFolds
from selftime.tasks.forecasting.futures import FutureRows
from selftime.tasks.forecasting.linear import LinearForecaster, folds_agree, option_error
from selftime.tasks.probing.ridge import mean_variance, solve_ridge

_COVARIATE_WAVES = 64
"""Random Fourier features of covariates beside their values."""
_EFFECT_STRENGTHS = 10.0 ** np.arange(-5.0, 1.01, 0.5)
"""Of the ridge, in units of the mean variance of a feature."""

Covariates = Float[np.ndarray, "_ K"]
"""Values of covariates, a row a step."""
KnownCovariates = tuple[Covariates, Covariates]
"""Covariates of a past (T,K) and of the steps after it (H,K)."""


class KnownChannels(NamedTuple):
    """Channels that are given, not forecast.

    Attributes:
        names: of channels whose future is known when a forecast is made (weather as it is forecast,
            holidays, prices), or which never change within a series (its kind, place, size).
    """

    names: tuple[str, ...] = ()

    def targets(self, series: SeriesSet) -> SeriesSet:
        """Return the series with the channels to forecast alone."""
        unknown = set(self.names) - set(series.channels)
        left = [name for name in series.channels if name not in self.names]
        if unknown or len(set(self.names)) < len(self.names) or not left:
            raise SeriesError(
                f"got covariates {', '.join(self.names)} of series with channels "
                f"{', '.join(series.channels)}, wanted some of these, each once, and a channel "
                "left to forecast"
            )
        return select_channels(series, left)

    def past(self, series: SeriesSet) -> list[Covariates] | None:
        """Return the covariates of each series (T,K), gaps bridged; None without any."""
        if not self.names:
            return None
        given = select_channels(series, self.names)
        return [fill_gaps(np.asarray(given.series(i).T, np.float64)) for i in range(len(series))]

    def ahead(self, series: SeriesSet, future: FutureRows | None, horizon: int) -> list[Covariates]:
        """Return the covariates of the steps to forecast (H,K) of each series.

        A future has them by name, or in the order of ``names`` where it has none. Covariates that
        it lacks must not change: they keep their last value.

        Raises:
            SeriesError: a covariate that changes and has no future.
        """
        past = self.past(series) or []
        found = [np.repeat(part[-1:], horizon, axis=0) for part in past]
        names = () if future is None else self._names_in(future.series)
        for k, name in enumerate(self.names):
            moving = [str(series.ids[i]) for i, part in enumerate(past) if np.ptp(part[:, k]) > 0]
            if name not in names and moving:
                raise SeriesError(
                    f"got no future of covariate {name!r}, which changes within series "
                    f"{moving[0]!r}, wanted its values of {horizon} steps: give them with "
                    f"{option('future')}"
                )
        if future is None:
            return found
        for i, made in enumerate(found):
            part = fill_gaps(future.values(i))
            for k, name in enumerate(self.names):
                if name in names:
                    made[:, k] = part[:, names.index(name)]
        return found

    def gaps_in_words(self, future: FutureRows) -> tuple[str, ...]:
        """Say how many values of each covariate are missing in the steps to forecast."""
        every = np.concatenate([future.values(i) for i in range(len(future.rows))])
        lost = dict(zip(self._names_in(future.series), np.isnan(every).sum(0), strict=True))
        return tuple(
            f"future of covariate {name!r}: {lost[name]:,} missing values were bridged"
            for name in self.names
            if lost.get(name)
        )

    def _names_in(self, future: SeriesSet) -> tuple[str, ...]:
        """Return the channels of a future; covariates in their order where it has no names."""
        unnamed = future.channels == names_of_channels(future.n_channels)
        fits = future.n_channels == len(self.names)
        return self.names if unnamed and fits else future.channels


@dataclass(frozen=True, eq=False)
class KnownEffect:
    """The effect of covariates on each channel, at the step at which they hold.

    A ridge from their values and from random waves of all of them together (Rahimi and Recht 2007,
    algorithm 1), which bend and let one change what another does. Weights are in scaled units.
    """

    mean: Float[np.ndarray, "K"]
    sd: Float[np.ndarray, "K"]
    waves: Float[np.ndarray, "K F"]
    phases: Float[np.ndarray, "F"]
    weights: Float[np.ndarray, "KF C"]
    strength: float = 1.0

    def features(self, z: Covariates) -> Float[np.ndarray, "T KF"]:
        """Return values in units of their deviation, then their waves."""
        unit = (z - self.mean) / self.sd
        waves = np.cos(unit @ self.waves + self.phases) * np.sqrt(2 / len(self.phases))
        return np.concatenate([unit, waves], axis=1)

    def of(self, z: Covariates) -> Float[np.ndarray, "T C"]:
        """Return the effect at each step."""
        return np.asarray(self.features(z) @ self.weights)


class ChangeMoments(NamedTuple):
    """Second moments of changes of features (D,D), with those of channels (D,C), of these (C,)."""

    features: Float[np.ndarray, "D D"]
    cross: Float[np.ndarray, "D C"]
    squares: Float[np.ndarray, "C"]

    def weights(self, strength: float) -> Float[np.ndarray, "D C"]:
        """Solve the ridge."""
        return solve_ridge(self.features, self.cross, strength * mean_variance(self.features))

    def error(self, weights: Float[np.ndarray, "D C"]) -> float:
        """Return the sum of squared residuals of weights."""
        change = ((self.features @ weights - 2 * self.cross) * weights).sum()
        return max(float(self.squares.sum() + change), 0.0)


def fit_effect(
    folds: BlockedFolds, z: Sequence[Covariates], season: int, rng: np.random.Generator
) -> KnownEffect:
    """Fit the effect by ridge on changes over a season, its strength by blocked folds.

    Levels that wander and seasons that both sides share say nothing of an effect; changes over one
    season (one step without) are free of both. Steps before ``fit_end`` are fitted on.
    """
    every = np.concatenate([part[:end] for part, end in zip(z, folds.fit_end, strict=True)])
    sd, (K, C) = every.std(axis=0), (every.shape[1], folds.n_channels)
    blank = KnownEffect(
        every.mean(axis=0),
        np.where(sd > 0, sd, 1.0),
        rng.normal(size=(K, _COVARIATE_WAVES)) / np.sqrt(K),
        rng.uniform(0, 2 * np.pi, _COVARIATE_WAVES),
        np.zeros((K + _COVARIATE_WAVES, C)),
    )
    parts = changes_of(folds, z, blank, season)
    errors = np.zeros(len(_EFFECT_STRENGTHS))
    for k, held in enumerate(parts):
        fit = _sum(parts[:k] + parts[k + 1 :])
        errors += [np.log(held.error(fit.weights(s)) + 1e-30) for s in _EFFECT_STRENGTHS]
    chosen = replace(blank, strength=float(_EFFECT_STRENGTHS[errors.argmin()]))
    return refit_effect(chosen, folds, z, season)


def refit_effect(
    effect: KnownEffect, folds: BlockedFolds, z: Sequence[Covariates], season: int
) -> KnownEffect:
    """Keep features and strength, and fit weights on all steps that may be fitted on."""
    whole = [np.array([0, end]) for end in folds.fit_end]
    found = changes_in(folds, z, effect, season, whole, 0)
    return replace(effect, weights=found.weights(effect.strength))


def changes_of(
    folds: BlockedFolds, z: Sequence[Covariates], effect: KnownEffect, season: int
) -> list[ChangeMoments]:
    """Return the moments of changes that end within each fold."""
    return [changes_in(folds, z, effect, season, folds.edges, k) for k in range(folds.count)]


def _sum(parts: Sequence[ChangeMoments]) -> ChangeMoments:
    """Return the sums of all parts."""
    return ChangeMoments(*(np.sum(moments, axis=0) for moments in zip(*parts, strict=True)))


def changes_in(
    folds: BlockedFolds,
    z: Sequence[Covariates],
    effect: KnownEffect,
    season: int,
    edges: Sequence[np.ndarray],
    k: int,
) -> ChangeMoments:
    """Return the moments of changes over a season that end within fold ``k`` of these edges."""
    D, C = effect.weights.shape
    found = [ChangeMoments(np.zeros((D, D)), np.zeros((D, C)), np.zeros(C))]
    for history, known, edge in zip(folds.histories, z, edges, strict=True):
        first, stop = max(int(edge[k]) - season, 0), int(edge[k + 1])
        if stop - first <= season:
            continue
        x, y = effect.features(known[first:stop]), history[first:stop]
        dx, dy = x[season:] - x[:-season], y[season:] - y[:-season]
        found.append(ChangeMoments(dx.T @ dx, dx.T @ dy, np.square(dy).sum(axis=0)))
    return _sum(found)


def without_effect(
    folds: BlockedFolds, effect: KnownEffect, z: Sequence[Covariates]
) -> BlockedFolds:
    """Return the folds of the series less the effect."""
    left = [h - effect.of(part[: len(h)]) for h, part in zip(folds.histories, z, strict=True)]
    return replace(folds, histories=tuple(left))


def effect_helps(
    folds: BlockedFolds,
    z: Sequence[Covariates],
    effect: KnownEffect,
    linear: LinearForecaster,
    season: int,
) -> bool:
    """Return whether held-out folds agree that forecasts are better without the effect.

    The effect and the forecaster of a fold have not seen it. The mean gain over folds must be
    above its standard error. The best option of ``linear``, which is of the series as they are,
    is taken for both.
    """
    best = linear.options[0]
    parts, short = changes_of(folds, z, effect, season), folds.shortened(best.look_back)
    after = []
    for k in range(len(best.errors)):
        weights = _sum(parts[:k] + parts[k + 1 :]).weights(effect.strength)
        left = without_effect(short, replace(effect, weights=weights), z)
        after.append(option_error(left.split(k), best, season) + 1e-30)
    return folds_agree(best.errors, after)
