"""What docs/your-data.md shows is what comes: each of its sessions, run on seeded files."""

import inspect
import re
from pathlib import Path

import pytest
from session_material import make_files
from sessions import BLOCK, PAGE, agrees, assert_goes_as_recorded, exchanges, sections

import selftime as st

TEXT = PAGE.read_text(encoding="utf8")
SECTIONS = sections(TEXT)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("heading", SECTIONS)
def test_a_session_goes_as_recorded(heading, tmp_path, monkeypatch):
    make_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert_goes_as_recorded(SECTIONS[heading])


def test_there_are_ten_short_sessions():
    assert [heading.partition(".")[0] for heading in SECTIONS] == [str(i) for i in range(1, 11)]
    for heading, text in SECTIONS.items():
        typed = [t for b in BLOCK.finditer(text) for t, _, _ in exchanges(b[1], b[2])]
        assert any("selftime" in one or "st." in one for one in typed), heading
        assert 10 <= len(text.strip().splitlines()) <= 40, heading


def test_every_option_of_reading_has_its_line():
    rows = re.findall(r"^\| `([a-z_]+)=?", TEXT.partition("## Options of reading")[2], re.MULTILINE)
    asked = set(inspect.signature(st.read).parameters) - {"source", "groups"}
    assert set(rows) >= asked


def test_all_that_is_named_is_there():
    for name in re.findall(r"\]\(([\w./-]+?)(?:#[\w-]*)?\)", TEXT):
        assert (Path(PAGE).parent / name).exists(), name


@pytest.mark.parametrize(
    ("wanted", "came", "right"),
    [("a 1.2 s", "a 1.2 s", True), ("a … s", "a 1.2 s", True), ("a … s", "a 1.2 t", False),
     ("a\n…\nb", "a\nx\ny\nb", True), ("a\nb", "a\nx\nb", False), ("a", "a\nb", False)],
)  # fmt: skip
def test_only_what_is_left_out_may_differ(wanted, came, right):
    assert agrees(wanted, came) is right
