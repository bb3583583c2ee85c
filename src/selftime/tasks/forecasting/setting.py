"""A series cut and scaled as a protocol says, and the windows that are forecast in hindsight."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32
from numpy.lib.stride_tricks import sliding_window_view

from selftime.data.gaps import fill_gaps
from selftime.data.periods import season_of
from selftime.data.series import SeriesError, SeriesSet
from selftime.tasks.forecasting.blocks import BlockedFolds, cut_folds
from selftime.tasks.forecasting.protocols import Borders, ChannelScale, find_protocol, channel_scale

_FORECAST_CHUNK = 512
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

    def blocks(self, horizon: int) -> BlockedFolds:
        """What may be learned from: training part, and validation part to choose options on."""
        learnable = self.values[: self.borders.validation]
        return cut_folds([learnable], horizon, fit_end=[self.borders.train])


def setting_of(series: SeriesSet, protocol: str) -> Setting:
    """The series cut and scaled; gaps are bridged within the parts, never across a border.

    Raises:
        SeriesError: more than one series, or one too short for the protocol.
        ValueError: an unknown protocol.
    """
    rule = find_protocol(protocol)
    if len(series) != 1:
        raise SeriesError(
            f"got {len(series)} series, wanted a single one to cut by time: choose one of them"
        )
    raw = np.asarray(series.series(0).T, np.float64)  # (T,C)
    borders = rule.cut(len(raw))
    edges = [0, borders.train, borders.validation, borders.end]
    parts = [raw[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    values = np.concatenate([fill_gaps(part) for part in parts])
    scale = channel_scale(values[: borders.train])
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
) -> Iterator[tuple[Float32[np.ndarray, "N C L"], Float32[np.ndarray, "N C H"]]]:
    """Past and future of every window whose future begins at ``first`` or later, some at a time."""
    return windows_between(setting, first, setting.borders.end, look_back, horizon)


def windows_between(
    setting: Setting, first: int, stop: int, look_back: int, horizon: int
) -> Iterator[tuple[Float32[np.ndarray, "N C L"], Float32[np.ndarray, "N C H"]]]:
    """Past and future of every window whose future lies within ``first`` and ``stop``."""
    values = setting.values[first - look_back : stop].astype(np.float32)
    every = sliding_window_view(values, look_back + horizon, axis=0)  # (N,C,L+H), a view
    for i in range(0, len(every), _FORECAST_CHUNK):
        some = every[i : i + _FORECAST_CHUNK]
        yield some[..., :look_back], some[..., look_back:]
