"""Series on the grids of their clocks: rows that a regular grid lacks become missing values."""

from collections import Counter
from dataclasses import replace

import numpy as np
from jaxtyping import Int64

from selftime.data.arrays import SeriesError
from selftime.data.clock import Clock
from selftime.data.series import SeriesSet
from selftime.door import option

MOST_ABSENT = 0.5
"""Largest share of a grid whose rows may be absent."""
_FEW = 6
"""Series of fewer rows take the rule of the others where it fits."""


def clocks_of(series: SeriesSet) -> list[Clock]:
    """Return the clock of each series; short ones have the rule of most others where it fits.

    Example:
        >>> import numpy as np, pandas as pd, selftime as st
        >>> days = pd.date_range("2024-01-01", periods=9)
        >>> series = st.read(pd.DataFrame({"ds": days, "x": np.arange(9.0)}))
        >>> clocks_of(series)[0].reason
        'every day'
    """
    if series.times is None:
        return [Clock(None, "there are no times")] * len(series)
    found: list[Clock] = []
    before = series.times[:0]
    for times in np.split(series.times, series.offsets[1:-1]):
        is_same = np.array_equal(times, before) or (bool(found) and found[-1].follows(times))
        found.append(found[-1] if is_same else Clock.of(times, series.stamps))
        before = times
    long = [c for c, T in zip(found, series.lengths, strict=True) if T >= _FEW] or found
    usual = Counter(c.without_phase() for c in long if c.rule is not None).most_common(1)
    if not usual:
        return found
    return [
        usual[0][0] if T < _FEW and _fits(usual[0][0], times) else clock
        for clock, T, times in zip(
            found, series.lengths, np.split(series.times, series.offsets[1:-1]), strict=True
        )
    ]


def starts_of(series: SeriesSet, clocks: list[Clock]) -> Int64[np.ndarray, "N"] | None:
    """Return which step of its rule each series begins with; None where some have no rule."""
    if series.times is None or any(clock.rule is None for clock in clocks):
        return None
    firsts = series.times[series.offsets[:-1]]
    return np.array([clock.number(first) for clock, first in zip(clocks, firsts, strict=True)])


def _fits(clock: Clock, times: np.ndarray) -> bool:
    found = clock.rule.places(times) if clock.rule is not None else None
    return found is not None and bool((found.off == 0).all() and (found.jumps > 0).all())


def on_grid(series: SeriesSet, clocks: list[Clock] | None = None) -> SeriesSet:
    """Return series with a row for each stamp of their clocks; absent ones hold missing values.

    Dropping rows is the same as setting them to NaN. Rows beside the grid stay. Without times, or
    where stamps follow no rule, series stay as they are.

    Example:
        >>> import pandas as pd, selftime as st
        >>> days = pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-04", "2024-01-05"])
        >>> on_grid(st.read(pd.DataFrame({"ds": days, "x": [0.0, 1, 3, 4]}))).values
        array([[[ 0.,  1., nan,  3.,  4.]]], dtype=float32)

    Args:
        series: of any channels.
        clocks: of each series; those that it has when None.

    Raises:
        SeriesError: a series of which more than half of the rows are absent.
    """
    if series.times is None:
        return series
    clocks = clocks or clocks_of(series)
    parts = np.split(series.times, series.offsets[1:-1])
    places = [clock.places(part) for clock, part in zip(clocks, parts, strict=True)]
    for i, at in enumerate(places):
        if len(at) < (1 - MOST_ABSENT) * (at[-1] + 1):
            if len(at) >= _FEW:
                raise SeriesError(_refuse(series, i, clocks[i], len(at) / (at[-1] + 1)))
            places[i] = np.arange(len(at))
    lengths = np.array([at[-1] + 1 for at in places])
    if lengths.sum() == len(series.steps):
        return series
    offsets = np.cumsum([0, *lengths], dtype=np.int64)
    rows = np.concatenate([first + at for first, at in zip(offsets, places, strict=False)])
    return _insert_rows(series, offsets, rows, _stamps_on(parts, places, clocks))


def _stamps_on(
    parts: list[np.ndarray], places: list[Int64[np.ndarray, "_"]], clocks: list[Clock]
) -> np.ndarray:
    """Return the stamps of all places, series after series."""
    out = []
    for times, at, clock in zip(parts, places, clocks, strict=True):
        whole = np.arange(at[-1] + 1)
        before = np.searchsorted(at, whole, side="right") - 1
        ahead = whole - at[before]
        full = times[before]
        full[ahead > 0] = clock.shift(full[ahead > 0], ahead[ahead > 0]) if ahead.any() else ()
        out.append(full)
    return np.concatenate(out)


def _insert_rows(
    series: SeriesSet,
    offsets: Int64[np.ndarray, "N1"],
    rows: Int64[np.ndarray, "S"],
    times: np.ndarray,
) -> SeriesSet:
    """Return the series with its rows at these of the new ones; all others are missing."""
    S, C = int(offsets[-1]), series.n_channels
    steps, observed = np.zeros((S, C), series.steps.dtype), np.zeros((S, C), bool)
    steps[rows] = series.steps
    observed[rows] = True if series.observed is None else series.observed
    labels = None
    if series.step_labels is not None:
        labels = np.full(S, None, object)
        labels[rows] = series.step_labels
    absent = S - len(rows)
    note = f"{absent:,} rows that are absent from the times count as missing values"
    return replace(
        series,
        steps=steps,
        offsets=offsets,
        observed=observed,
        times=times,
        step_labels=labels,
        rows=None,
        notes=(*series.notes, note),
    )


def _refuse(series: SeriesSet, i: int, clock: Clock, share: float) -> str:
    """Say how many rows are absent, and how to go on without times."""
    name = series.name_of("time", "ds")
    return (
        f"series {str(series.ids[i])!r} has a row for {100 * share:.0f} % of its stamps "
        f"({clock.reason}), wanted at least half: leave out what is before a long gap, or "
        f"{option('ignore', name)} takes rows as steps without times"
    )
