"""Workbooks, MATLAB, HDF5 and EDF give what was written in them; packed files are unpacked."""

import bz2
import datetime as dt
import gzip
import io
import lzma
import sys
import zipfile

import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from selftime.data.arrays import SeriesError
from selftime.data.formats.edf import read_bdf, read_edf
from selftime.data.formats.excel import read_excel
from selftime.data.formats.hdf5_mat import read_hdf5, read_mat
from selftime.data.formats.text import read_bytes, suffix_of

VALUES = np.arange(12.0).reshape(2, 6)


def saved(save, *args):
    file = io.BytesIO()
    save(file, *args)
    return file.getvalue()


def workbook(*sheets):
    book = pytest.importorskip("openpyxl").Workbook()
    book.remove(book.active)
    for k, rows in enumerate(sheets):
        sheet = book.create_sheet(f"sheet {k}")
        for row in rows:
            sheet.append(row)
    return saved(lambda file: book.save(file))


def hdf5(arrays, group="", userblock=0):
    h5py = pytest.importorskip("h5py")
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", userblock_size=userblock) as file:
        for name, array in arrays.items():
            file[f"{group}{name}"] = array
    return buffer.getvalue()


def test_a_workbook_is_a_table_with_its_preamble_passed_over():
    day = dt.datetime(2024, 1, 1)
    rows = [
        ["Report"],
        [],
        ["ds", "y", "code"],
        [day, 1.5, "007"],
        [day, 2, "008"],
        [day, None, "x"],
    ]
    table = read_excel(workbook([[None]], rows, [[1, 2]]))
    assert table.cells.to_pydict() == {
        "ds": ["2024-01-01 00:00:00"] * 3, "y": ["1.5", "2", ""], "code": ["007", "008", "x"]
    }  # fmt: skip
    assert table.first_line == 4
    assert table.notes[0].startswith("Sheet 'sheet 1' is read, not 'sheet 2'")
    assert "2 lines above" in table.notes[1]
    with pytest.raises(SeriesError, match="has no sheet with cells"):
        read_excel(workbook([]))


@pytest.mark.parametrize("names", [("x", "y"), ("values", "labels")])
def test_arrays_of_matlab_and_hdf5_go_by_the_names_of_npz(names):
    values, labels = names
    arrays = {values: VALUES, labels: np.array(["a", "b"], object)}
    for series in (
        read_mat(saved(savemat, arrays)),
        read_hdf5(hdf5(arrays)),
        read_hdf5(hdf5(arrays, "group/")),
    ):
        assert np.array_equal(series.values[:, 0], VALUES) and series.labels.tolist() == ["a", "b"]


def test_matlab_vectors_cubes_and_version_7_3():
    cube = np.arange(12.0).reshape(2, 3, 2)
    series = read_mat(saved(savemat, {"X": cube, "y": [1, 2]}))
    assert np.array_equal(series.values, cube) and series.labels.tolist() == [1, 2]
    assert read_mat(saved(savemat, {"signal": np.arange(5.0)[:, None]})).lengths.tolist() == [5]
    assert read_mat(saved(savemat, {"signal": np.arange(5.0)})).lengths.tolist() == [5]
    series = read_mat(hdf5({"X": cube.T, "y": np.array([[1, 2]])}, userblock=512))  # as MATLAB does
    assert np.array_equal(series.values, cube) and series.labels.tolist() == [1, 2]
    with pytest.raises(SeriesError, match="holds a, b, wanted an array named x"):
        read_mat(saved(savemat, {"a": VALUES, "b": VALUES}))


@pytest.mark.parametrize("kind", ["edf", "bdf"])
def test_a_recording_has_names_and_stamps_and_leaves_other_rates_out(kind):
    edfio = pytest.importorskip("edfio")
    Signal, File = (edfio.EdfSignal, edfio.Edf) if kind == "edf" else (edfio.BdfSignal, edfio.Bdf)
    waves = [np.sin(np.arange(256) / k) for k in (5, 9)]
    signals = [Signal(wave, 128, label=name) for wave, name in zip(waves, "AB", strict=True)]
    signals.append(Signal(np.arange(4.0), 2, label="Temp"))
    begin = edfio.Recording(startdate=dt.date(2020, 1, 2))
    data = saved(File(signals, recording=begin, starttime=dt.time(1, 2, 3)).write)
    table = (read_edf if kind == "edf" else read_bdf)(data)
    assert table.cells.column_names == ["time", "A", "B"]
    times = np.asarray(table.cells["time"])
    assert times[0] == np.datetime64("2020-01-02T01:02:03")
    assert times[128] - times[0] == np.timedelta64(1, "s")
    assert np.allclose(table.cells["A"], waves[0], atol=1e-4)
    assert table.notes == ("1 signal of another rate than 128 Hz left out: Temp (2 Hz).",)


@pytest.mark.parametrize(
    ("read", "package", "extra"),
    [(read_excel, "openpyxl", "excel"), (read_hdf5, "h5py", "hdf5"), (read_edf, "edfio", "edf")],
)
def test_a_package_that_is_not_installed_is_named(read, package, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SeriesError, match=rf"pip install 'selftime\[{extra}\]'"):
        read(b"data")


READERS = (read_excel, read_mat, read_hdf5, read_edf, read_bdf)


@examples(40)
@given(
    data=st.binary(max_size=300), start=st.sampled_from([b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"])
)
def test_any_bytes_are_refused_as_no_whole_file(data, start):
    for read in READERS:
        with pytest.raises(SeriesError):
            read(start + data)


def zipped(*names):
    def write(file):
        with zipfile.ZipFile(file, "w") as archive:
            for name in names:
                archive.writestr(name, b"a,b\n1,2\n")

    return saved(write)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0)),
        ("a.CSV.xz", lzma.compress(b"a,b\n1,2\n")),
        ("a.csv.bz2", bz2.compress(b"a,b\n1,2\n")),
        ("a.csv.zip", zipped("a.csv")),
        ("data.v2.zip", zipped("x/a.csv", "x/", "__MACOSX/x/a.csv")),
    ],
)
def test_packed_files_are_unpacked(name, data, tmp_path):
    (tmp_path / name).write_bytes(data)
    assert suffix_of(tmp_path / name) == ".csv"
    assert read_bytes(tmp_path / name) == b"a,b\n1,2\n"


@pytest.mark.parametrize("name", ["a.csv.xz", "a.csv.bz2", "a.csv.zip"])
def test_broken_archives_are_refused(name, tmp_path):
    (tmp_path / name).write_bytes(b"a,b\n1,2\n")
    with pytest.raises(SeriesError, match="is not a whole"):
        read_bytes(tmp_path / name)


def test_a_zip_of_several_files_names_them(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped("a.csv", "b.csv"))
    with pytest.raises(SeriesError, match=r"holds 2 files \(a.csv, b.csv\), wanted one: unpack it"):
        read_bytes(tmp_path / "a.zip")
