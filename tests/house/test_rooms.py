"""The rooms of the house: how many, how large, what each is for; each rule catches its offence."""

import ast
import re
from pathlib import Path

import pytest
from house_package import (
    bare_participles,
    homes,
    is_bare_participle,
    satellites,
    two_homes_on_a_floor,
)

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "selftime"
FILES = sorted(SOURCE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf8")) for path in FILES}
COMMANDS = [
    "advise",
    "backtest",
    "classify",
    "cluster",
    "compare",
    "demo",
    "detect",
    "embed",
    "export",
    "forecast",
    "impute",
    "index",
    "inspect",
    "methods",
    "pack",
    "pick",
    "predict",
    "pretrain",
    "race",
    "report",
    "search",
    "serve",
    "states",
    "studio",
    "suggest",
    "watch",
]
SHARED = ("__init__", "app", "files", "options", "terminal")


def told(complaints) -> str:
    """A clickable line for each complaint."""
    return "\n".join(f"{path.relative_to(ROOT)}:{line}: {text}" for path, line, text in complaints)


def lines_in(files) -> int:
    return sum(path.read_text(encoding="utf8").count("\n") for path in files)


def places(pattern: str) -> set[str]:
    """The source files in which a pattern occurs."""
    return {
        str(path.relative_to(SOURCE))
        for path in FILES
        if re.search(pattern, path.read_text(encoding="utf8"))
    }


def test_the_house_stays_small():
    assert len(FILES) <= 400
    assert lines_in(FILES) <= 62_800


def test_one_file_a_command():
    cli = {path.stem for path in (SOURCE / "cli").glob("*.py")}
    assert cli == {*COMMANDS, *SHARED}
    assert lines_in((SOURCE / "cli").glob("*.py")) < 2900


def test_commands_speak_the_public_door_and_the_report_alone():
    for path in (SOURCE / "cli").glob("*.py"):
        for node in ast.walk(TREES[path]):
            names = [alias.name for alias in getattr(node, "names", [])]
            if isinstance(node, ast.Import):
                asked = names
            elif isinstance(node, ast.ImportFrom):
                asked = [node.module or ""]
            else:
                continue
            own = [name for name in asked if name.split(".")[0] == "selftime"]
            good = all(
                re.match(r"selftime(\.(door|texts)|\.(cli|report)\b.*)?$", name) for name in own
            )
            assert good, f"{path.name}:{node.lineno}: imports {own}"


def test_few_public_names_have_two_homes():
    """But for commands, which are named as the functions that they call."""
    shared = {name: paths for name, paths in homes(TREES).items() if len(paths) > 1}
    shared = {name: paths for name, paths in shared.items() if name not in COMMANDS}
    listing = "\n".join(f"{n}: {sorted(p.stem for p in ps)}" for n, ps in sorted(shared.items()))
    assert len(shared) <= 50, listing


@pytest.mark.late
@pytest.mark.parametrize(
    "rule",
    [bare_participles, lambda trees: two_homes_on_a_floor(trees, SOURCE),
     lambda trees: satellites(trees, SOURCE)],
    ids=["bare_participles", "two_homes_on_a_floor", "satellites"],
)  # fmt: skip
def test_the_package_keeps(rule):
    assert not (broken := told(rule(TREES))), broken


def test_one_writer_moves_files_into_their_place():
    assert places(r"os\.replace\(|\.rename\(|\bmkdtemp\b|os\.rename\(") == {"data/files.py"}


def test_one_loop_advances_training():
    calls = [path for path in FILES for _ in re.finditer(r"\.advance\(\)", path.read_text("utf8"))]
    assert [str(path.relative_to(SOURCE)) for path in calls] == ["engine/training/loop.py"]


@pytest.mark.parametrize("name", ["drawn", "told", "trained_by", "laid_end_to_end", "_described"])
def test_a_bare_participle_is_known(name):
    assert is_bare_participle(name)


@pytest.mark.parametrize("name", ["embed", "seed_of", "draw", "hidden_patches", "scaled_values"])
def test_other_names_are_none(name):
    assert not is_bare_participle(name)


def test_a_participle_is_a_transform_or_an_offence():
    good = "def scaled(x: Batch) -> Batch: ...\ndef draw(x: Batch) -> int: ..."
    bad = "def told(x: int) -> str: ...\nclass A:\n    def judged(self, x: int) -> str: ..."
    assert not list(bare_participles({Path("a.py"): ast.parse(good)}))
    assert len(list(bare_participles({Path("a.py"): ast.parse(bad)}))) == 2


def test_two_homes_and_satellites_are_caught():
    root = Path("selftime")
    trees = {
        root / "tasks" / "a.py": ast.parse("def solve(): ..."),
        root / "tasks" / "b.py": ast.parse("from selftime.tasks.c import Two\ndef solve(): ..."),
        root / "tasks" / "c.py": ast.parse("class Two: ..."),
        root / "data" / "d.py": ast.parse("def solve(): ..."),
    }
    assert len(list(two_homes_on_a_floor(trees, root))) == 1
    assert [path.name for path, *_ in satellites(trees, root)] == ["c.py"]
