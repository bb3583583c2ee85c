"""What commands print: a comparison, and the methods, as tables for a terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from selftime.report.measured import Measured
from selftime.report.methods import Method
from selftime.tasks.compare import UNTRAINED, Comparison, label_of
from selftime.tasks.race import Race
from selftime.tasks.standing import CRITERION


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


def methods_table(known: Sequence[Method], kind: str) -> Table:
    """Every method of a kind: when to take it, its papers, what it costs and how it did."""
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


def figures_of(measured: Measured | None) -> tuple[str, str, str, str]:
    """Rank, accuracy at one label and at all, and the cost of a step, as printed."""
    if measured is None:
        return "", "", "", ""
    first, *_, last = measured.accuracy.values()
    step = "" if measured.step is None else f"{measured.step:.1f}x"
    return str(measured.rank), f"{first:.1f}", f"{last:.1f}", step


def race_table(race: Race) -> Table:
    """How every contender came in, the best first."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("contender", "probe", f"{CRITERION} agree", "learned for"):
        table.add_column(name, justify="left" if name == "contender" else "right")
    for k, finish in enumerate(race.finishes):
        cells = [
            "" if finish.probe is None else f"{finish.probe:.1%}",
            finish.failure or f"{finish.criterion:.3f}",
            f"{finish.seconds:.1f} s",
        ]
        table.add_row(finish.name, *cells, style="bold" if k == 0 else None)
    return table
