"""The probe beside plain loops: weights, left-out scores, calibration."""

import numpy as np
import pytest

from selftime.tasks.probing.probe import (
    DEFAULT_TEMPERATURE,
    FEW_PENALTY,
    NEIGHBOURS_AVERAGED,
    PENALTIES,
    Probe,
    softmax_temperature,
)
from selftime.tasks.probing.reference_bank import neighbour_rows
from selftime.tasks.probing.ridge import (
    class_signs,
    ridge_leave_one_out,
    ridge_with_intercept,
)

SHAPES = [(12, 5), (6, 20), (9, 9)]  # tall, wide, square


def cases(n, d, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    return rng.normal(size=(n, d)) + 1.5 * np.eye(classes, d)[y], y


def solved(A, b):
    """Gaussian elimination with pivoting, loop by loop."""
    A, b = A.copy(), b.copy()
    for i in range(len(A)):
        p = i + int(np.argmax(np.abs(A[i:, i])))
        A[[i, p]], b[[i, p]] = A[[p, i]], b[[p, i]]
        for j in range(len(A)):
            if j != i:
                share = A[j, i] / A[i, i]
                A[j] -= share * A[i]
                b[j] -= share * b[i]
    return b / np.diag(A)[:, None]


def ridge_by_loops(X, Y, strength):
    """Weights and offsets that minimise Σ |Y − XW − b|² + strength · |W|², b free."""
    Xm, Ym = X.mean(axis=0), Y.mean(axis=0)
    A, b = strength * np.eye(X.shape[1]), np.zeros((X.shape[1], Y.shape[1]))
    for x, y in zip(X, Y, strict=True):
        A += np.outer(x - Xm, x - Xm)
        b += np.outer(x - Xm, y - Ym)
    W = solved(A, b)
    return W, Ym - Xm @ W


def strength_of(X, penalty):
    return penalty * sum(np.square(x - X.mean(axis=0)).sum() for x in X) / len(X)


def targets_of(y):
    return np.array([[1.0 if label == k else -1.0 for k in range(y.max() + 1)] for label in y])


@pytest.mark.parametrize("n, d", SHAPES)
@pytest.mark.parametrize("penalty", [0.01, 1.0])
def test_equals_ridge_by_loops(n, d, penalty):
    X, y = cases(n, d)
    probe = Probe(penalty=penalty).fit(X, y)
    W, b = ridge_by_loops(X, targets_of(y), strength_of(X, penalty))
    np.testing.assert_allclose(probe.coef_, W.T, atol=1e-9)
    np.testing.assert_allclose(probe.intercept_, b, atol=1e-9)
    np.testing.assert_allclose(probe.decision_function(X), X @ W + b, atol=1e-9)


@pytest.mark.parametrize("n, d", SHAPES)
def test_left_out_scores_equal_refitting_without_each_case(n, d):
    X, y = cases(n, d)
    Y, strength = targets_of(y), strength_of(X, 0.3)
    _, held_out = ridge_leave_one_out(X - X.mean(axis=0), Y - Y.mean(axis=0), 0.3)
    for i in range(n):
        rest = np.arange(n) != i
        W, b = ridge_by_loops(X[rest], Y[rest], strength)
        np.testing.assert_allclose(held_out[i] + Y.mean(axis=0), X[i] @ W + b, atol=1e-8)


def test_many_labels_choose_the_penalty_by_cases_left_out():
    X, y = cases(120, 60)
    X = X + 3 * np.random.default_rng(5).normal(size=X.shape)  # as many labels as numbers, in noise
    signs = class_signs(y, 3)

    def error(penalty):
        return np.square(ridge_with_intercept(X, signs, penalty)[2] - signs).mean()

    probe = Probe().fit(X, y)
    assert probe.penalty_ == min(PENALTIES, key=error) == max(PENALTIES)
    assert Probe(penalty=0.07).fit(X, y).penalty_ == 0.07
    few = np.flatnonzero(y == y[0])[:19].tolist() + np.flatnonzero(y != y[0])[:19].tolist()
    assert Probe().fit(X[few], y[few] == y[0]).penalty_ == FEW_PENALTY


def test_temperature_is_the_likeliest():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    scores = 0.4 * rng.normal(size=(60, 3)) + 0.8 * np.eye(3)[y]

    def cost(t):
        shares = np.exp(scores / t) / np.exp(scores / t).sum(axis=1, keepdims=True)
        return -np.log(shares[np.arange(60), y]).mean()

    tried = np.exp(np.linspace(-4, 3, 2001))
    assert cost(softmax_temperature(scores, y)) <= min(map(cost, tried)) + 1e-6


def test_temperature_lowers_the_cost_of_unseen_cases():
    X, y = cases(60, 10)
    new, truth = cases(600, 10, seed=1)
    probe = Probe().fit(X, y)

    def cost(probe):
        return -np.log(probe.predict_proba(new)[np.arange(600), truth]).mean()

    fitted = cost(probe)
    probe.temperature_ = 1.0
    assert fitted < cost(probe)


def test_cases_that_are_the_only_ones_of_their_class_do_not_set_the_temperature():
    rng = np.random.default_rng(0)
    index = np.array([0, 0, 0, 1, 1, 1, 2])
    scores = rng.normal(size=(7, 3)) + np.eye(3)[index]
    changed = scores.copy()
    changed[6] *= -5
    assert softmax_temperature(scores, index) == softmax_temperature(changed, index)
    assert softmax_temperature(scores, index) != softmax_temperature(scores[:5], index[:5])
    assert softmax_temperature(scores[[0, 3, 6]], index[[0, 3, 6]]) == DEFAULT_TEMPERATURE


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_one_label_a_class_is_the_nearest_of_equally_long_vectors(classes):
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    centres = Q[:classes]
    new = centres[np.arange(50) % classes] + 0.2 * rng.normal(size=(50, 20))
    probe = Probe().fit(centres, np.arange(classes))
    nearest = [int(np.argmin([np.square(x - c).sum() for c in centres])) for x in new]
    assert list(probe.predict(new)) == nearest
    assert probe.temperature_ == DEFAULT_TEMPERATURE


@pytest.mark.parametrize("classes", [1, 2, 4])
def test_probabilities_sum_to_one_and_agree_with_predict(classes):
    X, y = cases(20, 6, classes)
    names = np.array(["d", "a", "c", "b"])[y]
    probe = Probe().fit(X, names)
    shares = probe.predict_proba(X)
    assert shares.shape == (20, classes) and (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_array_equal(probe.classes_[shares.argmax(axis=1)], probe.predict(X))
    assert list(probe.classes_) == sorted(set(names))


def test_two_classes_have_one_score_that_is_positive_for_the_second():
    X, y = cases(20, 6, classes=2)
    probe = Probe().fit(X, y)
    scores = probe.decision_function(X)
    assert scores.shape == (20,)
    np.testing.assert_array_equal(probe.predict(X), scores > 0)


def test_identical_cases_are_no_division_by_zero():
    probe = Probe().fit(np.ones((6, 4)), np.arange(6) % 2)
    np.testing.assert_allclose(probe.predict_proba(np.ones((1, 4))), 0.5)


def test_the_penalty_follows_the_scale_of_the_data():
    X, y = cases(12, 5)
    np.testing.assert_allclose(
        Probe().fit(1000 * X, y).predict_proba(1000 * X), Probe().fit(X, y).predict_proba(X)
    )


@pytest.mark.parametrize("bank", [True, False])
def test_scores_of_many_vectors_are_the_same_to_rounding(bank):
    rng = np.random.default_rng(4)
    X = rng.normal(size=(60, 8)).astype(np.float32)
    y = np.arange(9) % 3
    X[:9] += 2 * np.eye(3, 8)[y]
    reference = X[20:] if bank else None
    probe = Probe(reference_bank=reference).fit(X[:9], y)
    near = neighbour_rows(X, reference, NEIGHBOURS_AVERAGED) if bank else None
    np.testing.assert_allclose(probe.scores_beside(X, near), probe.scores(X), atol=2e-5)
