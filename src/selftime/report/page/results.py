"""A comparison as a chart, as tables and as Markdown; strategies of using a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.report.page.charts import (
    Axis,
    LabelsMark,
    Tick,
    label_count_ticks,
    select_marks,
    sorted_by_labels,
    svg_path,
)
from selftime.report.pictures.curves import mean_interval, measurement_note
from selftime.report.pictures.palette import space_labels
from selftime.tasks.comparison.compare import Comparison, labels_in_words
from selftime.tasks.comparison.gain import Hits
from selftime.tasks.comparison.rows import is_strategy, strategy_in
from selftime.texts import markdown_text

FEW_ROWS, NAME_HEIGHT = 12, 0.075
"""Rows that the chart is high enough for, and the share of its height that a name then takes."""
_BAR_OFFSET = 0.012
"""Rows stand side by side by this share of the width, so that their intervals can be told apart."""
_MODEL_VALUE_WIDTH = 0.09
"""Share of the width that a figure of the model takes."""


class Cell(NamedTuple):
    """A figure of a table, and whether it stands out."""

    text: str
    strong: bool


class Curve(NamedTuple):
    """A row of the chart."""

    name: str  # of the row
    kind: str  # its look, a class of the style sheet
    path: str  # through its means
    bars: str  # its intervals, side by side; of the model, all in one as an area
    dots: str  # at its means
    tie: str  # from its name to where the curve starts
    height: float  # of its name, percent from the bottom


@dataclass(frozen=True, kw_only=True)
class Results:
    """A comparison, ready to be drawn."""

    caption: str  # how it was measured
    marks: list[LabelsMark]  # numbers of labels, the fewest first, with their places
    curves: list[Curve]  # one a row, the model first
    height: float  # of the chart, against that for :data:`FEW_ROWS` rows
    up: list[Tick]  # marks of the vertical axis
    values: list[
        tuple[float, float, str]
    ]  # the model's figures, percent from the left and the bottom
    rows: list[tuple[str, list[Cell]]]  # the table of accuracies
    gains: list[tuple[str, list[Cell]]]  # the table of gains over each other row
    verdict: list[str]  # a sentence for each number of labels


def results(comparison: Comparison) -> Results:
    """Make everything the page shows of a comparison."""
    comparison = sorted_by_labels(comparison)
    intervals = [
        [mean_interval(comparison.hits[name][shots]) for shots in comparison.labels_per_class]
        for name in comparison.names
    ]
    mean, half = np.moveaxis(np.array(intervals), 2, 0)  # (K,n) each
    up, marks = percent_axis(mean - half, mean + half), label_count_ticks(comparison)
    x, y = np.array([mark.at for mark in marks]), up.shares(mean)
    tall, bar_offset = max(1.0, len(mean) / FEW_ROWS), _BAR_OFFSET * min(1, 4 / len(mean))
    heights = space_labels(y[:, 0], NAME_HEIGHT / tall)
    ends = up.shares(np.stack([mean - half, mean + half], axis=1))  # (K,2,n)
    written = select_marks(x, _MODEL_VALUE_WIDTH)
    return Results(
        caption=caption(comparison),
        marks=marks,
        curves=[
            curve(name, k, x + k * bar_offset, y[k], ends[k], float(heights[k]))
            for k, name in enumerate(comparison.names)
        ],
        height=round(tall, 3),
        up=up.ticks(),
        values=[
            (percent(a), percent(b), f"{value:.1f} %")
            for a, b, value, room in zip(x, y[0], mean[0], written, strict=True)
            if room
        ],
        rows=accuracy_rows(comparison),
        gains=gain_rows(comparison),
        verdict=comparison.verdict(),
    )


def curve(
    name: str,
    k: int,
    x: Float[np.ndarray, "n"],
    y: Float[np.ndarray, "n"],
    ends: Float[np.ndarray, "2 n"],
    height: float,
) -> Curve:
    """Draw row ``k`` of the chart; all places are shares of it."""
    bars = [svg_path(np.array([at, at]), ends[:, i]) for i, at in enumerate(x)]
    area = svg_path(np.concatenate([x, x[::-1]]), np.concatenate([ends[0], ends[1][::-1]]))
    return Curve(
        name=name,
        kind=row_style(k),
        path=svg_path(x, y),
        bars=area + "Z" if k == 0 else "".join(bars),
        dots="".join(svg_path(x[i : i + 1], y[i : i + 1]) for i in range(len(x))),
        tie=svg_path(np.array([0.0, x[0]]), np.array([height, y[0]])),
        height=percent(height),
    )


def row_style(k: int) -> str:
    """Style classes of row ``k``: four colours, then dashes in the same ones."""
    if k == 0:
        return "strong"
    return f"m{(k - 1) % 4}" + (f" dash{((k - 1) // 4 - 1) % 3}" if k > 4 else "")


def percent_axis(low: Float[np.ndarray, "K n"], high: Float[np.ndarray, "K n"]) -> Axis:
    """Make an axis of percents with room for all intervals, from 0 to hardly above 100."""
    least, most = max(float(low.min()), 0.0), min(float(high.max()), 100.0)
    room = 0.08 * (most - least) or 1.0
    return Axis(max(least - room, 0.0), min(most + room, 101.0))


def percent(share: float) -> float:
    """Return a share as a percent, rounded."""
    return round(100 * float(share), 2)


def caption(comparison: Comparison) -> str:
    """Say in a sentence what the figures are."""
    note = measurement_note(comparison)
    return f"{note[0].upper()}{note[1:]}."


def accuracy_rows(comparison: Comparison) -> list[tuple[str, list[Cell]]]:
    """Return every row with its accuracy and interval; the best of each column stands out."""
    rows: dict[str, list[Cell]] = {name: [] for name in comparison.names}
    for shots in comparison.labels_per_class:
        best = max(comparison.accuracy(name, shots) for name in comparison.names)
        for name, cells in rows.items():
            mean, half = mean_interval(comparison.hits[name][shots])
            text = f"{mean:.1f} ± {half:.1f} %" if half else f"{mean:.1f} %"
            cells.append(Cell(text, comparison.accuracy(name, shots) == best))
    return list(rows.items())


def label_heads(comparison: Comparison) -> list[str]:
    """Heads of columns: labels per class, and labels in all."""
    every = comparison.labels_per_class
    return [f"{labels_in_words(shots)} ({comparison.n_labels[shots]:,})" for shots in every]


def gain_rows(comparison: Comparison) -> list[tuple[str, list[Cell]]]:
    """Return the model's gain over each other row in points; clear differences stand out."""
    gains = {
        name: [comparison.gain(name, shots) for shots in comparison.labels_per_class]
        for name in comparison.names[1:]
    }
    return [(name, [Cell(str(g), g.is_clear) for g in found]) for name, found in gains.items()]


def results_section(comparison: Comparison) -> str:
    """Write the figures of a comparison as a section of Markdown, for a model card."""
    names, heads = comparison.names, label_heads(comparison)
    own = markdown_text(names[0])
    parts = [
        ["## Results", markdown_text(caption(comparison))],
        markdown_table(["test series right", *heads], accuracy_rows(comparison)),
        [f"Points by which {own} is ahead; in bold where the 95 % interval leaves out 0."],
        markdown_table([f"{names[0]} against", *heads], gain_rows(comparison)),
        ["\n".join(f"- {markdown_text(sentence)}" for sentence in comparison.verdict())],
    ]
    return "\n\n".join(text for part in parts for text in part) + "\n"


def markdown_table(head: list[str], rows: list[tuple[str, list[Cell]]]) -> list[str]:
    """Write a table whose strong cells are bold, as one block of lines."""
    cells = [[markdown_text(name), *map(_markdown_cell, found)] for name, found in rows]
    heads = [markdown_text(name) for name in head]
    lines = [heads, ["---", *(["---:"] * (len(head) - 1))], *cells]
    return ["\n".join(f"| {' | '.join(line)} |" for line in lines)]


def _markdown_cell(cell: Cell) -> str:
    text = markdown_text(cell.text)
    return f"**{text}**" if cell.strong else text


Measure = Sequence[float | int]
"""Accuracy and the ends of its interval, each 0 to 1."""
Strategies = Mapping[str, Mapping[int | str, Measure]]
"""By strategy, then by number of labels or their name."""


class StrategyTable(NamedTuple):
    """Strategies beside each other, ready to be drawn."""

    head: list[str]  # numbers of labels
    rows: list[tuple[str, list[Cell]]]  # by strategy; the best of each column stands out
    sentences: list[str]  # the best strategy for each number of labels


def strategy_table(strategies: Strategies) -> StrategyTable:
    """Return accuracy and interval by strategy and number of labels; empty where not measured.

    Raises:
        ValueError: an accuracy outside its interval, or an interval outside 0 to 1.
    """
    strategies = {
        name: {int(n) if str(n).isdecimal() else n: cell for n, cell in row.items()}
        for name, row in strategies.items()
    }  # JSON makes text of numbers
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
    """Return the strategies that were compared, with 95 % intervals over draws; maybe none.

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
    """Return accuracy and the ends of its interval, 0 to 1."""
    mean, half = mean_interval(hits)
    return [value / 100 for value in (mean, max(mean - half, 0.0), min(mean + half, 100.0))]


def _label_count_text(count: int | str) -> str:
    return count if isinstance(count, str) else f"{count:,} label{'' if count == 1 else 's'}"


def cell_of(measured: Measure | None, best: float | int) -> Cell:
    """Write a figure with its interval."""
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
    """Name the best strategy, and those whose intervals meet its own."""
    first = next(n for n, row in strategies.items() if count in row and row[count][0] == best)
    low = strategies[first][count][1]
    near = [
        name
        for name, row in strategies.items()
        if name != first and count in row and row[count][2] >= low
    ]
    rest = f"; the intervals of {', '.join(near)} meet its own" if near else ""
    return f"With {_label_count_text(count)}: {first}, {100 * best:.1f} % right{rest}."
