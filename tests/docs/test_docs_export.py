"""docs/export.md shows the figures that were measured, of every encoder; its commands are there."""

import json
import re
from pathlib import Path

import pytest
from benchmarks import export
from typer.main import get_command

from selftime.cli import app
from selftime.encoders.builders import BUILDERS
from selftime.engine.graphs import MOST_ERROR

TEXT = export.PAGE.read_text(encoding="utf8")
ROWS = json.loads((export.RESULTS / "export.json").read_text(encoding="utf8"))["rows"]


def test_the_table_is_what_was_measured():
    shown = TEXT.split(export.BEGIN)[1].split(export.END)[0].lstrip("\n")
    assert shown == export.table_of(ROWS)


def test_every_encoder_and_the_default_estimators_are_near_enough():
    assert set(BUILDERS) <= set(ROWS)
    assert {"Classifier, default", "Regressor, default"} <= set(ROWS)
    assert all(row["error"] <= MOST_ERROR for row in ROWS.values())


@pytest.mark.parametrize("page", ["export", "hub"])
def test_options_of_a_page_are_those_of_its_commands(page):
    text = Path(export.PAGE.parent, f"{page}.md").read_text(encoding="utf8")
    commands = get_command(app).commands
    typed = re.findall(r"`selftime (\w+)([^`]*)`", text)
    assert typed
    for name, words in typed:
        known = {word for param in commands[name].params for word in param.opts}
        assert set(re.findall(r"--\w+", words)) <= known
