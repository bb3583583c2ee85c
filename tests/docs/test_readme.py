"""What the README says works: its Python, its commands, its links and its pictures."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from scratch_material import make_scratch_quick
from session_material import make_plant
from typer.testing import CliRunner

from selftime.cli import app

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf8")


def blocks(language: str) -> list[str]:
    """The contents of all fenced blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_five_commands_and_five_lines_do_the_job_on_a_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_scratch_quick(monkeypatch)  # a reference row that would take minutes
    make_plant(tmp_path, np.random.default_rng(0))
    commands = "".join(blocks("console")).splitlines()
    assert len(commands) == 5
    for command in commands:
        program, *words = shlex.split(command)
        result = CliRunner().invoke(app, words)
        assert program == "selftime" and result.exit_code == 0, f"{command}\n{result.output}"
    rows = [line.replace('"', "") for line in (tmp_path / "states.csv").read_text().splitlines()]
    by_id = {row.split(",")[0]: row for row in rows[1:]}
    assert len(by_id) == 6
    (lines,) = blocks("python")
    exec(compile(lines, "README.md", "exec"), {})
    said = re.findall(r"'(normal|worn)'", capsys.readouterr().out)[-6:]
    truth = ["worn" if i % 3 == 0 else "normal" for i in range(25, 31)]
    assert said == truth
    assert all(f",{state}," in by_id[f"pump-{i}.csv"] for i, state in enumerate(truth, 25))


def test_it_fits_on_three_screens():
    assert len(TEXT.splitlines()) <= 150


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)\)", TEXT))))
def test_links_and_pictures_are_there(target):
    assert target.startswith("https://") or (ROOT / target).exists()


def test_pictures_are_small_and_described():
    pictures = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", TEXT)
    assert len(pictures) >= 1
    for words, path in pictures:
        assert len(words) > 40 and (ROOT / path).stat().st_size < 150_000


def test_make_targets_exist():
    targets = re.findall(r"^make (\w+)", "".join(blocks("sh")), re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text(encoding="utf8")
    assert targets == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
