"""The demo, in a form small enough for every run and as it is."""

import json

import pytest
from scratch_material import make_scratch_quick
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.data import paths

PICTURES = {"few-labels.png", "map.png", "overview.png", "report.html"}
FILES = {"comparison.json", "evaluation.json", "model", "run.json"} | PICTURES


@pytest.mark.late
@pytest.mark.again
def test_demo_again_makes_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "selftime-demo").mkdir()
    few = st.sample("PenDigits")[:30]
    monkeypatch.setattr(paths, "sample", lambda name, split: few)
    make_scratch_quick(monkeypatch)
    result = CliRunner().invoke(app, ["demo", "--encoder", "quantiles", "--json"])
    assert result.exit_code == 0, result.output
    folder = tmp_path / "selftime-demo-2"
    assert {path.name for path in folder.iterdir()} == FILES
    told = json.loads(result.stdout)
    inside = ["report.html", *sorted(FILES - {"report.html"})]  # what to look at first
    assert told["files"] == [f"selftime-demo-2/{file}" for file in inside]
    assert st.load(folder).channels == ("x", "y")
    assert not list((tmp_path / "selftime-demo").iterdir())


@pytest.mark.slow
@pytest.mark.long
def test_demo_shows_what_learning_is_worth(tmp_path, monkeypatch):
    make_scratch_quick(monkeypatch)  # a reference row that would take minutes
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "demo")])
    assert result.exit_code == 0, result.output
    assert "self-supervision helped by" in result.stdout
    accuracy = json.loads((tmp_path / "demo" / "comparison.json").read_text())["accuracy"]
    own, bare = accuracy["selftime"], accuracy["untrained encoder"]
    assert own["1 label per class"] > bare["1 label per class"]
