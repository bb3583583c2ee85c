"""Tables for a terminal: comparisons, methods, suggestions and every figure of a folder."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from selftime.data.labels import labelled_part
from selftime.data.series import SeriesSet
from selftime.engine.graphs import Exported
from selftime.report.methods import BenchmarkResult, Method
from selftime.report.page.calibration import calibration_picture, metric_rows
from selftime.report.page.confusion import frequent_mistakes
from selftime.report.page.evaluation import evaluation_lead, mistake_row
from selftime.report.page.progress import metric_names, value_at
from selftime.report.page.results import (
    Strategies,
    accuracy_rows,
    gain_rows,
    label_heads,
    strategy_table,
)
from selftime.tasks.comparison.compare import UNTRAINED, Comparison, labels_in_words
from selftime.tasks.evaluation.evaluation import Evaluation
from selftime.tasks.forecasting.backtest import Backtest
from selftime.tasks.forecasting.calibration import Calibration
from selftime.tasks.search.hits import SearchHits
from selftime.tasks.selection.pick import PickResult
from selftime.tasks.selection.suggest import Suggestions
from selftime.tasks.transfer.choose import FEW, MANY, Advice
from selftime.tasks.transfer.strategies import STRATEGIES


def comparison_table(comparison: Comparison) -> Table:
    """Show the accuracy of every row by number of labels, and the gain of self-supervision."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("test series right")
    for shots in comparison.labels_per_class:
        table.add_column(labels_in_words(shots), justify="right")
    for k, name in enumerate(comparison.names):
        cells = [f"{100 * comparison.accuracy(name, b):.1f} %" for b in comparison.labels_per_class]
        table.add_row(name, *cells, style="bold" if k == 0 else None)
    if UNTRAINED in comparison.names:
        gains = [str(comparison.gain(UNTRAINED, shots)) for shots in comparison.labels_per_class]
        table.add_section()
        table.add_row("points from learning", *gains)
    return table


def latency_table(made: Exported) -> Table:
    """Show what each runtime takes, by series at a time."""
    times = {(runtime, batch): ms for runtime, batch, ms in made.latency}
    batches = dict.fromkeys(batch for _, batch, _ in made.latency)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("milliseconds")
    for batch in batches:
        table.add_column(f"{batch} series", justify="right")
    for runtime in dict.fromkeys(runtime for runtime, _, _ in made.latency):
        table.add_row(runtime, *(f"{times[runtime, batch]:.2f}" for batch in batches))
    return table


def methods_table(known: Sequence[Method], kind: str) -> Table:
    """List every method of a kind: its use, papers, cost and benchmark results."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in (kind, "family", "suits", "paper"):
        table.add_column(name, style="bold" if name == kind else None)
    for name in ("rank", "1 label", "all", "step"):
        table.add_column(name, justify="right")
    family = ""
    for method in (m for m in known if m.kind == kind):
        shown = "" if method.family == family else method.family
        family = method.family
        suits = Text(method.suits or method.about)
        paper = "; ".join(method.papers[:1])
        table.add_row(method.name, shown, suits, paper, *figures_of(method.measured))
    return table


def figures_of(measured: BenchmarkResult | None) -> tuple[str, str, str, str]:
    """Write rank, accuracy at one label and at all, and the cost of a step."""
    if measured is None:
        return "", "", "", ""
    first, *_, last = measured.accuracy.values()
    step = "" if measured.step is None else f"{measured.step:.1f}x"
    return str(measured.rank), f"{first:.1f}", f"{last:.1f}", step


def advice_of(advice: Advice, series: SeriesSet) -> tuple[dict[str, Any], list[str]]:
    """Return advice for labelled series as plain values, and as lines.

    Raises:
        SeriesError: the series have no labels.
    """
    labels = np.asarray(labelled_part(series, "the data").labels)
    names, counts = np.unique(labels.astype(str), return_counts=True)
    fewest = f"{counts.min()} ({names[counts.argmin()]})"
    result = {
        "labels": advice.labels,
        "classes": len(names),
        "fewest of a class": int(counts.min()),
        "strategy": advice.strategy,
        "race": list(advice.contenders) if len(advice.contenders) > 1 else [],
        "why": advice.why,
    }
    lines = [
        f"{advice.labels:,} labelled series of {len(names)} classes, the fewest of one: {fewest}.",
        f"Use '{advice.strategy}': {STRATEGIES[advice.strategy]}.",
        f"Why: {advice.why}.",
        f"Rule of thumb: below {FEW:,} labels probe, to {MANY:,} partial, above full.",
    ]
    return result, lines


def picked_table(made: PickResult) -> Table:
    """Return the leave-one-out error of labelled series by layer and pooling."""
    columns = list(dict.fromkeys(one.pooling for one in sorted(made.candidates)))
    found = {
        (one.layer, one.pooling): f"{100 * one.wrong / made.judged:.1f} %"
        for one in made.candidates
    }
    rows = [
        (f"layer {layer}", *(found.get((layer, name), "") for name in columns))
        for layer in range(made.layers)
    ]
    return plain_table(("wrong when left out", *columns), rows)


def backtest_table(found: Backtest) -> Table:
    """Return the mean squared error of every row and horizon; absolute error in brackets."""
    table = Table("", *map(str, found.errors), title="MSE (MAE) of standardised values")
    for name, errors in {"selftime": found.errors, **found.references}.items():
        table.add_row(name, *(f"{e.mse:.3f} ({e.mae:.3f})" for e in errors.values()))
    table.add_section()
    for share in (0.8, 0.95):
        coverage = [coverage_in_words(one, share) for one in found.calibrations.values()]
        table.add_row(f"held in intervals of {100 * share:.0f} %", *coverage)
    return table


def coverage_in_words(one: Calibration, share: float) -> str:
    """Write the coverage of an interval with its standard error where known: ``79.5 ± 1.2 %``."""
    error = one.errors.get(share, math.nan)
    margin = "" if math.isnan(error) else f" ± {100 * error:.1f}"
    return f"{100 * one.coverage[share]:.1f}{margin} %"


def suggestions_table(found: Suggestions) -> Table:
    """List the series to label, the most useful first."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("", justify="right")
    table.add_column("series", style="bold")
    table.add_column("why")
    for k, (name, reason) in enumerate(zip(found.ids, found.reasons, strict=True), start=1):
        table.add_row(str(k), str(name), reason)
    return table


_TextRows = Sequence[Sequence[str]]


def hits_table(found: SearchHits) -> Table:
    """List the hits of every query, nearest first."""
    hits = [
        {name: cell for name, cell in hit.items() if name != "distance"}
        | {"similarity": f"{hit['similarity']:.3f}"}
        for hit in found.to_dict()["hits"]
    ]
    head = tuple(hits[0]) if hits else ("query", "rank", "similarity")
    return plain_table(head, [["" if v is None else str(v) for v in hit.values()] for hit in hits])


def plain_table(head: Sequence[str], rows: _TextRows) -> Table:
    """Make a plain table; all but its first column are aligned to the right."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for k, name in enumerate(head):
        table.add_column(name, justify="right" if k else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def evaluation_tables(found: Evaluation) -> list[Any]:
    """Show figures, bins of confidence, confusion and mistakes."""
    picture = calibration_picture(found)
    names = found.classes.tolist()
    counts = zip(names, found.confusion.tolist(), strict=True)
    head = ("series", "is", "was given", "confidence", "most similar of that class", "of its own")
    mistakes = [plain_table(head, [mistake_row(it) for it in found.mistakes])]
    return [
        evaluation_lead(found),
        plain_table(("figure", "value", ""), metric_rows(found)),
        picture.sentence,
        plain_table(("confidence", "series", "mean confidence", "right"), picture.table),
        *frequent_mistakes(found),
        plain_table(("true class / given", *names), [[n, *map(str, row)] for n, row in counts]),
        *(mistakes if found.mistakes else []),
    ]


def comparison_tables(comparison: Comparison) -> list[Any]:
    """Show accuracies and gains with their intervals, and the verdict."""
    heads = label_heads(comparison)
    parts = {"test series right": accuracy_rows(comparison), "ahead of": gain_rows(comparison)}
    tables = [
        plain_table((name, *heads), [(row, *(cell.text for cell in cells)) for row, cells in found])
        for name, found in parts.items()
    ]
    return [*tables, *comparison.verdict()]


def strategies_table(strategies: Strategies) -> Table:
    """Show accuracy by strategy and number of labels."""
    it = strategy_table(strategies)
    rows = [(name, *(cell.text for cell in cells)) for name, cells in it.rows]
    return plain_table(("strategy", *it.head), rows)


def metrics_table(metrics: Sequence[Mapping[str, Any]]) -> Table:
    """Show loss and monitors at the first and the last step at which each was measured."""
    rows = []
    for keys in [("loss",), *(("monitors", name) for name in metric_names(metrics, "monitors"))]:
        found = [r for r in metrics if value_at(r, *keys) is not None]
        ends = [f"{value_at(r, *keys):.6g} (step {r['step']})" for r in (found[:1] + found[-1:])]
        rows.append((keys[-1], *(ends or ("", ""))))
    return plain_table(("measured while learning", "first", "last"), rows)


def finishes_table(finishes: Sequence[Mapping[str, Any]]) -> Table:
    """List the contenders of a race as its folder holds them, the best first."""
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
