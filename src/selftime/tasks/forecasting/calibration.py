"""Coverage and quantile loss of intervals, on every window of a test part."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.tasks.forecasting.folds import BlockedFolds
from selftime.tasks.forecasting.intervals import AdaptiveQuantiles, levels_of, recent_std
from selftime.tasks.forecasting.linear import LinearForecaster, fit_maps
from selftime.tasks.forecasting.protocols import Forecasting, Setting, windows_between

QUANTILE_LEVELS = tuple(round(0.1 * i, 1) for i in range(1, 10))
"""Quantiles over which the weighted quantile loss is averaged."""
_MAX_HELD_OUT_WINDOWS = 8000
"""About how many held-out windows of the training part that count."""
INTERVALS = (0.2, 0.4, 0.6, 0.8, 0.9, 0.95)
"""Shares of the future that intervals promise to cover."""
ALL_LEVELS = tuple(
    sorted({*QUANTILE_LEVELS, *(level for share in INTERVALS for level in levels_of(share))})
)
"""Levels of all quantiles of a backtest."""


class HeldOutResiduals(NamedTuple):
    """Truth less forecast in scaled units, of windows that nothing was fitted on.

    ``std`` is how much each channel moved within the window, ``every`` the steps between windows.
    """

    residuals: Float[np.ndarray, "N C H"]
    std: Float[np.ndarray, "N C"]
    every: int = 1

    def ratios(self, h: int) -> Float[np.ndarray, "N C"]:
        """Return residuals of step ``h`` (from 0) in units of the std."""
        return np.asarray(self.residuals[:, :, h] / self.std)

    def then(self, later: "HeldOutResiduals") -> "HeldOutResiduals":
        """Return these windows, then others."""
        residuals = np.concatenate([self.residuals, later.residuals])
        return HeldOutResiduals(residuals, np.concatenate([self.std, later.std]), self.every)


class Calibration(NamedTuple):
    """Coverage and losses of quantiles on the test part.

    Attributes:
        coverage: share of the truth within the interval, by the share that it promises.
        quantile_loss: 2 Σ pinball / Σ|y| in original units, mean over the levels 0.1 to 0.9 (Park
            et al. 2022, equation 8); with many levels it approaches the CRPS over the mean |y|.
        mase: absolute error in units of that of the seasonal naive row on the training part.
        errors: standard error of each coverage, from spans of the test part as long as the
            horizon; NaN where there are not two of them.
    """

    coverage: dict[float, float]
    quantile_loss: float
    mase: float
    errors: dict[float, float] = {}  # noqa: RUF012 - nothing changes it

    def shares(self) -> dict[str, float]:
        """Return ``{"0.8": 0.79, …}``: the coverage, by what was promised."""
        return {f"{promised:g}": round(kept, 4) for promised, kept in self.coverage.items()}

    def standard_errors(self) -> dict[str, float | None]:
        """Return ``{"0.8": 0.02, …}``: the error of each coverage; None where it is not known."""
        return {
            f"{promised:g}": None if np.isnan(error) else round(error, 4)
            for promised, error in self.errors.items()
        }


def calibration_of(
    after: HeldOutResiduals, before: HeldOutResiduals, setting: Setting
) -> Calibration:
    """Calibrate quantiles that begin with held-out residuals and follow what becomes known.

    No window's quantiles depend on a value after its origin: they begin with residuals known when
    the test part does, and move as
    :class:`~selftime.tasks.forecasting.intervals.AdaptiveQuantiles` says.

    Args:
        after: residuals of the windows after the training part.
        before: of held-out windows of the training part.
        setting: the series, cut and scaled.
    """
    train, validation, _ = setting.borders
    first, horizon = validation - train, after.residuals.shape[2]
    inside: list[np.ndarray] = []
    loss = np.zeros(len(ALL_LEVELS))
    sd = setting.scale.sd[:, None]
    for rows, quantiles in _quantile_batches(after, before, first):
        residuals = after.residuals[rows].astype(np.float64)
        inside.append(np.stack([_share_within(quantiles, residuals, share) for share in INTERVALS]))
        loss += pinball(quantiles * sd, residuals * sd, ALL_LEVELS)
    kept, tested = np.concatenate(inside, axis=1), after.residuals[first:]
    size = np.abs(setting.values[validation:] * setting.scale.sd + setting.scale.mean).sum(axis=1)
    total = sum(float(size[h : h + len(tested)].sum()) for h in range(horizon))
    scale = naive_scale(setting.values[:train], setting.season)
    nine = loss[[ALL_LEVELS.index(level) for level in QUANTILE_LEVELS]]
    return Calibration(
        dict(zip(INTERVALS, kept.mean(axis=1).tolist(), strict=True)),
        float(2 * nine.mean() / max(total, 1e-30)),
        mase(tested, np.zeros_like(tested), scale),
        {share: standard_error(k, horizon) for share, k in zip(INTERVALS, kept, strict=True)},
    )


def _quantile_batches(
    after: HeldOutResiduals, before: HeldOutResiduals, first: int
) -> Iterator[tuple[slice, Float[np.ndarray, "Q n C H"]]]:
    """Yield some windows of the test part after the other, and their quantiles in scaled units."""
    begin = _residuals_at_start(after, before, first)
    following = AdaptiveQuantiles.of(begin, ALL_LEVELS, before.every)
    for start, stop in (0, first), (first, len(after.residuals)):
        for low in range(start, stop, following.rows):
            rows = slice(low, min(low + following.rows, stop))
            std = after.std[rows, :, None]
            quantiles = following.follow(after.residuals[rows] / std)
            if start == first:
                yield rows, np.moveaxis(quantiles * std[..., None], 3, 0)


def _residuals_at_start(
    after: HeldOutResiduals, before: HeldOutResiduals, first: int
) -> Iterator[Float[np.ndarray, "M C"]]:
    """Yield what is known of each future step when the test part begins, in units of the std."""
    for h in range(after.residuals.shape[2]):
        known = after.ratios(h)[: max(first - h, 0) : before.every]
        yield np.concatenate([before.ratios(h), known])


def _share_within(
    quantiles: Float[np.ndarray, "Q n C H"], residuals: Float[np.ndarray, "n C H"], share: float
) -> Float[np.ndarray, "n"]:
    """Return the share of the steps of each window in the interval that promises ``share``."""
    low, high = (quantiles[ALL_LEVELS.index(level)] for level in levels_of(share))
    return np.asarray(np.mean((residuals >= low) & (residuals <= high), axis=(1, 2)))


def standard_error(shares: Float[np.ndarray, "n"], horizon: int) -> float:
    """Return that of the mean share of windows a step apart, which have most steps in common.

    Means of spans that are as long as the horizon count as one observation each (batch means;
    Conway 1963). A test part has so few of them that two coverages can hardly be told apart.
    """
    count = len(shares) // horizon
    if count < 2:
        return float("nan")
    batches = shares[: count * horizon].reshape(count, horizon).mean(axis=1)
    return float(batches.std(ddof=1) / np.sqrt(count))


def residuals_of(
    forecaster: Forecasting, setting: Setting, horizon: int, first: int, stop: int | None = None
) -> HeldOutResiduals:
    """Return residuals of every window whose future lies within ``first`` and ``stop``."""
    residuals, std = [], []
    for past, future in windows_between(setting, forecaster.look_back, horizon, first, stop):
        residuals.append((future - forecaster.predict(past)).astype(np.float32))
        std.append(recent_std(past))
    return HeldOutResiduals(np.concatenate(residuals), np.concatenate(std))


def cross_conformal_residuals(
    linear: LinearForecaster, folds: BlockedFolds, season: int
) -> HeldOutResiduals:
    """Return residuals of every fold of the training part, by the same options fitted without it.

    Cross-conformal residuals (Vovk 2015; Barber et al. 2021, CV+): they are of all seasons that
    the training part has, where the validation part has one. The linear map alone makes them;
    what features correct is left out.
    """
    held = [k for k in range(folds.count) if folds.edges[0][k] < folds.fit_end[0]]
    origins = [folds.origins(folds.fold_spans(k)) for k in held]
    every = max(1, sum(map(len, origins)) // _MAX_HELD_OUT_WINDOWS)
    residuals, std = [], []
    maps = fit_maps(folds, linear.options, linear.pools, season, held)
    for one, rows in zip([m.single() for m in maps], origins, strict=True):
        past, future = folds.windows(rows[::every])
        residuals.append(future - one.predict(past))
        std.append(recent_std(past[:, :, -one.look_back :]))
    return HeldOutResiduals(np.concatenate(residuals), np.concatenate(std), every)


def naive_scale(train: Float[np.ndarray, "T C"], season: int) -> Float[np.ndarray, "C"]:
    """Return the mean absolute change over a season in the training part.

    The denominator of MASE (Hyndman and Koehler 2006, section 3).
    """
    change = np.abs(train[season:] - train[:-season]).mean(axis=0)
    return np.where(change > 0, change, 1.0)


def mase(
    forecast: Float[np.ndarray, "N C H"],
    truth: Float[np.ndarray, "N C H"],
    scale: Float[np.ndarray, "C"],
) -> float:
    """Return the mean over channels of the absolute error in units of its :func:`naive_scale`."""
    each = np.abs(forecast - truth).mean(axis=(0, 2), dtype=np.float64)
    return float(np.mean(each / scale))


def pinball(
    quantiles: Float[np.ndarray, "Q *N"], truth: Float[np.ndarray, "*N"], levels: Sequence[float]
) -> Float[np.ndarray, "Q"]:
    """Sum the quantile loss of each level: max(q (y − ŷ), (q − 1)(y − ŷ))."""
    q = np.reshape(levels, (-1,) + (1,) * truth.ndim)
    residuals = truth - quantiles
    loss = np.maximum(q * residuals, (q - 1) * residuals)
    return np.asarray(loss.reshape(len(loss), -1).sum(axis=1, dtype=np.float64))
