"""The page on reports: its sections, files and places are those of a real folder; its code runs."""

import re
from pathlib import Path

import pytest
from judged_material import TABLE, judged_pair
from report_material import Seen, a_comparison, a_run, full_content
from scratch_material import make_scratch_quick
from sight_material import guesses_of_kind

import selftime as st
from selftime.cli.report import report
from selftime.encoders.builders import BUILDERS
from selftime.engine.training.run_folder import (
    COMPARISON,
    EVALUATION,
    GUESSES,
    METRICS,
    RUN_FILE,
    STRATEGIES,
)
from selftime.report.page.content import Content
from selftime.report.page.page import page
from selftime.tasks.comparison.compare import comparison_to_dict

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "reports.md").read_text(encoding="utf8")
PYTHON = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.split("## Where each figure is")[1].split("##")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| section")
]


@pytest.mark.late
def test_every_section_with_figures_is_there():
    train, test, found = judged_pair()
    content = full_content()
    parts = {name: getattr(content, name) for name in ("series", "vectors", "views", "metrics")}
    whole = Content(
        run=a_run(), comparison=a_comparison(), evaluation=found, judged_on=(train, test),
        strategies=TABLE, guesses=guesses_of_kind("series"), **parts,
    )  # fmt: skip
    sections = [a["id"] for a in Seen(page(whole)).all("section")]
    assert list(dict.fromkeys(row[0] for row in ROWS)) == sections[:-1]  # all but "use"


@pytest.mark.late
def test_places_are_in_the_files():
    _, _, found = judged_pair()
    files = {
        RUN_FILE: a_run(),
        COMPARISON: comparison_to_dict(a_comparison()),
        EVALUATION: found.to_dict() | {"train": {}, "test": {}},
    }
    assert {row[2].strip("`") for row in ROWS} == {*files, METRICS, STRATEGIES, GUESSES, "–"}
    named = {name: set() for name in files}
    for _, _, file, place in ROWS:
        if (name := file.strip("`")) in files:
            named[name] |= set(re.findall(r"`(\w+)`", place))
    for name, places in named.items():
        assert places and places <= set(files[name]), name
    beneath = TEXT.split("## Where each figure is")[1].split("##")[0]
    also = set(re.findall(r"`(\w+)`", beneath))
    assert set(found.to_dict()) - {"format", "test_series", "labelled"} <= also


def test_options_are_those_of_the_command():
    options = set(re.findall(r"--(\w+)", TEXT))
    known = set(report.__annotations__) | {"json"}
    assert options <= known and {"train", "test", "out", "json", "force"} <= options


@pytest.fixture
def small(monkeypatch):
    """A fifth of the samples, and features that are quick."""
    whole = st.sample
    monkeypatch.setattr(st, "sample", lambda *words: whole(*words)[::5])
    monkeypatch.setitem(BUILDERS, "rocket", BUILDERS["quantiles"])


@pytest.mark.late
@pytest.mark.usefixtures("small")
def test_python_runs(capsys):
    names: dict = {}
    exec(compile(PYTHON[0], "docs/reports.md", "exec"), names)
    assert "balanced_accuracy" in capsys.readouterr().out
    assert st.Evaluation.from_dict(names["found"].to_dict()).accuracy == names["found"].accuracy


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_folders_are_read_back_as_the_page_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_scratch_quick(monkeypatch)
    names: dict = {}
    exec(compile("".join(PYTHON), "docs/reports.md", "exec"), names)
    assert names["run"].page == Path("comparison") / "report.html"
    assert names["run"].comparison.to_dict() == names["comparison"].to_dict()


@pytest.mark.parametrize("name", ["accuracy", "macro F1", "Brier score", "calibration error"])
def test_equations_have_a_row(name):
    assert re.search(rf"^\| {name} \|", TEXT, re.MULTILINE)
