"""Levels: what 32 bits would lose is taken out first, wherever series are read, cut or scaled."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftime.data.readers import read
from selftime.data.scaling import PerChannel, fit_channels, from_dict, per_series
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of, windows

LEVELS = st.sampled_from([2.0**31, 1.7e9, -3e9, 1e9, 1e12])


def walks(seed, N=6, C=2, T=40):
    return np.random.default_rng(seed).normal(size=(N, C, T)).cumsum(axis=2)


def scaled(scale, series):
    return scale.apply(batch_of(scale.measure(series))).values.numpy()


@given(level=LEVELS, seed=st.integers(0, 99))
def test_values_come_back_whatever_their_level(level, seed):
    x = level + walks(seed)
    series = SeriesSet.of(x)
    assert series.steps.dtype == np.float32
    np.testing.assert_allclose(series.values, x, rtol=0, atol=1e-5 + 4e-16 * abs(level))
    part = series[[3, 1]]
    np.testing.assert_array_equal(part.values, series.values[[3, 1]])
    cut = windows(series, 10, stride=7).select()
    np.testing.assert_array_equal(cut.values[0], series.values[0][:, :10])


@given(seed=st.integers(0, 99), rows=st.permutations(range(6)))
def test_a_series_is_the_same_alone_and_among_others(seed, rows):
    """So that a model knows again what it has seen, whatever set it stands in."""
    x = walks(seed)
    x[::2] += 2.0**31
    x[3] = np.round(x[3]) + 2.0**25  # whole numbers that 32 bits hold
    series = SeriesSet.of(x)
    for i in rows[:3]:
        alone = SeriesSet.of(x[i][None])
        origin = np.zeros((1, 2)) if alone.origin is None else alone.origin
        np.testing.assert_array_equal(origin, series.origin[i][None])
        np.testing.assert_array_equal(alone.steps, series[i].steps)


@pytest.mark.parametrize("level", [0.0, 900.0, -2e3])
def test_what_32_bits_hold_is_left_alone(level):
    x = level + walks(0)
    assert SeriesSet.of(x).origin is None
    np.testing.assert_array_equal(SeriesSet.of(x).values, x.astype(np.float32))


@given(level=LEVELS, seed=st.integers(0, 99))
def test_a_level_changes_nothing_that_is_scaled(level, seed):
    x = walks(seed)
    plain, raised = fit_channels(SeriesSet.of(x)), fit_channels(SeriesSet.of(x + level))
    near = {"rtol": 0, "atol": 1e-5 + 2e-15 * abs(level)}
    wanted = scaled(plain, SeriesSet.of(x))
    np.testing.assert_allclose(scaled(raised, SeriesSet.of(x + level)), wanted, **near)
    one = SeriesSet.of(x[2:3])
    np.testing.assert_allclose(
        scaled(raised, SeriesSet.of(x[2:3] + level)), scaled(plain, one), **near
    )
    own = scaled(per_series(), SeriesSet.of(x + level))
    np.testing.assert_allclose(own, scaled(per_series(), SeriesSet.of(x)), **near)
    assert from_dict(raised.to_dict(), len(raised.mean)) == raised
    again = raised.measure(raised.measure(SeriesSet.of(x + level)))
    np.testing.assert_array_equal(again.steps, raised.measure(SeriesSet.of(x + level)).steps)


def test_levels_that_lie_far_apart_are_taken_out_of_each_series():
    x = walks(0)
    x += 1e9 * np.arange(6)[:, None, None]
    scale = fit_channels(SeriesSet.of(x))
    assert np.isnan(scale.origin).all()
    with np.errstate(all="raise"):
        got = scaled(scale, SeriesSet.of(x))
    moves, wanted = np.diff(got), np.diff(walks(0))
    np.testing.assert_allclose(moves * np.array(scale.sd)[:, None], wanted, atol=1e-5)


def test_a_level_that_most_series_share_stays_common():
    x = 3e9 + walks(0)
    x[1] = 3e9 + 7
    scale = fit_channels(SeriesSet.of(x))
    np.testing.assert_allclose(scale.origin, 3e9, rtol=1e-8)


def test_gaps_have_no_level():
    x = 3e9 + walks(0)
    x[1, 0], x[2, :, ::3] = np.nan, np.nan
    x[:3] += 1e9 * np.arange(3)[:, None, None]
    scale = fit_channels(SeriesSet.of(x))
    measured = scale.measure(SeriesSet.of(x))
    assert np.isfinite(measured.steps).all()
    assert (measured.steps[~measured.observed] == 0).all()
    np.testing.assert_allclose(measured.values, x, rtol=0, atol=1e-4)


VALUES = st.floats(-100, 100, width=32)


@given(
    x=st.lists(VALUES, min_size=120, max_size=400),
    wild=st.sampled_from([1e4, -1e4, 1e20, -3.4028235e38]),
    place=st.integers(0, 119),
)
def test_one_wild_value_changes_no_scale_by_much(x, wild, place):
    x = np.array(x, np.float32)
    clean = fit_channels(SeriesSet.of(x[None]))
    inner = np.quantile(x, [0.02, 0.98])
    if not inner[1] - inner[0] > 1:
        return  # nearly constant: nothing is wild beside it
    x[place] = wild
    scale = fit_channels(SeriesSet.of(x[None]))
    assert scale.count_wild(SeriesSet.of(x[None])) == (clean.low[0] > wild or wild > clean.high[0])
    assert scale.sd[0] < 3 * (x.max() - x.min() if wild == 0 else 100)
    got = scaled(scale, SeriesSet.of(x[None]))
    assert np.isfinite(got).all() and np.abs(got).max() < 1e3


@given(x=st.lists(st.lists(VALUES, min_size=30, max_size=30), min_size=2, max_size=5))
def test_without_wild_values_scales_are_those_of_all_values(x):
    x = np.array(x, np.float32)
    scale = fit_channels(SeriesSet.of(x))
    if scale.count_wild(SeriesSet.of(x)) or x.std(dtype=np.float64) <= 1e-6 * abs(x.mean()):
        return
    exact = x.astype(np.float64)
    assert scale.mean[0] == pytest.approx(exact.mean(), rel=1e-12, abs=1e-12)
    assert scale.sd[0] == pytest.approx(exact.std(), rel=1e-6)
    plain = PerChannel(mean=scale.mean, sd=scale.sd)
    np.testing.assert_array_equal(scaled(scale, SeriesSet.of(x)), scaled(plain, SeriesSet.of(x)))


def test_gaps_are_not_wild():
    x = 900 + walks(0)
    x[:, :, ::5] = np.nan
    scale = fit_channels(SeriesSet.of(x))
    assert scale.low[0] > 0 and scale.count_wild(SeriesSet.of(x)) == 0


def test_a_constant_channel_is_seen_to_move_later():
    scale = fit_channels(SeriesSet.of(np.full((2, 1, 30), 5.0)))
    later = SeriesSet.of(np.array([[5.0, 9.0, 1e30]]))
    np.testing.assert_allclose(scaled(scale, later)[0, 0], [0, 4, 1e4])


def test_counters_keep_their_counts():
    x = np.array([[1.7e9, 1.7e9 + 1, 1.7e9 + 2, 1.7e9 + 40]])
    np.testing.assert_array_equal(read(x).values[0], x)
    big = np.array([[2**53, 2**53 + 2, 2**53 + 8]])
    np.testing.assert_array_equal(read(big).values[0], big.astype(np.float64))
