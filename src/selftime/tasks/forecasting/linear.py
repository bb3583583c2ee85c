"""Linear maps from past to future by ridge regression, their options chosen by blocked folds."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.tasks.forecasting.folds import (
    BlockedFolds,
    WindowGram,
    level_weights,
    look_backs_up_to,
)
from selftime.tasks.probing.ridge import RidgePath, mean_variance, solve_ridge

PER_STEP_ALPHAS = 10.0 ** np.arange(-4.5, 2.01, 0.25)
"""Strengths that are tried, in units of the mean variance of a past step."""
DECAYS = (0.0, 1.0)
"""Penalties that do not, and do, grow with the distance in time."""
TOLERANCE = 0.1
"""Options whose held-out error is this near to the least, as a share of it, are averaged over."""
SHARES = (None, 1.0, 0.0)
"""One map for all channels; for each channel its own moments with as much of the mean of all; its
own alone."""
LagMoments = Float[np.ndarray, "M M"]
"""Mean of v vᵀ over windows of past and future steps (:meth:`WindowGram.from_level`)."""


class LinearMap(NamedTuple):
    """Future steps as weighted sums of past ones; one map a channel, or a single one (G = 1)."""

    weights: Float[np.ndarray, "G L H"]
    intercept: Float[np.ndarray, "H"]

    @property
    def look_back(self) -> int:
        """Past steps that are used."""
        return int(self.weights.shape[1])

    @property
    def horizon(self) -> int:
        """Future steps that are forecast."""
        return int(self.weights.shape[2])

    def predict(self, past: Float[np.ndarray, "N C L"]) -> Float[np.ndarray, "N C H"]:
        """Forecast from windows of at least ``look_back`` steps, of which the last count."""
        recent = past[..., -self.look_back :]
        if len(self.weights) == 1:
            return np.asarray(recent @ self.weights[0] + self.intercept)
        each = [recent[:, c] @ w for c, w in enumerate(self.weights)]
        return np.asarray(np.stack(each, axis=1) + self.intercept)

    def single(self) -> "LinearMap":
        """Return the map in 32-bit numbers, which is twice as fast on many windows."""
        return LinearMap(self.weights.astype(np.float32), self.intercept.astype(np.float32))


class Option(NamedTuple):
    """A look-back, its penalty, and mean squares of each held-out fold.

    The penalty grows with the distance in time by ``decay``; an infinite ``alpha`` is persistence.
    Windows are counted from the level that ``memory`` says (:func:`level_weights`).
    """

    look_back: int
    decay: float
    alpha: float
    errors: tuple[float, ...]
    memory: float = 1.0

    @property
    def score(self) -> float:
        """Mean over held-out folds of the logarithm of the error: no loud fold decides."""
        return float(np.mean(np.log(self.errors)))


class Pool(NamedTuple):
    """A share of :data:`SHARES`, the factor on alphas that it asks for, and errors of folds."""

    share: float | None
    shift: float = 1.0
    errors: tuple[float, ...] = (1.0,)

    @property
    def score(self) -> float:
        """Mean over held-out folds of the logarithm of the error."""
        return float(np.mean(np.log(self.errors)))


class LinearForecaster(NamedTuple):
    """A map in scaled units; the options and pools it is the mean of, best first."""

    map: LinearMap
    options: tuple[Option, ...]
    pools: tuple[Pool, ...]

    @property
    def is_persistence(self) -> bool:
        """True where the last value is repeated."""
        return bool(np.isinf(self.options[0].alpha))


def fit_linear(folds: BlockedFolds, season: int, memory: float = 1.0) -> LinearForecaster:
    """Fit the mean forecast of all options that blocked folds find good.

    Errors of forecasts from pasts of other lengths, and of maps shared or not, cancel in part, so
    that the mean of several good ones beats the best (Bates and Granger 1969). Look-back, decay and
    alpha are judged with one map for all channels; then, at the shortest look-back, how far
    channels have maps of their own: that costs a decomposition a channel, pool and fold. Where
    folds do not agree that the best of them beats the last value (mean gain above its standard
    error), that is repeated: a random walk has no better forecast.
    """
    options = rank_options(folds, season, memory)
    pools = rank_pools(folds, min(options, key=lambda option: option.look_back), season)
    persistence = persistence_option(folds, memory)
    best = min((one.score, one.errors) for one in (options[0], pools[0]))
    if not folds_agree(persistence.errors, best[1]):
        options, pools = [persistence], [Pool(None)]
    kept = tuple(o for o in options if o.score <= options[0].score + TOLERANCE)
    shared = tuple(p for p in pools if p.score <= pools[0].score + TOLERANCE)
    return LinearForecaster(fit_map(folds, kept, shared, season), kept, shared)


def rank_options(folds: BlockedFolds, season: int, memory: float = 1.0) -> list[Option]:
    """Return every look-back and decay with its best alpha, best first."""
    splits = folds.splits()
    options = []
    for L in look_backs_up_to(folds.look_back):
        pairs = [moments_of(split, L, folds.horizon, memory) for split in splits]
        for decay in DECAYS:
            found = [
                lag_ridge(fit, L, decay=decay, season=season).errors(held, PER_STEP_ALPHAS)
                for fit, held in pairs
            ]
            alpha, errors = _best_alpha(np.array(found))
            options.append(Option(L, decay, alpha, errors, memory))
    return sorted(options, key=lambda option: option.score)


def _best_alpha(errors: Float[np.ndarray, "K A"]) -> tuple[float, tuple[float, ...]]:
    """Return the alpha of the least mean logarithm of the errors, and its error on each fold."""
    errors = np.maximum(errors, 0.0) + 1e-30
    at = int(np.log(errors).mean(axis=0).argmin())
    return float(PER_STEP_ALPHAS[at]), tuple(errors[:, at].tolist())


def persistence_option(folds: BlockedFolds, memory: float = 1.0) -> Option:
    """Return the level repeated as an option: an infinite penalty on all else."""
    short = folds.shortened(look_backs_up_to(folds.look_back)[0])
    L, spans = short.look_back, map(short.fold_spans, range(short.count))
    errors = [_persistence_error(short.gram(some).from_level(L, memory), L) for some in spans]
    return Option(L, 0.0, np.inf, tuple(errors), memory)


def _persistence_error(held: LagMoments, look_back: int) -> float:
    """Return the mean squared error of the level, from moments less the level."""
    return max(float(np.diagonal(held)[look_back:].mean()), 0.0) + 1e-30


def folds_agree(before: Sequence[float], after: Sequence[float]) -> bool:
    """Return whether errors of held-out folds fall by more than the standard error of the fall."""
    gains = np.log(before) - np.log(after)
    return bool(gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains)))


def rank_pools(folds: BlockedFolds, option: Option, season: int) -> list[Pool]:
    """Return every pooling with the factor on alpha that goes with it, best first."""
    C, L = folds.n_channels, option.look_back
    if C == 1:
        return [Pool(None, 1.0, option.errors)]
    short = folds.shortened(L)
    parts = [short.splits(c) for c in range(C)]  # by channel, then by fold
    pools = []
    for share in SHARES:
        errors = np.zeros((folds.count, len(PER_STEP_ALPHAS)))
        for k in range(folds.count):
            fits = pool_grams([parts[c][k][0] for c in range(C)], share)
            for c, (fit, part) in enumerate(zip(fits, parts, strict=True)):
                if c == 0 or fit is not fits[0]:
                    moments = fit.from_level(L, option.memory)
                    ridge = lag_ridge(moments, L, decay=option.decay, season=season)
                held = part[k][1].from_level(L, option.memory)
                errors[k] += ridge.errors(held, PER_STEP_ALPHAS) / C
        alpha, least = _best_alpha(errors)
        pools.append(Pool(share, float(alpha / option.alpha), least))
    return sorted(pools, key=lambda pool: pool.score)


def pool_grams(grams: Sequence[WindowGram], share: float | None) -> list[WindowGram]:
    """Return the sums to fit each channel on: its own and ``share`` times the mean of all."""
    every = grams[0]
    for gram in grams[1:]:
        every = every.plus(gram)
    if share is None:
        return [every] * len(grams)
    part = share / len(grams)
    return [
        WindowGram(
            own.products + part * every.products,
            own.total + part * every.total,
            own.windows + round(part * every.windows),
        )
        for own in grams
    ]


def fit_map(
    folds: BlockedFolds, options: Sequence[Option], pools: Sequence[Pool], season: int
) -> LinearMap:
    """Fit the mean of the maps of some options, each on every window that may be fitted on."""
    return fit_maps(folds, options, pools, season, [None])[0]


def fit_maps(
    folds: BlockedFolds,
    options: Sequence[Option],
    pools: Sequence[Pool],
    season: int,
    left_out: Sequence[int | None],
) -> list[LinearMap]:
    """Fit as :func:`fit_map`, without one fold and then without another; None leaves out none."""
    shared = all(pool.share is None for pool in pools)
    channels = [None] if shared else list(range(folds.n_channels))
    maps: list[list[LinearMap]] = [[] for _ in left_out]
    for L in sorted({option.look_back for option in options}):
        short = folds.shortened(L)
        whole = [short.gram(short.training_spans(), c) for c in channels]
        for made, k in zip(maps, left_out, strict=True):
            grams = whole
            if k is not None:
                parts = [short.gram(short.overlapping_spans(k), c) for c in channels]
                grams = [every.plus(some, -1) for every, some in zip(whole, parts, strict=True)]
            for pool in pools:
                fits = pool_grams(grams, pool.share)[: 1 if pool.share is None else None]
                for memory in sorted({option.memory for option in options}):
                    moments = [fit.from_level(L, memory) for fit in fits]
                    some = [o for o in options if (o.look_back, o.memory) == (L, memory)]
                    made += [_map(moments, o, pool, season) for o in some]
    return [mean_map(made) for made in maps]


def _map(moments: Sequence[LagMoments], option: Option, pool: Pool, season: int) -> LinearMap:
    L, alpha = option.look_back, option.alpha * pool.shift
    decay, memory = option.decay, option.memory
    weights = [
        ridge_weights(m, L, alpha, decay=decay, season=season, memory=memory) for m in moments
    ]
    return LinearMap(np.stack(weights), np.zeros(len(moments[0]) - L))


def mean_map(maps: list[LinearMap]) -> LinearMap:
    """Return the mean forecast of several maps, shared by channels or not, as one map."""
    longest = max(m.look_back for m in maps)
    weights = np.zeros((max(len(m.weights) for m in maps), longest, maps[0].horizon))
    for m in maps:
        weights[:, longest - m.look_back :] += m.weights / len(maps)
    return LinearMap(weights, np.mean([m.intercept for m in maps], axis=0))


def moments_of(
    split: tuple[WindowGram, WindowGram], look_back: int, horizon: int, memory: float = 1.0
) -> tuple[LagMoments, LagMoments]:
    """Return both moments of a split with fewer past steps, the level subtracted."""
    fit, held = (part.last(look_back + horizon).from_level(look_back, memory) for part in split)
    return fit, held


def option_error(split: tuple[WindowGram, WindowGram], option: Option, season: int) -> float:
    """Return the mean squared error of an option, one map for all channels, on a held-out fold."""
    L = option.look_back
    fit, held = moments_of(split, L, len(split[0].total) - L, option.memory)
    if np.isinf(option.alpha):
        return _persistence_error(held, L)
    at = int(np.abs(np.log(PER_STEP_ALPHAS / option.alpha)).argmin())
    ridge = lag_ridge(fit, L, decay=option.decay, season=season)
    return float(ridge.errors(held, PER_STEP_ALPHAS)[at])


def lag_ridge(moments: LagMoments, look_back: int, *, decay: float, season: int) -> RidgePath:
    """Fit the ridge from ``look_back`` steps, their level subtracted, to the steps after them.

    The penalty on the weight of a step grows with its distance d from the last one, in seasons:
    (1 + d)^decay, so that long look-backs do no harm: what is long ago must prove its use. With
    decay 0 it is plain ridge.
    """
    xx, xy, prior = _penalise_moments(moments, look_back, decay, season)
    path = RidgePath.of(xx, xy)
    return replace(path, basis=prior[:, None] * path.basis)


def ridge_weights(
    moments: LagMoments,
    look_back: int,
    alpha: float,
    *,
    decay: float,
    season: int,
    memory: float = 1.0,
) -> Float[np.ndarray, "L H"]:
    """Return the weights of one strength of :func:`lag_ridge`; infinite is persistence.

    The level is subtracted from the past and added again, so that the columns add up to 1.
    """
    level = level_weights(look_back, memory)
    if np.isinf(alpha):
        return level[:, None].repeat(len(moments) - look_back, axis=1)
    xx, xy, prior = _penalise_moments(moments, look_back, decay, season)
    w = prior[:, None] * solve_ridge(xx, xy, alpha)
    return np.asarray(w + np.outer(level, 1 - w.sum(axis=0)))


def _penalise_moments(
    moments: LagMoments, look_back: int, decay: float, season: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return moments of penalised steps, those with future ones, and the penalty's inverse root."""
    distance = np.arange(look_back)[::-1] / season
    prior = (1 + distance) ** (-decay / 2)  # root of the prior variance of a weight
    xx = prior[:, None] * moments[:look_back, :look_back] * prior
    unit = mean_variance(xx)
    return xx / unit, prior[:, None] * moments[:look_back, look_back:] / unit, prior
