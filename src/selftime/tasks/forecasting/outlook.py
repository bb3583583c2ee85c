"""Forecasts with the names and times that go with them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from selftime.data.series import SeriesSet


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
