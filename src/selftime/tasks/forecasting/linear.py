"""The linear forecaster in closed form: few options, all chosen by blocked folds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.tasks.forecasting.blocks import Blocks, look_backs_up_to
from selftime.tasks.forecasting.gram import WindowGram
from selftime.tasks.forecasting.lag_ridge import ALPHAS, LagRidge, lag_ridge
from selftime.tasks.forecasting.linear_map import LinearMap, mean_of

DECAYS = (0.0, 1.0)
"""Penalties that do not, and do, grow with the distance in time."""
TOLERANCE = 0.02
"""Options whose held-out error is this near to the least, as a share of it, count as equal."""
LONGEST = 2
"""Of equal look-backs so many are kept, the longest: seasons differ more than blocks can tell."""
POOLS = (None, 1.0, 0.0)
"""One map for all channels; for each channel its own moments with as much of the mean of all; its
own alone."""
POOL_LOOK_BACK = 336
"""Past steps at which the pooling is chosen: it costs a decomposition a channel, pool and block."""


class Option(NamedTuple):
    """One way of forecasting.

    Attributes:
        look_back: past steps.
        decay: how fast the penalty grows with the distance in time.
        alpha: strength of the penalty.
        score: mean over held-out blocks of the logarithm of the error.
    """

    look_back: int
    decay: float
    alpha: float
    score: float


class LinearForecaster(NamedTuple):
    """What was chosen, and the forecaster that it makes.

    Attributes:
        map: from past to future, in scaled units.
        options: those that are averaged over, best first.
        pool: one of :data:`POOLS`.
        shift: factor on the alphas that the pooling asked for.
    """

    map: LinearMap
    options: tuple[Option, ...]
    pool: float | None
    shift: float


def fit_linear(blocks: Blocks, season: int) -> LinearForecaster:
    """The best options by blocked folds, averaged; fitted on all that may be fitted on.

    Look-back, decay and alpha are judged with one map for all channels; then, at the best of them
    that is not long, how far channels have maps of their own.

    Args:
        blocks: windows with the longest look-back.
        season: steps of a season, 1 without one.
    """
    options = ranked_options(blocks, season)
    best = next((o for o in options if o.look_back <= POOL_LOOK_BACK), options[-1])
    pool, shift = chosen_pool(blocks, best, season)
    near = kept_options(options)
    return LinearForecaster(fitted_map(blocks, near, season, pool, shift), near, pool, shift)


def ranked_options(blocks: Blocks, season: int) -> list[Option]:
    """Every look-back and decay with its best alpha, best first."""
    folds = blocks.folds()
    options = []
    for look_back in look_backs_up_to(blocks.look_back):
        pairs = [moments_of(fold, look_back, blocks.horizon) for fold in folds]
        for decay in DECAYS:
            curve = np.mean(
                [
                    np.log(_ridge(fit, look_back, decay, season).errors(held) + 1e-30)
                    for fit, held in pairs
                ],
                axis=0,
            )
            at = int(curve.argmin())
            options.append(Option(look_back, decay, float(ALPHAS[at]), float(curve[at])))
    return sorted(options, key=lambda option: option.score)


def kept_options(options: Sequence[Option]) -> tuple[Option, ...]:
    """Those that are averaged over: as good as the best, and of the longest look-backs, best first.

    Args:
        options: ranked, best first.
    """
    equal = [o for o in options if o.score <= options[0].score + TOLERANCE]
    longest = sorted({o.look_back for o in equal})[-LONGEST:]
    return tuple(o for o in equal if o.look_back in longest)


def chosen_pool(blocks: Blocks, option: Option, season: int) -> tuple[float | None, float]:
    """How far channels share a map, and the factor on alpha that goes with it."""
    C, L = blocks.n_channels, option.look_back
    if C == 1:
        return None, 1.0
    short = blocks.shortened(L)
    parts = [short.folds(c) for c in range(C)]  # by channel, then by block
    curves = []
    for pool in POOLS:
        errors = np.zeros((blocks.count, len(ALPHAS)))
        for k in range(blocks.count):
            fits = pooled([parts[c][k][0] for c in range(C)], pool)
            for c, (fit, part) in enumerate(zip(fits, parts, strict=True)):
                if c == 0 or fit is not fits[0]:
                    ridge = _ridge(fit.from_last_value(L), L, option.decay, season)
                errors[k] += ridge.errors(part[k][1].from_last_value(L)) / C
        curves.append(np.log(errors + 1e-30).mean(axis=0))
    pick = int(np.argmin([curve.min() for curve in curves]))
    return POOLS[pick], float(ALPHAS[curves[pick].argmin()] / option.alpha)


def pooled(grams: Sequence[WindowGram], pool: float | None) -> list[WindowGram]:
    """What each channel is fitted on: its own sums and ``pool`` times the mean of all."""
    every = grams[0]
    for gram in grams[1:]:
        every = every.plus(gram)
    if pool is None:
        return [every] * len(grams)
    share = pool / len(grams)
    return [
        WindowGram(
            own.products + share * every.products,
            own.total + share * every.total,
            own.windows + round(share * every.windows),
        )
        for own in grams
    ]


def fitted_map(
    blocks: Blocks,
    options: Sequence[Option],
    season: int,
    pool: float | None,
    shift: float,
    without: int | None = None,
) -> LinearMap:
    """The mean of the maps of some options, fitted on every window that may be fitted on.

    Args:
        blocks: windows with the longest look-back.
        options: what is averaged over.
        season: steps of a season, 1 without one.
        pool: one of :data:`POOLS`.
        shift: factor on the alphas.
        without: a block that is left out.
    """
    channels = [None] if pool is None else list(range(blocks.n_channels))
    grams = [blocks.gram(blocks.fitted(), c) for c in channels]
    if without is not None:
        left_out = [blocks.gram(blocks.touching(without), c) for c in channels]
        grams = [every.plus(some, -1) for every, some in zip(grams, left_out, strict=True)]
    fits = grams if pool is None else pooled(grams, pool)
    return mean_of([_map(fits, blocks.horizon, option, season, shift) for option in options])


def _map(
    fits: Sequence[WindowGram], horizon: int, option: Option, season: int, shift: float
) -> LinearMap:
    L = option.look_back
    weights = [
        _ridge(fit.last(L + horizon).from_last_value(L), L, option.decay, season).weights(
            option.alpha * shift
        )
        for fit in fits
    ]
    return LinearMap(np.stack(weights), np.zeros(horizon))


def moments_of(
    fold: tuple[WindowGram, WindowGram], look_back: int, horizon: int
) -> tuple[Float[np.ndarray, "M M"], Float[np.ndarray, "M M"]]:
    """Moments of both halves of a fold with fewer past steps, the last value subtracted."""
    fit, held = (part.last(look_back + horizon).from_last_value(look_back) for part in fold)
    return fit, held


def _ridge(moments: np.ndarray, look_back: int, decay: float, season: int) -> LagRidge:
    return lag_ridge(moments, look_back, decay=decay, season=season)
