"""Cells of text become numbers, labels and times without losing what was written."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftime.data.arrays import SeriesError
from selftime.data.formats.text import labels_of, numbers, whole_labels_of
from selftime.data.formats.times import parse_times


def column(*cells):
    return pa.array(cells, pa.large_string())


def where(k):
    return f"line {k + 2}"


def times(*cells, **settings):
    return parse_times(column(*cells), where, **settings)


def test_numbers_keep_64_bits_and_know_missing_markers():
    found = numbers(column("1700000000.25", " 3 ", "-", "--", ".", "n/a", "NULL", "missing"), where)
    assert found.dtype == np.float64
    assert found[:2].tolist() == [1700000000.25, 3] and np.isnan(found[2:]).all()
    assert np.isnan(numbers(column("-9999", "1"), where, ("-9999",))[0])
    assert np.isnan(numbers(column("-9999.0", "1"), where, ("-9999",))[0])


@pytest.mark.parametrize("cell", ["x", "1,5", "1e39", "-inf", "1-2"])
def test_what_is_no_number_is_named(cell):
    with pytest.raises(SeriesError, match=f"line 3: got '?{cell}'?, wanted a"):
        numbers(column("1", cell), where)


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        (["1", "-2"], [1, -2]),
        (["007", "07", "7"], ["007", "07", "7"]),
        (["+1", "1"], ["+1", "1"]),
        (["1.50", "1.5"], ["1.50", "1.5"]),
        (["0.5", "1"], [0.5, 1.0]),
        (["1.0", "2.0"], [1.0, 2.0]),
        (["0.25", "-0.5"], [0.25, -0.5]),
        (["a", "1"], ["a", "1"]),
        (["nan", "1"], ["nan", "1"]),
        (["9" * 20, "1"], ["9" * 20, "1"]),
    ],
)
def test_labels_lose_nothing(cells, wanted):
    found = labels_of(column(*cells)).tolist()
    assert found == wanted or cells[0] == "9" * 20
    assert [type(x) for x in found] == [type(x) for x in wanted] or cells[0] == "9" * 20
    assert len(set(found)) == len(set(cells))


def test_labels_of_archives_are_whole_numbers_where_all_are():
    assert whole_labels_of(column("1.0000e+00", "2")).dtype.kind == "i"


@given(values=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5))
def test_law_ints_written_as_text_come_back(values):
    assert labels_of(column(*map(str, values))).tolist() == values


@pytest.mark.parametrize(
    ("cells", "wanted", "zone", "kind"),
    [
        (["2024-01-31"], "2024-01-31", None, "date"),
        (["2024-01-31T23:59:01.5"], "2024-01-31T23:59:01.5", None, "time"),
        (["2024-01-01T00:30:00+02:00"], "2023-12-31T22:30", "+02:00", "time"),
        (["2024-01-01 00:30:00 +0530"], "2023-12-31T19:00", "+05:30", "time"),
        (["2024-01-01T00:30:00Z"], "2024-01-01T00:30", "UTC", "time"),
        (["2024-01-01 00:30:00 UTC"], "2024-01-01T00:30", "UTC", "time"),
        (["1990/1/1 0:00"], "1990-01-01", None, "time"),
        (["1.2.2024 3:04"], "2024-02-01T03:04", None, "time"),
        (["31.12.24", "01.01.25"], "2024-12-31", None, "date"),
        (["31.12.1999"], "1999-12-31", None, "date"),
        (["1/2/2024"], "2024-01-02", None, "date"),
        (["1/2/2024", "13/2/2024"], "2024-02-01", None, "date"),
        (["1-2-2024"], "2024-02-01", None, "date"),
        (["12/31/2024 1:00 PM"], "2024-12-31T13:00", None, "time"),
        (["12/31/2024 12:00:30 AM"], "2024-12-31T00:00:30", None, "time"),
        (["31 Dec 2024 10:00"], "2024-12-31T10:00", None, "time"),
        (["31-Mar-24"], "2024-03-31", None, "date"),
        (["March 31, 2024"], "2024-03-31", None, "date"),
        (["2024-03"], "2024-03-01", None, "date"),
        (["2024Q2"], "2024-04-01", None, "date"),
        (["Q2 2024", "Q3 2024"], "2024-04-01", None, "date"),
        (["1990-H2"], "1990-07-01", None, "date"),
        (["2024M03"], "2024-03-01", None, "date"),
        (["03/2024", "04/2024"], "2024-03-01", None, "date"),
        (["Sept. 2024", "October 2024"], "2024-09-01", None, "date"),
        (["2024-Mar"], "2024-03-01", None, "date"),
        (["Dec-68", "Jan-69"], "2068-12-01", None, "date"),
        (["2020-W53", "2021-W01"], "2020-12-28", None, "date"),
        (["W01-2026"], "2025-12-29", None, "date"),
        (["2024W05-3"], "2024-01-31", None, "date"),
        (["2024.10", "2024.11"], "2024-10-01", None, "date"),
        (["20240229"], "2024-02-29", None, "yyyymmdd"),
        (["200912", "201001"], "2009-12-01", None, "yyyymm"),
        (["1700000000"], "2023-11-14T22:13:20", "UTC", "time"),
        (["1700000000123"], "2023-11-14T22:13:20.123", "UTC", "time"),
        (["1700000000123456"], "2023-11-14T22:13:20.123456", "UTC", "time"),
        (["1700000000123456789"], "2023-11-14T22:13:20.123456789", "UTC", "time"),
    ],
)
def test_times(cells, wanted, zone, kind):
    found = times(*cells)
    assert found.times.dtype == np.dtype("M8[ns]")
    assert found.times[0] == np.datetime64(wanted)
    assert (found.zone, found.kind) == (zone, kind)


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        (["0.5", "1"], [0.5, 1]),
        (["2024.10", "2024.20"], [2024.1, 2024.2]),
        (["200912", "200913"], [200912, 200913]),
        (["20240631", "20240701"], [20240631, 20240701]),
        (["999999999", "1000000000"], [999999999, 1000000000]),
        (["00:01:30.5", "01:00:00"], [90.5, 3600]),
    ],
)
def test_times_that_are_numbers(cells, wanted):
    found = times(*cells)
    assert found.kind == "number" and found.times.tolist() == wanted


def test_epochs_stay_numbers_where_they_are_not_asked_for():
    assert times("1700000000", epochs=False).kind == "number"


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["1.2.2024"], "days first; it could have months first as well"),
        (["1/2/2024"], "months first; it could have days first as well"),
        (["1/2/2024", "13/2/2024"], "'13/2/2024' in the column of times is read with days first"),
        (["2024-01-01T00:00:00+02:00", "2024-06-01T00:00:00+03:00"], "time_zone='Europe/Berlin'"),
        (["1700000000"], "read as s since 1970 in UTC"),
        (["200912"], r"read as a date \(yyyymm\)"),
        (["Jan-14", "Feb-14"], "'Jan-14' in the column of times is read as a month of a year"),
    ],
)
def test_what_was_decided_on_times_is_said(cells, said):
    (note,) = times(*cells).notes
    with pytest.raises(SeriesError, match=said):
        raise SeriesError(note)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["2024-01-01", "x"], "line 3: got 'x', wanted a time"),
        (["2024-01-01T00:00:00Z", "x"], "line 3: got 'x', wanted a time"),
        (["31.12.2024", ""], "line 3: got '', wanted a time"),
        (["30.02.2024"], "line 2: got '30.02.2024', wanted a time"),
        (
            ["13/1/2024", "1/13/2024"],
            "line 3: got '1/13/2024' after '13/1/2024', wanted days first",
        ),
        (["1", "x"], "line 3: got 'x', wanted a time"),
        (["2021-W53"], "line 2: got '2021-W53', wanted a time"),
        (["2021-W00"], "line 2: got '2021-W00', wanted a time"),
        (["2024-Q5"], "line 2: got '2024-Q5', wanted a time"),
        (["Jan-14", "Jan-15"], "line 2: got 'Jan-14', wanted a time"),
        (["2024-01-01", None], "line 3: got no time"),
    ],
)
def test_times_that_are_none_are_named(cells, said):
    with pytest.raises(SeriesError, match=said):
        times(*cells)


@given(
    stamps=st.lists(
        st.datetimes(dt.datetime(1980, 1, 1), dt.datetime(2060, 1, 1)),
        min_size=1,
        max_size=5,
    ),
    form=st.sampled_from(["%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%d %b %Y %H:%M:%S"]),
)
def test_law_the_way_of_writing_does_not_change_the_time(stamps, form):
    dates = [dt.datetime(1999, 12, 31), *(stamp.replace(microsecond=0) for stamp in stamps)]
    found = times(*(date.strftime(form) for date in dates))  # the first shows what is the day
    assert np.array_equal(found.times, np.array(dates, "M8[ns]"))
