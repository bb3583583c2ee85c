"""Quantiles that follow what becomes known, and how often intervals hold, beside plain loops."""

import numpy as np
import pytest

import selftime as st
from forecast_material import waves
from selftime.report.coverage import coverage_picture
from selftime.tasks.forecasting.blocks import cut_blocks
from selftime.tasks.forecasting.calibration import Calibration, calibration_of, standard_error
from selftime.tasks.forecasting.intervals import followed, levels_of, spread_of
from selftime.tasks.forecasting.lag_ridge import ridge_weights
from selftime.tasks.forecasting.linear import LinearForecaster, Option, Pool, fitted_map
from selftime.tasks.forecasting.linear_map import LinearMap
from selftime.tasks.forecasting.misses import Misses, in_blocks, misses_of
from selftime.tasks.forecasting.setting import setting_of


def test_quantiles_follow_as_in_a_loop(np_rng):
    residuals, begin = np_rng.normal(size=(30, 2)), np_rng.normal(size=(9, 2))
    ahead, levels = 4, (0.1, 0.6)
    found = followed(residuals, ahead, levels, begin)
    for c in range(2):
        for j, level in enumerate(levels):
            offsets = [np.quantile(begin[:, c], level)]
            step = 0.05 / 4**0.5 * np.mean(np.abs(begin[:, c]))
            for now in range(1, 31):  # the value before window `now` has come
                made, last = now - ahead, offsets[-1]
                if made >= 0:  # the truth about the window made then is whole
                    last += step * (level - (residuals[made, c] <= offsets[made]))
                offsets.append(last)
            np.testing.assert_allclose(found[:, c, j], offsets, atol=1e-10)


def test_quantiles_know_nothing_of_what_is_still_to_come(np_rng):
    """Window 20, four steps ahead: residuals up to that of window 16 are known, later ones not."""
    residuals, begin = np_rng.normal(size=(30, 1)), np_rng.normal(size=(9, 1))
    changed = residuals.copy()
    changed[17:] = 50.0
    before, after = (followed(x, 4, (0.5, 0.9), begin) for x in (residuals, changed))
    np.testing.assert_array_equal(before[:21], after[:21])
    assert (before[21] != after[21]).any()


@pytest.mark.parametrize("ahead", [1, 24])
def test_quantiles_reach_their_level_when_noise_grows(ahead, np_rng):
    """Residuals become twice as wide after calibration: unmoved quantiles would hold 48 %."""
    begin, wider = np_rng.normal(size=(500, 4)), 2 * np_rng.normal(size=(6000, 4))
    low, high = np.moveaxis(followed(wider, ahead, levels_of(0.8), begin)[:-1], 2, 0)
    inside = (wider >= low) & (wider <= high)
    assert 0.78 < np.mean(inside[3000:]) < 0.82


def test_residuals_are_measured_in_how_much_a_window_moved():
    past = np.stack([np.ones((1, 8)), np.tile([0.0, 2.0], (1, 4))])
    np.testing.assert_allclose(spread_of(past), [[0.05], [1.05]])


def test_coverage_and_losses_beside_a_loop():
    """Every test window, step and channel one by one, with the quantiles in force at its origin."""
    setting = setting_of(st.SeriesSet.of((waves(300, 2) * [1, 5]).T[None]), "70-10-20")
    repeated = LinearMap(np.ones((1, 1, 3)), np.zeros(3))  # a window of 1 step has spread 0.05
    rng = np.random.default_rng(0)
    before = Misses(rng.normal(size=(8, 2, 3)), np.full((8, 2), 0.5), every=2)
    found = calibration_of(misses_of(repeated, setting, 3, 210), before, setting)
    x, sd, mean = setting.values, setting.scale.sd, setting.scale.mean
    levels = [round(0.1 * i, 1) for i in range(1, 10)]
    inside, loss, size = [], 0.0, 0.0
    for h in range(3):  # the training part ends at 210, the validation part at 240
        miss = np.array([x[o + h] - x[o - 1] for o in range(210, 298)]) / 0.05
        begin = np.concatenate([before.residuals[:, :, h] / 0.5, miss[: 30 - h : 2]])
        paths = followed(miss, h + 1, levels, begin)
        for o in range(240, 298):
            for c in range(2):
                y, offsets = miss[o - 210, c], paths[o - 210, c]
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
    assert Calibration({0.8: 0.8}, 0.1, 1.0, {0.8: np.nan}).doubts() == {"0.8": None}


def test_blocks_are_forecast_by_what_had_not_seen_their_futures():
    """Weights from windows that are picked one by one: none has a future step in the block."""
    raw = waves(300)
    blocks = cut_blocks([raw[:240]], 4, fit_end=[210])
    options, pools = (Option(blocks.look_back, 1.0, 0.1, (1.0,)),), (Pool(None),)
    chosen = LinearForecaster(fitted_map(blocks, options, pools, 12), options, pools)
    found, L, row = in_blocks(chosen, blocks, 12), blocks.look_back, 0
    for k in range(blocks.count - 1):  # the last block is the validation part
        first, stop = blocks.edges[0][k], blocks.edges[0][k + 1]
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
