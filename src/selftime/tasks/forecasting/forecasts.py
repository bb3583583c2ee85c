"""Forecasts of series: values, quantiles, and the stamps of the steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from selftime.data.clock import Clock, Stamps
from selftime.data.frames import Tabular, free_name
from selftime.data.schema import Role
from selftime.data.series import SeriesSet


@dataclass(frozen=True, eq=False, repr=False)
class Forecasts(Tabular):
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
        histories: the series that were forecast; columns are named after theirs.
    """

    ids: np.ndarray
    channels: tuple[str, ...]
    mean: Float[np.ndarray, "N C H"]
    quantiles: Float[np.ndarray, "N Q C H"]
    levels: tuple[float, ...]
    times: np.ndarray | None = None
    stamps: Stamps = Stamps()
    notes: tuple[str, ...] = ()
    histories: SeriesSet | None = None

    def to_columns(self) -> dict[str, Any]:
        """Return a row per series and step: its id, time or step, values and quantiles.

        Ids and times have the names of the input, else ``unique_id`` and ``ds``, and its types. A
        quantile is named after its channel and level, such as ``OT_q0.9``. Where a channel has one
        of these names already, an underscore is added.
        """
        N, C, H = self.mean.shape
        out: dict[str, Any] = {self._name_of("id", "unique_id"): np.repeat(self.ids, H)}
        if self.times is None:
            out[free_name("step", self.channels, out)] = np.tile(np.arange(1, H + 1), N)
        else:
            out[self._name_of("time", "ds")] = self.stamps.column(self.times.ravel())
        for c, name in enumerate(self.channels):
            out[name] = self.mean[:, c].ravel()
            for q, level in enumerate(self.levels):
                quantile = free_name(f"{name}_q{level:g}", self.channels, out)
                out[quantile] = self.quantiles[:, q, c].ravel()
        return out

    def other_names(self) -> tuple[str, ...]:
        """Say which columns have other names, as channels have theirs."""
        found = [
            name for name in self.to_columns() if name.endswith("_") and name[:-1] in self.channels
        ]
        return tuple(f"column {name!r} is not {name[:-1]!r}, which is a channel" for name in found)

    def _name_of(self, role: Role, usual: str) -> str:
        """Return the name of the column of ids or times, which no channel has."""
        own = usual if self.histories is None else self.histories.name_of(role, usual)
        return free_name(own, self.channels)


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
