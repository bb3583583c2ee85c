"""Bounds on the memory of files: what is out of proportion is refused, unless it is asked for."""

import bz2
import gzip
import io
import lzma
import os
import socket
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.io import savemat
from typer.testing import CliRunner

from selftime.cli.app import app
from selftime.data.arrays import SeriesError
from selftime.data.formats.bounds import limit_memory, most_bytes, parse_bytes, size_in_words
from selftime.data.readers import read

ROWS = b"a,b\n" + b"0,0\n" * 80_000  # 0.3 MB of text, 1.3 MB of memory
LIMIT = "1 MB"


def zipped(data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.csv", data)
    return file.getvalue()


def written(write):
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def far_cell(file):
    book = pytest.importorskip("openpyxl").Workbook()
    book.active["A1"], book.active["XFD1048576"] = "a", 1
    book.save(file)


def promised(file):
    """A dataset of half a terabyte of which nothing is written."""
    with pytest.importorskip("h5py").File(file, "w") as whole:
        whole.create_dataset("x", (1, 1 << 36), dtype="f8", chunks=(1, 1000))


def repeated_text(file):
    words = pa.DictionaryArray.from_arrays(pa.array(np.zeros(500, np.int32)), ["A" * 10**5])
    pq.write_table(pa.table({"id": words, "x": np.zeros(500)}), file, compression="zstd")


ZEROS = np.zeros((1, 1, 10**6))
WIDE = b",".join(b"a%d" % i for i in range(600)) + b"\n" + b",".join([b"1"] * 600)
FILES = {
    "a.csv.gz": (gzip.compress(ROWS), "unpacks from .* to more than 250 kB"),
    "a.csv.bz2": (bz2.compress(ROWS), "unpacks from .* to more than 250 kB"),
    "a.csv.xz": (lzma.compress(ROWS), "unpacks from .* to more than 250 kB"),
    "a.csv.zip": (zipped(ROWS), "unpacks from .* to more than 250 kB"),
    "a.npz": (written(lambda f: np.savez_compressed(f, x=ZEROS)), "unpacks to 8 MB"),
    "a.mat": (written(lambda f: savemat(f, {"x": ZEROS}, do_compression=True)), "unpacks to 8 MB"),
    "a.parquet": (
        written(lambda f: pq.write_table(pa.table({"x": ZEROS.ravel()}), f)),
        "holds 1,000,000 rows of 1 columns",
    ),
    "text.parquet": (written(repeated_text), "holds one text many times in column 'id'"),
    "wide.csv": (
        b",".join(b"a%d" % i for i in range(600)) + b"\n" + b",".join([b"1"] * 600),
        "has 600 cells in a",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_files_out_of_proportion_are_refused(tmp_path, name):
    data, text = FILES[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SeriesError, match=f"{name}: {text}") as caught:
        read(tmp_path / name, limit=LIMIT)
    assert "raise the limit, limit='" in str(caught.value)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zip", "a.npz", "a.parquet", "wide.csv"])
def test_they_are_read_where_that_is_asked_for(tmp_path, name):
    (tmp_path / name).write_bytes(FILES[name][0])
    assert len(read(tmp_path / name, limit="1 GB")) == 1
    assert len(read(tmp_path / name)) == 1


@pytest.mark.parametrize(
    "name, write, text",
    [
        ("a.xlsx", far_cell, "says that it has [0-9,]+ cells or more"),
        ("a.h5", promised, "holds arrays of 549.8 GB"),
    ],
)
def test_promises_are_not_believed(tmp_path, name, write, text):
    (tmp_path / name).write_bytes(written(write))
    with pytest.raises(SeriesError, match=text):
        read(tmp_path / name, limit="5 MB")


def test_headers_that_lie_are_found(tmp_path):
    file = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (1, 1, 1 << 40)}
    np.lib.format.write_array_header_1_0(file, header)
    (tmp_path / "a.npy").write_bytes(file.getvalue() + bytes(80))
    with pytest.raises(SeriesError, match="says that it holds .* numbers .*: is it cut"):
        read(tmp_path / "a.npy")


@pytest.mark.parametrize("digits", ["9" * 5000, "٣" * 5000])
def test_headers_of_thousands_of_digits_are_refused(tmp_path, digits):
    (tmp_path / "a.ts").write_text(f"@dimensions {digits}\n@classLabel false\n@data\n1,2,3\n")
    with pytest.raises(SeriesError, match="got 1 channels, @dimensions says"):
        read(tmp_path / "a.ts")


def test_messages_have_one_line_of_an_ordinary_length(tmp_path):
    (tmp_path / "a.csv").write_text(f"a,b\n{'1' * 100_000},2\n2,3\n")
    with pytest.raises(SeriesError, match="got 1111") as caught:
        read(tmp_path / "a.csv")
    assert len(str(caught.value)) < 1500
    (tmp_path / "b.csv").write_text(f"time,{'x' * 100_000}\nnow,2\nthen,y\n")
    with pytest.raises(SeriesError) as caught:
        read(tmp_path / "b.csv")
    assert len(str(caught.value)) < 1500 and "\n" not in str(caught.value)


def test_what_is_no_file_is_refused_by_name(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "s.csv"))
    (tmp_path / "device.csv").symlink_to("/dev/zero")
    names = {"pipe.csv": "a pipe", "s.csv": "a socket", "device.csv": "a device"}
    for name, what in names.items():
        with pytest.raises(SeriesError, match=f"{name}: is {what}, wanted a file"):
            read(tmp_path / name)
        with pytest.raises(SeriesError, match=f"{name}: is {what}, wanted a file"):
            read(np.ones((2, 1, 9)), labels=tmp_path / name)
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    with pytest.raises(SeriesError, match="no such file or folder"):
        read(tmp_path / "loop.csv")


@pytest.mark.parametrize("path", ["a\0b.csv", "x" * 5000, "~nobody/here.csv", "\udcff.csv"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(SeriesError, match="no such file or folder, wanted one to read"):
        read(path)


def test_links_of_hdf5_to_other_files_are_not_followed(tmp_path):
    h5py = pytest.importorskip("h5py")
    (tmp_path / "secret").write_bytes(bytes(80))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.ones((2, 5))
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["x"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/x")
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        place = [(str(tmp_path / "secret"), 0, 80)]
        file.create_dataset("x", (2, 5), dtype="f8", external=place)
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout((2, 5), "f8")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", (2, 5))
        file.create_virtual_dataset("x", layout)
    for name in ("link", "raw", "virtual"):
        with pytest.raises(SeriesError, match="'x' .* another file.*: copy them into this one"):
            read(tmp_path / f"{name}.h5")


def test_memory_is_bytes_or_words():
    assert [parse_bytes(x) for x in (5, "2kB", " 1.5 gb ")] == [5, 2000, 1_500_000_000]
    assert most_bytes(10) == 1_000_000_000 and most_bytes(10**9) == 50 * 10**9
    with limit_memory("2 MB"), limit_memory(None):
        assert most_bytes(10**9) == 2_000_000
    assert most_bytes(0) == 1_000_000_000
    assert [size_in_words(n) for n in (7, 2300, 10**9)] == ["7 B", "2.3 kB", "1 GB"]
    for wrong in (0, -1, True, "many", "1e9 GB", "4"):
        with pytest.raises(SeriesError, match="wanted memory: limit='4 GB'"):
            read(np.ones((1, 1, 9)), limit=wrong)


@pytest.mark.late
def test_commands_have_the_limit_too(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(FILES["a.csv.gz"][0])
    told = CliRunner().invoke(app, ["inspect", str(tmp_path / "a.csv.gz"), "--limit", LIMIT])
    assert told.exit_code and "--limit" in str(told.exception) + told.output
