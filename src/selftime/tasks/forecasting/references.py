"""What stands beside every forecast: repeat-last, seasonal naive, NLinear and DLinear."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from selftime.tasks.forecasting.blocks import BlockedFolds, WindowGram
from selftime.tasks.forecasting.lag_ridge import ridge_weights
from selftime.tasks.forecasting.linear_map import LinearMap
from selftime.tasks.ridge import mean_variance, solve_ridge

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
