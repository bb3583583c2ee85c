"""Calibration and intervals beside plain loops and laws of chance."""

import numpy as np
import pytest
from scipy.stats import binom

from selftime.tasks.evaluation.reliability import (
    bin_starts,
    bootstrap_interval,
    calibration_error,
    calibration_luck,
    reliability_bins,
)


def some(M: int, seed: int = 0, *, overconfident: float = 0.0):
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.3, 1.0, M)
    return confidence, rng.random(M) < confidence - overconfident


@pytest.mark.parametrize("M", [1, 2, 7, 40, 500])
def test_error_and_bins_equal_plain_loops(M):
    confidence, right = some(M)
    rows = sorted(range(M), key=lambda i: confidence[i])
    bins = min(15, max(1, round(M**0.5)))
    cuts = [k * M // bins for k in range(bins)] + [M]
    error, found = 0.0, reliability_bins(confidence, right)
    for part, start, end in zip(found, cuts, cuts[1:], strict=False):
        inside = rows[start:end]
        sure = sum(float(confidence[i]) for i in inside) / len(inside)
        share = sum(int(right[i]) for i in inside) / len(inside)
        error += len(inside) / M * abs(share - sure)
        assert part.series == len(inside)
        assert part.confidence == pytest.approx(sure, rel=1e-12)
        assert part.accuracy == pytest.approx(share, rel=1e-12)
        assert (part.low, part.high) == (confidence[inside[0]], confidence[inside[-1]])
    assert len(found) == bins
    assert float(calibration_error(confidence, right)) == pytest.approx(error, rel=1e-10)


def test_equal_confidences_share_a_bin():
    confidence = np.repeat([0.2, 0.6, 1.0], [10, 70, 20])
    found = reliability_bins(confidence, np.ones(100, bool))
    assert [(part.low, part.high, part.series) for part in found] == [
        (0.2, 0.2, 10),
        (0.6, 0.6, 70),
        (1.0, 1.0, 20),
    ]
    assert bin_starts(np.ones(50)).tolist() == [0]
    assert float(calibration_error(np.ones(4), np.array([1, 1, 1, 0], bool))) == 0.25


def test_several_test_sets_at_once():
    confidence, right = some(80)
    both = calibration_error(confidence, np.stack([right, ~right]))
    assert both.tolist() == [
        float(calibration_error(confidence, right)),
        float(calibration_error(confidence, ~right)),
    ]


def test_luck_holds_what_it_says():
    """Of 200 calibrated classifiers 5 % exceed it, up to 3 deviations of that count; others do."""
    beyond = 0
    for seed in range(200):
        confidence, right = some(150, seed)
        beyond += float(calibration_error(confidence, right)) > calibration_luck(confidence)
    assert abs(beyond - 10) <= 3 * (200 * 0.05 * 0.95) ** 0.5
    confidence, right = some(150, overconfident=0.3)
    assert float(calibration_error(confidence, right)) > calibration_luck(confidence) + 0.1


def test_bootstrap_interval_is_that_of_the_binomial_law():
    right = np.arange(200) < 150
    low, high = bootstrap_interval(right)
    exact = binom.ppf([0.025, 0.975], 200, 0.75) / 200
    np.testing.assert_allclose([low, high], exact, atol=0.01)  # 2000 draws, steps of 1/200
    assert bootstrap_interval(right) == (low, high)


def test_interval_where_all_or_none_are_right():
    low, high = bootstrap_interval(np.ones(10, bool))
    assert high == 1 and binom.cdf(9, 10, low) == pytest.approx(0.975)  # Clopper & Pearson
    low, high = bootstrap_interval(np.zeros(10, bool))
    assert low == 0 and binom.cdf(0, 10, high) == pytest.approx(0.025)
