"""What ``selftime report`` prints of a folder: every figure that its page shows."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from selftime.report.calibration import calibration_picture, metric_rows
from selftime.report.confusion import frequent_mistakes
from selftime.report.judged import evaluation_lead
from selftime.report.mistakes import mistake_row
from selftime.report.progress import value_at, metric_names
from selftime.report.results import accuracy_rows, gain_rows
from selftime.report.strategies import Strategies, strategy_table
from selftime.tasks.compare import Comparison, labels_in_words
from selftime.tasks.evaluation import Evaluation

_TextRows = Sequence[Sequence[str]]


def plain_table(head: Sequence[str], rows: _TextRows) -> Table:
    """A plain table; all but its first column to the right."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for k, name in enumerate(head):
        table.add_column(name, justify="right" if k else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def evaluation_tables(found: Evaluation) -> list[Any]:
    """Figures, bins of confidence, confusion and mistakes."""
    picture = calibration_picture(found)
    names = found.classes.tolist()
    confusion = [
        [n, *map(str, row)] for n, row in zip(names, found.confusion.tolist(), strict=True)
    ]
    head = ("series", "is", "was given", "sure", "most alike of that class", "of its own class")
    return [
        evaluation_lead(found),
        plain_table(("figure", "value", ""), metric_rows(found)),
        picture.sentence,
        plain_table(("confidence", "series", "mean confidence", "right"), picture.table),
        *frequent_mistakes(found),
        plain_table(("true class / given", *names), confusion),
        *([plain_table(head, [mistake_row(it) for it in found.mistakes])] if found.mistakes else []),
    ]


def comparison_tables(comparison: Comparison) -> list[Any]:
    """Accuracies and gains with their intervals, and the verdict."""
    heads = [f"{labels_in_words(b)} ({comparison.n_labels[b]:,})" for b in comparison.labels_per_class]
    parts = {"test series right": accuracy_rows(comparison), "ahead of": gain_rows(comparison)}
    tables = [
        plain_table((name, *heads), [(row, *(cell.text for cell in cells)) for row, cells in found])
        for name, found in parts.items()
    ]
    return [*tables, *comparison.verdict()]


def strategies_table(strategies: Strategies) -> Table:
    """Accuracy by strategy and number of labels."""
    it = strategy_table(strategies)
    rows = [(name, *(cell.text for cell in cells)) for name, cells in it.rows]
    return plain_table(("strategy", *it.head), rows)


def metrics_table(metrics: Sequence[Mapping[str, Any]]) -> Table:
    """Loss and monitors at the first and the last step at which each was measured."""
    places = [("loss",), *(("monitors", name) for name in metric_names(metrics, "monitors"))]
    rows = []
    for place in places:
        there = [r for r in metrics if value_at(r, *place) is not None]
        ends = [f"{value_at(r, *place):.6g} (step {r['step']})" for r in (there[:1] + there[-1:])]
        rows.append((place[-1], *(ends or ("", ""))))
    return plain_table(("measured while learning", "first", "last"), rows)


def finishes_table(finishes: Sequence[Mapping[str, Any]]) -> Table:
    """How every contender of a race came in, the best first."""
    rows = [
        (
            str(it["name"]),
            "" if it["probe"] is None else f"{100 * it['probe']:.1f} %",
            str(it["failure"] or "") if it["criterion"] is None else f"{it['criterion']:.3f}",
            f"{it['seconds']:.1f} s",
        )
        for it in finishes
    ]
    return plain_table(("contender", "probe", "views agree", "learned for"), rows)
