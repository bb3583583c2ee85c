"""Quantiles that follow what becomes known, and how often intervals hold, beside plain loops."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from forecast_material import waves

import selftime as st
from selftime.report.pictures.forecasts import coverage_picture
from selftime.tasks.forecasting.calibration import (
    ALL_LEVELS,
    Calibration,
    HeldOutResiduals,
    calibration_of,
    cross_conformal_residuals,
    residuals_of,
    standard_error,
)
from selftime.tasks.forecasting.folds import cut_folds
from selftime.tasks.forecasting.intervals import (
    AdaptiveQuantiles,
    cautious_quantiles,
    effective_sample_size,
    levels_of,
    recent_std,
)
from selftime.tasks.forecasting.linear import (
    LinearForecaster,
    LinearMap,
    Option,
    Pool,
    fit_map,
    ridge_weights,
)
from selftime.tasks.forecasting.protocols import setting_of


def first(np_rng, channels=2, horizon=3, levels=(0.1, 0.6, 0.9)):
    """Quantiles that have seen nothing yet, and where they begin."""
    begin = np.sort(np_rng.normal(size=(channels, horizon, len(levels))), axis=2)
    unit = np_rng.uniform(0.5, 2, size=(channels, horizon))
    return AdaptiveQuantiles(begin=begin, unit=unit, levels=levels), begin, unit


def test_quantiles_follow_as_in_a_loop(np_rng):
    levels = (0.1, 0.6, 0.99)
    following, begin, unit = first(np_rng, levels=levels)
    ratios = 2 * np_rng.normal(size=(90, 2, 3))
    found = np.concatenate([following.follow(ratios[:50]), following.follow(ratios[50:])])
    density = [math.exp(-(NormalDist().inv_cdf(min(q, 0.98)) ** 2) / 2) for q in levels]
    reach = [math.exp(-(NormalDist().inv_cdf(0.9) ** 2) / 2) / d for d in density]
    for c in range(2):
        each = np.empty((90, 3, 3))
        for q, level in enumerate(levels):
            pooled, own, offsets = 0.0, [0.0] * 3, []
            for now in range(90):
                offsets.append([begin[c, h, q] + unit[c, h] * (pooled + own[h]) for h in range(3)])
                told = {}  # by each future step, when the value of step `now` has come
                for h in range(3):
                    made = now - h
                    if made >= 0:
                        told[h] = level - (ratios[made, c, h] <= offsets[made][h])
                        alone = 0.05 / (h + 1) ** 0.5 * min(1, (now + 1) / (20 * (h + 1)))
                        own[h] += reach[q] * alone * told[h]
                mean = sum((h + 1) ** (-2 / 3) * e for h, e in told.items())
                mean /= sum((h + 1) ** (-2 / 3) for h in told)
                pooled += reach[q] * 12 * (now + 1) ** -0.75 * min(1, (now + 1) / 60) * mean
            each[:, :, q] = offsets
        np.testing.assert_allclose(found[:, c], np.sort(each, axis=2), atol=1e-9)


def test_what_comes_next_is_what_is_in_force_now(np_rng):
    following, *_ = first(np_rng)
    following.follow(np_rng.normal(size=(20, 2, 3)))
    now = following.now
    np.testing.assert_allclose(following.follow(np_rng.normal(size=(1, 2, 3)))[0], now, atol=1e-12)


def test_not_too_many_quantiles_are_held_at_once(np_rng, monkeypatch):
    monkeypatch.setattr("selftime.tasks.forecasting.intervals.MAX_QUANTILES", 100)
    assert first(np_rng, 2, 3)[0].rows == 5  # 18 a window
    assert first(np_rng, 20, 3)[0].rows == 1


def test_quantiles_know_nothing_of_what_is_still_to_come(np_rng):
    """Step h of a window is known h windows later, and moves quantiles from then on."""
    ratios = np_rng.normal(size=(30, 1, 4))
    seed = int(np_rng.integers(1000))
    for h in range(4):
        changed = ratios.copy()
        changed[17, 0, h] = 50.0 if ratios[17, 0, h] < 0 else -50.0
        made = [first(np.random.default_rng(seed), 1, 4)[0].follow(x) for x in (ratios, changed)]
        np.testing.assert_array_equal(made[0][: 18 + h], made[1][: 18 + h])
        assert (made[0][18 + h] != made[1][18 + h]).any()


def test_quantiles_reach_their_level_at_every_step_when_noise_grows(np_rng):
    """Residuals become twice as wide after calibration: unmoved quantiles would hold 48 %."""
    samples, wider = np_rng.normal(size=(24, 500, 4)), 2 * np_rng.normal(size=(6000, 4, 24))
    found = AdaptiveQuantiles.of(samples, levels_of(0.8)).follow(wider)
    inside = (wider >= found[..., 0]) & (wider <= found[..., 1])
    assert np.all(abs(inside[3000:].mean(axis=(0, 1)) - 0.8) < 0.02)
    assert inside[100:200].mean() > 0.75  # a hundred windows are enough to see most of it


def test_a_far_step_learns_from_near_ones(np_rng):
    """50 steps ahead nothing is known after 40 windows, but much that is nearer."""
    samples, wider = np_rng.normal(size=(50, 500, 1)), 3 * np_rng.normal(size=(40, 1, 50))
    following = AdaptiveQuantiles.of(samples, levels_of(0.8))
    before = following.now[0, -1]
    following.follow(wider)
    assert np.diff(following.now[0, -1]) > 1.3 * np.diff(before)


def test_little_evidence_makes_quantiles_cautious():
    """As a prediction interval of n normal values beside one of their distribution."""
    sample = np.random.default_rng(0).normal(size=(40, 1))
    plain = np.quantile(sample[:, 0], (0.1, 0.5, 0.975))
    found = cautious_quantiles(sample, (0.1, 0.5, 0.975), 4.0)[0]  # 10 count
    assert found[1] == pytest.approx(plain[1])
    for j, t, z in ((0, 1.3830, 1.2816), (2, 2.2622, 1.9600)):  # of 9 degrees of freedom
        assert (found[j] - plain[1]) / (plain[j] - plain[1]) == pytest.approx(
            1.1**0.5 * t / z, rel=1e-4
        )
    few = cautious_quantiles(sample, (0.1,), 1e9)[0]  # as if it were 3
    assert (few[0] - plain[1]) / (plain[0] - plain[1]) == pytest.approx(
        (4 / 3) ** 0.5 * 1.8856 / 1.2816, rel=1e-4
    )


def test_channels_that_are_restless_together_count_less(np_rng):
    sample = np_rng.normal(size=(4000, 3))
    assert effective_sample_size(sample, 10.0) == pytest.approx(3 * 400, rel=0.1)
    assert effective_sample_size(np.repeat(sample[:, :1], 3, axis=1), 10.0) == pytest.approx(
        400, rel=1e-6
    )
    assert effective_sample_size(np.zeros((40, 2)), 10.0) == pytest.approx(8)


def test_residuals_are_measured_in_how_much_a_window_moved():
    past = np.stack([np.ones((1, 8)), np.tile([0.0, 2.0], (1, 4))])
    np.testing.assert_allclose(recent_std(past), [[0.05], [1.05]])


def test_coverage_and_losses_beside_a_loop():
    """Every test window, step and channel one by one, with the quantiles in force at its origin."""
    setting = setting_of(st.SeriesSet.of((waves(300, 2) * [1, 5]).T[None]), "70-10-20")
    repeated = LinearMap(np.ones((1, 1, 3)), np.zeros(3))  # a window of 1 step has spread 0.05
    rng = np.random.default_rng(0)
    before = HeldOutResiduals(rng.normal(size=(8, 2, 3)), np.full((8, 2), 0.5), every=2)
    found = calibration_of(residuals_of(repeated, setting, 3, 210), before, setting)
    x, sd, mean = setting.values, setting.scale.sd, setting.scale.mean
    levels = [round(0.1 * i, 1) for i in range(1, 10)]
    inside, loss, size = [], 0.0, 0.0
    miss = np.stack(  # the training part ends at 210, the validation part at 240
        [[x[o + h] - x[o - 1] for o in range(210, 298)] for h in range(3)], axis=2
    )
    miss /= 0.05
    begin = [
        np.concatenate([before.residuals[:, :, h] / 0.5, miss[: 30 - h : 2, :, h]])
        for h in range(3)
    ]
    nine = [ALL_LEVELS.index(level) for level in levels]
    paths = AdaptiveQuantiles.of(begin, ALL_LEVELS, 2).follow(miss)[..., nine]
    for h in range(3):
        for o in range(240, 298):
            for c in range(2):
                y, offsets = miss[o - 210, c, h], paths[o - 210, c, h]
                inside.append(offsets[0] <= y <= offsets[8])
                size += abs(x[o + h, c] * sd[c] + mean[c])
                for q, offset in zip(levels, offsets, strict=True):
                    unit = 0.05 * sd[c] * 2 / 9
                    loss += unit * (q * (y - offset) if y > offset else (q - 1) * (y - offset))
    assert found.coverage[0.8] == pytest.approx(np.mean(inside))
    assert found.quantile_loss == pytest.approx(loss / size, rel=1e-4)  # windows have 32 bits
    assert list(found.coverage) == list(found.errors) == [0.2, 0.4, 0.6, 0.8, 0.9, 0.95]
    every = np.array(inside).reshape(3, 58, 2).mean(axis=(0, 2))  # of each window
    stretches = [every[i : i + 3].mean() for i in range(0, 57, 3)]
    assert found.errors[0.8] == pytest.approx(np.std(stretches, ddof=1) / 19**0.5)


def test_a_test_part_of_one_stretch_says_nothing_of_its_own_error():
    assert np.isnan(standard_error(np.ones(9), 5)) and standard_error(np.ones(10), 5) == 0
    assert Calibration({0.8: 0.8}, 0.1, 1.0, {0.8: np.nan}).standard_errors() == {"0.8": None}


def test_folds_are_forecast_by_what_had_not_seen_their_futures():
    """Weights from windows that are picked one by one: none has a future step in the block."""
    raw = waves(300)
    folds = cut_folds([raw[:240]], 4, fit_end=[210])
    options, pools = (Option(folds.look_back, 1.0, 0.1, (1.0,)),), (Pool(None),)
    chosen = LinearForecaster(fit_map(folds, options, pools, 12), options, pools)
    found, L, row = cross_conformal_residuals(chosen, folds, 12), folds.look_back, 0
    for k in range(folds.count - 1):  # the last fold is the validation part
        first, stop = folds.edges[0][k], folds.edges[0][k + 1]
        origins = [o for o in range(L, 207) if o + 4 <= first or o >= stop]
        v = np.array([raw[o - L : o + 4, 0] - raw[o - 1, 0] for o in origins])
        weights = ridge_weights(v.T @ v / len(v), L, 0.1, decay=1.0, season=12)
        for o in range(first, stop - 3):
            expected = raw[o : o + 4, 0] - raw[o - L : o, 0] @ weights
            np.testing.assert_allclose(found.residuals[row, 0], expected, atol=1e-4)
            row += 1
    assert row == len(found.residuals)


def test_the_calibration_plot_has_a_line_a_horizon():
    found = {h: Calibration({0.5: 0.4, 0.9: 0.95}, 0.1, 1.0) for h in (3, 6)}
    axes = coverage_picture(found, title="x").axes[0]
    labels = [line.get_label() for line in axes.lines[1:]]
    assert labels == ["3 steps", "6 steps"]
    np.testing.assert_allclose(axes.lines[1].get_xydata(), [[0.5, 0.4], [0.9, 0.95]])
