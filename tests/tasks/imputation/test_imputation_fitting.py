"""Filling gaps: what is exact, what helps, what is sure, and what nothing may depend on."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import selftime as st
from selftime.data.series import SeriesError

LATE = pytest.mark.late  # seconds


def fill(x, **how):
    """Series (N,C,T) without holes."""
    return st.Imputer(progress=False, **how).fit_transform(np.asarray(x))


def holed(x, share, seed=0, block=1):
    """Series with blocks of values missing."""
    rng = np.random.default_rng(seed)
    begins = rng.random(x.shape) < share / block
    hidden = np.zeros(x.shape, bool)
    for k in range(block):
        hidden[..., k:] |= begins[..., : x.shape[-1] - k]
    return np.where(hidden, np.nan, x)


@LATE
def test_constant_and_straight_series_are_exact():
    t = np.arange(300.0)
    x = np.stack([np.full(300, 7.0), 3 * t - 100, 1e6 + t])[None]
    gaps = x.copy()
    gaps[..., 40:140] = np.nan
    gaps[..., 200:203] = np.nan
    np.testing.assert_allclose(fill(gaps), x, rtol=3e-7)  # 32 bits


def test_a_sine_goes_on_through_gaps():
    t = np.arange(400)
    x = np.stack([np.sin(t / 6), np.cos(t / 9)])[None]
    gaps = x.copy()
    gaps[0, 0, 100:130] = np.nan
    gaps[0, 1, 250:300] = np.nan
    assert np.abs(fill(gaps) - x).max() < 0.05  # a straight line misses by 2


@LATE
def test_channels_help_each_other():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 2, 600))
    x[0, 1] = x[0, 0] + 0.1 * rng.normal(size=600)
    gaps = x.copy()
    gaps[0, 0, 300:340] = np.nan
    missed = np.abs(fill(gaps) - x)[0, 0, 300:340]
    assert missed.mean() < 0.2  # the mean misses by 0.8


def test_a_channel_that_a_series_lacks_comes_from_its_others():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(30, 2, 40)).cumsum(axis=-1) / 5
    x[:, 1] = 2 * x[:, 0] + 1
    gaps = x.copy()
    gaps[3, 1] = np.nan
    made = fill(gaps)
    assert np.abs(made - x)[3, 1].mean() < 0.3 * x[:, 1].std()
    gaps[:, 1] = np.nan
    with pytest.raises(SeriesError, match="channel '1' has no value in any series, wanted some"):
        fill(gaps)


def test_series_of_one_step_and_few_come_through():
    for T in (1, 2, 3, 5, 9):
        x = np.random.default_rng(T).normal(size=(2, 2, T))
        x[0, 1, T // 2] = np.nan
        assert np.isfinite(fill(x)).all()


@LATE
def test_observed_values_come_back_to_the_bit_and_nothing_depends_on_the_others():
    x = np.random.default_rng(2).normal(size=(3, 2, 80)).cumsum(axis=-1) * 1e3
    gaps = holed(x, 0.2, block=5)
    before = gaps.copy()
    made = fill(gaps)
    np.testing.assert_array_equal(gaps, before)
    np.testing.assert_array_equal(made[~np.isnan(gaps)], x[~np.isnan(gaps)])
    assert made.dtype == x.dtype and np.isfinite(made).all()
    np.testing.assert_array_equal(fill(gaps), made)  # the same seed, the same bits
    series = st.SeriesSet.of(gaps)
    wild = np.where(series.observed, series.steps, np.float32(1e9))
    found = st.Imputer(progress=False).fit_transform(replace(series, steps=wild))
    np.testing.assert_array_equal(found.values, made.astype(np.float32))


@LATE
def test_levels_and_scales_change_nothing():
    x = np.random.default_rng(3).normal(size=(2, 2, 250)).cumsum(axis=-1)
    gaps = holed(x, 0.2, block=8)
    made = fill(gaps)
    np.testing.assert_allclose(fill(gaps * 512 - 64.0) / 512 + 0.125, made, atol=2e-3)


@LATE
def test_nothing_is_filled_below_0_where_nothing_is():
    rng = np.random.default_rng(4)
    x = np.maximum(rng.normal(size=(1, 1, 400)), 0.0)
    found = st.Imputer(progress=False).fit(x).imputation(holed(x, 0.3, block=4))
    assert found.values.min() >= 0 and found.quantiles.min() >= 0


@LATE
def test_intervals_hold_what_they_promise():
    rng = np.random.default_rng(5)
    x = np.zeros((1, 2, 9000))
    noise = rng.normal(size=(2, 9000))
    for t in range(1, 9000):
        x[0, :, t] = 0.9 * x[0, :, t - 1] + noise[:, t]
    train, test = x[..., :5000], x[..., 5000:]
    imputer = st.Imputer(quantiles=(0.025, 0.1, 0.9, 0.975), progress=False).fit(train)
    found = imputer.imputation(holed(test, 0.25, block=6))
    truth = test[0].T[found.missing]
    q = found.quantiles
    inside = [((q[:, a] <= truth) & (truth <= q[:, b])).mean() for a, b in ((1, 2), (0, 3))]
    np.testing.assert_allclose(inside, (0.8, 0.95), atol=0.04)  # two errors of 300 blocks
    z = (truth - found.values) / found.std
    assert 0.9 < np.sqrt(np.square(z).mean()) < 1.1


@LATE
def test_shops_of_any_size_are_counted_in_their_own_units():
    rng = np.random.default_rng(6)
    shape = np.sin(np.arange(96) * 2 * np.pi / 12) + 2 + 0.05 * rng.normal(size=(24, 96))
    size = 10.0 ** rng.uniform(0, 5, 24)
    x = (shape * size[:, None])[:, None]
    gaps = holed(x, 0.2, block=6)
    missed = np.abs(fill(gaps) - x) / size[:, None, None]
    assert missed[np.isnan(gaps)].mean() < 0.15  # seasons swing by 1


@LATE
def test_rows_that_times_lack_count_as_gaps():
    days = pd.date_range("2024-01-01", periods=200)
    x = np.sin(np.arange(200) * 2 * np.pi / 7)
    frame = pd.DataFrame({"ds": days, "x": x})
    frame.loc[100:104, "x"] = np.nan
    short = frame.drop(index=[50, 51, 52, 120])
    made = st.Imputer(progress=False).fit_transform(short)
    assert len(made) == 196
    assert np.abs(made["x"].to_numpy() - x[short.index]).max() < 0.1


@LATE
def test_vectors_of_a_model_are_one_more_expert():
    t = np.arange(600)
    x = np.sin(t / 7) + 0.1 * np.random.default_rng(7).normal(size=600)
    pieces = x[: 9 * 64].reshape(9, 1, 64)
    model = st.pretrain(pieces, objective="masked_values", encoder="gru", budget="2 steps")
    imputer = st.Imputer(model, progress=False).fit(x[None, None])
    assert imputer.fitted_.experts.names[-1] == "the model"
    gaps = holed(x[None, None], 0.2, block=10)
    assert np.abs(imputer.transform(gaps) - x)[np.isnan(gaps)].mean() < 0.2
    whole = st.pretrain(pieces, encoder="quantiles")
    with pytest.raises(ValueError, match="sees a series only as a whole"):
        st.Imputer(whole, progress=False).fit(x[None, None])
