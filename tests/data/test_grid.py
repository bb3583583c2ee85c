"""Grids: rows that are absent from the rule of the times are missing values, and nothing else."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

import selftime as st
from selftime.data.arrays import SeriesError
from selftime.data.grid import clocks_of, on_grid


def frame_of(times, name="a"):
    values = np.random.default_rng(len(times)).normal(size=len(times))
    return pd.DataFrame({"unique_id": name, "ds": times, "x": values, "z": 1 + values})


@pytest.mark.late
@pytest.mark.parametrize(
    "freq, zone", [("h", None), ("B", None), ("D", "Europe/Berlin"), ("ME", None)]
)
@given(seed=some.integers(0, 999))
def test_dropped_rows_are_the_same_as_missing_ones(freq, zone, seed):
    rng = np.random.default_rng(seed)
    parts = [
        frame_of(pd.date_range("2024-01-01", periods=n, freq=freq, tz=zone), name)
        for n, name in ((100, "a"), (80, "b"))
    ]
    frame = pd.concat(parts, ignore_index=True)
    dropped = rng.random(180) < 0.2
    dropped[[0, 99, 100, 179]] = False
    emptied = frame.copy()
    emptied.loc[dropped, ["x", "z"]] = np.nan
    one, other = on_grid(st.read(frame[~dropped])), st.read(emptied)
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.times, other.times)
    np.testing.assert_array_equal(one.offsets, other.offsets)


def test_what_lacks_nothing_stays_itself():
    series = st.read(frame_of(pd.date_range("2024-01-01", periods=50)))
    assert on_grid(series) is series
    arrays = st.SeriesSet.of(np.ones((2, 1, 9)))
    assert on_grid(arrays) is arrays and clocks_of(arrays)[0].rule is None


def test_the_number_of_absent_rows_is_said():
    times = pd.date_range("2024-01-01", periods=50).delete([7, 8, 30])
    found = on_grid(st.read(frame_of(times)))
    assert found.notes[-1] == "3 rows that are absent from the times count as missing values"


def test_a_grid_that_is_mostly_empty_is_refused_with_the_remedy():
    days = pd.date_range("2020-01-01", periods=40)
    times = days.append(days + pd.Timedelta(days=200))
    with pytest.raises(
        SeriesError, match=r"series 'a' has a row for 33 % .*every day.*ignore='ds'"
    ):
        on_grid(st.read(frame_of(times)))


def test_events_stay_as_they_are():
    gaps = np.random.default_rng(0).integers(1, 10**6, 60).cumsum()
    series = st.read(frame_of(pd.Timestamp("2024-01-01") + pd.to_timedelta(gaps, "s")))
    assert on_grid(series) is series


def test_short_series_take_the_clock_of_the_others():
    long = frame_of(pd.date_range("2020-01-01", periods=60, freq="MS"))
    one = frame_of(pd.DatetimeIndex(["2024-05-01"]), "b")
    two = frame_of(pd.DatetimeIndex(["2024-01-01", "2024-03-01"]), "c")
    series = st.read(pd.concat([long, one, two]))
    after = [
        str(clock.next(times[-1], 1)[0])[:10]
        for clock, times in zip(
            clocks_of(series), np.split(series.times, series.offsets[1:-1]), strict=True
        )
    ]
    assert after == ["2025-01-01", "2024-06-01", "2024-04-01"]
    assert on_grid(series).lengths.tolist() == [60, 1, 3]


def test_labels_of_steps_stay_with_their_rows():
    times = pd.date_range("2024-01-01", periods=12).delete([5])
    series = st.read(frame_of(times))
    labelled = replace(series, step_labels=np.arange(11).astype(object))
    found = on_grid(labelled).step_labels
    assert found[5] is None and [*found[:5], *found[6:]] == list(range(11))
