"""Forecasts in time: stamps that go on, zones and types, absent rows, gaps at the end, futures."""

import datetime as dt
import logging

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import selftime as st
from selftime.data.series import SeriesError
from selftime.tasks.forecasting import features as latents


@pytest.fixture(scope="module", autouse=True)
def few_waves():
    """Features of a fifth of the size: what they are worth is measured in the benchmarks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latents, "PATCH_WAVES", 40)
        yield


def season(n, period):
    return 10 + 3 * np.sin(2 * np.pi * np.arange(n) / period)


def hours(n):
    return [dt.datetime(2024, 1, 1) + dt.timedelta(hours=i) for i in range(n)]


def ahead(stamps, horizon, period=12, **settings):
    """The arrow table of forecasts after stamps."""
    table = pa.table({"ds": stamps, "y": season(len(stamps), period)})
    return st.Forecaster(horizon=horizon, season=period, **settings).fit(table).predict(table)


@pytest.mark.late
@pytest.mark.parametrize(
    "stamps, wanted",
    [
        (pd.date_range("2014-01-01", periods=120, freq="MS"), ["2024-01-01", "2024-02-01"]),
        (pd.date_range("2014-01-01", periods=121, freq="ME"), ["2024-02-29", "2024-03-31"]),
        (pd.bdate_range("2024-01-01", periods=100), ["2024-05-20", "2024-05-21"]),
        (pd.date_range("1990-01-01", periods=80, freq="QE"), ["2010-03-31", "2010-06-30"]),
    ],
)
def test_stamps_go_on_by_their_rule(stamps, wanted):
    found = ahead(pa.array(list(stamps.to_pydatetime())), 2)["ds"].to_pylist()
    assert [str(stamp.date()) for stamp in found] == wanted


@pytest.mark.late
def test_types_and_zones_come_back():
    dates = [d.date() for d in pd.bdate_range("2024-01-01", periods=100)]
    assert ahead(pa.array(dates), 1)["ds"].to_pylist() == [dt.date(2024, 5, 20)]
    zone = pa.timestamp("us", "Asia/Kolkata")
    stamps = [dt.datetime(2024, 3, 1, tzinfo=dt.UTC) + dt.timedelta(hours=i) for i in range(100)]
    found = ahead(pa.array(stamps, zone), 1)
    assert found.schema.field("ds").type == zone
    assert found["ds"][0].as_py() == stamps[-1] + dt.timedelta(hours=1)
    numbers = [
        int(f"{d:%Y%m%d}") for d in pd.date_range("2024-06-30", periods=90, freq="-1D")[::-1]
    ]
    assert ahead(pa.array(numbers), 1)["ds"].to_pylist() == [20240701]
    months = [int(f"{d:%Y%m}") for d in pd.date_range("2000-01-01", "2009-12-01", freq="MS")]
    assert ahead(pa.array(months), 2)["ds"].to_pylist() == [201001, 201002]
    assert ahead(pa.array(range(1950, 2030)), 1)["ds"].to_pylist() == [2030]


@pytest.mark.late
@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_predict_without_histories_gives_a_frame_of_the_kind_that_was_fitted(kind):
    table = kind({"ds": hours(100), "y": season(100, 12)})
    fitted = st.Forecaster(horizon=3, season=12).fit(table)
    found, again = fitted.predict(), fitted.predict(table)
    assert isinstance(found, type(table)) and found.equals(again)
    stamps = pa.table(found)["ds"] if kind is pa.table else pa.array(list(found["ds"]))
    assert stamps[0].as_py() == hours(101)[-1]


@pytest.mark.late
def test_days_of_pandas_come_back_as_they_were():
    days = pd.date_range("2024-01-01", periods=60)
    for given, kind in (
        (days, pd.Timestamp),
        ([str(day.date()) for day in days], pd.Timestamp),  # text, which is read as days
        ([day.date() for day in days], dt.date),
    ):
        frame = pd.DataFrame({"ds": given, "y": season(60, 12)})
        fitted = st.Forecaster(horizon=1, season=12).fit(frame)
        for found in (fitted.predict(), fitted.predict(frame)):
            assert type(found["ds"][0]) is kind and str(found["ds"][0])[:10] == "2024-03-01"


@pytest.mark.late
def test_midnight_stays_midnight_when_clocks_change():
    days = pd.date_range("2024-01-01", "2024-03-30", tz="Europe/Berlin")
    frame = pd.DataFrame({"ds": days, "y": season(len(days), 7)})
    found = st.Forecaster(horizon=3, season=7).fit(frame).predict()["ds"]
    wanted = pd.date_range("2024-03-31", "2024-04-02", tz="Europe/Berlin")
    assert list(found) == list(wanted)


@pytest.mark.late
def test_series_that_end_at_different_times_have_their_own_stamps():
    parts = [("a", 100, "2024-01-01"), ("b", 80, "2024-02-01")]
    frame = pd.concat(
        pd.DataFrame({"unique_id": i, "ds": pd.date_range(d, periods=n), "y": season(n, 7)})
        for i, n, d in parts
    )
    found = st.Forecaster(horizon=1, season=7).fit(frame).predict()
    assert [str(t)[:10] for t in found["ds"]] == ["2024-04-10", "2024-04-21"]


@pytest.mark.late
def test_without_a_rule_there_are_steps_and_a_reason(caplog):
    gaps = np.random.default_rng(0).integers(1, 10**6, 100).cumsum()
    stamps = pd.Timestamp("2024-01-01") + pd.to_timedelta(gaps, "s")
    frame = pd.DataFrame({"ds": stamps, "y": season(100, 12)})
    found = st.Forecaster(horizon=2, season=12).fit(frame).predict()
    assert found["step"].tolist() == [1, 2] and "ds" not in found
    assert "forecasts have steps and no times: stamps follow no rule (series '0')" in caplog.text


@pytest.mark.late
def test_absent_rows_are_missing_values(caplog):
    kept = np.random.default_rng(0).random(400) > 0.05
    kept[-48:] = True
    y = season(400, 24)
    some = pa.table({"ds": [h for h, k in zip(hours(400), kept, strict=True) if k], "y": y[kept]})
    whole = pa.table({"ds": hours(400), "y": np.where(kept, y, np.nan)})
    found, other = (st.Forecaster(horizon=24, season=24).fit(t).predict(t) for t in (some, whole))
    assert found.equals(other)
    truth = season(424, 24)[400:]
    assert np.abs(found["y"].to_numpy() - truth).max() < 0.05
    assert f"{(~kept).sum()} rows that are absent from the times count as missing" in caplog.text
    gappy = st.read(some)
    errors = [st.backtest(s, [12], progress=False).errors for s in (gappy, st.read(whole))]
    assert errors[0] == errors[1]


@pytest.mark.late
def test_a_gap_at_the_end_is_forecast_across():
    rng = np.random.default_rng(0)
    errors, inside, widths = {0: [], 18: []}, [], {0: [], 18: []}
    for _ in range(3):
        x = season(424, 24) + rng.normal(scale=0.3, size=424)
        for gap in (0, 18):
            past = x[:400].copy()
            past[400 - gap :] = np.nan
            fitted = st.Forecaster(horizon=24, season=24).fit(past[None])
            found = fitted.forecasts()
            errors[gap].append(np.mean((found.mean[0, 0] - season(424, 24)[400:]) ** 2))
            low, high = found.quantiles[0, 0, 0], found.quantiles[0, -1, 0]
            widths[gap].append(np.mean(high - low))
            if gap:
                inside.append(np.mean((x[400:] >= low) & (x[400:] <= high)))
    assert "the last 18 steps of series '0' are forecast too" in fitted.reason_
    assert np.mean(errors[18]) < 2 * np.mean(errors[0]) + 0.01
    assert 0.85 < np.mean(inside) <= 1


@pytest.mark.late
def test_intervals_widen_by_the_gap_of_a_walk():
    walk = np.cumsum(np.random.default_rng(3).normal(size=600))
    gone = walk.copy()
    gone[-30:] = np.nan
    wide = [
        np.ptp(st.Forecaster(horizon=4).fit(x[None]).forecasts().quantiles[0, [0, -1], 0], axis=0)
        for x in (walk, gone)
    ]
    assert (wide[1] > 1.8 * wide[0]).all()


@pytest.mark.late
def test_channels_may_end_one_before_the_other():
    x = np.stack([season(400, 24), 5 + season(400, 24)])
    x[1, -10:] = np.nan
    found = st.Forecaster(horizon=6, season=24).fit(x[None]).predict()[0]
    np.testing.assert_allclose(found[1] - found[0], 5, atol=0.2)


# futures


def driven(ids=("a", "b"), T=260, zone=None):
    """A long frame of two series that follow a channel known ahead."""
    rows = []
    for k, name in enumerate(ids):
        w = np.random.default_rng(k).normal(size=T)
        stamps = pd.date_range("2024-01-01", periods=T, freq="h", tz=zone) + pd.Timedelta(days=k)
        y = 2 * w + season(T, 12)
        rows.append(pd.DataFrame({"unique_id": name, "ds": stamps, "y": y, "w": w}))
    return rows


@pytest.fixture(scope="module")
def known_ahead():
    parts = driven()
    past = pd.concat([part[:248] for part in parts])
    truth = np.concatenate([part.y[248:] for part in parts])
    fitted = st.Forecaster(horizon=12, season=12).fit(past, covariates=["w"])
    return fitted, past, parts, truth


@pytest.mark.late
def test_missing_values_of_the_future_are_said(known_ahead, caplog):
    fitted, past, parts, _ = known_ahead
    future = pd.concat([part[248:] for part in parts])[["unique_id", "ds", "w"]]
    fitted.predict(past, future)
    assert "missing values were bridged" not in caplog.text
    future.iloc[[5, 6], 2] = np.nan
    fitted.predict(past, future)
    assert "future of covariate 'w': 2 missing values were bridged" in caplog.text


@pytest.mark.late
@pytest.mark.parametrize("order", ["whole", "reversed", "shuffled", "other series too"])
def test_rows_of_the_future_are_found_by_series_and_time(known_ahead, order, caplog):
    fitted, past, parts, truth = known_ahead
    future = pd.concat(parts[::-1] if order == "reversed" else parts)
    if order == "shuffled":
        future = future.sample(frac=1, random_state=0)
    if order == "other series too":
        future = pd.concat([future, parts[0].assign(unique_id="c")])
    found = fitted.predict(past, future[["unique_id", "ds", "w"]])
    assert np.abs(found.y.to_numpy() - truth).max() < 0.3
    extra = len(future) - 24
    assert f"{extra} rows of the future are not of the steps to forecast" in caplog.text


def test_a_future_that_does_not_fit_is_refused(known_ahead):
    fitted, past, parts, _ = known_ahead
    future = pd.concat([part[248:] for part in parts])
    late = future.assign(ds=future.ds + pd.Timedelta(days=1))
    with pytest.raises(
        SeriesError,
        match="lacks 12 of the 12 steps after series 'a', the first at "
        "2024-01-11 08:00:00, wanted a row for each",
    ):
        fitted.predict(past, late)
    half = future.assign(ds=future.ds + pd.Timedelta(minutes=30))
    with pytest.raises(SeriesError, match="lacks 12 of the 12 steps"):
        fitted.predict(past, half)
    with pytest.raises(
        SeriesError, match="lacks series 'b', and has 'x', which histories have not"
    ):
        fitted.predict(past, future.replace({"unique_id": {"b": "x"}}))
    with pytest.raises(SeriesError, match="lacks 6 of the 12 steps after series 'b'"):
        fitted.predict(past, future[:18])
    zoned = future.assign(ds=future.ds.dt.tz_localize("Europe/Berlin"))
    with pytest.raises(
        SeriesError,
        match="histories have times without a zone, the future has times in a zone.*: time_zone=",
    ):
        fitted.predict(past, zoned)


@pytest.mark.late
def test_a_future_without_times_that_begins_with_the_history_is_seen_through():
    (part,) = driven(("a",))
    x = part[["y", "w"]].to_numpy().T
    fitted = st.Forecaster(horizon=12, season=12).fit(x[None, :, :248], covariates=["1"])
    ahead = st.SeriesSet.of(x[None, 1:, 248:], channels=["1"])
    whole = st.SeriesSet.of(x[None], channels=["0", "1"])
    np.testing.assert_array_equal(fitted.predict(future=ahead), fitted.predict(future=whole))


@pytest.mark.late
def test_notes_are_said_once(caplog):
    gone = season(300, 24)
    gone[-5:] = np.nan
    with caplog.at_level(logging.WARNING):
        fitted = st.Forecaster(horizon=6, season=24).fit(gone[None])
        fitted.predict()
    assert caplog.text.count("are forecast too") == 1
