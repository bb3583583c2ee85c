"""Exponential smoothing of tables: beside plain loops, and what series take from the others."""

import numpy as np
import pytest

from selftime.tasks.forecasting.smoothing import SETTINGS, Smoothing


@pytest.mark.parametrize("setting", [0, 8, 20])
def test_one_setting_beside_a_plain_loop(np_rng, setting):
    x = np_rng.normal(size=40).cumsum()
    alpha, beta, damping = SETTINGS[setting]
    level, trend = x[:6].mean(), 0.0
    for value in x:
        expected = level + damping * trend
        error = value - expected
        level, trend = expected + alpha * error, damping * trend + alpha * beta * error
    forecast = []
    for _ in range(5):
        trend *= damping
        level += trend
        forecast.append(level)
    alone = np.full(len(SETTINGS), 1e-300)
    alone[setting] = 1.0
    found = Smoothing(alone).predict([x[:, None]], 5)
    np.testing.assert_allclose(found[0, 0], forecast, rtol=1e-9)


def test_walks_keep_their_last_value_and_noise_its_mean(np_rng):
    walks = [np_rng.normal(size=(60, 1)).cumsum(axis=0) for _ in range(20)]
    noise = [np_rng.normal(size=(60, 1)) for _ in range(20)]
    of_walks, of_noise = Smoothing.of(walks), Smoothing.of(noise)
    assert (of_walks.prior * SETTINGS[:, 0]).sum() > 0.7
    assert (of_noise.prior * SETTINGS[:, 0]).sum() < 0.3
    few = np.array([0.0, 0.0, 0.0, 3.0])[:, None]  # too few to tell: smoothed as the others are
    assert of_walks.predict([few], 1)[0, 0, 0] > 2 > 1 > of_noise.predict([few], 1)[0, 0, 0]


def test_other_series_and_channels_change_nothing(np_rng):
    short, long = np_rng.normal(size=(9, 2)), np_rng.normal(size=(30, 2))
    smoothing = Smoothing.of([short, long])
    both = smoothing.predict([short, long], 3)
    np.testing.assert_allclose(smoothing.predict([short], 3)[0], both[0], rtol=1e-12)
    np.testing.assert_allclose(smoothing.predict([long[:, 1:]], 3)[0, 0], both[1, 1], rtol=1e-12)


def test_constants_are_forecast_exactly():
    found = Smoothing.of([np.full((12, 1), 3.0)] * 8).predict([np.full((12, 1), 3.0)], 4)
    np.testing.assert_allclose(found, 3.0, rtol=1e-12)
