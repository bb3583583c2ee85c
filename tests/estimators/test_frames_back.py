"""Whoever gives an estimator a frame gets a frame of the same kind, with ids and times as given."""

import logging

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

import selftime as st

T, SHOPS = 40, ["b", "a", "c d", "007", "e", "f"]
KINDS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.Table}
KIND = [0, 1, 0, 1, 0, 1]


def long_frame(kind: str, **more):
    """Shops whose rows are shuffled, with days in a zone."""
    days = pd.date_range("2024-03-20", periods=T, freq="D", tz="Europe/Berlin", unit="us")
    rng = np.random.default_rng(0)
    parts = [
        {"shop": name, "day": days, "sales": np.sin(np.arange(T) * (0.4 + k % 2)) + k, **more}
        for k, name in enumerate(SHOPS)
    ]
    frame = pd.concat(map(pd.DataFrame, parts), ignore_index=True)
    frame = frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)
    return as_kind(kind, frame)


def as_kind(kind: str, frame: pd.DataFrame):
    if kind == "pandas":
        return frame
    return pl.from_pandas(frame) if kind == "polars" else pa.Table.from_pandas(frame)


def listed(frame, name: str) -> list:
    column = frame[name]
    return column.to_pylist() if isinstance(frame, pa.Table) else column.to_list()


def type_of(frame, name: str):
    return frame.schema.field(name).type if isinstance(frame, pa.Table) else frame[name].dtype


@pytest.fixture(scope="module")
def model():
    return st.pretrain(long_frame("pandas"), encoder="quantiles")


@pytest.fixture(scope="module")
def classes():
    """A class for each shop, in the order in which the frame names them."""
    kinds = dict(zip(SHOPS, KIND, strict=True))
    return np.array([["even", "odd"][kinds[name]] for name in st.read(long_frame("pandas")).ids])


@pytest.mark.late
@pytest.mark.parametrize("kind", KINDS)
def test_forecasts_have_names_and_types_of_the_frame(kind):
    frame = long_frame(kind)
    fitted = st.Forecaster(horizon=2, quantiles=(0.1, 0.9)).fit(frame)
    for found in fitted.predict(), fitted.predict(frame):
        assert isinstance(found, KINDS[kind])
        named = found.column_names if kind == "arrow" else list(found.columns)
        assert named == ["shop", "day", "sales", "sales_q0.1", "sales_q0.9"]
        assert type_of(found, "day") == type_of(frame, "day")
        assert type_of(found, "shop") == type_of(frame, "shop")
        last = pd.Timestamp("2024-04-28", tz="Europe/Berlin")  # past the change to summer time
        assert listed(found, "day")[:2] == [last + pd.Timedelta(days=k) for k in (1, 2)]
        assert listed(found, "shop")[::2] == list(dict.fromkeys(listed(frame, "shop")))
    assert isinstance(fitted.predict(st.read(frame)), np.ndarray)


@pytest.mark.late
@pytest.mark.parametrize("kind", KINDS)
def test_scores_stand_in_the_order_of_the_rows(kind):
    frame = long_frame(kind)
    detector = st.AnomalyDetector().fit(frame)
    scores, alarms = detector.score(frame), detector.predict(frame)
    for found in scores, alarms:
        assert isinstance(found, KINDS[kind])
        assert listed(found, "shop") == listed(frame, "shop")
        assert listed(found, "day") == listed(frame, "day")
        assert type_of(found, "day") == type_of(frame, "day")
    series = st.read(frame)
    plain, above = detector.score(series), detector.predict(series)
    places = {id: i for i, id in enumerate(series.ids)}
    steps = zip(listed(frame, "shop"), listed(scores, "step"), strict=True)
    rows = tuple(np.array([(places[id], step) for id, step in steps]).T)
    np.testing.assert_array_equal(listed(scores, "score"), plain[rows])
    np.testing.assert_array_equal(listed(alarms, "alarm"), above[rows])


@pytest.mark.late
@pytest.mark.parametrize("kind", KINDS)
def test_classes_and_values_are_a_table(kind, model, classes):
    frame = long_frame(kind)
    classifier = st.Classifier(model).fit(frame, classes)
    found = classifier.predictions(frame)
    back = {"pandas": found.to_pandas, "polars": found.to_polars, "arrow": found.to_arrow}[kind]()
    assert isinstance(back, KINDS[kind])
    assert listed(back, "shop") == list(dict.fromkeys(listed(frame, "shop")))
    np.testing.assert_array_equal(listed(back, "class"), classifier.predict(frame))
    both = np.stack([listed(back, f"p_{name}") for name in classifier.classes_], axis=1)
    np.testing.assert_array_equal(both, classifier.predict_proba(frame))
    others = {"even": "odd", "odd": "even"}
    assert listed(back, "runner_up") == [others[name] for name in listed(back, "class")]
    values = st.Regressor(model).fit(frame, np.arange(6.0)).predictions(frame).to_polars()
    assert values.columns == ["shop", "value"] and values["shop"].to_list() == listed(back, "shop")


@pytest.mark.late
def test_names_of_classes_do_not_collide(model, classes):
    frame = long_frame("pandas").rename(columns={"shop": "class"})
    series = st.read(frame, id="class")
    found = st.Classifier(model).fit(series, classes).predictions(series).to_columns()
    assert list(found)[:4] == ["class", "class_", "probability", "runner_up"]


@pytest.mark.late
def test_partly_labelled_series_say_so(model):
    x = st.read(long_frame("pandas"), labels={"a": 1, "b": 2, "f": 1})
    found = st.Classifier(model).fit(x).predictions(x).to_pandas()
    assert found.loc[found.labelled, "shop"].sort_values().tolist() == ["a", "b", "f"]
    assert str(found["label"].dtype) == "Int64" and found["label"].isna().sum() == 3


@pytest.mark.late
def test_vectors_go_through_pipelines_and_out_as_frames(classes):
    frame = long_frame("pandas")
    plain = st.SelfSupervised(encoder="quantiles").fit(frame)
    assert isinstance(plain.transform(frame), np.ndarray)
    for kind, whole in ("pandas", pd.DataFrame), ("polars", pl.DataFrame):
        transformer = st.SelfSupervised(encoder="quantiles").set_output(transform=kind)
        found = transformer.fit(frame).transform(frame)
        assert isinstance(found, whole) and list(found.columns)[:2] == ["e0", "e1"]
        np.testing.assert_array_equal(found.to_numpy(), plain.transform(frame))
        piped = make_pipeline(transformer, RidgeClassifier()).fit(frame, classes)
        assert piped.score(frame, classes) == 1
    index = (
        st.SelfSupervised(encoder="quantiles").set_output(transform="pandas").fit_transform(frame)
    )
    assert index.index.name == "shop" and sorted(index.index) == sorted(SHOPS)


@pytest.mark.late
def test_embeddings_are_a_table_beside_their_ids(model):
    frame = long_frame("polars", label="x")
    found = st.embed(model, frame)
    np.testing.assert_array_equal(np.asarray(found), model.embed(frame))
    table = found.to_polars()
    assert table.columns[:2] == ["shop", "e0"] and table.columns[-1] == "label"
    assert repr(found) == "Embeddings(6 rows: shop, vectors, label)"


@pytest.mark.late
def test_every_timepoint_has_its_class_in_the_order_of_the_rows():
    frame = long_frame("pandas").assign(label=lambda it: np.where(it["sales"] > 2, "high", "low"))
    model = st.pretrain(frame, objective="ts2vec", budget="2 steps")
    segmenter = st.Segmenter(model).fit(frame)
    found = segmenter.predictions(frame).to_pandas()
    assert found["shop"].tolist() == frame["shop"].tolist()
    assert found["day"].tolist() == frame["day"].tolist()
    assert found["label"].tolist() == frame["label"].tolist()
    series = st.read(frame)
    own = segmenter.predict(series)[series.ids.tolist().index("e")]
    of_e = found[found["shop"] == "e"].sort_values("day")
    assert of_e["class"].tolist() == own.tolist()


WAVES = np.stack([np.sin(np.arange(30) * (0.3 + 0.5 * (k % 2)) + k) for k in range(12)])
CLASSES = np.arange(12) % 2


def sources(folder) -> dict:
    for k, wave in enumerate(WAVES):
        np.savetxt(folder / f"s{k:02d}.csv", wave, header="volt", comments="")
    return {
        "frame of rows": pd.DataFrame(WAVES),
        "pd.Series of arrays": pd.Series(list(WAVES)),
        "dict": {f"s{k}": wave for k, wave in enumerate(WAVES)},
        "paths": sorted(folder.glob("*.csv")),
        "pattern": str(folder / "*.csv"),
        "tensor": torch.tensor(WAVES),
        "tensors": [torch.tensor(wave) for wave in WAVES],
        "SeriesSet": st.read(WAVES),
    }


@pytest.mark.late
def test_what_people_have_as_x(tmp_path, caplog):
    model = st.pretrain(WAVES, encoder="quantiles")
    wanted = st.Classifier(model).fit(WAVES, CLASSES).predict_proba(WAVES)
    with caplog.at_level(logging.ERROR):
        for name, source in sources(tmp_path).items():
            found = st.Classifier(model).fit(source, CLASSES).predict_proba(source)
            np.testing.assert_allclose(found, wanted, atol=1e-5, err_msg=name)
    assert np.asarray(st.read(WAVES)).shape == (12, 1, 30)


@pytest.mark.late
@pytest.mark.filterwarnings("ignore:.*were seen in pretraining")
def test_sets_are_split_by_scikit_learn():
    model, x = st.pretrain(WAVES, encoder="quantiles"), st.read(WAVES)
    assert cross_val_score(st.Classifier(model), x, CLASSES, cv=3).mean() == 1
    search = GridSearchCV(st.Classifier(model), {"head": ["linear", "knn"]}, cv=2).fit(x, CLASSES)
    assert search.best_score_ == 1


def test_a_series_of_pandas_is_forecast_as_a_frame():
    days = pd.date_range("2024-01-01", periods=80)
    load = pd.Series(np.sin(np.arange(80) / 3), index=days, name="load")
    found = st.Forecaster(horizon=2, quantiles=(0.5,)).fit(load).predict()
    assert list(found.columns) == ["unique_id", "ds", "load", "load_q0.5"]
    assert found["ds"].tolist() == list(pd.date_range("2024-03-21", periods=2))
