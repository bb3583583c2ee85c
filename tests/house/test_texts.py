"""Names from data stay text: in Markdown, in cells of csv and in terminals."""

import json
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, strategies
from markdown_it import MarkdownIt

import selftime as st
from selftime.engine.card import card_text, markdown_tables
from selftime.texts import FORMULA, NUMBER, markdown_text, safe_cell, visible

MARKS = [
    "www.",
    "://",
    "&amp;",
    "<!--",
    "1.",
    "](",
    "[x]: ",
    "\\|",
    *"\\`*_{}[]<>()#+-.!|~$@:/&;= \n\t'^a",
]
NAMES = [
    "<script>alert(1)</script>",
    "![x](http://evil.example/a.png)",
    "[a](javascript:alert(1))",
    "a|b \\| c \\\\| d",
    "\n\n# Head\n\n| x |\n|---|",
    "```\n<b>",
    "see www.evil.example, http://evil.example or a@b.example",
    "**bold** __init__ _i_ ~~s~~ $x$ &lt;b&gt;",
    "1. one",
    "- [ ] two",
    "---",
]
READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def words_of(tokens) -> str:
    """The text of Markdown that holds nothing else; an offence where it does."""
    parts = [part for token in tokens for part in token.children or ()]
    assert {part.type for part in parts} <= {"text"}, parts
    return "".join(part.content for part in parts)


@pytest.mark.parametrize("name", NAMES)
@given(strategies.lists(strategies.sampled_from(MARKS), max_size=9).map("".join))
def test_markdown_shows_a_text_as_it_is(name, more):
    for text in (name, more):
        wanted = visible(text).strip()
        table = READER.parse(f"|a|b|\n|---|---|\n| {markdown_text(text)} | z |")
        inline = [token for token in table if token.type == "inline"]
        assert words_of(inline) == f"ab{wanted}z"
        line = READER.parse(f"- {markdown_text(text)}")
        assert words_of(line) == wanted and len(line) == (7 if wanted else 4)


def test_ordinary_figures_stay_readable():
    for text in ("0.5", "-3", "12.5 s", "batch_size", "92.1 % ± 3.0", "a (b), c: d — e", "25%"):
        assert markdown_text(text) == text


def test_a_card_holds_nothing_but_its_own_tables():
    settings = {NAMES[0]: {"value": NAMES[1], "reason": NAMES[2]}}
    card = {"data": {"source": NAMES[4], NAMES[6]: 1}, "settings": settings}
    text = card_text(card, {"channels": NAMES, "scaling": {"kind": NAMES[3]}})
    tokens = READER.parse(text)
    heads = [t.content for k, t in enumerate(tokens) if tokens[k - 1].type == "heading_open"]
    assert heads == ["A selftime model", "Data", "Settings", "Input"]
    assert "html_block" not in {token.type for token in tokens}
    kinds = {part.type for token in tokens for part in token.children or ()}
    assert kinds == {"text", "code_inline"}  # the code is the sentence on its use
    assert text.count("\n|") == 3 * 2 + 2 + 1 + 2
    raw = READER.parse(markdown_tables((), {"A": {"b": "c"}}).replace("c |", f"{NAMES[0]} |"))
    assert "html_inline" in {part.type for token in raw for part in token.children or ()}


@pytest.mark.parametrize(
    "text, shown",
    [
        ("a\x1b[31mb\x1b]0;t\x07", r"a\u001b[31mb\u001b]0;t\u0007"),
        ("a\rb\nc\td", r"a\u000db\u000ac\u0009d"),
        ("\u202egpj.exe\u2066\u200f", r"\u202egpj.exe\u2066\u200f"),
        ("\x9b2J\x7f", r"\u009b2J\u007f"),
        ("\udc80\u2028", r"\udc80\u2028"),
        ("pump 3, ü 漢 😀 e\u0301 👩\u200d🔧", None),
    ],
)
def test_what_commands_a_terminal_is_spelled_out(text, shown):
    assert visible(text) == (text if shown is None else shown)
    assert json.loads(visible(json.dumps(text, ensure_ascii=False))) == text
    assert visible("a\nb\r", lines=True) == "a\nb\\u000d"


@pytest.mark.parametrize(
    "text", ["=1+1", "+A1", "-x", "@sum(a)", "\t=1", "\r\n=1", "＝1", "-", "+1-2"]
)
def test_formulas_get_a_mark(text):
    assert safe_cell(text) == f"'{text}" and safe_cell(safe_cell(text)) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", "a=b", "-1", "+1.5e-3", "-.5", "1", "'=1", "2024-01-01", " =1"]
)
def test_other_cells_stay(text):
    assert safe_cell(text) == text


def test_csv_of_results_computes_nothing(tmp_path, caplog):
    ids = np.array(["=cmd|' /C calc'!A0", "-1.5", "ok", "@x"])
    columns = {
        "=id": ids,
        "x": -np.arange(4.0),
        "class": pa.array(["+a", "b", None, "+a"]).dictionary_encode(),
        "day": np.array(["2024-01-01"] * 4, "datetime64[D]"),
    }
    text = st.write_table(tmp_path / "a.csv", columns).read_text()
    assert text.splitlines()[:2] == [
        '"\'=id","x","class","day"',
        "\"'=cmd|' /C calc'!A0\",-0,\"'+a\",2024-01-01",
    ]
    assert caplog.messages == [
        "5 cells begin as a formula does and got ' before it, safe_cells=False writes texts as "
        "they are"
    ]
    cells = [cell.strip('"') for line in text.splitlines() for cell in line.split(",")]
    assert not [c for c in cells if re.search(FORMULA, c) and not re.search(NUMBER, c)]
    plain = st.write_table(tmp_path / "b.csv", columns, safe_cells=False).read_text()
    assert plain == text.replace("'=id", "=id").replace("'=c", "=c").replace("'@", "@").replace(
        "'+", "+"
    )
    assert len(caplog.messages) == 1
    st.write_table(tmp_path / "a.parquet", columns)
    assert st.read(str(tmp_path / "a.parquet"), id="=id").ids.tolist() == ids.tolist()


def test_ids_of_a_safe_list_find_their_series(tmp_path):
    ids = ["=1+1", "-a", "@b", "+2", "c"]
    series = st.SeriesSet.of(np.random.default_rng(0).normal(size=(5, 1, 9)), ids=ids)
    path = st.write(series, tmp_path / "series.csv")  # data: written as they are
    assert st.read(path).ids.tolist() == ids
    rows = {"id": np.array(ids), "label": np.array(list("vwxyz"))}
    listed = st.write_table(tmp_path / "list.csv", rows)
    assert "'=1+1" in listed.read_text()
    assert st.read(path, labels=listed).labels.tolist() == list("vwxyz")
