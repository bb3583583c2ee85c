"""What the tour says works: its Python, its commands, its links and its pictures."""

import re
import shlex
from pathlib import Path

import pytest
from scratch_material import make_scratch_quick
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.data import paths
from selftime.encoders.builders import BUILDERS
from selftime.objectives.registry import OBJECTIVES

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "tour.md").read_text(encoding="utf8")


def blocks(language: str) -> list[str]:
    """The contents of all fenced blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def run_python() -> dict[str, object]:
    """All Python, top to bottom in the current folder; what it left."""
    names: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block, "tour.md", "exec"), names)
    return names


def run_commands() -> None:
    """All commands, top to bottom in the current folder."""
    commands = "".join(blocks("console")).splitlines()
    assert len(commands) >= 6
    for command in commands:
        program, *words = shlex.split(command)
        result = CliRunner().invoke(app, words)
        assert program == "selftime" and result.exit_code == 0, f"{command}\n{result.output}"


@pytest.mark.slow
@pytest.mark.long
def test_python_and_commands_run_as_they_stand(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_scratch_quick(monkeypatch)  # a reference row that would take minutes
    names = run_python()
    assert names["speakers"].score(names["test"], names["test"].labels) > 0.8
    assert len(names["vectors"]) == len(names["test"]) == 370
    few = {part: st.sample("JapaneseVowels", part)[::9] for part in ("train", "test")}
    monkeypatch.setattr(paths, "sample", lambda name, part: few[part])
    run_commands()
    made = {path.name for path in tmp_path.iterdir()}
    runs = {"my-run", "run", "run-ts2vec", "race"}
    files = {"vectors.npz", "predictions.csv", "predictions.evaluation.json", "views.png"}
    assert made == runs | files | {"my-model", "comparison"}


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)\)", TEXT))))
def test_links_and_pictures_are_there(target):
    assert target.startswith("https://") or (DOCS / target).exists()


def test_every_method_is_named():
    assert all(f"`{name}`" in TEXT for name in (*OBJECTIVES, *BUILDERS))
