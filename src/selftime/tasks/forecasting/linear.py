"""The linear forecaster in closed form: few options, all chosen by blocked folds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.tasks.forecasting.folds import BlockedFolds, WindowGram, look_backs_up_to
from selftime.tasks.forecasting.linear_map import (
    PER_STEP_ALPHAS,
    LinearMap,
    lag_ridge,
    mean_map,
    ridge_weights,
)
from selftime.tasks.probing.ridge import RidgePath

DECAYS = (0.0, 1.0)
"""Penalties that do not, and do, grow with the distance in time."""
TOLERANCE = 0.1
"""Options whose held-out error is this near to the least, as a share of it, are averaged over."""
SHARES = (None, 1.0, 0.0)
"""One map for all channels; for each channel its own moments with as much of the mean of all; its
own alone."""


class Option(NamedTuple):
    """One past, and how it is penalised.

    Attributes:
        look_back: past steps.
        decay: how fast the penalty grows with the distance in time.
        alpha: strength of the penalty where channels share a map; infinite where the last value is
            repeated.
        errors: of each held-out block, mean squares.
    """

    look_back: int
    decay: float
    alpha: float
    errors: tuple[float, ...]

    @property
    def score(self) -> float:
        """Mean over held-out blocks of the logarithm of the error: no loud block decides."""
        return float(np.mean(np.log(self.errors)))


class Pool(NamedTuple):
    """One way for channels to share a map.

    Attributes:
        share: one of :data:`SHARES`.
        shift: factor on the alphas that it asks for.
        errors: of each held-out block, mean squares over all channels.
    """

    share: float | None
    shift: float = 1.0
    errors: tuple[float, ...] = (1.0,)

    @property
    def score(self) -> float:
        """Mean over held-out blocks of the logarithm of the error."""
        return float(np.mean(np.log(self.errors)))


class LinearForecaster(NamedTuple):
    """What was chosen, and the forecaster that it makes.

    Attributes:
        map: from past to future, in scaled units.
        options: pasts that are averaged over, best first.
        pools: ways of sharing that are averaged over, best first.
    """

    map: LinearMap
    options: tuple[Option, ...]
    pools: tuple[Pool, ...]

    @property
    def still(self) -> bool:
        """Whether it repeats the last value."""
        return bool(np.isinf(self.options[0].alpha))


def fit_linear(blocks: BlockedFolds, season: int) -> LinearForecaster:
    """The mean forecast of all options that blocked folds find good, fitted on all that may be.

    Errors of forecasts from pasts of other lengths, and of maps shared or not, cancel in part, so
    that the mean of several good ones beats the best (Bates and Granger 1969). Look-back, decay and
    alpha are judged with one map for all channels; then, at the shortest look-back, how far
    channels have maps of their own: that costs a decomposition a channel, pool and block. Where
    blocks do not agree that the best of them beats the last value (mean gain above its standard
    error), that is repeated: a random walk has no better forecast.

    Args:
        blocks: windows with the longest look-back.
        season: steps of a season, 1 without one.
    """
    options = ranked_options(blocks, season)
    pools = ranked_pools(blocks, min(options, key=lambda option: option.look_back), season)
    still = last_value(blocks)
    ranked = [(options[0].score, options[0].errors), (pools[0].score, pools[0].errors)]
    if not folds_agree(still.errors, min(ranked)[1]):
        options, pools = [still], [Pool(None)]
    kept = tuple(o for o in options if o.score <= options[0].score + TOLERANCE)
    shared = tuple(p for p in pools if p.score <= pools[0].score + TOLERANCE)
    return LinearForecaster(fitted_map(blocks, kept, shared, season), kept, shared)


def ranked_options(blocks: BlockedFolds, season: int) -> list[Option]:
    """Every look-back and decay with its best alpha, best first."""
    folds = blocks.folds()
    options = []
    for L in look_backs_up_to(blocks.look_back):
        pairs = [moments_of(fold, L, blocks.horizon) for fold in folds]
        for decay in DECAYS:
            found = [
                _ridge(fit, L, decay, season).errors(held, PER_STEP_ALPHAS) for fit, held in pairs
            ]
            errors = np.array(found) + 1e-30  # (K,A)
            at = int(np.log(errors).mean(axis=0).argmin())
            options.append(
                Option(L, decay, float(PER_STEP_ALPHAS[at]), tuple(errors[:, at].tolist()))
            )
    return sorted(options, key=lambda option: option.score)


def last_value(blocks: BlockedFolds) -> Option:
    """The last value repeated, as an option: an infinite penalty on all else."""
    short = blocks.shortened(look_backs_up_to(blocks.look_back)[0])
    held = [short.gram(short.held(k)).from_last_value(short.look_back) for k in range(short.count)]
    return Option(
        short.look_back, 0.0, np.inf, tuple(_persistence_error(h, short.look_back) for h in held)
    )


def _persistence_error(held: Float[np.ndarray, "M M"], look_back: int) -> float:
    """Mean squared error of the last value, from the moments of what it is subtracted from."""
    return float(np.diagonal(held)[look_back:].mean()) + 1e-30


def folds_agree(before: Sequence[float], after: Sequence[float]) -> bool:
    """Whether errors of held-out blocks fall by more than the standard error of the fall."""
    gains = np.log(before) - np.log(after)
    return bool(gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains)))


def ranked_pools(blocks: BlockedFolds, option: Option, season: int) -> list[Pool]:
    """Every way of sharing with the factor on alpha that goes with it, best first."""
    C, L = blocks.n_channels, option.look_back
    if C == 1:
        return [Pool(None, 1.0, option.errors)]
    short = blocks.shortened(L)
    parts = [short.folds(c) for c in range(C)]  # by channel, then by block
    pools = []
    for share in SHARES:
        errors = np.zeros((blocks.count, len(PER_STEP_ALPHAS)))
        for k in range(blocks.count):
            fits = pool_grams([parts[c][k][0] for c in range(C)], share)
            for c, (fit, part) in enumerate(zip(fits, parts, strict=True)):
                if c == 0 or fit is not fits[0]:
                    ridge = _ridge(fit.from_last_value(L), L, option.decay, season)
                errors[k] += ridge.errors(part[k][1].from_last_value(L), PER_STEP_ALPHAS) / C
        errors += 1e-30
        at = int(np.log(errors).mean(axis=0).argmin())
        pools.append(
            Pool(share, float(PER_STEP_ALPHAS[at] / option.alpha), tuple(errors[:, at].tolist()))
        )
    return sorted(pools, key=lambda pool: pool.score)


def pool_grams(grams: Sequence[WindowGram], share: float | None) -> list[WindowGram]:
    """What each channel is fitted on: its own sums and ``share`` times the mean of all."""
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


def fitted_map(
    blocks: BlockedFolds, options: Sequence[Option], pools: Sequence[Pool], season: int
) -> LinearMap:
    """The mean of the maps of some options, each fitted on every window that may be fitted on.

    Args:
        blocks: windows with the longest look-back.
        options: pasts that are averaged over; shorter ones have more windows.
        pools: ways of sharing that are averaged over.
        season: steps of a season, 1 without one.
    """
    return fitted_maps(blocks, options, pools, season, [None])[0]


def fitted_maps(
    blocks: BlockedFolds,
    options: Sequence[Option],
    pools: Sequence[Pool],
    season: int,
    left_out: Sequence[int | None],
) -> list[LinearMap]:
    """As :func:`fitted_map`, without one block and then without another; None leaves out none."""
    shared = all(pool.share is None for pool in pools)
    channels = [None] if shared else list(range(blocks.n_channels))
    maps: list[list[LinearMap]] = [[] for _ in left_out]
    for L in sorted({option.look_back for option in options}):
        short = blocks.shortened(L)
        whole = [short.gram(short.fitted(), c) for c in channels]
        for made, k in zip(maps, left_out, strict=True):
            grams = whole
            if k is not None:
                parts = [short.gram(short.touching(k), c) for c in channels]
                grams = [every.plus(some, -1) for every, some in zip(whole, parts, strict=True)]
            for pool in pools:
                fits = pool_grams(grams, pool.share)[: 1 if pool.share is None else None]
                moments = [fit.from_last_value(L) for fit in fits]
                made += [_map(moments, o, pool, season) for o in options if o.look_back == L]
    return [mean_map(made) for made in maps]


def _map(moments: Sequence[np.ndarray], option: Option, pool: Pool, season: int) -> LinearMap:
    L, alpha = option.look_back, option.alpha * pool.shift
    weights = [ridge_weights(m, L, alpha, decay=option.decay, season=season) for m in moments]
    return LinearMap(np.stack(weights), np.zeros(len(moments[0]) - L))


def moments_of(
    fold: tuple[WindowGram, WindowGram], look_back: int, horizon: int
) -> tuple[Float[np.ndarray, "M M"], Float[np.ndarray, "M M"]]:
    """Moments of both halves of a fold with fewer past steps, the last value subtracted."""
    fit, held = (part.last(look_back + horizon).from_last_value(look_back) for part in fold)
    return fit, held


def held_out_error(fold: tuple[WindowGram, WindowGram], option: Option, season: int) -> float:
    """Mean squared error of an option, channels alike, on what a fold holds out."""
    L = option.look_back
    fit, held = moments_of(fold, L, len(fold[0].total) - L)
    if np.isinf(option.alpha):
        return _persistence_error(held, L)
    at = int(np.abs(np.log(PER_STEP_ALPHAS / option.alpha)).argmin())
    return float(_ridge(fit, L, option.decay, season).errors(held, PER_STEP_ALPHAS)[at])


def _ridge(moments: np.ndarray, look_back: int, decay: float, season: int) -> RidgePath:
    return lag_ridge(moments, look_back, decay=decay, season=season)
