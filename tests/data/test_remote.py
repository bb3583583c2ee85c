"""URLs are read as files are, and shown without what is secret in them."""

import functools
import http.server
import threading

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as arrow_parquet
import pytest

import selftime as st
from selftime.data import remote
from selftime.data.arrays import SeriesError
from selftime.data.remote import without_secrets

fsspec = pytest.importorskip("fsspec")


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Copies lie in a folder of their own, and stores in memory are empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    store = fsspec.filesystem("memory")
    store.store.clear()
    store.pseudo_dirs[:] = [""]
    return folder


@pytest.fixture
def plant(tmp_path):
    """A folder of csv files in two folders, and the same in a store."""
    rng = np.random.default_rng(0)
    for kind in ("ok", "worn"):
        (tmp_path / "plant" / kind).mkdir(parents=True)
        for i in range(3):
            path = tmp_path / "plant" / kind / f"{i}.csv"
            np.savetxt(path, rng.normal(size=(20, 2)), delimiter=",", header="a,b", comments="")
    store = fsspec.filesystem("memory")
    store.put(f"{tmp_path}/plant/", "/bucket/plant/", recursive=True)
    return tmp_path / "plant"


@pytest.fixture
def web(plant):
    """The address of a server of the folder, which breaks off where it is told to."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        short, asked = False, []

        def log_message(self, *args):
            pass

        def copyfile(self, source, out):
            data = source.read()
            self.asked.append((self.path, self.headers.get("Authorization")))
            out.write(data[: len(data) // 2] if type(self).short else data)

    Handler.asked = []
    handler = functools.partial(Handler, directory=str(plant))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", Handler
    server.shutdown()
    server.server_close()
    thread.join()


def assert_same(a, b):
    assert a.ids.tolist() == b.ids.tolist() and np.array_equal(a.steps, b.steps)
    assert (a.labels is None) == (b.labels is None)
    assert a.labels is None or a.labels.tolist() == b.labels.tolist()


def test_a_folder_of_a_store_is_read_as_the_folder(plant, places):
    found = st.read("memory://bucket/plant")
    assert_same(found, st.read(plant))
    assert found.source == "memory://bucket/plant"
    assert not list(places.iterdir())


def test_a_file_a_pattern_and_a_list_are_read(plant):
    one = st.read("memory://bucket/plant/ok/1.csv")
    assert_same(one, st.read(plant / "ok" / "1.csv"))
    some = ["memory://bucket/plant/ok/1.csv", "memory://bucket/plant/worn/2.csv"]
    assert_same(st.read(some), st.read([plant / "ok" / "1.csv", plant / "worn" / "2.csv"]))
    assert len(st.read("memory://bucket/plant/ok/*.csv")) == 3
    assert_same(st.read(f"file://{plant}/ok/1.csv"), one)


def test_a_store_and_labels_elsewhere_are_read(plant, tmp_path):
    st.pack(plant, tmp_path / "store")
    files = fsspec.filesystem("memory")
    files.put(f"{tmp_path}/store/", "/bucket/store/", recursive=True)
    assert_same(st.read("memory://bucket/store"), st.read(plant))
    files.pipe("/bucket/labels.csv", b"id,label\nok/0.csv,a\nworn/1.csv,b\n")
    labelled = st.read(plant, labels="memory://bucket/labels.csv")
    assert labelled.labels.tolist().count(None) == 4


def test_packing_from_elsewhere_goes_on(plant, tmp_path, monkeypatch):
    files = fsspec.filesystem("memory")
    good = files.cat("/bucket/plant/worn/1.csv")
    files.pipe("/bucket/plant/worn/1.csv", b"a,b\nx,y\n")
    with pytest.raises(SeriesError, match=r"^memory://bucket/plant/worn/1.csv: "):
        st.pack("memory://bucket/plant", tmp_path / "store")
    files.pipe("/bucket/plant/worn/1.csv", good)
    copied, copy = [], remote._copy
    monkeypatch.setattr(remote, "_copy", lambda *a: copied.append(a[1].name) or copy(*a))
    assert_same(st.read(st.pack("memory://bucket/plant", tmp_path / "store")), st.read(plant))
    assert len(copied) == 6


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("memory://bucket/none.csv", "no such file, folder or bucket"),
        ("nowhere://bucket/a.csv", "is no URL that fsspec knows"),
        ("http://{web}/none.csv", "no such file"),
        ("http://{web}/", "names? the files"),
        ("http://me:secret@127.0.0.1:9/a.csv?sig=secret", "could not be copied"),
    ],
)
def test_what_is_not_there_is_said_without_secrets(web, url, said):
    url = url.format(web=web[0])
    with pytest.raises(SeriesError, match=said) as error:
        st.read(url)
    assert str(error.value).startswith(without_secrets(url)) and "secret" not in str(error.value)


def test_a_file_of_the_web_is_read_with_the_rights_of_its_url(plant, web):
    address, handler = web
    found = st.read(f"http://me:secret@{address}/ok/1.csv?sig=secret")
    assert_same(found, st.read(plant / "ok" / "1.csv"))
    assert found.source == f"http://{address}/ok/1.csv?…"
    ((path, rights),) = handler.asked
    assert path.endswith("sig=secret") and rights == "Basic bWU6c2VjcmV0"


def test_a_connection_that_breaks_is_said_and_taken_up(plant, web):
    address, handler = web
    handler.short = True
    with pytest.raises(SeriesError, match="1.csv: (broke off after|could not be copied)"):
        st.read(f"http://{address}/ok/1.csv")
    handler.short = False
    assert_same(st.read(f"http://{address}/ok/1.csv"), st.read(plant / "ok" / "1.csv"))


def test_results_are_not_written_elsewhere(plant):
    with pytest.raises(SeriesError, match="written to this machine, got memory"):
        st.pack(plant, "memory://bucket/store")


@pytest.mark.parametrize("marked", [False, True])
def test_a_parquet_data_set_is_one_table_with_its_folders_as_columns(tmp_path, marked):
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "machine": [f"m{i % 4}" for i in range(80)],
            "time": np.arange(80) // 4,
            "x": rng.normal(size=80),
            "year": [2023 + (i // 40) for i in range(80)],
        }
    )
    folder = tmp_path / "set"
    _write_parts(table, folder)
    if marked:
        (folder / "_SUCCESS").touch()
        (folder / ".x.crc").touch()
    whole = tmp_path / "one.parquet"
    arrow_parquet.write_table(table, whole)
    found = st.read(folder, ignore=["year"])
    assert_same(found, st.read(whole, ignore=["year"]))
    assert "year" in st.read(folder).channels
    packed = st.read(st.pack(folder, tmp_path / "store", reading={"ignore": ["year"]}))
    assert_same(packed, found)


def _write_parts(table, folder):
    for year in (2023, 2024):
        home = folder / f"year={year}"
        home.mkdir(parents=True)
        rows = pc.equal(table["year"], year)
        arrow_parquet.write_table(
            table.filter(rows).drop_columns(["year"]), home / "part-0.parquet"
        )


def test_a_part_with_other_columns_is_named(tmp_path):
    for year, name in ((2023, "x"), (2024, "y")):
        home = tmp_path / "set" / f"year={year}"
        home.mkdir(parents=True)
        table = pa.table({"time": np.arange(9), name: np.arange(9.0)})
        arrow_parquet.write_table(table, home / "part-0.parquet")
    with pytest.raises(SeriesError, match=r"year=2024/part-0.parquet has a column 'y'"):
        st.read(tmp_path / "set")
