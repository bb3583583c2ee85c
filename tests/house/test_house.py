"""The house rules hold for our own syntax trees, and each rule does catch its offence."""

import ast
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from house_classes import classes_of, settings_not_kept, too_deep
from house_rules import RULES, functions, lines_of

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "selftime"
FILES = sorted(SOURCE.rglob("*.py"))

OFFENCES = {
    "no_function_over_55_lines": ["def f():\n" + "    x = 1\n" * 60],
    "no_file_over_400_lines": ["x = 1\n" * 401],
    "docstrings_say_what_a_thing_does": [
        "'''What stands here.'''",
        "def f():\n    '''Whether it rains.'''",
        "class A:\n    '''How it goes.'''",
    ],
    "no_room_without_a_noun": [""],  # the offence is the path, see below
    "no_pickle": [
        "import pickle",
        "from joblib import dump",
        "import numpy as np\nnp.load(p, allow_pickle=True)",
        "np.load(p, allow_pickle=trusted)",
        "torch.load(p)",
        "torch.load(p, weights_only=False)",
        "pd.read_pickle(p)",
    ],
    "no_global_randomness": [
        "import random",
        "from random import choice",
        "np.random.seed(0)",
        "x = numpy.random.normal(size=3)",
        "torch.manual_seed(0)",
        "torch.cuda.manual_seed_all(0)",
        "torch.randn(3)",
        "torch.empty(3).normal_()",
    ],
    "no_double_star_arguments": ["def f(**settings): ..."],
    "no_import_inside_functions": [
        "def f():\n    import json",
        "def f():\n    from selftime.data import batch",
        "class A:\n    def f(self):\n        from . import batch",
    ],
    "no_postponed_annotations": [
        "from __future__ import annotations",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch",
    ],
    "numba_kernels_live_in_numba_modules": ["@njit\ndef f(): ...", "@numba.jit()\ndef f(): ..."],
    "public_things_have_docstrings": [
        "x = 1",
        "'''Text.'''\ndef f(): ...",
        "'''Text.'''\nclass A:\n    '''Text.'''\n    def f(self): ...",
    ],
}
INNOCENT = '''
"""Text."""
import numpy as np
import torch

rng = np.random.default_rng(0)
noise = torch.randn(3, generator=torch.Generator().manual_seed(0))
weights = torch.load("file", weights_only=True)
array = np.load("file", allow_pickle=False)

def public(*, size: int) -> int:
    """Text."""
    import matplotlib.pyplot as plt
    return _private(plt)

def _private(plt): ...
'''
CLASS_OFFENCES = [
    (too_deep, "generations", "class A: ...\nclass B(A): ...\nclass C(B): ..."),
    (settings_not_kept, "takes positions", "def __init__(self, a): self.a = a"),
    (settings_not_kept, "at most 6", "def __init__(self, *, a, b, c, d, e, f, g): ..."),
    (settings_not_kept, "does not keep its argument a", "def __init__(self, *, a): a.b = 1"),
]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf8"), str(path))


def all_classes() -> dict[str, ast.ClassDef]:
    return classes_of(map(tree_of, FILES))


def report_of(name: str, complaints) -> str:
    """One clickable line for each complaint about a class."""
    homes = {cls: path for path in FILES for cls in classes_of([tree_of(path)])}
    return "\n".join(
        f"{homes[node.name].relative_to(ROOT)}:{node.lineno}: {text}" for node, text in complaints
    )


@pytest.mark.late
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_all_files_keep(rule):
    broken = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in FILES
        for line, text in rule(tree_of(path), path.relative_to(ROOT))
    ]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("limit, share", [(10, 0.5), (30, 0.9)], ids=["median", "p90"])
def test_functions_are_short(limit, share):
    found = sorted(
        (lines_of(function), f"{path.relative_to(ROOT)}:{function.lineno}: {function.name}")
        for path in FILES
        for function in functions(tree_of(path))
    )
    lines, name = found[int(share * len(found))]
    longest = "\n".join(f"{name} has {lines} lines" for lines, name in found[:-11:-1])
    assert lines <= limit, f"{share:.0%} should have at most {limit} lines; longest:\n{longest}"


@pytest.mark.parametrize("rule", [too_deep, settings_not_kept], ids=lambda rule: rule.__name__)
def test_classes_keep(rule):
    homes = {name: path for path in FILES for name in classes_of([tree_of(path)])}
    broken = [
        f"{homes[node.name].relative_to(ROOT)}:{node.lineno}: {text}"
        for node, text in rule(classes_of(map(tree_of, FILES)))
    ]
    assert not broken, "\n".join(broken)


def test_every_class_has_its_own_name_on_its_floor():
    names = Counter(
        (path.relative_to(SOURCE).parts[0], name)
        for path in FILES
        for name in classes_of([tree_of(path)])
    )
    assert max(names.values()) == 1, names.most_common(3)


def test_imports_go_down_only():
    # in a process of its own: the linter configures logging for the whole process
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports as f; f()"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "Contracts: 4 kept, 0 broken" in found.stdout, found.stdout


@pytest.mark.parametrize(
    "rule, code",
    [(rule, code) for rule in RULES for code in OFFENCES[rule.__name__]],
    ids=lambda value: getattr(value, "__name__", "code"),
)
def test_file_rule_catches(rule, code):
    assert list(rule(ast.parse(code), Path("src/selftime/utils/thing.py")))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_file_rule_lets_good_code_pass(rule):
    assert not list(rule(ast.parse(INNOCENT), Path("src/selftime/data/thing.py")))


@pytest.mark.parametrize("door", ["__init__.py", "cli.py", "cli/pretrain.py"])
def test_front_doors_may_import_lazily(door):
    lazy = "def f():\n    from selftime.engine.model import load"
    rules = {rule.__name__: rule for rule in RULES}
    assert not list(rules["no_import_inside_functions"](ast.parse(lazy), Path(door)))


@pytest.mark.parametrize("rule, text, code", CLASS_OFFENCES)
def test_class_rule_catches(rule, text, code):
    if rule is settings_not_kept:
        code = f"class Encoder: ...\nclass Mean(base.Encoder):\n    {code}"
    assert text in "\n".join(found for _, found in rule(classes_of([ast.parse(code)])))


def test_dataclass_parts_are_keyword_only():
    code = "class ClosedForm: ...\n@dataclass(frozen=True)\nclass Sum(ClosedForm):\n    a: int"
    broken = [text for _, text in settings_not_kept(classes_of([ast.parse(code)]))]
    assert broken == ["Sum is a dataclass that takes positions: add kw_only=True"]
    good = code.replace("frozen=True", "frozen=True, kw_only=True")
    assert not list(settings_not_kept(classes_of([ast.parse(good)])))
