"""Futures of covariates: the rows of the steps to forecast, found by series and time."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from selftime.data.clock import Clock
from selftime.data.rules import LATE, FixedStep, numbers_of
from selftime.data.series import SeriesError, SeriesSet
from selftime.door import option

_SAME = 0.01
"""Stamps that differ by less than this share of a step are the same."""


class FutureRows(NamedTuple):
    """The rows of a future that hold the steps to forecast.

    Attributes:
        series: the future.
        rows: (N,H) of all its rows, those of each history.
        notes: what was left out, a sentence each.
    """

    series: SeriesSet
    rows: Int64[np.ndarray, "N H"]
    notes: tuple[str, ...] = ()

    def values(self, i: int) -> Float[np.ndarray, "H C"]:
        """Return the values of the steps after history ``i``, NaN where missing."""
        owner = int(np.searchsorted(self.series.offsets, self.rows[i, 0], side="right")) - 1
        whole = np.asarray(self.series.series(owner).T, np.float64)
        return np.asarray(whole[self.rows[i] - self.series.offsets[owner]])


def future_rows(
    series: SeriesSet, future: SeriesSet, horizon: int, clocks: Sequence[Clock]
) -> FutureRows:
    """Find the rows of the steps after each history, by id, and by time where both have times.

    Without times on one side they are the first rows of each series, or those after the history
    where a future begins with it.

    Raises:
        SeriesError: ids that the future lacks, times that cannot be compared, or steps to forecast
            that have no row; each named.
    """
    _check_zones(series, future)
    found, used = [], 0
    for i, owner in enumerate(_owners(series, future)):
        first, stop = int(future.offsets[owner]), int(future.offsets[owner + 1])
        name = str(series.ids[i])
        if series.times is None or future.times is None:
            rows = _rows_in_order(series, i, future, owner)[:horizon]
            if len(rows) < horizon:
                raise SeriesError(_lacking(name, horizon - len(rows), horizon))
        else:
            rows = _rows_by_time(series, i, future.times[first:stop], clocks[i], horizon)
        found.append(first + rows)
        used += horizon
    extra = len(future.steps) - used
    note = f"{extra:,} rows of the future are not of the steps to forecast and were left out"
    return FutureRows(future, np.stack(found), (note,) if extra else ())


def _owners(series: SeriesSet, future: SeriesSet) -> list[int]:
    """Return the series of the future that belongs to each history."""
    wanted, given = [str(i) for i in series.ids], [str(i) for i in future.ids]
    lacking = [name for name in wanted if name not in set(given)]
    unknown = [name for name in given if name not in set(wanted)]
    if not lacking:
        at = {name: i for i, name in enumerate(given)}
        return [at[name] for name in wanted]
    if len(series) == len(future) and (_is_counted(wanted) or _is_counted(given)):
        return list(range(len(given)))
    others = f", and has {_some(unknown)}, which histories have not" if unknown else ""
    raise SeriesError(
        f"the future lacks series {_some(lacking)}{others}, wanted the ids of the {len(wanted)} "
        f"histories: give the same ids, {option('id')} names their column"
    )


def _is_counted(ids: list[str]) -> bool:
    """Return whether series came without names and are numbered."""
    return ids == [str(i) for i in range(len(ids))]


def _some(names: list[str]) -> str:
    return ", ".join(map(repr, names[:3])) + (f" and {len(names) - 3} more" if names[3:] else "")


def _check_zones(series: SeriesSet, future: SeriesSet) -> None:
    if series.times is None or future.times is None:
        return
    if _kind_of(series) != _kind_of(future):
        raise SeriesError(
            f"histories have {_kind_of(series)}, the future has {_kind_of(future)}, wanted the "
            f"same on both sides: {option('time_zone')} gives times without a zone one"
        )


def _kind_of(series: SeriesSet) -> str:
    if series.times is None or series.times.dtype.kind != "M":
        return "numbers"
    return "times without a zone" if series.stamps.zone is None else "times in a zone"


def _rows_in_order(
    series: SeriesSet, i: int, future: SeriesSet, owner: int
) -> Int64[np.ndarray, "R"]:
    """Return the rows of a future without times, less the history where it begins with that."""
    values, past = future.series(owner), series.series(i)
    shared = [name for name in future.channels if name in series.channels]
    T, R = past.shape[1], values.shape[1]
    if not shared or R <= T:
        return np.arange(R)
    before = values[[future.channels.index(name) for name in shared], :T]
    same = past[[series.channels.index(name) for name in shared]]
    begins = np.array_equal(before, same, equal_nan=True) and bool(np.ptp(same, axis=1).any())
    return np.arange(T, R) if begins else np.arange(R)


def _rows_by_time(
    series: SeriesSet, i: int, times: np.ndarray, clock: Clock, horizon: int
) -> Int64[np.ndarray, "H"]:
    """Return the rows whose times are those of the steps to forecast."""
    name, last = str(series.ids[i]), np.asarray(series.times)[series.offsets[i + 1] - 1]
    if clock.rule is None:
        rows = np.flatnonzero(times > last)[:horizon]
        if len(rows) < horizon:
            raise SeriesError(_lacking(name, horizon - len(rows), horizon))
        return rows
    wanted = clock.next(last, horizon)
    near = _nearest(numbers_of(times, None), numbers_of(wanted, None), _tolerance(clock))
    lacking = np.flatnonzero(near < 0)
    if len(lacking):
        first = series.stamps.column(wanted[lacking[:1]])[0]
        raise SeriesError(_lacking(name, len(lacking), horizon, f", the first at {first}"))
    return near


def _tolerance(clock: Clock) -> float:
    if not isinstance(clock.rule, FixedStep):
        return 0.0
    is_late = clock.rule.phase is None and isinstance(clock.rule.step, int)
    return (LATE if is_late else _SAME) * clock.rule.step


def _nearest(times: np.ndarray, wanted: np.ndarray, tolerance: float) -> Int64[np.ndarray, "H"]:
    """Return the row whose time is nearest to each that is wanted; -1 beyond the tolerance."""
    right = np.clip(np.searchsorted(times, wanted), 0, len(times) - 1)
    left = np.maximum(right - 1, 0)
    near = np.where(np.abs(times[left] - wanted) < np.abs(times[right] - wanted), left, right)
    return np.where(np.abs(times[near] - wanted) <= tolerance, near, -1)


def _lacking(name: str, count: int, horizon: int, first: str = "") -> str:
    """Say which steps of a series have no row in the future."""
    return (
        f"the future lacks {count} of the {horizon} steps after series {name!r}{first}, wanted a "
        "row for each: add them or shorten the horizon"
    )
