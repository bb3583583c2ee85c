"""Pages about the house are true: modules, the questions of a newcomer, the glossary."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOUSE = (ROOT / "docs" / "house.md").read_text(encoding="utf8")


def test_the_list_of_modules_is_made_from_their_docstrings():
    write = runpy.run_path(str(ROOT / "docs" / "modules.py"))["page_with_list"]
    assert write(HOUSE) == HOUSE, "make pages writes the list anew"


def test_the_questions_of_a_newcomer_end_at_files():
    part = HOUSE.partition("## Ten questions")[2].partition("## Rooms")[0]
    files = re.findall(r"\| `([\w/]+\.py)` \|", part)
    assert len(files) == 10
    assert not [name for name in files if not (ROOT / "src" / "selftime" / name).is_file()]


def test_files_named_on_the_page_exist():
    for name in set(re.findall(r"`((?:\w+/)+\w+\.py)`", HOUSE)):
        assert (ROOT / "src" / "selftime" / name).is_file() or (ROOT / name).is_file(), name


def test_the_glossary_is_short_and_in_order():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf8")
    words = re.findall(r"^\| (?!word|-)([\w ]+) \|", text, re.M)
    assert len(text.splitlines()) <= 36 and words == sorted(words)
