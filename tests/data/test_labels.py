"""Labels: absent ones from every door, in files of their own, by spans, by names of files."""

import io
import logging

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

import selftime
from selftime.data.readers import read
from selftime.data.series import SeriesError
from selftime.data.writers import write
from selftime.door import through

LONG = "unique_id,ds,x,label\nA,0,1,walk\nB,0,3,\nC,0,5,run\n"
TWO = np.arange(6.0).reshape(3, 1, 2)


def csv(text, folder, **options):
    (folder / "x.csv").write_text(text)
    return read(folder / "x.csv", **options)


def machines(folder, names, text="time,v\n0,1\n1,2\n"):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def plant(tmp_path):
    """A folder of six machines."""
    return machines(tmp_path / "plant", [f"m{i}.csv" for i in range(6)])


# A label may be missing.


def test_a_blank_cell_is_no_class(tmp_path):
    x = csv(LONG, tmp_path)
    assert x.labels.tolist() == ["walk", None, "run"]
    assert x.labelled.tolist() == [True, False, True]
    assert x[x.labelled].labels.tolist() == ["walk", "run"]
    y = csv("a,b,label\n1,2,walk\n2,3,\n3,4,NaN\n", tmp_path)
    assert y.labels.tolist() == ["walk", None, None]


@pytest.mark.parametrize("blank", ["", " ", "NaN", "nan", "NA", "<NA>", "None", "null", "NaT", "?"])
def test_every_way_to_write_nothing_is_no_class(blank, tmp_path):
    assert csv(LONG.replace("3,\n", f"3,{blank}\n"), tmp_path).labels.tolist()[1] is None


@pytest.mark.parametrize("blank", [None, np.nan, pd.NA, ""])
@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "parquet", "list", "Series"])
def test_an_absent_label_is_the_same_from_every_door(kind, blank, tmp_path):
    frame = pd.read_csv(io.StringIO(LONG))
    frame["label"] = pd.Series(["walk", blank, "run"], dtype=object)
    frame.replace({pd.NA: None}).to_parquet(tmp_path / "x.parquet")
    x = {
        "pandas": lambda: read(frame),
        "polars": lambda: read(pl.from_pandas(frame.replace({pd.NA: None}))),
        "arrow": lambda: read(pa.Table.from_pandas(frame)),
        "parquet": lambda: read(tmp_path / "x.parquet"),
        "list": lambda: read(TWO, labels=frame["label"].tolist()),
        "Series": lambda: read(TWO, labels=frame["label"]),
    }[kind]()
    assert x.labels.tolist() == ["walk", None, "run"]


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [(["1", "", "2"], [1, None, 2]), (["0.5", "", "2"], [0.5, None, 2.0]),
     (["007", "", "7"], ["007", None, "7"])],
)  # fmt: skip
def test_labels_keep_their_type_beside_absent_ones(cells, wanted, tmp_path):
    rows = "".join(f"{name},0,1,{cell}\n" for name, cell in zip("ABC", cells, strict=True))
    x = csv("unique_id,ds,x,label\n" + rows, tmp_path)
    assert x.labels.tolist() == wanted
    assert [type(v) for v in x.labels.tolist()] == [type(v) for v in wanted]


def test_integers_with_gaps_of_a_frame_stay_integers():
    frame = pd.DataFrame({"unique_id": list("abc"), "x": [1.0, 2, 3]})
    frame["label"] = pd.array([1, None, 2], dtype="Int64")
    assert read(frame).labels.tolist() == [1, None, 2]


def test_no_label_at_all_is_none(tmp_path):
    assert csv(LONG.replace("walk", "").replace("run", ""), tmp_path).labels is None


def test_a_series_is_labelled_where_one_of_its_rows_is(tmp_path):
    x = csv("unique_id,ds,x,label\nA,0,1,\nA,1,2,on\nB,0,3,\nB,1,3,\n", tmp_path)
    assert x.labels.tolist() == ["on", None]
    assert x.step_labels is None


def test_steps_without_a_label_stay_so(tmp_path):
    x = csv("ds,x,label\n0,1,a\n1,2,\n2,3,b\n3,4,b\n", tmp_path)
    assert x.labels is None
    assert x.step_labels.tolist() == ["a", None, "b", "b"]


@examples(40)
@given(
    labels=st.lists(st.sampled_from(["u", "v", None]), min_size=3, max_size=3).filter(any),
    ending=st.sampled_from(["csv", "npz"]),
)
def test_absent_labels_are_written_and_read_back(labels, ending, tmp_path_factory):
    x = read(TWO, labels=labels)
    path = tmp_path_factory.getbasetemp() / f"labels.{ending}"
    assert read(write(x, path, overwrite=True)).labels.tolist() == labels


# Labels in a file of their own.


@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize(
    "key", ["m{}.csv", "m{}", "plant/m{}.csv", "C:\\data\\m{}.csv", "/data/plant/m{}.csv"]
)
def test_a_folder_takes_labels_from_a_file(key, beside, plant, caplog):
    rows = [f"{key.format(i)},{'worn' if i % 2 else 'ok'}" for i in (3, 0, 5)]
    text = "\n".join(["file,state", *rows, "m9.csv,worn", ""])
    path = plant / "labels.csv" if beside else plant.parent / "states.csv"
    path.write_text(text)
    x = read(plant) if beside else read(plant, labels=path)
    assert x.ids.tolist() == [f"m{i}.csv" for i in range(6)]
    assert x.labels.tolist() == ["ok", None, None, "worn", None, "worn"]
    assert "3 of 6 series labelled; 1 row" in caplog.text
    assert "matches no series: 'm9.csv'" in caplog.text


@pytest.mark.parametrize("kind", ["dict", "Series", "frame", "polars", "parquet", "index"])
def test_labels_come_as_dict_series_frame_or_file(kind, plant):
    table = {"m1": "ok", "m4.csv": "worn"}
    frame = pd.DataFrame({"machine_file": table.keys(), "verdict": table.values()})
    path = plant.parent / "l.parquet"
    frame.to_parquet(path)
    labels = {
        "dict": table,
        "Series": pd.Series(table),
        "frame": frame,
        "index": frame.set_index("machine_file"),
        "polars": pl.from_pandas(frame),
        "parquet": path,
    }[kind]
    assert read(plant, labels=labels).labels.tolist() == [None, "ok", None, None, "worn", None]


@pytest.mark.parametrize("head", ["", "machine,condition\n", "id,label\n", "pump,state\n"])
def test_labels_in_a_file_without_a_head_lose_no_row(plant, head):
    (plant.parent / "l.csv").write_text(head + "m0.csv,ok\nm1.csv,worn\nm2,ok\n")
    found = read(plant, labels=plant.parent / "l.csv")
    assert found.labels.tolist() == ["ok", "worn", "ok", None, None, None]


def test_keys_are_numbers_or_texts_alike(tmp_path):
    long = "machine,time,v\n" + "".join(f"{m},{t},{t}\n" for m in (7, 8, 12) for t in range(3))
    (tmp_path / "l.csv").write_text("machine,state\n12,on\n7,off\n")
    x = csv(long, tmp_path, labels=tmp_path / "l.csv")
    assert x.ids.tolist() == [7, 8, 12]
    assert x.labels.tolist() == ["off", None, "on"]
    assert csv(long, tmp_path, labels={7: 1, 12: 0}).labels.tolist() == [1, None, 0]
    assert csv(long, tmp_path, labels={"7": 1, "12": 0}).labels.tolist() == [1, None, 0]


def test_labels_in_their_own_types(plant):
    assert read(plant, labels={"m0": 3, "m1": 4}).labels.tolist()[:2] == [3, 4]
    (plant / "labels.csv").write_text("id,label\nm0,007\nm1,7\n")
    assert read(plant).labels.tolist()[:2] == ["007", "7"]


def test_what_suggest_wrote_comes_back_as_it_is(plant):
    path = plant.parent / "to-label.csv"
    head = "row,id,label,reason\n"
    path.write_text(head + '3,m3.csv,,"stands for 3 series"\n0,m0.csv,,""\n')
    assert read(plant, labels=path).labels is None
    path.write_text(head + '3,m3.csv,worn,"stands for 3 series"\n0,m0.csv,,""\n')
    assert read(plant, labels=path).labels.tolist() == [None, None, None, "worn", None, None]


def test_labels_for_nobody_are_refused_with_both_names(plant):
    with pytest.raises(SeriesError, match=r"none of its 1 rows matches .*'pump'.*'m0.csv'"):
        read(plant, labels={"pump": "ok"})
    with pytest.raises(SeriesError, match=r"nothing.csv: no such file of labels.*labels="):
        read(plant, labels=plant.parent / "nothing.csv")


def test_labels_beside_the_series_do_not_refuse_the_folder(plant):
    (plant / "labels.csv").write_text("code,meaning\n0,walk\n1,run\n")
    x = read(plant)
    assert len(x) == 6 and x.labels is None
    assert "labels beside the series are left out: " in x.notes[-1]
    given = read(plant, labels={"m1": "ok"})
    assert given.labels.tolist()[1] == "ok"
    assert len(given.notes) == 1
    (plant / "labels.csv").write_text("file,label\nm0,a\nm1,b\n")
    assert read(plant, label="none").labels is None
    with pytest.raises(SeriesError, match="got sub-folders"):
        read(plant, label="folder")


def test_spans_that_name_no_series_need_ids(plant):
    spans = pd.DataFrame({"start": [0], "end": [1], "label": ["a"]})
    with pytest.raises(SeriesError, match="its rows name no series, and there are 6: add a col"):
        read(plant, labels=spans)


def test_two_labels_of_one_series_are_refused(plant):
    path = plant.parent / "labels.csv"
    path.write_text("id,label\nm1,ok\nm1.csv,worn\n")
    with pytest.raises(SeriesError, match=r"labels.csv: series 'm1.csv' has labels 'ok' and 'wo"):
        read(plant, labels=path)
    path.write_text("id,label\nm1,ok\nm1.csv,ok\n")
    assert read(plant, labels=path).labels.tolist()[1] == "ok"


def test_a_stem_of_two_files_names_neither(tmp_path):
    folder = machines(tmp_path / "p", ["north/m1.csv", "south/m1.csv", "south/m2.csv"])
    x = read(folder, labels={"m1": "ok", "m2": "worn"}, label="none")
    assert x.labels.tolist() == [None, None, "worn"]
    assert "1 row of the labels matches no series: 'm1'" in x.notes[-1]
    x = read(folder, labels={"north/m1.csv": "ok", "south/m1": "worn"})
    assert x.labels.tolist() == ["ok", "worn", None]


def test_labels_in_the_order_of_the_series_need_one_each(plant):
    assert read(plant, labels=list("abcabc")).labels.tolist() == list("abcabc")
    with pytest.raises(SeriesError, match="got 2 labels for 6 series"):
        read(plant, labels=["a", "b"])


def test_a_readme_in_the_folder_is_passed_over(plant):
    (plant / "README.txt").write_text("Two pumps were changed in May.\nAsk Ms Kim.\n")
    (plant / "labels.csv").write_text("id,label\nm0,ok\n")
    assert len(read(plant)) == 6


@examples(40)
@given(order=st.permutations(range(6)), form=st.sampled_from(["m{}.csv", "m{}", "x/m{}.csv"]))
def test_the_order_of_rows_and_the_form_of_keys_change_nothing(order, form):
    parts = {f"m{i}.csv": np.arange(3.0) for i in range(6)}
    labels = {form.format(i): f"state {i % 2}" for i in order if i != 4}
    found = read(parts, labels=labels).labels.tolist()
    assert found == [None if i == 4 else f"state {i % 2}" for i in range(6)]


# Spans of time.

SPINDLE = "time,power\n" + "".join(f"2024-03-01 06:00:{s:02},{s}\n" for s in range(60))


def test_spans_label_the_steps_in_them_both_ends_included(tmp_path):
    events = "start,end,activity\n2024-03-01 06:00:10,2024-03-01 06:00:19,cut\n"
    (tmp_path / "e.csv").write_text(events + "2024-03-01 06:00:30,2024-03-01 06:00:31,drill\n")
    x = csv(SPINDLE, tmp_path, labels=tmp_path / "e.csv")
    assert x.labels is None
    wanted = [None] * 10 + ["cut"] * 10 + [None] * 10 + ["drill"] * 2 + [None] * 28
    assert x.step_labels.tolist() == wanted
    assert "12 of 60 steps labelled, in 1 series" in x.notes


def test_windows_take_the_label_of_most_of_their_steps(tmp_path):
    (tmp_path / "e.csv").write_text(
        "begin,stop,label\n2024-03-01 06:00:00,2024-03-01 06:00:10,cut\n"
        "2024-03-01 06:00:11,2024-03-01 06:00:24,drill\n"
    )
    options = {"labels": tmp_path / "e.csv", "windows": "10s"}
    x = csv(SPINDLE, tmp_path, **options)
    assert x.labels.tolist() == ["cut", "drill", None, None, None, None]
    assert x.ids.tolist() == [f"0@{i}" for i in range(0, 60, 10)]
    assert x.starts.tolist() == list(range(0, 60, 10))
    assert csv(SPINDLE, tmp_path, **options | {"stride": "5 s"}).starts.tolist()[:3] == [0, 5, 10]


def test_spans_of_several_series_go_by_id_and_step(tmp_path):
    (tmp_path / "e.csv").write_text("id,start,end,label\nb,1,3,x\na,0,2,y\nc,0,1,z\n")
    parts = {"a": np.arange(4.0), "b": np.arange(5.0)}
    x = read(parts, labels=tmp_path / "e.csv")
    assert x.step_labels.tolist() == ["y", "y", None, None, None, "x", "x", None, None]
    assert "1 row" in x.notes[-1] and "'c'" in x.notes[-1]


def test_spans_of_a_frame_of_stamps(tmp_path):
    frame = pd.DataFrame(
        {
            "start": pd.to_datetime(["2024-03-01 06:00:10"]),
            "end": pd.to_datetime(["2024-03-01 06:00:12"]),
            "event": ["cut"],
        }
    )
    steps = csv(SPINDLE, tmp_path, labels=frame).step_labels
    assert [i for i, label in enumerate(steps) if label == "cut"] == [10, 11, 12]


ZONED = pd.DataFrame(
    {"x": range(24)}, index=pd.date_range("2024-03-01", periods=24, freq="h", tz="Europe/Berlin")
)


@pytest.mark.parametrize(
    ("start", "end"),
    [("2024-03-01 06:00", "2024-03-01 08:00"), ("2024-03-01T05:00Z", "2024-03-01T07:00Z"),
     ("2024-03-01 00:00:00-0500", "2024-03-01 02:00:00-0500")],
)  # fmt: skip
def test_spans_are_in_the_zone_of_the_series_or_in_their_own(start, end):
    spans = pd.DataFrame({"start": [start], "end": [end], "label": ["early shift"]})
    steps = read(ZONED, labels=spans).step_labels
    assert np.flatnonzero(steps != None).tolist() == [6, 7, 8]  # noqa: E711 - elementwise
    stamps = spans.assign(start=pd.to_datetime(spans["start"]), end=pd.to_datetime(spans["end"]))
    assert read(ZONED, labels=stamps).step_labels.tolist() == steps.tolist()


def test_a_span_without_an_end_goes_on_to_the_last_step():
    spans = pd.DataFrame({"start": ["2024-03-01 20:00"], "end": [None], "label": ["late shift"]})
    steps = read(ZONED, labels=spans).step_labels
    assert steps.tolist() == [None] * 20 + ["late shift"] * 4
    rows = pd.DataFrame({"id": ["a", "b"], "start": [2, 1], "end": [None, 2], "label": ["u", "v"]})
    found = read({"a": np.arange(4.0), "b": np.arange(3.0)}, labels=rows).step_labels
    assert found.tolist() == [None, None, "u", "u", None, "v", None]


def test_spans_beyond_the_series_are_refused(tmp_path):
    late = pd.DataFrame({"start": ["2024-04-01"], "end": ["2024-04-02"], "label": ["cut"]})
    with pytest.raises(SeriesError, match=r"from 2024-04-01.*run from 2024-03-01T06:00:00"):
        csv(SPINDLE, tmp_path, labels=late)
    steps = pd.DataFrame({"start": [9], "end": [12], "label": ["cut"]})
    with pytest.raises(SeriesError, match="from 9 to 12, the series run from 0 to 5"):
        read([np.arange(5.0)], labels=steps)


def test_a_span_that_is_no_time_is_refused(tmp_path):
    (tmp_path / "e.csv").write_text("start,end,label\nnoon,one,cut\n")
    with pytest.raises(
        SeriesError, match=r"column 'start' of the labels: got 'noon', wanted a time"
    ):
        csv(SPINDLE, tmp_path, labels=tmp_path / "e.csv")


# Folders and names of files.


def test_folders_of_machines_are_groups_and_folders_of_classes_labels(tmp_path, caplog):
    names = [f"machine {m}/{i}.csv" for m in (1, 2) for i in range(2)]
    x = read(machines(tmp_path / "a", names))
    assert x.labels is None
    assert x.groups.tolist() == ["machine 1"] * 2 + ["machine 2"] * 2
    assert "label='folder'" in caplog.text
    names = [f"{kind}/{i}.csv" for kind in ("normal", "worn") for i in range(2)]
    y = read(machines(tmp_path / "b", names))
    assert y.labels.tolist() == ["normal"] * 2 + ["worn"] * 2
    assert "group='folder'" in caplog.text
    assert read(tmp_path / "a", label="folder").labels.tolist() == x.groups.tolist()
    assert read(tmp_path / "b", group="folder").groups.tolist() == y.labels.tolist()
    assert read(tmp_path / "b", group="folder").labels is None


@pytest.mark.late
@pytest.mark.parametrize("form", ["{}_{:03}.csv", "{}-{}.csv", "{}{}.csv", "{} {:02}.csv"])
def test_labels_in_names_are_what_stands_before_the_last_number(form, tmp_path):
    names = [form.format("worn" if i % 3 == 0 else "normal", i) for i in range(6)]
    folder = machines(tmp_path / "p", names)
    wanted = ["normal"] * 4 + ["worn"] * 2
    x = read(folder, label="name")
    assert x.labels.tolist() == wanted
    assert "normal (4), worn (2)" in x.notes[-1]
    files = sorted(folder.glob("*"))
    assert read(files, label="name").labels.tolist() == wanted
    assert read(f"{folder}/*.csv", label="name").labels.tolist() == wanted
    asked = read(folder)
    assert asked.labels is None
    assert asked.notes[-1].endswith("if these are labels: label='name'")
    with through("command line"):
        assert read(folder).notes[-1].endswith("if these are labels: --label name")


def test_names_that_are_no_labels_are_refused(tmp_path):
    with pytest.raises(SeriesError, match="wanted a few labels and then a number, as normal_001"):
        read(machines(tmp_path / "p", ["a1.csv", "b1.csv", "c1.csv"]), label="name")
    with pytest.raises(SeriesError, match="names of files that begin with"):
        read(machines(tmp_path / "q", ["1.csv", "2.csv"]), label="name")
    assert not read(tmp_path / "q").notes


def test_a_column_called_name_counts_for_a_single_file(tmp_path):
    x = csv("unique_id,time,v,name\na,0,1,on\nb,0,2,off\n", tmp_path, label="name")
    assert x.labels.tolist() == ["on", "off"]


def test_notes_are_logged_once(plant, caplog):
    caplog.set_level(logging.WARNING)
    read(plant, labels={"m1": "ok"})
    assert caplog.text.count("1 of 6 series labelled") == 1


def test_texts_that_were_left_out_are_named_where_labels_lack():
    """A column with gaps, constant within each pump, may be the label: it is said, not guessed."""
    states = [*["ok", None, "ok"], *["bad", "bad", None], *[None] * 3]
    when = pd.date_range("2024-01-01", periods=3, freq="h")
    frame = pd.DataFrame(
        {"pump": np.repeat(["a", "b", "c"], 3), "when": list(when) * 3, "flow": np.arange(9.0)}
    ).assign(state=states)
    series = read(frame)
    assert {column.name: column.role for column in series.columns}["state"] == "static"
    for refused in (lambda: selftime.Classifier().fit(frame), lambda: selftime.hold_out(series)):
        with pytest.raises(ValueError, match=r"\('state' may be one\), label='state'"):
            refused()
    assert read(frame, label="state").labels.tolist() == ["ok", "bad", None]
