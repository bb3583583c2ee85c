"""What was measured, as Markdown tables for the pages on methods (docs/methods)."""

import re
from collections.abc import Mapping
from typing import Any

from selftime.objectives.base import FAMILIES
from selftime.objectives.registry import OBJECTIVES
from selftime.report.methods import BenchmarkResult

MARKED = re.compile(r"<!-- measured: ([\w ]+) -->\n.*?<!-- end -->", re.DOTALL)
KINDS = ("objective", "encoder", "combined")
"""What stands beside its own kind in a table: objectives, encoders, sums of objectives."""
SUBJECTS = ("all", *FAMILIES, "encoder", "combined")
"""What a table can be about: all objectives, those of a family, encoders, sums of objectives."""
NOTHING = "Not measured yet: `python -m benchmarks.publish` writes the table here."
NONE = "–"


def with_tables(page: str, content: Mapping[str, Any]) -> str:
    """The page with every table between ``<!-- measured: … -->`` and ``<!-- end -->`` made anew.

    Args:
        page: Markdown.
        content: of ``measured.json`` (:func:`selftime.report.methods.benchmark_results`).

    Raises:
        ValueError: a table about something that is not in :data:`SUBJECTS`.
    """
    return MARKED.sub(
        lambda found: (
            f"<!-- measured: {found[1]} -->\n{benchmark_table(found[1], content)}<!-- end -->"
        ),
        page,
    )


def benchmark_table(subject: str, content: Mapping[str, Any]) -> str:
    """The rows of a subject, the best first, references at the bottom, and what they are means of.

    Raises:
        ValueError: another subject than those in :data:`SUBJECTS`.
    """
    if subject not in SUBJECTS:
        raise ValueError(f"got a table of {subject!r}, wanted one of {', '.join(SUBJECTS)}")
    kind = subject if subject in KINDS else "objective"
    rows = {name: BenchmarkResult(**row) for name, row in content.get(kind, {}).items()}
    shown = {name: row for name, row in rows.items() if belongs(name, subject)}
    if not shown:
        return f"\n{NOTHING}\n\n"
    labels = list(next(iter(shown.values())).accuracy)
    lines = [*_table_head(kind, labels), *map(_table_row, *zip(*_ranked_rows(shown), strict=True))]
    beside = content["reference"][kind]
    gap = [NONE] if kind == "encoder" else [NONE, NONE]
    lines += [cells(f"*{name}*", *gap, *points(row), NONE, NONE) for name, row in beside.items()]
    about = content["about"][kind]
    return "\n" + "\n".join(lines) + f"\n\n{about}\n\n"


def belongs(name: str, subject: str) -> bool:
    """Whether a row is of the subject."""
    return subject not in FAMILIES or (name in OBJECTIVES and OBJECTIVES[name].family == subject)


def _ranked_rows(rows: Mapping[str, BenchmarkResult]) -> list[tuple[str, BenchmarkResult]]:
    """Rows with their names, the best first."""
    return sorted(rows.items(), key=lambda item: item[1].rank)


def _table_head(kind: str, labels: list[str]) -> list[str]:
    """The first two lines of a table."""
    first = [kind if kind != "combined" else "sum", *([] if kind == "encoder" else ["on"])]
    names = [*first, "rank", *labels, "gain over untrained", "step"]
    return [cells(*names), cells("---", *["---:"] * (len(names) - 1))]


def _table_row(name: str, row: BenchmarkResult) -> str:
    """One method."""
    gain = " / ".join(f"{value:+.1f}".replace("-", "−") for value in row.gain.values())
    step = NONE if row.step is None else f"{row.step:.1f}×"
    first = [f"`{name}`"] if name == row.encoder else [f"`{name}`", row.encoder or NONE]
    place = f"{row.rank} of {row.among}"
    return cells(*first, place, *points(row.accuracy), gain or NONE, step)


def points(accuracy: Mapping[str, float]) -> list[str]:
    """Accuracy in percent, by labels."""
    return [f"{value:.1f}" for value in accuracy.values()]


def cells(*texts: str) -> str:
    """A line of a table."""
    return f"| {' | '.join(texts)} |"
