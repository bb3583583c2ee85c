"""Scores normalised over a cohort of unlabelled vectors, and the heads that use it."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.neighbors import KNeighborsClassifier

from selftime.tasks.heads import head_of
from selftime.tasks.probe import Probe


def blobs(n=60, classes=3, d=8, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    return rng.normal(size=(n, d)) + 3 * np.eye(classes, d)[y], y


def test_with_one_label_a_class_scores_have_mean_0_and_deviation_1_over_the_cohort():
    X, y = blobs()
    probe = Probe(cohort=X).fit(X[:3], y[:3])
    over = X @ probe.coef_.T + probe.intercept_
    np.testing.assert_allclose(over.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(over.std(axis=0), 1, atol=1e-9)


def test_normalisation_fades_with_the_number_of_labels():
    X, y = blobs(300)
    for n in (30, 300):
        plain, normal = Probe().fit(X[:n], y[:n]), Probe(cohort=X).fit(X[:n], y[:n])
        raw = X @ plain.coef_.T + plain.intercept_
        w = 3 / n
        wanted = (raw - w * raw.mean(axis=0)) / raw.std(axis=0) ** w
        np.testing.assert_allclose(X @ normal.coef_.T + normal.intercept_, wanted, atol=1e-8)


def test_unequal_numbers_of_labels_speak_for_unequal_classes():
    X, y = blobs(60)
    rows = [0, 1, 2, 3, 6, 9]  # four labels of the first class, one of each other
    plain, normal = Probe().fit(X[rows], y[rows]), Probe(cohort=X).fit(X[rows], y[rows])
    raw = X @ plain.coef_.T + plain.intercept_
    w = 1 / 4 / 2  # rarest over most frequent, over the mean number of labels a class
    wanted = (raw - w * raw.mean(axis=0)) / raw.std(axis=0) ** w
    np.testing.assert_allclose(X @ normal.coef_.T + normal.intercept_, wanted, atol=1e-8)


def test_a_class_at_the_middle_of_all_series_no_longer_wins_everywhere():
    X, y = blobs(300, seed=1)
    few = X[:3].copy()
    few[0] = X.mean(axis=0) + 0.2 * (few[0] - X.mean(axis=0))  # a labelled case near the middle
    plain = (Probe().fit(few, y[:3]).predict(X) == y).mean()
    normal = (Probe(cohort=X).fit(few, y[:3]).predict(X) == y).mean()
    assert normal > plain + 0.05


def test_a_constant_score_is_left_alone():
    X, y = blobs(6)
    probe = Probe(cohort=np.repeat(X[:1], 4, axis=0)).fit(X, y)
    assert np.isfinite(probe.predict_proba(X)).all()


def test_cloning_keeps_the_cohort():
    X, _ = blobs()
    assert np.array_equal(clone(Probe(cohort=X)).cohort, X)


def test_heads_by_name():
    X, y = blobs()
    X = X.astype(np.float32)
    assert head_of("probe", X).cohort is X
    near = head_of("knn", X, neighbours=3).fit(X, y)
    assert isinstance(near, KNeighborsClassifier) and near.n_neighbors == 3
    with pytest.raises(ValueError, match="got head 'tree', wanted one of probe, knn"):
        head_of("tree", X)
