"""Frames out: kinds and types of what came in, names that never collide, what is read again."""

import datetime as dt
from dataclasses import replace

import hypothesis.strategies as some
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given

import selftime as st
from selftime.data.clock import Stamps
from selftime.data.frames import arrow_table, frame_head, frame_like, frame_of, join_columns
from selftime.data.series import SeriesSet

KINDS = ["pandas", "polars", "arrow"]


def frames_of(x: st.SeriesSet) -> dict:
    return {"pandas": x.to_pandas(), "polars": x.to_polars(), "arrow": x.to_arrow()}


def same(a: st.SeriesSet, b: st.SeriesSet) -> None:
    assert a.channels == b.channels and a.ids.tolist() == b.ids.tolist()
    assert a.ids.dtype.kind == b.ids.dtype.kind
    np.testing.assert_array_equal(a.values, b.values)
    assert a.lengths.tolist() == b.lengths.tolist()
    for name in ("labels", "groups", "times", "step_labels"):
        ours, theirs = getattr(a, name), getattr(b, name)
        assert (ours is None) == (theirs is None), name
        if ours is not None:
            assert ours.tolist() == theirs.tolist(), name
            assert [*map(type, ours.tolist())] == [*map(type, theirs.tolist())]
    assert a.stamps.zone == b.stamps.zone


def make_set(lengths, seed, level, names, zone) -> st.SeriesSet:
    """Series of any lengths, with ids, labels, groups and times of any kind, gaps included."""
    N, S, C = len(lengths), sum(lengths), 1 + seed % 2
    ids, labels, groups = names
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(S, C)) + level
    gaps = rng.random((S, C)) < 0.1
    gaps[np.cumsum([0, *lengths[:-1]])] = False
    steps[gaps] = np.nan
    own = [f"{i:03d}" for i in range(N)] if ids == "text" else np.arange(N) * 7
    x = SeriesSet.from_steps(steps, np.array(lengths), ids=own, channels=["u", "v w"][:C])
    x = SeriesSet.of(x, labels and labels[:N], groups=groups and groups[:N])
    order = np.concatenate([np.arange(n) for n in lengths])
    if zone == "steps":
        return replace(x, times=order, stamps=Stamps(kind="number"))
    times = np.datetime64("2024-03-30T22:00", "ns") + order * np.timedelta64(1, "h")
    return x if zone == "no" else replace(x, times=times, stamps=Stamps(zone))


IDS = some.sampled_from(["text", "numbers"])
LABELS = some.sampled_from([None, [1, 2, None, 1], ["007", "07", "x", None], [0.5, 2.0, 3.0, 4.0]])
GROUPS = some.sampled_from([None, ["p", "q", "q", "p"]])


@pytest.mark.parametrize("kind", KINDS)
@given(
    lengths=some.lists(some.integers(2, 6), min_size=2, max_size=4),
    seed=some.integers(0, 99),
    level=some.sampled_from([0.0, 3e9]),
    names=some.tuples(IDS, LABELS, GROUPS),
    zone=some.sampled_from([None, "Europe/Berlin", "steps", "no"]),
)
def test_a_frame_of_a_set_is_read_as_the_same_set(kind, lengths, seed, level, names, zone):  # noqa: PLR0913
    x = make_set(lengths, seed, level, names, zone)
    same(st.read(frames_of(x)[kind]), x)


@pytest.mark.parametrize("kind", KINDS)
def test_windows_are_read_again(kind):
    hours = pd.date_range("2024-01-01", periods=12, freq="h", tz="Asia/Kolkata")
    frame = pd.DataFrame({"machine": 7, "date": hours, "volt": np.arange(12.0)})
    x = st.read(frame, windows=6, stride=3)
    again = st.read(frames_of(x)[kind])
    same(again, x)
    assert again.ids.tolist() == ["7@0", "7@3", "7@6"]


@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_steps_are_read_again(kind):
    x = st.read({"a": np.arange(4.0), "b": np.arange(3.0)})
    labels = np.array(["low", "low", None, "high", "low", "high", "high"], object)
    x = replace(x, step_labels=labels)
    same(st.read(frames_of(x)[kind]), x)


def test_names_come_back_where_they_are_well_known():
    frame = pd.DataFrame(
        {"shop": ["b", "b", "a", "a"], "date": [1, 2, 1, 2], "sales": [1.0, 2, 3, 4]}
    )
    x = st.read(frame)
    assert list(x.to_pandas()) == ["shop", "date", "sales"]
    assert list(x[1:].keys()) == ["shop"]  # a part has them too
    odd = st.read(frame.rename(columns={"shop": "zz", "date": "qq"}), id="zz", time="qq")
    assert list(odd.to_pandas()) == ["unique_id", "ds", "sales"]
    assert list(odd.keys()) == ["zz"] and list(odd.step_columns({}))[:2] == ["zz", "qq"]


def test_names_never_collide():
    assert list(join_columns({"a": 1, "a_": 2}, {"a": 3}, {"a": 4})) == ["a", "a_", "a__", "a___"]
    table = arrow_table({"e0": np.zeros(1), "vectors": np.ones((1, 2))})
    assert table.column_names == ["e0", "e0_", "e1"] and table["e0_"].to_pylist() == [1.0]
    x = st.SeriesSet.of(np.zeros((1, 2, 2)), channels=["unique_id", "v"])
    assert x.to_arrow().column_names == ["unique_id", "unique_id_", "v"]


def test_whole_numbers_and_truths_with_gaps_stay_what_they_are():
    columns = {"n": np.array([1, None], object), "b": np.array([True, None], object)}
    found = frame_of(columns, "pandas")
    assert [str(kind) for kind in found.dtypes] == ["Int64", "boolean"]
    assert frame_of(columns, "polars").rows() == [(1, True), (None, None)]


def test_days_are_timestamps_of_pandas_and_dates_elsewhere():
    days = {"ds": pa.array([dt.date(2024, 1, 31)])}
    assert str(frame_of(days, "pandas")["ds"].dtype).startswith("datetime64")
    assert frame_of(days, "polars")["ds"].to_list() == [dt.date(2024, 1, 31)]
    objects = pd.DataFrame({"ds": [dt.date(2024, 1, 30)]})
    assert frame_like(objects, days)["ds"].tolist() == [dt.date(2024, 1, 31)]


def test_types_are_those_of_the_source():
    source = pd.DataFrame(
        {
            "id": pd.Series([1, 2], dtype="int16"),
            "kind": pd.Categorical(["p", "q"]),
            "ds": pd.date_range("2024", periods=2, unit="s", tz="UTC"),
        }
    )
    times = pa.array([dt.datetime(2024, 5, 1)], pa.timestamp("ns", "UTC"))
    columns = {"id": np.array([2]), "kind": np.array(["q"]), "ds": times, "x": np.ones(1)}
    found = frame_like(source, columns)
    assert list(map(str, found.dtypes)) == ["int16", "category", "datetime64[s, UTC]", "float64"]


@pytest.mark.parametrize(
    "source, kind",
    [
        (pd.DataFrame({"y": [1.0]}), pd.DataFrame),
        (pd.Series([1.0, 2.0]), pd.DataFrame),
        (pl.DataFrame({"y": [1.0]}), pl.DataFrame),
        (pl.DataFrame({"y": [1.0]}).lazy(), pl.DataFrame),
        (pl.Series("y", [1.0]), pl.DataFrame),
        (pa.table({"y": [1.0]}), pa.Table),
    ],
)
def test_each_kind_of_frame_is_known(source, kind):
    assert isinstance(frame_like(source, {"a": np.ones(1)}), kind)


@pytest.mark.parametrize("source", [np.ones((1, 2)), [[1.0]], {"a": [1.0]}, "file.csv", None])
def test_others_are_no_frames(source):
    assert frame_head(source) is None


def test_a_notebook_shows_an_escaped_table_of_few_rows():
    many = {f"<b>{i}": np.arange(9.0) for i in range(20)}
    text = st.read(many, labels=["<script>"] * 20)._repr_html_()
    assert "&lt;script&gt;" in text and "<script>" not in text and "<b>" not in text
    assert text.count("<tr>") == 9 and "20 rows × 4 columns" in text and "http" not in text
    assert "SeriesSet(20 series" in text
