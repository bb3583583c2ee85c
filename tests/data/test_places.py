"""Places to write to: one writer at a time, and whatever is in the way is said before the work."""

import errno
import json
import os
import shutil
import threading
from collections import namedtuple

import pytest

from selftime.data import places
from selftime.data.places import check_place, only_writer
from selftime.door import through


@pytest.fixture
def busy(tmp_path, monkeypatch):
    """A folder that another thread writes."""
    monkeypatch.setattr(places, "PATIENCE", 0.05)
    taken, done = threading.Event(), threading.Event()

    def write():
        with only_writer(tmp_path / "run"):
            taken.set()
            done.wait(10)

    thread = threading.Thread(target=write)
    thread.start()
    taken.wait(10)
    yield tmp_path / "run"
    done.set()
    thread.join()
    with only_writer(tmp_path / "run"):
        pass
    assert os.listdir(tmp_path) == []


def test_a_second_writer_is_refused_and_told_of_the_first(busy):
    text = (
        rf"run is written by process {os.getpid()} on \S+ since 20\d\d-.*: wait until that ends, or"
    )
    with pytest.raises(BlockingIOError, match=text), only_writer(busy):
        pass
    (lock,) = busy.parent.iterdir()
    assert lock.name.startswith(".lock-")
    lock.write_text("garbage")
    with pytest.raises(BlockingIOError, match="is written by another process: "), only_writer(busy):
        pass
    with only_writer(busy.with_name("other")):  # a folder of its own
        assert len(os.listdir(busy.parent)) == 2


def test_calls_within_others_are_let_through(tmp_path):
    with only_writer(tmp_path / "run"), only_writer(tmp_path / "x" / ".." / "run"):
        pass
    assert os.listdir(tmp_path) == []


def test_the_lock_of_a_process_that_ended_is_taken_over(tmp_path):
    child = os.fork()
    if child == 0:
        with only_writer(tmp_path / "run"):
            os._exit(0)
    os.waitpid(child, 0)
    (lock,) = tmp_path.iterdir()
    assert json.loads(lock.read_text())["process"] == child
    with only_writer(tmp_path / "run"):
        assert json.loads(lock.read_text())["process"] == os.getpid()
    assert os.listdir(tmp_path) == []


def test_a_place_that_cannot_be_written_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(NotADirectoryError, match="file is a file, wanted a folder: choose another"):
        check_place(tmp_path / "file" / "run")
    with pytest.raises(OSError, match="aaaa… has a name of 300 bytes, wanted at most 255"):
        check_place(tmp_path / "new" / ("a" * 300) / "run")
    with pytest.raises(OSError, match="has a name of 256 bytes"):
        check_place(tmp_path / ("é" * 128))
    check_place(tmp_path / "new" / ("é" * 127 + "a"), 1000)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with through("command line"), pytest.raises(PermissionError, match="choose another --out$"):
        check_place(tmp_path / "run")


def test_a_disk_without_room_is_said(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(0, 0, 3_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    check_place(tmp_path / "run", 3_000_000)
    with pytest.raises(
        OSError,
        match="about 1.5 GB are needed and 3 MB are free: make room, or choose another place",
    ) as found:
        check_place(tmp_path / "run", 1_500_000_000)
    assert found.value.errno == errno.ENOSPC and found.value.filename == str(tmp_path / "run")
