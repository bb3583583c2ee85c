"""``selftime forecast``: calendars, floors, futures, and outputs that harm nothing."""

import os

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app, files
from selftime.tasks.forecasting import features as latents


@pytest.fixture(scope="module", autouse=True)
def few_waves():
    """Features of a fifth of the size: what they are worth is measured in the benchmarks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latents, "PATCH_WAVES", 40)
        yield


def invoke(*words):
    return CliRunner().invoke(app, ["forecast", *map(str, words), "--horizon", "3"])


@pytest.fixture
def sales(tmp_path):
    """Monthly counts of two shops, the last month of one not there yet."""
    rng, months = np.random.default_rng(0), pd.date_range("2014-01-01", periods=100, freq="MS")
    parts = [
        pd.DataFrame({"shop": name, "month": months[:n], "sold": rng.poisson(2, n)})
        for name, n in (("north", 100), ("south", 99))
    ]
    path = tmp_path / "sales.csv"
    pd.concat(parts).to_csv(path, index=False)
    return path


@pytest.mark.late
def test_months_go_on_as_months_and_counts_stay_above_0(sales, tmp_path):
    out = tmp_path / "f.csv"
    result = invoke(sales, "--out", out, "--id", "shop", "--time", "month")
    assert result.exit_code == 0, result.output
    found = pd.read_csv(out)
    assert [t[:10] for t in found["month"][:3]] == ["2022-05-01", "2022-06-01", "2022-07-01"]
    assert [t[:10] for t in found["month"][3:]] == ["2022-04-01", "2022-05-01", "2022-06-01"]
    assert found["sold_q0.025"].min() >= 0
    assert "nothing is forecast below 0" in result.output
    again = invoke(
        sales, "--out", tmp_path / "g.csv", "--id", "shop", "--time", "month", "--lower", "x"
    )
    assert again.exit_code == 2 and "got --lower x, wanted a number, auto or none" in again.stderr
    frame = pd.read_csv(sales, parse_dates=["month"])
    series = st.read(frame, id="shop", time="month")
    same = st.Forecaster(horizon=3).fit(series).forecasts().mean[:, 0].ravel()
    np.testing.assert_allclose(found["sold"], same)


@pytest.mark.late
def test_zones_and_dates_are_written_as_they_came(tmp_path):
    stamps = pd.date_range("2024-03-01", periods=80, freq="h", tz="Asia/Kolkata")
    frame = pd.DataFrame({"ds": stamps, "y": np.sin(np.arange(80) / 3)})
    frame.to_parquet(tmp_path / "x.parquet")
    assert invoke(tmp_path / "x.parquet", "--out", tmp_path / "f.parquet").exit_code == 0
    found = pd.read_parquet(tmp_path / "f.parquet")
    assert str(found.ds.dt.tz) == "Asia/Kolkata" and found.ds[0] == stamps[-1] + pd.Timedelta("1h")
    assert invoke(tmp_path / "x.parquet", "--out", tmp_path / "f.csv").exit_code == 0
    back = st.read(tmp_path / "f.csv", channels=["y"])
    assert back.times[0] == (stamps[-1] + pd.Timedelta("1h")).tz_convert(None)


@pytest.mark.late
def test_a_future_is_matched_by_time_and_named_where_it_lacks(tmp_path, caplog):
    w = np.random.default_rng(0).normal(size=203)
    stamps = pd.date_range("2024-01-01", periods=203)
    frame = pd.DataFrame({"ds": stamps, "y": 2 * w + np.sin(np.arange(203)), "w": w})
    frame[:200].to_csv(tmp_path / "past.csv", index=False)
    frame.to_csv(tmp_path / "whole.csv", index=False)
    given = [tmp_path / "past.csv", "--covariates", "w", "--out", tmp_path / "f.csv"]
    result = invoke(*given, "--future", tmp_path / "whole.csv")
    assert result.exit_code == 0, result.output
    found = pd.read_csv(tmp_path / "f.csv")
    np.testing.assert_allclose(found.y, frame.y[200:], atol=0.3)
    assert "200 rows of the future are not of the steps to forecast" in caplog.text
    short = invoke(*given, "--force", "--future", tmp_path / "past.csv")
    assert short.exit_code == 2 and "lacks 3 of the 3 steps after series" in short.stderr


@pytest.mark.parametrize("form", ["{}", "./{}", "*.csv"])
def test_what_is_read_is_never_overwritten(sales, form, monkeypatch):
    monkeypatch.chdir(sales.parent)
    before = sales.read_bytes()
    for out in ["--out", sales.name], [f"--out={sales}"], ["-o", f"./{sales.name}"]:
        result = invoke(form.format(sales.name), *out, "--force", "--id", "shop", "--time", "month")
        assert result.exit_code == 2
        assert "is read by this command: choose another --out" in result.stderr
    assert sales.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_found_out_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    result = invoke(tmp_path / "nothing.csv", "--out", tmp_path / "file" / "f.csv")
    assert result.exit_code == 2 and "is a file, wanted a folder" in result.stderr
    monkeypatch.setattr(os, "access", lambda *_: False)
    result = invoke(tmp_path / "nothing.csv", "--out", tmp_path / "new" / "f.csv")
    assert result.exit_code == 2 and f"{tmp_path} may not be written to" in result.stderr
    with pytest.raises(PermissionError, match="may not be written to"):
        files.claim_run_folder(tmp_path / "run", force=False)
