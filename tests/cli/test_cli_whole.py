"""Commands that write: one a folder, the old until the new is whole, and said before the work."""

import os
import resource
import shutil
import threading
from collections import namedtuple

import numpy as np
import pytest
from training_material import waves
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.data import places
from selftime.data.places import only_writer
from selftime.engine.training import run_folder
from selftime.engine.training.run_folder import Run, facts_in


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def failed(*words, code: int = 2) -> str:
    """The one line on stderr of a command that must fail."""
    result = call(*words)
    assert result.exit_code == code, result.output
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("selftime: "))
    assert "Traceback" not in result.output
    return line.removeprefix("selftime: ")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return st.write(waves(10, channels=1, steps=16), tmp_path_factory.mktemp("data") / "x.npz")


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    """A finished run."""
    folder = tmp_path_factory.mktemp("made") / "run"
    assert call("pretrain", data, "--encoder", "quantiles", "--out", folder).exit_code == 0
    return folder


@pytest.fixture
def run(made, tmp_path):
    """A finished run, with a file of the user's in it and one in its model."""
    folder = shutil.copytree(made, tmp_path / "run")
    for place in (folder, folder / "model"):
        (place / "notes.txt").write_text("precious")
    return folder


def closed(data, out, *more):
    return ["pretrain", data, "--encoder", "quantiles", "--out", out, *more]


def test_force_keeps_files_of_others(data, run):
    before = (run / "model" / "model.safetensors").read_bytes()
    result = call(*closed(data, run, "--force", "--seed", 3))
    assert result.exit_code == 0, result.output
    assert facts_in(run)["seed"] == 3 and (run / "report.html").is_file()
    assert (run / "model" / "model.safetensors").read_bytes() != before
    for place in (run, run / "model"):
        assert (place / "notes.txt").read_text() == "precious"
    assert os.listdir(run.parent) == ["run"]


@pytest.mark.parametrize("command", ["pretrain", "race"])
def test_force_leaves_the_old_run_where_the_data_cannot_be_read(run, command, tmp_path):
    before = sorted(run.rglob("*"))
    failed(command, tmp_path / "nowhere.csv", "--out", run, "--force")
    assert sorted(run.rglob("*")) == before and facts_in(run)["status"] == "finished"


@pytest.mark.late
def test_steps_that_replace_a_run_leave_it_until_they_are_done(data, run, monkeypatch):
    words = ["pretrain", data, "--objective", "simclr", "--budget", "3 steps", "--out", run]

    def stopped(self, step):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, "record", stopped)
        said = failed(*words, "--force", code=130)
    assert said == f"interrupted, {run} holds what was done so far: --resume goes on with it"
    assert facts_in(run)["settings"]["encoder"]["value"] == "quantiles" and st.load(run).dim
    assert "holds a run that was stopped: --resume goes on with it, --force" in failed(*words)
    assert call(*words, "--resume").exit_code == 0
    assert facts_in(run)["settings"]["objective"]["value"] == "simclr"
    assert (run / "notes.txt").is_file() and os.listdir(run.parent) == ["run"]


@pytest.mark.parametrize("more", [(), ("--force",), ("--resume",)])
def test_a_second_run_in_a_folder_is_refused(data, run, more, monkeypatch):
    monkeypatch.setattr(places, "PATIENCE", 0.05)
    taken, done = threading.Event(), threading.Event()

    def write():
        with only_writer(run):
            taken.set()
            done.wait(20)

    thread = threading.Thread(target=write)
    thread.start()
    taken.wait(10)
    said = failed(*closed(data, run, *more))
    done.set()
    thread.join()
    assert said.startswith(f"{run} is written by process {os.getpid()} on ")
    assert said.endswith(": wait until that ends, or choose another folder")


@pytest.mark.parametrize("bytes_free", [100, 2000])
def test_a_full_disk_is_one_line_and_there_is_a_next_time(data, tmp_path, bytes_free, made):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    out, vectors = tmp_path / "run", tmp_path / "v.csv"
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_free, limit[1]))
    try:
        said = [failed(*closed(data, out), code=1)]
        said += [failed("embed", made, data, "--out", vectors, code=1)]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    for line, place in zip(said, (out, vectors), strict=True):
        assert line.startswith(f"{place}: File too large: make room and call again; what stood")
    assert os.listdir(tmp_path) == []
    assert call(*closed(data, out)).exit_code == 0
    same = (path / "model" / "model.safetensors" for path in (out, made))
    assert len({path.read_bytes() for path in same}) == 1


def test_a_disk_without_room_is_said_before_the_work(data, made, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(0, 0, 1_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    text = "about 32 MB are needed and 1 kB are free: make room, or choose another --out"
    assert failed("pretrain", "no-data", "--out", tmp_path / "a", code=1) == f"{tmp_path}/a: {text}"
    words = ["embed", made, data, "--out", tmp_path / "v.csv"]
    assert "are free: make room, or choose another --out" in failed(*words, code=1)
    with pytest.raises(OSError, match="are needed and .* are free: make room, or choose another"):
        st.pretrain(waves(10, channels=1, steps=16), encoder="quantiles", run=tmp_path / "a")
    assert os.listdir(tmp_path) == []


def test_a_name_that_is_too_long_is_said_before_the_work(made, tmp_path):
    name = "a" * 252
    for words in (["pretrain", "no-data"], ["embed", made, "no-data"]):
        said = failed(*words, "--out", tmp_path / f"{name}.npz")
        assert said == "aaaaaaaaaaaaaaaaaaaa… has a name of 256 bytes, wanted at most 255"


def test_what_an_ended_command_left_is_said_truly(data, tmp_path, monkeypatch):
    monkeypatch.setattr(run_folder, "Tracker", Broken)
    words = ["pretrain", data, "--objective", "simclr", "--budget", "2 steps"]
    words += ["--out", tmp_path / "run"]
    said = failed(*words, "--track", "tensorboard", code=130)
    assert said.endswith("run holds what was done so far: --resume goes on with it")


class Broken:
    """A tracker that Ctrl-C interrupts."""

    def __init__(self, name):
        self.name = name

    def log(self, step, folder):
        raise KeyboardInterrupt


def test_modes_of_a_run_follow_the_mask_of_the_user(data, tmp_path):
    before = os.umask(0o027)
    try:
        assert call(*closed(data, tmp_path / "run")).exit_code == 0
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "run").rglob("*.*")}
    assert modes == {0o640} and np.isfinite(st.load(tmp_path / "run").embed(data)).all()
