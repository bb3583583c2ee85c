"""Forecast error and one-class distance beside plain loops in float64."""

import math

import numpy as np
import pytest

from selftime.tasks.anomaly.record import ChannelRecord, standardise
from selftime.tasks.anomaly.scores.convolutions import (
    CONVOLUTION_COMPONENTS,
    EACH,
    one_class,
    window_statistics,
)
from selftime.tasks.anomaly.scores.prediction import INPAINTING_PENALTY, forecast_error


def record(*, T: int = 500, past_only: bool = True) -> ChannelRecord:
    rng = np.random.default_rng(0)
    x = np.sin(np.arange(T) * 2 * np.pi / 16) + 0.1 * rng.normal(size=T)
    x[400:410] = 0.0
    return ChannelRecord(standardise(x, 300, past_only=past_only)[0], 300, 16, past_only)


def forecast_by_loop(r: ChannelRecord) -> list[float]:
    """Ridge from 16 steps to the next two, solved by hand; errors by their median, as pairs."""
    ends = range(0, r.steps - 18 + 1, 2)  # a window in eight of its length
    pairs = [(r.values[s : s + 16], r.values[s + 16 : s + 18]) for s in ends]
    normal = [pair for s, pair in zip(ends, pairs, strict=True) if s + 18 <= r.train]
    x0 = sum(x for x, _ in normal) / len(normal)
    y0 = sum(y for _, y in normal) / len(normal)
    squares = sum(np.outer(x - x0, x - x0) for x, _ in normal)
    products = sum(np.outer(x - x0, y - y0) for x, y in normal)
    penalty = INPAINTING_PENALTY * sum(squares[i, i] for i in range(16)) / 16
    weights = np.linalg.inv(squares + penalty * np.eye(16)) @ products
    missed = [[abs(v) for v in (y - y0) - (x - x0) @ weights] for x, y in pairs]
    usual = [np.median([m[k] for m in missed[: len(normal)]]) for k in range(2)]
    return [math.sqrt(sum((m[k] / usual[k]) ** 2 for k in range(2)) / 2) for m in missed]


def test_forecast_errors_are_what_plain_loops_give():
    """A window's error is told from its last step on, until the next one ends."""
    r = record()
    found, wanted = forecast_error(r), forecast_by_loop(r)
    np.testing.assert_allclose(found[17::2], wanted[: len(found[17::2])], rtol=1e-6)  # + 1e-9
    np.testing.assert_array_equal(found[17:-1:2], found[18::2][: len(found[17:-1:2])])


def test_forecasts_are_learned_from_the_normal_part_alone():
    r = record()
    changed = r.values.copy()
    changed[300:] *= 3
    same = forecast_error(ChannelRecord(changed, 300, 16, True))
    np.testing.assert_array_equal(forecast_error(r)[:300], same[:300])
    assert np.median(same[320:]) > 2 * np.median(forecast_error(r)[320:])


def one_class_by_loop(r: ChannelRecord, starts: np.ndarray) -> list[float]:
    """√ Σₖ (wₖᵀ(φ − φ̄))² / λₖ over the leading directions of the normal windows."""
    features = window_statistics(r, starts).astype(np.float64)
    normal = [row for row, s in zip(features, starts, strict=True) if s + 16 <= r.train]
    centre = sum(normal) / len(normal)
    spread = sum(np.outer(row - centre, row - centre) for row in normal) / len(normal)
    variances, directions = np.linalg.eigh(spread)
    kept = range(-min(CONVOLUTION_COMPONENTS, len(normal) // EACH), 0)
    return [
        math.sqrt(sum((directions[:, k] @ (row - centre)) ** 2 / variances[k] for k in kept))
        for row in features
    ]


@pytest.mark.parametrize("past_only", [False, True])
def test_one_class_distances_are_what_plain_loops_give(past_only):
    r = record(past_only=past_only)
    starts = r.starts(16)
    wanted = r.over_steps(np.array(one_class_by_loop(r, starts)), starts, 16)
    np.testing.assert_allclose(one_class(r), wanted, rtol=2e-3)  # features are float32


def test_few_normal_windows_measure_few_directions():
    """Of 12 normal windows three directions are kept: 16 would fit them exactly."""
    r = record()
    short = ChannelRecord(r.values, 38, 16, True)
    starts = short.starts(16)
    assert (starts + 16 <= 38).sum() == 12
    wanted = short.over_steps(np.array(one_class_by_loop(short, starts)), starts, 16)
    np.testing.assert_allclose(one_class(short), wanted, rtol=2e-3)


@pytest.mark.parametrize("score", [forecast_error, one_class])
def test_a_recording_of_a_step_has_a_score(score):
    assert np.isfinite(score(ChannelRecord(np.zeros(1), 1, 1, True))).all()
