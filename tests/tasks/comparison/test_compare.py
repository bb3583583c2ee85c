"""The comparison: the same labels for every row, test series that are only judged, clear errors."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scratch_material import make_scratch_quick
from sklearn.base import BaseEstimator, ClassifierMixin

from selftime.data.arrays import SeriesError
from selftime.data.series import SeriesSet
from selftime.engine.pretrain import pretrain
from selftime.tasks.comparison import compare as rooms
from selftime.tasks.comparison import rows as strategy_rows
from selftime.tasks.comparison.compare import (
    Comparison,
    compare,
    draw_labels,
    reachable,
    row_hits,
)
from selftime.tasks.comparison.gain import gain, gain_in_words
from selftime.tasks.comparison.rows import Row
from selftime.tasks.probing.probe import Probe
from selftime.tasks.transfer.choose import fit_strategy


def waves(n, seed):
    """Noisy sines of two frequencies."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    phase = rng.uniform(0, 6, size=(n, 1))
    x = np.sin((0.4 + 0.4 * y)[:, None] * np.arange(20) + phase)
    return SeriesSet.of(x + 0.3 * rng.normal(size=x.shape), np.array(["a", "b"])[y])


TRAIN, TEST = waves(24, 0), waves(30, 1)


@pytest.fixture(autouse=True, scope="module")
def few_steps():
    """Learning from scratch in a few steps: what it learns is tested in test_scratch.py."""
    with pytest.MonkeyPatch.context() as patch:
        make_scratch_quick(patch)
        yield


@pytest.fixture(scope="module")
def model():
    return pretrain(TRAIN, encoder="quantiles")


@pytest.fixture(scope="module")
def result(model):
    return compare(model, TRAIN, TEST, labels_per_class=(1, 3, None), draws=4)


@pytest.mark.late
def test_every_row_is_judged_on_all_test_series_at_every_number_of_labels(result):
    rivals = ("untrained encoder", "raw values", "MiniRocket + ridge", "supervised from scratch")
    assert result.names == ("selftime", *rivals)
    for by_shots in result.hits.values():
        shapes = {shots: hits.shape for shots, hits in by_shots.items()}
        assert shapes == {1: (4, 30), 3: (4, 30), None: (1, 30)}
    assert result.n_labels == {1: 2, 3: 6, None: 24}


def test_accuracies_and_gains_are_those_of_the_hits(result):
    for name in result.names:
        hits = result.hits[name][3]
        assert result.accuracy(name, 3) == pytest.approx(hits.sum() / hits.size)
        assert result.gain(name, 3) == gain(result.hits["selftime"][3], hits)
    assert result.gain("selftime", 1) == (0, 0, 0)
    assert result.accuracy("selftime", None) > 0.8


def test_the_verdict_is_a_sentence_for_each_number_of_labels(result):
    words = result.verdict()
    heads = ["With 1 label per class: ", "With 3 labels per class: ", "With all labels: "]
    assert len(words) == 5 and "label" in words[3]  # two more on labels saved
    for sentence, head, shots in zip(words[:3], heads, (1, 3, None), strict=True):
        assert sentence.startswith(head + f"{100 * result.accuracy('selftime', shots):.1f} % right")
        assert gain_in_words(result.gain("untrained encoder", shots)) in sentence


def test_the_rival_in_the_verdict_is_the_best_one():
    right, wrong = np.ones((1, 4), bool), np.zeros((1, 4), bool)
    hits = {"selftime": right, "untrained encoder": right, "weak": wrong, "strong": right}
    labels_per_class = {name: {None: row} for name, row in hits.items()}
    (sentence,) = Comparison((None,), labels_per_class, {None: 4}).verdict()
    assert sentence.endswith("+0.0 ± 0.0 points against strong.")


def test_it_is_json(result):
    plain = json.loads(json.dumps(result.to_dict()))
    assert plain["labels"] == {"1 label per class": 2, "3 labels per class": 6, "all labels": 24}
    assert plain["draws"] == {"1 label per class": 4, "3 labels per class": 4, "all labels": 1}
    assert plain["test_series"] == 30 and plain["verdict"] == result.verdict()
    assert plain["accuracy"]["selftime"]["all labels"] == result.accuracy("selftime", None)


def test_the_same_question_has_the_same_answer(model, result):
    again = compare(model, TRAIN, TEST, labels_per_class=(3,), draws=4)
    for name in result.names:
        np.testing.assert_array_equal(again.hits[name][3], result.hits[name][3])


class Witness(ClassifierMixin, BaseEstimator):
    """Writes down which rows it was fitted on, by their one feature."""

    seen: list = []

    def fit(self, X, y):
        self.seen.append((X[:, 0].tolist(), y.tolist()))
        return self

    def predict(self, X):
        return np.full(len(X), "a")


def test_all_rows_see_the_same_draws(model, monkeypatch):
    index = np.arange(24, dtype=np.float32)[:, None]
    test = np.zeros((30, 1), np.float32)

    def row(name):
        return lambda *_: Row(name, index, test, Witness())

    monkeypatch.setattr(Witness, "seen", [])
    monkeypatch.setattr(
        rooms, "COMPARISON_ROWS", {name: row(name) for name in ("selftime", "other")}
    )
    compare(model, TRAIN, TEST, labels_per_class=(2, None), draws=3)
    seen = Witness.seen
    assert seen[0:3] == seen[3:6] and seen[6] == seen[7] and len(seen) == 8
    assert seen[0] != seen[1]
    assert all(len(rows) == 4 and sorted(y) == ["a", "a", "b", "b"] for rows, y in seen[:3])
    assert seen[6][0] == list(range(24))
    assert all(
        TRAIN.labels[int(r)] == label for rows, y in seen for r, label in zip(rows, y, strict=True)
    )


def test_draws_have_seeds_of_their_own():
    labels = np.repeat(["a", "b"], 20)
    few, many = draw_labels(labels, 3, 2), draw_labels(labels, 3, 5)
    assert all((one == two).all() for one, two in zip(few, many[:2], strict=True))
    assert len({tuple(pick) for pick in many}) == 5


def test_a_head_is_fitted_anew_on_each_draw():
    train = np.array([[-1.0], [1.0], [1.0], [-1.0]], np.float32)
    row = Row("one feature", train, train[:2], Probe())
    truth = np.array(["a", "b"])
    got = row_hits(row, np.array(["a", "b", "a", "b"]), truth, [np.array([0, 1]), np.array([2, 3])])
    assert got.tolist() == [[True, True], [False, False]]
    assert not hasattr(row.head, "classes_")


def test_labels_saved_are_counted_beside_scratch_and_minirocket():
    def row(*right):
        return {b: np.arange(20)[None] < n for b, n in zip((1, 4, None), right, strict=True)}

    rows = {"selftime": row(14, 18, 19), "untrained encoder": row(10, 16, 19)}
    rows |= {"supervised from scratch": row(8, 14, 19), "MiniRocket + ridge": row(15, 17, 18)}
    found = Comparison((1, 4, None), rows, {1: 3, 4: 12, None: 60})
    assert [own.equivalent for own in found.labels_saved("supervised from scratch")][0] == 4
    assert found.verdict()[3:] == [
        "With 1 label per class this model is as good as supervised from scratch with 4: 4 times "
        "fewer labels.",
        "With 1 label per class self-supervision did not save labels here: MiniRocket + ridge is "
        "as good with 1.",
    ]
    assert found.to_dict()["saved"]["MiniRocket + ridge"][2]["at_least"]
    assert Comparison((1,), {k: {1: v[1]} for k, v in rows.items()}, {1: 3}).labels_saved("x") == []


@pytest.mark.late
def test_shares_of_labels_are_shots_too(model):
    found = compare(model, TRAIN, TEST, labels_per_class=(0.25, None), draws=3)
    assert found.n_labels[0.25] == 6
    assert list(found.to_dict()["labels"]) == ["25 % of the labels", "all labels"]
    assert found.verdict()[0].startswith("With 25 % of the labels: ")


def test_strategies_are_rows_that_see_the_same_draws(model, monkeypatch):
    seen = []

    def spy(own, series, y, target_type, config, progress=None):
        seen.append((config.strategy, series.steps.sum(), y.tolist()))
        return fit_strategy(own, series, y, target_type, config._replace(strategy="probe"))

    monkeypatch.setattr(strategy_rows, "fit_strategy", spy)
    found = compare(model, TRAIN, TEST, labels_per_class=(2,), draws=2, strategies=("full", "auto"))
    assert found.names[-2:] == ("selftime, full", "selftime, auto")
    picks = draw_labels(TRAIN.labels, 2, 2)
    wanted = [(TRAIN[pick].steps.sum(), TRAIN.labels[pick].tolist()) for pick in picks]
    assert seen == [("full", *own) for own in wanted] + [("auto", *own) for own in wanted]
    for name in found.names[-2:]:  # the spy's probe is the model's own row
        np.testing.assert_array_equal(found.hits[name][2], found.hits["selftime"][2])
    assert "selftime, full" not in found.verdict()[0]


def test_strategies_that_there_are_not_are_refused_before_any_work(model, monkeypatch):
    monkeypatch.setattr(type(model), "embed", lambda *_, **__: pytest.fail("embedded first"))
    with pytest.raises(ValueError, match="got strategy 'half', wanted one of auto, probe"):
        compare(model, TRAIN, TEST, strategies=("half",))


def test_sets_one_after_another():
    ragged = [np.array([[1.0, np.nan]]), np.array([[3.0]])]
    both = strategy_rows.concatenate_sets(SeriesSet.of(ragged), SeriesSet.of(np.ones((2, 1, 3))))
    assert both.lengths.tolist() == [2, 1, 3, 3] and both.labels is None
    np.testing.assert_array_equal(both.series(0), ragged[0])
    np.testing.assert_array_equal(both.series(3), np.ones((1, 3)))
    whole = SeriesSet.of(np.ones((2, 1, 3)))
    assert strategy_rows.concatenate_sets(whole, whole).observed is None


def test_progress_is_called(model):
    calls = []
    compare(
        model, TRAIN, TEST, labels_per_class=(1,), draws=1, progress=lambda *at: calls.append(at)
    )
    assert [at[1:] for at in calls] == [(i, 6) for i in range(6)]
    assert calls[0][0] == "comparing (selftime)"
    assert calls[-1][0] == "comparing (1 label per class)"


@pytest.mark.parametrize(
    "train, test, text",
    [
        (replace(TRAIN, labels=None), TEST, "train has no labels, wanted one for some"),
        (TRAIN, replace(TEST, labels=None), "test has no labels, wanted one for some"),
        (TRAIN[::2], TEST, r"train has one class only \(a\), wanted at least 2"),
        (
            TRAIN,
            replace(TEST, labels=np.array(["a", "b", "z"] * 10)),
            "test has classes that train lacks: z",
        ),
    ],
)
def test_labels_that_cannot_be_compared_are_refused(model, train, test, text):
    with pytest.raises(SeriesError, match=text):
        compare(model, train, test)


def test_more_labels_than_any_class_has_are_all_of_them(caplog):
    labels = np.array([0, 0, 0, 1])
    assert reachable((1, 3, 5, 0.5, 9, None), labels) == (1, 3, None, 0.5)
    assert "no class has 5, 9 labels to draw from, at most 3: that is all of them" in caplog.text
    caplog.clear()
    assert reachable((1, 3), labels) == (1, 3) and not caplog.text
