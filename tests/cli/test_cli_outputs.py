"""Results appear whole or not at all, also when the process is ended in the middle."""

import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.cli.demo import free_folder
from selftime.cli.files import TABLE_SUFFIXES, check_file
from selftime.cli.terminal import note, open_streams, show
from selftime.data import files
from selftime.door import through
from selftime.report.places import check_folder

FILLING = """
import os, signal, sys
from pathlib import Path
from selftime.cli import main
from selftime.data.files import whole_folder
def fill():
    with whole_folder(Path(target), overwrite=True) as folder:
        (folder / "half.txt").write_text("half")
        os.kill(os.getpid(), signal.Signals[name])
        signal.pause()
import selftime as st
target, name = sys.argv[1:]
sys.argv[1:] = ["methods"]
st.methods = fill
main()
"""


@pytest.fixture
def old_run(tmp_path):
    """A folder that an earlier run left."""
    target = tmp_path / "run"
    target.mkdir()
    (target / "run.json").write_text("{}")
    return target


def fill(target, *, force: bool, fail: type[BaseException] | None = None) -> None:
    with files.whole_folder(target, overwrite=force) as folder:
        (folder / "run.json").write_text('{"new": 1}')
        if fail:
            raise fail


def test_a_folder_appears_when_it_is_full(tmp_path):
    fill(tmp_path / "deep" / "run", force=False)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["run"]
    assert os.access(tmp_path / "deep" / "run", os.R_OK | os.X_OK)


def test_force_replaces_a_run(old_run):
    with pytest.raises(FileExistsError, match="overwrite=True"):
        fill(old_run, force=False)
    with through("command line"), pytest.raises(FileExistsError, match="--force"):
        fill(old_run, force=False)
    fill(old_run, force=True)
    assert json.loads((old_run / "run.json").read_text()) == {"new": 1}
    assert [path.name for path in old_run.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("fail", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_the_old_run(old_run, fail):
    with pytest.raises(fail):
        fill(old_run, force=True, fail=fail)
    assert (old_run / "run.json").read_text() == "{}"
    assert [path.name for path in old_run.parent.iterdir()] == ["run"]


def test_the_old_run_is_put_back_when_the_new_one_cannot_take_its_place(old_run, monkeypatch):
    rename = os.rename

    def once(source, target):
        if source.name.startswith(".draft-"):
            raise OSError(28, "No space left on device")
        return rename(source, target)

    monkeypatch.setattr(files, "_exchange", lambda *_: False)
    monkeypatch.setattr(os, "rename", once)
    with pytest.raises(OSError, match="No space left"):
        fill(old_run, force=True)
    assert (old_run / "run.json").read_text() == "{}"


@pytest.mark.late
@pytest.mark.parametrize("signal, code", [("SIGTERM", 143), ("SIGKILL", -9)])
def test_ended_in_the_middle(old_run, signal, code):
    words = [sys.executable, "-c", FILLING, str(old_run), signal]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    assert (old_run / "run.json").read_text() == "{}" and not (old_run / "half.txt").exists()
    if signal == "SIGTERM":
        assert done.stderr == "selftime: terminated, nothing half-written was left\n"
        assert [path.name for path in old_run.parent.iterdir()] == ["run"]


def test_a_link_is_not_replaced(old_run, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(old_run)
    with pytest.raises(FileExistsError, match="left alone"):
        check_folder(link, overwrite=True)


def test_a_file_is_written_in_one_step(tmp_path, monkeypatch):
    target = tmp_path / "out.csv"
    files.write_file(target, b"old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_file(target, b"new")
    assert target.read_bytes() == b"old" and os.listdir(tmp_path) == ["out.csv"]


def test_a_folder_is_never_replaced_by_a_file(tmp_path):
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(FileExistsError, match="out.csv exists: choose another --out$"):
        check_file(tmp_path / "out.csv", TABLE_SUFFIXES, force=True)


def test_tables_hold_a_column_for_each_number(tmp_path):
    columns = {"id": np.array(["a", "b"]), "vectors": np.array([[1, 2], [3, 4]], np.float32)}
    assert st.write_table(tmp_path / "x.csv", columns).read_text().splitlines() == [
        '"id","e0","e1"',
        '"a",1,2',
        '"b",3,4',
    ]
    with pytest.raises(FileExistsError, match="or overwrite=True"):
        st.write_table(tmp_path / "x.csv", columns)
    with pytest.raises(st.SeriesError, match="wanted a name ending in .csv, .parquet, .npz, .npy"):
        st.write_table(tmp_path / "x.xls", columns)


def test_json_refuses_what_is_not_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "x.json", {"x": float("nan")})
    assert not (tmp_path / "x.json").exists()


def test_the_demo_never_asks_for_a_folder_that_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    taken = []
    for _ in range(3):
        taken.append(free_folder("selftime-demo", force=False))
        taken[-1].mkdir()
    assert list(map(str, taken)) == ["selftime-demo", "selftime-demo-2", "selftime-demo-3"]
    assert str(free_folder("selftime-demo", force=True)) == "selftime-demo"


@pytest.mark.late
def test_methods_through_the_installed_command():
    script = "import sys; sys.argv = ['selftime', 'inspect', 'sample:ECG', '--json']; "
    script += "from selftime.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["longest"] == 108000


def test_a_terminal_gets_a_bar_and_json_stays_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    few = st.write(st.sample("PenDigits")[:8], tmp_path / "few.npz")
    words = ["pretrain", str(few), "--encoder", "quantiles", "--json"]
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "run")])
    assert json.loads(result.stdout)["dim"] > 0
    assert "learning" in result.stderr and "━" in result.stderr


HOSTILE = ["\x1b[31mred\x1b[0m", "[red]x[/red]", "a\rb", "\u202etxt", "=1+1", ":smile:"]
"""Names that a terminal, rich or a spreadsheet take for more than names."""


@pytest.fixture
def hostile(tmp_path):
    """A file of series with hostile ids, classes and channels."""
    x = np.random.default_rng(0).normal(size=(12, 1, 40)).cumsum(axis=2)
    ids, labels = [f"{HOSTILE[i % 6]}{i}" for i in range(12)], ["é\x1b[2J", "[bold]b\x9b"] * 6
    series = st.SeriesSet.of(x, labels, ids=ids, channels=["\x1b]0;title\x07c"])
    return st.write(series, tmp_path / "hostile.npz")


@pytest.mark.parametrize("words", [["inspect"], ["inspect", "--json"], ["detect", "--train-end=9"]])
def test_names_command_no_terminal(hostile, tmp_path, words):
    command, *more = words
    out = ["--out", str(tmp_path / "x.csv")] if command == "detect" else []
    done = CliRunner().invoke(app, [command, str(hostile), *more, *out])
    assert done.exit_code == 0, done.output
    said = done.stdout + done.stderr
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", said)
    assert r"\u001b" in said and (command == "detect" or "[bold]b" in said)
    if "--json" in words:
        assert "\x1b]0;title\x07c" in json.loads(done.stdout)["channels"]
    if command == "detect":
        assert "cells begin as a formula does" in said and "--no-safe-cells" in said
        assert '"\'=1+110"' in (tmp_path / "x.csv").read_text()


def test_safe_cells_can_be_left_out(hostile, tmp_path):
    words = ["detect", str(hostile), "--train-end=9", "--no-safe-cells", "--out"]
    done = CliRunner().invoke(app, [*words, str(tmp_path / "x.csv")])
    assert done.exit_code == 0 and "formula" not in done.stderr
    assert '"=1+110"' in (tmp_path / "x.csv").read_text()


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_letters_that_a_locale_lacks_are_spelled_out(hostile, monkeypatch, errors):
    streams = [io.TextIOWrapper(io.BytesIO(), "ascii", errors=errors) for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    open_streams()
    note("é\udc80")
    show({"é\x9b": "ü"}, "é", as_json=False)
    show({"é\x9b": "ü"}, as_json=True)
    text, said = (stream.buffer.getvalue().decode("ascii") for stream in streams)
    assert said.split() == [r"\xe9\udc80"]
    assert text.startswith("\\xe9\n") and json.loads(text.partition("\n")[2]) == {"é\x9b": "ü"}


def test_closed_streams_swallow_what_is_printed(monkeypatch):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    open_streams()
    note("gone")
    show({}, "gone", as_json=False)
    st.write_table(sys.stdout.buffer, {"id": np.array(["a"])})
    assert sys.stdin.read() == ""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.close()
