"""Scores of anomalies: beside plain loops, on hostile input, and without a look ahead."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from selftime.data.gaps import fill_gaps
from selftime.data.periods import autocorrelation, period_of
from selftime.tasks.anomaly.detect import Scoring, fuse_scores, robust_z, score_recording
from selftime.tasks.anomaly.record import (
    FLAT_SHARE,
    ChannelRecord,
    over_windows,
    since_windows,
    smooth_steps,
    standardise,
    window_of,
)
from selftime.tasks.anomaly.scores import REFERENCE_SCORES, SCORES
from selftime.tasks.anomaly.scores.convolutions import dilations_of, pooled_responses
from selftime.tasks.anomaly.scores.distances import (
    nearest_distances,
    principal,
    statistics_of,
    window_profile,
)
from selftime.tasks.anomaly.scores.prediction import INPAINTING_PENALTY, ridge_between

EVERY = {**SCORES, **REFERENCE_SCORES}


def wave(T: int = 900, *, seed: int = 0) -> np.ndarray:
    """A noisy wave of 40 steps with a flat stretch from step 600 to 630."""
    rng = np.random.default_rng(seed)
    x = np.sin(np.arange(T) * 2 * np.pi / 40) + 0.05 * rng.normal(size=T)
    x[600:630] = 0.0
    return x


def record(T: int = 900, *, train: int = 300, past_only: bool = False) -> ChannelRecord:
    x = wave(T)
    return ChannelRecord(standardise(x, train, past_only=past_only)[0], train, 40, past_only)


HOSTILE = {
    "constant": np.full(400, 3.0),
    "normal part constant": np.r_[np.zeros(200), wave(200)],
    "steps": np.repeat([0.0, 5.0, -5.0, 100.0], 100),
    "missing bursts": np.where(np.arange(400) % 90 < 30, np.nan, wave(400)),
    "infinite": np.where(np.arange(400) % 71 == 3, np.inf, wave(400)),
    "normal part missing": np.r_[np.full(200, np.nan), wave(200)],
    "all missing": np.full(400, np.nan),
    "dies": np.r_[wave(300), np.zeros(100)],
    "falls silent": np.r_[wave(300), np.full(100, np.nan)],
    "huge": 1e30 * wave(400),
    "tiny": 1e-30 * wave(400),
    "far from 0": 1e9 + wave(400),
    "one step": np.ones(1),
    "two steps": np.array([1.0, 2.0]),
    "nine steps": np.arange(9.0),
}


QUICK = ("constant", "missing bursts", "all missing", "falls silent", "huge", "one step")
"""Hostile to what looks back too, before each commit; the others in the whole suite."""
MODES = [(name, False) for name in HOSTILE] + [
    pytest.param(name, True, marks=() if name in QUICK else pytest.mark.slow) for name in HOSTILE
]


@pytest.mark.late
@pytest.mark.parametrize("name, past_only", MODES)
def test_hostile_recordings_get_finite_scores(name, past_only):
    x = HOSTILE[name]
    before = x.copy()
    recipe = Scoring(past_only=past_only, members=tuple(SCORES))
    found = score_recording(np.stack([x, x]), max(len(x) // 2, 1), recipe=recipe)
    assert found.scores.shape == x.shape
    assert np.isfinite(found.channels).all()
    assert (found.scores >= 0).all()
    np.testing.assert_array_equal(x, before)


@pytest.mark.late
@pytest.mark.parametrize("name", [name for name in EVERY if name != "isolation forest"])
def test_every_score_is_finite_and_the_same_each_time(name):
    r = record()
    first = EVERY[name](r)
    assert first.shape == (900,)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, EVERY[name](r))


@pytest.mark.late
@pytest.mark.parametrize("name", [name for name in SCORES if name != "energy"])  # it falls there
@pytest.mark.parametrize("past_only", [False, True])
def test_every_member_finds_a_wave_that_stops(name, past_only):
    found = SCORES[name](record(past_only=past_only))[300:]
    assert 580 - 300 <= found.argmax() <= 640 - 300 + 80 * past_only


@pytest.mark.late
@pytest.mark.parametrize("members", [(name,) for name in SCORES] + [Scoring().members])
def test_past_only_scores_do_not_change_with_the_future(members):
    recipe = Scoring(past_only=True, members=members)
    x = wave()[None]
    changed = x.copy()
    changed[:, 500:] = np.random.default_rng(1).normal(size=400) * 50
    whole = score_recording(x, 300, recipe=recipe).scores
    np.testing.assert_allclose(
        score_recording(changed, 300, recipe=recipe).scores[:500], whole[:500]
    )
    np.testing.assert_allclose(score_recording(x[:, :500], 300, recipe=recipe).scores, whole[:500])


@pytest.mark.late
def test_the_fused_score_peaks_where_the_wave_stops():
    found = score_recording(wave()[None], 300)
    assert 590 <= found.scores.argmax() < 640
    assert found.scores.max() > 10 * np.median(found.scores[300:500])


@pytest.mark.late
def test_a_series_of_several_channels_says_which_one_is_odd():
    other = wave(seed=1)
    other[600:630] = other[560:590]
    found = score_recording(np.stack([other, wave()]), 300)
    assert found.channels[:, found.scores.argmax()].argmax() == 1


def test_no_window_lies_across_a_boundary():
    x = np.r_[wave(400), 30 + wave(500)]
    r = ChannelRecord(standardise(x, 400, past_only=False)[0], 400, 40, False, (400,))
    starts = r.starts(40)
    assert not ((starts < 400) & (starts + 40 > 400)).any()
    assert (starts + 40 <= 900).all()
    assert np.isinf(profile_lengths(r)[361:400]).all()


def profile_lengths(r: ChannelRecord) -> np.ndarray:
    return np.where(r.whole(r.width), 0.0, np.inf)


def profile_by_loop(x: np.ndarray, width: int, floor: float, latest: int | None) -> list[float]:
    """Distance of every window to its nearest by shape; later ones count up to ``latest``."""
    windows = [x[i : i + width] for i in range(len(x) - width + 1)]
    shapes = [(w - w.mean()) / max(w.std(), floor) for w in windows]
    out = []
    for i, one in enumerate(shapes):
        there = [
            math.sqrt(((one - other) ** 2).sum())
            for j, other in enumerate(shapes)
            if abs(i - j) >= width and (j < i or latest is None or j + width <= latest)
        ]
        out.append(min(there, default=0.0))
    return out


@pytest.mark.parametrize("past_only", [False, True])
def test_the_matrix_profile_is_what_plain_loops_give(past_only):
    x = wave(160)
    x[100:130] = 1e-3 * np.arange(30)  # flat: divided by the floor
    r = ChannelRecord(x, 70, 12, past_only)
    floor = FLAT_SHARE * r.known.std()
    wanted = profile_by_loop(x, 12, floor, 70 if past_only else None)
    squares = np.square(window_profile(r, 12))  # of equal windows 0 but for rounding along 148 sums
    np.testing.assert_allclose(squares, np.square(wanted), atol=1e-10)


@pytest.mark.late
@pytest.mark.parametrize("past_only", [False, True])
def test_nearest_is_what_plain_loops_give(past_only):
    rng = np.random.default_rng(0)
    starts, points = np.arange(0, 600, 2), rng.normal(size=(300, 5))
    r = ChannelRecord(np.zeros(620), 200, 20, past_only)
    wanted = []
    for i, j in itertools.product(range(300), repeat=2):
        if j == 0:
            wanted.append(math.inf)
        fair = not past_only or j < i or starts[j] + 20 <= 200
        if abs(starts[i] - starts[j]) >= 20 and fair:
            wanted[-1] = min(wanted[-1], math.dist(points[i], points[j]))
    np.testing.assert_allclose(
        nearest_distances(points, starts, 20, r), wanted, rtol=1e-4
    )  # float32


def test_pooled_convolutions_are_what_plain_loops_give():
    r = ChannelRecord(wave(120), 60, 20, False)
    starts, found = np.array([0, 33, 100]), pooled_responses(r, np.array([0, 33, 100]))
    kernels = list(itertools.combinations(range(9), 3))
    assert found.shape == (3, len(dilations_of(20)) * 84 * 2)
    for k in (0, 41, 83):
        weights = [2 if j in kernels[k] else -1 for j in range(9)]
        response = [
            sum(weight * r.values[t + j] for j, weight in enumerate(weights)) for t in range(112)
        ]
        threshold = np.quantile(response, (0.25, 0.5, 0.75)[k % 3])
        for row, start in enumerate(starts):
            inner = response[start : start + 12]
            share = sum(value > threshold for value in inner) / 12
            excess = sum(max(value, 0.0) for value in inner) / 12
            assert found[row, 2 * k] == pytest.approx(share, abs=1e-6)
            assert found[row, 2 * k + 1] == pytest.approx(excess, abs=1e-5)


def test_kernels_fill_at_most_half_a_window():
    assert dilations_of(1) == [1]
    assert dilations_of(33) == [1, 2]
    assert dilations_of(200) == [1, 2, 4, 8]


def test_ridge_solves_its_normal_equations():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 4)), rng.normal(size=(50, 2))
    weights = ridge_between(x, y)
    penalty = INPAINTING_PENALTY * sum((x[:, j] ** 2).sum() for j in range(4)) / 4
    gradient = x.T @ (x @ weights - y) + penalty * weights
    np.testing.assert_allclose(gradient, 0, atol=1e-7)  # the penalty has 1e-9 added


def test_statistics_of_a_window_by_hand():
    found = statistics_of(np.array([[1.0, 3.0, 2.0, 6.0]]))[0]
    wanted = [3.0, math.sqrt((4 + 0 + 1 + 9) / 4), 1.0, 6.0, (2 + 1 + 4 + 0) / 4, 4 - 2, 5.0]
    np.testing.assert_allclose(found, wanted)


def test_principal_coordinates_keep_distances_and_whiten():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 3)) @ np.diag([5.0, 1.0, 0.1])
    usual = np.ones(200, bool)
    plain = principal(points, usual, most=3)
    assert math.dist(plain[0], plain[1]) == pytest.approx(math.dist(points[0], points[1]), rel=1e-4)
    white = principal(points, usual, most=2, whiten=True)
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(2), atol=1e-3)  # float32


def test_steps_get_the_mean_of_the_windows_that_cover_them():
    starts, scores = np.array([0, 1, 2]), np.array([3.0, 6.0, 0.0])
    np.testing.assert_allclose(over_windows(scores, starts, 2, 4), [3.0, 4.5, 3.0, 0.0])
    np.testing.assert_allclose(since_windows(scores, starts, 2, 4), [3.0, 3.0, 6.0, 0.0])
    sparse = over_windows(np.array([0.0, 4.0]), np.array([0, 4]), 1, 6)
    np.testing.assert_allclose(sparse, [0, 1, 2, 3, 4, 4])


def test_smoothing_lies_around_a_step_or_before_it():
    x = np.array([0.0, 0.0, 3.0, 0.0, 0.0])
    np.testing.assert_allclose(smooth_steps(x, 3, past_only=False), [0, 1, 1, 1, 0])
    np.testing.assert_allclose(smooth_steps(x, 3, past_only=True), [0, 0, 1, 1, 1])


def test_fusion_by_hand():
    scores = np.array([[0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 2.0, 4.0, 6.0, 108.0]])
    known = np.ones(5, bool)
    z = robust_z(scores, known)
    np.testing.assert_allclose(z, [[-1, -0.5, 0, 0.5, 1], [-1, -0.5, 0, 0.5, 26]])
    np.testing.assert_allclose(fuse_scores(scores, known)[3:], [0.5, ((1 + 26**3) / 2) ** (1 / 3)])


def test_gaps_are_bridged_or_the_last_value_is_held():
    x = np.array([np.nan, 1.0, np.inf, 3.0, np.nan])
    np.testing.assert_allclose(fill_gaps(x, past_only=False), [1, 1, 2, 3, 3])
    np.testing.assert_allclose(fill_gaps(x, past_only=True), [1, 1, 1, 3, 3])


def test_the_autocorrelation_is_what_a_plain_loop_gives():
    x = wave(80)
    centred = x - x.mean()
    wanted = [(centred[: 80 - k] * centred[k:]).sum() / (centred**2).sum() for k in range(11)]
    np.testing.assert_allclose(autocorrelation(x[:, None])[:11], wanted, atol=1e-12)


@pytest.mark.parametrize("period", [12, 40, 144, 288])
def test_the_period_of_a_wave_is_found(period):
    x = np.sin(np.arange(1200) * 2 * np.pi / period)
    assert abs(period_of(x + 0.1 * np.random.default_rng(0).normal(size=1200)) - period) <= 1


def test_windows_hold_whole_periods_and_at_most_half_of_what_is_normal():
    x = np.sin(np.arange(600) * 2 * np.pi / 10)
    assert window_of(x) == 40
    assert window_of(np.zeros(1000)) == 125
    assert window_of(np.zeros(50)) == 25
    assert window_of(np.zeros(1)) == 1


def test_scaling_puts_the_normal_part_at_mean_0_and_spread_1():
    x = 5 + 3 * wave(400)
    found = standardise(x, 200, past_only=False)[0]
    assert found[:200].mean() == pytest.approx(0, abs=1e-9)
    assert found[:200].std() == pytest.approx(1)


def test_a_normal_part_must_lie_within_the_recording():
    with pytest.raises(ValueError, match="got a normal part of 0 steps in a recording of 9"):
        score_recording(np.zeros((1, 9)), 0)
    with pytest.raises(ValueError, match="wanted some of convolutions, convolutions, twice"):
        score_recording(np.zeros((1, 9)), 3, recipe=replace(Scoring(), members=("guess",)))
