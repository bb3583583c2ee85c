"""Novelty: distances beside plain loops, the promised rate, and nothing that makes NaN."""

import re

import numpy as np
import pytest
from stream_material import model_of, series_of

import selftime
from selftime.engine.streaming.stream import StreamConfig
from selftime.tasks.anomaly.novelty import (
    AdaptiveNovelty,
    CoolDown,
    check_normal_steps,
    concatenate_normal,
    fit_novelty,
    least_variance,
    mahalanobis,
    neighbour_distance,
    run_in,
)
from selftime.tasks.anomaly.thresholds import CAP, AdaptiveThreshold


def rows_of(n: int, dim: int = 4, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, dim)) @ np.diag(np.arange(1, dim + 1)) + 3.0


def test_mahalanobis_solves_with_the_shrunk_covariance():
    rows, new = rows_of(50), rows_of(5, seed=1)
    centre, n, D = rows.mean(axis=0), 50, 4
    S = sum(np.outer(r - centre, r - centre) for r in rows) / n
    mu = np.trace(S) / D
    spread = np.square(S - mu * np.eye(D)).sum()  # d², equations 9 to 14 of Ledoit & Wolf 2004
    noise = sum(np.square(np.outer(r - centre, r - centre) - S).sum() for r in rows) / n**2
    share = min(noise, spread) / spread
    covariance = share * mu * np.eye(D) + (1 - share) * S
    wanted = [np.sqrt((x - centre) @ np.linalg.solve(covariance, x - centre)) for x in new]
    np.testing.assert_allclose(mahalanobis(rows)(new), wanted, rtol=1e-9)


def test_nearest_is_a_mean_over_five():
    rows, new = rows_of(40), rows_of(6, seed=1)
    size = np.sqrt(np.mean([np.square(rows[:, d] - rows[:, d].mean()).mean() for d in range(4)]))
    wanted = [np.mean(sorted(np.linalg.norm(x - r) for r in rows)[:5]) / size for x in new]
    np.testing.assert_allclose(neighbour_distance(rows)(new), wanted, rtol=1e-9)


@pytest.mark.parametrize("distance", ["mahalanobis", "nearest"])
@pytest.mark.parametrize("rate", [0.02, 0.2])
def test_the_promised_rate_is_kept_on_normal_steps(distance, rate):
    judged = []
    for seed in range(4):
        judge = fit_novelty(rows_of(600, seed=seed), rate=rate, distance=distance)
        judged.append(judge.distance(rows_of(250, seed=100 + seed)) > judge.threshold)
    # binomial around the rate, and around that the luck of 200 calibration steps
    assert rate / 2 < np.mean(judged) < rate + 4 * np.sqrt(rate * (1 / 800 + 1 / 1000))


def test_threshold_and_p_follow_from_the_ranks():
    judge = fit_novelty(rows_of(60), rate=0.25)
    np.testing.assert_array_equal(judge.calibration, judge.distance(rows_of(60)[40:]))
    held = np.sort(judge.calibration)
    assert judge.threshold == pytest.approx(held[15])  # ⌈21 · 0.75⌉ = 16th of 20
    for row in rows_of(30, seed=2):
        found, d = judge(row), judge.distance(row[None])[0]
        assert found.p == (1 + sum(held >= d)) / 21
        assert found.score == pytest.approx(d / judge.threshold)
        assert found.novel == (found.score > 1)


@pytest.mark.late
@pytest.mark.again
@pytest.mark.parametrize("growth", [1.0, 1.5])
def test_a_watchman_keeps_the_promised_rate_while_the_stream_drifts(growth):
    """Where steps move away by half, a fixed threshold alarms more than twice as often."""
    calm, steps = rows_of(1500), rows_of(9000, seed=1)
    novelty = fit_novelty(calm, rate=0.05)
    steps = 3.0 + (steps - 3.0) * np.linspace(1, growth, len(steps))[:, None]
    judge = AdaptiveNovelty(novelty, 0.05)
    share = np.mean([judge(row).novel for row in steps])
    assert growth == 1 or (novelty.distance(steps) > novelty.threshold).mean() > 0.1
    assert 0.05 / 1.5 < share < 0.05 * 1.5


def test_a_watchman_moves_its_threshold_as_the_offline_one_does():
    calm, steps = rows_of(900), rows_of(60, seed=3)
    novelty = fit_novelty(calm, rate=0.1)
    judge, found = AdaptiveNovelty(novelty, 0.1), []
    for row in steps:
        found.append(judge.threshold)
        judge(row)
    offline, wanted = AdaptiveThreshold(novelty.calibration, 0.1), []
    for start in range(0, 60, 8):
        wanted += [offline.threshold] * len(steps[start : start + 8])
        offline.follow(novelty.distance(steps[start : start + 8]))
    assert found[0] == novelty.threshold
    np.testing.assert_allclose(found[8:], wanted[8:], rtol=1e-9)


def test_wild_steps_do_not_hide_those_after_them():
    judge = AdaptiveNovelty(fit_novelty(rows_of(900), rate=0.05), 0.05)
    for row in rows_of(40, seed=1):
        judge(row)
    before = judge.threshold
    for _ in range(8):
        assert judge(np.full(4, 3e38)).novel
    assert before <= judge.threshold <= CAP * before
    assert judge(np.full(4, 60.0)).novel


@pytest.mark.parametrize("distance", ["mahalanobis", "nearest"])
def test_constant_and_wild_embeddings_never_make_nan(distance):
    constant = np.full((30, 3), 7.0, np.float32)
    judge = fit_novelty(constant, rate=0.2, distance=distance)
    assert not judge(constant[0]).novel and judge(constant[0] + 1).novel
    zeros = fit_novelty(np.zeros((30, 3)), rate=0.2, distance=distance)
    assert not zeros(np.zeros(3)).novel
    for wild in (np.nan, np.inf, -np.inf, 3e38):
        found = judge(np.array([0, wild, 0], np.float32))
        assert np.isfinite(found.score) and found.novel and found.p == 1 / 11
    assert least_variance(np.zeros((2, 2))) > 0


def test_errors():
    for rate in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(selftime.SeriesError, match="wanted a share between 0 and 1"):
            check_normal_steps(1000, rate)
    said = "got 296 normal steps, wanted at least 297 to promise a rate of 0.01: give more of them"
    with pytest.raises(selftime.SeriesError, match=re.escape(said)):
        fit_novelty(rows_of(296), rate=0.01)
    fit_novelty(rows_of(297), rate=0.01)


def test_cool_down_keeps_quiet_after_an_alarm():
    heard = [1, 1, 0, 1, 1, 0, 0, 0, 1]
    assert [CoolDown(0)(bool(x)) for x in heard] == [bool(x) for x in heard]
    quiet = CoolDown(2)
    assert [quiet(bool(x)) for x in heard] == [bool(x) for x in [1, 0, 0, 1, 0, 0, 0, 0, 1]]


@pytest.mark.parametrize("manner", [StreamConfig(), StreamConfig(window=7, every=2)])
def test_a_run_in_says_of_normal_steps_what_a_stream_says_that_saw_them_before(manner):
    model, x = model_of("dilated", 2), series_of((1, 2, 100), 0.2)[0]
    stream, rows = run_in(model, manner, x)
    long = model.stream(*manner).update(np.tile(x, 4))  # its reach is 60 steps
    np.testing.assert_allclose(rows, long[-100:], atol=1e-5)
    more = np.full((2, 3), 0.5)
    wanted = model.stream(*manner).update(np.concatenate([np.tile(x, 4), more], axis=1))
    np.testing.assert_allclose(stream.update(more), wanted[-3:], atol=1e-5)


def test_a_run_in_needs_a_token_a_step_or_a_window():
    with pytest.raises(selftime.SeriesError, match="got a model of whole series, wanted one with"):
        run_in(model_of("projected", 2), StreamConfig(), series_of((1, 2, 9))[0])
    rows = run_in(model_of("projected", 2), StreamConfig(window=4), series_of((1, 2, 9))[0])[1]
    assert rows.shape == (9, 4)


def test_normal_series_are_laid_end_to_end_with_their_gaps():
    x = series_of((3, 2, 5), 0.3)
    got = concatenate_normal(model_of("dilated", 2), selftime.read(x))
    np.testing.assert_allclose(got, np.concatenate(list(x), axis=1), rtol=1e-6)
    with pytest.raises(selftime.SeriesError, match="got series of 2 channels, wanted 1"):
        concatenate_normal(model_of("dilated"), selftime.read(x))
