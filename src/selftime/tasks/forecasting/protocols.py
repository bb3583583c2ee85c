"""Training, validation and test part of a series as in the literature, cut and scaled."""

import typing
from collections.abc import Callable, Iterator
from typing import NamedTuple, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32
from numpy.lib.stride_tricks import sliding_window_view

from selftime.data.gaps import fill_gaps
from selftime.data.periods import season_of
from selftime.data.scaling import SCALED_LIMIT
from selftime.data.series import SeriesError, SeriesSet
from selftime.tasks.forecasting.folds import BlockedFolds, cut_folds
from selftime.tasks.forecasting.histories import history_of

HOUR_MONTH = 30 * 24
"""A month of hourly steps, as the borders of the ETT sets count it (Zhou et al. 2021)."""


class Borders(NamedTuple):
    """Steps before which each part ends, from step 0 on; later steps are not used."""

    train: int
    validation: int
    end: int


class Protocol(NamedTuple):
    """The cut of a number of steps, and the season; None where it is looked for in training."""

    cut: Callable[[int], Borders]
    season: int | None


def months(month: int) -> Callable[[int], Borders]:
    """Return a cut into 12, 4 and 4 months of such length (Zhou et al. 2021, section 5.1)."""

    def cut(T: int) -> Borders:
        if 20 * month > T:
            raise SeriesError(
                f"got {T} steps, wanted at least {20 * month} for 12, 4 and 4 months: "
                "use the protocol 70-10-20"
            )
        return Borders(12 * month, 16 * month, 20 * month)

    return cut


def seventy_ten_twenty(T: int) -> Borders:
    """Cut 70 % for training, the last 20 % for test, the rest for validation (Wu et al. 2021)."""
    if T < 10:
        raise SeriesError(f"got {T} steps, wanted at least 10: give a longer series")
    return Borders(T * 7 // 10, T - T * 2 // 10, T)


PROTOCOLS: dict[str, Protocol] = {
    "ett-hourly": Protocol(months(HOUR_MONTH), 24),
    "ett-15min": Protocol(months(4 * HOUR_MONTH), 96),
    "70-10-20": Protocol(seventy_ten_twenty, None),
}
"""Protocols by the names people type."""


class ChannelScale(NamedTuple):
    """Mean and standard deviation (above 0) of each channel, in the units of the data."""

    mean: Float[np.ndarray, "C"]
    sd: Float[np.ndarray, "C"]

    def apply(self, values: Float[np.ndarray, "T C"]) -> Float[np.ndarray, "T C"]:
        """Return values in units of ``sd`` around ``mean``."""
        return np.asarray((values - self.mean) / self.sd)

    def invert(self, values: Float[np.ndarray, "*T C"]) -> Float[np.ndarray, "*T C"]:
        """Return scaled values in their own units; channels are the last axis."""
        return np.asarray(values * self.sd + self.mean)


def channel_scale(values: Float[np.ndarray, "T C"]) -> ChannelScale:
    """Return the scale of each channel; one that does not vary has standard deviation 1."""
    mean, sd = values.mean(axis=0), values.std(axis=0)
    return ChannelScale(mean, np.where(sd > 1e-13 * np.abs(mean) + 1e-35, sd, 1.0))


_FORECAST_CHUNK = 512
"""Windows that are forecast at a time."""


@runtime_checkable
class Forecasting(typing.Protocol):
    """A forecaster of windows."""

    @property
    def look_back(self) -> int:
        """Past steps that are used at most."""

    def predict(self, past: Float[np.ndarray, "N C L"]) -> Float[np.ndarray, "N C H"]:
        """Forecast from windows of at least ``look_back`` steps."""


class Setting(NamedTuple):
    """A series cut and scaled as a protocol says.

    Values are in units of the training part and end with the test part; season is 1 without one.
    """

    values: Float[np.ndarray, "T C"]
    borders: Borders
    scale: ChannelScale
    season: int

    def folds(self, horizon: int) -> BlockedFolds:
        """Cut training and validation part into folds; only the former is fitted on."""
        learnable = self.values[: self.borders.validation]
        return cut_folds([learnable], horizon, fit_end=[self.borders.train])


def setting_of(series: SeriesSet, protocol: str) -> Setting:
    """Cut and scale a series; gaps are bridged within the parts, never across a border.

    Single wild values are taken as missing where they are learned from, and count in the test part.

    Raises:
        SeriesError: more than one series, one too short for the protocol, or a constant one.
        ValueError: an unknown protocol.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"got protocol {protocol!r}, wanted one of {', '.join(PROTOCOLS)}")
    if len(series) != 1:
        raise SeriesError(
            f"got {len(series)} series, wanted a single one to cut by time: choose one of them"
        )
    raw = np.asarray(series.series(0).T, np.float64)  # (T,C)
    borders = PROTOCOLS[protocol].cut(len(raw))
    edges = [0, borders.train, borders.validation, borders.end]
    parts = [raw[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    learned = [history_of(part).values for part in parts[:2]]  # without single wild values
    values = np.concatenate([*learned, fill_gaps(parts[2])])
    if (np.ptp(learned[0], axis=0) == 0).all():
        raise SeriesError(
            f"series {str(series.ids[0])!r} does not change in its training part of "
            f"{borders.train} steps, wanted values that vary: a constant needs no backtest"
        )
    scale = channel_scale(values[: borders.train])
    season = PROTOCOLS[protocol].season or season_of(values[: borders.train])
    scaled = scale.apply(values).clip(-SCALED_LIMIT, SCALED_LIMIT)  # their squares are finite
    return Setting(scaled, borders, scale, season)


def check_horizon(setting: Setting, horizon: int) -> None:
    """Check that the test part holds a window."""
    test = setting.borders.end - setting.borders.validation
    if not 1 <= horizon <= test:
        raise SeriesError(
            f"got horizon {horizon} and a test part of {test} steps, wanted 1 to {test}: "
            "shorten the horizon or give a longer series"
        )


def windows_between(
    setting: Setting, look_back: int, horizon: int, first: int, stop: int | None = None
) -> Iterator[tuple[Float32[np.ndarray, "N C L"], Float32[np.ndarray, "N C H"]]]:
    """Yield past and future of every window whose future lies between two steps, some at a time."""
    end = setting.borders.end if stop is None else stop
    values = setting.values[first - look_back : end].astype(np.float32)
    every = sliding_window_view(values, look_back + horizon, axis=0)  # (N,C,L+H), a view
    for i in range(0, len(every), _FORECAST_CHUNK):
        some = every[i : i + _FORECAST_CHUNK]
        yield some[..., :look_back], some[..., look_back:]
