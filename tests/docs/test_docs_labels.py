"""What docs/labels.md says was measured is what the result files hold; what it names is there."""

import json
import re
from pathlib import Path

import pytest

from selftime.data import splits
from selftime.tasks.probing.heads import SEMI

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "labels.md").read_text(encoding="utf8")
RESULTS = ROOT / "benchmarks" / "results"
GROUPS = {"all": "all sets", "nothing chosen on": "sets on which nothing was chosen"}


def summary_of(name: str) -> dict:
    return json.loads((RESULTS / f"{name}.json").read_text())["summary"]


@pytest.mark.parametrize("shown, group", GROUPS.items())
def test_suggested_labels_are_as_measured(shown, group):
    for times, s in summary_of("suggest")[group].items():
        k = "K" if times == "1" else f"{times}K"
        ours, theirs = s["classes_found"]
        cells = [
            *(k, f"{s['sets']}, {shown}"),
            *(f"{100 * s['suggested']:.1f} %", f"{100 * s['random']:.1f} %"),
            f"{s['gain']:+.1f} ± {s['standard_error']:.1f}",
            f"{s['clearly_better']}, {s['clearly_worse']}",
            f"{100 * ours:.0f} % against {100 * theirs:.0f} %",
        ]
        assert f"| {' | '.join(cells)} |" in TEXT


@pytest.mark.parametrize("shown, group", GROUPS.items())
def test_heads_are_as_measured(shown, group):
    for head in SEMI:
        found = summary_of("semi")[group][head]
        cells = [
            f"{s['gain']:+.1f} ± {s['standard_error']:.1f} ({s['better']})" for s in found.values()
        ]
        assert f"| `{head}` | {found['1']['sets']}, {shown} | {' | '.join(cells)} |" in TEXT


def test_splits_that_are_named_are_there():
    named = re.findall(r"^\| `(\w+)\(", TEXT, re.MULTILINE)
    assert len(named) == 5
    assert all(hasattr(splits, name) for name in named)
