"""How many labels selftime saves on each open set, printed from the results of `few_labels.py`.

For each set: with so many labels per class it is as good as aeon's MiniRocket + ridge, and as
supervised from scratch, with how many? And over the sets: how far it is ahead of training from
scratch at each number of labels, on the draws that both saw.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.few_labels import AEON, BUDGETS, SCRATCH, lead
from selftime.tasks.comparison.compare import labels_in_words
from selftime.tasks.comparison.gain import Savings, savings

OURS = "selftime"


def saved(result: dict[str, Any], other: str) -> list[Savings]:
    """What each number of labels of one set is worth beside another row."""
    budgets = distinct(result)
    counts = [result["labels"][budget] for budget in budgets]
    ours, theirs = (
        [float(np.mean(result["accuracy"][row][budget])) for budget in budgets]
        for row in (OURS, other)
    )
    return savings(counts, ours, counts, theirs)


def distinct(result: dict[str, Any]) -> list[str]:
    """The budgets that come to more labels than the one before."""
    counts = result["labels"]
    order = [labels_in_words(budget) for budget in BUDGETS]
    return [
        b
        for a, b in zip([None, *order[:-1]], order, strict=True)
        if counts[b] > (counts[a] if a else 0)
    ]


def ahead(results: dict[str, dict[str, Any]], other: str, budget: str) -> dict[str, Any]:
    """Mean lead over another row at one budget, on the draws of labels that both saw."""
    points = []
    for result in results.values():
        theirs = result["accuracy"][other][budget]
        ours = result["accuracy"][OURS][budget][: len(theirs)]
        points.append(100 * (np.mean(ours) - np.mean(theirs)))
    return lead(np.array(points))


def printed(results: dict[str, dict[str, Any]], labels: int) -> str:
    """One line a set and row, then the lead at each budget."""
    lines = []
    for other in (AEON, SCRATCH):
        there = {n: r for n, r in results.items() if other in r["accuracy"]}
        for name, result in there.items():
            place = distinct(result).index(labels_in_words(labels))
            lines.append(f"{name:26s} {saved(result, other)[place].in_words(other)}")
        for budget in map(labels_in_words, BUDGETS if there else ()):
            cell = ahead(there, other, budget)
            lines.append(
                f"{budget:20s} {cell['gain']:+.1f} ± {cell['standard_error']:.1f} points ahead of "
                f"{other}, mean of {len(there)} sets ({cell['wins']} won, {cell['losses']} lost)"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.saved_labels", description=__doc__)
    parser.add_argument("--labels", type=int, default=5, choices=[b for b in BUDGETS if b])
    parser.add_argument(
        "--results", type=Path, default=Path(__file__).parent / "results/few_labels.json"
    )
    args = parser.parse_args()
    print(printed(json.loads(args.results.read_text())["sets"], args.labels))


if __name__ == "__main__":
    main()
