"""Models in several processes: a fork does not hang, and kernels need no folder to be kept in."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from selftime.data.batch import Batch
from selftime.door import language, through
from selftime.encoders.builders import BUILDERS
from selftime.encoders.fixed import compiling_numba as kernels
from selftime.engine.threads import map_on_threads, share_of_thread

FORKED = """
import multiprocessing
import numpy as np, torch
import selftime as st
torch.set_num_threads(2)
rng = np.random.default_rng(0)
x = rng.normal(size=(8, 2, 200)).cumsum(axis=2)
model = st.pretrain(x, objective="ts2vec", budget="1 step")
wide = rng.normal(size=(300, 300))
def answers():
    return model.embed(x), np.linalg.eigvalsh(wide + wide.T)
def work(out):
    out.put((torch.get_num_threads(), *answers()))
wanted, forked = answers(), multiprocessing.get_context("fork")
out = forked.Queue()
child = forked.Process(target=work, args=(out,), daemon=True)
child.start()
threads, *found = out.get(timeout=30)
assert threads == 1 and torch.get_num_threads() == 2
for a, b in zip(wanted, found):
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * abs(a).max())
"""


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, with several threads."""
    whole = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    words = [sys.executable, "-c", code]
    return subprocess.run(
        words,
        env=whole | {"OMP_WAIT_POLICY": "PASSIVE"} | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.late
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_model_used_with_two_threads_works_in_a_fork():
    """The threads of the parent are not in the child, and libraries would wait for them."""
    done = python(FORKED)
    assert done.returncode == 0, done.stderr


def double(x: np.ndarray) -> np.ndarray:
    return 2 * x


@pytest.fixture
def said(monkeypatch):
    """What is said of kernels, as in a process that has just begun."""
    monkeypatch.setattr(kernels, "_said", [])
    heard: list[str] = []
    monkeypatch.setattr(kernels, "tell", heard.extend)
    return heard


def test_without_a_folder_kernels_are_compiled_and_it_is_said_once(monkeypatch, said):
    def nowhere(function):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(kernels, "KernelCache", nowhere)
    for reorder in (False, True):
        assert kernels.compile_kernel(reorder=reorder)(double)(np.ones(1)) == 2
    assert len(said) == 1 and "no folder for them can be written" in said[0]
    assert "set NUMBA_CACHE_DIR" in said[0]


def test_a_full_disk_does_not_stop_a_kernel(monkeypatch, said):
    def full(self, sig, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kernels.FunctionCache, "save_overload", full)
    for _ in range(2):
        assert kernels.compile_kernel()(double)(np.ones(1)) == 2
    assert len(said) == 1 and "(No space left on device)" in said[0]


def test_a_damaged_cache_is_begun_anew(monkeypatch, tmp_path, said):
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))
    first = kernels.compile_kernel()(double)
    assert first(np.ones(1)) == 2 and first.stats.cache_misses
    for path in tmp_path.rglob("*.nb[ci]"):
        path.write_bytes(path.read_bytes()[:40])
    again = kernels.compile_kernel()(double)
    assert again(np.ones(1)) == 2
    third = kernels.compile_kernel()(double)
    assert third(np.ones(1)) == 2 and third.stats.cache_hits and not said


HASHED = """
import hashlib, sys
import numpy as np
import selftime as st
x = np.random.default_rng(0).normal(size=(12, 2, 40)).cumsum(axis=2)
model = st.pretrain(st.SeriesSet.of(x, list("abcabcabcabc")), encoder="quantiles")
few = st.Classifier(model).fit(x, list("abcabcabcabc"))
print(hashlib.sha256(model.embed(x).tobytes() + few.predict_proba(x).tobytes()).hexdigest())
"""


@pytest.mark.late
def test_hash_seeds_change_no_bit():
    """Sets and dicts of names come in another order in each process, and that may not show."""
    one = {"OMP_NUM_THREADS": "1"}
    done = [python(HASHED, PYTHONHASHSEED=seed, **one) for seed in ("1", "2")]
    assert done[0].stdout and done[0].stdout == done[1].stdout, done[0].stderr


@pytest.mark.parametrize("name", ["rocket", "hydra", "quantiles"])
def test_threads_change_no_bit_of_compiled_features(name):
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(9, 2, 50)).astype(np.float32))
    batch = Batch(x, torch.ones_like(x, dtype=torch.bool))
    encoder = BUILDERS[name](channels=2, length=50, seed=0)
    encoder.prepare(batch, torch.Generator().manual_seed(0))
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(encoder.embed(batch).numpy())
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*found)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_items_are_shared_out_to_threads_in_order_and_in_the_words_of_the_door():
    with through("command line"):
        found = list(map_on_threads(lambda i: (i, torch.get_num_threads(), language()), range(9)))
    assert found == [(i, 1, "command line") for i in range(9)]
    assert list(map_on_threads(lambda _: torch.get_num_threads(), [0])) == [2]
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_an_error_of_a_thread_comes_to_the_caller_who_keeps_all_threads():
    with pytest.raises(ZeroDivisionError):
        list(map_on_threads(lambda i: 1 // (i - 3), range(9)))
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_batches_of_threads_hold_no_more_series_than_one_batch():
    assert share_of_thread(1000, 1e5, most=256) == 128
    assert share_of_thread(100, 1e5, most=256) == 25
    assert share_of_thread(100, 128.0, most=256) == 64  # fewer are not worth a thread
    assert share_of_thread(100, 1.0, most=32) == 32


PROFILED = """
import numpy as np
from selftime.tasks.anomaly.scores.windows_numba import nearest_by_shape as loop
x = np.sin(np.arange(900) / 7) + 0.1 * np.random.default_rng(0).normal(size=900)
windows = np.lib.stride_tricks.sliding_window_view(x, 50)
means, scale, lengths = windows.mean(axis=1), 1 / windows.std(axis=1), np.full(851, 50.0)
nearest = np.full(851, np.inf)
loop(x, 50, means, scale, lengths, 900, nearest, 50, 851, 851)
print(sum(loop.stats.cache_hits.values()), nearest.tobytes().hex())
"""


@pytest.mark.late
def test_whoever_compiled_a_loop_it_gives_the_same_bits(tmp_path):
    """The inner loops of one that is compiled and of one that is loaded are the same code."""
    said = [
        subprocess.run(
            [sys.executable, "-c", PROFILED],
            capture_output=True,
            text=True,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        ).stdout.split()
        for _ in range(2)
    ]
    assert [hits for hits, _ in said] == ["0", "1"]
    assert said[0][1] == said[1][1]
