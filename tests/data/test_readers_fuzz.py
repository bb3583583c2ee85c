"""Whatever bytes a reader is given, it returns series that hold or raises a SeriesError."""

import gzip
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from examples import examples
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.io import savemat, wavfile

from selftime.data.formats.csv_parquet import encode_csv
from selftime.data.formats.npz import encode_npz
from selftime.data.formats.ts import encode_ts
from selftime.data.paths import SUFFIXES
from selftime.data.readers import read
from selftime.data.series import SeriesError, SeriesSet, check_series

few = examples(40)


def written(write, *args):
    file = io.BytesIO()
    write(file, *args)
    return file.getvalue()


X = SeriesSet.of([[[1.0, np.nan], [0.5, 2]], [[3.0], [-4e-9]]], ["a", "b"], channels=["u", "v"])
TABLE = pa.table({"unique_id": ["a", "a", "b"], "ds": [1, 2, 1], "y": [0.5, None, 3.0]})
VALID = {
    ".ts": [encode_ts(X)],
    ".tsv": [b"1\t0.5\t2\tNaN\n-1\t1e-3\t\t4\n"],
    ".txt": [b"1\n2.5\nNaN\n4\n", b"1 2 3", b"date u\n2024-01-01 1\n2024-01-02 2\n"],
    ".mat": [written(savemat, {"x": np.arange(6.0).reshape(2, 3), "y": [1, 2]})],
    ".npy": [written(np.save, np.arange(6.0).reshape(2, 3))],
    ".npz": [encode_npz(X), written(np.savez_compressed, np.arange(3, dtype=np.int8))],
    ".wav": [written(wavfile.write, 8000, np.arange(20, dtype=np.int16).reshape(10, 2))],
    ".csv": [
        encode_csv(X),
        b"date,u,v\n2024-01-01 00:00:00,1,2\n2024/1/2 0:00,3,\n",
        b"t0,t1,t2,label\n1,2,3,up\n4,5,,down\n",
        "# Gerät\nZeit;T;p\ns;°C;\n1.2.2024 0:00;1,5;1.013,2\n2.2.2024 0:00;-;7\n".encode("cp1252"),
    ],
    ".parquet": [written(lambda file, table: pq.write_table(table, file), TABLE)],
}
FILES = [(suffix, data) for suffix, files in VALID.items() for data in files]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def outcome(path, data):
    """The series that came out, or None for a SeriesError that names the file."""
    path.write_bytes(data)
    try:
        series = read(path)
    except SeriesError as error:
        assert str(error).startswith(f"{path}: ")
        assert "wanted" in str(error) or ": " in str(error).removeprefix(f"{path}: ")
        return None
    check_series(series)
    return series


@st.composite
def damage(draw):
    """A change of a file: bytes flipped, cut out, doubled, put in, or its end lost."""
    kind = draw(st.sampled_from(["flip", "cut", "double", "insert", "end"]))
    where, length = draw(st.floats(0, 1)), draw(st.integers(1, 12))
    put = draw(
        st.binary(min_size=1, max_size=4) | st.sampled_from([b",", b"\n", b":", b"\t", b'"'])
    )

    def apply(data):
        i = int(where * len(data))
        middle = data[i : i + length]
        flipped = bytes(byte ^ put[0] for byte in middle)
        new = {"flip": flipped, "cut": b"", "double": middle * 2, "insert": put + middle}
        return data[:i] if kind == "end" else data[:i] + new[kind] + data[i + length :]

    return apply


@pytest.mark.parametrize(("suffix", "data"), FILES)
def test_the_undamaged_files_are_read(suffix, data, folder):
    assert outcome(folder / f"a{suffix}", data) is not None
    assert outcome(folder / f"a{suffix}.gz", gzip.compress(data)) is not None


@pytest.mark.parametrize("suffix", SUFFIXES)
@few
@given(data=st.binary(max_size=80))
@example(data=b"\x00")
@example(data=b"\xef\xbb\xbf")
@example(data=b"\n,\n")
@example(data=b'"')
@example(data=b"\r1\r2\r")
def test_random_bytes(suffix, data, folder):
    outcome(folder / f"a{suffix}", data)


@pytest.mark.parametrize("suffix", [".ts", ".tsv", ".txt", ".csv"])
@few
@given(text=st.text("@data trueclsLb01.5e+-naif?,:;\t\n\r\"'#/", max_size=60))
def test_random_text(suffix, text, folder):
    head = "@classLabel true\n@data\n" if suffix == ".ts" and len(text) % 2 else ""
    outcome(folder / f"a{suffix}", f"{head}{text}".encode())


@pytest.mark.parametrize(("suffix", "data"), FILES)
@few
@given(changes=st.lists(damage(), min_size=1, max_size=3))
def test_damaged_files(suffix, data, folder, changes):
    for change in changes:
        data = change(data)
    outcome(folder / f"a{suffix}", data)


@few
@given(change=damage())
def test_damaged_gzip(folder, change):
    outcome(folder / "a.ts.gz", change(gzip.compress(encode_ts(X), mtime=0)))
