"""The label-efficiency curve: how right every row is, against how many labels it was given."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import t as student

from selftime.report.palette import FAINT, MUTED, SOFT, STRONG, canvas, headline, spread
from selftime.tasks.compare import Comparison

LABEL_HEIGHT = 0.056
"""Height of a line of text, as a share of the height of the axes."""


def label_efficiency(comparison: Comparison, *, title: str, subtitle: str = "") -> Figure:
    """Accuracy of every row against labels a class, with 95 % intervals over draws of labels.

    Rows are named where they differ most, at the fewest labels.

    Args:
        comparison: what :func:`selftime.compare` returned; its first row is the strong one.
        title: what the picture says.
        subtitle: how it was measured; worked out when left empty.
    """
    with canvas(8.0, 4.6) as figure:
        axes = figure.add_axes((0.225, 0.145, 0.69, 0.68))
        starts = [_draw_row(axes, comparison, k) for k in range(len(comparison.names))]
        _dress(axes, comparison)
        _name_rows(axes, comparison.names, np.array(starts))
        headline(figure, title, subtitle or _how_measured(comparison))
    return figure


def interval(hits: np.ndarray) -> tuple[float, float]:
    """Mean accuracy in percent over draws (R,M), and half the width of its 95 % interval.

    Student's t over draws; 0 for a single draw, of which nothing can be said.
    """
    by_draw = 100 * hits.mean(axis=1)
    if len(by_draw) < 2:
        return float(by_draw.mean()), 0.0
    error = by_draw.std(ddof=1) / np.sqrt(len(by_draw))
    return float(by_draw.mean()), float(student.ppf(0.975, len(by_draw) - 1) * error)


def _draw_row(axes: Axes, comparison: Comparison, k: int) -> float:
    """One line; returns the height at which it starts."""
    hits = comparison.hits[comparison.names[k]]
    mean, half = np.array([interval(hits[budget]) for budget in comparison.budgets]).T
    x = np.arange(len(mean)) + 0.025 * k  # side by side, so that intervals can be told apart
    if k == 0:
        axes.fill_between(x, mean - half, mean + half, color=STRONG, alpha=0.14, lw=0, zorder=2)
        axes.plot(x, mean, color=STRONG, lw=2.8, marker="o", ms=7, mec="white", zorder=5)
        _write_values(axes, x, mean)
    else:
        axes.errorbar(x, mean, half, color=_colour(k), marker="o", ms=4.5, elinewidth=1, zorder=4)
    return float(mean[0])


def _write_values(axes: Axes, x: np.ndarray, mean: np.ndarray) -> None:
    for at, value in zip(x, mean, strict=True):
        axes.annotate(
            f"{value:.1f} %",
            (at, value),
            (0, 9),
            textcoords="offset points",
            ha="center",
            color=STRONG,
            fontweight="bold",
            zorder=6,
        )


def _colour(k: int) -> str:
    return STRONG if k == 0 else MUTED[(k - 1) % len(MUTED)]


def _dress(axes: Axes, comparison: Comparison) -> None:
    counts = [comparison.n_labels[budget] for budget in comparison.budgets]
    names = ["all" if budget is None else str(budget) for budget in comparison.budgets]
    ticks = [f"{name}\n({count:,})" for name, count in zip(names, counts, strict=True)]
    axes.set_xticks(np.arange(len(ticks)), ticks)
    axes.set_xlim(-0.12, len(ticks) - 0.7)
    axes.set_xlabel("labels a class (labels in all)")
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, 0), high + 0.06 * (high - low))
    axes.set_yticks([tick for tick in axes.get_yticks() if max(low, 0) <= tick <= 100])
    axes.yaxis.set_major_formatter("{x:g} %")
    axes.yaxis.tick_right()
    axes.grid(axis="y", color=FAINT, lw=0.7)
    axes.spines[["left", "right"]].set_visible(False)
    axes.tick_params(length=0, labelcolor=SOFT)


def _name_rows(axes: Axes, names: tuple[str, ...], starts: np.ndarray) -> None:
    low, high = axes.get_ylim()
    heights = spread(starts, LABEL_HEIGHT * (high - low))
    for k, (name, start, height) in enumerate(zip(names, starts, heights, strict=True)):
        axes.annotate(
            name,
            (0, start),
            (-0.14, height),
            color=_colour(k),
            fontweight="bold" if k == 0 else "normal",
            ha="right",
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": _colour(k),
                "lw": 0.7,
                "relpos": (1, 0.5),
                "shrinkA": 0,
                "shrinkB": 4,
            },
        )


def _how_measured(comparison: Comparison) -> str:
    hits = comparison.hits[comparison.names[0]]
    draws = max(len(hits[budget]) for budget in comparison.budgets)
    cases = hits[comparison.budgets[0]].shape[1]
    drawn = f"mean of {draws} draws of labels, with 95 % intervals" if draws > 1 else "one draw"
    return f"share of {cases:,} test series classified right; {drawn}"
