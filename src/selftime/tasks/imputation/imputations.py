"""Imputations: series without holes, and how sure each value is that was filled in."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float

from selftime.data.frames import Tabular, free_name, join_columns
from selftime.data.series import SeriesSet


@dataclass(frozen=True, eq=False, repr=False)
class Imputation(Tabular):
    """Series whose missing values were filled in; what was observed is as it was.

    Attributes:
        series: without holes.
        missing: (S,C), True where a value was filled in.
        values: (M,) what was filled in, step by step, then by channel, in 64 bits.
        std: (M,) deviation of each such value.
        quantiles: (M,Q) in ascending order of the levels.
        levels: Q levels between 0 and 1.
        notes: what was decided on the way, a sentence each.
    """

    series: SeriesSet
    missing: Bool[np.ndarray, "S C"]
    values: Float[np.ndarray, "M"]
    std: Float[np.ndarray, "M"]
    quantiles: Float[np.ndarray, "M Q"]
    levels: tuple[float, ...]
    notes: tuple[str, ...] = ()

    def spread(self, values: Float[np.ndarray, "M"], other: float = 0.0) -> np.ndarray:
        """Return (S,C) values of what was filled in, and another number elsewhere."""
        out = np.full(self.missing.shape, other)
        out[self.missing] = values
        return out

    def to_columns(self) -> dict[str, Any]:
        """Return a row for each step, which :func:`selftime.read` reads again.

        Rows are those of the table that came in; ids, times and channels are called as there (a
        single series without an id has no column of it, steps without times have their number).
        The column ``filled`` names the channels whose values were filled in; the quantiles of a
        channel, such as ``OT_q0.9``, are empty elsewhere.
        """
        series = self.series
        order = np.arange(len(series.steps)) if series.rows is None else np.argsort(series.rows)
        keys = series.step_columns({})
        if series.times is not None:
            del keys["step"]
        rest = list(series.to_columns().items())[1 if series.times is None else 2 :]
        columns = join_columns(keys, {name: _taken(column, order) for name, column in rest})
        names = pa.array(names_at(self.missing[order], series.channels), pa.string())
        columns[free_name("filled", columns)] = names
        for c, name in enumerate(series.channels):
            if not self.missing[:, c].any():
                continue
            for q, level in enumerate(self.levels):
                values = self.spread(self.quantiles[:, q], np.nan)[order, c]
                column = pa.array(values, from_pandas=True)
                columns[free_name(f"{name}_q{level:g}", columns)] = column
        return columns


def _taken(column: Any, order: np.ndarray) -> Any:
    if isinstance(column, pa.Array | pa.ChunkedArray):
        return column.take(pa.array(order))
    return np.asarray(column)[order]


def names_at(missing: Bool[np.ndarray, "S C"], channels: tuple[str, ...]) -> list[str | None]:
    """Return the names of the channels that are missing at each step, None where none is."""
    patterns, which = np.unique(missing, axis=0, return_inverse=True)
    # a column of figures would be taken for a channel when the table is read again
    channels = tuple(f"channel {name}" if name.isdecimal() else name for name in channels)
    words = [
        ", ".join(name for name, one in zip(channels, row, strict=True) if one) or None
        for row in patterns
    ]
    return [words[k] for k in which.ravel()]
