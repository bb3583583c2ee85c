"""Each format, read as written by hand or by the library it comes from."""

import gzip
import io

import numpy as np
import pytest
from scipy.io import wavfile

from selftime.data.readers import read

TS = """# a comment: with colons, and commas
@problemName toy
@timeStamps false
@dimensions 2
@classLabel true up down
@data
1,2,?:4,NaN,6:up

7:8:down
"""
LONG = "unique_id,ds,y,z\nb,2024-01-02,3,30\na,2024-01-01,1,10\nb,2024-01-01,2,\n"
NAN = np.nan


def series(text, name, tmp_path, **settings):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(path, **settings)


def same(x, i, wanted):
    return np.array_equal(x.series(i), np.array(wanted, np.float32), equal_nan=True)


@pytest.mark.parametrize("name", ["a.ts", "a.TS", "a.ts.gz"])
def test_ts(name, tmp_path):
    x = series(gzip.compress(TS.encode()) if name.endswith("gz") else TS, name, tmp_path)
    assert x.labels.tolist() == ["up", "down"]
    assert same(x, 0, [[1, 2, NAN], [4, NAN, 6]])
    assert same(x, 1, [[7], [8]])


def test_ts_without_labels_and_with_targets(tmp_path):
    assert series("@data\n1,2\n3,4\n", "a.ts", tmp_path).labels is None
    x = series("@targetLabel true\n@data\n1,2:0.5\n3,4:1.5\n", "a.ts", tmp_path)
    assert x.labels.tolist() == [0.5, 1.5]


def test_tsv_trailing_nan_is_a_shorter_series(tmp_path):
    x = series("1\t0.5\tNaN\t2\n-1\t3\tNaN\tnan\n", "a.tsv", tmp_path)
    assert x.labels.tolist() == [1, -1]
    assert same(x, 0, [[0.5, NAN, 2]])
    assert same(x, 1, [[3]])


@pytest.mark.parametrize(
    ("first", "second", "labels"),
    [("1.0000000e+00", "2", [1, 2]), ("0.5", "1", [0.5, 1.0]), ("a", "1", ["a", "1"])],
)
def test_labels_stay_what_they_are(first, second, labels, tmp_path):
    x = series(f"{first}\t1\t2\r\n{second}\t3\t4\r\n", "a.tsv", tmp_path)
    assert x.labels.tolist() == labels
    assert type(x.labels.tolist()[0]) is type(labels[0])


@pytest.mark.parametrize("text", ["1\n 2.5 \nNaN\n4\n\n", "1 2.5 NaN 4"])
def test_txt(text, tmp_path):
    assert same(series(text, "a.txt", tmp_path), 0, [[1, 2.5, NAN, 4]])


def test_long_csv_goes_by_time_within_each_series(tmp_path):
    x = series(LONG, "a.csv", tmp_path)
    assert x.ids.tolist() == ["b", "a"]
    assert x.channels == ("y", "z")
    assert same(x, 0, [[2, 3], [NAN, 30]])
    assert same(x, 1, [[1], [10]])
    wanted = np.array(["2024-01-01", "2024-01-02", "2024-01-01"], "M8[ns]")
    assert np.array_equal(x.times, wanted)


def test_wide_csv_takes_the_label_at_either_end(tmp_path):
    first = series("label,t0,t1,t2\nup,1,2,3\ndown,4,,\n", "a.csv", tmp_path)
    last = series("t0,t1,t2,Class\n1,2,3,up\n4,,,down\n", "b.csv", tmp_path)
    for x in (first, last):
        assert x.labels.tolist() == ["up", "down"]
        assert same(x, 0, [[1, 2, 3]])
        assert same(x, 1, [[4]])


def test_one_series_csv_keeps_channel_names_and_times(tmp_path):
    x = series("date,u,v\n1990/1/2 0:00,3,4\n1990/1/1 0:00,1,2\n", "a.csv", tmp_path)
    assert x.channels == ("u", "v")
    assert same(x, 0, [[1, 3], [2, 4]])
    assert np.array_equal(x.times, np.array(["1990-01-01", "1990-01-02"], "M8[ns]"))


def test_zones_become_utc_and_numbers_stay_numbers(tmp_path):
    x = series("time,u\n2024-01-01T02:00:00+02:00,1\n2024-01-01T00:00:01Z,2\n", "a.csv", tmp_path)
    assert x.times.astype(str).tolist()[0].startswith("2024-01-01T00:00:00")
    assert series("time,u\n0.5,1\n1,2\n", "b.csv", tmp_path).times.tolist() == [0.5, 1.0]


def test_tables_without_names_are_read_as_asked(tmp_path):
    text = "1,2,7\n3,4,8\n"
    wide = series(text, "a.csv", tmp_path, layout="wide", label="2")
    assert wide.labels.tolist() == [7, 8]
    assert same(wide, 1, [[3, 4]])
    one = series(text, "a.csv", tmp_path, layout="series")
    assert same(one, 0, [[1, 3], [2, 4], [7, 8]])
    counted = series("0,1,2\n" + text, "b.csv", tmp_path, layout="wide")
    assert same(counted, 0, [[1, 2, 7]])


def test_named_columns_and_no_times(tmp_path):
    text = "when,who,x,note,kind\n1,a,5,hm,k\n1,a,6,hm,k\n"
    options = {"id": "who", "label": "kind", "time": "none", "channels": ["x"]}
    x = series(text, "a.csv", tmp_path, **options)
    assert same(x, 0, [[5, 6]])
    assert x.times is None
    assert x.labels.tolist() == ["k"]


@pytest.mark.late
def test_a_row_may_be_longer_than_a_megabyte(tmp_path):
    names = ",".join(["label", *(f"t{i}" for i in range(1000))])
    row = ",".join(["k", *(f"{i}.{'0' * 1200}" for i in range(1000))])
    x = series(f"{names}\n{row}\n{row}\n", "a.csv", tmp_path)
    assert same(x, 1, [range(1000)])


def test_npy_and_npz(tmp_path):
    cube = np.arange(12, dtype=np.int16).reshape(2, 3, 2)
    np.save(tmp_path / "a.npy", cube)
    assert np.array_equal(read(tmp_path / "a.npy").values, cube)
    np.save(tmp_path / "b.npy", cube[0, 0])
    assert same(read(tmp_path / "b.npy"), 0, [[0, 1]])
    np.savez(tmp_path / "a.npz", X=cube, y=["a", "b"], subject=[5, 6], other=1)
    x = read(tmp_path / "a.npz")
    assert np.array_equal(x.values, cube)
    assert x.labels.tolist() == ["a", "b"]
    assert x.groups.tolist() == [5, 6]


def test_npz_with_offsets_or_a_single_array_of_any_name(tmp_path):
    np.savez(tmp_path / "a.npz", values=np.arange(5.0), offsets=[0, 2, 5])
    x = read(tmp_path / "a.npz")
    assert [x.series(i).tolist() for i in range(2)] == [[[0, 1]], [[2, 3, 4]]]
    np.savez(tmp_path / "b.npz", ecg=np.arange(3, dtype=np.uint16))
    assert same(read(tmp_path / "b.npz"), 0, [[0, 1, 2]])


@pytest.mark.parametrize(
    ("samples", "wanted"),
    [
        (np.array([-32768, 16384, 0], np.int16), [-1, 0.5, 0]),
        (np.array([0, 128, 192], np.uint8), [-1, 0, 0.5]),
        (np.array([-(2**31), 2**30, 0], np.int32), [-1, 0.5, 0]),
        (np.array([0.25, -2, 0], np.float32), [0.25, -2, 0]),
    ],
)
def test_wav(samples, wanted, tmp_path):
    sound = io.BytesIO()
    wavfile.write(sound, 4, np.stack([samples, samples[::-1]], axis=1))
    x = series(sound.getvalue(), "a.wav", tmp_path)
    assert same(x, 0, [wanted, wanted[::-1]])
    assert x.times.tolist() == [0, 0.25, 0.5]
