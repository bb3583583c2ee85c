"""Rolling-origin backtests: every test window counted, nothing after its origin seen."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from numpy.lib.stride_tricks import sliding_window_view

from selftime.data.series import SeriesError, SeriesSet
from selftime.tasks.forecasting.blocks import Blocks, cut_blocks
from selftime.tasks.forecasting.forecasters import WindowForecaster, fit_forecaster
from selftime.tasks.forecasting.histories import bridged
from selftime.tasks.forecasting.protocols import Borders, ChannelScale, protocol_named, scale_of
from selftime.tasks.forecasting.references import REFERENCES, FittedPart
from selftime.tasks.forecasting.seasons import season_of

CHUNK = 512
"""Windows that are forecast at a time."""


@runtime_checkable
class Forecasting(Protocol):
    """Whatever forecasts windows."""

    @property
    def look_back(self) -> int:
        """Past steps that are used at most."""

    def predict(self, past: Float[np.ndarray, "N C L"]) -> Float[np.ndarray, "N C H"]:
        """Forecasts from windows of at least ``look_back`` steps."""


class Setting(NamedTuple):
    """A series cut and scaled as a protocol says.

    Attributes:
        values: (T,C) in units of the training part, ends with the test part.
        borders: where the parts end.
        scale: mean and standard deviation of the training part.
        season: steps of a season, 1 without one.
    """

    values: Float[np.ndarray, "T C"]
    borders: Borders
    scale: ChannelScale
    season: int

    def blocks(self, horizon: int) -> Blocks:
        """What may be learned from: training part, and validation part to choose options on."""
        learnable = self.values[: self.borders.validation]
        return cut_blocks([learnable], horizon, fit_end=[self.borders.train])


class Errors(NamedTuple):
    """Mean errors in standardised units over all windows, channels and steps."""

    mse: float
    mae: float


@dataclass(frozen=True)
class Backtest:
    """Errors of the forecaster and of the reference rows, for every horizon.

    Attributes:
        errors: of the forecaster by horizon.
        references: the same of each reference row.
        seconds: to choose, fit and forecast, all horizons, references left out.
        forecasters: what was fitted, by horizon.
    """

    errors: dict[int, Errors]
    references: dict[str, dict[int, Errors]]
    seconds: float
    forecasters: dict[int, WindowForecaster] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **by_horizon(self.errors),
            "seconds": round(self.seconds, 2),
            "references": {name: by_horizon(found) for name, found in self.references.items()},
        }


def by_horizon(errors: dict[int, Errors]) -> dict[str, dict[str, float]]:
    """``{"mse": {"96": …}, "mae": {"96": …}}``."""
    return {
        name: {str(H): round(getattr(found, name), 6) for H, found in errors.items()}
        for name in Errors._fields
    }


def backtest(
    series: SeriesSet,
    horizons: Sequence[int],
    *,
    protocol: str = "70-10-20",
    seed: int = 0,
    watch: Callable[[str, int, int], None] | None = None,
) -> Backtest:
    """Forecast every window of the test part, for every horizon.

    The scale of each channel comes from the training part; look-back, penalties, pooling and
    whether features are used from blocked folds over training and validation part; weights from
    the training part alone. The look-back may reach into earlier parts.

    Args:
        series: a single series of any channels.
        horizons: future steps.
        protocol: a name in :data:`~selftime.tasks.forecasting.protocols.PROTOCOLS`.
        seed: fixes the random features.
        watch: told of progress.

    Raises:
        SeriesError: more than one series, one too short for the protocol or for a horizon, or a
            horizon below 1.
        ValueError: an unknown protocol.
    """
    setting = setting_of(series, protocol)
    errors: dict[int, Errors] = {}
    rows: dict[str, dict[int, Errors]] = {name: {} for name in REFERENCES}
    forecasters: dict[int, WindowForecaster] = {}
    seconds = 0.0
    for done, horizon in enumerate(horizons):
        if watch:
            watch("backtest", done, len(horizons))
        check_horizon(setting, horizon)
        start = time.perf_counter()
        blocks = setting.blocks(horizon)
        fitted = fit_forecaster(blocks, setting.season, np.random.default_rng(seed))
        errors[horizon] = errors_of(fitted.single(), setting, horizon)
        seconds += time.perf_counter() - start
        forecasters[horizon] = fitted
        for name, fit in REFERENCES.items():
            reference = fit(FittedPart(blocks, setting.season)).single()
            rows[name][horizon] = errors_of(reference, setting, horizon)
    return Backtest(errors, rows, seconds, forecasters)


def setting_of(series: SeriesSet, protocol: str) -> Setting:
    """The series cut and scaled; gaps are bridged within the parts, never across a border.

    Raises:
        SeriesError: more than one series, or one too short for the protocol.
        ValueError: an unknown protocol.
    """
    rule = protocol_named(protocol)
    if len(series) != 1:
        raise SeriesError(
            f"got {len(series)} series, wanted a single one to cut by time: choose one of them"
        )
    raw = np.asarray(series.series(0).T, np.float64)  # (T,C)
    borders = rule.cut(len(raw))
    edges = [0, borders.train, borders.validation, borders.end]
    parts = [raw[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    values = np.concatenate([bridged(part) for part in parts])
    scale = scale_of(values[: borders.train])
    season = rule.season or season_of(values[: borders.train])
    return Setting(scale.apply(values), borders, scale, season)


def check_horizon(setting: Setting, horizon: int) -> None:
    """Whether the test part holds a window.

    Raises:
        SeriesError: it does not, or the horizon is below 1.
    """
    test = setting.borders.end - setting.borders.validation
    if not 1 <= horizon <= test:
        raise SeriesError(
            f"got horizon {horizon} and a test part of {test} steps, wanted 1 to {test}: "
            "shorten the horizon or give a longer series"
        )


def windows_after(
    setting: Setting, first: int, look_back: int, horizon: int
) -> Iterator[tuple[Float[np.ndarray, "N C L"], Float[np.ndarray, "N C H"]]]:
    """Past and future of every window whose future begins at ``first`` or later, some at a time."""
    values = setting.values[first - look_back : setting.borders.end].astype(np.float32)
    every = sliding_window_view(values, look_back + horizon, axis=0)  # (N,C,L+H), a view
    for i in range(0, len(every), CHUNK):
        some = every[i : i + CHUNK]
        yield some[..., :look_back], some[..., look_back:]


def errors_of(forecaster: Forecasting, setting: Setting, horizon: int) -> Errors:
    """Mean errors over every window of the test part."""
    squares = sizes = count = 0.0
    first = setting.borders.validation
    for past, future in windows_after(setting, first, forecaster.look_back, horizon):
        miss = forecaster.predict(past) - future
        squares += float(np.sum(miss * miss, dtype=np.float64))
        sizes += float(np.sum(np.abs(miss), dtype=np.float64))
        count += miss.size
    return Errors(squares / count, sizes / count)
