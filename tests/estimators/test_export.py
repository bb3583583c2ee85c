"""Fitted estimators as one file, which says of raw series what they say."""

import json

import numpy as np
import pytest
import torch
from kept_material import waves

import selftime as st
from selftime.data.scaling import fit_channels
from selftime.encoders.networks.dilated import Dilated
from selftime.engine import graphs
from selftime.estimators.export import subject_of

TRAIN, NEW = waves(0), waves(1, n=5)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Seconds are measured in one run."""
    monkeypatch.setattr(graphs, "_MOST_RUNS", 1)


def model() -> st.Model:
    encoder = Dilated(channels=2, hidden=4, depth=1, dim=8)
    return st.Model(encoder.eval(), fit_channels(TRAIN), TRAIN.channels)


def raw_of(series: st.SeriesSet) -> np.ndarray:
    """Series as an array, one with a gap and one that ends early."""
    values = np.stack([series.series(i) for i in range(len(series))]).astype(np.float32)
    values[0, 1, 5:9], values[1, :, 40:] = np.nan, np.nan
    return values


def fitted(kind: str):
    """An estimator, and what it says of series."""
    values = np.array(
        [[series[0].mean(), series[1].std()] for series in map(TRAIN.series, range(24))]
    )
    steps = [np.where(TRAIN.series(i)[0] > 0, "up", "down") for i in range(24)]
    tuned = {"strategy": "full", "budget": "2 steps"}
    return {
        "Classifier": lambda: st.Classifier(model()).fit(TRAIN),
        "Classifier, tuned": lambda: st.Classifier(model(), **tuned).fit(TRAIN),
        "Classifier, of several labels": lambda: st.Classifier(model()).fit(TRAIN, values > 0),
        "Regressor": lambda: st.Regressor(model()).fit(TRAIN, values),
        "Regressor, tuned": lambda: st.Regressor(model(), **tuned).fit(TRAIN, values),
        "Segmenter": lambda: st.Segmenter(model()).fit(TRAIN, steps),
        "Segmenter, tuned": lambda: st.Segmenter(model(), **tuned).fit(TRAIN, steps),
    }[kind]()


@pytest.mark.late
@pytest.mark.parametrize(
    "kind",
    [
        *("Classifier", "Classifier, tuned", "Classifier, of several labels"),
        *("Regressor", "Regressor, tuned", "Segmenter", "Segmenter, tuned"),
    ],
)
def test_a_graph_says_what_the_estimator_says(kind):
    found, values = fitted(kind), raw_of(NEW)
    with torch.inference_mode():
        got = subject_of(found).graph(torch.from_numpy(values)).numpy()
    says = found.predict if kind.startswith("Regressor") else found.predict_proba
    wanted = says(values)
    if isinstance(wanted, list):
        assert got.shape == (5, 60, 2)
        for own, row in zip(wanted, got, strict=True):
            np.testing.assert_allclose(row[: len(own)], own, atol=1e-4)
    else:
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_a_classifier_is_one_file_of_onnx(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    classifier = fitted("Classifier")
    folder = classifier.save(tmp_path / "kinds")
    made = st.export(folder, tmp_path / "kinds.onnx")
    assert made.output == "probabilities" and made.error <= 1e-4
    session = onnxruntime.InferenceSession(made.path)
    (got,) = session.run(["probabilities"], {"series": raw_of(NEW)})
    np.testing.assert_allclose(got, classifier.predict_proba(raw_of(NEW)), atol=1e-4)
    said = session.get_modelmeta().custom_metadata_map
    assert json.loads(said["classes"]) == ["007", "12"]
    assert json.loads(said["channels"]) == ["heat", "force"]


def test_what_looks_at_more_than_single_series_is_refused(tmp_path):
    detector = st.AnomalyDetector()
    with pytest.raises(graphs.GraphError, match="got AnomalyDetector, wanted a model"):
        st.export(detector, tmp_path / "x.onnx")
