"""What numbers lose on their way in: levels, wild values and extremes, through every estimator."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scratch_material import narrow

import selftime
from selftime.data.scaling import per_series
from selftime.encoders.builders import BUILDERS
from selftime.engine.streaming.stream import StreamError

Y = np.arange(40) % 2


def waves(seed=0):
    """Two classes of waves that differ in their period."""
    rng = np.random.default_rng(seed)
    steps = np.arange(60)
    rows = [np.sin(steps * (0.2 + 0.2 * c) + rng.uniform(0, 6)) for c in Y]
    return np.stack(rows) + 0.2 * rng.normal(size=(40, 60))


X = waves()
LEARNERS = {"spectral": {"encoder": "quantiles"}, "simclr": {"budget": "3 steps"}}


@pytest.fixture(autouse=True, scope="module")
def small():
    """A small network: a level meets it as it meets a large one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BUILDERS, "dilated", narrow)
        yield


@pytest.fixture(scope="module", params=LEARNERS)
def learned(request):
    """A model, and its learner for other series."""

    def learn(x):
        return selftime.pretrain(x, objective=request.param, **LEARNERS[request.param])

    return learn(X), learn


@pytest.mark.late
@pytest.mark.parametrize("level", [2.0**31, -3e9])
def test_a_level_changes_no_vector_and_no_prediction(learned, level):
    model, learn = learned
    raised = learn(X + level)
    vectors, same = raised.embed(X + level), model.embed(X)
    np.testing.assert_allclose(vectors @ vectors.T, same @ same.T, atol=0.01)
    plain, other = (
        selftime.Classifier(m).fit(x[10:20], Y[10:20]) for m, x in ((model, X), (raised, X + level))
    )
    wanted = plain.predict_proba(X[20:])
    np.testing.assert_allclose(other.predict_proba(X[20:] + level), wanted, atol=0.05)
    assert raised.seen(X + level).all() and not raised.seen(X + level + 1).any()


@pytest.mark.late
@pytest.mark.parametrize("strategy", ["full", "scratch"])
def test_strategies_learn_above_a_level(strategy):
    model = selftime.pretrain(X + 2.0**31, objective="simclr", budget="2 steps")
    classifier = selftime.Classifier(model, strategy=strategy, budget="60 steps")
    classifier.fit(X[:20] + 2.0**31, Y[:20])
    assert (classifier.predict(waves(1)[20:] + 2.0**31) == Y[20:]).mean() > 0.8


@pytest.mark.late
def test_adapted_and_streamed_models_know_the_level():
    learn = {"objective": "simclr", "encoder": "dilated_causal", "budget": "2 steps"}
    plain, raised = (selftime.pretrain(x, **learn) for x in (X, X + 2.0**31))
    values = X[0][None]
    for options in ({}, {"window": 8}):
        wanted = plain.stream(**options).update(values)
        got = raised.stream(**options).update(values + 2.0**31)
        np.testing.assert_allclose(got, wanted, atol=0.02)
    adapted = selftime.adapt(raised, X + 1e9)
    np.testing.assert_allclose(adapted.embed(X + 1e9), selftime.adapt(plain, X).embed(X), atol=0.02)
    apart = selftime.pretrain(X + 1e9 * np.arange(40)[:, None], **learn)
    with pytest.raises(StreamError, match="too far apart for a stream"):
        apart.stream()


@pytest.mark.late
def test_normal_steps_of_a_monitor_are_counted_from_the_level_once():
    normal = np.random.default_rng(0).normal(size=(1, 1, 400))
    found = []
    for level in (0.0, 2.0**31):
        model = selftime.pretrain(X + level, encoder="quantiles")
        monitor = selftime.StreamMonitor(model, normal=normal + level, rate=0.05, window=20)
        found.append([monitor.update([level + v]).score for v in (0.1, 0.2, 9.0, 9.0, 9.0)])
    np.testing.assert_allclose(found[1], found[0], rtol=0.02)


@pytest.mark.late
@pytest.mark.parametrize("wild", [1e4, -1e20])
def test_a_single_wild_value_costs_no_accuracy_and_is_counted(learned, wild, caplog):
    model, learn = learned
    x = X.copy()
    x[0, 5] = wild
    other = learn(x)
    assert model.card["data"]["wild"] == 0 and other.card["data"]["wild"] == 1
    assert "1 value lies far beyond all others: learning and embedding take it" in caplog.text

    def accuracy(m, x):
        classifier = selftime.Classifier(m).fit(x[10:20], Y[10:20])
        return (classifier.predict(waves(1)[20:]) == Y[20:]).mean()

    assert accuracy(other, x) >= accuracy(model, X) - 0.05
    assert np.isfinite(other.embed(x)).all()
    assert other.scaling.mean[0] == pytest.approx(model.scaling.mean[0], abs=0.1)


@pytest.mark.late
def test_fill_values_are_told_and_the_worst_are_refused(caplog):
    x = X.copy()
    x[3, :4] = -9999
    selftime.pretrain(selftime.SeriesSet.of(x), encoder="quantiles")
    assert "-9999 stands 4 times" in caplog.text and "missing=[-9999]" in caplog.text
    x[3, :4] = 1e35
    with pytest.raises(selftime.SeriesError, match=r"series '3', .* is 1e\+35 .* missing=\["):
        selftime.pretrain(x)
    model = selftime.pretrain(selftime.read(x, missing=[1e35]), encoder="quantiles")
    assert np.isfinite(model.embed(X)).all()


FINITE = st.one_of(
    st.sampled_from([0.0, 1.0, 3.4028235e38, -3.4028235e38, 1e38, 1e-45, 1.7e9, 2.0**53, 1e-38]),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
)
HOSTILE = st.one_of(
    FINITE.map(lambda v: np.full(50, v)),
    st.tuples(FINITE, FINITE).map(lambda pair: np.resize(pair, 50)),
    FINITE.map(lambda v: np.array([v])),
    FINITE.map(lambda v: np.where(np.arange(60) == 5, v, X[0])),
    FINITE.map(lambda v: v / 4 + np.arange(50.0)),
    st.lists(FINITE, min_size=1, max_size=40).map(np.array),
)


@pytest.mark.late
@given(row=HOSTILE)
def test_vectors_and_probabilities_of_finite_values_are_finite(learned, row):
    model, _ = learned
    for scaling in (model.scaling, per_series()):
        own = replace(model, scaling=scaling)
        assert np.isfinite(own.embed([row[None], X[1][None]])).all()
    classifier = fitted(model)
    shares = classifier.predict_proba([row[None], X[1][None]])
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)


_FITTED: dict[int, selftime.Classifier] = {}


def fitted(model):
    if id(model) not in _FITTED:
        _FITTED[id(model)] = selftime.Classifier(model).fit(X, Y)
    return _FITTED[id(model)]


@pytest.mark.late
@settings(max_examples=10)
@given(rows=st.lists(HOSTILE, min_size=2, max_size=4), closed=st.booleans())
def test_what_is_learned_from_finite_values_is_finite_or_refused(rows, closed):
    x = [row[None] for row in rows]
    try:
        options = {} if closed else {"objective": "simclr", "budget": "2 steps"}
        model = selftime.pretrain(x, encoder="quantiles" if closed else "auto", **options)
    except selftime.SeriesError as error:
        assert "beside ordinary values" in str(error)
    else:
        assert np.isfinite(model.embed(x)).all()


@pytest.mark.late
@settings(max_examples=15)
@given(row=HOSTILE, other=HOSTILE)
def test_scores_of_finite_values_are_finite(row, other):
    for normal, new in ((X[0], row), (row, X[0]), (row, other)):
        scores = selftime.AnomalyDetector().fit(normal).score(new)
        assert np.isfinite(scores).all() and (scores >= 0).all()
