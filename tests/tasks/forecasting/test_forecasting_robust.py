"""Single wild values, counts, levels, histories that are too short, names of columns."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

import selftime as st
from selftime.data.series import SeriesError, SeriesSet
from selftime.tasks.forecasting import features as latents
from selftime.tasks.forecasting.histories import find_wild, history_of
from selftime.tasks.forecasting.intervals import offsets_after
from selftime.tasks.forecasting.protocols import setting_of


@pytest.fixture(scope="module", autouse=True)
def few_waves():
    """Features of a fifth of the size: what they are worth is measured in the benchmarks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latents, "PATCH_WAVES", 40)
        yield


def season(n, period=24):
    return 10 + 3 * np.sin(2 * np.pi * np.arange(n) / period)


def noisy(n, seed=0):
    return season(n) + np.random.default_rng(seed).normal(scale=0.3, size=n)


@given(at=some.integers(0, 199), size=some.floats(50, 1e9), sign=some.sampled_from([-1, 1]))
def test_a_single_wild_value_is_found_wherever_it_is(at, size, sign):
    x = noisy(200)
    x[at] += sign * size
    np.testing.assert_array_equal(np.flatnonzero(find_wild(x)), [at])


@given(seed=some.integers(0, 999), n=some.integers(1, 200), at=some.integers(2, 195))
def test_what_is_usual_repeats_or_stays_is_not_wild(seed, n, at):
    rng = np.random.default_rng(seed)
    for x in (
        rng.normal(size=n),
        np.cumsum(rng.normal(size=n)),
        rng.poisson(2, n).astype(float),
        np.full(n, 3.0),
        (rng.random(n) < 0.05).astype(float),
    ):
        assert not find_wild(x).any()
    shifted, twice, end = noisy(200, seed), noisy(200, seed), noisy(200, seed)
    shifted[at:] += 500
    twice[[at, (at + 50) % 190]] = 500
    end[-2:] = 500
    for x in (shifted, twice, end):
        assert not find_wild(x).any()


def test_without_wild_values_nothing_changes():
    x = np.stack([noisy(100), noisy(100, 1)], axis=1)
    np.testing.assert_array_equal(history_of(x).values, x)
    x[3:7, 0] = np.nan
    found = history_of(x)
    assert not len(found.wild) and found.gaps.tolist() == [0, 0] and found.end == 100


@pytest.mark.late
@pytest.mark.parametrize("at, value", [(-1, 500.0), (150, 1e6), (150, -1e6)])
def test_wild_values_do_not_move_forecasts(at, value):
    x = noisy(300)
    wild = x.copy()
    wild[at] = value
    fitted = st.Forecaster(horizon=6, season=24).fit(wild[None])
    found = fitted.forecasts()
    truth = season(306)[300:]
    assert np.abs(found.mean[0, 0] - truth).max() < 0.6
    assert (found.quantiles[0, 0, 0] < truth).all() and (found.quantiles[0, -1, 0] > truth).all()
    where = f"step {at % 300} of channel '0', series '0'"
    assert "single wild values are taken as missing" in fitted.reason_ and where in fitted.reason_


def test_a_wild_value_in_the_training_part_does_not_spoil_a_backtest():
    x = noisy(500)
    clean = st.backtest(st.SeriesSet.of(x[None]), [6], progress=False).errors[6]
    x[100] = 1e6
    found = st.backtest(st.SeriesSet.of(x[None]), [6], progress=False).errors[6]
    assert found.mse == pytest.approx(clean.mse, rel=0.1)


@pytest.mark.late
def test_counts_have_a_floor_that_is_said():
    x = np.random.default_rng(0).poisson(0.3, 300).astype(float)
    fitted = st.Forecaster(horizon=3).fit(x[None])
    found = fitted.forecasts()
    assert found.quantiles.min() == 0 and found.mean.min() >= 0
    assert (
        "nothing is forecast below 0, as all values are whole numbers from 0 on" in fitted.reason_
    )
    free = st.Forecaster(horizon=3, lower=None).fit(x[None])
    assert free.forecasts().quantiles.min() < 0 and "below" not in free.reason_
    high = st.Forecaster(horizon=3, lower=0.5).fit(x[None] + 0.5)
    assert high.forecasts().quantiles.min() == 0.5 and "below 0.5" in high.reason_


def test_the_floor_is_of_channels_that_are_counts():
    x = np.stack([np.random.default_rng(0).poisson(0.3, 300), noisy(300) - 10.0])
    fitted = st.Forecaster(horizon=3).fit(st.SeriesSet.of(x[None], channels=["n", "t"]))
    found = fitted.forecasts().quantiles[0]
    assert found[:, 0].min() == 0 and found[:, 1].min() < 0
    assert "nothing of n is forecast below 0" in fitted.reason_


def test_short_series_are_forecast_as_far_as_they_can_be(caplog):
    frame = pd.concat(
        pd.DataFrame({"unique_id": name, "ds": pd.date_range("2024-01-01", periods=len(x)), "y": x})
        for name, x in (("a", noisy(200)), ("b", [50.0]), ("c", [1.0, 2.0]))
    )
    fitted = st.Forecaster(horizon=3, season=24).fit(frame)
    found = fitted.predict()
    assert found.groupby("unique_id").y.first().tolist()[1:] == [50.0, 2.0]
    own = found[found.unique_id == "b"]
    assert [str(t)[:10] for t in own.ds] == ["2024-01-02", "2024-01-03", "2024-01-04"]
    width = found["y_q0.975"] - found["y_q0.025"]
    assert (width > 0.5).all() and width.max() < 20
    assert "series 'b' and 1 more: fewer than 5 steps" in caplog.text


@pytest.mark.late
def test_levels_far_from_zero_keep_their_changes():
    frame = pd.DataFrame(
        {"ds": pd.date_range("2024-01-01", periods=300), "y": 3e9 + 10.0 * np.arange(300)}
    )
    found = st.Forecaster(horizon=3).fit(frame).predict()
    np.testing.assert_allclose(found.y - 3e9, [3000, 3010, 3020], atol=1e-3)
    x = noisy(300)
    moved = st.Forecaster(horizon=6, season=24).fit(1e9 + x[None]).predict() - 1e9
    np.testing.assert_allclose(
        moved, st.Forecaster(horizon=6, season=24).fit(x[None]).predict(), atol=0.05
    )


def test_intervals_beyond_the_measured_steps_grow_as_they_grew():
    steps = np.arange(1, 13.0)
    walk = np.stack([-np.sqrt(steps), np.sqrt(steps)])[:, None]
    flat = np.stack([-np.ones(12), np.ones(12)])[:, None]
    both = np.concatenate([walk, flat], axis=1)  # (Q,C,H)
    found = offsets_after(np.array([12, 12]), both)
    np.testing.assert_allclose(found[1, 0], np.sqrt(steps + 12), rtol=1e-6)
    np.testing.assert_allclose(found[1, 1], 1)
    np.testing.assert_array_equal(offsets_after(np.array([0, 0]), both), both)


def test_a_constant_needs_no_backtest():
    for value in (0.0, 0.1, 5.0):
        with pytest.raises(SeriesError, match="series '0' does not change in its training part"):
            st.backtest(st.SeriesSet.of(np.full((1, 1, 200), value)), [4], progress=False)


def test_columns_of_quantiles_never_collide():
    x = np.stack([noisy(120), noisy(120, 1), noisy(120, 2)])
    names = ["y", "y_q0.9", "step"]
    fitted = st.Forecaster(horizon=2, season=24).fit(st.SeriesSet.of(x[None], channels=names))
    found = fitted.forecasts()
    columns = found.to_columns()
    assert len(columns) == 2 + 3 * 6
    np.testing.assert_array_equal(columns["y_q0.9"], found.mean[0, 1])
    np.testing.assert_array_equal(columns["y_q0.9_"], found.quantiles[0, 3, 0])
    np.testing.assert_array_equal(columns["step"], found.mean[0, 2])
    assert any("'y_q0.9_'" in note for note in found.notes)


def test_squares_of_scaled_values_are_finite():
    values = np.random.default_rng(0).normal(size=200) * np.where(np.arange(200) < 160, 1e-30, 1e38)
    setting = setting_of(SeriesSet.of(values[None, None]), "70-10-20")
    assert np.abs(setting.values).max() == 1e12
    usual = np.random.default_rng(0).normal(size=200) + 5
    setting = setting_of(SeriesSet.of(usual[None, None]), "70-10-20")
    learned = np.float32(usual)[:140].astype(np.float64)
    np.testing.assert_array_equal(
        setting.values[:140, 0], (learned - learned.mean()) / learned.std()
    )


@pytest.mark.parametrize("steps", [7, 10, 14, 23])
def test_what_is_said_of_a_short_series_helps(steps):
    x = noisy(steps)[None]
    with pytest.raises(SeriesError, match=r"shorten it to horizon=\d+, or add") as said:
        st.Forecaster(horizon=steps).fit(x)
    horizon = int(re.findall(r"to horizon=(\d+)", str(said.value))[0])
    assert st.Forecaster(horizon=horizon).fit(x).predict(x).shape[-1] == horizon


@pytest.mark.parametrize("steps", [1, 3, 6])
def test_a_series_too_short_for_any_horizon_needs_older_rows(steps):
    with pytest.raises(SeriesError, match="add older rows, 7 in all are enough for one step"):
        st.Forecaster(horizon=1).fit(noisy(steps)[None])
