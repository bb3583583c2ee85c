"""The forecaster: what goes in and comes out, leaks, commands and pictures."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from forecast_material import waves
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.data.series import SeriesError
from selftime.report.pictures.panels import quantile_bands
from selftime.tasks.forecasting import features as latents
from selftime.tasks.forecasting.backtest import backtest
from selftime.tasks.forecasting.features import ModelVectors
from selftime.tasks.forecasting.forecasters import typical_season
from selftime.tasks.forecasting.protocols import setting_of


@pytest.fixture(scope="module", autouse=True)
def few_waves():
    """Features of a fifth of the size: what they are worth is measured in the benchmarks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latents, "PATCH_WAVES", 40)
        yield


@pytest.fixture(scope="module")
def fitted():
    return st.Forecaster(horizon=6, season=12).fit([waves(160, 2, seed).T for seed in range(3)])


def long_frame(kind, T=150):
    x = waves(T, 1)[:, 0]
    columns = {
        "unique_id": ["a"] * T + ["b"] * T,
        "ds": list(pd.date_range("2024-01-01", periods=T, freq="h")) * 2,
        "load": np.concatenate([x, 10 - x]),
    }
    return kind(columns)


def test_arrays_give_arrays(fitted):
    found = fitted.predict([waves(90, 2).T, waves(40, 2).T])  # unequal lengths
    assert found.shape == (2, 2, 6) and np.isfinite(found).all()
    assert fitted.predict().shape == (3, 2, 6)


def test_quantiles_are_in_order_and_hold_the_noise(fitted):
    found = fitted.forecasts()
    assert found.quantiles.shape == (3, 5, 2, 6) and (np.diff(found.quantiles, axis=1) >= 0).all()
    wide = found.quantiles[:, -1] - found.quantiles[:, 0]
    assert (wide > 0.2).all()  # the noise alone has a standard deviation of 0.2


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_frames_give_frames(kind):
    found = st.Forecaster(horizon=4, quantiles=(0.1, 0.9), season=12).fit(long_frame(kind))
    out = found.predict(long_frame(kind))
    assert isinstance(out, kind)
    assert list(out.columns) == ["unique_id", "ds", "load", "load_q0.1", "load_q0.9"]
    assert len(out) == 8 and list(out["unique_id"]) == ["a"] * 4 + ["b"] * 4
    first = pd.Timestamp(list(out["ds"])[0])
    assert first == pd.Timestamp("2024-01-01") + pd.Timedelta(hours=150)


def test_missing_values_are_bridged_and_input_stays():
    x = waves(150, 2).T[None].copy()
    x[0, 0, 40:45] = np.nan
    before = x.copy()
    found = st.Forecaster(horizon=4, season=12).fit(x).predict(x)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(x, before)


def test_forecasts_follow_level_and_scale(fitted):
    x = waves(120, 2).T[None]
    np.testing.assert_allclose(
        fitted.predict(100 + 5 * x), 100 + 5 * fitted.predict(x), rtol=1e-3, atol=1e-2
    )


def test_same_seed_same_bits():
    x = waves(150).T[None]
    once, twice = (st.Forecaster(horizon=3, season=12).fit(x).predict() for _ in range(2))
    np.testing.assert_array_equal(once, twice)


@pytest.mark.parametrize(
    "settings, text",
    [
        ({"horizon": 0}, "got horizon 0, wanted at least 1 step"),
        ({"quantiles": (0.9, 0.1)}, "wanted ascending levels between 0 and 1"),
        ({"season": 0}, "got season 0, wanted at least 1 step, or None"),
        ({"horizon": 200}, "got horizon 200 and series of at most 150 steps"),
    ],
)
def test_what_cannot_be_is_refused(settings, text):
    with pytest.raises(ValueError, match=text):
        st.Forecaster(**settings).fit(waves(150).T[None])


def test_a_random_walk_is_said_to_be_one(np_rng):
    found = st.Forecaster(horizon=4).fit(np.cumsum(np_rng.normal(size=(1, 1, 300)), axis=2))
    assert found.reason_.startswith("the last value is repeated: held-out folds do not agree")


def test_other_channels_are_refused(fitted):
    with pytest.raises(SeriesError, match="got series of 1 channels, wanted 2"):
        fitted.predict(waves(90).T[None])


@pytest.mark.late
def test_a_models_vectors_may_serve():
    x = waves(260, 1).T[None]
    model = st.pretrain(st.windows(st.SeriesSet.of(x), 32, stride=8).select(), encoder="quantiles")
    found = st.Forecaster(model, horizon=3, season=12).fit(x)
    assert found.predict().shape == (1, 1, 3) and "features" in found.reason_
    past = np.random.default_rng(0).normal(size=(4, 2, 32)).astype(np.float32)
    assert ModelVectors(model, 2).of(past).shape == (4, 2, model.dim)


def test_the_season_of_many_is_that_of_most():
    assert typical_season([waves(200, season=8, seed=s) for s in range(5)]) == 8


# leaks


@pytest.fixture(scope="module")
def raw():
    return waves(500, 2)


@pytest.mark.late
def test_nothing_after_the_origin_changes_a_forecast(raw):
    """The test part is replaced by noise: scale, options, weights and first forecast stay."""
    changed = raw.copy()
    changed[400:] = np.random.default_rng(1).normal(size=(100, 2)) * 50
    found = []
    for x in (raw, changed):
        setting = setting_of(st.SeriesSet.of(x.T[None]), "70-10-20")
        result = backtest(st.SeriesSet.of(x.T[None]), [6], protocol="70-10-20")
        forecaster = result.forecasters[6]
        past = setting.values[400 - forecaster.look_back : 400].T[None]
        found.append((setting.scale, forecaster.linear, forecaster.predict(past)))
    (a_scale, a_linear, a), (b_scale, b_linear, b) = found
    np.testing.assert_array_equal(a_scale.mean, b_scale.mean)
    np.testing.assert_array_equal(a_scale.sd, b_scale.sd)
    assert a_linear.options == b_linear.options and a_linear.pools == b_linear.pools
    np.testing.assert_array_equal(a_linear.map.weights, b_linear.map.weights)
    np.testing.assert_array_equal(a, b)


def test_weights_come_from_the_training_part_alone(raw):
    """With options held, values of the validation part change no weight."""
    changed = raw.copy()
    changed[352:] += np.random.default_rng(1).normal(size=(148, 2))
    maps = []
    for x in (raw, changed):
        setting = setting_of(st.SeriesSet.of(x.T[None]), "70-10-20")
        folds = setting.folds(6)
        gram = folds.gram(folds.training_spans())
        maps.append((setting.scale, gram.products))
    assert folds.training_spans()[0][1] + 5 <= setting.borders.train == 350
    np.testing.assert_array_equal(maps[0][0].sd, maps[1][0].sd)
    np.testing.assert_array_equal(maps[0][1], maps[1][1])


def test_every_test_window_counts(raw):
    """The reported error of repeat-last is that of a loop over all origins."""
    result = backtest(st.SeriesSet.of(raw.T[None]), [7], protocol="70-10-20")
    x = ((raw - raw[:350].mean(axis=0)) / raw[:350].std(axis=0)).astype(np.float32)
    each = [np.mean((x[o : o + 7] - x[o - 1]) ** 2) for o in range(400, 500 - 7 + 1)]
    assert result.references["repeat-last"][7].mse == pytest.approx(np.mean(each), rel=1e-5)
    alone = "weights from the training part alone"
    assert set(result.references) == {alone, "repeat-last", "seasonal naive", "NLinear", "DLinear"}
    assert result.errors[7].mse < result.references["repeat-last"][7].mse


def test_horizons_that_do_not_fit_are_refused(raw):
    with pytest.raises(SeriesError, match="got horizon 101 and a test part of 100 steps, wanted 1"):
        backtest(st.SeriesSet.of(raw.T[None]), [101])
    with pytest.raises(SeriesError, match="got 2 series, wanted a single one to cut by time"):
        backtest(st.SeriesSet.of([raw.T, raw.T]), [4])


# commands


@pytest.fixture
def file(tmp_path):
    return str(st.write(st.SeriesSet.of(waves(200, 1).T[None]), tmp_path / "x.csv"))


def test_forecast_writes_table_and_picture(file, tmp_path):
    out, picture = tmp_path / "f.csv", tmp_path / "f.png"
    words = ["forecast", file, "--horizon", "5", "--season", "12", "--out", str(out), "--json"]
    result = CliRunner().invoke(app, [*words, "--picture", str(picture)])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["series"] == 1 and said["horizon"] == 5 and said["season"] == 12
    table = pd.read_csv(out)
    assert len(table) == 5
    assert {"unique_id", "step", "0", "0_q0.1", "0_q0.975"} <= set(table.columns)
    assert picture.read_bytes().startswith(b"\x89PNG")
    again = CliRunner().invoke(app, words)
    assert again.exit_code == 2 and "exists: choose another --out, or --force" in again.stderr


def test_backtest_prints_errors_and_references(file, tmp_path):
    plot = tmp_path / "plot.png"
    words = ["backtest", file, "--horizons", "3,5", "--picture", str(plot), "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert list(said) == [
        "mse",
        "mae",
        "fitted_on",
        "coverage",
        "coverage_error",
        "seconds",
        "references",
    ]
    assert list(said["coverage"]["5"]) == ["0.2", "0.4", "0.6", "0.8", "0.9", "0.95"]
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert list(said["mse"]) == list(said["mae"]) == ["3", "5"]
    assert list(said["references"]["NLinear"]["mse"]) == ["3", "5"]


def test_wrong_horizons_are_refused(file):
    result = CliRunner().invoke(app, ["backtest", file, "--horizons", "3,x"])
    assert result.exit_code == 2
    assert "got --horizons '3,x', wanted positive numbers, such as 96,192" in result.stderr


def test_bands_are_pairs_of_opposite_quantiles():
    assert quantile_bands((0.025, 0.1, 0.5, 0.9, 0.975)) == [(0, 4), (1, 3)]
    assert quantile_bands((0.2, 0.9)) == []


def test_many_series_are_forecast_at_once(np_rng):
    t = np.arange(200) * 2 * np.pi / 24
    x = np.sin(t + np_rng.uniform(0, 6, (60, 1))) + 0.3 * np_rng.normal(size=(60, 200))
    found = st.Forecaster(horizon=24).fit(x).predict(x)
    assert found.shape == (60, 1, 24) and np.isfinite(found).all()


MONTHS = pd.date_range("2019-01-01", periods=60, freq="MS")
SHAPE = 0.5 * np.sin(np.arange(12) * 2 * np.pi / 12)


def shop_frame(count=10, steps=48, seed=0):
    """Monthly sales of shops, as a long frame: levels of their own, one shape."""
    rng = np.random.default_rng(seed)
    level = rng.normal(5, 1, count)
    logs = level[:, None] + SHAPE[np.arange(steps) % 12] + 0.03 * rng.normal(size=(count, steps))
    return pd.DataFrame(
        {
            "shop": np.repeat([f"shop{i}" for i in range(count)], steps),
            "month": np.tile(MONTHS[:steps], count),
            "sales": np.rint(np.exp(logs)).ravel(),
        }
    )


@pytest.fixture(scope="module")
def shops():
    return st.Forecaster(horizon=6).fit(shop_frame())


def test_shops_are_forecast_as_level_times_a_shared_shape(shops):
    assert shops.reason_.startswith(
        "many short series, each by its own level of logarithms, with a shape of 12 steps"
    )
    truth = shop_frame(steps=54).groupby("shop").tail(6)
    found = shops.predict()
    assert (found.month.to_numpy() == truth.month.to_numpy()).all()
    off = np.abs(np.log(found.sales.to_numpy() / truth.sales.to_numpy()))
    assert off.mean() < 0.05  # the noise of a month is 0.03
    inside = (truth.sales.to_numpy() >= found["sales_q0.025"]).to_numpy() & (
        truth.sales.to_numpy() <= found["sales_q0.975"]
    ).to_numpy()
    assert inside.mean() > 0.85


def test_a_new_shop_of_five_months_follows_the_others(shops):
    new = pd.DataFrame(
        {
            "shop": "new",
            "month": MONTHS[20:25],
            "sales": 100 * np.exp(SHAPE[np.arange(20, 25) % 12]),
        }
    )
    found = shops.predict(new)
    expected = 100 * np.exp(SHAPE[np.arange(25, 31) % 12])
    np.testing.assert_allclose(found.sales, expected, rtol=0.08)
    assert ((found["sales_q0.1"] < found.sales) & (found.sales < found["sales_q0.9"])).all()


def test_shops_with_gaps_of_two_months_and_without_sales(shops, caplog):
    frame = shop_frame()
    frame.loc[frame.shop == "shop1", "sales"] = 0
    rows = (frame.shop != "shop2") | frame.month.isin(MONTHS[46:48])
    rows &= (frame.shop != "shop3") | ~frame.month.isin(MONTHS[[20, 21, 33]])
    frame.loc[(frame.shop == "shop4") & frame.month.isin(MONTHS[45:48]), "sales"] = np.nan
    found = st.Forecaster(horizon=6).fit(frame[rows])
    assert "'shop2': fewer than 5 steps, so that their mean has the shape" in found.reason_
    assert "3 rows that are absent" in found.reason_
    ahead, usual = found.predict().set_index("shop"), shops.predict().set_index("shop")
    assert (ahead.loc["shop1", "sales"] < 0.5).all()
    for shop in ("shop2", "shop3", "shop4"):
        np.testing.assert_allclose(ahead.loc[shop, "sales"], usual.loc[shop, "sales"], rtol=0.15)


def test_kept_shops_forecast_the_same(shops, tmp_path):
    shops.save(tmp_path / "shops")
    again = st.load(tmp_path / "shops").predict(shop_frame())
    pd.testing.assert_frame_equal(again, shops.predict())


def test_shops_with_covariates():
    frame = shop_frame()
    frame["price"] = np.random.default_rng(1).normal(size=len(frame))
    frame["sales"] = frame["sales"] * np.exp(0.4 * frame["price"])
    ahead = frame.groupby("shop").head(6).assign(month=np.tile(MONTHS[48:54], 10), price=1.0)
    found = st.Forecaster(horizon=6).fit(frame, covariates=["price"])
    assert "the effect of covariates is taken out" in found.reason_
    high = found.predict(future=ahead).sales / found.predict(future=ahead.assign(price=0.0)).sales
    assert 1.3 < high.median() < 1.7  # e to the 0.4 is 1.49


def test_too_short_for_the_horizon_says_what_is_wanted():
    with pytest.raises(SeriesError, match="at most 13 steps, wanted at least 16 to fit"):
        st.Forecaster(horizon=4).fit(np.random.default_rng(0).normal(size=(20, 1, 13)))
