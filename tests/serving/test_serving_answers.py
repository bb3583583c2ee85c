"""Answers of a server: those of Python, the same bits in any company, JSON and arrow alike."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from benchmarks.bad_bodies import ARROW, arrow_of
from kept_material import waves
from served_material import body_of
from starlette.testclient import TestClient

import selftime as st
from selftime.data.frames import arrow_table
from selftime.serving.answers import block_size, rows_of_parts
from selftime.serving.app import make_app
from selftime.serving.shelf import Served

pytestmark = pytest.mark.late
ASKED = {
    "embed": ("model", "speakers", "wear", "vectors", "steps"),
    "classify": ("speakers", "both", "phases"),
    "regress": ("wear",),
    "forecast": ("sales",),
    "detect": ("pumps",),
    "impute": ("filled",),
}
PAIRS = [(task, name) for task, names in ASKED.items() for name in names]


def ragged(n: int = 5) -> st.SeriesSet:
    """Series of three lengths, some with gaps."""
    parts = [waves(7, 1, 40 + 10 * (i % 3)).series(0) for i in range(n)]
    for i, part in enumerate(parts):
        part[i % 2, i : i + i % 3] = np.nan
    return st.SeriesSet.of(parts, channels=("heat", "force"))


def columns_in_python(task: str, found, series: st.SeriesSet) -> dict:
    """The table that Python makes."""
    if task == "embed":
        return st.embed(found if isinstance(found, st.Model) else found._used, series).to_columns()
    if task == "forecast":
        return found.forecasts(series).to_columns()
    if task == "impute":
        return found.imputation(series).to_columns()
    table = found.detection(series) if task == "detect" else found.predictions(series)
    return table.to_columns()


@pytest.mark.parametrize("task, name", PAIRS)
def test_answers_are_those_of_python_as_json_and_as_arrow(client, folders, task, name):
    series = waves(5, 2, 150) if task in ("detect", "forecast") else ragged()
    wanted = arrow_table(columns_in_python(task, st.load(folders[name]), series))
    reply = client.post(f"/{task}?model={name}", json=body_of(series))
    assert reply.status_code == 200, reply.text
    found = reply.json()
    assert found["model"] == name and len(found["version"]) == 8
    columns = {
        name: np.array(column) if isinstance(column[0], list) else column
        for name, column in found["columns"].items()
    }
    ours = arrow_table(columns)
    packed = client.post(
        f"/{task}?model={name}",
        content=arrow_of(arrow_table(series.to_columns())),
        headers={"Content-Type": ARROW},
    )
    assert packed.status_code == 200 and packed.headers["content-type"] == ARROW
    theirs = pa.ipc.open_stream(packed.content).read_all()
    assert theirs.schema.metadata[b"version"].decode() == found["version"]
    for one in (ours, theirs):
        assert one.column_names == wanted.column_names
        for column in wanted.column_names:
            got, want = one.column(column).to_pylist(), wanted.column(column).to_pylist()
            if isinstance(want[0], float):
                np.testing.assert_allclose(
                    np.array(got, float), np.array(want, float), rtol=1e-5, atol=1e-6
                )
            else:
                assert list(map(str, got)) == list(map(str, want))


def test_alarms_are_listed_beside_the_scores(client, folders):
    series = waves(5, 1, 150)
    values = series.values.copy()
    values[0, :, 70:80] += 9
    found = client.post("/detect?model=pumps", json={"series": values.tolist()}).json()
    detection = st.load(folders["pumps"]).detection(values)
    assert found["alarms"]["start_step"] == [alarm.start for alarm in detection.alarms]
    assert len(found["alarms"]["score"]) >= 1


@pytest.mark.parametrize(
    "task, name",
    [("embed", "model"), ("embed", "steps"), ("classify", "speakers"), ("regress", "wear")],
)
def test_the_company_changes_no_bit(folders, task, name):
    served = Served(name, st.load(folders[name]), "")
    wild = st.SeriesSet.of(1e6 + 1e30 * waves(3, 4, 40).values, channels=("heat", "force"))
    crowd = [ragged(12), wild, waves(8, 30, 40), waves(9, 3, 60)]
    for series in (ragged(5), waves(4, 2, 40)):
        alone = rows_of_parts(served, task, [series])[0]
        for seed in range(3):
            order = np.random.default_rng(seed).permutation(len(crowd))
            parts = [crowd[k] for k in order]
            parts.insert(seed, series)
            together = rows_of_parts(served, task, parts)[seed]
            assert all((a == b).all() for a, b in zip(alone, together, strict=True))
        one_by_one = [rows_of_parts(served, task, [series[i]])[0][0] for i in range(len(series))]
        assert all((a == b).all() for a, b in zip(alone, one_by_one, strict=True))


def test_requests_at_once_are_encoded_together_and_get_the_bits_of_one(client, app):
    bodies = [body_of(waves(seed, 1, 40)) for seed in range(24)]
    alone = [client.post("/embed?model=model", json=body).json() for body in bodies]
    sizes = app.state.service.metrics.sizes
    before = sizes._sum.get(), sum(bucket.get() for bucket in sizes._buckets)
    with ThreadPoolExecutor(24) as pool:
        asked = [pool.submit(client.post, "/embed?model=model", json=body) for body in bodies]
        together = [reply.result().json() for reply in asked]
    assert together == alone
    series, batches = sizes._sum.get() - before[0], sum(b.get() for b in sizes._buckets) - before[1]
    assert series == 24 and batches < 24


def test_long_series_are_encoded_by_themselves():
    long = st.SeriesSet.of(np.ones((1, 2, 40_000)))
    assert block_size(long, 0) == 1
    sizes = [block_size(waves(0, 1, T), 0) for T in (10, 2048, 2049, 5000, 9000)]
    assert sizes == [8, 8, 4, 2, 1]


def test_covariates_ahead_and_times_are_taken(client, folders):
    series = waves(2, 2, 60)
    days = [str(day) for day in np.arange("2024-01-01", "2024-03-01", dtype="M8[D]")]
    ahead = {"series": [[[0.5, 0.6, 0.7]], [[0.1, 0.2, 0.3]]], "channels": ["heat"]}
    after = [["2024-03-01", "2024-03-02", "2024-03-03"]] * 2
    body = body_of(series) | {"times": [days, days]}
    body["future"] = ahead | {"ids": body["ids"], "times": after}
    found = client.post("/forecast?model=sales-with-heat", json=body)
    assert found.status_code == 200, found.text
    assert found.json()["columns"]["ds"][:3] == after[0]
    forecaster = st.load(folders["sales-with-heat"])
    future = st.SeriesSet.of(np.array(ahead["series"]), channels=["heat"])
    wanted = forecaster.forecasts(series, future).mean[:, 0].ravel()
    np.testing.assert_allclose(found.json()["columns"]["force"], wanted, rtol=1e-6)


def test_channels_in_another_order(client):
    series = waves(4, 3, 40)
    turned = {"series": series.values[:, ::-1].tolist(), "channels": ["force", "heat"]}
    same = client.post("/classify?model=speakers", json=turned).json()["columns"]
    plain = client.post("/classify?model=speakers", json=body_of(series)).json()["columns"]
    assert same == plain


def test_what_a_folder_is_not_for_is_said(client):
    reply = client.post("/forecast?model=speakers", json={"series": [[[1], [2]]]})
    assert reply.status_code == 422
    assert reply.json()["error"] == (
        "model speakers is a Classifier, which cannot forecast, wanted: /classify, /embed"
    )
    reply = client.post("/embed?model=pumps", json={"series": [[[1], [2]]]})
    assert "cannot embed, wanted: /detect" in reply.json()["error"]


def test_nan_is_null_and_notes_are_there(client):
    series = waves(5, 1, 100).values.copy()
    series[0, :, 30:35] = np.nan
    body = json.loads(json.dumps(np.where(np.isnan(series), None, series).tolist()))
    found = client.post("/detect?model=pumps", json={"series": body}).json()
    assert found["columns"]["score"][30:35] == [None] * 5 and found["notes"] == []


def test_an_index_is_searched(folders, tmp_path):
    kept = waves(0)
    st.SeriesIndex(st.load(folders["model"])).add(kept).save(tmp_path / "index")
    asked = waves(9, 3)
    wanted = st.load(tmp_path / "index").search(asked, k=4).to_columns()
    with TestClient(make_app([str(tmp_path / "index")])) as client:
        reply = client.post("/search?k=4", json=body_of(asked))
        assert reply.status_code == 200, reply.text
        found = reply.json()["columns"]
        assert list(found) == list(wanted) and len(found[next(iter(found))]) == 12
        for name, column in wanted.items():
            column = np.asarray(column).tolist()
            numbers = isinstance(column[0], float)
            assert found[name] == (pytest.approx(column, abs=1e-5) if numbers else column)
        assert client.post("/embed", json=body_of(asked)).status_code == 200
        for k in ("0", "-1", "x", "1001", "1e2", "\u0663"):
            refused = client.post(f"/search?k={k}", json=body_of(asked))
            assert refused.status_code == 422 and "wanted 1 to 1,000" in refused.json()["error"]


ENTRIES = [
    ("only_id=pump-*", {"where": {"id": "pump-*"}}),
    ("only_label=b&only_id=fan-*", {"where": {"id": "fan-*", "label": "b"}}),
    ("after=2024-03-02T00:00", {"where": {"start": "2024-03-02T00:00"}}),
    ("after=2024-03-01T12:00&before=2024-03-02T12:00&apart=0.5",
     {"where": {"start": "2024-03-01T12:00", "end": "2024-03-02T12:00"}, "apart": 0.5}),
    ("apart=0&exact=true", {"apart": 0, "exact": True}),
]  # fmt: skip
REFUSED = [
    ("only_id=nothing", 422, "no entry of the index has id nothing: ask for less"),
    ("after=soon", 422, "got 'soon', wanted a time such as 2024-03-01T05:30"),
    ("apart=near", 422, 'got ?apart="near", wanted window lengths, 0 or more'),
    ("apart=-1", 422, "wanted window lengths"),
    ("apart=nan", 422, "wanted window lengths"),
    ("apart=1e400", 422, "wanted window lengths"),
    ("exact=yes", 422, 'got ?exact="yes", wanted true or false'),
    ("id_like=pump", 422, "?only_id="),
]


@pytest.fixture(scope="module")
def dated(folders, tmp_path_factory):
    """An index of windows with labels and dates, its folder, and a client that serves it."""
    recordings, begin = waves(3, 4, 160), np.datetime64("2024-03-01T00:00", "ms")
    hours = np.concatenate([np.arange(160) + 24 * i for i in range(4)])
    names = ["pump-1", "pump-2", "fan-1", "fan-2"]
    table = {
        "unique_id": np.repeat(names, 160),
        "time": begin + hours.astype("timedelta64[h]"),
        **dict(zip(recordings.channels, recordings.steps.T, strict=True)),
        "label": np.repeat(["a", "b", "a", "b"], 160),
    }
    kept = st.read(pl.DataFrame(table), label="label")
    folder = tmp_path_factory.mktemp("dated") / "index"
    st.SeriesIndex(st.load(folders["model"])).add(kept, windows=20, stride=5).save(folder)
    with TestClient(make_app([str(folder)])) as opened:
        yield st.load(folder), opened


@pytest.mark.parametrize("query, asked", ENTRIES)
def test_entries_are_asked_for_by_id_label_and_time(dated, query, asked):
    index, opened = dated
    queries = waves(9, 2, 20)
    reply = opened.post(f"/search?k=3&{query}", json=body_of(queries))
    assert reply.status_code == 200, reply.text
    wanted = index.search(queries, k=3, **asked)
    found = reply.json()["columns"]
    assert found["unique_id"] == wanted.to_columns()["unique_id"].tolist()
    assert found["similarity"] == pytest.approx(wanted.similarities.tolist(), abs=1e-5)


@pytest.mark.parametrize("query, status, message", REFUSED)
def test_what_is_asked_of_entries_wrongly_is_told(dated, query, status, message):
    reply = dated[1].post(f"/search?{query}", json=body_of(waves(9, 1, 20)))
    assert reply.status_code == status and message in reply.json()["error"], reply.text
