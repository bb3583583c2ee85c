"""What is found in a data set, beside sets made to hold exactly that."""

from dataclasses import replace

import numpy as np
import pytest

import selftime as st
from selftime.report.inspection import duration_in_words, inspect, sampling_interval


def made(n: int = 6, **given) -> st.SeriesSet:
    x = np.random.default_rng(0).normal(size=(n, 2, 10))
    return st.SeriesSet.of(x, channels=["u", "v"], **given)


def finding(series: st.SeriesSet) -> str:
    return "\n".join(f"{found}: {remedy}" for found, remedy in inspect(series).warnings)


def test_nothing_stands_out_in_good_data():
    found = inspect(made(labels=[1, 1, 1, 2, 2, 2]))
    assert (found.series, found.channels) == (6, ("u", "v"))
    assert (found.shortest, found.median, found.longest) == (10, 10, 10)
    assert (found.missing, found.duplicates, found.constant) == (0, 0, ())
    assert found.labels == {"1": 3, "2": 3}
    assert found.interval is None and found.warnings == ()


def test_lengths_and_missing_values_are_measured():
    x = [np.ones((1, 4)), np.full((1, 100), 2.0), np.arange(6.0)[None]]
    x[1][0, :55] = np.nan
    found = inspect(st.SeriesSet.of(x))
    assert (found.shortest, found.median, found.longest) == (4, 6, 100)
    assert found.missing == pytest.approx(0.5)
    assert "50% of the values are missing: leave out" in finding(st.SeriesSet.of(x))
    assert "lengths run from 4 to 100 steps: cut the long ones" in finding(st.SeriesSet.of(x))


def test_constant_channels_are_found_behind_gaps():
    x = np.random.default_rng(0).normal(size=(3, 3, 8))
    x[:, 1] = 7
    x[:, 2] = np.nan
    x[0, 1, 3] = np.nan
    series = st.SeriesSet.of(x, channels=["a", "b", "c"])
    assert inspect(series).constant == ("b", "c")
    assert "constant, so without information: b, c: leave these channels out" in finding(series)


def test_duplicates_and_contradictions_are_counted():
    x = np.random.default_rng(0).normal(size=(5, 1, 8))
    x[2], x[4] = x[0], x[0]
    series = st.SeriesSet.of(x, ["a", "a", "a", "b", "b"])
    found = inspect(series)
    assert (found.duplicates, found.contradictions) == (2, 1)
    assert "2 series equal an earlier one, 1 of them with another label: drop" in finding(series)


def test_a_gap_is_no_zero():
    x = np.zeros((2, 1, 4))
    x[:, 0, 0] = 1
    x[1, 0, 2] = np.nan
    assert inspect(st.SeriesSet.of(x)).duplicates == 0


@pytest.mark.parametrize(
    "labels, wanted",
    [
        (["a"] * 6, "all labels are the same: check the label column"),
        (["a", "a", "b", "b", "c", "c"], ""),
        (["a", "a", "a", "b", "b", "c"], "classes with one series only: c: label more of them"),
        (list("abcdef"), "6 of 6 classes have one series only: check that the label column"),
    ],
)
def test_labels_are_looked_over(labels, wanted):
    said = finding(made(labels=labels))
    assert said.startswith(wanted) and bool(said) == bool(wanted)


def test_one_series_is_cut_into_windows():
    assert finding(made(1)) == "there is one series only: cut it into windows, windows=..."


def test_times_are_measured_within_series():
    times = np.concatenate([np.arange(10) * 0.5, 100 + np.arange(10) * 0.5])
    assert sampling_interval(replace(made(2), times=times)) == ("0.5 seconds", 0)
    times[15:] += 3
    interval, irregular = sampling_interval(replace(made(2), times=times))
    assert interval == "0.5 seconds" and irregular == pytest.approx(1 / 18)
    assert "6% of the steps are not 0.5 seconds apart: resample" in (
        finding(replace(made(2), times=times))
    )


def test_dates_are_measured_too():
    times = np.arange("2024-01-01", "2024-01-21", dtype="datetime64[D]")
    assert sampling_interval(replace(made(2), times=times)) == ("1 day", 0)
    assert sampling_interval(st.sample("NYCTaxi")) == ("30 minutes", 0)


@pytest.mark.parametrize(
    "seconds, words",
    [
        (0.01, "0.01 seconds"),
        (1.0, "1 second"),
        (90.0, "90 seconds"),
        (60.0, "1 minute"),
        (1800.0, "30 minutes"),
        (3600.0, "1 hour"),
        (172800.0, "2 days"),
    ],
)
def test_time_in_words(seconds, words):
    assert duration_in_words(seconds) == words
