"""What docs/ray.md shows is what comes, and what it names is there."""

import re

import pytest
from ray_material import workers_here
from session_material import make_files
from sessions import CLUSTERS, assert_goes_as_recorded, sections
from typer.main import get_command

import selftime as st
from selftime.cli import app

TEXT = CLUSTERS.read_text(encoding="utf8")
TABLE = TEXT.partition("| you want")[2].partition("\n\n")[0]


@pytest.mark.slow
@pytest.mark.long
def test_the_sessions_go_as_recorded(tmp_path, monkeypatch):
    make_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    with workers_here(2):
        assert_goes_as_recorded("".join(sections(TEXT).values()))


def test_commands_and_calls_of_the_table_are_there():
    commands = get_command(app).commands
    asked = re.findall(r"`selftime (\w+) [^`]*--engine ray`", TABLE)
    assert set(asked) == {n for n, c in commands.items() if "engine" in {p.name for p in c.params}}
    assert all(hasattr(st, name) for name in re.findall(r"st\.(\w+)", TABLE))
