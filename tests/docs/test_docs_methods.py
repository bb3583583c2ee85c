"""The pages on methods: every method, its use and its picture are there; tables are as measured."""

import importlib
import itertools
import json
import re
import shlex
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from benchmarks.measured_tables import NOTHING, benchmark_table, with_tables

from selftime.encoders.builders import BUILDERS
from selftime.objectives.base import FAMILIES
from selftime.objectives.formula import terms_in
from selftime.objectives.registry import OBJECTIVES
from selftime.report.methods import benchmark_results

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "methods"
PAGES = {path.stem: path.read_text(encoding="utf8") for path in sorted(FOLDER.glob("*.md"))}
PICTURED = {name: text for name, text in PAGES.items() if name != "README"}
ROW = {"rank": 2, "among": 3, "accuracy": {"1 label per class": 71.26, "all labels": 95.0}}
FIGURES = {
    "about": {"objective": "Of two sets."},
    "reference": {"objective": {"untrained": {"1 label per class": 70.0, "all labels": 96.0}}},
    "objective": {
        "simclr": ROW | {"gain": {"1 label per class": 1.26, "all labels": -1.0}, "step": 1.52},
        "ts2vec": ROW | {"rank": 1, "gain": {}, "encoder": "gru"},
        "spectral": ROW | {"rank": 3, "gain": {}},
    },
}


def words(text: str) -> str:
    """Lower case, with single spaces and without marks of code."""
    return " ".join(text.replace("`", "").lower().split())


def blocks(language: str, text: str) -> str:
    """The contents of all fenced blocks in a language."""
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_is_on_the_page_of_its_family(name):
    page = PAGES[OBJECTIVES[name].family.replace(" ", "-")]
    found = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, f"docs/methods: no section '## {name}'"
    section = found[1]
    assert words(OBJECTIVES[name].suits) in words(section), f"{name}: `suits` is not on its page"
    assert "**Not when:**" in section and "**Cost:**" in section
    assert f"--objective {name} " in blocks("console", section)
    assert f'objective="{name}"' in blocks("python", section)


@pytest.mark.parametrize("name", BUILDERS)
def test_every_encoder_is_on_the_page_of_encoders(name):
    assert f"**`{name}`**" in PAGES["encoders"]


def test_every_family_has_a_page_with_a_table():
    assert all(f"<!-- measured: {name} -->" in PAGES[name.replace(" ", "-")] for name in FAMILIES)
    assert "<!-- measured: all -->" in PAGES["README"]
    assert "<!-- measured: encoder -->" in PAGES["encoders"]
    assert "<!-- measured: combined -->" in PAGES["combining"]


@pytest.mark.parametrize("name", PAGES)
def test_tables_are_what_was_measured(name):
    again = with_tables(PAGES[name], benchmark_results())
    assert PAGES[name] == again, "run: python -m benchmarks.publish"
    assert PAGES[name].count("<!-- measured: ") == PAGES[name].count("<!-- end -->")


@pytest.mark.parametrize("name", PAGES)
def test_links_are_there_and_pages_hang_together(name):
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", PAGES[name])
    assert all((FOLDER / target).exists() for target in targets)
    assert name == "README" or f"{name}.md" in PAGES["README"]


@pytest.mark.parametrize("name", PICTURED)
def test_every_page_has_a_picture_that_is_small_described_and_self_contained(name):
    (described, path), *_ = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", PAGES[name])
    assert path == f"pictures/{name}.svg" and len(described) > 80
    text = (FOLDER / path).read_text(encoding="utf8")
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()}
    assert {"svg", "title", "desc", "rect", "path"} <= tags
    assert not tags & {"script", "image", "style", "foreignObject"} and "href" not in text
    assert len(text) < 20_000


def test_pictures_are_all_shown():
    assert {path.stem for path in (FOLDER / "pictures").iterdir()} == set(PICTURED)


@pytest.mark.parametrize("name", PAGES)
def test_commands_and_python_name_what_exists(name):
    for line in filter(None, blocks("console", PAGES[name]).splitlines()):
        program, command, *rest = shlex.split(line)
        assert program == "selftime" and command in {"pretrain", "race"}
        given = dict(itertools.pairwise(rest))
        named = [given.get("--objective", "spectral"), *given.get("--objectives", "cpc").split(",")]
        assert all(terms_in(part) for part in named), line
        assert given.get("--encoder", "first/model") in {"first/model", *BUILDERS}, line
        assert "--out" in given, line
    python = blocks("python", PAGES[name])
    compile(python, name, "exec")
    for named in re.findall(r'objective="([^"]+)"', python):
        assert terms_in(named)
    assert set(re.findall(r'encoder="([^"]+)"', python)) <= set(BUILDERS)


def test_a_table_shows_the_best_first_and_references_last():
    lines = benchmark_table("contrastive", FIGURES).strip().splitlines()
    assert lines[0] == (
        "| objective | on | rank | 1 label per class | all labels | gain over untrained | step |"
    )
    assert lines[2:] == [
        "| `ts2vec` | gru | 1 of 3 | 71.3 | 95.0 | – | – |",
        "| `simclr` | – | 2 of 3 | 71.3 | 95.0 | +1.3 / −1.0 | 1.5× |",
        "| *untrained* | – | – | 70.0 | 96.0 | – | – |",
        "",
        "Of two sets.",
    ]
    assert benchmark_table("all", FIGURES).count("\n| `") == 3
    assert NOTHING in benchmark_table("masked", FIGURES) and NOTHING in benchmark_table(
        "encoder", FIGURES
    )


def test_only_what_stands_between_the_marks_is_made_anew():
    page = "a\n<!-- measured: all -->\nold\n<!-- end -->\nb\n"
    made = with_tables(page, FIGURES)
    assert made.startswith("a\n<!-- measured: all -->\n") and made.endswith("<!-- end -->\nb\n")
    assert "old" not in made and with_tables(made, FIGURES) == made
    with pytest.raises(ValueError, match="got a table of 'others', wanted one of all, contrastive"):
        with_tables("<!-- measured: others -->\n<!-- end -->", FIGURES)


def kept_of(accuracy: float, seeds: str = "01") -> dict:
    """A row of the results, the same at every number of labels but for the seed."""
    labels = ("1 label per class", "5 labels per class", "all labels")
    return {
        k: {"accuracy": {b: accuracy + 0.02 * int(k) for b in labels}, "criteria": {}}
        for k in seeds
    }


@pytest.mark.slow
def test_publish_writes_means_over_sets_and_seeds(tmp_path, monkeypatch):
    pytest.importorskip("aeon")
    monkeypatch.syspath_prepend(str(ROOT))
    publish = importlib.import_module("benchmarks.publish")
    rows = {"untrained": 0.5, "simclr": 0.6, "spectral": 0.7, "untrained @ causal": 0.4}
    rows |= {"next_step": 0.3, "simclr @ gru": 0.6, "untrained @ gru": 0.5, "mae + cpc": 0.6}
    one = {row: kept_of(value) for row, value in rows.items()} | {"mae @ transformer": kept_of(0.9)}
    two = {row: kept_of(value + 0.1) for row, value in rows.items()} | {"MiniRocket + ridge": {}}
    text = json.dumps({"steps": 7, "draws": 5, "sets": {"CBF": one, "ERing": two}})
    (tmp_path / "roster.json").write_text(text)
    (tmp_path / "speed.json").write_text('{"seconds": {"simclr": 0.03, "next_step": 0.02}}')
    (tmp_path / "page.md").write_text("<!-- measured: pretext -->\n<!-- end -->\n")
    options = {"roster": "roster.json", "speed": "speed.json", "measured": "m.json", "pages": ""}
    given = [f"--{name}={tmp_path / path}" for name, path in options.items()]
    monkeypatch.setattr(sys, "argv", ["publish", *given])
    publish.main()
    made = json.loads((tmp_path / "m.json").read_text())
    assert list(made["objective"]) == ["spectral", "simclr", "next_step"]  # mae lacks a set
    simclr = made["objective"]["simclr"]
    assert simclr["rank"] == 2 and simclr["among"] == 3 and simclr["step"] == 1.5
    assert simclr["accuracy"]["all labels"] == 66.0 and simclr["gain"]["all labels"] == 10.0
    assert made["objective"]["next_step"]["gain"]["all labels"] == -10.0
    assert made["objective"]["spectral"]["gain"] == {}
    assert [row["encoder"] for row in made["objective"].values()] == [
        *("rocket", "dilated", "dilated_causal")
    ]
    assert list(made["encoder"]) == ["dilated", "gru"] and list(made["combined"]) == ["mae + cpc"]
    assert list(made["reference"]["objective"].values())[0]["all labels"] == 56.0
    told = made["about"]["objective"]
    assert "1 UCR set (CBF) and 1 UEA set (ERing)" in told and "seeds 0, 1" in told
    assert "7 steps" in told and "standard error over seeds is 1.0 / 1.0 / 1.0" in told
    assert "−10.0" in (tmp_path / "page.md").read_text()
