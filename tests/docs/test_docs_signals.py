"""What docs/signals.md shows is so: tables are those of the code, code runs, sessions go so."""

import contextlib
import importlib.util
import io
import re
from xml.etree import ElementTree

import pytest
from sessions import DOCS, SIGNALS, assert_goes_as_recorded, sections
from signal_material import make_signals

from selftime.data.signals import SIGNALS as KINDS
from selftime.objectives.registry import OBJECTIVES

TEXT = SIGNALS.read_text(encoding="utf8")
SECTIONS = sections(TEXT)
CODE = re.findall(r"^## (How .*?)\n.*?^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
SPEC = importlib.util.spec_from_file_location("signals_page", DOCS / "signals.py")
PAGE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(PAGE)


def test_tables_are_those_of_the_code():
    assert PAGE.page_with_tables(TEXT) == TEXT, "run: make pages"
    cells = dict(re.findall(r"^\| `(\w+)` \| [\w ]+ \| (.*) \|$", TEXT, re.MULTILINE))
    assert set(OBJECTIVES) <= set(cells)
    for name, made in OBJECTIVES.items():
        ticks = dict(zip(KINDS, cells[name].split(" | "), strict=True))
        assert {kind for kind, tick in ticks.items() if tick == "✓"} == set(made.signals)


def test_the_drawing_is_that_of_its_script():
    drawn = PAGE.PICTURE.read_text(encoding="utf8")
    assert drawn == PAGE.drawing(), "run: make pages"
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(drawn).iter()}
    assert {"svg", "title", "desc", "rect", "text", "polyline", "circle"} <= tags
    assert f"]({PAGE.PICTURE.relative_to(DOCS)})" in TEXT


def test_every_signal_has_its_line_its_code_and_its_session():
    for name in KINDS:
        assert f"| `{name}` |" in TEXT
    assert len(SECTIONS) == 4 and len(CODE) == 5
    for heading, text in SECTIONS.items():
        for command in ("pretrain", "classify", "compare", "report"):
            assert f"$ selftime {command} " in text, heading
    for heading, code in CODE:
        assert len(code.strip().splitlines()) <= 10, heading


@pytest.mark.slow
@pytest.mark.parametrize(("heading", "code"), CODE, ids=[heading for heading, _ in CODE])
def test_code_runs(heading, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, heading, "exec"), {})
    assert out.getvalue() or (tmp_path / "clips.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("heading", SECTIONS)
def test_a_session_goes_as_recorded(heading, tmp_path, monkeypatch):
    make_signals(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert_goes_as_recorded(SECTIONS[heading])
