"""Forecasts of series: values, quantiles, and the stamps of the steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from selftime.data.clock import Clock, Stamps
from selftime.data.series import SeriesSet


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Forecasts of each series, with quantiles.

    Attributes:
        ids: (N,) names of the series.
        channels: C names.
        mean: (N,C,H) forecasts, in the units of the series.
        quantiles: (N,Q,C,H) in ascending order of the levels.
        levels: Q levels between 0 and 1.
        times: (N,H) times of the steps, where the series carry times that follow a rule; else None.
        stamps: what the times of the series were when they came in.
        notes: what was decided on the way, a sentence each.
    """

    ids: np.ndarray
    channels: tuple[str, ...]
    mean: Float[np.ndarray, "N C H"]
    quantiles: Float[np.ndarray, "N Q C H"]
    levels: tuple[float, ...]
    times: np.ndarray | None = None
    stamps: Stamps = Stamps()
    notes: tuple[str, ...] = ()

    def columns(self) -> dict[str, Any]:
        """Return a row per series and step: ``unique_id``, ``ds`` or ``step``, values, quantiles.

        A quantile is named after its channel and level, such as ``OT_q0.9``; where a channel has
        that name, an underscore is added. ``ds`` is an arrow column of the type that came in.
        """
        N, C, H = self.mean.shape
        out: dict[str, Any] = {self._free("unique_id"): np.repeat(self.ids, H)}
        if self.times is None:
            out[self._free("step")] = np.tile(np.arange(1, H + 1), N)
        else:
            out[self._free("ds")] = self.stamps.column(self.times.ravel())
        for c, name in enumerate(self.channels):
            out[name] = self.mean[:, c].ravel()
            for q, level in enumerate(self.levels):
                out[self._free(f"{name}_q{level:g}")] = self.quantiles[:, q, c].ravel()
        return out

    def other_names(self) -> tuple[str, ...]:
        """Say which columns have other names, as channels have theirs."""
        found = [
            name for name in self.columns() if name.endswith("_") and name[:-1] in self.channels
        ]
        return tuple(f"column {name!r} is not {name[:-1]!r}, which is a channel" for name in found)

    def _free(self, name: str) -> str:
        """Return a name for a column that no channel has."""
        while name in self.channels:
            name += "_"
        return name


def following_times(
    series: SeriesSet, clocks: Sequence[Clock], horizon: int
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Return the stamps after the last of each series (N,H), or None and the reason, in words."""
    if series.times is None:
        return None, ()
    ruleless = [i for i, clock in enumerate(clocks) if clock.rule is None]
    if ruleless:
        first = ruleless[0]
        count = f" and {len(ruleless) - 1} more" if ruleless[1:] else ""
        why = f"{clocks[first].reason} (series {str(series.ids[first])!r}{count})"
        return None, (f"forecasts have steps and no times: {why}",)
    last = series.times[series.offsets[1:] - 1]
    rows = [clock.next(time, horizon) for clock, time in zip(clocks, last, strict=True)]
    return np.stack(rows), ()
