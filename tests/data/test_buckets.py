"""Huge tables packed bucket by bucket give the store that the whole table gives."""

from dataclasses import fields

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as arrow_parquet
import pytest

import selftime as st
from selftime.data import buckets, shards
from selftime.data.arrays import SeriesError
from selftime.data.formats import large


@pytest.fixture(autouse=True)
def huge(monkeypatch):
    """Every file is large and huge, buckets hold a few hundred rows, shards a few series."""
    monkeypatch.setattr(large, "LARGE", 1)
    monkeypatch.setattr(large, "_ROWS", 97)
    monkeypatch.setattr(large, "HUGE", 1 << 62)
    monkeypatch.setattr(buckets, "BUCKET", 8000)
    monkeypatch.setattr(shards, "SHARD", 3000)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def counted(monkeypatch):
    """The number of buckets of each table."""
    found = []

    def join(portions):
        found.append(len(portions))
        return buckets_join(portions)

    buckets_join = buckets.join_parts
    monkeypatch.setattr(buckets, "join_parts", join)
    return found


def long_table(rng, *, order="series", series=30, steps=20, **columns):
    owner = np.repeat(np.arange(series), steps)
    step = np.tile(np.arange(steps), series)
    rows = {
        "series": np.arange(len(owner)),
        "time": np.lexsort((owner, step)),
        "random": rng.permutation(len(owner)),
    }[order]
    owner, step = owner[rows], step[rows]
    table = {
        "machine": [f"press {i}" for i in owner],
        "time": np.datetime64("2024-01-01T06:00:00") + step * np.timedelta64(60, "s"),
        "force": rng.normal(size=len(owner)) + 1e7 * (owner % 3 == 0),
        "heat": np.where(rng.random(len(owner)) < 0.1, np.nan, rng.normal(size=len(owner))),
    }
    return table | {name: make(owner, step) for name, make in columns.items()}


def write(path, table):
    arrays = {
        name: pa.array(column, from_pandas=True) if isinstance(column, np.ndarray) else column
        for name, column in table.items()
    }
    if path.suffix == ".csv":
        arrow_csv.write_csv(pa.table(arrays), path)
    else:
        arrow_parquet.write_table(pa.table(arrays), path, row_group_size=131)
    return path


def assert_same(packed, whole):
    for field in fields(whole):
        if field.name in ("source", "notes"):
            continue
        a, b = getattr(packed, field.name), getattr(whole, field.name)
        if isinstance(b, np.ndarray):
            assert a.dtype == b.dtype and np.array_equal(a, b, equal_nan=b.dtype.kind in "fM"), (
                field.name
            )
        else:
            assert a == b, field.name


LABELS = {
    "none": {},
    "words": {"label": lambda owner, step: [["ok", "worn"][i % 2] for i in owner]},
    "numbers": {"label": lambda owner, step: (owner % 7) / 2},
    "some": {"label": lambda owner, step: [None if i % 5 else "a" for i in owner]},
    "groups": {"group": lambda owner, step: [f"site {i // 10}" for i in owner]},
}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("order", ["series", "time", "random"])
@pytest.mark.parametrize("labels", LABELS)
def test_a_long_table_in_buckets_is_the_whole_one(tmp_path, suffix, order, labels, rng, counted):
    path = write(tmp_path / f"a{suffix}", long_table(rng, order=order, **LABELS[labels]))
    packed = st.read(st.pack(path, tmp_path / "store"))
    assert counted and counted[0] > 2
    assert_same(packed, st.read(path))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("label", [False, True])
def test_rows_that_are_series_are_packed_in_buckets(tmp_path, suffix, label, rng, counted):
    x = rng.normal(size=(300, 12))
    x[5:40, 9:] = np.nan
    table = {f"t{i}": x[:, i] for i in range(12)}
    table |= {"label": [f"c{i % 3}" for i in range(300)]} if label else {}
    path = write(tmp_path / f"a{suffix}", table)
    reading = {"layout": "wide"}
    packed = st.read(st.pack(path, tmp_path / "store", reading=reading))
    assert counted[0] > 2
    assert_same(packed, st.read(path, **reading))


def test_whole_numbers_of_steps_are_times_unless_they_may_be_dates(tmp_path, rng, counted):
    for name, first, parted in (("steps", 0, True), ("dates", 20240101, False)):
        table = long_table(rng, order="random")
        times = table["time"]
        table["time"] = first + (times - times.min()).astype("M8[m]".replace("M8", "m8")).astype(
            int
        )
        path = write(tmp_path / f"{name}.parquet", table)
        packed = st.read(st.pack(path, tmp_path / name))
        assert bool(counted) == parted
        assert_same(packed, st.read(path))
        counted.clear()


@pytest.mark.parametrize(
    "odd",
    [
        {"label": lambda owner, step: [str(i > 10) * 2 for i in step]},
        {"force": lambda owner, step: ["low" if i < 0 else f"{i}" for i in step]},
    ],
    ids=["labels of steps", "texts"],
)
def test_what_only_all_rows_tell_is_read_as_a_whole(tmp_path, rng, counted, odd):
    path = write(tmp_path / "a.parquet", long_table(rng, **odd))
    packed = st.read(st.pack(path, tmp_path / "store"))
    assert not counted
    assert_same(packed, st.read(path))


def test_texts_that_come_late_are_errors_by_line_as_ever(tmp_path, rng):
    table = long_table(rng)
    table["force"] = [f"{v:.3f}" for v in table["force"]]
    table["force"][500] = "broken"
    path = write(tmp_path / "a.csv", table)
    with pytest.raises(SeriesError) as whole:
        st.read(path)
    with pytest.raises(SeriesError) as packed:
        st.pack(path, tmp_path / "store")
    assert "line 502" in str(packed.value) and str(packed.value) == str(whole.value)


def test_a_fault_in_a_bucket_is_named_by_its_row_in_the_file(tmp_path, rng):
    table = long_table(rng, order="time")
    table["force"][411] = 1e300
    path = write(tmp_path / "a.parquet", table)
    with pytest.raises(SeriesError, match="row 412, column 'force'"):
        st.pack(path, tmp_path / "store")


def test_repeated_stamps_are_dropped_and_their_rows_left_out(tmp_path, rng):
    table = long_table(rng, order="time")
    table["time"][[40, 300]] = table["time"][[10, 270]]
    path = write(tmp_path / "a.parquet", table)
    packed = st.read(st.pack(path, tmp_path / "store"))
    assert_same(packed, st.read(path))
    assert len(packed.steps) == 598


def test_roles_that_are_guessed_by_the_first_rows_are_to_be_named(tmp_path, rng, monkeypatch):
    table = long_table(rng)
    table = {"press": table.pop("machine"), **table}
    table["when"] = table.pop("time")
    path = write(tmp_path / "a.parquet", table)
    monkeypatch.setattr(buckets, "HEAD", 3200)
    with pytest.raises(SeriesError, match=r"is too large .* column 'press' is taken for the id"):
        st.pack(path, tmp_path / "store")
    reading = {"id": "press", "time": "when"}
    packed = st.read(st.pack(path, tmp_path / "store", reading=reading))
    assert_same(packed, st.read(path, **reading))


def test_packing_goes_on_behind_the_last_shard(tmp_path, rng, monkeypatch):
    path = write(tmp_path / "a.parquet", long_table(rng, order="random"))
    load, calls = buckets._Buckets._load, []

    def broken(self, number):
        calls.append(number)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return load(self, number)

    monkeypatch.setattr(buckets._Buckets, "_load", broken)
    with pytest.raises(OSError, match="No space"):
        st.pack(path, tmp_path / "store")
    packed = st.read(st.pack(path, tmp_path / "store"))
    assert calls[:4] == [0, 1, 2, 2]
    assert_same(packed, st.read(path))
    assert st.verify_store(tmp_path / "store") > 1


@pytest.mark.parametrize("where", [0.3, 0.6, 0.99])
def test_a_parquet_that_is_cut_or_damaged_is_named(tmp_path, rng, where):
    path = write(tmp_path / "a.parquet", long_table(rng))
    data = path.read_bytes()
    for broken in (data[: int(where * len(data))], data[:1000] + b"\xff" * 900 + data[1900:]):
        path.write_bytes(broken)
        with pytest.raises(SeriesError, match=r"a.parquet: is not a whole parquet file"):
            st.pack(path, tmp_path / "store")
        assert not (tmp_path / "store").exists()


def test_names_that_look_like_numbers_are_read_as_they_were_written(tmp_path):
    """2024.10 is no 2024.1: texts of a column that is said to be the id are read after all."""
    rows = [f"{r},{r % 7}.5,2024.{(1, 10)[r % 2]}" for r in range(400)]
    (tmp_path / "a.csv").write_text("\n".join(["time,value,code", *rows]) + "\n")
    whole = st.read(tmp_path / "a.csv", id="code")
    st.pack(tmp_path / "a.csv", tmp_path / "store", reading={"id": "code"})
    found = st.read(tmp_path / "store")
    assert found.ids.tolist() == whole.ids.tolist() == ["2024.1", "2024.10"]
    assert np.array_equal(found.steps, whole.steps)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_parts_of_dates_of_a_large_table_are_joined_too(tmp_path, suffix, rng):
    hours = np.arange(400)
    table = pa.table(
        {
            "year": np.full(400, 2024),
            "month": np.full(400, 2),
            "day": 1 + hours // 24,
            "hour": hours % 24,
            "load": rng.normal(size=400),
        }
    )
    path = tmp_path / f"x{suffix}"
    (arrow_csv.write_csv if suffix == ".csv" else arrow_parquet.write_table)(table, path)
    found, packed = st.read(path), st.read(st.pack(path, tmp_path / "store", progress=False))
    for series in (found, packed):
        assert series.channels == ("load",)
        assert series.times[-1] == np.datetime64("2024-02-17T15")


def test_units_of_a_large_table_are_taken_off_too(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("t,x\n" + "".join(f"{i},{i}.5%\n" for i in range(400)))
    assert st.read(path).series(0)[0, -1] == 399.5
