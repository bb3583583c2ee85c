"""Which channels are forecast, and which are given: known ahead, or the same for ever."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.data.gaps import fill_gaps
from selftime.data.series import SeriesError, SeriesSet, names_of_channels
from selftime.tasks.forecasting.covariates import Covariates


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
