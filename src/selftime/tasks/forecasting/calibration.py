"""Whether intervals hold as often as they promise, on every window of a test part."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.tasks.forecasting.folds import BlockedFolds
from selftime.tasks.forecasting.intervals import AdaptiveQuantiles, levels_of, recent_std
from selftime.tasks.forecasting.linear import LinearForecaster, fitted_maps
from selftime.tasks.forecasting.protocols import Forecasting, Setting, windows_between

QUANTILE_LEVELS = tuple(round(0.1 * i, 1) for i in range(1, 10))
"""Quantiles over which the weighted quantile loss is averaged."""
_MAX_HELD_OUT_WINDOWS = 8000
"""About how many held-out windows of the training part are looked at."""
INTERVALS = (0.2, 0.4, 0.6, 0.8, 0.9, 0.95)
"""Shares of the future that intervals promise to hold."""
ALL_LEVELS = tuple(
    sorted({*QUANTILE_LEVELS, *(level for share in INTERVALS for level in levels_of(share))})
)
"""Levels of all quantiles that are looked at."""


class HeldOutResiduals(NamedTuple):
    """Residuals of windows that nothing was fitted on.

    Attributes:
        residuals: (N,C,H) truth less forecast, in scaled units.
        spread: (N,C) how much each channel moved within the window.
        every: every how-many-th window these are.
    """

    residuals: Float[np.ndarray, "N C H"]
    spread: Float[np.ndarray, "N C"]
    every: int = 1

    def ratios(self, h: int) -> Float[np.ndarray, "N C"]:
        """Residuals of step ``h`` (from 0) in units of the spread."""
        return np.asarray(self.residuals[:, :, h] / self.spread)

    def then(self, later: "HeldOutResiduals") -> "HeldOutResiduals":
        """These windows, then others."""
        residuals = np.concatenate([self.residuals, later.residuals])
        return HeldOutResiduals(residuals, np.concatenate([self.spread, later.spread]), self.every)


class Calibration(NamedTuple):
    """What quantiles were worth on the test part.

    Attributes:
        coverage: share of the truth within the interval, by what it promised.
        quantile_loss: 2 Σ pinball / Σ|y|, mean over the levels 0.1 to 0.9, in original units.
        mase: absolute error in units of that of the seasonal naive row on the training part.
        errors: standard error of each coverage, from stretches of the test part as long as the
            horizon; NaN where there are not two of them.
    """

    coverage: dict[float, float]
    quantile_loss: float
    mase: float
    errors: dict[float, float] = {}  # noqa: RUF012 - nothing changes it

    def shares(self) -> dict[str, float]:
        """``{"0.8": 0.79, …}``: share that was held, by what was promised."""
        return {f"{promised:g}": round(kept, 4) for promised, kept in self.coverage.items()}

    def doubts(self) -> dict[str, float | None]:
        """``{"0.8": 0.02, …}``: standard error of each share; None where it is not known."""
        return {
            f"{promised:g}": None if np.isnan(error) else round(error, 4)
            for promised, error in self.errors.items()
        }


def calibration_of(
    misses: HeldOutResiduals, before: HeldOutResiduals, setting: Setting
) -> Calibration:
    """Quantiles that begin with held-out residuals and follow what becomes known afterwards.

    No window's quantiles depend on a value after its origin: they begin with residuals known when
    the test part does, and move as
    :class:`~selftime.tasks.forecasting.intervals.AdaptiveQuantiles` says.

    Args:
        misses: of the windows after the training part.
        before: of held-out windows of the training part.
        setting: the series, cut and scaled.
    """
    train, validation, _ = setting.borders
    first, horizon = validation - train, misses.residuals.shape[2]
    inside: list[np.ndarray] = []
    loss = np.zeros(len(ALL_LEVELS))
    sd = setting.scale.sd[:, None]
    for rows, quantiles in _quantile_batches(misses, before, first):
        miss = misses.residuals[rows].astype(np.float64)
        inside.append(np.stack([_share_within(quantiles, miss, share) for share in INTERVALS]))
        loss += pinball(quantiles * sd, miss * sd, ALL_LEVELS)
    kept, tested = np.concatenate(inside, axis=1), misses.residuals[first:]
    size = np.abs(setting.values[validation:] * setting.scale.sd + setting.scale.mean).sum(axis=1)
    total = sum(float(size[h : h + len(tested)].sum()) for h in range(horizon))
    scale = naive_scale(setting.values[:train], setting.season)
    return Calibration(
        dict(zip(INTERVALS, kept.mean(axis=1).tolist(), strict=True)),
        float(
            2
            * loss[[ALL_LEVELS.index(level) for level in QUANTILE_LEVELS]].mean()
            / max(total, 1e-30)
        ),
        mase(tested, np.zeros_like(tested), scale),
        {share: standard_error(k, horizon) for share, k in zip(INTERVALS, kept, strict=True)},
    )


def _quantile_batches(
    misses: HeldOutResiduals, before: HeldOutResiduals, first: int
) -> Iterator[tuple[slice, Float[np.ndarray, "Q n C H"]]]:
    """Some windows of the test part after the other, and their quantiles in scaled units."""
    following = AdaptiveQuantiles.of(
        _residuals_at_start(misses, before, first), ALL_LEVELS, before.every
    )
    parts = (0, first), (first, len(misses.residuals))
    for rows in [piece for part in parts for piece in _slices(*part, following.rows)]:
        spread = misses.spread[rows, :, None]
        quantiles = following.follow(misses.residuals[rows] / spread)
        if rows.start >= first:
            yield rows, np.moveaxis(quantiles * spread[..., None], 3, 0)


def _slices(start: int, stop: int, rows: int) -> list[slice]:
    """``start`` to ``stop``, some rows at once."""
    return [slice(i, min(i + rows, stop)) for i in range(start, stop, rows)]


def _residuals_at_start(
    misses: HeldOutResiduals, before: HeldOutResiduals, first: int
) -> Iterator[Float[np.ndarray, "M C"]]:
    """What is known when the test part begins of each future step, in units of the spread."""
    for h in range(misses.residuals.shape[2]):
        known = misses.ratios(h)[: max(first - h, 0) : before.every]
        yield np.concatenate([before.ratios(h), known])


def _share_within(
    quantiles: Float[np.ndarray, "Q n C H"], miss: Float[np.ndarray, "n C H"], share: float
) -> Float[np.ndarray, "n"]:
    """Share of the steps of each window in the interval that promises to hold ``share``."""
    low, high = (quantiles[ALL_LEVELS.index(level)] for level in levels_of(share))
    return np.asarray(np.mean((miss >= low) & (miss <= high), axis=(1, 2)))


def standard_error(shares: Float[np.ndarray, "n"], horizon: int) -> float:
    """Of the mean share of windows a step apart, which have most of their steps in common.

    Means of stretches that are as long as the horizon count as one observation each (batch means;
    Conway 1963). So few of them make a test part that a coverage cannot be told from another.
    """
    count = len(shares) // horizon
    if count < 2:
        return float("nan")
    batches = shares[: count * horizon].reshape(count, horizon).mean(axis=1)
    return float(batches.std(ddof=1) / np.sqrt(count))


def residuals_of(
    forecaster: Forecasting, setting: Setting, horizon: int, first: int, stop: int | None = None
) -> HeldOutResiduals:
    """Every window whose future lies within ``first`` and ``stop``, the end of the series if None.

    Nothing from ``first`` on was fitted on.
    """
    stop = setting.borders.end if stop is None else stop
    residuals, spread = [], []
    for past, future in windows_between(setting, first, stop, forecaster.look_back, horizon):
        residuals.append((future - forecaster.predict(past)).astype(np.float32))
        spread.append(recent_std(past))
    return HeldOutResiduals(np.concatenate(residuals), np.concatenate(spread))


def cross_conformal_residuals(
    chosen: LinearForecaster, blocks: BlockedFolds, season: int
) -> HeldOutResiduals:
    """Windows of every block of the training part, by the same options fitted without that block.

    Cross-conformal residuals (Vovk 2015; Barber et al. 2021, CV+): they tell of all seasons that
    the training part has, where the validation part tells of one. The linear map alone makes them;
    what features correct is left out.
    """
    held = [k for k in range(blocks.count) if blocks.edges[0][k] < blocks.fit_end[0]]
    places = [blocks.origins(blocks.held(k)) for k in held]
    every = max(1, sum(map(len, places)) // _MAX_HELD_OUT_WINDOWS)
    residuals, spread = [], []
    maps = fitted_maps(blocks, chosen.options, chosen.pools, season, held)
    for fitted, origins in zip([m.single() for m in maps], places, strict=True):
        past, future = blocks.windows(origins[::every])
        residuals.append(future - fitted.predict(past))
        spread.append(recent_std(past[:, :, -fitted.look_back :]))
    return HeldOutResiduals(np.concatenate(residuals), np.concatenate(spread), every)


def mse(forecast: Float[np.ndarray, "*N"], truth: Float[np.ndarray, "*N"]) -> float:
    """Mean squared error over windows, channels and steps."""
    return float(np.mean((forecast - truth) ** 2, dtype=np.float64))


def mae(forecast: Float[np.ndarray, "*N"], truth: Float[np.ndarray, "*N"]) -> float:
    """Mean absolute error over windows, channels and steps."""
    return float(np.mean(np.abs(forecast - truth), dtype=np.float64))


def naive_scale(train: Float[np.ndarray, "T C"], season: int) -> Float[np.ndarray, "C"]:
    """Mean absolute change over a season in the training part, in the units of the data.

    The denominator of MASE (Hyndman and Koehler 2006, section 3).
    """
    change = np.abs(train[season:] - train[:-season]).mean(axis=0)
    return np.where(change > 0, change, 1.0)


def mase(
    forecast: Float[np.ndarray, "N C H"],
    truth: Float[np.ndarray, "N C H"],
    scale: Float[np.ndarray, "C"],
) -> float:
    """Mean absolute error of each channel in units of its :func:`naive_scale`, mean of channels."""
    each = np.abs(forecast - truth).mean(axis=(0, 2), dtype=np.float64)
    return float(np.mean(each / scale))


def pinball(
    quantiles: Float[np.ndarray, "Q *N"], truth: Float[np.ndarray, "*N"], levels: Sequence[float]
) -> Float[np.ndarray, "Q"]:
    """Quantile loss of each level, summed: max(q (y − ŷ), (q − 1)(y − ŷ))."""
    q = np.reshape(levels, (-1,) + (1,) * truth.ndim)
    miss = truth - quantiles
    loss = np.maximum(q * miss, (q - 1) * miss)
    return np.asarray(loss.reshape(len(loss), -1).sum(axis=1, dtype=np.float64))


def weighted_quantile_loss(
    quantiles: Float[np.ndarray, "Q *N"], truth: Float[np.ndarray, "*N"], levels: Sequence[float]
) -> float:
    """2 Σ pinball / Σ|y|, mean over levels, in original units (Park et al. 2022, equation 8).

    With many evenly spaced levels it approaches the CRPS over the mean absolute value.
    """
    size = max(float(np.abs(truth).sum(dtype=np.float64)), 1e-30)
    return float(np.mean(2 * pinball(quantiles, truth, levels) / size))
