"""Ways of using a model, by how many labels there are: accuracy with its interval."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from selftime.report.curves import mean_interval
from selftime.report.results import Cell
from selftime.tasks.compare import Comparison
from selftime.tasks.gain import Hits
from selftime.tasks.strategy_rows import is_strategy, strategy_in

Measure = Sequence[float | int]
"""Accuracy and the ends of its interval, each 0 to 1."""
Strategies = Mapping[str, Mapping[int | str, Measure]]
"""By strategy, then by number of labels or what they are called."""


class StrategyTable(NamedTuple):
    """The table, ready to be drawn.

    Attributes:
        head: numbers of labels.
        rows: strategies with their figures; the best of each column stands out.
        sentences: which strategy is best, for each number of labels.
    """

    head: list[str]
    rows: list[tuple[str, list[Cell]]]
    sentences: list[str]


def strategy_table(strategies: Strategies) -> StrategyTable:
    """Accuracy and interval by strategy and number of labels; what was not measured stays empty.

    Raises:
        ValueError: an accuracy outside its interval, or an interval outside 0 to 1.
    """
    strategies = {name: with_numbers(row) for name, row in strategies.items()}
    counts = list(dict.fromkeys(count for row in strategies.values() for count in row))
    counts.sort(key=lambda count: (isinstance(count, str), count if isinstance(count, int) else 0))
    best = {
        count: max(row[count][0] for row in strategies.values() if count in row) for count in counts
    }
    return StrategyTable(
        head=[_label_count_text(count) for count in counts],
        rows=[
            (name, [cell_of(row.get(count), best[count]) for count in counts])
            for name, row in strategies.items()
        ],
        sentences=[_strategy_sentence(strategies, count, best[count]) for count in counts],
    )


def strategies_of(comparison: Comparison) -> dict[str, dict[int | str, list[float]]]:
    """Ways of using the model that were compared, with 95 % intervals over draws; maybe none.

    The model's own row is the probe. A single draw has no interval of its own.
    """
    names = [name for name in comparison.names if is_strategy(name)]
    rows = {"probe": comparison.names[0], **{strategy_in(name): name for name in names}}
    return {
        strategy: {
            comparison.n_labels[shots]: measure_of(comparison.hits[name][shots])
            for shots in comparison.labels_per_class
        }
        for strategy, name in (rows if names else {}).items()
    }


def measure_of(hits: Hits) -> list[float]:
    """Accuracy and the ends of its interval, 0 to 1."""
    mean, half = mean_interval(hits)
    return [value / 100 for value in (mean, max(mean - half, 0.0), min(mean + half, 100.0))]


def with_numbers(row: Mapping[int | str, Measure]) -> dict[int | str, Measure]:
    """The same row with whole numbers as such, which JSON makes text of."""
    return {int(count) if str(count).isdecimal() else count: it for count, it in row.items()}


def _label_count_text(count: int | str) -> str:
    """A number of labels as printed; words stay as they are."""
    if isinstance(count, str):
        return count
    return f"{count:,} label{'' if count == 1 else 's'}"


def cell_of(measured: Measure | None, best: float | int) -> Cell:
    """A figure with its interval."""
    if measured is None:
        return Cell("", False)
    share, low, high = measured
    if not 0 <= low <= share <= high <= 1:
        raise ValueError(
            f"got accuracy {share} with interval {low} to {high}, wanted shares of 1 in order: "
            "accuracy, lower end, upper end"
        )
    return Cell(f"{100 * share:.1f} % ({100 * low:.1f} to {100 * high:.1f})", share == best)


def _strategy_sentence(strategies: Strategies, count: int | str, best: float | int) -> str:
    """Which strategy is best, and which others cannot be told from it."""
    first = next(n for n, row in strategies.items() if count in row and row[count][0] == best)
    low = strategies[first][count][1]
    near = [
        name
        for name, row in strategies.items()
        if name != first and count in row and row[count][2] >= low
    ]
    rest = f"; the intervals of {', '.join(near)} meet its own" if near else ""
    return f"With {_label_count_text(count)}: {first}, {100 * best:.1f} % right{rest}."
