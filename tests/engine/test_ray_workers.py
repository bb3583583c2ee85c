"""Clusters without one: what is asked for, and what is said where it cannot be had."""

import importlib.util
import signal
import socket
import sys

import numpy as np
import pytest

import selftime as st
from selftime.engine import ray_cluster
from selftime.engine.ray_cluster import Ray, cluster_of, death_of


def test_engines_by_name():
    assert cluster_of("local") is None
    assert cluster_of("ray") == Ray()
    assert cluster_of(Ray(workers=3)) == Ray(workers=3)


@pytest.mark.again  # the type checks would say so first
def test_what_is_no_engine_is_refused():
    with pytest.raises(ValueError, match="engine='dask', wanted local or ray"):
        cluster_of("dask")
    with pytest.raises(ValueError, match="workers=0, wanted at least 1"):
        Ray(workers=0)


def test_a_cluster_is_here_unless_it_has_an_address(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert Ray().is_here and not Ray(address="head:6379").is_here
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    assert not Ray().is_here


def test_ray_that_is_missing_is_one_clear_error(monkeypatch, tmp_path):
    there = importlib.util.find_spec
    monkeypatch.setattr(
        ray_cluster, "find_spec", lambda name: None if name == "ray" else there(name)
    )
    x = st.sample("JapaneseVowels", "train")[:20]
    for work in (
        lambda: st.pretrain(x, engine="ray"),
        lambda: st.race(x, engine="ray"),
        lambda: st.predict(lambda series: series, x, tmp_path / "out", engine="ray"),
    ):
        with pytest.raises(ValueError, match=r"pip install 'selftime\[ray\]'"):
            work()


def test_machines_of_a_cluster_need_a_folder_to_write_to():
    with pytest.raises(ValueError, match="run=..., on a disk that all of them reach"):
        st.pretrain(st.sample("JapaneseVowels", "train")[:20], engine=Ray(address="head:6379"))


def test_what_is_held_here_is_judged_before_a_cluster_starts():
    nowhere = Ray(address="nowhere:1")
    with pytest.raises(st.SeriesError, match="got 1 series, wanted at least 2"):
        st.pretrain(np.arange(30.0)[None], engine=nowhere, run="kept")


def test_the_last_words_of_ray_are_told():
    said = str(death_of(RuntimeError("long\n\n  No module named 'selftime'\n")))
    assert "No module named 'selftime'" in said and "memory" in said


def test_ctrl_c_is_a_keyboard_interrupt_whatever_ray_does():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), ray_cluster.own_signals():
        signal.signal(signal.SIGINT, lambda *_: sys.exit(0))  # as Ray Train does
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before

    class Terminated(SystemExit):
        pass

    with pytest.raises(Terminated), ray_cluster.own_signals():
        raise Terminated


def test_where_nothing_answers_is_said_at_once(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    for given in (address, f"ray://{address}"):
        with pytest.raises(ConnectionError, match="nothing answers at address=.*ray start --head"):
            st.predict(len, np.ones((2, 9)), tmp_path / "out", engine=Ray(address=given))
    with socket.socket() as open_one:
        open_one.bind(("127.0.0.1", 0))
        open_one.listen()
        ray_cluster.check_answers(f"127.0.0.1:{open_one.getsockname()[1]}")
    ray_cluster.check_answers("auto")
