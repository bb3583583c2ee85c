"""A store is the same set of series as the files it was packed from, and never loaded whole."""

import json
import os
import resource
import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from kill_points import killed_before

import selftime as st
from selftime.data import memory, shards, store
from selftime.data.arrays import SeriesError
from selftime.data.memory import is_mapped
from selftime.data.scaling import fit
from selftime.data.windows import batch_of
from selftime.encoders.networks.dilated import Dilated
from selftime.tasks.transfer import solution

STEPS = 120


@pytest.fixture
def small(monkeypatch):
    """Shards and blocks of a few hundred bytes."""
    monkeypatch.setattr(shards, "SHARD", 400)
    monkeypatch.setattr(memory, "BLOCK", 300)


@pytest.fixture
def plant(tmp_path) -> Path:
    """A csv file a machine in two folders: stamps, gaps in some, rows out of order in one."""
    rng = np.random.default_rng(0)
    for i in range(5):
        folder = tmp_path / "plant" / ("good" if i % 2 else "worn")
        folder.mkdir(parents=True, exist_ok=True)
        times = np.datetime64("2024-03-01T06:00") + np.arange(STEPS + i)
        cells = [f"{a:.3f},{b:.3f}" for a, b in rng.normal(size=(STEPS + i, 2))]
        if i > 2:
            cells[3:5] = [",1.5", "2.5,"]
        rows = [f"{time},{cell}" for time, cell in zip(times, cells, strict=True)]
        if i == 4:
            rows[8], rows[9] = rows[9], rows[8]
        (folder / f"pump-{i}.csv").write_text("\n".join(["time,flow,heat", *rows]) + "\n")
    return tmp_path / "plant"


def are_same(a: st.SeriesSet, b: st.SeriesSet) -> None:
    for field in fields(a):
        mine, other = getattr(a, field.name), getattr(b, field.name)
        if isinstance(mine, np.ndarray):
            assert mine.dtype == other.dtype and mine.tolist() == other.tolist(), field.name
        elif field.name != "source":
            assert mine == other, field.name
    assert a.fingerprint() == b.fingerprint()


def bits(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


READ = [
    {"label": "none", "group": "folder"},
    {"time": "none", "channels": ["heat"]},
    {"labels": {"pump-1.csv": "good", "pump-2.csv": "worn"}},
    {"windows": 25},
    {"windows": "20min", "stride": 3},
]


@pytest.mark.late
@pytest.mark.parametrize("reading", READ, ids=str)
def test_options_of_reading_are_those_of_packing(plant, tmp_path, small, reading):
    made = st.pack(plant, tmp_path / "store", reading=reading)
    are_same(st.read(plant, **reading), st.read(made))
    assert st.verify_store(made) > 1


def test_a_folder_is_the_same_from_a_store(plant, tmp_path, small):
    made = st.pack(plant, tmp_path / "store")
    read = st.read(made)
    are_same(st.read(plant), read)
    assert is_mapped(read.steps) and st.verify_store(made) > 1
    assert sorted(path.suffix for path in made.iterdir() if path.suffix != ".npy") == [".json"]


@pytest.mark.parametrize("name", ["Digits", "Film", "NYCTaxi", "Text", "Daphnet"])
def test_samples_of_every_kind_are_the_same_from_a_store(tmp_path, name):
    are_same(st.sample(name), st.read(st.pack(f"sample:{name}", tmp_path / "store")))


@pytest.mark.parametrize(
    "x",
    [
        st.SeriesSet.of([[1e9 + 1, 1e9 + 2.25], [3.0, np.nan]], ["a", None], groups=[1, 2]),
        [np.ones((2, 7)), np.zeros((2, 3))],
        {"a": np.ones((1, 7)), "b": st.SeriesSet.of(np.zeros((2, 1, 3)), ["x", "y"])},
    ],
    ids=["levels", "arrays", "dict"],
)
def test_what_is_in_memory_is_the_same_from_a_store(tmp_path, small, x):
    are_same(st.read(x), st.read(st.pack(x, tmp_path / "store")))


def test_slices_and_windows_of_a_store_are_not_copied(plant, tmp_path):
    whole, series = st.read(plant), st.read(st.pack(plant, tmp_path / "store"))
    assert np.shares_memory(series[1:4].steps, series.steps)
    assert np.shares_memory(st.windows(series, 20).series.steps, series.steps)
    are_same(whole[1:4], series[1:4])
    are_same(whole[[3, 0]], series[[3, 0]])
    for index in (slice(None), [2, 0], np.arange(40)):
        mine, other = (batch_of(st.windows(x, 20, stride=3), index) for x in (whole, series))
        assert (mine.values == other.values).all() and (mine.observed == other.observed).all()
    with pytest.raises(ValueError, match="read-only"):
        series.steps[0] = 1


@pytest.mark.late
def test_learning_from_a_store_gives_the_same_bits(plant, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "BLOCK", 2000)
    whole, series = st.read(plant), st.read(st.pack(plant, tmp_path / "store"))
    assert fit(whole) == fit(series)
    models = [st.pretrain(x, encoder="quantiles") for x in (whole, series)]
    vectors = [model.embed(x) for model, x in zip(models, (series, whole), strict=True)]
    assert (vectors[0] == vectors[1]).all()
    assert models[0].card["data"] == models[1].card["data"]


class Stop(Exception):
    """Ends a run."""


@pytest.mark.late
def test_a_run_goes_on_in_the_middle_of_a_pass_over_a_store(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 1, 30)).astype(np.float32)
    made = st.pack(x, tmp_path / "store")
    network = Dilated(channels=1, hidden=2, depth=2, dim=4)

    def learn(x, folder, last=99):
        def log(record):
            if record["step"] == last:
                raise Stop

        run = st.Run(folder=tmp_path / folder, log=log)
        how = {"objective": "simclr", "encoder": network, "budget": "5 steps"}
        return st.pretrain(x, run=run, **how)

    whole = learn(x, "whole")
    with pytest.raises(Stop):
        learn(made, "killed", last=3)
    again = learn(made, "killed")
    for name, weight in whole.encoder.state_dict().items():
        assert (weight == again.encoder.state_dict()[name]).all(), name


@pytest.mark.late
def test_vectors_of_a_store_may_lie_in_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_FEW", 0)
    monkeypatch.setattr(solution, "BLOCK", 30_000)  # bytes: some ten vectors
    x = np.random.default_rng(0).normal(size=(40, 1, 30)).astype(np.float32)
    model, series = st.pretrain(x, encoder="quantiles"), st.read(st.pack(x, tmp_path / "store"))
    vectors = model.embed(series)
    assert is_mapped(vectors) and not is_mapped(model.embed(x))
    assert (vectors == model.embed(x)).all()
    said = st.Classifier(model).fit(x[:20], ["a", "b"] * 10)
    found = [said.predict_proba(given) for given in (series, x)]
    assert np.abs(found[0] - found[1]).max() < 1e-6  # in blocks, products round otherwise


@pytest.mark.late
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is asked of Linux")
def test_what_was_looked_at_is_let_go(tmp_path):
    x = np.zeros((300, 1, 30_000), np.float32)  # 36 MB
    x[:, :, 0] = np.arange(300)[:, None]
    series = st.read(st.pack(x, tmp_path / "store"))

    def megabytes() -> float:
        return int(Path("/proc/self/statm").read_text().split()[2]) * resource.getpagesize() / 1e6

    before, most = megabytes(), 0.0
    for first in range(0, 300, 20):
        batch_of(series, slice(first, first + 20))
        most = max(most, megabytes() - before)
    series.fingerprint()
    most = max(most, megabytes() - before)
    assert most < 20


def damage(path: Path, byte: int = -5) -> None:
    data = bytearray(path.read_bytes())
    data[byte] ^= 1
    path.write_bytes(data)


def test_damage_is_found_and_named(plant, tmp_path, small):
    made = st.pack(plant, tmp_path / "store")
    assert st.verify_store(made) == 5
    damage(made / "values.npy")
    why = r"store: is a damaged store \(values.npy is not as it was written in shard 4, of the "
    why += r"series 'worn/pump-4.csv' to 'worn/pump-4.csv'\): restore it, or pack it again, over"
    with pytest.raises(SeriesError, match=why):
        st.verify_store(made)
    with pytest.raises(SeriesError, match=why):  # newer than the index: looked at without asking
        st.read(made)
    damage(made / "values.npy")
    os.utime(made / "values.npy", (2e9, 2e9))
    are_same(st.read(plant), st.read(made))
    os.utime(made / "values.npy", (1e9, 1e9))
    damage(made / "ids.npy")
    with pytest.raises(SeriesError, match="ids.npy is not as it was written"):
        st.verify_store(made)


@pytest.mark.parametrize("name", ["values", "observed", "times", "offsets", "ids", "labels"])
def test_a_file_that_is_cut_or_gone_is_named(plant, tmp_path, name):
    made = st.pack(plant, tmp_path / "store")
    path = made / f"{name}.npy"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    for call in (st.read, st.verify_store):
        with pytest.raises(SeriesError, match="is a damaged store .*restore it, or pack it again"):
            call(made)
    path.unlink()
    with pytest.raises(SeriesError, match=f"No such file .*{name}.npy"):
        st.read(made)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 9},
        {"channels": [1]},
        {"channels": ["flow"]},
        {"kind": "{}"},
        {"notes": "x"},
        {"columns": [["a"]]},
        {"shards": [{}]},
        {"shards": 3},
        {"shards": [{"rows": [0, 2], "checksums": {"../values": "0"}}]},
        {"checksums": {"offsets": "0", "ids": "0", "/etc/passwd": "0"}},
        {"checksums": {}},
        {"checksums": {"offsets": "0", "ids": "0", "groups": "0"}},
    ],
    ids=str,
)
def test_an_index_that_says_something_else_is_refused(plant, tmp_path, change):
    made = st.pack(plant, tmp_path / "store")
    found = json.loads((made / "store.json").read_text())
    (made / "store.json").write_text(json.dumps(found | change))
    with pytest.raises(SeriesError):
        st.read(made)


def test_arrays_of_another_form_are_refused(plant, tmp_path):
    made = st.pack(plant, tmp_path / "store")
    for name, other in (("values", np.ones((9, 2))), ("offsets", np.ones(6)), ("ids", np.eye(5))):
        path = made / f"{name}.npy"
        before = path.read_bytes()
        np.save(path, other)
        os.utime(path, (1e9, 1e9))
        with pytest.raises(SeriesError, match=f"{name}.npy holds .* of shape"):
            st.read(made)
        path.write_bytes(before)
        os.utime(path, (1e9, 1e9))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_in_place_of_an_array_is_refused(plant, tmp_path):
    made = st.pack(plant, tmp_path / "store")
    (made / "ids.npy").unlink()
    os.mkfifo(made / "ids.npy")
    os.utime(made / "ids.npy", (1e9, 1e9))
    with pytest.raises(SeriesError, match="ids.npy: is a pipe, wanted a file"):
        st.read(made)


def test_other_folders_are_no_stores(plant, tmp_path):
    assert not store.is_store(plant) and not store.is_store(tmp_path / "absent")
    with pytest.raises(SeriesError, match="plant: is no store, wanted one to verify"):
        st.verify_store(plant)
    (plant / "store.json").write_text('{"shop": 3}')
    assert len(st.read(plant)) == 5
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("precious")
    for out, why in (("mine", "is no store and is left alone"), ("plant/s", "lies in .*plant")):
        with pytest.raises(FileExistsError, match=why):
            st.pack(plant, tmp_path / out)
    assert (tmp_path / "mine" / "notes.txt").read_text() == "precious"


@pytest.mark.late
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_killed_packing_goes_on(plant, tmp_path, small, overwrite):
    whole, out = bits(st.pack(plant, tmp_path / "whole")), tmp_path / "out" / "store"
    for operation in (1, 20, 48, 60):
        if overwrite:
            st.pack(np.ones((2, 1, 5)), out)
        assert killed_before(operation, lambda: st.pack(plant, out, overwrite=overwrite))
        if overwrite:
            assert len(st.read(out)) in (2, 5)
        elif store.status_of(out):
            with pytest.raises(SeriesError, match="whose packing did not end: call selftime pack"):
                st.read(out)
        st.pack(plant, out, overwrite=overwrite)
        assert bits(out) == whole
        assert os.listdir(tmp_path / "out") == ["store"]
        shutil.rmtree(tmp_path / "out")


def spoil(plant: Path) -> tuple[Path, str]:
    """Cut the last file of a folder within a cell, and return what was in it."""
    path = plant / "worn" / "pump-4.csv"
    text = path.read_text()
    path.write_text(text.replace("flow,heat", "flow,cold"))
    return path, text


def test_packing_goes_on_once_a_bad_file_is_mended(plant, tmp_path, small, caplog):
    path, text = spoil(plant)
    with pytest.raises(SeriesError, match=r"pump-4.csv: .*'cold'"):
        st.pack(plant, tmp_path / "store")
    kept = [p.stat().st_mtime_ns for p in sorted((tmp_path / "store" / "shards").iterdir())]
    assert len(kept) == 4
    path.write_text(text)
    st.pack(plant, tmp_path / "store")
    assert "4 of 5 parts were packed before" in caplog.text
    are_same(st.read(plant), st.read(tmp_path / "store"))


def test_a_truncated_parquet_is_named_and_what_was_packed_is_kept(plant, tmp_path, small, caplog):
    frames = tmp_path / "frames"
    frames.mkdir()
    for i, path in enumerate(sorted(plant.rglob("*.csv"))):
        st.write_table(frames / f"{i}.parquet", st.read(path, channels=["flow"]).to_columns())
    data = (frames / "3.parquet").read_bytes()
    (frames / "3.parquet").write_bytes(data[:-100])
    with pytest.raises(SeriesError, match=r"3.parquet: .*parquet") as found:
        st.pack(frames, tmp_path / "store")
    assert "\n" not in str(found.value)
    (frames / "3.parquet").write_bytes(data)
    st.pack(frames, tmp_path / "store")
    assert "packed before" in caplog.text
    are_same(st.read(frames), st.read(tmp_path / "store"))


def test_damaged_shards_and_changed_files_are_packed_again(plant, tmp_path, small, caplog):
    path, text = spoil(plant)
    for spoiled in ("values.npy", "shards/000002.npz", "file"):
        with pytest.raises(SeriesError, match="cold"):
            st.pack(plant, tmp_path / "store")
        if spoiled == "file":
            first = plant / "good" / "pump-1.csv"
            first.write_text(first.read_text() + "2024-03-01T09:00,1.0,2.0\n")
        else:
            damage(tmp_path / "store" / spoiled, 300)
    path.write_text(text)
    st.pack(plant, tmp_path / "store")
    are_same(st.read(plant), st.read(tmp_path / "store"))


def test_packing_that_was_begun_otherwise_is_not_mixed(plant, tmp_path, small):
    path, text = spoil(plant)
    with pytest.raises(SeriesError, match="cold"):
        st.pack(plant, tmp_path / "store")
    path.write_text(text)
    why = r"was begun from \S*plant, got \S*plant label='none': give the same to go on, or begin "
    with pytest.raises(SeriesError, match=why + r"anew, overwrite=True"):
        st.pack(plant, tmp_path / "store", reading={"label": "none"})
    st.pack(plant, tmp_path / "store", reading={"label": "none"}, overwrite=True)
    are_same(st.read(plant, label="none"), st.read(tmp_path / "store"))
    with pytest.raises(FileExistsError, match="store exists: choose another path, or overwrite"):
        st.pack(plant, tmp_path / "store")


LARGEST = 4000
"""Bytes of a file on a disk that is full: more than the facts of a shard, less than all values."""


def test_a_full_disk_is_one_line_and_nothing_packed_is_lost(plant, tmp_path, small, caplog):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, limit[1]))
    try:
        with pytest.raises(OSError, match="make room and call again") as found:
            st.pack(plant, tmp_path / "store")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert found.value.filename == str(tmp_path / "store" / "values.npy")
    st.pack(plant, tmp_path / "store")
    assert "parts were packed before" in caplog.text
    are_same(st.read(plant), st.read(tmp_path / "store"))


def test_parts_that_cannot_lie_end_to_end_are_refused(tmp_path, small):
    texts = [st.read(words, kind="text") for words in (["ab"], ["cde"])]
    with pytest.raises(SeriesError, match="b: holds text of 3 .*, a text of 2 .*: wanted the same"):
        st.pack(dict(zip("ab", texts, strict=True)), tmp_path / "texts")
    series = st.SeriesSet.of(np.ones((1, 1, 120)))
    stamped = [replace(series, times=times) for times in (np.arange(120), np.arange(120) / 2)]
    with pytest.raises(SeriesError, match="times are float64 after int64 in earlier files, wanted"):
        st.pack({"a": stamped[0], "b": stamped[1]}, tmp_path / "one")
    both = {"a": stamped[1], "b": stamped[0]}
    are_same(st.read(both), st.read(st.pack(both, tmp_path / "two")))
