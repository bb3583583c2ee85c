"""Bad input is refused with its place and the mend."""

import gzip
import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from scipy.io import wavfile

from selftime.data.paths import SUFFIXES
from selftime.data.readers import read
from selftime.data.series import SeriesError, SeriesSet
from selftime.data.writers import write


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def npy(array, allow_pickle=False):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


def wav(samples):
    file = io.BytesIO()
    wavfile.write(file, 8000, samples)
    return file.getvalue()


CASES = [
    ("a.ts", "1,2\n", "has no @data line, wanted headers"),
    ("a.ts", "@classLabel true a\n@data\n", "has no case after @data"),
    ("a.ts", "@timeStamps true\n@data\n(0,1):a", "wanted values without times: write"),
    ("a.ts", "@data\n1,2:3,4\n\n1,2\n", "line 4: got 1 channels, line 2 has 2"),
    ("a.ts", "@dimensions 3\n@data\n1:2\n", "line 3: got 2 channels, @dimensions says 3"),
    ("a.ts", "@data\n1:2\n1,2:3\n", "line 3: channel 1 has 1 values, channel 0 has 2"),
    ("a.ts", "@classLabel true a b\n@data\n1:a\n1:c\n", "line 4: got the label 'c'"),
    ("a.ts", "@classLabel true\n@data\n1,2\n", "line 3: got 0 channels"),
    ("a.ts", "@data\n1,2\n3,x\n", "line 3: got 'x', wanted a number: correct it"),
    ("a.ts", "@data\n1,2\n3,\n", "line 3: got '', wanted a number"),
    ("a.ts", "@data\n1,2\n3,inf\n", "line 3: got inf, wanted a finite 32-bit number"),
    ("a.tsv", "1\t2\n1\t2\t3\n", "line 2: got 3 cells, line 1 has 2: fill shorter"),
    ("a.tsv", "1\n2\n", "line 1: got 1 cell, wanted a label"),
    ("a.tsv", "1\t2\t3\n1\t2\tx\n", "line 2, cell 3: got 'x', wanted a number"),
    ("a.tsv", "1\t2\n1\t1e39\n", "line 2, cell 2: got 1e39, wanted a finite"),
    ("a.tsv", "1\t2\n1\tNaN\n", "series '1' has no observed value at all"),
    ("a.txt", "1\n2 3\n", "line 2: got 2 values, wanted one a line: save a table"),
    ("a.txt", "1 2\n3\n4 5 6\n", "line 1: got 2 values"),
    ("a.txt", b"\xff\xfe1", "is no whole utf-16 text .truncated data at byte 2."),
    ("a.txt", "1\n\n2\n", "value 2: got ''"),
    ("a.txt", " \n", "is empty, wanted at least one series"),
    ("a.csv", "", "is empty, wanted at least one series"),
    ("a.csv", "date,u\n", "has no rows under its first line, wanted names"),
    ("a.csv", "date,u\n1,2\n1,2,3\n", "line 3: got 3 cells, wanted 2 as in line 2, with commas"),
    ("a.csv", 'date,u\n1,2\n"2,3\n', "line 3: got 1 cells, .* close every quote"),
    ("a.csv", "date,u\n1,2\n2,x\n", "line 3, column 'u': got 'x', wanted a number"),
    ("a.csv", "date,u\n1,2\n2,-1e999\n", "line 3, column 'u': got -1e999, wanted a finite"),
    ("a.csv", "date,u\n1,2\n1,3\n", "line 3, column 'date': got a time twice .* repeated='mean'"),
    ("a.csv", "date,u\n1,2\n,3\n", "line 3, column 'date': got ''"),
    ("a.csv", "date,u\n1,2\nnan,3\n", "line 3, column 'date': got no time"),
    ("a.csv", "date,u\n31/13/2024,2\n", "line 2, column 'date': got '31/13/2024' .* 2024-01-31"),
    ("a.csv", "1,2\n3,4\n", "has 2 columns without names, .* say layout='wide'"),
    ("a.csv", "unique_id,group,y\na,1,1\na,2,2\n", "column 'group' changes within a series"),
    ("a.csv", "unique_id,y\na,1\nb,\n", "series 'b' has no observed value at all"),
    ("a.csv", "unique_id\na\n", "has columns 'unique_id' and none of them holds values"),
    ("a.parquet", "PAR1", "is not a whole parquet file"),
    (
        "a.npy",
        npy(np.array([{}, 1]), True),
        "holds pickled objects, wanted plain numbers: .*pickled objects are never",
    ),
    ("a.npy", npy(np.zeros((2, 3)))[:-1], "is not a whole npy file"),
    ("a.npy", npy(np.array([["a"]])), "the array holds <U1, wanted real numbers"),
    ("a.npy", npy(np.array([[1, np.inf]])), "step 1 is inf, wanted finite"),
    ("a.npy", npz(a=np.zeros(3)), "holds several arrays, wanted one: call it .npz"),
    ("a.npz", npz(train=np.zeros(3), test=np.zeros(3)), "holds train, test, wanted an array named"),
    ("a.npz", npz(x=np.zeros((2, 3)), y=[1]), "got 1 labels for 2 series"),
    ("a.npz", npz(x=np.zeros((2, 3)), observed=[1]), "observed is int64 of shape"),
    ("a.npz", npz(x=np.zeros(3), offsets=[0, 2]), "wanted integers from 0 to 3"),
    ("a.npz", npz(x=np.zeros(3), offsets=[0.0, 3]), "offsets of type float64"),
    ("a.npz", npz(x=np.zeros(3), offsets=[0, 2, 1, 3]), "series '1' is empty"),
    ("a.npz", npz(x=np.zeros((1, 1, 3)), offsets=[0, 3]), r"wanted \(steps, channels\)"),
    ("a.npz", npz(x=np.zeros((2, 3)))[:-9], "is not a whole npz file"),
    ("a.wav", wav(np.zeros(9, np.int16))[:20], "is not a whole wav file"),
    ("a.wav", wav(np.zeros(0, np.int16)), "has 0 samples at 8000 Hz|not a whole wav"),
    ("a.csv.gz", gzip.compress(b"date,u\n1,2\n", mtime=0)[:-4], "is not a whole gzip file"),
    ("a.csv.gz", "date,u\n1,2\n", "is not a whole gzip file"),
    ("a.docx", "x", "ends in '.docx', wanted one of .ts, .tsv"),
]


@pytest.mark.parametrize(("name", "content", "text"), CASES)
def test_bad_files_are_named_with_the_mend(name, content, text, tmp_path):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SeriesError, match=text) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"id": "who"}, "has no column 'who', only 'date', 'u', 'v'"),
        ({"channels": ["w"]}, "has no column 'w'"),
        ({"label": "kind"}, "has no column 'kind'"),
        ({"layout": "long"}, "wanted one that names the series of each row: say which, id="),
    ],
)
def test_columns_that_are_not_there(options, text, tmp_path):
    (tmp_path / "a.csv").write_text("date,u,v\n1,2,3\n")
    with pytest.raises(SeriesError, match=text):
        read(tmp_path / "a.csv", **options)


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (pd.DataFrame({"ds": [1, 2], "y": ["1", "x"]}), "row 2, column 'y': got 'x'"),
        (pd.DataFrame({"ds": [1, 2], "y": [1, np.inf]}), "row 2, column 'y': got inf"),
        (pd.DataFrame({"ds": [1.0, np.nan], "y": [1, 2]}), "row 2, column 'ds': got no time"),
        (pd.DataFrame({"y": [[[1]], [[2]]]}), "column 'y' holds list<.*>, wanted numbers"),
        (pd.DataFrame({"y": [1, "x"]}, dtype=object), "is not a whole frame"),
        (pd.DataFrame({"unique_id": ["a", None], "y": [1, 2]}), "row 2, column 'unique_id'"),
        (pd.DataFrame(), "has no rows"),
        (pd.Series(["a", "b"]), "none of them holds values"),
        (3, "got int, wanted a path, a frame, an array, a list or dict of arrays"),
    ],
)
def test_bad_frames_are_named(frame, text):
    with pytest.raises(SeriesError, match=text):
        read(frame)


def test_missing_paths_and_folders_without_series(tmp_path):
    with pytest.raises(SeriesError, match="no such file or folder, wanted one to read"):
        read(tmp_path / "nowhere.csv")
    with pytest.raises(SeriesError, match="none of the 0 files in it can be read"):
        read(tmp_path)
    (tmp_path / "notes.md").write_text("text")
    with pytest.raises(SeriesError, match=f"none of the 1 files .* {', '.join(SUFFIXES)}"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("second", "text"),
    [
        ("time,u\n1,1\n", "b.csv: channel 'v' is missing, got 'u', .*a.csv came first"),
        ("time,u,v,w\n1,1,1,1\n", "b.csv: got channels 'w', which are unknown here"),
        ("u,v\n1,1\n", "b.csv: has no times, .*a.csv has numbered"),
        ("time,u,v,group\n1,1,1,k\n", "b.csv: has textual groups, .*a.csv has no"),
        ("time,u,v\n2024-01-01,1,1\n", "b.csv: has dated times"),
        ("time,u,v\n1,1,x\n", "b.csv: channel 'v' is missing, .*column 'v' holds text"),
    ],
)
def test_files_that_do_not_go_together(second, text, tmp_path):
    (tmp_path / "a.csv").write_text("time,u,v\n1,1,1\n")
    (tmp_path / "b.csv").write_text(second)
    with pytest.raises(SeriesError, match=text):
        read(tmp_path)


X = SeriesSet.of([[1.0, 2.0]], ["a"])


@pytest.mark.parametrize(
    ("x", "name", "text"),
    [
        (X, "a.xls", "wanted a name ending in .npz, .ts, .csv"),
        (X, "there.npz", "is there already: choose another name or overwrite=True"),
        (X, "no/a.npz", "no folder .*no, wanted one to write in"),
        (SeriesSet.of(X, ["a b"]), "a.ts", "got the label 'a b', wanted text without spaces"),
        (
            SeriesSet.of(X, channels=["Time"]),
            "a.csv",
            "got channels 'Time', wanted different names",
        ),
    ],
)
def test_what_cannot_be_written(x, name, text, tmp_path):
    (tmp_path / "there.npz").write_text("kept")
    with pytest.raises(SeriesError, match=text):
        write(x, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["there.npz"]
    assert (tmp_path / "there.npz").read_text() == "kept"


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = write(X, tmp_path / "a.npz")
    before = path.read_bytes()

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="disk full"):
        write(SeriesSet.of([[3.0]]), path, overwrite=True)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_zip_of_something_else_holds_no_series(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("x.npy", "text")
    with pytest.raises(SeriesError, match="a.npz: holds nothing, wanted an array named x"):
        read(tmp_path / "a.npz")
