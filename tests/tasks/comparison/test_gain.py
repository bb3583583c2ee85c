"""The gain and its interval: coverage on simulated luck, symmetry, and the words for it."""

import numpy as np
import pytest

from selftime.tasks.comparison.gain import Gain, gain, gain_in_words


def hits(share, shape=(5, 80), seed=0):
    return np.random.default_rng(seed).random(shape) < share


def simulated(rng, draws, cases):
    """Two rows with hard and easy cases, lucky and unlucky draws; ours is 3 points ahead.

    Four times in five a row does with a case what it does in the other draws.
    """
    ease = rng.uniform(0.2, 0.9, size=cases)
    luck = rng.normal(0, 0.03, size=(draws, 1))

    def row(ahead):
        lasting, fresh = rng.random(cases), rng.random((draws, cases))
        bar = np.where(rng.random((draws, cases)) < 0.8, lasting, fresh)
        return bar < ease + luck + ahead

    return row(0.03), row(0.0)


@pytest.mark.late
@pytest.mark.parametrize("draws", [1, 5])
def test_interval_covers_the_true_difference(draws):
    rng = np.random.default_rng(1)
    found = [gain(*simulated(rng, draws, 120), resamples=400, seed=s) for s in range(200)]
    share = np.mean([g.low <= 3.0 <= g.high for g in found])
    assert 0.90 <= share <= 0.99  # 95 %, give or take three deviations of 200 trials


@pytest.mark.late
def test_interval_covers_luck_of_draws_too():
    """Draws that differ by themselves: an interval over test series alone would miss half."""
    rng = np.random.default_rng(1)
    covered = []
    for s in range(200):
        luck = rng.normal(0, 0.1, size=(8, 1))
        ours = rng.random((8, 100)) < 0.6 + luck
        theirs = rng.random((8, 100)) < 0.6
        g = gain(ours, theirs, resamples=300, seed=s)
        covered.append(g.low <= 0.0 <= g.high)
    assert 0.90 <= np.mean(covered) <= 0.99


def test_one_draw_has_the_width_of_the_normal_interval():
    ours, theirs = hits(0.7, (1, 400)), hits(0.5, (1, 400), seed=1)
    difference = 100 * (ours.astype(float) - theirs)[0]
    wanted = 1.96 * difference.std() / 20
    assert gain(ours, theirs, resamples=8000).margin == pytest.approx(wanted, rel=0.04)


def test_the_mean_is_of_all_draws_and_cases():
    ours, theirs = hits(0.7), hits(0.5, seed=1)
    pairs = zip(ours.ravel().tolist(), theirs.ravel().tolist(), strict=True)
    wanted = 100 * np.mean([int(a) - int(b) for a, b in pairs])
    assert gain(ours, theirs).points == pytest.approx(wanted)


def test_identical_rows_differ_by_exactly_nothing():
    same = gain(hits(0.6), hits(0.6))
    assert same == Gain(0.0, 0.0, 0.0) and not same.is_clear


def test_turned_around_it_has_the_other_sign():
    there, back = gain(hits(0.8), hits(0.5, seed=1)), gain(hits(0.5, seed=1), hits(0.8))
    assert there.points > 0 and there.is_clear and back.is_clear
    np.testing.assert_allclose(back, (-there.points, -there.high, -there.low), atol=1e-9)


def test_the_interval_is_the_same_every_time():
    assert gain(hits(0.8), hits(0.5, seed=1)) == gain(hits(0.8), hits(0.5, seed=1))


@pytest.mark.parametrize(
    "difference, words",
    [
        (Gain(3.0, 1.0, 5.0), "self-supervision helped by 3.0 ± 2.0 points"),
        (
            Gain(-3.0, -5.0, -1.0),
            "self-supervision did not help: it cost 3.0 ± 2.0 points",
        ),
        (
            Gain(0.5, -1.0, 2.0),
            "self-supervision made no clear difference (+0.5 ± 1.5 points)",
        ),
        (
            Gain(0.0, 0.0, 0.0),
            "self-supervision made no clear difference (+0.0 ± 0.0 points)",
        ),
    ],
)
def test_in_words(difference, words):
    assert gain_in_words(difference) == words


@pytest.mark.parametrize(
    "low, high, clear", [(0.1, 2, True), (-2, -0.1, True), (-1, 1, False), (0, 2, False)]
)
def test_clear_means_that_zero_is_left_out(low, high, clear):
    assert Gain((low + high) / 2, float(low), float(high)).is_clear is clear
