"""Text tables in every dialect that people have give the cells of a plain csv, and say so."""

import io
import re

import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from selftime.data.arrays import SeriesError
from selftime.data.formats.csv_parquet import encode_csv, read_csv, read_plain, read_tabs
from selftime.data.series import SeriesSet

PLAIN = {"ds": ["2024-01-01", "2024-01-02"], "y": ["1.5", "1234.25"]}


def cells(text, read=read_csv):
    table = read(text if isinstance(text, bytes) else text.encode())
    return table.cells.to_pydict()


def notes(text, read=read_csv):
    return " ".join(read(text if isinstance(text, bytes) else text.encode()).notes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ds,y\n2024-01-01,1.5\n2024-01-02,1234.25\n", ""),
        ("\ufeffds,y\n2024-01-01,1.5\n2024-01-02,1234.25", ""),
        ("ds,y\r\n2024-01-01,1.5\r\n2024-01-02,1234.25\r\n", ""),
        ("ds,y\r2024-01-01,1.5\r2024-01-02,1234.25\r", ""),
        (" ds , 'y'\n2024-01-01, 1.5\n2024-01-02 ,1234.25\n", ""),
        ('"ds", "y"\n"2024-01-01", "1.5"\n"2024-01-02", "1234.25"\n', ""),
        ("ds;y\n2024-01-01;1.5\n2024-01-02;1234.25\n", "semicolons"),
        ("ds\ty\n2024-01-01\t1,5\n2024-01-02\t1.234,25\n", "'1,5' are read as 1.5"),
        ("ds|y\n2024-01-01|1,5\n2024-01-02|1234,25\n", "bars"),
        ("ds;y\n2024-01-01;1,5\n2024-01-02;1 234,25\n", "'1,5' are read as 1.5"),
        ("ds;y\n2024-01-01;1,5\n2024-01-02;1\u00a0234,25\n", "semicolons"),
        ('ds,y\n2024-01-01,1.5\n2024-01-02,"1,234.25"\n', "'1,234.25' are read as 1234.25"),
        ("ds,y\n2024-01-01,1.5\n2024-01-02,1'234.25\n", '"1\'234.25" are read as 1234.25'),
        ("sep=;\nds;y\n2024-01-01;1,5\n2024-01-02;1234,25\n", "semicolons"),
        ("# made by\n# a logger, 5\nds,y\n2024-01-01,1.5\n2024-01-02,1234.25\n", "2 lines above"),
        ("# ds,y\n2024-01-01,1.5\n2024-01-02,1234.25\n", ""),
        ("Logger 5\nA,B,C\n\nds,y\n2024-01-01,1.5\n2024-01-02,1234.25\n", "2 lines above"),
        ("Station,X\nds,y\n2024-01-01,1.5\n2024-01-02,1234.25\n", "1 line above"),
        ("ds,y\n-,[mbar]\n2024-01-01,1.5\n2024-01-02,1234.25\n", "Line 2 .* units"),
        ("ds,y\nUTC,degC\n,mean\n2024-01-01,1.5\n2024-01-02,1234.25\n", "Line 3 .* units"),
        ("ds,y,\n2024-01-01,1.5,\n2024-01-02,1234.25,\n", "1 column without a name"),
        ("ds,y\n2024-01-01,1.5,\n2024-01-02,1234.25,\n", "1 column without a name"),
        ("ds,y,,\n2024-01-01,1.5,,\n2024-01-02,1234.25,,\n", "2 columns without a name"),
        ("\n\nds,y\n\n2024-01-01,1.5\n\n2024-01-02,1234.25\n\n", ""),
        ("ds,y\n2024-01-01,1.5\nds,y\n2024-01-02,1234.25\n", "1 line with the names again"),
        ("ds,y\n2024-01-01,1.5\n2024-01-02,1234.25\n2024-0", "Line 4 is cut short"),
        ("ds,y\n2024-01-01,1.5\n2024-01-02,1234.25\n\nEnd of file\n", "Line 5 .* under the table"),
        ("ds,y\n2024-01-01,1.5\n# stopped\n2024-01-02,1234.25\n", "Line 3 is a comment"),
        ("ds,y\n2024-01-01,1.5\n2024-01-02,1234.25\n,\n,\n", "2 rows of empty cells"),
    ],
)
def test_a_table_is_the_same_in_every_dialect(text, said):
    assert cells(text) == PLAIN
    found = read_csv(text.encode()).notes
    assert (found == ()) == (said == "") or text.startswith("# ds")
    assert re.search(said, " ".join(found))


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-16", "UTF-16"), ("utf-16-le", "UTF-16"), ("cp1252", "Line 2 holds byte 0xb0.*Latin-1")],
)
def test_encodings_are_found_and_said(encoding, said):
    text = "time,y\n,°C\n1,2.5\n2,3.5\n"
    table = read_csv(text.encode(encoding))
    assert table.cells.to_pydict() == {"time": ["1", "2"], "y": ["2.5", "3.5"]}
    assert re.search(said, table.notes[0])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0.1,-\n0.3,0.4\n0.5,0.6\n", None),
        ("2024-01-01,1.5\n2024-01-02,2.5\n", None),
        ("walk,.1,.7,.2\nrun,.5,.2,.3\n", None),
        ("Logger 5, Bern\n\nA\n1,2,3\n3,4,5\n", None),
        (",0,1\n0,5,6\n1,7,8\n", ["", "0", "1"]),
        ("0,1,2\n1,2,7\n3,4,8\n", ["0", "1", "2"]),
        ("shop,2020,2021\na,1,2\n", ["shop", "2020", "2021"]),
        ("name,when\nx,y\nz,w\n", ["name", "when"]),
        ("a,1990/1/1\nx,3\ny,4\n", ["a", "1990/1/1"]),
    ],
)
def test_a_first_line_of_data_is_not_taken_for_names(text, wanted):
    table = read_csv(text.encode())
    assert table.named == (wanted is not None)
    assert table.cells.num_rows == 2 + text.startswith("0.1") - text.startswith("shop")
    if wanted:
        assert table.cells.column_names == wanted
    else:
        assert "numbers for names" in table.notes[-1]


def test_a_date_and_a_clock_beside_it_are_one_time():
    text = "Date;Time;P\n16/12/2006;17:24:00;4.2\n16/12/2006;17:25:00;?\n"
    assert cells(text)["Date"] == ["16/12/2006 17:24:00", "16/12/2006 17:25:00"]
    assert "'Date' and 'Time' are joined" in notes(text)
    assert list(cells(text.replace("Time", "Lap"))) == ["Date", "Lap", "P"]


def test_what_can_be_read_two_ways_is_said():
    assert cells("x;y\n1,234;1\n2,345;2\n")["x"] == ["1.234", "2.345"]
    assert "if its comma stands between thousands" in notes("x;y\n1,234;1\n2,345;2\n")
    quoted = 'x,y\n"1,234",1\n"2,345",2\n'
    assert cells(quoted)["x"] == ["1234", "2345"]
    assert "if its comma stands before decimals" in notes(quoted)
    mixed = "x;y\n1.234;1,5\n2.345;2,5\n"
    assert cells(mixed) == {"x": ["1234", "2345"], "y": ["1.5", "2.5"]}
    assert "'1.234' in column 'x' is read as 1234" in notes(mixed)
    assert "if they stand between thousands" in notes("x;y\n1.234;1\n2.345;2\n")
    assert cells("y\n1,5\n2,7\n") == {"y": ["1.5", "2.7"]}
    assert "if they part cells" in notes("y\n1,5\n2,7\n")


def test_names_of_things_stay_as_they_came():
    text = "id;label;version;y\n1,5;007;v1,5;1,5\n1,6;07;v1,6;2,5\n"
    found = cells(text)
    assert found["id"] == ["1,5", "1,6"] and found["label"] == ["007", "07"]
    assert found["version"] == ["v1,5", "v1,6"] and found["y"] == ["1.5", "2.5"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ds,y\n1,2\n2\n3,4\n", "line 3: got 1 cells, wanted 2 as in line 2, with commas"),
        ("ds;y\n1;2\n\n2;3;4\n", "line 4: got 3 cells, wanted 2 as in line 2, with semicolons"),
        (
            "ds,y\n2024-01-01,1,5\n2024-01-02,2,5\n",
            "line 2: got 3 cells .* under 2 names in line 1",
        ),
        ("a,b,c\n1,2\n3,4\n", "line 2: got 2 cells .* under 3 names in line 1"),
        ("x;y\n1,5;1\n2.5;2\n", "line 3, column 'x': got '2.5' in a column with decimal commas"),
        ("x;y\n1,5;1\n1,234,567;2\n", "line 2, column 'x': got '1,5', but '1,234,567' in line 3"),
        ("ds,y\n1,2\0\n", "line 2: got a NUL byte"),
        (b"\xff\xfea\x00,", "is no whole utf-16 text"),
        ('ds,y\n1,2\n"2,3\n4,5\n', "close every quote"),
    ],
)
def test_refusals_name_line_column_and_separator(text, said):
    with pytest.raises(SeriesError, match=said):
        cells(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("t  y\n 0 1.5\n 1  2.5 \n", {"t": ["0", "1"], "y": ["1.5", "2.5"]}),
        ("# t y\n0 1.5\n1 2.5\n", {"t": ["0", "1"], "y": ["1.5", "2.5"]}),
        ('"t" "y"\n"1" 0 1.5\n"2" 1 2.5\n', {"": ["1", "2"], "t": ["0", "1"], "y": ["1.5", "2.5"]}),
        ("t;y\n0;1,5\n1;2,5\n", {"t": ["0", "1"], "y": ["1.5", "2.5"]}),
        ("time y\n2024-01-01 00:00 5\n2024-01-01 00:01 6\n",
         {"time": ["2024-01-01 00:00", "2024-01-01 00:01"], "y": ["5", "6"]}),
        ("y\n1.5\n2.5\n", {"y": ["1.5", "2.5"]}),
    ],
)  # fmt: skip
def test_plain_text_of_several_columns_is_a_table(text, wanted):
    assert cells(text, read_plain) == wanted


def test_plain_values_and_ucr_tables_stay_series():
    assert read_plain(b"1\n2.5\nNaN\n").lengths.tolist() == [3]
    assert read_plain(b"1 2 3").lengths.tolist() == [3]
    ucr = read_tabs(b"1.0e+00\t0.5\t2\n2\t3\tNaN\n")
    assert isinstance(ucr, SeriesSet) and ucr.labels.tolist() == [1, 2]
    assert cells("ds\ty\n1\t2\n2\t3\n", read_tabs) == {"ds": ["1", "2"], "y": ["2", "3"]}
    assert cells("a,b\n1,2\n3,4\n", read_tabs) == {"a": ["1", "3"], "b": ["2", "4"]}


NUMBERS = st.floats(-1e7, 1e7).map(lambda value: round(value, 2))


def written(value, decimal, thousands):
    """Return a number with two decimals, which no one takes for thousands."""
    return f"{value:,.2f}".translate(str.maketrans({",": thousands, ".": decimal}))


WAYS = st.fixed_dictionaries(
    {
        "separator": st.sampled_from(",;\t|"),
        "marks": st.sampled_from(
            [(".", ""), (",", ""), (",", "."), (".", ","), (",", " "), (".", "'")]
        ),
        "end": st.sampled_from(["\n", "\r\n", "\r"]),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
        "above": st.sampled_from(["", "# Messgerät\n", "Messgerät 5\nNr,7,8,9\n"]),
        "units": st.booleans(),
        "trailing": st.booleans(),
    }
)


@examples(60)
@given(values=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=6), way=WAYS)
def test_law_the_dialect_does_not_change_the_values(values, way):
    separator, marks = way["separator"], way["marks"]
    decimal, thousands = marks
    quote = '"' if separator == "," and "," in marks else ""
    lines = [["time", "Höhe", "p"]] + [["s", "[m]", "(mbar)"]] * way["units"]
    for k, row in enumerate(values):
        lines.append([str(k), *(f"{quote}{written(v, decimal, thousands)}{quote}" for v in row)])
    text = way["above"] + "".join(
        separator.join(line) + separator * way["trailing"] + "\n" for line in lines
    )
    table = read_csv(text.replace("\n", way["end"]).encode(way["encoding"]))
    assert table.cells.column_names == ["time", "Höhe", "p"]
    found = [[float(cell) for cell in table.cells[name].to_pylist()] for name in ("Höhe", "p")]
    assert np.array_equal(np.array(found).T, np.array(values))


def test_a_written_table_comes_back_without_a_note():
    x = SeriesSet.of([[[1.0, 2.5]], [[3.0, np.nan]]], ["a, b", "c;d"])
    table = read_csv(encode_csv(x))
    assert table.notes == () and table.cells["label"].to_pylist() == ["a, b"] * 2 + ["c;d"] * 2
    with pytest.raises(SeriesError, match="blanks or quotes at their ends"):
        encode_csv(SeriesSet.of([[1.0]], channels=[" u"]))


def test_a_long_table_is_read_as_by_pandas():
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({"ds": np.arange(5000), "y": rng.normal(size=5000).round(3)})
    buffer = io.StringIO()
    frame.to_csv(buffer, sep=";", decimal=",", index=False)
    found = read_csv(buffer.getvalue().encode())
    assert np.array_equal(np.array(found.cells["y"], float), frame["y"])


@examples(200)
@given(
    text=st.text("ab1,2;.5\t\r\n\"'# |-:éx[", max_size=60),
    encoding=st.sampled_from(["utf-8", "cp1252"]),
)
def test_any_text_is_read_or_refused(text, encoding):
    for read in (read_csv, read_plain, read_tabs):
        try:
            found = read(text.encode(encoding) or b"1")
        except SeriesError as error:
            assert str(error)
            continue
        assert len(found) or isinstance(found, SeriesSet)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "above", ["", "1,2\n\n", "1,2\n\n\n# stop\n2,3\n", "1,2\nds,y\n\n", "1,2\n# a\nds,y\n3,4\n\n"]
)
def test_lines_in_messages_are_those_of_the_file(above, end):
    text = f"# made by\nds,y\n{above}7,bad\n8,9\n"
    table = read_csv(text.replace("\n", end).encode())
    row = table.cells["y"].to_pylist().index("bad")
    line = text.split("\n").index("7,bad") + 1
    assert table.place(row, "y") == f"line {line}, column 'y'"
