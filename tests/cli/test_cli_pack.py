"""``selftime pack``: what it says, and stores in place of files."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.data import paths, shards


def say(*words, given=None, code=0):
    result = CliRunner().invoke(app, [str(word) for word in words], input=given)
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder of csv files, and the store of it."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for i in range(8):
        state, turns = ("good", 2) if i % 2 else ("worn", 5)
        x = np.sin(np.arange(40) * turns / 5) + 0.1 * rng.normal(size=40)
        (tmp_path / "plant" / state).mkdir(parents=True, exist_ok=True)
        path = tmp_path / "plant" / state / f"p{i}.csv"
        path.write_text("\n".join(["flow", *(f"{value:.3f}" for value in x)]))
    return tmp_path


def test_a_store_is_packed_and_verified(here):
    said = say("pack", "plant", "--out", "store")
    assert said.stdout == "8 series of 320 steps in all: store\n"
    assert say("pack", "store", "--verify").stdout == "1 shard as written: store\n"
    found = json.loads(say("pack", "store", "--verify", "--json").stdout)
    assert found == {"store": "store", "shards": 1}
    assert st.read("store").labels.tolist() == ["good"] * 4 + ["worn"] * 4
    said = say("pack", "plant", "--out", "store", code=2)
    assert said.stderr == "selftime: store exists: choose another path, or --force\n"
    said = say("pack", "plant", "--out", "store", "--label", "none", "--force", "--json")
    assert json.loads(said.stdout) == {"store": "store", "series": 8, "steps": 320}
    assert st.read("store").labels is None


def test_a_store_of_stdin(here):
    given = (here / "plant" / "good" / "p1.csv").read_text()
    assert "1 series of 40 steps" in say("pack", "-", "--out", "store", given=given).stdout


@pytest.mark.parametrize("given", ["a,b\n1,x\n2,y\n", "a,b\nx,y\n"])
def test_what_is_said_of_stdin_shows_no_file_of_ours(here, given):
    result = CliRunner().invoke(app, ["pack", "-", "--out", "store"], input=given)
    assert "stdin: " in result.stderr and "stdin.csv" not in result.output


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("plant", "wanted a folder, --out, or a store to --verify"),
        ("plant --verify --out store", "wanted a folder, --out, or a store to --verify"),
        ("plant --verify", "plant: is no store, wanted one to verify: check the path"),
        ("absent --out store", "absent: no such file or folder"),
        ("plant --out plant/store", "plant/store lies in plant, which is read: choose another"),
        ("plant --out plant", "plant is no store and is left alone: choose another"),
    ],
)
def test_what_cannot_be_packed_is_said_in_a_line(here, words, why):
    said = say("pack", *words.split(), code=2)
    lines = [line for line in said.stderr.splitlines() if not line.startswith("packing")]
    assert len(lines) == 1 and lines[0].startswith(f"selftime: {why}")
    assert sorted(path.name for path in here.iterdir()) == ["plant"]


def test_a_packing_that_is_interrupted_says_how_it_goes_on(here, monkeypatch):
    monkeypatch.setattr(shards, "SHARD", 200)
    read, calls = paths._read_file, []

    def press(path, asked):
        calls.append(path)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return read(path, asked)

    monkeypatch.setattr(paths, "_read_file", press)
    said = say("pack", "plant", "--out", "store", code=130).stderr.splitlines()[-1]
    wanted = "store holds what was packed so far: the same command goes on with it"
    assert said == f"selftime: interrupted, {wanted}"
    said = say("inspect", "store", code=2).stderr
    assert said == "selftime: store: is a store whose packing did not end: call selftime pack as " \
        "before to go on\n"  # fmt: skip
    assert "store: 4 of 8 parts were packed before" in say("pack", "plant", "--out", "store").stderr
    assert len(st.read("store")) == 8 and len(calls) == 9


@pytest.mark.late
def test_every_command_takes_a_store(here):
    say("pack", "plant", "--out", "store")
    say("pretrain", "store", "--encoder", "quantiles", "--out", "run")
    say("embed", "run", "store", "--out", "one.npy")
    say("embed", "run", "plant", "--out", "two.npy")
    assert (np.load(here / "one.npy") == np.load(here / "two.npy")).all()
    words = ("--train", "store", "--test", "plant", "--out", "found.csv")
    assert "100.0 % right (8 of 8)" in say("classify", "run", *words).stdout
    assert "series      8" in say("inspect", "store").stdout
    assert "run/report.html" in say("report", "run").stdout
