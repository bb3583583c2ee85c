"""A label may be missing, names travel, and what people do with scikit-learn works."""

import logging

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline

import selftime as st
from selftime.encoders.builders import BUILDERS

R = np.random.default_rng(0)
Y = np.arange(40) % 2
X = np.stack(
    [np.sin(np.arange(60) * (0.2 + 0.2 * c) + R.uniform(0, 6)) + 0.2 * R.normal(size=60) for c in Y]
)
NAMES = np.array(["slow", "fast"])[Y]
HALF = [name if i < 20 else None for i, name in enumerate(NAMES.tolist())]


@pytest.fixture(scope="module")
def model():
    return st.pretrain(X[::2] + 0.01, encoder="quantiles")  # none of X itself was seen


@pytest.fixture(scope="module")
def stepwise():
    return st.pretrain(X, objective="ts2vec", budget="2 steps")


@pytest.mark.parametrize(
    "y",
    [
        HALF,
        [name or np.nan for name in HALF],
        [name or "" for name in HALF],
        np.array(HALF, object),
        pd.Series(HALF),
        pd.Categorical(HALF),
    ],
)
def test_series_without_a_label_are_no_class_and_are_left_out(model, y, caplog):
    caplog.set_level(logging.WARNING)
    found = st.Classifier(model).fit(X, y)
    assert found.classes_.tolist() == ["fast", "slow"]
    assert "20 of 40 series are labelled" in caplog.text
    only = st.Classifier(model).fit(X[:20], NAMES[:20])
    np.testing.assert_array_equal(found.predict_proba(X), only.predict_proba(X))
    assert found.score(X, y) == only.score(X[:20], NAMES[:20])


def test_labels_of_the_series_themselves_may_be_missing(model):
    series = st.read(X, labels=HALF)
    found = st.Classifier(model).fit(series)
    assert found.score(series) == found.score(series[:20])
    numbers = st.Classifier(model).fit(X, np.where(np.arange(40) < 20, Y, np.nan))
    assert numbers.classes_.tolist() == [0, 1]


@pytest.mark.late
def test_without_a_model_all_series_are_pretrained_on(monkeypatch):
    monkeypatch.setitem(BUILDERS, "rocket", BUILDERS["quantiles"])
    found = st.Classifier().fit(X, HALF)
    assert found.model_.card["data"]["series"] == 40


@pytest.mark.parametrize(
    "y, text",
    [
        ([None] * 40, "it holds no labels: give y"),
        (["a", None] * 20, r"got one class only \(a\), wanted labels of at least 2 classes"),
    ],
)
def test_too_few_labels_are_said(model, y, text):
    with pytest.raises(ValueError, match=text):
        st.Classifier(model).fit(X, y)


def test_values_may_be_missing(model):
    y = np.where(np.arange(40) < 30, 1.0 * Y, np.nan)
    found = st.Regressor(model).fit(X, y)
    np.testing.assert_array_equal(
        found.predict(X), st.Regressor(model).fit(X[:30], y[:30]).predict(X)
    )
    assert found.score(X, y) == found.score(X[:30], y[:30])
    two = np.stack([y, 1 - y], axis=1)
    assert st.Regressor(model).fit(X, two).predict(X).shape == (40, 2)


def test_several_labels_may_be_missing(model):
    y = np.stack([Y, 1 - Y], axis=1).astype(float)
    y[30:, 1] = np.nan
    found = st.Classifier(model).fit(X, y)
    only = st.Classifier(model).fit(X[:30], y[:30].astype(int))
    np.testing.assert_array_equal(found.predict(X), only.predict(X))


@pytest.mark.late
def test_steps_may_be_unlabelled(stepwise):
    whole = [np.where(row > 0, "up", "down") for row in X]
    some = [np.where(np.arange(60) < 40, own, None) for own in whole]
    some[39] = np.full(60, None)
    found = st.Segmenter(stepwise).fit(X, some)
    assert found.classes_.tolist() == ["down", "up"]
    front = X[:39, :40]
    short = st.Segmenter(stepwise).fit(front, [own[:40] for own in whole[:39]])
    assert found.score(X, some) > 0.6 < short.score(front, [own[:40] for own in whole[:39]])
    tuned = st.Segmenter(stepwise, strategy="full", budget="2 steps").fit(X, some)
    assert tuned.classes_.tolist() == ["down", "up"]


@pytest.mark.late
def test_labels_of_steps_come_with_the_series(stepwise, tmp_path):
    rows = ["id,start,end,label"]
    for i in range(40):
        rows += [f"{i},0,30,begin", f"{i},30,50,end"]
    (tmp_path / "spans.csv").write_text("\n".join(rows))
    series = st.read(X, labels=tmp_path / "spans.csv")
    found = st.Segmenter(stepwise).fit(series)
    y = [["begin"] * 30 + ["end"] * 20 + [None] * 10] * 40
    assert found.score(series) == found.score(X, y)
    np.testing.assert_array_equal(
        found.predict(X)[0], st.Segmenter(stepwise).fit(X, y).predict(X)[0]
    )


def test_a_segmenter_needs_a_model_and_labels(stepwise):
    with pytest.raises(ValueError, match="Segmenter requires a model"):
        st.Segmenter().fit(X, [Y] * 40)
    with pytest.raises(ValueError, match="got no labels of steps, wanted an array of them"):
        st.Segmenter(stepwise).fit(X)
    with pytest.raises(ValueError, match="got steps of one class only"):
        st.Segmenter(stepwise).fit(X, [["a"] * 60] * 40)


def test_channels_go_by_name():
    A = R.normal(size=(40, 2, 30))
    A[:, 0] += 3 * Y[:, None]
    A[:, 1] = 900 + 20 * A[:, 1]
    train = st.SeriesSet.of(A[:20], Y[:20], channels=["temp", "press"])
    test = st.SeriesSet.of(A[20:], Y[20:], channels=["temp", "press"])
    turned = st.SeriesSet.of(A[20:, ::-1], Y[20:], channels=["press", "temp"])
    model = st.pretrain(train, encoder="quantiles")
    found = st.Classifier(model).fit(train)
    assert found.score(test) == found.score(turned) == 1.0
    again = st.Classifier(model).fit(
        st.SeriesSet.of(A[:20, ::-1], Y[:20], channels=turned.channels)
    )
    np.testing.assert_array_equal(again.predict_proba(test), found.predict_proba(turned))
    tuned = st.Classifier(model, strategy="scratch", budget="3 steps").fit(train)
    np.testing.assert_allclose(tuned.predict_proba(turned), tuned.predict_proba(test))
    np.testing.assert_array_equal(
        st.adapt(model, turned).embed(test), st.adapt(model, test).embed(test)
    )
    with pytest.raises(st.SeriesError, match="channel 'press' is missing"):
        found.predict(st.SeriesSet.of(A, channels=["temp", "noise"]))


def frames():
    names = [f"m{i}" for i in range(40)]
    shuffled = R.permutation(40)
    frame, y = pd.DataFrame(X), pd.Series(Y)
    named = st.SeriesSet.of(X, ids=names)
    yield "frame", frame, Y
    yield "frame and Series", frame, y
    yield "both shuffled", frame.iloc[shuffled], y.iloc[shuffled]
    yield "labels shuffled", frame, y.iloc[shuffled]
    yield "array, rows shuffled", X[shuffled], y.iloc[shuffled]
    yield "labels by id", named, pd.Series(Y, index=names).iloc[shuffled]
    yield "dict", dict(zip(names, X, strict=True)), Y
    yield "list", list(X), Y
    yield "Series of arrays", pd.Series(list(X)), Y
    yield "tensor", torch.tensor(X), torch.tensor(Y)
    yield "SeriesSet", st.read(X), Y


@pytest.mark.late
@pytest.mark.parametrize("given", [pytest.param(own, id=own[0]) for own in frames()])
def test_series_come_in_many_forms(model, given):
    _, series, y = given
    found = st.Classifier(model).fit(series, y)
    wanted = st.Classifier(model).fit(X, Y)
    if len(set(map(type, (series, X)))) > 1 and not isinstance(series, pd.DataFrame):
        assert (found.predict(series) == wanted.predict(X)).all()
    np.testing.assert_allclose(found.predict_proba(X), wanted.predict_proba(X), atol=1e-4)
    if isinstance(series, pd.DataFrame):
        assert len(found.predict(series.iloc[:1])) == 1


@pytest.mark.late
def test_files_come_as_paths_and_patterns(model, tmp_path):
    paths = [str(tmp_path / f"s{i:02d}.csv") for i in range(40)]
    for path, row in zip(paths, X, strict=True):
        pd.DataFrame({"x": row}).to_csv(path, index=False)
    for source in (paths, str(tmp_path / "s*.csv")):
        assert (st.Classifier(model).fit(source, Y).predict(X) == Y).mean() > 0.9


@pytest.mark.late
def test_splits_and_searches_of_scikit_learn(model):
    series = st.read(X)
    assert cross_val_score(st.Classifier(model), series, Y).min() > 0.8
    assert cross_val_score(st.Classifier(model), pd.DataFrame(X), pd.Series(Y)).min() > 0.8
    search = GridSearchCV(st.Classifier(model), {"head": ["linear", "knn"]}, cv=3).fit(series, Y)
    assert search.best_score_ > 0.8
    a, b, c, d = train_test_split(series, Y, stratify=Y, random_state=0)
    assert st.Classifier(model).fit(a, c).score(b, d) > 0.8
    pipeline = make_pipeline(st.SelfSupervised(encoder="quantiles"), LogisticRegression())
    assert pipeline.fit(pd.DataFrame(X), Y).score(pd.DataFrame(X), Y) > 0.8


def test_a_model_may_be_its_folder(model, tmp_path):
    folder = str(model.save(tmp_path / "model"))
    own, other = st.Classifier(folder).fit(X, Y), st.Classifier(model).fit(X, Y)
    np.testing.assert_array_equal(own.predict_proba(X), other.predict_proba(X))
    assert st.Regressor(tmp_path / "model").fit(X, Y).model_.dim == model.dim
    assert st.StreamMonitor(folder, window=20, learn=500).model.dim == model.dim
