"""Clocks: the stamps after the last of every kind of calendar, absent and late stamps, zones."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as some

from selftime.data.clock import Clock, Stamps, dates_in

DAY = np.timedelta64(1, "D")


def stamps_of(values, zone=None):
    """Stamps (T,) in UTC, and what they were, from a pandas index."""
    index = pd.DatetimeIndex(values)
    if index.tz is None:
        return index.to_numpy().astype("datetime64[ns]"), Stamps()
    return index.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[ns]"), Stamps(
        str(index.tz)
    )


def trading(n, start="2024-01-02", zone=None):
    days = pd.bdate_range(start, periods=n // 7 + 1)
    stamps = [day + pd.Timedelta(minutes=570 + 60 * i) for day in days for i in range(7)]
    return pd.DatetimeIndex(stamps[:n]).tz_localize(zone)


RULES = {
    "7 s": lambda n: pd.date_range("2024-01-01 00:00:03", periods=n, freq="7s"),
    "hour": lambda n: pd.date_range("2024-01-01", periods=n, freq="h"),
    "day": lambda n: pd.date_range("2024-01-01", periods=n, freq="D"),
    "business day": lambda n: pd.bdate_range("2024-01-01", periods=n),
    "week": lambda n: pd.date_range("2024-01-01", periods=n, freq="W-WED"),
    "month": lambda n: pd.date_range("2014-01-01", periods=n, freq="MS"),
    "month end": lambda n: pd.date_range("2014-01-01", periods=n, freq="ME"),
    "day 15": lambda n: pd.date_range("2014-01-01", periods=n, freq="MS") + pd.Timedelta(days=14),
    "first business day": lambda n: pd.date_range("2014-01-01", periods=n, freq="BMS"),
    "last business day": lambda n: pd.date_range("2014-01-01", periods=n, freq="BME"),
    "quarter": lambda n: pd.date_range("1990-01-01", periods=n, freq="QS"),
    "quarter end": lambda n: pd.date_range("1990-01-01", periods=n, freq="QE"),
    "fiscal quarter end": lambda n: pd.date_range("1990-01-01", periods=n, freq="QE-JAN"),
    "year": lambda n: pd.date_range("1900-01-01", periods=n, freq="YS"),
    "year end": lambda n: pd.date_range("1900-01-01", periods=n, freq="YE"),
    "trading hours": trading,
    "trading hours in New York": lambda n: trading(n, "2024-02-20", "America/New_York"),
    "day in Berlin": lambda n: pd.date_range("2024-01-01", periods=n, freq="D", tz="Europe/Berlin"),
    "hour in Berlin": lambda n: pd.date_range(
        "2024-03-29", periods=n, freq="h", tz="Europe/Berlin"
    ),
    "month in Berlin": lambda n: pd.date_range(
        "2014-01-01", periods=n, freq="MS", tz="Europe/Berlin"
    ),
    "noon and midnight": lambda n: pd.date_range("2024-01-01", periods=n, freq="12h"),
}
"""Stamps of every rule."""


@pytest.mark.parametrize("name", RULES)
@given(n=some.integers(60, 120), k=some.integers(1, 12))
def test_stamps_after_a_prefix_are_those_that_follow(name, n, k):
    times, stamps = stamps_of(RULES[name](n + k))
    clock = Clock.of(times[:n], stamps)
    np.testing.assert_array_equal(clock.next(times[n - 1], k), times[n:])
    assert clock.follows(times[:n])


@pytest.mark.late
@pytest.mark.parametrize("name", RULES)
@given(seed=some.integers(0, 1000), share=some.floats(0, 0.3))
def test_absent_stamps_do_not_change_the_rule(name, seed, share):
    times, stamps = stamps_of(RULES[name](130))
    kept = np.random.default_rng(seed).random(120) >= share
    kept[[0, 119]] = True
    some_times = times[:120][kept]
    clock = Clock.of(some_times, stamps)
    np.testing.assert_array_equal(clock.next(some_times[-1], 10), times[120:])
    np.testing.assert_array_equal(clock.places(some_times), np.flatnonzero(kept))


@pytest.mark.parametrize("name", ["hour", "day", "month", "business day"])
@given(late=some.integers(0, 99), by=some.integers(1, 120))
def test_a_late_stamp_does_not_move_the_clock(name, late, by):
    times, stamps = stamps_of(RULES[name](110))
    seen = times[:100].copy()
    seen[late] += np.timedelta64(by, "s")
    clock = Clock.of(seen, stamps)
    np.testing.assert_array_equal(clock.next(seen[-1], 10), times[100:])
    np.testing.assert_array_equal(clock.places(seen), np.arange(100))


@given(
    zones=some.tuples(*[some.sampled_from(["Asia/Kolkata", "UTC", "Europe/Berlin", "+05:00"])] * 2),
    minutes=some.sampled_from([1, 15, 60, 180]),
)
def test_the_zone_of_the_display_leaves_instants(zones, minutes):
    times, _ = stamps_of(pd.date_range("2024-03-28", periods=100, freq=f"{minutes}min"))
    found = [Clock.of(times, Stamps(zone)).next(times[-1], 48) for zone in zones]
    np.testing.assert_array_equal(found[0], found[1])


def test_events_have_no_rule():
    rng = np.random.default_rng(0)
    times = np.datetime64("2024-01-01", "ns") + np.cumsum(rng.integers(1, 9**5, 100)).astype(
        "m8[s]"
    )
    assert Clock.of(times).rule is None
    assert "no rule" in Clock.of(times).reason
    assert Clock.of(times[::-1]).reason == "stamps do not rise"
    assert Clock.of(times[:1]).rule is None
    twice_a_month = pd.date_range("2024-01-01", periods=40, freq="SMS").to_numpy()
    assert Clock.of(twice_a_month).rule is None


@given(step=some.sampled_from([0.1, 0.004, 1.0, 5.0]), begin=some.integers(-100, 100))
def test_numbers_go_on_as_numbers(step, begin):
    times = begin + step * np.arange(60)
    found = Clock.of(times[:50]).next(times[49], 10)
    np.testing.assert_allclose(found, times[50:], atol=1e-9)


def test_jitter_is_a_fixed_step():
    rng = np.random.default_rng(0)
    times = np.arange(200) + rng.normal(scale=0.05, size=200)
    kept = np.append(rng.random(199) > 0.1, True)
    clock = Clock.of(times[kept])
    np.testing.assert_array_equal(clock.places(times[kept]), np.flatnonzero(kept))
    np.testing.assert_allclose(clock.next(times[-1], 3), times[-1] + [1, 2, 3], rtol=2e-3)


def test_dates_written_as_numbers_are_dates():
    days = pd.date_range("2024-06-01", periods=30)
    times, stamps = dates_in(np.array(days.strftime("%Y%m%d"), np.float64))
    assert stamps.kind == "yyyymmdd" and times[-1] == np.datetime64("2024-06-30")
    after = stamps.column(Clock.of(times, stamps).next(times[-1], 1))
    assert after.to_pylist() == [20240701]
    times, stamps = dates_in(np.array([200910, 200911, 200912]))
    assert stamps.column(Clock.of(times, stamps).next(times[-1], 1)).to_pylist() == [201001]
    for before, wanted in (
        (range(2023340, 2023366), 2024001),
        (range(2024340, 2024367), 2025001),
        (range(202035, 202054), 202101),
        ([20233, 20234, 20241], 20242),
    ):
        times, stamps = dates_in(np.array(before))
        assert stamps.column(times).to_pylist() == list(before)
        after = stamps.column(Clock.of(times, stamps).next(times[-1], 1))
        assert after.to_pylist() == [wanted]
    counted = [20001, 20011, 20021], [20241, 20242], [200126, 200226], range(2024360, 2024368)
    for numbers in (
        *counted,
        [20240630, 20240631],
        [200912, 200913],
        [2009, 2010],
        [0.5, 1.5],
        [200912],
    ):
        assert dates_in(np.array(numbers)) is None


def test_columns_are_of_the_type_that_came():
    times = np.array(["2024-01-01T00:00"], "datetime64[ns]")
    assert Stamps(kind="date").column(times).to_pylist() == [dt.date(2024, 1, 1)]
    found = Stamps("Asia/Kolkata").column(times)
    assert str(found.type) == "timestamp[ns, tz=Asia/Kolkata]" and found[0].as_py().hour == 5
    for numbers in np.arange(5), np.arange(5.0):
        after = Clock.of(numbers).next(numbers[-1], 1)
        found = Stamps(kind="number").column(after)
        assert found.to_pylist() == [5] and found.type == pa.array(numbers).type


def test_a_daily_hour_that_the_zone_leaves_out_comes_after_it():
    times, stamps = stamps_of(
        pd.date_range("2024-03-01 02:30", periods=30, freq="D", tz="Europe/Berlin")
    )
    found = Clock.of(times, stamps).next(times[-1], 2)
    wall = pd.DatetimeIndex(found).tz_localize("UTC").tz_convert("Europe/Berlin")
    assert [str(t) for t in wall] == ["2024-03-31 03:00:00+02:00", "2024-04-01 02:30:00+02:00"]


@given(some.integers(0, 58))
def test_business_days_go_on_after_a_rogue_weekend(week):
    times, _ = stamps_of(pd.bdate_range("2023-01-02", periods=300))
    at = 5 * week + 4
    seen = np.insert(times, at + 1, times[at] + DAY)
    clock = Clock.of(seen)
    assert clock.next(times[-1], 1)[0] == np.datetime64("2024-02-26")
    assert len(np.unique(clock.places(seen))) == 301


def test_hours_of_three_days_come_again_on_the_fourth():
    days = pd.date_range("2024-01-02", periods=4)
    times, _ = stamps_of(
        [day + pd.Timedelta(minutes=570 + 5 * i) for day in days for i in range(79)]
    )
    np.testing.assert_array_equal(Clock.of(times[:237]).next(times[236], 79), times[237:])


def test_two_weeks_of_business_days_are_enough_and_one_absent_day_is_not():
    times, _ = stamps_of(pd.bdate_range("2024-01-01", periods=15))
    assert Clock.of(times[:10]).next(times[9], 5).tolist() == times[10:].tolist()
    days, _ = stamps_of(pd.date_range("2024-01-01", periods=12))
    assert Clock.of(np.delete(days, 5)).next(days[4], 1) == days[5]


@pytest.mark.parametrize("step", ["MS", "ME", "QE", "D", "h", "W-MON", "B"])
def test_stamps_have_the_same_number_in_every_series(step):
    index = pd.date_range("2023-01-02", periods=40, freq=step)
    first, later = stamps_of(index[:30])[0], stamps_of(index[7:])[0]
    one, other = Clock.of(first), Clock.of(later)
    assert other.number(later[0]) - one.number(first[0]) == 7
    assert one.number(first[9]) - one.number(first[4]) == 5


def test_stamps_without_a_rule_have_no_number():
    times = np.array([0.0, 1.0, 5.0, 17.0, 18.5, 40.0])
    with pytest.raises(ValueError, match="stamps have no number"):
        Clock.of(times).number(times[0])
