"""Series in, forecasts out: channels told apart, the way chosen, names and times put back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.data.gaps import fill_gaps
from selftime.data.series import SeriesError, SeriesSet, names_of_channels
from selftime.engine.model import Model
from selftime.progress import Progress, silent
from selftime.tasks.forecasting.cases import FittedForecaster, fit_histories
from selftime.tasks.forecasting.covariates import Covariates
from selftime.tasks.forecasting.features import ModelVectors
from selftime.tasks.forecasting.network import check_strategy, finetune_forecaster


class KnownChannels(NamedTuple):
    """Channels that are given, not forecast.

    Attributes:
        names: of channels whose future is known when a forecast is made (weather as it is forecast,
            holidays, prices), or which never change within a series (its kind, place, size).
    """

    names: tuple[str, ...] = ()

    def targets(self, series: SeriesSet) -> SeriesSet:
        """The channels that are forecast.

        Raises:
            SeriesError: a channel that there is not, one named twice, or nothing left to forecast.
        """
        unknown = set(self.names) - set(series.channels)
        left = [name for name in series.channels if name not in self.names]
        if unknown or len(set(self.names)) < len(self.names) or not left:
            raise SeriesError(
                f"got covariates {', '.join(self.names)} of series with channels "
                f"{', '.join(series.channels)}, wanted some of these, each once, and a channel "
                "left to forecast"
            )
        return channels_of(series, left)

    def past(self, series: SeriesSet) -> list[Covariates] | None:
        """Covariates of each series (T,K), gaps bridged; None where there are none."""
        return histories_of(channels_of(series, self.names)) if self.names else None

    def ahead(
        self, past: Sequence[Covariates], future: SeriesSet | None, ids: np.ndarray, horizon: int
    ) -> list[Covariates]:
        """Covariates of the steps that are forecast (H,K), of each series.

        Args:
            past: of :meth:`past`.
            future: covariates of the steps ahead, by name, or in the order of ``names`` where they
                have none; a series each, by id, or in the same order where ids are others. Those
                that it lacks must not change: they stay what they are.
            ids: of the series.
            horizon: H; what goes beyond is not read.

        Raises:
            SeriesError: a covariate that changes and has no future, or a future of too few series
                or steps.
        """
        found = [np.repeat(part[-1:], horizon, axis=0) for part in past]
        names = () if future is None else self._names_in(future)
        for k, name in enumerate(self.names):
            moving = [str(ids[i]) for i, part in enumerate(past) if np.ptp(part[:, k]) > 0]
            if name not in names and moving:
                raise SeriesError(
                    f"got no future of covariate {name!r}, which changes within series "
                    f"{moving[0]!r}, wanted its values of {horizon} steps: give them as future"
                )
        if future is None:
            return found
        order = order_of(future, ids)
        if order is None or min(future.lengths) < horizon:
            raise SeriesError(
                f"got a future of {len(future)} series of at least {min(future.lengths)} steps, "
                f"wanted {len(ids)} of {horizon}, with the same ids"
            )
        values = histories_of(future[order])
        for k, name in enumerate(self.names):
            for made, part in zip(found, values, strict=True):
                if name in names:
                    made[:, k] = part[:horizon, names.index(name)]
        return found

    def _names_in(self, future: SeriesSet) -> tuple[str, ...]:
        """The channels of a future; covariates in their order where it has no names."""
        unnamed = future.channels == names_of_channels(future.n_channels)
        fits = future.n_channels == len(self.names)
        return self.names if unnamed and fits else future.channels


def order_of(future: SeriesSet, ids: np.ndarray) -> list[int] | None:
    """Where the series with these ids are; as they come where ids are others but as many."""
    place = {str(name): i for i, name in enumerate(future.ids)}
    order = [place.get(str(name), -1) for name in ids]
    if -1 not in order:
        return order
    return list(range(len(ids))) if len(future) == len(ids) else None


def channels_of(series: SeriesSet, names: Sequence[str]) -> SeriesSet:
    """The series with these channels alone, in this order."""
    at = [series.channels.index(name) for name in names]
    observed = None if series.observed is None else series.observed[:, at]
    return replace(
        series, steps=series.steps[:, at], observed=observed, channels=tuple(map(str, names))
    )


def histories_of(series: SeriesSet) -> list[Float[np.ndarray, "_ C"]]:
    """The values of each series, steps first, without gaps."""
    return [fill_gaps(np.asarray(series.series(i).T, np.float64)) for i in range(len(series))]


@dataclass(frozen=True, eq=False)
class Forecasts:
    """What follows each series.

    Attributes:
        ids: (N,) names of the series.
        channels: C names.
        mean: (N,C,H) forecasts, in the units of the series.
        quantiles: (N,Q,C,H) in ascending order of the levels.
        levels: Q levels between 0 and 1.
        times: (N,H) times of the steps, where the series carry times; else None.
    """

    ids: np.ndarray
    channels: tuple[str, ...]
    mean: Float[np.ndarray, "N C H"]
    quantiles: Float[np.ndarray, "N Q C H"]
    levels: tuple[float, ...]
    times: np.ndarray | None = None

    @classmethod
    def of(
        cls, series: SeriesSet, every: Float[np.ndarray, "N Q1 C H"], levels: tuple[float, ...]
    ) -> "Forecasts":
        """Forecasts of these series: first the forecast itself, then its quantiles."""
        times = following_times(series, every.shape[3])
        names = series.ids.astype(str)
        return cls(names, series.channels, every[:, 0], every[:, 1:], levels, times)

    def columns(self) -> dict[str, np.ndarray]:
        """One row a series and step: ``unique_id``, ``ds`` or ``step``, values and quantiles.

        A quantile is named after its channel and level, such as ``OT_q0.9``.
        """
        N, C, H = self.mean.shape
        out: dict[str, np.ndarray] = {"unique_id": np.repeat(self.ids, H)}
        if self.times is None:
            out["step"] = np.tile(np.arange(1, H + 1), N)
        else:
            out["ds"] = self.times.ravel()
        for c, name in enumerate(self.channels):
            out[name] = self.mean[:, c].ravel()
            for q, level in enumerate(self.levels):
                out[f"{name}_q{level:g}"] = self.quantiles[:, q, c].ravel()
        return out


def following_times(series: SeriesSet, horizon: int) -> np.ndarray | None:
    """Times after the last one of each series, a typical step apart (N,H); None without times.

    The typical step is the median, so that a gap or a late reading does not set the clock.
    """
    if series.times is None or (series.lengths < 2).any():
        return None
    rows = []
    for first, last in zip(series.offsets[:-1], series.offsets[1:], strict=True):
        own = series.times[first:last]
        steps = np.diff(own)
        step = np.sort(steps)[len(steps) // 2]
        rows.append(own[-1] + step * np.arange(1, horizon + 1))
    return np.stack(rows)


class ForecastConfig(NamedTuple):
    """What is asked of a forecaster.

    Attributes:
        horizon: future steps.
        levels: quantiles, ascending.
        season: steps of a season; None to look for it.
        model: pretrained, or None.
        strategy: how the model is used.
        covariates: names of channels that are given, not forecast.
        seed: fixes everything random.
    """

    horizon: int
    levels: tuple[float, ...]
    season: int | None = None
    model: Model | None = None
    strategy: str = "probe"
    covariates: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, eq=False)
class FittedSeries:
    """A forecaster of series like those it was fitted on.

    Attributes:
        order: what was asked.
        cases: what forecasts.
        channels: names of the channels of histories, covariates included.
    """

    order: ForecastConfig
    cases: FittedForecaster
    channels: tuple[str, ...]

    def targets(self, series: SeriesSet) -> SeriesSet:
        """The channels that are forecast."""
        return KnownChannels(self.order.covariates).targets(series)

    def forecasts(self, series: SeriesSet, future: SeriesSet | None = None) -> Forecasts:
        """What follows each series, with quantiles.

        Args:
            series: histories.
            future: covariates of the steps to forecast.

        Raises:
            SeriesError: other channels than it was fitted on, or no future of covariates.
        """
        if series.n_channels != len(self.channels):
            raise SeriesError(
                f"got series of {series.n_channels} channels, wanted {len(self.channels)} "
                f"({', '.join(self.channels)}): give the same channels as in fit"
            )
        given, known = KnownChannels(self.order.covariates), None
        targets, past = given.targets(series), given.past(series)
        if past is not None:
            ahead = given.ahead(past, future, series.ids, self.order.horizon)
            known = list(zip(past, ahead, strict=True))
        every = self.cases.predict(histories_of(targets), known)  # (N,1+Q,C,H)
        return Forecasts.of(targets, every, self.order.levels)


def fit_series(
    series: SeriesSet, order: ForecastConfig, progress: Progress = silent
) -> FittedSeries:
    """Learn from histories.

    Args:
        series: histories.
        order: what is asked.
        progress: called after each step where a network is trained, else before and after.

    Raises:
        SeriesError: series too short for the horizon, covariates that there are not, or a model
            made for other channels.
        ValueError: an unknown strategy, or one that cannot be.
    """
    given, model = KnownChannels(order.covariates), order.model
    targets, past = given.targets(series), given.past(series)
    check_strategy(order.strategy, model, order.covariates)
    histories = histories_of(targets)
    if model is not None and order.strategy != "probe":
        cases = finetune_forecaster(
            histories,
            order.horizon,
            model,
            order.strategy,
            levels=order.levels,
            seed=order.seed,
            progress=progress,
        )
        return FittedSeries(order, cases, series.channels)
    progress("fitting", 0, 1)
    cases = fit_histories(
        histories,
        order.horizon,
        levels=order.levels,
        season=order.season,
        seed=order.seed,
        features=None if model is None else ModelVectors(model, targets.n_channels).of,
        known=past,
    )
    progress("fitting", 1, 1)
    return FittedSeries(order, cases, series.channels)
