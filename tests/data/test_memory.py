"""Work that takes more than half of the memory says so before it begins."""

import numpy as np
import pytest

import selftime as st
from selftime.data import memory


@pytest.fixture
def little(monkeypatch):
    """A machine of ten megabytes."""
    monkeypatch.setattr(memory, "memory_here", lambda: 10_000_000)


def test_what_fits_is_not_mentioned():
    assert memory.memory_note("embedding", memory.memory_here() / 2 - 1) == []
    assert 1e8 < memory.memory_here() < 1e15


def test_a_container_has_what_it_was_given(monkeypatch, tmp_path):
    given = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "CGROUP", given)
    whole = memory.memory_here()
    given.write_text("123456789\n")
    assert memory.memory_here() == 123456789
    given.write_text("max\n")
    assert memory.memory_here() == whole


@pytest.mark.late
def test_every_long_door_says_it(little, caplog):
    x = np.random.default_rng(0).normal(size=(200, 1, 2000)).astype(np.float32)
    model = st.pretrain(x[:20, :, :100], encoder="quantiles")
    assert "pretraining takes about 350.1 MB of memory, and there are 10 MB" in caplog.text
    model.embed(x)
    assert "embedding takes about 4.3 MB" not in caplog.text  # less than half
    model.embed(np.concatenate([x, x]))
    assert "embedding takes about 8.6 MB of memory" in caplog.text
    st.detect(np.random.default_rng(0).normal(size=(1, 1, 30_000)))
    assert "scoring takes about 15.4 MB of memory" in caplog.text
