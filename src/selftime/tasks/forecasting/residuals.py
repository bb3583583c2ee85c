"""Residuals at the ends of series, by a fit that has not seen them: what intervals come from."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from selftime.data.series import SeriesError
from selftime.tasks.forecasting.covariates import Covariates, KnownEffect, refit_effect
from selftime.tasks.forecasting.features import FEATURE_CHUNK
from selftime.tasks.forecasting.folds import LOOK_BACKS, BlockedFolds, cut_folds, what_helps_short
from selftime.tasks.forecasting.forecasters import (
    Values,
    WindowForecaster,
    recent_windows,
    refit_forecaster,
)
from selftime.tasks.forecasting.intervals import AdaptiveQuantiles, pooled_quantiles, recent_std
from selftime.tasks.forecasting.protocols import channel_scale
from selftime.tasks.forecasting.shapes import TABLE_MEMORY, TableShape
from selftime.tasks.forecasting.smoothing import Smoothing

_HELD_OUT_SHARE = 0.2
"""Share at the end of each series that intervals are measured on."""
MOST_JUDGED = 2000
"""About how many held-out windows the intervals come from."""


class Counting(NamedTuple):
    """Units of histories: each has its own scale, or all are a table where they are many.

    Attributes:
        starts: steps of time at which they begin; None where they are not dated.
        season: steps of a season.
        is_table: True for many short ones.
    """

    starts: Int64[np.ndarray, "N"] | None
    season: int
    is_table: bool

    @property
    def memory(self) -> float:
        """Share of the last value in the level of a window."""
        return TABLE_MEMORY if self.is_table else 1.0

    def of(
        self, histories: Sequence[Values], ends: Sequence[int] | None = None
    ) -> tuple[TableShape | None, list[Values]]:
        """Return what series have in common, and each in its units, from their steps up to ends."""
        if not self.is_table:
            return None, [channel_scale(history).apply(history) for history in histories]
        before = [h[:end] for h, end in zip(histories, ends, strict=True)] if ends else histories
        table = TableShape.of(before, self.starts, self.season)
        return table, table.apply(histories, self.starts, 0, ends).histories


def residual_quantiles(
    histories: Sequence[Values],
    counting: Counting,
    fitted: WindowForecaster,
    levels: Sequence[float],
    seen: tuple[KnownEffect, Sequence[Covariates]] | None = None,
) -> Float[np.ndarray, "Q C H"]:
    """Return quantiles of residuals at the ends of the series, by a fit that has not seen them.

    Of a single series quantiles follow the residuals to the last that is known; of many series
    all windows count alike. The effect of the covariates in ``seen`` is taken out first.
    """
    horizon, season = fitted.horizon, counting.season
    ends = [len(h) - max(int(_HELD_OUT_SHARE * len(h)), horizon) for h in histories]
    scaled = counting.of(histories, [max(end, 1) for end in ends])[1]
    if seen is not None:
        whole = BlockedFolds(tuple(scaled), (), tuple(ends), fitted.look_back, horizon)
        scaled = less_effect(scaled, (refit_effect(seen[0], whole, seen[1], season), seen[1]))
    before = [h[:end] for h, end in zip(scaled, ends, strict=True) if end > 0]
    try:
        folds = cut_folds(before, horizon)
    except SeriesError:
        raise SeriesError(
            f"got horizon {horizon} and series of at most {(longest := max(map(len, histories)))} "
            f"steps, wanted at least {3 * horizon + min(LOOK_BACKS)} to fit and to hold out one "
            f"horizon for intervals: {what_helps_short(longest)}"
        ) from None
    judge = refit_forecaster(fitted, folds, season)
    if counting.is_table:  # whose unit is that of each series
        return pooled_quantiles(table_residuals(scaled, ends, judge, before), levels)
    residuals, std = residuals_after(scaled, ends, judge)
    ratios = residuals / std[:, :, None]
    if len(scaled) > 1:
        return np.asarray(np.quantile(ratios, levels, axis=0))
    following = AdaptiveQuantiles.of(np.moveaxis(ratios, 2, 0), levels)
    for first in range(0, len(ratios), following.rows):
        following.follow(ratios[first : first + following.rows])
    return np.moveaxis(following.now, 2, 0)


def less_effect(
    scaled: Sequence[Values], seen: tuple[KnownEffect, Sequence[Covariates]] | None
) -> list[Values]:
    """Return scaled series less the effect of covariates, where there is one."""
    if seen is None:
        return list(scaled)
    return [h - seen[0].of(z[: len(h)]) for h, z in zip(scaled, seen[1], strict=True)]


def table_residuals(
    scaled: Sequence[Values],
    ends: Sequence[int],
    judge: WindowForecaster,
    before: Sequence[Values],
) -> Float[np.ndarray, "N C H"]:
    """Return residuals of forecasts after the ends, one horizon apart, of all series."""
    H, smoothing, found = judge.horizon, Smoothing.of(before), []
    most = max(len(h) - end for h, end in zip(scaled, ends, strict=True))
    for later in range(0, most - H + 1, H):
        cuts = [end + later for end in ends]
        some = [i for i, cut in enumerate(cuts) if 0 < cut <= len(scaled[i]) - H]
        past = [scaled[i][: cuts[i]] for i in some]
        forecast = judge.predict(recent_windows(past, judge.look_back))
        forecast = (forecast + smoothing.predict(past, H)) / 2
        truth = np.stack([scaled[i][cuts[i] : cuts[i] + H].T for i in some])
        found.append(truth - forecast)
    return np.concatenate(found)


def residuals_after(
    scaled: Sequence[Values], ends: Sequence[int], judge: WindowForecaster
) -> tuple[Float[np.ndarray, "N C H"], Float[np.ndarray, "N C"]]:
    """Return residuals of windows after the ends, and the std of each window.

    Of a single series every window counts, of many some that are spread evenly.
    """
    L, H = judge.look_back, judge.horizon
    edges = [np.array([max(end, L), len(h)]) for h, end in zip(scaled, ends, strict=True)]
    held = BlockedFolds(tuple(scaled), tuple(edges), tuple(ends), L, H)
    origins = held.origins(held.fold_spans(0))
    if len(scaled) > 1:
        origins = origins[:: max(1, len(origins) // MOST_JUDGED)]
    found, std = [], []
    for first in range(0, len(origins), FEATURE_CHUNK):
        past, future = held.windows(origins[first : first + FEATURE_CHUNK])
        found.append(future - judge.predict(past))
        std.append(recent_std(past))
    return np.concatenate(found), np.concatenate(std)
