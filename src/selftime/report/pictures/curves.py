"""The label-efficiency curve: accuracy of every row against the number of labels."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import t as student

from selftime.report.page.charts import label_count_ticks, select_marks, sorted_by_labels
from selftime.report.pictures.palette import (
    FAINT,
    MUTED,
    SOFT,
    STRONG,
    canvas,
    headline,
    space_labels,
)
from selftime.tasks.comparison.compare import Comparison

HEIGHT, AXES_HEIGHT, LABEL_HEIGHT = 4.6, 3.13, 0.175
"""Inches: of the picture and of its axes for a few rows, and of a line of text."""
DASHES = ("-", (0, (5, 2)), (0, (1, 2)), (0, (6, 2, 1, 2)))
"""After four colours they come again with another dash."""
VALUE_WIDTH, NAME_WIDTH = 0.1, 0.078
"""Shares of the width that a figure and the name of a number of labels take."""

VALUE_STYLE: Any = {
    **{"textcoords": "offset points", "ha": "center", "zorder": 6},
    **{"color": STRONG, "fontweight": "bold"},
}
"""Look of a figure over its point."""
TIE_STYLE: Any = {"arrowstyle": "-", "lw": 0.7, "relpos": (1, 0.5), "shrinkA": 0, "shrinkB": 4}
"""Look of the line from a name to its row."""


def label_efficiency(comparison: Comparison, *, title: str, subtitle: str = "") -> Figure:
    """Draw the accuracy of every row, with 95 % intervals over draws of labels.

    Equal factors of labels take equal space. Rows are named at the end of the fewest labels, where
    they differ most; the first row is the strong one. With many rows the picture grows.
    """
    comparison = sorted_by_labels(comparison)
    inches = max(AXES_HEIGHT, LABEL_HEIGHT * len(comparison.names))
    height = HEIGHT - AXES_HEIGHT + inches
    with canvas(8.0, height) as figure:
        axes = figure.add_axes((0.225, 0.8 / height, 0.69, inches / height))
        starts = [_draw_row(axes, comparison, k) for k in range(len(comparison.names))]
        _dress(axes, comparison)
        _name_rows(axes, comparison, np.array(starts), LABEL_HEIGHT / inches)
        headline(figure, title, subtitle or measurement_note(comparison))
    return figure


def mean_interval(hits: np.ndarray) -> tuple[float, float]:
    """Return the mean accuracy in percent over draws (R,M), and half of its 95 % interval.

    Student's t over draws; 0 for a single draw, of which nothing can be said.
    """
    by_draw = 100 * hits.mean(axis=1)
    if len(by_draw) < 2:
        return float(by_draw.mean()), 0.0
    error = by_draw.std(ddof=1) / np.sqrt(len(by_draw))
    return float(by_draw.mean()), float(student.ppf(0.975, len(by_draw) - 1) * error)


def _draw_row(axes: Axes, comparison: Comparison, k: int) -> float:
    """Draw one line, and return the height at which it starts."""
    hits = comparison.hits[comparison.names[k]]
    mean, half = np.array([mean_interval(hits[shots]) for shots in comparison.labels_per_class]).T
    x = _places(comparison)
    if k == 0:
        low, high = (mean - half).clip(min=0), (mean + half).clip(max=100)
        axes.fill_between(x, low, high, color=STRONG, alpha=0.14, lw=0, zorder=2)
        axes.plot(x, mean, color=STRONG, lw=2.8, marker="o", ms=7, mec="white", zorder=5)
        for at, value, room in zip(x, mean, select_marks(x, VALUE_WIDTH), strict=True):
            if room:
                axes.annotate(f"{value:.1f} %", (at, value), (0, 9), **VALUE_STYLE)
    else:
        offset = 0.006 * k * min(1, 4 / len(comparison.names))  # so that intervals stay apart
        style: dict[str, Any] = {"color": _colour(k), "ls": _dash(k), "marker": "o", "ms": 4.5}
        reach = np.minimum(half, [mean, 100 - mean])  # no share is beyond 0 or 100 %
        axes.errorbar(x + offset, mean, reach, elinewidth=1, zorder=4, **style)
    return float(mean[0])


def _dash(k: int) -> Any:
    return DASHES[(k - 1) // len(MUTED) % len(DASHES)] if k else "-"


def _places(comparison: Comparison) -> np.ndarray:
    return np.array([mark.at for mark in label_count_ticks(comparison)])


def _colour(k: int) -> str:
    return STRONG if k == 0 else MUTED[(k - 1) % len(MUTED)]


def _dress(axes: Axes, comparison: Comparison) -> None:
    marks = [mark for mark in label_count_ticks(comparison, gap=NAME_WIDTH) if mark.written]
    names = [f"{mark.name}\n({mark.labels:,})\n{mark.share}".rstrip() for mark in marks]
    axes.set_xticks([mark.at for mark in marks], names)
    axes.set_xlim(0, 1)
    shares = ", share of all labels" if any(mark.share for mark in marks) else ""
    axes.set_xlabel(f"labels per class (labels in all){shares}; equal steps are equal factors")
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, 0), high + 0.06 * (high - low))
    axes.set_yticks([tick for tick in axes.get_yticks() if max(low, 0) <= tick <= 100])
    axes.yaxis.set_major_formatter("{x:g} %")
    axes.yaxis.tick_right()
    axes.grid(axis="y", color=FAINT, lw=0.7)
    axes.spines[["left", "right"]].set_visible(False)
    axes.tick_params(length=0, labelcolor=SOFT)


def _name_rows(axes: Axes, comparison: Comparison, starts: np.ndarray, gap: float) -> None:
    (low, high), first = axes.get_ylim(), float(_places(comparison)[0])
    heights = space_labels(starts, gap * (high - low))
    for k, (name, start, height) in enumerate(zip(comparison.names, starts, heights, strict=True)):
        axes.annotate(
            name,
            (first, start),
            (-0.012, height),
            color=_colour(k),
            fontweight="bold" if k == 0 else "normal",
            ha="right",
            va="center",
            annotation_clip=False,
            arrowprops=TIE_STYLE | {"color": _colour(k), "ls": _dash(k)},
        )


def measurement_note(comparison: Comparison) -> str:
    """Say what the figures of a comparison are."""
    hits = comparison.hits[comparison.names[0]]
    draws = max(len(hits[shots]) for shots in comparison.labels_per_class)
    cases = hits[comparison.labels_per_class[0]].shape[1]
    drawn = f"mean of {draws} draws of labels, with 95 % intervals" if draws > 1 else "one draw"
    return f"share of {cases:,} test series classified right; {drawn}"
