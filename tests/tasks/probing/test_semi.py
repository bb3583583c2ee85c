"""Heads with unlabelled vectors: beside plain loops, by hand, and where they must help."""

import numpy as np
import pytest
from sklearn.base import clone

import selftime
from selftime.estimators import Classifier
from selftime.tasks.probing.heads import HEAD_NAMES, SEMI, make_head
from selftime.tasks.probing.probe import Probe
from selftime.tasks.probing.reference_bank import most_confident, most_confident_share
from selftime.tasks.probing.semi import (
    LabelSpreading,
    Prototypes,
    SelfTraining,
    are_nearest,
    balanced_scores,
    neighbour_graph,
    propagate_labels,
)


def blobs(n: int, classes: int = 3, d: int = 6, seed: int = 0, apart: float = 2.5):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    return rng.normal(size=(n, d)) + apart * np.eye(classes, d)[y], y


def moons(n: int, seed: int):
    """Two bent threads: labels follow the thread, not the distance."""
    rng = np.random.default_rng(seed)
    t, y = rng.uniform(0, np.pi, n), np.arange(n) % 2
    x = np.where(y, 1 - np.cos(t), np.cos(t)), np.where(y, 0.5 - np.sin(t), np.sin(t))
    return np.stack([*x, np.full(n, 0.01)], axis=1) + 0.03 * rng.normal(size=(n, 3)), y


@pytest.mark.parametrize("name", SEMI)
def test_unlabelled_vectors_help_at_one_label(name):
    """Mean over 10 draws of one label per class, beside the head without unlabelled vectors."""
    U, _ = blobs(120, seed=1)
    new, truth = blobs(300, seed=2)

    def accuracy(unlabelled):
        right = []
        for seed in range(10):
            X, y = blobs(3, seed=10 + seed)
            head = SEMI[name](unlabelled=unlabelled).fit(X, y)
            right.append(np.mean(head.predict(new) == truth))
        return float(np.mean(right))

    assert accuracy(U) > accuracy(None) + 0.02


@pytest.mark.parametrize("name", SEMI)
def test_names_of_classes_probabilities_and_cloning(name):
    X, y = blobs(12)
    U, _ = blobs(60, seed=1)
    names = np.array(["c", "a", "b"])[y]
    head = clone(make_head(name, U.astype(np.float32))).fit(X, names)
    shares = head.predict_proba(U)
    assert head.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (head.predict(U) == head.classes_[shares.argmax(axis=1)]).all()
    given = make_head(name, None).fit(X, names, U.astype(np.float32))
    np.testing.assert_allclose(given.predict_proba(U), shares, atol=1e-6)


@pytest.mark.parametrize("name", SEMI)
def test_the_order_of_unlabelled_vectors_changes_nothing(name):
    X, y = blobs(6)
    U, _ = blobs(60, seed=1)
    turned = U[np.random.default_rng(0).permutation(60)]
    one, other = (SEMI[name](unlabelled=u).fit(X, y).predict_proba(U) for u in (U, turned))
    # the temperature of the probe is found by search, to within 1e-5 of its logarithm
    np.testing.assert_allclose(one, other, atol=1e-5 if name == "self_training" else 1e-8)


@pytest.mark.parametrize("name", SEMI)
def test_arguments_stay_as_they_were(name):
    X, y = blobs(6)
    U, _ = blobs(30, seed=1)
    before = X.copy(), y.copy(), U.copy()
    SEMI[name](unlabelled=U).fit(X, y).predict(U)
    for now, then in zip((X, y, U), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("name", SEMI)
def test_unlabelled_vectors_of_another_model_are_refused(name):
    X, y = blobs(6)
    wanted = r"got unlabelled vectors of shape \(9, 2\), wanted \(any, 6\): embed them with"
    with pytest.raises(ValueError, match=wanted):
        SEMI[name]().fit(X, y, np.zeros((9, 2)))


def test_prototypes_are_those_of_the_loops():
    X, y = blobs(6)
    U, _ = blobs(20, seed=1)
    head = Prototypes(temperature=0.5, rounds=2, unlabelled=U).fit(X, y)
    centre = U.mean(axis=0)

    def along(x):
        return (x - centre) / np.linalg.norm(x - centre)

    def level(score, k, means):
        over = [along(u) @ means[k] for u in U]
        return (score - np.mean(over)) / np.std(over)

    means = [sum(along(x) for x, c in zip(X, y, strict=True) if c == k) for k in range(3)]
    means = [m / np.linalg.norm(m) for m in means]
    for _ in range(2):
        totals = [sum(along(x) for x, c in zip(X, y, strict=True) if c == k) for k in range(3)]
        for u in U:
            powers = [np.exp(level(along(u) @ means[k], k, means) / 0.5) for k in range(3)]
            totals = [t + p / sum(powers) * along(u) for t, p in zip(totals, powers, strict=True)]
        means = [t / np.linalg.norm(t) for t in totals]
    np.testing.assert_allclose(head.means_, means, atol=1e-9)


def test_levelled_scores_have_mean_0_and_deviation_1_over_the_unlabelled():
    over = np.random.default_rng(0).normal(size=(50, 3)) * [1, 5, 0.1] + [3, 0, 1]
    full = balanced_scores(over, over, 1.0)
    np.testing.assert_allclose(full.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(full.std(axis=0), 1)
    same_order = balanced_scores(over, over, 0.0)
    assert (same_order.argmax(axis=1) == over.argmax(axis=1)).all()


def test_unequal_numbers_of_labels_speak_for_unequal_classes():
    X, y = blobs(40, classes=2)
    some = np.flatnonzero((y == 0) | (np.arange(40) < 4))
    assert Prototypes().fit(X[some], y[some]).strength_ == pytest.approx(0.1)


def test_the_surest_of_each_class_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8], [0.45, 0.55]])
    scores = np.log(probabilities)
    rows, given = most_confident(scores, 2)
    assert rows.tolist() == [0, 2, 3, 4] and given.tolist() == [0, 0, 1, 1]
    rows, given = most_confident(scores, 1)
    assert rows.tolist() == [0, 3] and given.tolist() == [0, 1]
    assert most_confident(scores[:3], 9)[0].tolist() == [0, 2, 1]
    sure = np.array([[50.0, 0.0], [60.0, 0.0], [55.0, 0.0]])  # each 1 as a probability
    assert most_confident(sure, 2)[0].tolist() == [1, 2]


def test_the_surest_share_counts_each_class_by_what_it_was_given():
    scores = np.log([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8], [0.8, 0.2]])
    rows, given = most_confident_share(scores, 0.5)
    assert rows.tolist() == [0, 4, 3] and given.tolist() == [0, 0, 1]


def test_self_training_is_the_probe_fitted_again():
    X, y = blobs(3)
    U, _ = blobs(30, seed=1)
    head = SelfTraining(share=0.5, rounds=1, unlabelled=U).fit(X, y)
    first = Probe(rounds=0, reference_bank=U).fit(X, y)
    probabilities, rows = first.predict_proba(U), []
    for k in range(3):
        mine = [i for i in range(30) if probabilities[i].argmax() == k]
        rows += sorted(mine, key=lambda i: -probabilities[i].max())[:5]
    again = Probe(rounds=0, reference_bank=U).fit(
        np.concatenate([X, U[rows]]), np.concatenate([y, probabilities[rows].argmax(axis=1)])
    )
    np.testing.assert_allclose(head.predict_proba(U), again.predict_proba(U), atol=1e-9)


def test_spreading_is_the_limit_of_the_iteration():
    """F ← αSF + (1 - α)Y, from which the paper has its closed form."""
    known = blobs(15)[0]
    known /= np.linalg.norm(known, axis=1, keepdims=True)
    graph = neighbour_graph(known, 3)
    Y = np.zeros((15, 2))
    Y[0, 0] = Y[1, 1] = 1
    S = np.zeros((15, 15))
    for i in range(15):
        for j in range(15):
            S[i, j] = graph[i, j] / np.sqrt(sum(graph[i]) * sum(graph[j]))
    F = Y.copy()
    for _ in range(400):
        F = 0.8 * S @ F + 0.2 * Y
    np.testing.assert_allclose(propagate_labels(graph, Y, 0.8), F, atol=1e-10)


def test_a_graph_links_whoever_is_near_to_either():
    angles = np.array([0.0, 0.1, 0.3, 2.0])
    known = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    graph = neighbour_graph(known, 1)
    linked = {(i, j) for i in range(4) for j in range(i) if graph[i, j] > 0}
    assert linked == {(1, 0), (2, 1), (3, 2)}
    np.testing.assert_allclose(graph, graph.T)
    assert graph[1, 0] == pytest.approx(np.exp(-np.square(known[1] - known[0]).sum()))
    assert are_nearest(np.array([[0.1, 0.9, 0.5]]), 2).tolist() == [[False, True, True]]


def test_labels_follow_a_thread():
    U, _ = moons(300, seed=0)
    X, y = moons(2, seed=3)
    new, truth = moons(200, seed=1)
    spread = LabelSpreading(neighbours=6, alpha=0.99, unlabelled=U).fit(X, y)
    plain = np.mean(Probe().fit(X, y).predict(new) == truth)
    assert np.mean(spread.predict(new) == truth) > plain + 0.05


def test_where_no_label_came_all_vectors_vote():
    far = np.array([[-1.0, 0.0], [-1.0, 0.01], [-1.0, -0.01]])
    near = np.array([[1.0, 0.5], [1.0, 0.55], [1.0, -0.5], [1.0, -0.55]])
    head = LabelSpreading(neighbours=2, alpha=0.5, unlabelled=np.concatenate([far, near]))
    shares = head.fit(near[[0, 2]], ["up", "down"]).predict_proba(np.array([[-1.0, 0.05]]))
    assert np.isfinite(shares).all() and shares.sum() == pytest.approx(1)


def test_the_classifier_takes_them_by_name_with_the_cohort_of_its_model():
    rng = np.random.default_rng(0)
    y = np.arange(30) % 2
    x = np.sin((0.4 + 0.4 * y)[:, None] * np.arange(20) + rng.uniform(0, 6, size=(30, 1)))
    model = selftime.pretrain(x, encoder="quantiles")
    for name in SEMI:
        clf = Classifier(model, head=name).fit(x[:6], y[:6])
        assert clf.solution_.head.unlabelled is model.reference_bank and clf.predict_proba(
            x
        ).shape == (
            30,
            2,
        )
    assert HEAD_NAMES == ("probe", "knn", "prototypes", "self_training", "spread")
