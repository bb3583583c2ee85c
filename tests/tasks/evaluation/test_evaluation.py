"""Evaluation of a classifier: every figure beside plain loops, the mistakes, JSON and back."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

import selftime as st
from selftime.data.series import SeriesError, SeriesSet
from selftime.tasks.comparison.compare import draw_labels, row_hits
from selftime.tasks.comparison.rows import model_row
from selftime.tasks.evaluation.evaluation import (
    Evaluation,
    evaluate,
    evaluate_shots,
    evaluation_of,
    six_digits,
)
from selftime.tasks.evaluation.lookalikes import MOST_MISTAKES, Lookalike, Mistake


def waves(n: int, seed: int, *, noise: float = 0.3) -> SeriesSet:
    """Noisy sines of three speeds, ``n`` in all."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    phase = rng.uniform(0, 6, size=(n, 1))
    x = np.sin((0.4 + 0.2 * y)[:, None] * np.arange(24) + phase)
    ids = [f"{seed}-{i}" for i in range(n)]
    return SeriesSet.of(
        x + noise * rng.normal(size=x.shape), np.array(["slow", "mid", "fast"])[y], ids=ids
    )


TRAIN, TEST = waves(30, 0), waves(60, 1, noise=0.9)


@pytest.fixture(scope="module")
def model():
    return st.pretrain(TRAIN, encoder="quantiles")


@pytest.fixture(scope="module")
def found(model) -> Evaluation:
    classifier = st.Classifier(model).fit(TRAIN, TRAIN.labels)
    return evaluate(model, classifier, TRAIN, TEST)


def plain(probabilities, truth, **parts) -> Evaluation:
    """An evaluation of given probabilities, the likeliest class predicted."""
    probabilities = np.array(probabilities, float)
    return Evaluation(
        classes=np.array([f"c{k}" for k in range(probabilities.shape[1])]),
        ids=np.array([str(i) for i in range(len(probabilities))]),
        truth=np.array(truth),
        predicted=probabilities.argmax(axis=1),
        probabilities=probabilities,
        labelled=9,
        **parts,
    )


def random_evaluation(M: int = 157, K: int = 4) -> Evaluation:
    rng = np.random.default_rng(M)
    probabilities = six_digits(rng.dirichlet(np.full(K, 0.6), size=M))
    return plain(probabilities, [rng.choice(K, p=p / p.sum()) for p in probabilities])


def test_it_is_what_the_classifier_says(model, found):
    classifier = st.Classifier(model).fit(TRAIN, TRAIN.labels)
    assert found.classes.tolist() == ["fast", "mid", "slow"] and found.labelled == 30
    assert found.ids.tolist() == TEST.ids.tolist()
    np.testing.assert_array_equal(found.classes[found.truth], TEST.labels)
    np.testing.assert_array_equal(found.classes[found.predicted], classifier.predict(TEST))
    np.testing.assert_allclose(found.probabilities, classifier.predict_proba(TEST), rtol=5e-6)
    assert found.accuracy == pytest.approx(classifier.score(TEST, TEST.labels))
    assert 0.4 < found.accuracy < 1


def test_figures_equal_plain_loops():
    e = random_evaluation()
    M, K = e.probabilities.shape
    nll = brier = 0.0
    count = [[0] * K for _ in range(K)]
    for i in range(M):
        y, guess = int(e.truth[i]), int(e.predicted[i])
        nll -= math.log(e.probabilities[i, y]) / M
        brier += sum((e.probabilities[i, k] - (1 if k == y else 0)) ** 2 for k in range(K)) / M
        count[y][guess] += 1
    recalls, f1 = [], []
    for k in range(K):
        hit, size = count[k][k], sum(count[k])
        given = sum(row[k] for row in count)
        recalls.append(hit / size)
        recall, precision = hit / size, hit / given
        f1.append(2 * recall * precision / (recall + precision))
    assert e.confusion.tolist() == count
    assert e.accuracy == pytest.approx(sum(count[k][k] for k in range(K)) / M, rel=1e-12)
    assert e.balanced_accuracy == pytest.approx(sum(recalls) / K, rel=1e-12)
    assert e.macro_f1 == pytest.approx(sum(f1) / K, rel=1e-12)
    assert e.negative_log_likelihood == pytest.approx(nll, rel=1e-12)
    assert e.brier_score == pytest.approx(brier, rel=1e-12)


def test_classes_without_series_are_left_out_of_means():
    e = plain([[0.8, 0.2, 0.0], [0.3, 0.7, 0.0], [0.6, 0.4, 0.0]], [0, 1, 1])
    assert e.balanced_accuracy == pytest.approx((1 + 1 / 2) / 2)
    assert e.macro_f1 == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_a_true_class_held_to_be_impossible_costs_36_nats():
    e = plain([[1.0, 0.0], [0.0, 1.0]], [0, 0])
    assert e.negative_log_likelihood == pytest.approx(52 * math.log(2) / 2)
    assert e.brier_score == 1.0


def test_the_nearest_training_series_equal_a_plain_search(model, found):
    train, test = (model.embed(part).astype(float) for part in (TRAIN, TEST))

    def nearest(i: int, name: str) -> Lookalike:
        cosines = [
            float(test[i] @ train[j]) / (math.hypot(*test[i]) * math.hypot(*train[j]))
            if TRAIN.labels[j] == name
            else -2.0
            for j in range(len(train))
        ]
        best = max(range(len(train)), key=cosines.__getitem__)
        return Lookalike(str(TRAIN.ids[best]), pytest.approx(cosines[best], abs=1e-6))

    rows = sorted(np.flatnonzero(~found.right), key=lambda i: -found.confidence[i])
    assert len(rows) > 5 and len(found.mistakes) == min(len(rows), MOST_MISTAKES)
    for i, mistake in zip(rows, found.mistakes, strict=False):
        truth, given = TEST.labels[i], found.classes[found.predicted[i]]
        words = (str(TEST.ids[i]), str(truth), str(given), found.confidence[i])
        assert mistake == Mistake(*words, nearest(i, given), nearest(i, truth))


def test_only_so_many_mistakes_are_kept_the_surest_first():
    M = MOST_MISTAKES + 6
    series = SeriesSet.of(np.random.default_rng(0).normal(size=(M, 5)), ["a", "b"] * (M // 2))
    probabilities = np.stack([np.linspace(0.55, 0.95, M), 1 - np.linspace(0.55, 0.95, M)], axis=1)
    flipped = replace(series, labels=np.full(M, "b"))
    space = np.random.default_rng(1).normal(size=(M, 3))
    e = evaluation_of(probabilities, np.array(["a", "b"]), (space, space), series, flipped)
    assert [m.id for m in e.mistakes] == [str(M - 1 - k) for k in range(MOST_MISTAKES)]


def test_a_class_that_training_lacked_is_never_right(model):
    classifier = st.Classifier(model).fit(TRAIN, TRAIN.labels)
    strange = replace(TEST, labels=np.where(np.arange(60) < 6, "odd", TEST.labels))
    e = evaluate(model, classifier, TRAIN, strange)
    assert e.classes.tolist() == ["fast", "mid", "slow", "odd"]
    assert e.confusion[3].sum() == 6 and e.confusion[:, 3].sum() == 0
    assert {m.like_truth for m in e.mistakes if m.truth == "odd"} == {None}
    assert Evaluation.from_dict(json.loads(json.dumps(e.to_dict()))).mistakes == e.mistakes


def test_numbers_as_labels_keep_their_order():
    series = SeriesSet.of(np.eye(12), np.arange(12) % 12)
    probabilities = np.eye(12)
    e = evaluation_of(probabilities, np.arange(12), (probabilities, probabilities), series, series)
    assert e.classes.tolist() == [str(k) for k in range(12)] and e.accuracy == 1


@pytest.mark.parametrize("shots", [2, None])
def test_labels_per_class_are_drawn_as_in_a_comparison(model, shots):
    picks = draw_labels(TRAIN.labels, shots, 2)
    hits = row_hits(model_row(model, TRAIN, TEST), TRAIN.labels, TEST.labels, picks)
    e = evaluate_shots(model, TRAIN, TEST, shots=shots)
    np.testing.assert_array_equal(e.right, hits[0])
    assert e.labelled == (6 if shots else 30)
    assert all(m.like_truth and m.like_truth.id in TRAIN.ids for m in e.mistakes)


def test_json_and_back(found):
    text = json.dumps(found.to_dict(), allow_nan=False)
    again = Evaluation.from_dict(json.loads(text))
    assert again.to_dict() == found.to_dict() and again.figures() == found.figures()
    np.testing.assert_array_equal(again.probabilities, found.probabilities)
    assert again.mistakes == found.mistakes


@pytest.mark.parametrize(
    "change, text",
    [
        ({"format": 9}, "got an evaluation of format 9, wanted 1"),
        ({"truth": [0]}, "got 1 true and 60 predicted classes and probabilities .60, 3. for 60"),
        ({"truth": [3] * 60}, "got class numbers outside 0 to 2: they count the 3 classes"),
        ({"labelled": None}, "the evaluation is damaged .*: evaluate again"),
        ({"mistakes": [{"id": "x"}]}, "the evaluation is damaged .'truth'.: evaluate again"),
    ],
)
def test_damaged_files_are_refused(found, change, text):
    with pytest.raises(ValueError, match=text):
        Evaluation.from_dict(found.to_dict() | change)


def test_labels_are_needed(model):
    classifier = st.Classifier(model).fit(TRAIN, TRAIN.labels)
    with pytest.raises(
        SeriesError, match="test has no labels, wanted one for some series at least: name"
    ):
        evaluate(model, classifier, TRAIN, replace(TEST, labels=None))


def test_golden_figures():
    """Origin: worked out by hand from four series of two classes."""
    e = plain([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]], [0, 1, 1, 1])
    assert e.figures() | {"calibration_luck": 0, "accuracy_interval": 0} == {
        "accuracy": 0.75,
        "accuracy_interval": 0,
        "balanced_accuracy": pytest.approx((1 + 2 / 3) / 2),
        "macro_f1": pytest.approx((2 / 3 + 4 / 5) / 2),
        "negative_log_likelihood": pytest.approx(-math.log(0.9 * 0.4 * 0.8 * 0.7) / 4),
        "brier_score": pytest.approx(2 * (0.01 + 0.36 + 0.04 + 0.09) / 4),
        "calibration_error": pytest.approx((abs(1 - 0.6 - 0.7) + abs(2 - 0.8 - 0.9)) / 4),
        "calibration_luck": 0,
    }
