"""What the table of filling gaps says was measured is what the result file holds."""

import json
from pathlib import Path

from benchmarks.impute import table_of

ROOT = Path(__file__).parents[2]
FOUND = json.loads((ROOT / "benchmarks" / "results" / "impute.json").read_text())["sets"]


def test_errors_are_as_measured():
    page = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf8")
    for line in table_of(FOUND).splitlines():
        assert line in page
