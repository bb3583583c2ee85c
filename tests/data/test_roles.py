"""Columns that are no measurements: index, id, time, label, and shapes that are implausible."""

import datetime as dt
import io

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from selftime.data.readers import read
from selftime.data.series import SeriesError
from selftime.door import through

LONG = "machine,time,temp,press\n" + "".join(
    f"{m},2024-01-01 {t:02}:00:00,{20 + t + i},{1000 - t * i}\n"
    for i, m in enumerate(["m3", "m1", "m2"])
    for t in range(12)
)


def csv(text, folder, **options):
    (folder / "x.csv").write_text(text)
    return read(folder / "x.csv", **options)


def roles(x):
    return {column.name: column.role for column in x.columns}


def wide(n, head, row, steps=150):
    """A table with a row for each of n parts, and its curve."""
    names = ",".join(f"s{i}" for i in range(steps))
    return f"{head},{names}\n" + "".join(
        f"{row(i)},{','.join(str(j * (i + 1)) for j in range(steps))}\n" for i in range(n)
    )


def same(x, y):
    """Two sets hold the same, whatever the order of series and channels."""
    order = [x.channels.index(name) for name in y.channels]
    place = [x.ids.tolist().index(name) for name in y.ids.tolist()]
    assert sorted(x.channels) == sorted(y.channels) and len(x) == len(y)
    assert np.array_equal(x.values[place][:, order], y.values, equal_nan=True)
    for i, j in enumerate(place):
        ours, theirs = x[[j]], y[[i]]
        assert np.array_equal(ours.times, theirs.times) if x.times is not None else True


# An index that counts rows.


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "index", "level_0"])
@pytest.mark.parametrize("first", [0, 1])
def test_a_first_column_that_counts_rows_is_left_out(name, first, tmp_path):
    rows = "".join(f"{i + first},.{i + 1},.{i + 2},{'ab'[i // 2]}\n" for i in range(3))
    x = csv(f"{name},t0,t1,label\n{rows}", tmp_path)
    assert x.values[:, 0].tolist() == np.float32([[0.1, 0.2], [0.2, 0.3], [0.3, 0.4]]).tolist()
    assert x.labels.tolist() == ["a", "a", "b"]
    assert roles(x)[name] == "ignored"
    assert "only counts rows and is left out" in x.notes[0]


@pytest.mark.parametrize("cells", ["0,2,3", "5,6,7", "2,1,0", "0.5,1.5,2.5"])
def test_a_first_column_that_does_not_count_rows_is_kept(cells, tmp_path):
    rows = "".join(f"{cell},{i}\n" for i, cell in enumerate(cells.split(",")))
    assert len(csv(f"index,y\n{rows}", tmp_path).channels) == 2


def test_what_only_counts_is_kept_where_it_is_asked_for(tmp_path):
    x = csv("index,y\n0,5\n1,6\n2,7\n", tmp_path, channels=["index", "y"])
    assert x.channels == ("index", "y")


def test_a_column_without_name_and_cells_is_no_channel(tmp_path):
    assert csv("ds,y,\n2024-01-01,1,\n2024-01-02,2,\n", tmp_path).channels == ("y",)
    frame = pd.DataFrame({"ds": range(3), "y": range(3), "": [None] * 3})
    assert read(frame).channels == ("y",)


def test_names_and_cells_are_stripped(tmp_path):
    x = csv("unique_id, ds, value, label\nA, 1, 10, 7\nA, 0, 20, 7\nB, 0, 5, 8\n", tmp_path)
    assert x.channels == ("value",)
    assert x.labels.tolist() == [7, 8]
    assert x.series(0).tolist() == [[20, 10]]


def test_a_first_row_of_values_is_no_row_of_names(tmp_path):
    x = csv("0.1,-\n0.3,0.4\n0.5,0.6\n", tmp_path, layout="series")
    assert x.channels == ("0", "1")
    assert np.array_equal(
        x.values[0], np.float32([[0.1, 0.3, 0.5], [np.nan, 0.4, 0.6]]), equal_nan=True
    )


# The column of ids.

NAMES = ["machine", "asset_id", "shop", "id", "series_id", "Machine ID", "DEVICE", "Part", "wheel"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ids", [[3, 5], ["3a", "5b"], ["007", "7"]])
def test_a_column_that_repeats_is_the_id_and_said(name, ids, caplog):
    rows = [(m, t, 10.0 * t + i) for i, m in enumerate(ids) for t in range(8)]
    x = read(pd.DataFrame(rows, columns=[name, "time", "v"]))
    assert x.ids.tolist() == ids
    assert x.channels == ("v",)
    assert f"column {name!r} is taken for the id" in caplog.text
    assert "id='none'" in caplog.text


@pytest.mark.parametrize("name", ["run", "location", "batch no"])
def test_an_unknown_name_is_an_id_where_time_begins_anew(name, tmp_path):
    x = csv(LONG.replace("machine", name), tmp_path)
    assert x.ids.tolist() == ["m3", "m1", "m2"]
    assert x.channels == ("temp", "press")
    assert "its values repeat while time begins anew" in x.notes[0]


def test_a_measured_value_that_repeats_is_no_id(tmp_path):
    rows = "".join(f"{t},{20 + t % 2}.5,{t}\n" for t in range(12))
    assert csv("time,valve,flow\n" + rows, tmp_path).channels == ("valve", "flow")


def test_the_id_can_be_taken_back_or_named_in_the_words_of_the_door(tmp_path):
    one = LONG.partition("m1,")[0]
    assert len(csv(one, tmp_path)) == 1
    assert csv(one, tmp_path, id="none", ignore=["machine"]).ids.tolist() == ["0"]
    with through("command line"):
        assert csv(LONG, tmp_path).notes[0].endswith("if it is not: --id none")
        with pytest.raises(SeriesError, match="a time twice in one series.*--id …"):
            csv(LONG, tmp_path, id="none", ignore=["machine"])


def test_numbers_as_ids_stay_numbers(tmp_path):
    text = LONG
    for i in (1, 2, 3):
        text = text.replace(f"m{i},", f"{10 * i},")
    assert csv(text, tmp_path).ids.tolist() == [30, 10, 20]
    assert csv(text, tmp_path, time="none", channels=["press"]).ids.tolist() == [30, 10, 20]


@pytest.mark.parametrize("first", [0, 3, 2500])
def test_a_column_of_remarks_is_left_out_where_most_rows_have_none(first, tmp_path, caplog):
    text = "time,force,remark\n" + "".join(
        f"{k},{np.sin(k):.4f},{'worn' if k in (first, first + 9) else ''}\n" for k in range(2600)
    )
    x = csv(text, tmp_path)
    assert x.channels == ("force",) and roles(x)["remark"] == "ignored"
    assert "column 'remark' holds text and is left out" in caplog.text


def test_a_number_that_is_mistyped_is_a_fault_of_its_line(tmp_path):
    text = "time,force\n" + "".join(
        f"{k},{['', 1.5, 'l.5'][k % 3 if k < 5 else 0]}\n" for k in range(99)
    )
    with pytest.raises(SeriesError, match="line 4, column 'force': got 'l.5', wanted a number"):
        csv(text, tmp_path)


def test_several_columns_name_a_series_together(tmp_path):
    rows = [(f"S{s}", m, t, 10 * s + m + t) for s in (1, 2) for m in (1, 2) for t in range(3)]
    text = "site,machine,time,v\n" + "".join(f"{a},{b},{c},{d}\n" for a, b, c, d in rows)
    with pytest.raises(SeriesError, match=r"a time twice .* id=... \(several with commas\)"):
        csv(text, tmp_path)
    x = csv(text, tmp_path, id="site,machine")
    assert x.ids.tolist() == ["S1/1", "S1/2", "S2/1", "S2/2"]
    assert x.channels == ("v",)
    assert x.series(3).tolist() == [[22, 23, 24]]


@pytest.mark.parametrize("names", [("sample", "step"), ("blade", "cycle"), ("Teil", "Nr")])
@pytest.mark.parametrize("first", [0, 1])
def test_a_column_that_counts_anew_is_the_time(names, first, tmp_path):
    rows = [(p, t + first, t / 4 - p) for p in (5, 9) for t in range(8)]
    text = ",".join([*names, "force"]) + "\n"
    shuffled = [rows[i] for i in np.random.default_rng(0).permutation(16)]
    for order in (rows, shuffled):
        x = csv(text + "".join(f"{a},{b},{c}\n" for a, b, c in order), tmp_path)
        assert x.channels == ("force",)
        assert sorted(x.ids.tolist()) == [5, 9]
        assert x.series(x.ids.tolist().index(9)).tolist() == [[t / 4 - 9 for t in range(8)]]
    said = " ".join(x.notes)
    assert f"{names[0]!r} is taken for the id, since {names[1]!r} counts anew" in said
    assert f"{names[1]!r} is taken for the time, since it counts rows" in said


def test_values_are_no_counters():
    frame = pd.DataFrame({"id": list("aaabbb"), "x": [0, 1, 2] * 2, "y": np.arange(6.0)})
    assert read(frame).channels == ("x", "y")
    assert read(frame[["id", "x"]]).channels == ("x",)
    assert read(pd.DataFrame({"a": range(9), "b": range(9)})).channels == ("a", "b")
    assert read(pd.DataFrame({"t": range(9)})).channels == ("t",)
    counted = pd.DataFrame({"t": range(9), "b": range(9)})
    assert read(counted).channels == ("b",)
    assert read(counted, time="none").channels == ("t", "b")


# The index of a frame counts as its columns.

ROWS = {"x": np.arange(6.0)}
CODES = [["a", "b"], [0, 1, 2]]
DAYS = pd.date_range("2024-01-01", periods=3)


@pytest.mark.parametrize("names", [["unique_id", "ds"], [None, None], ["pump", "second"]])
@pytest.mark.parametrize("last", [[0, 1, 2], [0.5, 1.5, 2.5], DAYS, DAYS.tz_localize("Asia/Tokyo")])
@pytest.mark.parametrize("door", ["pandas", "arrow", "parquet"])
def test_two_levels_of_an_index_are_id_and_time(names, last, door, tmp_path):
    index = pd.MultiIndex.from_product([["a", "b"], last], names=names)
    frame = pd.DataFrame(ROWS, index=index)
    frame.to_parquet(tmp_path / "x.parquet")
    source = {"pandas": frame, "arrow": pa.Table.from_pandas(frame)}.get(door)
    x = read(tmp_path / "x.parquet" if source is None else source)
    assert x.ids.tolist() == ["a", "b"]
    assert x.channels == ("x",)
    assert x.values.tolist() == [[[0, 1, 2]], [[3, 4, 5]]]
    assert len(x.times) == 6 and x.times[0] == x.times[3]


def test_levels_come_in_any_order():
    index = pd.MultiIndex.from_product([DAYS, [7, 5]], names=["date", "code"])
    x = read(pd.DataFrame(ROWS, index=index))
    assert x.ids.tolist() == [7, 5]
    assert x.values.tolist() == [[[0, 2, 4]], [[1, 3, 5]]]


@pytest.mark.parametrize("door", ["pandas", "arrow", "parquet"])
def test_three_levels_name_a_series_together(door, tmp_path, caplog):
    levels = [["north", "south"], [1, 2], [0, 1, 2]]
    index = pd.MultiIndex.from_product(levels, names=["plant", "pump", "minute"])
    frame = pd.DataFrame({"x": np.arange(12.0)}, index=index)
    frame.to_parquet(tmp_path / "x.parquet")
    source = {"pandas": frame, "arrow": pa.Table.from_pandas(frame)}.get(door)
    x = read(tmp_path / "x.parquet" if source is None else source)
    assert x.ids.tolist() == ["north/1", "north/2", "south/1", "south/2"]
    assert x.series(3).tolist() == [[9, 10, 11]]
    assert x.times.tolist() == [0, 1, 2] * 4
    assert "levels of the index are taken for the id, 'plant/pump'" in caplog.text


def test_an_id_as_index_and_the_time_as_column():
    x = read(
        pd.DataFrame(
            {"ds": range(4), "x": range(4)}, index=pd.Index(list("aabb"), name="unique_id")
        )
    )
    assert x.ids.tolist() == ["a", "b"]
    assert x.values.tolist() == [[[0, 1]], [[2, 3]]]


@pytest.mark.parametrize("index", [["m1", "m2", "m3"], pd.CategoricalIndex(["m1", "m2", "m3"])])
def test_texts_as_index_name_the_series_of_rows(index):
    frame = pd.DataFrame(np.arange(24.0).reshape(3, 8), index=index)
    x = read(frame)
    assert x.ids.tolist() == ["m1", "m2", "m3"]
    assert x.values[1].tolist() == [[*range(8, 16)]]


def test_a_series_of_pandas_keeps_its_index():
    x = read(pd.Series(ROWS["x"], pd.MultiIndex.from_product(CODES, names=["pump", "t"]), name="q"))
    assert x.ids.tolist() == ["a", "b"] and x.channels == ("q",)
    y = read(pd.Series(range(3), DAYS, name="q"))
    assert y.times.astype("M8[D]").astype(str).tolist()[-1] == "2024-01-03"


def test_durations_are_seconds_and_periods_begin():
    frame = pd.DataFrame({"x": range(3)})
    x = read(frame.set_index(pd.to_timedelta([0, 30, 90], unit="s")))
    assert x.times.tolist() == [0, 30, 90]
    y = read(frame.set_index(pd.period_range("2024-01", periods=3, freq="M")))
    assert y.times.astype("M8[D]").astype(str).tolist() == [
        "2024-01-01",
        "2024-02-01",
        "2024-03-01",
    ]
    z = read(frame.assign(month=pd.period_range("2024-01", periods=3, freq="M")))
    assert np.array_equal(z.times, y.times)


def test_an_index_that_was_only_filtered_is_no_time():
    x = read(pd.DataFrame({"u": range(9), "v": range(9)})[lambda f: f["u"] % 2 == 0])
    assert x.channels == ("u", "v") and x.times is None


# Time.


@pytest.mark.parametrize("name", ["month", "when", "Zeitpunkt"])
def test_texts_that_are_dates_are_the_time(name, tmp_path):
    text = f"shop,{name},sales\n" + "".join(
        f"{s},2024-{m:02}-01,{m}\n" for s in "ab" for m in (2, 1)
    )
    x = csv(text, tmp_path)
    assert x.channels == ("sales",)
    assert x.values.tolist() == [[[1, 2]], [[1, 2]]]
    assert any(f"column {name!r} is taken for the time" in note for note in x.notes)
    kept = csv(text, tmp_path, time="none", ignore=[name])
    assert kept.times is None and kept.values.tolist() == [[[2, 1]], [[2, 1]]]


@pytest.mark.parametrize(
    ("first", "second", "begins"),
    [
        ("2024-W05", "2024-W06", "2024-01-29"),
        ("2024Q1", "2024Q2", "2024-01-01"),
        ("Jan 2024", "Feb 2024", "2024-01-01"),
        ("2024-01", "2024-02", "2024-01-01"),
    ],
)
def test_parts_of_years_are_the_time(first, second, begins, tmp_path):
    x = csv(f"when,x\n{first},1\n{second},2\n", tmp_path)
    assert x.channels == ("x",) and x.times[0] == np.datetime64(begins)


@pytest.mark.parametrize("unit", [" [s]", "(s)", " (UTC)"])
def test_a_unit_behind_a_name_is_no_part_of_it(unit, tmp_path):
    found = csv(f"Time{unit},temp [C]\n0,5\n1,6\n2,7\n", tmp_path)
    assert found.channels == ("temp [C]",) and found.times.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("names", "cells", "last"),
    [
        ("year,month,day,hour", ["2024,2,28,23", "2024,2,29,0", "2024,2,29,24"], "2024-03-01T00"),
        ("Day,Month,Year", ["30,12,2023", "31,12,2023", "01,01,2024"], "2024-01-01"),
        ("year,month", ["2023,11", "2023,12", "2024,1"], "2024-01-01"),
    ],
)
def test_columns_of_parts_of_a_date_are_one_of_times(names, cells, last, tmp_path, caplog):
    text = "".join(f"{row},{i + 5}\n" for i, row in enumerate(cells))
    whole = f"{names},load\n{text}"
    file, frame = csv(whole, tmp_path), read(pd.read_csv(io.StringIO(whole)))
    for found in (file, frame):
        assert found.channels == ("load",) and found.times[-1] == np.datetime64(last)
        assert "are joined into one of times" in caplog.text
    kept = csv(whole, tmp_path, channels=[names.split(",")[1], "load"])
    assert len(kept.channels) == 2 and kept.times is None


@pytest.mark.parametrize("cells", ["2024,13,1", "2024,2,30", "2024,1.5,1"])
def test_columns_that_make_no_date_stay_apart(cells, tmp_path):
    found = csv(f"year,month,day,y\n{cells},5\n2024,2,3,6\n2024,2,4,7\n", tmp_path)
    assert "year" in found.channels and found.times is None


def test_a_date_that_is_the_same_for_a_part_is_no_time(tmp_path):
    text = "part,made,v\n" + "".join(f"P{p},2024-01-0{p},{t}\n" for p in (1, 2) for t in (4, 2, 3))
    x = csv(text, tmp_path)
    assert x.times is None and x.values.tolist() == [[[4, 2, 3]]] * 2
    frame = pd.read_csv(io.StringIO(text), parse_dates=["made"])
    assert np.array_equal(read(frame).values, x.values)
    assert roles(read(frame))["made"] == "static"


def test_dates_of_a_frame_are_found_by_type():
    days = [dt.date(2024, 1, d) for d in (3, 1, 2)]
    for frame in (
        pd.DataFrame({"v": range(3), "shift": days}),
        pl.DataFrame({"v": range(3), "shift": days}),
    ):
        assert read(frame).series(0).tolist() == [[1, 2, 0]]


# A row a series.

HEADS = ["part_number,result", "Part No,Result", "serial,verdict", "result,part_number"]


@pytest.mark.late
@pytest.mark.parametrize("head", HEADS)
def test_a_part_number_and_a_result_are_no_steps(head, tmp_path):
    def row(i):
        cells = {"r": "NOK" if i % 3 == 0 else "OK", "v": "NOK" if i % 3 == 0 else "OK"}
        return ",".join(cells.get(name[0].lower(), f"P{i}") for name in head.split(","))

    x = csv(wide(12, head, row), tmp_path)
    assert x.shape == (12, 1, 150)
    assert x.ids.tolist() == [f"P{i}" for i in range(12)]
    assert x.labels.tolist() == (["NOK", "OK", "OK"] * 4)
    assert any("each row is a series of 150 numbered steps" in note for note in x.notes)


def test_a_wide_table_may_hold_results_as_numbers_values_and_a_date(tmp_path):
    text = wide(
        12, "part,date,pressure,label", lambda i: f"{i + 900},2024-01-{i + 1:02},{i}.25,{i % 2}"
    )
    x = csv(text, tmp_path, id="part")
    assert x.shape == (12, 1, 150)
    assert x.ids.tolist() == list(range(900, 912))
    assert x.labels.tolist() == [0, 1] * 6
    assert roles(x)["date"] == roles(x)["pressure"] == "ignored"


def test_a_result_that_is_not_in_yet_is_no_class(tmp_path):
    x = csv(wide(9, "part,result", lambda i: f"P{i},{['OK', 'NOK', ''][i % 3]}", 20), tmp_path)
    assert x.labels.tolist() == ["OK", "NOK", None] * 3


STEPS = ["{half}", "t_{i}ms", "F [{i}]", "x.{i}", "Sample {i}", "{i}"]


@pytest.mark.parametrize("form", STEPS)
def test_steps_are_numbered_in_many_ways(form, tmp_path):
    names = [form.format(i=i, half=i / 2) for i in range(30)]
    rows = "".join(f"P{i},{','.join(map(str, range(i, i + 30)))}\n" for i in range(5))
    x = csv(f"part,{','.join(names)}\n{rows}", tmp_path)
    assert x.shape == (5, 1, 30)


def test_names_of_steps_may_be_dates(tmp_path):
    months = [f"{2023 + i // 12}-{i % 12 + 1:02}" for i in range(20)]
    rows = "".join(f"S{i},{','.join(map(str, range(i, i + 20)))}\n" for i in range(3))
    x = csv(f"shop,{','.join(months)}\n{rows}", tmp_path)
    assert x.shape == (3, 1, 20)
    assert x.times[:20].astype("M8[M]").astype(str).tolist() == months
    frame = pd.DataFrame(np.ones((2, 3)), index=["S1", "S2"], columns=DAYS)
    assert np.array_equal(read(frame).times[:3], DAYS.to_numpy().astype("M8[ns]"))


def test_sensors_with_numbers_are_channels_where_time_goes_on(tmp_path):
    rows = "".join(
        f"{u},{t},{','.join(str(t * i) for i in range(21))}\n" for u in (1, 2) for t in range(40)
    )
    x = csv(f"unit,cycle,{','.join(f's{i}' for i in range(21))}\n{rows}", tmp_path, time="cycle")
    assert x.shape == (2, 21, 40)


# Shapes that are implausible are said, with the other way.


def notes_of(source, **options):
    return " ".join(read(source, **options).notes)


@pytest.mark.late
def test_implausible_shapes_name_the_other_reading():
    assert "transpose the array from (10, 200, 3)" in notes_of(np.zeros((10, 200, 3)))
    assert not notes_of(np.zeros((10, 3, 200)))
    rows = pd.DataFrame({"unique_id": range(6), "x": np.arange(6.0)})
    assert "every series has 1 step; if the rows are one series: id='none'" in notes_of(rows)
    many = pd.DataFrame(np.ones((4, 90)), columns=[f"{i}a{i}" for i in range(90)])
    assert "layout='wide'" in notes_of(many)
    assert "90 channels of 4 steps" in notes_of(many.assign(ds=range(4)))
    own = pd.DataFrame({"label": [f"k{i}" for i in range(12)], "a": range(12), "b": range(12)})
    assert "a class of its own for each series; if it is no label: label='none'" in notes_of(own)
    assert "class of its own" not in notes_of(own.assign(label=np.arange(12) / 7))


def test_frames_in_a_list_are_read_as_one_alone():
    frame = pd.DataFrame({"a": range(5), "b": range(5)})
    assert read([frame, frame]).shape == (2, *read(frame).shape[1:]) == (2, 2, 5)
    assert read([pl.DataFrame(frame.to_dict("list"))]).shape == (1, 2, 5)
    assert read({"u": frame, "v": frame}).ids.tolist() == ["u", "v"]


# Laws.


@st.composite
def tables(draw):
    """Long tables in random order of rows and columns."""
    ids = draw(st.sampled_from([["m1", "m2"], [3, 11], ["north 1", "007"]]))
    n = draw(st.integers(2, 4))
    rows = [
        (m, pd.Timestamp("2024-03-01") + pd.Timedelta(hours=t), draw(st.integers(-9, 9)) / 4, i - t)
        for i, m in enumerate(ids)
        for t in range(n)
    ]
    return pd.DataFrame(rows, columns=["machine", "time", "temp", "press"])


def doors(frame, folder):
    """The same table through every door."""
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    arrow_csv.write_csv(arrow, folder / "law.csv")
    frame.to_parquet(folder / "law.parquet", index=False)
    indexed = frame.set_index(["machine", "time"])
    return [frame, arrow, pl.from_arrow(arrow), folder / "law.csv", folder / "law.parquet", indexed]


@examples(30)
@given(frame=tables())
def test_every_door_gives_the_same_set_and_the_same_roles(frame, tmp_path_factory):
    first, *others = (read(source) for source in doors(frame, tmp_path_factory.getbasetemp()))
    for x in others:
        assert x.ids.astype(str).tolist() == first.ids.astype(str).tolist()
        assert roles(x) == roles(first)
        assert x.channels == first.channels
        assert np.array_equal(x.values, first.values)
        assert np.array_equal(x.times, first.times)


def test_truth_values_are_the_same_in_a_file_and_in_a_frame(tmp_path):
    frame = pd.DataFrame({"time": range(6), "v": np.arange(6.0), "on": [True, False] * 3})
    frame.to_csv(tmp_path / "x.csv", index=False)
    x, y = read(frame), read(tmp_path / "x.csv")
    assert x.channels == y.channels == ("v", "on")
    assert np.array_equal(x.values, y.values)
    labelled = frame.assign(label=[True] * 3 + [False] * 3)
    labelled.to_csv(tmp_path / "x.csv", index=False)
    assert read(tmp_path / "x.csv").step_labels.tolist() == read(labelled).step_labels.tolist()


@examples(30)
@given(frame=tables(), random=st.randoms(use_true_random=False))
def test_the_order_of_rows_and_columns_changes_nothing(frame, random):
    rows, columns = list(range(len(frame))), list(frame.columns)
    random.shuffle(rows)
    random.shuffle(columns)
    x, y = read(frame), read(frame.iloc[rows][columns].reset_index(drop=True))
    same(x, y)
    assert roles(x) == roles(y)


@examples(30)
@given(
    frame=tables(),
    names=st.lists(st.text("abcxyz", min_size=1), min_size=2, max_size=2, unique=True),
)
def test_new_names_of_ids_change_names_alone(frame, names):
    x = read(frame)
    new = dict(zip(x.ids.tolist(), names, strict=True))
    y = read(frame.assign(machine=frame["machine"].map(new)))
    assert y.ids.tolist() == names
    assert np.array_equal(x.values, y.values)


CELLS = st.sampled_from([1.5, "text", None, True, pd.Timestamp("2024-01-01")])
CALLED = st.sampled_from(["comment", "label", "id", "ds", "s1"])


@examples(30)
@given(frame=tables(), cells=CELLS, name=CALLED, at=st.integers(0, 4))
def test_a_column_that_is_ignored_changes_nothing(frame, cells, name, at):
    more = frame.copy()
    more.insert(at, name, cells)
    x, y = read(frame), read(more, ignore=[name])
    assert np.array_equal(x.values, y.values)
    assert x.ids.tolist() == y.ids.tolist() and y.labels is None
    assert roles(y) == roles(x) | {name: "ignored"}


def test_a_csv_of_pandas_with_its_index_reads_as_without(tmp_path):
    frame = pd.read_csv(io.StringIO(LONG))
    frame.to_csv(tmp_path / "with.csv")
    frame.to_csv(tmp_path / "without.csv", index=False)
    x, y = read(tmp_path / "with.csv"), read(tmp_path / "without.csv")
    same(x, y)


def test_names_that_occur_twice_are_told_apart_unless_they_are_asked_for(tmp_path, caplog):
    text = "ds,y,y\n0,1,5\n1,2,6\n"
    found = csv(text, tmp_path)
    assert found.channels == ("y", "y.1") and found.series(0).tolist() == [[1, 2], [5, 6]]
    assert "2 columns are named 'y'" in caplog.text
    with pytest.raises(SeriesError, match="two columns named 'y', wanted each once"):
        csv(text, tmp_path, channels=["y"])


@pytest.mark.parametrize("kind", ["pandas", "polars", "parquet"])
def test_lists_in_cells_are_series(kind, tmp_path, caplog):
    made = pl.DataFrame(
        {"part": ["a", "b"], "force": [[1.0, 2.0, 3.0], [4.0, 5.0]], "label": ["ok", "nok"]}
    )
    source = made.to_pandas() if kind == "pandas" else made
    if kind == "parquet":
        made.write_parquet(source := tmp_path / "x.parquet")
    found = read(source)
    assert found.ids.tolist() == ["a", "b"] and found.labels.tolist() == ["ok", "nok"]
    assert found.channels == ("force",) and found.series(1).tolist() == [[4, 5]]
    assert "Cells of 'force' hold lists" in caplog.text
    assert read(made.drop("part")).ids.tolist() == [0, 1]


def test_lists_of_a_row_have_one_length_and_hold_something():
    with pytest.raises(SeriesError, match="row 2: columns 'x' and 'y' hold 1 and 2 values"):
        read(pd.DataFrame({"x": [[1, 2], [3]], "y": [[1, 2], [3, 4]]}))
    with pytest.raises(SeriesError, match="row 2, column 'x': got inf"):
        read(pd.DataFrame({"x": [[1.0, 2.0], [3.0, np.inf]]}))
    with pytest.raises(SeriesError, match="row 2, column 'x': got no values"):
        read(pd.DataFrame({"x": [[1.0, 2.0], []]}))


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [(["0.5%", "12%"], [0.5, 12]), (["20,5 °C", "", "-3 °C"], [20.5, np.nan, -3])],
)
def test_units_behind_numbers_are_taken_off_and_said(cells, wanted, tmp_path, caplog):
    rows = "".join(f"{i};{cell}\n" for i, cell in enumerate(cells))
    found = csv(f"t;x\n{rows}", tmp_path)
    np.testing.assert_array_equal(found.series(0)[-1], wanted)
    assert "are read without their unit" in caplog.text


def test_one_text_that_means_missing_is_named_alone(tmp_path):
    text = "ds,x\n2024-01-01,1\n2024-01-02,Bad Input\n2024-01-03,3\n"
    with pytest.raises(SeriesError, match=r"got 'Bad Input'.*say so, missing="):
        csv(text, tmp_path)
    np.testing.assert_array_equal(
        csv(text, tmp_path, missing="Bad Input").series(0), [[1, np.nan, 3]]
    )
    assert np.isnan(read(np.array([[1.0, -9999, 3]]), missing=-9999).series(0)[0, 1])
