"""Effects of a reference bank of unlabelled vectors on the probe, and the heads that use it."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.neighbors import KNeighborsClassifier

from selftime.tasks.probing.heads import make_head
from selftime.tasks.probing.probe import FEW_PENALTY, Probe
from selftime.tasks.probing.reference_bank import keep_neighbours, neighbour_mean


def blobs(n=60, classes=3, d=8, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    return rng.normal(size=(n, d)) + 3 * np.eye(classes, d)[y], y


def neighbours_by_loops(x, reference_bank, count):
    """Mean of the nearest by angle, without the vector itself."""
    others = [c for c in reference_bank if not np.allclose(c, x)]
    cosines = [x @ c / np.sqrt((x @ x) * (c @ c)) for c in others]
    return sum(others[i] for i in np.argsort(cosines)[::-1][:count]) / count


def scores_by_loops(X, y, reference_bank, new):
    """Kernel ridge on vectors moved towards their neighbours, step by step."""
    labels = np.bincount(y)

    def moved(vectors):
        reach = 0.5 / labels.mean()
        return np.array([x + reach * neighbours_by_loops(x, reference_bank, 5) for x in vectors])

    Z, Zc, Zn = moved(X), moved(reference_bank), moved(new)
    mean, targets = Z.mean(axis=0), np.where(y[:, None] == np.arange(len(labels)), 1.0, -1.0)
    kernel = np.array([[(a - mean) @ (b - mean) for b in Z] for a in Z])
    dual = np.linalg.solve(
        kernel + 0.05 * np.trace(kernel) / len(Z) * np.eye(len(Z)), targets - targets.mean(axis=0)
    )
    raw, over = (
        np.array([[(a - mean) @ (b - mean) for b in Z] for a in vectors]) @ dual
        + targets.mean(axis=0)
        for vectors in (Zn, Zc)
    )
    w = labels.min() / labels.max() / labels.mean()
    return (raw - w * over.mean(axis=0)) / over.std(axis=0) ** w


@pytest.mark.late
@pytest.mark.parametrize("rows", [range(3), range(12), [0, 1, 2, 3, 6, 9]])
def test_scores_equal_the_equations_in_loops(rows):
    """One label per class, several, and unequal numbers of them."""
    X, y = blobs()
    new, _ = blobs(20, seed=1)
    rows = list(rows)
    probe = Probe(rounds=0, reference_bank=X).fit(X[rows], y[rows])
    wanted = scores_by_loops(X[rows], y[rows], X, new)
    np.testing.assert_allclose(probe.decision_function(new), wanted, atol=1e-8)


def test_with_one_label_per_class_scores_have_mean_0_and_deviation_1_over_the_bank():
    X, y = blobs()
    over = Probe(rounds=0, reference_bank=X).fit(X[:3], y[:3]).decision_function(X)
    np.testing.assert_allclose(over.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(over.std(axis=0), 1, atol=1e-9)


def own_labels_by_loops(scores, share):
    """Rows of the surest share of each class's own, and their classes, class by class."""
    rows, given = [], []
    for k in range(scores.shape[1]):
        own = [i for i, s in enumerate(scores) if s.argmax() == k]
        rest = {i: sum(np.exp(s - scores[i][k]) for s in np.delete(scores[i], k)) for i in own}
        kept = sorted(own, key=rest.__getitem__)[: int(np.ceil(share * len(own)))]
        rows += kept
        given += [k] * len(kept)
    return rows, given


@pytest.mark.parametrize("rounds", [1, 2])
def test_its_own_labels_are_learned_from_as_in_loops(rounds):
    X, y = blobs()
    new, _ = blobs(20, seed=1)
    first = Probe(rounds=0, reference_bank=X).fit(X[:6], y[:6])
    probe = Probe(rounds=rounds, reference_bank=X).fit(X[:6], y[:6])
    share = 0.5 * (1 - 6 / 60)
    over, wanted = first.decision_function(X), None
    for _ in range(rounds):
        rows, given = own_labels_by_loops(over / first.temperature_, 0.9)
        refitted = Probe(penalty=FEW_PENALTY).fit(
            np.concatenate([X[:6], X[rows]]), [*y[:6], *given]
        )
        size = first.decision_function(X).std() / refitted.decision_function(X).std()
        over, wanted = (
            (1 - share) * first.decision_function(x) + share * size * refitted.decision_function(x)
            for x in (X, new)
        )
    np.testing.assert_allclose(probe.decision_function(new), wanted, atol=1e-8)


def test_own_labels_are_left_aside_where_all_of_the_bank_is_labelled():
    X, y = blobs()
    one, other = (Probe(rounds=r, reference_bank=X).fit(X, y).decision_function(X) for r in (0, 2))
    np.testing.assert_array_equal(one, other)


def test_own_labels_help_where_labels_are_few():
    """Mean over draws of two labels per class."""
    U, _ = blobs(150, seed=1)
    new, truth = blobs(300, seed=2)

    def accuracy(rounds):
        right = []
        for seed in range(10):
            X, y = blobs(6, seed=10 + seed)
            probe = Probe(rounds=rounds, reference_bank=U).fit(X, y)
            right.append((probe.predict(new) == truth).mean())
        return np.mean(right)

    assert accuracy(2) > accuracy(0) + 0.01


def test_neighbours_are_the_nearest_by_angle_and_never_the_vector_itself():
    X, _ = blobs(40)
    found = neighbour_mean(X, 3 * X, 4)
    wanted = [neighbours_by_loops(x, np.delete(3 * X, i, axis=0), 4) for i, x in enumerate(X)]
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_of_a_small_bank_at_most_half_are_neighbours():
    reference_bank = np.eye(4)
    near = np.array([[3.0, 2.0, 1.0, 0.0]])
    np.testing.assert_allclose(neighbour_mean(near, reference_bank, 5), [[0.5, 0.5, 0, 0]])


def test_neighbours_that_are_kept_are_those_of_the_same_vectors_bank_and_number():
    X, bank = np.random.default_rng(0).normal(size=(2, 12, 4))
    asked = [(X, bank, 3), (X + 1, bank, 3), (X, bank + 1, 3), (X, bank, 2), (bank, X, 3)]
    wanted = [neighbour_mean(*one) for one in asked]
    with keep_neighbours():
        first = [neighbour_mean(*one) for one in asked]
        again = [neighbour_mean(np.copy(a), np.copy(b), count) for a, b, count in asked]
    for mean, same, kept in zip(wanted, first, again, strict=True):
        np.testing.assert_array_equal(same, mean)
        assert kept is same
    assert neighbour_mean(*asked[0]) is not neighbour_mean(*asked[0])


def test_neighbours_help_where_labels_are_few():
    """Classes apart along a few directions, noise along many."""
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    X = rng.normal(size=(300, 100)) + 5 * np.eye(3, 100)[y]
    few, reference_bank, new, truth = X[:3], X[:150], X[150:], y[150:]
    plain = (Probe().fit(few, y[:3]).predict(new) == truth).mean()
    moved = (Probe(reference_bank=reference_bank).fit(few, y[:3]).predict(new) == truth).mean()
    assert moved > plain + 0.1


def test_a_class_at_the_middle_of_all_series_no_longer_wins_everywhere():
    X, y = blobs(300, seed=1)
    few = X[:3].copy()
    few[0] = X.mean(axis=0) + 0.2 * (few[0] - X.mean(axis=0))  # a labelled case near the middle
    plain = (Probe().fit(few, y[:3]).predict(X) == y).mean()
    normal = (Probe(reference_bank=X).fit(few, y[:3]).predict(X) == y).mean()
    assert normal > plain + 0.05


def test_a_constant_score_is_left_alone():
    X, y = blobs(6)
    probe = Probe(reference_bank=np.repeat(X[:1], 4, axis=0)).fit(X, y)
    assert np.isfinite(probe.predict_proba(X)).all()


def test_cloning_keeps_the_bank():
    X, _ = blobs()
    assert np.array_equal(clone(Probe(reference_bank=X)).reference_bank, X)


def test_heads_by_name():
    X, y = blobs()
    X = X.astype(np.float32)
    assert make_head("probe", X).reference_bank is X
    near = make_head("knn", X, neighbours=3).fit(X, y)
    assert isinstance(near, KNeighborsClassifier) and near.n_neighbors == 3
    with pytest.raises(ValueError, match="got head 'tree', wanted one of probe, knn"):
        make_head("tree", X)
