"""What judges by labels takes the labelled series alone, and nothing has a class of none."""

import numpy as np
import pytest

import selftime as st
from selftime.data.scaling import fit_channels
from selftime.engine.monitoring.monitors import monitor_of
from selftime.report.page.pointmap import point_map
from selftime.report.pictures.maps import classes_of, embedding_map, overview
from selftime.tasks.comparison.compare import check_labels
from selftime.tasks.selection.race import probe_accuracy

RNG = np.random.default_rng(0)
KIND = np.arange(30) % 2
X = np.sin((0.2 + 0.3 * KIND)[:, None] * np.arange(40) + RNG.uniform(0, 6, (30, 1)))
NAMES = [f"k{kind}" for kind in KIND]
SOME = st.SeriesSet.of(X, [name if i < 12 else None for i, name in enumerate(NAMES)])


@pytest.fixture(scope="module")
def model():
    return st.pretrain(X, encoder="quantiles")


def test_known_series_are_not_suggested_again(model):
    found = st.suggest(model, SOME, n=5)
    assert found.rows.min() >= 12 and "unsure between k" in found.reasons[0]
    apart = st.suggest(model, SOME[12:], n=5, labelled=SOME[:12])
    np.testing.assert_array_equal(found.rows, 12 + apart.rows)
    whole = st.suggest(model, st.SeriesSet.of(X, NAMES), n=5)
    np.testing.assert_array_equal(whole.rows, st.suggest(model, X, n=5).rows)


def test_ids_keep_their_type(model):
    found = st.suggest(model, st.SeriesSet.of(X, ids=np.arange(100, 130)), n=2)
    assert all(isinstance(one["id"], int) for one in found.to_dict()["suggestions"])


def test_probes_of_races_and_evaluations_judge_labelled_series(model):
    assert probe_accuracy(model, SOME, 0) == probe_accuracy(model, SOME[:12], 0)
    classifier = st.Classifier(model).fit(SOME)
    found = st.evaluate(model, classifier, SOME, SOME)
    only = st.evaluate(model, classifier, SOME[:12], SOME[:12])
    assert found.to_dict() == only.to_dict() and len(found.ids) == 12 == found.labelled
    whole = classifier.predict_proba(SOME)
    given = st.evaluate(model, classifier, SOME, SOME, probabilities=whole)
    assert given.to_dict() == only.to_dict()
    train, test = check_labels(SOME, SOME)
    assert len(train) == len(test) == 12


@pytest.mark.late
def test_layers_are_picked_by_labelled_series():
    model = st.pretrain(X, objective="simclr", encoder="dilated", budget="1 step")
    found = st.pick(model, SOME)
    only = st.pick(model, SOME[:12], unlabelled=SOME)
    assert found.judged == 12 and found.candidates == only.candidates


@pytest.mark.late
def test_views_are_judged_by_labelled_series():
    found, only = st.inspect_views(SOME), st.inspect_views(SOME[:12])
    assert (found.series, found.classes) == (12, 2) and found.to_dict() == only.to_dict()


def test_monitors_read_labelled_neighbours():
    scale = fit_channels(SOME)
    monitor = monitor_of(SOME, scale, 0)
    assert (monitor.labels < 0).sum() == 18 and monitor.labels.max() == 1
    assert monitor_of(SOME[11:], scale, 0).labels is None


def test_maps_show_unlabelled_series_apart(model):
    names, codes = classes_of(SOME)
    assert names == ["k0", "k1", "unlabelled"] and (codes == 2).sum() == 18
    vectors = model.embed(SOME)
    shown = point_map(vectors.astype(np.float64), SOME)
    assert [points.name for points in shown.classes] == names
    assert (
        set(shown.data["labels"]) == set(names) and "labelled beside a labelled" in shown.agreement
    )
    assert embedding_map(vectors, SOME, title="t").axes and overview(SOME, title="t").axes
    found = st.inspect(SOME)
    assert (found.labelled, found.unlabelled, found.labels) == (12, 18, {"k0": 6, "k1": 6})
