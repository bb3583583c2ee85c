"""Values, several labels and steps through the estimators' door, and the choice of a strategy."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import clone
from training_material import waves

from selftime.encoders.fixed.quantiles import Quantiles
from selftime.encoders.networks.dilated import Dilated
from selftime.engine.pretrain import pretrain
from selftime.engine.training.config import TrainingConfig
from selftime.estimators import Classifier, Regressor, Segmenter
from selftime.objectives.base import Recipe
from selftime.objectives.simclr import SimCLR
from selftime.objectives.spectral import Spectral

X = waves(30)
SPEED = np.where(np.arange(30) % 2, 5.0, 2.0)
SHORT = {"budget": "6 steps", "config": TrainingConfig(recipe=Recipe(batch_size=8, rate=5e-3))}
PLAN = {"budget": "30 steps", "config": TrainingConfig(recipe=Recipe(batch_size=8, rate=5e-3))}


@pytest.fixture(scope="module")
def model():
    quantiles = Quantiles(channels=2, length=16, depth=3)
    return pretrain(X, objective=Spectral(encoder=quantiles, copies=3, dim=8))


@pytest.fixture(scope="module")
def stepwise():
    encoder = Dilated(channels=2, hidden=8, depth=3, dim=16, seed=0)
    return pretrain(X, objective=SimCLR(encoder=encoder), budget="3 steps")


def test_a_value_is_told(model):
    regressor = Regressor(model).fit(X[:20], SPEED[:20])
    assert regressor.predict(X[20:]).shape == (10,)
    assert regressor.score(X[:20], SPEED[:20]) > 0.5
    assert (regressor.strategy_, regressor.model_) == ("probe", model)


def test_several_values_are_told(model):
    y = np.stack([SPEED, 3 - 2 * SPEED], axis=1)
    regressor = Regressor(model).fit(X, y)
    said = regressor.predict(X)
    assert said.shape == (30, 2)
    np.testing.assert_allclose(said[:, 1], 3 - 2 * said[:, 0], atol=1e-8)


@pytest.mark.late
def test_values_by_a_network(stepwise):
    regressor = Regressor(stepwise, strategy="full", head="mlp", **SHORT).fit(X, SPEED)
    assert regressor.why_ == "given" and regressor.model_ is not stepwise
    again = clone(regressor).fit(X, SPEED)
    np.testing.assert_array_equal(again.predict(X), regressor.predict(X))


def test_several_labels_are_told(model):
    y = np.stack([SPEED > 3, SPEED < 3, np.ones(30)], axis=1).astype(int)
    classifier = Classifier(model).fit(X, y)
    assert classifier.predict(X).shape == (30, 3) and (classifier.predict(X) == y).mean() > 0.8
    probabilities = classifier.predict_proba(X)
    assert ((probabilities >= 0) & (probabilities <= 1)).all() and probabilities[:, 2].min() > 0.5
    assert list(classifier.classes_) == [0, 1, 2]


def test_steps_are_told(stepwise):
    y = [np.where(X.series(i)[0] > 0, "up", "down") for i in range(30)]
    segmenter = Segmenter(stepwise).fit(X[:20], y[:20])
    assert segmenter.score(X[20:], y[20:]) > 0.7
    assert list(segmenter.classes_) == ["down", "up"]
    said, probabilities = segmenter.predict(X[20:]), segmenter.predict_proba(X[20:])
    for own, shares, length in zip(said, probabilities, X[20:].lengths, strict=True):
        assert shares.shape == (length, 2)
        np.testing.assert_array_equal(np.array(["down", "up"])[shares.argmax(axis=1)], own)


@pytest.mark.late
def test_fine_tuning_changes_the_model_and_few_labels_do_not(stepwise):
    labels = np.where(SPEED > 3, "fast", "slow")
    frozen = Classifier(stepwise).fit(X, labels)
    assert (frozen.strategy_, frozen.model_) == ("probe", stepwise)
    tuned = Classifier(stepwise, strategy="staged", **PLAN).fit(X, labels)
    assert tuned.strategy_ == "staged"
    assert not np.array_equal(tuned.model_.embed(X), stepwise.embed(X))
    assert (tuned.predict(X) == labels).mean() > 0.7


@pytest.mark.parametrize(
    "estimator, y, text",
    [
        (Regressor, ["a"] * 30, "got 'a' for a value, wanted numbers: use Classifier"),
        (Regressor, None, "Regressor requires y to be passed, but the target y is None"),
        (Regressor, np.full(30, np.nan), "got y without a value for a single series"),
        (Regressor, [1.0] * 29 + [10**400], "labels hold a number beyond 64 bits: rescale"),
        (
            Regressor,
            [1.0] * 29 + [1e300],
            r"got 1e\+300 in y, wanted values up to 1e\+150: rescale",
        ),
        (Regressor, np.full(30, 1j), "got complex y, wanted real numbers"),
        (Regressor, csr_array(np.ones((30, 1))), r"got sparse y, .* y.toarray\(\)"),
        (Regressor, [[1.0], [1.0, 2.0]] * 15, "got y nested unevenly, wanted one value or row"),
        (Classifier, torch.ones(30, device="meta"), "y cannot be read as an array"),
        (Regressor, np.ones((7, 2)), "got 7 rows of values for 30 series: one each"),
        (Classifier, np.full((30, 2), 3), "labels with other values than 0 and 1"),
        (Classifier, np.ones((7, 2)), "got 7 rows of labels for 30 series: one each"),
    ],
)
def test_wrong_targets_are_named(model, estimator, y, text):
    with pytest.raises(ValueError, match=text):
        estimator(model).fit(X, y)


def test_targets_may_be_tensors_with_gradients(model):
    values = torch.linspace(0, 1, 30, requires_grad=True)
    found = Regressor(model).fit(X, values).predict(X)
    np.testing.assert_array_equal(
        found, Regressor(model).fit(X, values.detach().numpy()).predict(X)
    )


def test_wrong_labels_of_steps_are_named(stepwise, model):
    y = [np.arange(length) > 5 for length in X.lengths]
    with pytest.raises(ValueError, match="got labels for 29 series, wanted 30: an array each"):
        Segmenter(stepwise).fit(X, y[1:])
    short = [*y[:-1], y[-1][1:]]
    with pytest.raises(ValueError, match=f"series '29' has {X.lengths[29]} steps and labels of"):
        Segmenter(stepwise).fit(X, short)
    with pytest.raises(ValueError, match="got head 'attention', which makes one vector per series"):
        Segmenter(stepwise, strategy="full", head="attention").fit(X, y)
    with pytest.raises(ValueError, match="has no vector for a step: pretrain one with tokens"):
        Segmenter(model).fit(X, y)
