"""Patch features, corrections and metrics beside plain loops."""

import numpy as np
import pytest
from forecast_material import waves

from selftime.tasks.forecasting import features as corrections
from selftime.tasks.forecasting.calibration import (
    mase,
    naive_scale,
    pinball,
)
from selftime.tasks.forecasting.features import (
    fit_correction,
    patch_features,
    patch_lengths,
    principal_directions,
)
from selftime.tasks.forecasting.folds import cut_folds
from selftime.tasks.forecasting.forecasters import fit_forecaster, learned_features
from selftime.tasks.forecasting.linear import fit_linear


def test_latents_reconstruct_better_than_any_other_linear_code(np_rng):
    x = (np_rng.normal(size=(200, 3)) @ np_rng.normal(size=(3, 8))).astype(np.float32)
    x += 0.1 * np_rng.normal(size=x.shape).astype(np.float32)
    basis = principal_directions(x, 3)
    other = np.linalg.qr(np_rng.normal(size=(8, 3)))[0]
    lost = [np.mean((x - x @ b @ b.T) ** 2) for b in (basis, other)]
    assert lost[0] < 0.1 * lost[1]
    np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-10)


def test_features_beside_a_loop(np_rng):
    past = np_rng.normal(size=(30, 2, 12)).astype(np.float32)
    made = patch_features(past.reshape(60, 12), (4, 12), np.random.default_rng(1))
    found = made.of(past)
    for n in range(3):
        for c in range(2):
            spread = past[n, c].astype(float).std() + 0.01
            shape = (past[n, c] - past[n, c, -1]) / spread
            for j, patch in enumerate(made.patches):
                P = len(patch.basis)
                expected = np.cos(shape[-P:] @ patch.basis @ patch.waves + patch.phases) * spread
                width = len(patch.phases)
                np.testing.assert_allclose(
                    found[n, c, j * width : (j + 1) * width], expected, atol=1e-4
                )


def test_features_follow_scale_and_forget_level(np_rng):
    past = np_rng.normal(size=(40, 1, 16)).astype(np.float32)
    made = patch_features(past[:, 0], (8,), np.random.default_rng(1))
    # 0.01 is added to the spread, so scale is followed to about 1 %
    np.testing.assert_allclose(made.of(5 + past), made.of(past), atol=1e-4)
    np.testing.assert_allclose(made.of(3 * past), 3 * made.of(past), rtol=0.05, atol=0.15)


def test_patches_are_seasons_that_fit():
    assert patch_lengths(24, 720) == (24, 48, 168, 720)
    assert patch_lengths(96, 336) == (96, 192, 336)
    assert patch_lengths(1, 96) == (6, 12, 42, 96)


@pytest.fixture(scope="module")
def bent():
    """A series whose next value bends with the last: no linear map can tell."""
    rng = np.random.default_rng(4)
    x = np.zeros(2000)
    for t in range(1, 2000):
        x[t] = 1 - 1.4 * x[t - 1] ** 2 + 0.02 * rng.normal()
    return ((x - x.mean()) / x.std())[:, None]


@pytest.mark.late
def test_features_are_accepted_where_they_help(bent):
    folds = cut_folds([bent[:1500]], 6, fit_end=[1200], look_back=16)
    linear = fit_linear(folds, 1).map
    features = learned_features(folds, 1, np.random.default_rng(0))
    found = fit_correction(folds, linear, features.of)
    assert found.accepted and found.gains[0] > 20
    past = np.stack([bent[o - 16 : o].T for o in range(1600, 1990)])
    truth = np.stack([bent[o : o + 6].T for o in range(1600, 1990)])
    before = linear.predict(past)
    after = found.apply(past, before)
    assert np.mean((after - truth) ** 2) < 0.8 * np.mean((before - truth) ** 2)


@pytest.mark.late
def test_features_are_left_out_where_they_do_not_help(np_rng):
    folds = cut_folds([np_rng.normal(size=(900, 1))], 6, look_back=16)
    found = fit_forecaster(folds, 1, np.random.default_rng(0))[0]
    assert not found.corrections[0].accepted
    past = np_rng.normal(size=(3, 1, 16))
    np.testing.assert_array_equal(found.predict(past), found.linear.map.predict(past))


def test_correction_solves_its_equations(np_rng):
    """With one feature, the solution by hand: Σφr / (Σφ² + α · mean φ²)."""
    folds = cut_folds([waves(200)], 2, look_back=4)
    linear = fit_linear(folds, 12).map
    parts, rest = corrections.residual_sums(folds, linear, lambda past: past[..., :1] ** 2)
    x = folds.histories[0][:, 0]
    phi, left = 0.0, np.zeros(2)
    low, high = folds.training_spans()[0]
    for o in range(low, high):
        past = x[o - 4 : o].astype(np.float32)
        residual = x[o : o + 2] - linear.predict(past[None, None])[0, 0]
        phi, left = phi + past[0] ** 4, left + past[0] ** 2 * residual
    np.testing.assert_allclose(rest.features[0, 0], phi, rtol=1e-5)
    np.testing.assert_allclose(rest.cross[0], left, rtol=1e-3, atol=1e-3)  # 32-bit products
    assert sum(part.count for part in parts) <= rest.count == high - low


def test_metrics_beside_loops(np_rng):
    truth, quantiles = np_rng.normal(size=(3, 2, 4)), np_rng.normal(size=(2, 3, 2, 4))
    total = [0.0, 0.0]
    for j, q in enumerate((0.1, 0.7)):
        for y, f in zip(truth.ravel(), quantiles[j].ravel(), strict=True):
            total[j] += q * (y - f) if y > f else (1 - q) * (f - y)
    np.testing.assert_allclose(pinball(quantiles, truth, (0.1, 0.7)), total)
    loss = np.mean(2 * pinball(quantiles, truth, (0.1, 0.7))) / np.abs(truth).sum()
    assert loss == pytest.approx(sum(total) / np.abs(truth).sum())
    train = np.array([[0.0, 1.0], [1.0, 1.0], [4.0, 1.0]])
    np.testing.assert_allclose(naive_scale(train, 1), [2.0, 1.0])
    one = np.ones((1, 2, 1))
    assert mase(3 * one, one, np.array([2.0, 1.0])) == pytest.approx((2 / 2 + 2 / 1) / 2)
