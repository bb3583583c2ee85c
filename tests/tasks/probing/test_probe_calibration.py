"""Probabilities at few labels: simulated labels say how sure the probe may be."""

import numpy as np
import pytest

from selftime.tasks.evaluation.reliability import calibration_error
from selftime.tasks.probing.probe import Probe, softmax_temperature


def groups(spread: float, classes: int, n: int = 300, seed: int = 0):
    """Vectors around one centre a class, and the numbers of their classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    return np.eye(classes, 20)[y] + spread * rng.normal(size=(n, 20)), y


def error_of(spread: float, classes: int, each: int, simulations: int) -> float:
    """Mean calibration error over draws of the labels."""
    errors = []
    for seed in range(5):
        X, y = groups(spread, classes, seed=seed)
        new, truth = groups(spread, classes, seed=100 + seed)
        labelled = np.arange(each * classes)
        probe = Probe(simulations=simulations, reference_bank=X).fit(X[labelled], y[labelled])
        sure = probe.predict_proba(new)
        errors.append(float(calibration_error(sure.max(1), sure.argmax(1) == truth)))
    return float(np.mean(errors))


@pytest.mark.parametrize("spread, classes", [(0.12, 3), (0.5, 3), (0.7, 3), (0.4, 12)])
@pytest.mark.parametrize("each", [1, 2])
def test_few_labels_promise_what_they_keep(spread, classes, each):
    alone, simulated = (error_of(spread, classes, each, n) for n in (0, 4))
    assert simulated < max(0.12, 0.8 * alone)


def test_simulated_labels_change_no_class_and_no_score():
    X, y = groups(0.5, 4)
    plain = Probe(reference_bank=X).fit(X[:8], y[:8])
    simulated = Probe(simulations=3, reference_bank=X).fit(X[:8], y[:8])
    assert np.array_equal(plain.scores(X), simulated.scores(X))
    assert plain.temperature_ != simulated.temperature_


def test_many_labels_speak_for_themselves():
    X, y = groups(0.5, 3, n=400)
    plain = Probe(reference_bank=X).fit(X[:201], y[:201])
    assert Probe(simulations=3, reference_bank=X).fit(X[:201], y[:201]).temperature_ == (
        plain.temperature_
    )


def test_a_bank_of_one_class_simulates_nothing():
    rng = np.random.default_rng(0)
    X = np.concatenate([[[1.0, 0, 0, 0]], rng.normal(size=(30, 4)) * 0.01 + [0, 1, 0, 0]])
    probe = Probe(simulations=2, reference_bank=X[1:]).fit(X[[0, 1]], [0, 1])
    assert np.isfinite(probe.predict_proba(X)).all()


def test_simulated_cases_pull_the_temperature_towards_theirs():
    rng = np.random.default_rng(0)
    index, many = np.arange(12) % 3, np.arange(240) % 3
    scores = rng.normal(size=(12, 3)) + np.eye(3)[index]
    sure = 3 * np.eye(3)[many] + rng.normal(size=(240, 3))
    alone, theirs = softmax_temperature(scores, index), softmax_temperature(sure, many)
    both = softmax_temperature(scores, index, [(sure, many)])
    assert theirs < both < alone


def test_few_labels_are_never_as_good_as_certain():
    X, y = groups(0.01, 2)
    probe = Probe(simulations=4, reference_bank=X).fit(X[:4], y[:4])
    sure = probe.predict_proba(X)
    assert (sure.argmax(axis=1) == y).all()
    assert 0.9 < sure.max(axis=1).mean() < 0.9999
