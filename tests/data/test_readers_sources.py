"""Frames, arrays, SeriesSets and folders through the one door."""

import io

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from selftime.data.readers import read
from selftime.data.series import SeriesSet

LONG = "unique_id,ds,y,z\nb,2024-01-02,3,30\na,2024-01-01,1,10\nb,2024-01-01,2,\n"


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "arrow", "parquet", "categorical"])
def test_frames_and_parquet_are_alike(kind, tmp_path):
    frame = pd.read_csv(io.StringIO(LONG), parse_dates=["ds"], dtype={"unique_id": str})
    frame["label"] = ["1", "x", "1"]
    source = {
        "pandas": lambda: frame,
        "categorical": lambda: frame.astype({"unique_id": "category", "label": "category"}),
        "polars": lambda: pl.from_pandas(frame),
        "lazy": lambda: pl.from_pandas(frame).lazy(),
        "arrow": lambda: pa.Table.from_pandas(frame),
        "parquet": lambda: tmp_path / "a.parquet",
    }[kind]()
    pq.write_table(pa.Table.from_pandas(frame), tmp_path / "a.parquet")
    x = read(source)
    assert x.ids.tolist() == ["b", "a"]
    assert x.labels.tolist() == ["1", "x"]
    assert np.array_equal(x.series(0), [[2, 3], [np.nan, 30]], equal_nan=True)
    assert x.times.dtype.kind == "M"


@pytest.mark.parametrize("name", [None, "when"])
def test_the_index_of_a_frame_counts_only_where_it_holds_times(name, tmp_path):
    frame = pd.DataFrame({"u": [1.0, 2.0, 3.0], "v": [4.0, 5.0, 6.0]})
    dated = frame.set_index(pd.date_range("2024-01-01", periods=3, name=name))
    dated.to_parquet(tmp_path / "a.parquet")
    for x in (read(dated), read(tmp_path / "a.parquet")):
        assert x.channels == ("u", "v")
        assert x.times[1] == np.datetime64("2024-01-02")
    selected = frame.set_index(pd.Index([4, 7, 8], name=name))
    assert read(selected).channels == ("u", "v")
    selected.rename_axis(None).to_parquet(tmp_path / "b.parquet")
    assert read(tmp_path / "b.parquet").channels == ("u", "v")


def test_arrays_series_sets_and_given_labels():
    cube = np.zeros((2, 1, 3))
    x = read(cube, labels=["a", "b"], groups=[1, 2])
    assert x.labels.tolist() == ["a", "b"]
    assert x.groups.tolist() == [1, 2]
    y = read(x, labels=[3, 4])
    assert isinstance(y, SeriesSet)
    assert y.labels.tolist() == [3, 4]
    assert y.groups.tolist() == [1, 2]
    assert len(read([np.zeros(3), np.zeros(4)])) == 2


def test_a_folder_takes_labels_from_its_sub_folders(tmp_path):
    for kind in ("cat", "dog"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "1.txt").write_text("1\n2\n")
    np.save(tmp_path / "dog" / "more.npy", np.ones((2, 3)))
    (tmp_path / "notes.md").write_text("not read")
    (tmp_path / ".hidden.txt").write_text("not read")
    x = read(tmp_path)
    wanted = ["cat/1.txt", "dog/1.txt", "dog/more.npy:0", "dog/more.npy:1"]
    assert x.ids.tolist() == wanted
    assert x.labels.tolist() == ["cat", "dog", "dog", "dog"]
    assert x.lengths.tolist() == [2, 2, 3, 3]


def test_a_folder_keeps_the_labels_and_gaps_of_its_files(tmp_path):
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "a.tsv").write_text("1\t5\tNaN\t6\n2\t7\t8\t9\n")
    x = read(tmp_path)
    assert x.labels.tolist() == [1, 2, 1, 2]
    assert x.observed[:, 0].tolist() == [True, False, True, True, True, True] * 2


def test_one_sub_folder_is_no_label(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.txt").write_text("1\n2\n")
    assert read(tmp_path).labels is None


def test_the_role_of_each_column_is_told_with_its_reason(tmp_path, caplog):
    (tmp_path / "a.csv").write_text(LONG.replace("unique_id", "machine"))
    x = read(tmp_path / "a.csv")
    assert {column.name: column.role for column in x.columns}["machine"] == "id"
    assert all(column.reason for column in x.columns)
    assert "column 'machine' is taken for the id" in caplog.text


@pytest.mark.parametrize("stamps", ["2024-01-01", 5, 0.5])
def test_a_frame_that_changes_later_changes_no_series(stamps):
    start = pd.Timestamp(stamps) if isinstance(stamps, str) else stamps
    step = pd.Timedelta("1D") if isinstance(stamps, str) else 1
    times = np.array([start + i * step for i in range(4)], None if step == 1 else "datetime64[ns]")
    values = np.arange(4.0)
    frame = pd.DataFrame({"ds": times, "y": values}, copy=False)
    series = read(frame)
    before = series.times.copy(), series.values.copy()
    times[:], values[:] = times[::-1].copy(), 7
    frame.loc[:, "y"] = 9.0
    np.testing.assert_array_equal(series.times, before[0])
    np.testing.assert_array_equal(series.values, before[1])
