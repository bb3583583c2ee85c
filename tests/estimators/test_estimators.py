"""The estimators on what scikit-learn's checks do not know: ragged, labelled, many channels."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from selftime.data.arrays import SeriesError
from selftime.data.readers import read
from selftime.data.series import SeriesSet
from selftime.encoders.builders import BUILDERS
from selftime.encoders.fixed.quantiles import Quantiles
from selftime.engine.pretrain import pretrain
from selftime.estimators import Classifier, SelfSupervised
from selftime.objectives.spectral import Spectral
from selftime.tasks.probing.heads import make_head
from selftime.tasks.probing.probe import Probe


def slow_and_fast(n, rng, lengths=(24, 40), channels=1):
    """Noisy sines of unequal lengths with one of two frequencies, and which one."""
    y = np.arange(n) % 2
    T = rng.integers(*lengths, size=n)
    waves = [
        np.sin((0.3 + 0.5 * k) * np.arange(t) + rng.uniform(0, 6))
        for k, t in zip(y, T, strict=True)
    ]
    X = [np.tile(w, (channels, 1)) + 0.2 * rng.normal(size=(channels, len(w))) for w in waves]
    return X, np.array(["slow", "fast"])[y]


@pytest.fixture(scope="module")
def data():
    return slow_and_fast(24, np.random.default_rng(0))


@pytest.fixture(scope="module")
def model(data):
    return pretrain(data[0], encoder="quantiles")


@pytest.mark.late
@pytest.mark.parametrize("head", ["linear", "knn"])
def test_classifier_learns_from_ragged_lists(data, model, head):
    X, y = data
    classifier = Classifier(model, head=head).fit(X[:10], y[:10])
    with pytest.warns(UserWarning, match="14 of 14 test series were seen in pretraining"):
        assert classifier.score(X[10:], y[10:]) > 0.8
    shares = classifier.predict_proba(X)
    assert list(classifier.classes_) == ["fast", "slow"]
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_array_equal(classifier.classes_[shares.argmax(1)], classifier.predict(X))


def test_labels_that_series_carry_are_used(data, model):
    X, y = data
    carried = Classifier(model).fit(SeriesSet.of(X, y))
    np.testing.assert_array_equal(carried.predict(X), Classifier(model).fit(X, y).predict(X))


def test_given_labels_take_the_place_of_carried_ones(data, model):
    X, y = data
    swapped = np.where(y == "slow", "fast", "slow")
    given = Classifier(model).fit(SeriesSet.of(X, y), swapped)
    np.testing.assert_array_equal(given.predict(X), Classifier(model).fit(X, swapped).predict(X))


def test_knn_gives_the_label_of_the_nearest_vector_by_cosine(data, model):
    X, y = data
    Z = model.embed(X).astype(np.float64)
    nearest = []
    for z in Z[10:]:
        cosines = [z @ r / np.linalg.norm(z) / np.linalg.norm(r) for r in Z[:10]]
        nearest.append(y[int(np.argmax(cosines))])
    classifier = Classifier(model, head="knn", n_neighbors=1).fit(X[:10], y[:10])
    assert list(classifier.predict(X[10:])) == nearest


@pytest.mark.parametrize("labelled, asked", [(10, 5), (4, 4)])
def test_knn_asks_five_or_all_where_there_are_fewer(data, model, labelled, asked):
    X, y = data
    fitted = [
        Classifier(model, head="knn", n_neighbors=count).fit(X[:labelled], y[:labelled])
        for count in (None, asked)
    ]
    first, second = (found.predict_proba(X) for found in fitted)
    np.testing.assert_array_equal(first, second)


def test_probe_head_is_the_probe_on_the_vectors(data, model):
    X, y = data
    probe = make_head("probe", model.reference_bank).fit(model.embed(X[:10]), y[:10])
    assert isinstance(probe, Probe)
    got = Classifier(model).fit(X[:10], y[:10]).predict_proba(X)
    np.testing.assert_allclose(got, probe.predict_proba(model.embed(X)), atol=1e-6)


@pytest.mark.late
def test_classifier_pretrains_on_its_own_series_when_it_has_no_model(monkeypatch):
    monkeypatch.setitem(BUILDERS, "rocket", BUILDERS["quantiles"])
    X, y = slow_and_fast(16, np.random.default_rng(1), channels=2)
    classifier = Classifier(random_state=3).fit(X, y)
    assert classifier.model is None
    wanted = pretrain(X, seed=3).embed(X)
    np.testing.assert_array_equal(classifier.model_.embed(X), wanted)
    assert classifier.score(X, y) > 0.9


@pytest.mark.late
def test_transformer_is_pretraining(data, model):
    X, y = data
    transformer = SelfSupervised(encoder="quantiles")
    np.testing.assert_array_equal(transformer.fit(X, y).transform(X), model.embed(X))
    np.testing.assert_array_equal(transformer.fit_transform(X), model.embed(X))
    other = SelfSupervised(encoder="quantiles", random_state=1).fit(X).transform(X)
    assert not np.array_equal(other, model.embed(X))


def test_transformer_names_its_columns(data):
    X, _ = data
    transformer = SelfSupervised(encoder="quantiles").fit(X)
    names = transformer.get_feature_names_out()
    assert len(names) == transformer.transform(X).shape[1] and names[0] == "e0"


def test_transformer_in_a_pipeline(data):
    X, y = data
    pipeline = make_pipeline(SelfSupervised(encoder="quantiles"), Probe()).fit(X, y)
    assert pipeline.score(X, y) > 0.9


def test_ready_parts_are_not_changed_by_fit(data):
    X, _ = data
    objective = Spectral(encoder=Quantiles(channels=1, length=32), dim=8)
    first = SelfSupervised(objective, encoder="auto").fit(X)
    assert not hasattr(objective, "basis")
    again = clone(first).fit(X)
    np.testing.assert_array_equal(first.transform(X), again.transform(X))


def test_width_is_fixed_for_two_dimensional_arrays_only():
    rng = np.random.default_rng(0)
    transformer = SelfSupervised(encoder="quantiles").fit(rng.normal(size=(6, 12)))
    assert transformer.n_features_in_ == 12
    said = r"X has 9 features, but SelfSupervised is expecting 12 .*, so give .* as selftime.read"
    with pytest.raises(ValueError, match=said):
        transformer.transform(rng.normal(size=(6, 9)))
    assert transformer.transform(read(rng.normal(size=(6, 9)))).shape[0] == 6
    assert transformer.transform(rng.normal(size=(6, 1, 9))).shape[0] == 6
    assert transformer.transform([rng.normal(size=9), rng.normal(size=30)]).shape[0] == 2
    transformer.fit(rng.normal(size=(6, 1, 9)))
    assert not hasattr(transformer, "n_features_in_")


def test_lists_of_numbers_are_arrays():
    X = np.random.default_rng(0).normal(size=(6, 12)).astype(np.float32)
    transformer = SelfSupervised(encoder="quantiles").fit(X.tolist())
    assert transformer.n_features_in_ == 12
    np.testing.assert_array_equal(transformer.transform(X.tolist()), transformer.transform(X))


def test_frames_and_missing_values_are_read():
    X = np.random.default_rng(0).normal(size=(6, 12))
    X[2, 4:7] = np.nan
    rows = [(f"s{i}", t, v) for i, series in enumerate(X) for t, v in enumerate(series)]
    frame = pd.DataFrame(rows, columns=["unique_id", "ds", "y"])
    transformer = SelfSupervised(encoder="quantiles").fit(frame)
    np.testing.assert_array_equal(transformer.transform(frame), transformer.transform(X))


@pytest.mark.parametrize(
    "change, text",
    [
        ({"head": "forest"}, "got head 'forest', wanted one of linear, mlp"),
        ({"y": None}, "requires y to be passed, but the target y is None and the series carry no"),
        ({"y": ["a"]}, "got 1 labels for 24 series"),
        ({"y": np.linspace(0, 1, 24)}, "Unknown label type: continuous"),
        ({"y": np.where(np.arange(24) > 2, 1, np.nan)}, r"got one class only \(1.0\), wanted"),
        ({"y": [None] * 24}, "Classifier requires y to be passed, but it holds no labels"),
    ],
)
def test_classifier_errors_come_before_any_work(data, model, monkeypatch, change, text):
    monkeypatch.setattr(type(model), "embed", lambda *_, **__: pytest.fail("embedded first"))
    classifier = Classifier(model, head=change.get("head", "linear"))
    with pytest.raises(ValueError, match=text):
        classifier.fit(data[0], change.get("y", data[1]))


def test_wrong_channels_are_named(data, model):
    X, y = slow_and_fast(6, np.random.default_rng(0), channels=2)
    with pytest.raises(SeriesError, match="got series of 2 channels, wanted 1"):
        Classifier(model).fit(X, y)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="got encoder 'rockets', wanted one of rocket"):
        SelfSupervised(encoder="rockets").fit(np.eye(4))
