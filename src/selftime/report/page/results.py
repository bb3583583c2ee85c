"""What a comparison says: as a chart, as tables and as Markdown; ways of using a model beside each other."""

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
from selftime.report.pictures.curves import mean_interval
from selftime.report.pictures.palette import space_labels
from selftime.tasks.comparison.compare import Comparison, labels_in_words
from selftime.tasks.comparison.gain import Hits
from selftime.tasks.comparison.rows import is_strategy, strategy_in

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
    """A row of the chart.

    Attributes:
        name: of the row.
        kind: its look, a class of the style sheet.
        path: through its means.
        bars: its intervals, side by side; of the model, all in one as an area.
        dots: at its means.
        tie: from its name to where the curve starts.
        height: of its name, percent from the bottom.
    """

    name: str
    kind: str
    path: str
    bars: str
    dots: str
    tie: str
    height: float


@dataclass(frozen=True, kw_only=True)
class Results:
    """A comparison, ready to be drawn.

    Attributes:
        caption: how it was measured.
        marks: numbers of labels, the fewest first, with their places.
        curves: one a row, the model first.
        height: of the chart, against that for :data:`FEW_ROWS` rows.
        up: marks of the vertical axis.
        values: the model's figures with their places, percent from the left and the bottom.
        rows: the table of accuracies.
        gains: the table of gains over each other row.
        verdict: a sentence for each number of labels.
    """

    caption: str
    marks: list[LabelsMark]
    curves: list[Curve]
    height: float
    up: list[Tick]
    values: list[tuple[float, float, str]]
    rows: list[tuple[str, list[Cell]]]
    gains: list[tuple[str, list[Cell]]]
    verdict: list[str]


def results(comparison: Comparison) -> Results:
    """Everything the page shows of a comparison."""
    comparison = sorted_by_labels(comparison)
    measured = np.array(
        [_accuracy_intervals(comparison, name) for name in comparison.names]
    )  # (K,2,n)
    mean, half = measured[:, 0], measured[:, 1]
    up, marks = percent_axis(mean - half, mean + half), label_count_ticks(comparison)
    x, y = np.array([mark.at for mark in marks]), up.shares(mean)
    tall = max(1.0, len(mean) / FEW_ROWS)
    heights = space_labels(y[:, 0], NAME_HEIGHT / tall)
    ends = up.shares(np.stack([mean - half, mean + half], axis=1))  # (K,2,n)
    return Results(
        caption=caption(comparison),
        marks=marks,
        curves=[
            curve(
                name,
                k,
                x + k * _BAR_OFFSET * min(1, 4 / len(mean)),
                y[k],
                ends[k],
                float(heights[k]),
            )
            for k, name in enumerate(comparison.names)
        ],
        height=round(tall, 3),
        up=up.ticks(),
        values=[
            (percent(a), percent(b), f"{value:.1f} %")
            for a, b, value, room in zip(
                x, y[0], mean[0], select_marks(x, _MODEL_VALUE_WIDTH), strict=True
            )
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
    """Row ``k`` of the chart; all places are shares of it."""
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
    """Classes of the style sheet for row ``k``: after four colours come dashes in the same ones."""
    if k == 0:
        return "strong"
    return f"m{(k - 1) % 4}" + (f" dash{((k - 1) // 4 - 1) % 3}" if k > 4 else "")


def _accuracy_intervals(comparison: Comparison, name: str) -> tuple[list[float], list[float]]:
    """Mean accuracy of a row in percent at each number of labels, and half of its interval."""
    both = [mean_interval(comparison.hits[name][shots]) for shots in comparison.labels_per_class]
    return [mean for mean, _ in both], [half for _, half in both]


def percent_axis(low: Float[np.ndarray, "K n"], high: Float[np.ndarray, "K n"]) -> Axis:
    """Percents: room for all intervals, but none below 0 and hardly any above 100."""
    least, most = max(float(low.min()), 0.0), min(float(high.max()), 100.0)
    room = 0.08 * (most - least) or 1.0
    return Axis(max(least - room, 0.0), min(most + room, 101.0))


def percent(share: float) -> float:
    """A share as a percent, rounded."""
    return round(100 * float(share), 2)


def caption(comparison: Comparison) -> str:
    """How the figures were measured."""
    hits = comparison.hits[comparison.names[0]]
    draws = max(len(hits[shots]) for shots in comparison.labels_per_class)
    cases = hits[comparison.labels_per_class[0]].shape[1]
    drawn = f"mean of {draws} draws of labels, with 95 % intervals" if draws > 1 else "one draw"
    return f"Share of {cases:,} test series classified right; {drawn}."


def accuracy_rows(comparison: Comparison) -> list[tuple[str, list[Cell]]]:
    """Every row with its accuracy and interval; the best of each column stands out."""
    best = {
        b: max(comparison.accuracy(n, b) for n in comparison.names)
        for b in comparison.labels_per_class
    }
    return [
        (
            name,
            [
                Cell(
                    with_margin(*mean_interval(comparison.hits[name][b])),
                    comparison.accuracy(name, b) == best[b],
                )
                for b in comparison.labels_per_class
            ],
        )
        for name in comparison.names
    ]


def with_margin(mean: float, half: float) -> str:
    """A percentage and half the width of its interval, if there is one."""
    return f"{mean:.1f} ± {half:.1f} %" if half else f"{mean:.1f} %"


def gain_rows(comparison: Comparison) -> list[tuple[str, list[Cell]]]:
    """Points that the model is ahead of each other row; clear differences stand out."""
    gains = {
        name: [comparison.gain(name, shots) for shots in comparison.labels_per_class]
        for name in comparison.names[1:]
    }
    return [(name, [Cell(str(g), g.is_clear) for g in found]) for name, found in gains.items()]


def results_section(comparison: Comparison) -> str:
    """The figures of a comparison as a section of Markdown, for a model card."""
    own = comparison.names[0]
    heads = [
        f"{labels_in_words(b)} ({comparison.n_labels[b]:,})" for b in comparison.labels_per_class
    ]
    parts = [
        ["## Results", caption(comparison)],
        markdown_table(["test series right", *heads], accuracy_rows(comparison)),
        [f"Points by which {own} is ahead; in bold where the 95 % interval leaves out 0."],
        markdown_table([f"{own} against", *heads], gain_rows(comparison)),
        ["\n".join(f"- {sentence}" for sentence in comparison.verdict())],
    ]
    return "\n\n".join(text for part in parts for text in part) + "\n"


def markdown_table(head: list[str], rows: list[tuple[str, list[Cell]]]) -> list[str]:
    """A table whose strong cells are bold, as one block of lines."""
    cells = [
        [name, *(f"**{cell.text}**" if cell.strong else cell.text for cell in found)]
        for name, found in rows
    ]
    lines = [head, ["---", *(["---:"] * (len(head) - 1))], *cells]
    return ["\n".join(f"| {' | '.join(bar_safe(c) for c in line)} |" for line in lines)]


def bar_safe(text: str) -> str:
    """Text that does not end its cell."""
    return text.replace("|", "\\|")


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
