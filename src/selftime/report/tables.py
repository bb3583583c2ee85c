"""What commands print: a comparison, and the methods, as tables for a terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from selftime.report.methods import Method
from selftime.tasks.compare import UNTRAINED, Comparison, label_of


def comparison_table(comparison: Comparison) -> Table:
    """Accuracy of every row at every number of labels, and the gain of self-supervision."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("test series right")
    for budget in comparison.budgets:
        table.add_column(label_of(budget), justify="right")
    for k, name in enumerate(comparison.names):
        cells = [f"{100 * comparison.accuracy(name, b):.1f} %" for b in comparison.budgets]
        table.add_row(name, *cells, style="bold" if k == 0 else None)
    if UNTRAINED in comparison.names:
        gains = [str(comparison.gain(UNTRAINED, budget)) for budget in comparison.budgets]
        table.add_section()
        table.add_row("points from learning", *gains)
    return table


def methods_table(known: Sequence[Method]) -> Table:
    """Every method with its line and its papers."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("kind", "name", "what it is", "papers"):
        table.add_column(name, style="bold" if name == "name" else None)
    for method in known:
        table.add_row(method.kind, method.name, Text(method.about), "; ".join(method.papers))
    return table
