"""Window moments, ridge and references beside plain loops; seasons, folds, protocols."""

import numpy as np
import pytest
from forecast_material import waves

import selftime as st
from selftime.data.periods import season_of
from selftime.data.series import SeriesError
from selftime.tasks.forecasting.folds import cut_folds, window_gram
from selftime.tasks.forecasting.forecasters import (
    dlinear,
    nlinear,
    repeat_last,
    seasonal_naive,
)
from selftime.tasks.forecasting.linear import (
    PER_STEP_ALPHAS,
    LinearMap,
    fit_linear,
    folds_agree,
    lag_ridge,
    mean_map,
    option_error,
    persistence_option,
    pool_grams,
    ridge_weights,
)
from selftime.tasks.forecasting.protocols import PROTOCOLS, channel_scale, setting_of


def windows_of(pieces, length):
    """Every window, one by one."""
    return np.array([p[s : s + length] for p in pieces for s in range(len(p) - length + 1)])


def test_moments_equal_those_of_all_windows(np_rng):
    pieces = [np_rng.normal(size=T) + 3 for T in (30, 9, 4, 17)]
    found, v = window_gram(pieces, 9), windows_of(pieces, 9)
    np.testing.assert_allclose(found.products, v.T @ v, rtol=1e-10)
    np.testing.assert_allclose(found.total, v.sum(axis=0), rtol=1e-10)
    assert found.windows == len(v) == 22 + 1 + 9


def test_moments_without_a_window_are_zero():
    found = window_gram([np.ones(3)], 5)
    assert found.windows == 0 and not found.products.any() and found.products.shape == (5, 5)


@pytest.mark.parametrize("memory", [1.0, 0.3])
def test_moments_of_windows_less_their_level(memory, np_rng):
    piece = np_rng.normal(size=40) + 5
    v = windows_of([piece], 8)
    weights = np.array([(1 - memory) ** (5 - i) for i in range(6)])  # 6 past steps
    v = v - v[:, :6] @ (weights / weights.sum())[:, None]
    found = window_gram([piece], 8).from_level(6, memory)
    np.testing.assert_allclose(found, v.T @ v / len(v), atol=1e-9)  # squares of 25 cancel


@pytest.mark.parametrize("decay", [0.0, 1.0])
def test_ridge_solves_its_equations(decay, np_rng):
    piece = np.cumsum(np_rng.normal(size=200))
    L, H, alpha = 6, 3, 0.3
    v = windows_of([piece], L + H)
    x, y = v[:, :L] - v[:, L - 1 : L], v[:, L:] - v[:, L - 1 : L]
    moments = window_gram([piece], L + H).from_level(L)
    weights = ridge_weights(moments, L, alpha, decay=decay, season=2)
    prior = np.array([(1 + (L - 1 - i) / 2) ** -decay for i in range(L)])
    unit = sum(prior[i] * np.mean(x[:, i] ** 2) for i in range(L)) / L
    penalty = alpha * unit / prior
    expected = np.linalg.solve(x.T @ x / len(x) + np.diag(penalty), x.T @ y / len(x))
    forecast = v[:, L - 1 : L] + x @ expected
    np.testing.assert_allclose(v[:, :L] @ weights, forecast, atol=1e-8)


def test_columns_of_weights_around_a_level_add_up_to_one(np_rng):
    piece = np.cumsum(np_rng.normal(size=200))
    moments = window_gram([piece], 9).from_level(6, 0.2)
    for alpha in (0.3, np.inf):
        weights = ridge_weights(moments, 6, alpha, decay=1.0, season=2, memory=0.2)
        np.testing.assert_allclose(weights.sum(axis=0), 1.0)
    expected = 0.8 ** np.arange(6)[::-1]
    np.testing.assert_allclose(weights[:, 0], expected / expected.sum())  # the level is repeated


def test_errors_from_moments_equal_those_of_forecasts(np_rng):
    train, held = np.cumsum(np_rng.normal(size=(2, 150)), axis=1)
    L, H = 5, 4
    moments = window_gram([train], L + H).from_level(L)
    ridge = lag_ridge(moments, L, decay=1.0, season=3)
    found = ridge.errors(window_gram([held], L + H).from_level(L), PER_STEP_ALPHAS)
    v = windows_of([held], L + H)
    for k in (0, 10, len(PER_STEP_ALPHAS) - 1):
        weights = ridge_weights(moments, L, PER_STEP_ALPHAS[k], decay=1.0, season=3)
        expected = np.mean((v[:, :L] @ weights - v[:, L:]) ** 2)
        assert found[k] == pytest.approx(expected, rel=1e-6)


def test_forecasts_move_with_level_and_scale(np_rng):
    folds = cut_folds([waves(300, 2)], 6)
    found = fit_linear(folds, 12).map
    past = np_rng.normal(size=(4, 2, found.look_back))
    np.testing.assert_allclose(
        found.predict(7 + 3 * past), 7 + 3 * found.predict(past), rtol=1e-9, atol=1e-9
    )


def test_pools_go_from_one_map_to_one_a_channel(np_rng):
    grams = [window_gram([np_rng.normal(size=30)], 4) for _ in range(3)]
    every = grams[0].plus(grams[1]).plus(grams[2])
    assert all(np.allclose(g.products, every.products) for g in pool_grams(grams, None))
    own = pool_grams(grams, 0.0)
    np.testing.assert_allclose(own[1].products, grams[1].products)
    half = pool_grams(grams, 1.0)[2]
    np.testing.assert_allclose(half.products, grams[2].products + every.products / 3)


def test_unlike_channels_get_maps_of_their_own(np_rng):
    """One channel keeps its value, the other turns: no single map serves both."""
    rise = np.cumsum(np_rng.normal(size=300))
    turn = np.array([(-1) ** t for t in range(300)]) + 0.1 * np_rng.normal(size=300)
    x = np.stack([rise / rise.std(), turn], axis=1)
    assert fit_linear(cut_folds([x], 4), 1).pools[0].share is not None


def test_a_season_is_learned():
    x = waves(600, season=12)
    x = (x - x.mean()) / x.std()
    found = fit_linear(cut_folds([x[:480]], 12), 12).map
    past = x[480 - found.look_back : 480].T[None]
    naive = np.mean((x[480:492].T - x[479]) ** 2)
    assert np.mean((found.predict(past)[0] - x[480:492].T) ** 2) < 0.3 * naive


@pytest.mark.late
def test_a_random_walk_is_forecast_by_its_last_value(np_rng):
    """No map of the past beats it; what a map finds in one block is gone in the next."""
    walk = np.cumsum(np_rng.normal(size=(600, 2)), axis=0)
    found = fit_linear(cut_folds([walk], 8), season=1)
    assert found.is_persistence
    past = walk[None, 100 : 100 + found.map.look_back].transpose(0, 2, 1)
    np.testing.assert_array_equal(found.map.predict(past), past[:, :, -1:].repeat(8, axis=2))
    assert not fit_linear(cut_folds([waves(600)], 8), season=12).is_persistence


def test_errors_of_the_last_value_beside_a_loop(np_rng):
    x = np.cumsum(np_rng.normal(size=(300, 2)), axis=0)
    folds = cut_folds([x[:240]], 4, fit_end=[180])
    found = persistence_option(folds)
    for k, error in enumerate(found.errors):
        first, stop = folds.edges[0][k], folds.edges[0][k + 1]
        each = [
            (x[o + h, c] - x[o - 1, c]) ** 2
            for o in range(first, stop - 3)
            for h in range(4)
            for c in range(2)
        ]
        assert error == pytest.approx(np.mean(each))
    fold = folds.shortened(found.look_back).split(1)
    assert option_error(fold, found, 1) == pytest.approx(found.errors[1])


def test_folds_agree_when_the_gain_is_above_its_standard_error():
    gains = np.array([0.3, -0.1, 0.1])  # mean 0.1, deviation 0.2, standard error 0.115
    assert not folds_agree(np.exp(gains).tolist(), [1.0, 1.0, 1.0])
    assert folds_agree(np.exp(gains + 0.02).tolist(), [1.0, 1.0, 1.0])


def test_mean_of_maps_is_the_mean_forecast(np_rng):
    shapes = [(1, 4, 3), (2, 7, 3)]  # shared by both channels, and one for each
    maps = [LinearMap(np_rng.normal(size=shape), np_rng.normal(size=3)) for shape in shapes]
    past = np_rng.normal(size=(5, 2, 9))
    expected = np.mean([m.predict(past) for m in maps], axis=0)
    np.testing.assert_allclose(mean_map(maps).predict(past), expected)


def test_reference_rows_beside_loops(np_rng):
    x = np.cumsum(np_rng.normal(size=(260, 2)), axis=0)
    folds = cut_folds([x], 5, fit_end=[200], look_back=16)
    past = np_rng.normal(size=(3, 2, 16))
    assert (repeat_last(folds, 3).predict(past) == past[..., -1:]).all()
    for h in range(5):
        expected = past[..., 13 + h % 3]
        np.testing.assert_array_equal(seasonal_naive(folds, 3).predict(past)[..., h], expected)
    v = windows_of(list(x[:200].T), 21)
    for fit, ones, level in ((nlinear, 0, v[:, 15:16]), (dlinear, 1, 0 * v[:, :1])):
        inputs = np.hstack([v[:, :16] - level, np.full((len(v), ones), 1.0)])
        weights = np.linalg.lstsq(inputs, v[:, 16:] - level, rcond=None)[0]
        found = fit(folds, 3).predict(v[:, None, :16])[:, 0]
        # a ridge of 1e-6 keeps equations solvable; it moves forecasts by about that share
        np.testing.assert_allclose(found, level + inputs @ weights, atol=1e-3)


@pytest.mark.parametrize("season", [7, 24])
def test_seasons_are_found(season):
    assert season_of(waves(400, 3, season=season)) == season


def test_random_walks_and_constants_have_no_season(np_rng):
    assert season_of(np.cumsum(np_rng.normal(size=(2000, 4)), axis=0)) == 1
    assert season_of(np.ones((50, 2))) == 1


def test_protocols_cut_as_in_the_literature():
    assert PROTOCOLS["ett-hourly"].cut(17420) == (8640, 11520, 14400)
    assert PROTOCOLS["ett-15min"].cut(69680) == (34560, 46080, 57600)
    assert PROTOCOLS["70-10-20"].cut(966) == (676, 773, 966)
    with pytest.raises(SeriesError, match=r"got 100 steps, wanted at least 14400 .* 70-10-20"):
        PROTOCOLS["ett-hourly"].cut(100)
    with pytest.raises(ValueError, match="got protocol 'x', wanted one of ett-hourly, ett-15min"):
        setting_of(st.SeriesSet.of(np.zeros((1, 1, 30))), "x")


def test_scales_come_back():
    x = waves(50, 3) * [1, 0, 5] + [0, 4, 1e3]
    scale = channel_scale(x)
    assert scale.sd[1] == 1
    np.testing.assert_allclose(scale.invert(scale.apply(x)), x)


def test_folds_hold_out_what_they_say():
    folds = cut_folds([waves(200)], 5, fit_end=[160], look_back=8)
    assert folds.count == 5 and folds.training_spans() == [(8, 156)]
    for k in range(folds.count):
        ((low, high),) = folds.fold_spans(k)
        ((first, last),) = folds.overlapping_spans(k)
        held = {t for o in range(low, high) for t in range(o, o + 5)}
        fitted = [o for o in range(8, 156) if not first <= o < last]
        assert held and not any(held & set(range(o, o + 5)) for o in fitted)
        fit, judged = folds.splits()[k]
        assert fit.windows == len(fitted) and judged.windows == high - low


def test_windows_of_many_series_beside_a_loop():
    """Series of unequal length lie end to end; no window crosses from one to the next."""
    histories = [waves(T, 2, seed) for seed, T in enumerate((40, 25, 60))]
    folds = cut_folds(histories, 3, look_back=5)
    spans = [(5, 9), (7, 7), (6, 58)]
    past, future = folds.windows(folds.origins(spans))
    every = [
        h[o - 5 : o + 3].T for h, span in zip(histories, spans, strict=True) for o in range(*span)
    ]
    assert len(past) == 4 + 0 + 52
    np.testing.assert_array_equal(np.concatenate([past, future], axis=2), np.float32(every))


def test_series_too_short_are_refused():
    with pytest.raises(SeriesError, match=r"got horizon 30 and series of at most 40 steps, wanted"):
        cut_folds([waves(40)], 30)
