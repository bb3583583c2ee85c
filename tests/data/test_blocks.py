"""Blocks together are the whole; each is read by itself, with what all names say together."""

import pickle

import numpy as np
import pytest

from selftime.data import blocks
from selftime.data.arrays import SeriesError
from selftime.data.blocks import Blocks, blocks_of, portable, spans_below
from selftime.data.channels import concatenate
from selftime.data.packing import pack
from selftime.data.parts import number_rows
from selftime.data.readers import read
from selftime.data.series import SeriesSet
from selftime.data.writers import write


@pytest.fixture
def small(monkeypatch):
    """Blocks of some ten values, or of a file or two."""
    monkeypatch.setattr(blocks, "VALUES", 10)
    monkeypatch.setattr(blocks, "FILE_BYTES", 90)


@pytest.fixture
def plant(tmp_path):
    """Files of one series each in folders that are classes."""
    for kind in ("calm", "worn"):
        (tmp_path / "plant" / kind).mkdir(parents=True)
        for i in range(3):
            series = SeriesSet.of(np.arange(4 + i)[None] + 10.0 * i)
            write(series, tmp_path / "plant" / kind / f"{i}.csv")
    return tmp_path / "plant"


def whole(found: Blocks) -> SeriesSet:
    """All blocks, each read by a copy, as another machine would."""
    parts = [pickle.loads(pickle.dumps(found)).read(number) for number in range(len(found))]
    return concatenate(list(number_rows(parts)))


def assert_equal(got: SeriesSet, wanted: SeriesSet):
    assert got.ids.tolist() == wanted.ids.tolist()
    assert (
        np.array_equal(got.steps, wanted.steps) and got.lengths.tolist() == wanted.lengths.tolist()
    )
    assert (got.labels is None) == (wanted.labels is None)
    assert got.labels is None or got.labels.tolist() == wanted.labels.tolist()


def test_files_of_a_folder(small, plant):
    found = blocks_of(plant)
    assert 3 <= len(found) <= 6
    assert read(plant).labels.tolist() == ["calm"] * 3 + ["worn"] * 3
    assert_equal(whole(found), read(plant))


def test_names_of_all_files_say_what_a_block_is(small, plant):
    found = blocks_of(plant, {"label": "folder"})
    assert found.read(0).labels.tolist()[0] == "calm"
    assert found.read(len(found) - 1).labels.tolist()[-1] == "worn"


@pytest.mark.parametrize("form", ["store", "memory", "file"])
def test_series_of_a_store_a_file_or_memory(form, small, plant, tmp_path):
    x = read(plant)
    source = {
        "store": lambda: pack(plant, tmp_path / "store", progress=False),
        "file": lambda: write(x, tmp_path / "x.npz"),
        "memory": lambda: x,
    }[form]()
    found = blocks_of(source)
    assert len(found) == 4  # 4 + 5, 6 + 4, 5, 6 values
    assert_equal(whole(found), x)


def test_a_store_is_sent_as_its_path(plant, tmp_path):
    x = read(pack(plant, tmp_path / "store", progress=False))
    assert portable(x) == str(tmp_path / "store")
    assert len(pickle.dumps(blocks_of(x))) < 2000
    assert portable(x[1:]) is not None and portable("sample:ECG") == "sample:ECG"


def test_what_is_lacking_is_passed_over_where_that_is_asked(small, tmp_path):
    write(SeriesSet.of(np.ones((2, 6))), tmp_path / "x.csv")
    with pytest.raises(SeriesError, match="state"):
        blocks_of(tmp_path / "x.csv", {"label": "state"})
    assert len(whole(blocks_of(tmp_path / "x.csv", {"label": "state"}, lenient=True))) == 2


def test_marks_tell_other_sources(plant):
    before = blocks_of(plant).mark
    assert blocks_of(plant).mark == before
    write(SeriesSet.of(np.ones((1, 9))), plant / "worn" / "9.csv")
    assert blocks_of(plant).mark != before


def test_spans_hold_everything_once():
    sizes = np.array([3, 3, 3, 9, 1, 5])
    spans = spans_below(sizes, 6)
    assert [i for a, b in spans for i in range(a, b)] == list(range(6))
    assert all(b - a == 1 or sizes[a:b].sum() <= 6 for a, b in spans)
