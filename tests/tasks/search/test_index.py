"""The index: hits of series, spans and vectors; filters, hits apart; folders stay whole."""

import json
import threading

import numpy as np
import pandas as pd
import pytest

import selftime as st
from selftime.data.series import SeriesError
from selftime.engine.model import ModelError
from selftime.tasks.search import generations

RNG = np.random.default_rng(2)
KINDS = RNG.normal(size=(3, 30)).cumsum(axis=1)
X = st.SeriesSet.of(
    np.repeat(KINDS, 8, axis=0) + 0.2 * RNG.normal(size=(24, 30)),
    np.repeat(["a", "b", "c"], 8),
    ids=[f"pump-{i}" if i % 2 else f"fan-{i}" for i in range(24)],
)
T = np.arange(600)
LONG = st.SeriesSet.of(
    np.sin(T / 4)[None] * (1 + (T > 300)) + 0.1 * RNG.normal(size=(1, 600)), ids=["m"]
)


@pytest.fixture(scope="module")
def model():
    return st.pretrain(X, encoder="quantiles")


@pytest.fixture(scope="module")
def windows(model):
    return st.SeriesIndex(model).add(LONG, windows=30, stride=5)


@pytest.fixture
def index(model):
    return st.SeriesIndex(model).add(X)


def ids_of(found) -> list[str]:
    return found.to_columns()["unique_id"].tolist()


def test_hits_are_those_of_plain_cosines(index, model):
    vectors = model.embed(X).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = index.search(X[[3, 9]], k=4)
    for q, row in enumerate((3, 9)):
        cosines = vectors @ vectors[row]
        own = found.queries == q
        assert found.ranks[own].tolist() == [1, 2, 3, 4]
        np.testing.assert_array_equal(
            found.series.ids[found.rows[own]], X.ids[np.argsort(-cosines)[:4]]
        )
        near = np.sort(cosines)[::-1][:4]
        np.testing.assert_allclose(found.similarities[own], near, atol=2e-3)  # 16 bits
    table = found.to_polars()
    assert table.columns == ["query", "rank", "unique_id", "similarity", "distance", "label"]
    assert table["query"].to_list() == [X.ids[3]] * 4 + [X.ids[9]] * 4


def test_an_index_of_known_vectors_is_the_one_that_embeds(index, model):
    found = st.SeriesIndex.of(model, index.series, model.embed(index.series))
    np.testing.assert_array_equal(found.vectors, index.vectors)
    id = str(index.series.ids[3])
    assert found.search(id=id, k=4).to_dict() == index.search(id=id, k=4).to_dict()


def test_an_entry_is_no_hit_of_itself_and_vectors_are_queries_too(index, model):
    name = str(X.ids[5])
    assert name not in ids_of(index.search(id=name, k=30))
    assert len(index.search(id=name, k=30)) == 23
    assert ids_of(index.search(st.embed(model, X[[5]]), k=3)) == ids_of(index.search(X[[5]], k=3))


@pytest.mark.parametrize("apart", [0, 1.0])
def test_many_queries_at_once_are_each_by_itself(windows, index, apart):
    """Hits that lie on others are left out, so that some queries need more candidates."""
    for own, asked in ((windows, st.read(LONG, windows=30, stride=40)), (index, X[:9])):
        found = own.search(asked, k=4, apart=apart).to_pandas()
        for i, id in enumerate(asked.ids.tolist()):
            alone = own.search(asked[i : i + 1], k=4, apart=apart).to_pandas()
            mine = found[found["query"] == str(id)]
            assert mine["unique_id"].tolist() == alone["unique_id"].tolist()
            np.testing.assert_allclose(mine["similarity"], alone["similarity"], atol=1e-6)


def test_only_what_passes_is_a_hit(index):
    fans = index.search(X[:1], k=30, where={"id": "fan-*", "label": "a"})
    assert sorted(ids_of(fans)) == sorted(f"fan-{i}" for i in range(0, 8, 2))
    some = index.search(X[:1], where={"id": {"pump-1", "fan-2"}, "label": ["a"]})
    assert sorted(ids_of(some)) == ["fan-2", "pump-1"]
    with pytest.raises(SeriesError, match="no entry of the index has id nothing and label a: ask"):
        index.search(X[:1], where={"id": "nothing", "label": "a", "start": None})
    with pytest.raises(SeriesError, match="id, label, start, end"):
        index.search(X[:1], where={"colour": "red"})


def test_hits_of_a_recording_lie_apart(windows):
    for apart in (0.5, 1.0, 2.0):
        starts = np.sort(windows.search(id="m@100", k=8, apart=apart).series.starts)
        starts = np.sort(np.append(starts, 100))
        assert len(starts) > 5 and np.diff(starts).min() >= 30 * apart
    near = windows.search(id="m@100", k=8, apart=0).series.starts
    assert np.diff(np.sort(near)).min() < 30 and 100 not in near


def test_a_span_is_found_where_it_was_cut(windows):
    found = windows.search(LONG, start=200, end=229, k=1)
    assert found.series.starts.tolist() == [200] and found.similarities[0] > 0.99
    own = windows.search(id="m", start=200, end=239, k=1)
    assert own.names == ("m@200", "m@205", "m@210")
    late = windows.search(LONG, start=200, end=229, k=4, where={"start": 300, "end": 500})
    assert late.series.starts.min() >= 300 and late.series.starts.max() + 29 <= 500
    with pytest.raises(SeriesError, match="widen the span"):
        windows.search(LONG, start=900, end=950)
    with pytest.raises(SeriesError, match="wanted a number"):
        windows.search(LONG, start="noon")


def test_times_bound_hits_as_the_clock_shows_them():
    times = np.datetime64("2024-03-01T00:00") + np.arange(600) * np.timedelta64(1, "m")
    columns = {"ds": times, "y": LONG.values[0, 0]}
    frame = pd.DataFrame(columns)
    index = st.SeriesIndex(st.pretrain(st.read(frame, windows=30), encoder="quantiles"))
    index.add(frame, windows=30)
    found = index.search(
        frame, start="2024-03-01T01:00", end="2024-03-01T01:29", k=9,
        where={"start": "2024-03-01T02:00"},
    )  # fmt: skip
    assert min(found.to_pandas()["start"]).isoformat() >= "2024-03-01T02:00"
    assert "2024-03-01T" in json.dumps(found.to_dict())


def test_entries_come_and_go(index, model):
    with pytest.raises(SeriesError, match="in the index already"):
        index.add(X[:2])
    index.remove(["fan-0", "pump-1"])
    assert len(index) == 22 and "fan-0" not in ids_of(index.search(X[:1], k=30))
    assert ids_of(index.add(X[:1]).search(X[:1], k=1)) == ["fan-0"]
    with pytest.raises(SeriesError, match="called 'fan-99'"):
        index.remove("fan-99")
    with pytest.raises(SeriesError, match="an index of each"):
        index.add(LONG, windows=30)
    with pytest.raises(SeriesError, match="is empty"):
        st.SeriesIndex(model).search(X)


def test_all_windows_of_a_recording_go_at_once(model):
    index = st.SeriesIndex(model).add(LONG, windows=30)
    index.remove("m")
    assert len(index) == 0 and len(index.add(LONG, windows=30)) == 20


@pytest.mark.parametrize("approximate", [False, True])
def test_what_is_saved_is_opened_again(model, tmp_path, approximate):
    index = st.SeriesIndex(model, approximate=approximate).add(X)
    index.save(tmp_path / "i")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        index.save(tmp_path / "i")
    found = st.load(tmp_path / "i")
    assert isinstance(found, st.SeriesIndex) and found.approximate == approximate
    wanted, got = index.search(X, k=3), found.search(X, k=3)
    assert wanted.to_dict() == got.to_dict()
    if approximate:
        assert ids_of(found.search(X, k=3, exact=True)) == ids_of(index.search(X, k=3, exact=True))
    found.remove(["fan-0"]).add(X[:1]).save(tmp_path / "i", overwrite=True)
    assert len(st.load(tmp_path / "i")) == 24
    assert len([*(tmp_path / "i").glob("generation-*")]) == 1
    assert ids_of(found.search(X[:1], k=1)) == ["fan-0"]


def test_damage_is_told(index, tmp_path):
    folder = index.save(tmp_path / "i")
    (vectors,) = folder.glob("*/vectors.npy")
    data = bytearray(vectors.read_bytes())
    data[-1] ^= 64
    vectors.write_bytes(bytes(data))
    with pytest.raises(ModelError, match="damaged index"):
        st.load(folder)
    vectors.unlink()
    with pytest.raises(ModelError, match="damaged index"):
        st.load(folder)
    about = json.loads((folder / "index.json").read_text())
    for wrong in ({"generation": "../other"}, {"entries": "many"}, {"selftime index": 9}):
        (folder / "index.json").write_text(json.dumps(about | wrong))
        with pytest.raises(ModelError):
            st.load(folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("keep me")
    with pytest.raises(FileExistsError, match="left alone"):
        index.save(tmp_path / "other", overwrite=True)


@pytest.mark.late
def test_who_reads_while_it_is_written_has_one_whole_index(model, tmp_path):
    sizes = (24, 12)
    made = [st.SeriesIndex(model).add(X[:size]) for size in sizes]
    folder, stop, wrong = made[0].save(tmp_path / "i"), threading.Event(), []

    def write() -> None:
        for turn in range(8):
            made[(turn + 1) % 2].save(folder, overwrite=True)
        stop.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = 0
    while not stop.is_set():
        found = st.load(folder)
        hits = found.search(X[:1], k=30)
        seen += 1
        if len(found) not in sizes or len(hits) != len(found):
            wrong.append(len(found))
    writer.join()
    assert seen and not wrong


def test_a_writer_that_dies_leaves_the_old_one(index, tmp_path, monkeypatch):
    folder = index.save(tmp_path / "i")

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(generations, "write_json", die)
    with pytest.raises(KeyboardInterrupt):
        index.remove("fan-0").save(folder, overwrite=True)
    assert len(st.load(folder)) == 24
