"""scikit-learn's own list of checks on every estimator of the package."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from selftime.encoders.fixed.quantiles import Quantiles
from selftime.engine.pretrain import pretrain
from selftime.estimators import Classifier, SelfSupervised
from selftime.objectives.spectral import Spectral
from selftime.tasks.probing.probe import Probe

WAVES = np.sin(np.linspace(0, 6, 12) * np.arange(1, 9)[:, None])


def quick() -> Spectral:
    """An objective that learns in milliseconds."""
    return Spectral(encoder=Quantiles(channels=1, length=8, depth=2), copies=3, dim=8)


MODEL = pretrain(WAVES, objective=quick())

TYPES = "the tests check types on every call, so the constructor itself refuses a wrong one"
COPIES = "joblib's hash of a tensor changes when it is copied, though no number in it does"

UNCHECKED = {
    "SelfSupervised": {},
    "Classifier": {
        "check_estimators_overwrite_params": COPIES,
    },
    "Probe": {},
}
"""What fails also where types are not checked on every call, which they are not in slow tests."""


def expected_to_fail(estimator):
    """One that passes fails the test: pytest's ``xfail_strict`` holds for these as well."""
    return unchecked(estimator) | {"check_do_not_raise_errors_in_init_or_set_params": TYPES}


def unchecked(estimator):
    return UNCHECKED[type(estimator).__name__]


@pytest.mark.late
@parametrize_with_checks(
    [Classifier(MODEL)],
    expected_failed_checks=expected_to_fail,
)
def test_series_estimators(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [SelfSupervised(quick(), "auto"), Classifier(MODEL, head="knn", n_neighbors=1)],
    expected_failed_checks=unchecked,
)
def test_other_series_estimators(estimator, check):
    check(estimator)


@parametrize_with_checks([Probe()], expected_failed_checks=expected_to_fail)
def test_probe(estimator, check):
    check(estimator)


def test_classifier_leaves_the_model_as_it_was():
    """What the check of overwritten parameters asks, asked of the numbers themselves."""
    before = {name: tensor.clone() for name, tensor in MODEL.encoder.state_dict().items()}
    classifier = Classifier(MODEL).fit(WAVES, np.arange(8) % 2)
    assert classifier.model is MODEL and classifier.model_ is MODEL
    assert all(
        (tensor == before[name]).all() for name, tensor in MODEL.encoder.state_dict().items()
    )


@pytest.mark.parametrize(
    "estimator, method, rounding",
    [
        (SelfSupervised(quick(), "auto"), "transform", 1e-6),
        (Classifier(MODEL), "predict", 1e-6),
        (Classifier(MODEL, head="knn"), "predict_proba", 1e-4),  # by inverse float32 distances
    ],
    ids=["transform", "predict", "knn"],
)
def test_series_order_matters_no_more_than_rounding(estimator, method, rounding):
    y = np.arange(8) % 2
    answer = getattr(estimator.fit(WAVES, y), method)
    order = np.random.default_rng(0).permutation(8)
    np.testing.assert_allclose(answer(WAVES)[order], answer(WAVES[order]), atol=rounding)
    alone = np.concatenate([answer(WAVES[i : i + 1]) for i in range(8)])
    np.testing.assert_allclose(answer(WAVES), alone, atol=rounding)
