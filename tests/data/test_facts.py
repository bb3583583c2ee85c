"""What a store says of its series is what a pass over their values finds."""

import json

import numpy as np
import pytest

import selftime as st
from selftime.data import facts as module
from selftime.data.facts import Facts

PARTS = ("scaling", "wild", "missing", "digest", "largest")


def series_with(*, holes: bool, wild: float = 0.0) -> st.SeriesSet:
    """Series of two channels, some values of which may be missing or far beyond all others."""
    x = np.random.default_rng(3).normal(size=(30, 2, 40))
    x[4, 1, 7] += wild
    if holes:
        x[::3, 0, 5:9] = np.nan
    return st.SeriesSet.of(x)


def are_equal(one: Facts, other: Facts) -> None:
    assert [getattr(one, name) for name in PARTS] == [getattr(other, name) for name in PARTS]
    np.testing.assert_array_equal(one.fingerprints, other.fingerprints)


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("wild", [0.0, 1e7, 1e31])
def test_a_store_knows_what_a_pass_finds(tmp_path, monkeypatch, holes, wild):
    x = series_with(holes=holes, wild=wild)
    counted = Facts(x)
    assert not counted.known and (counted.wild > 0) == (wild > 0)
    assert (counted.largest >= 1e30) == (wild >= 1e30)
    wanted = [*(getattr(counted, name) for name in PARTS), *counted.fingerprints]
    packed = Facts(st.read(st.pack(x, tmp_path / "store")))
    for name in ("fit", "count_wild", "share_missing", "fingerprints_of", "largest_in"):
        monkeypatch.setattr(module, name, None)  # no pass over the values
    assert [*(getattr(packed, name) for name in PARTS), *packed.fingerprints] == wanted


def test_parts_and_changes_of_a_store_are_counted(tmp_path):
    x = st.read(st.pack(series_with(holes=False), tmp_path / "store"))
    assert Facts(x).known
    for other in (x[:-1], x[[1, 0, *range(2, 30)]], x[1:]):
        assert not Facts(other).known
        assert Facts(other).digest == other.fingerprint()
    marked = st.read(tmp_path / "store", missing=[float(x.steps[3, 1])])
    assert not Facts(marked).known and Facts(marked).missing > 0


def test_a_store_packed_anew_knows_what_it_holds_now(tmp_path):
    first = st.pack(series_with(holes=False), tmp_path / "one")
    value = float(st.read(first).steps[3, 1])
    second = st.pack(first, tmp_path / "two", reading={"missing": [value]})
    x = st.read(second)
    assert Facts(x).known
    are_equal(Facts(x), Facts(st.SeriesSet.of(x.values, ids=x.ids)))


def test_a_store_of_before_is_counted(tmp_path):
    made = st.pack(series_with(holes=True), tmp_path / "store")
    index = json.loads((made / "store.json").read_text())
    del index["facts"], index["checksums"]["fingerprints"]
    (made / "fingerprints.npy").unlink()
    (made / "store.json").write_text(json.dumps(index))
    x = st.read(made)
    assert not Facts(x).known
    are_equal(Facts(x), Facts(series_with(holes=True)))
