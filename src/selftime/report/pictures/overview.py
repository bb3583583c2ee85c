"""The overview of a data set: a few series of every class."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from selftime.data.series import SeriesSet
from selftime.data.splits import draw_per_class
from selftime.report.pictures.palette import FAINT, SOFT, canvas, class_style, headline

_MAX_CLASS_PANELS = 40
"""Classes that are drawn; the rest are counted in the subtitle."""


def overview(
    series: SeriesSet, *, title: str, channel: int = 0, each: int = 5, seed: int = 0
) -> Figure:
    """One panel a class, ``each`` series of it drawn over one another, all to one scale.

    Args:
        series: with labels, or without: then one panel shows a few of them all.
        title: what the data are.
        channel: which channel is drawn.
        each: series a class.
        seed: fixes which ones.

    Raises:
        ValueError: no such channel.
    """
    if not 0 <= channel < series.n_channels:
        raise ValueError(f"got channel {channel}, wanted 0 to {series.n_channels - 1}")
    labels = np.full(len(series), "") if series.labels is None else series.labels
    names = np.unique(labels)
    chosen = draw_per_class(labels, each, np.random.default_rng(seed))
    shown = names[:_MAX_CLASS_PANELS]
    columns = min(len(shown), 1 if len(shown) == 1 else max(3, math.ceil(math.sqrt(len(shown)))))
    rows = math.ceil(len(shown) / columns)
    with canvas(8.0, 0.95 + 1.25 * rows if columns > 1 else 3.2) as figure:
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for k, (axes, name) in enumerate(zip(grid, shown, strict=False)):
            _draw_class(axes, series, chosen[labels[chosen] == name], channel, class_style(k)[0])
            axes.set_title(str(name), fontsize=9, fontweight="bold", loc="left", pad=2)
        for axes in grid[len(shown) :]:
            axes.set_axis_off()
        top = 1 - 0.85 / figure.get_figheight()
        figure.subplots_adjust(0.06, 0.32 / figure.get_figheight(), 0.985, top, 0.10, 0.38)
        headline(figure, title, _overview_caption(series, names, channel, each))
    return figure


def _draw_class(axes: Axes, series: SeriesSet, rows: np.ndarray, channel: int, colour: str) -> None:
    for i in rows:
        values = series.series(int(i))[channel]
        axes.plot(values, color=colour, lw=1.2, alpha=0.8, marker="." if len(values) == 1 else None)
    axes.tick_params(length=0, labelsize=8, labelcolor=SOFT)
    axes.grid(axis="y", color=FAINT, lw=0.6)
    axes.spines["left"].set_visible(False)


def _overview_caption(series: SeriesSet, names: np.ndarray, channel: int, each: int) -> str:
    some = f"{min(each, len(series))} of {len(series):,} series"
    if series.labels is not None:
        left_out = len(names) - _MAX_CLASS_PANELS
        more = f", {left_out} more classes" if left_out > 0 else ""
        some = f"{each} series of each class ({len(series):,} in all{more})"
    if series.n_channels == 1:
        return some
    return f"{some}; channel {series.channels[channel]!r}, one of {series.n_channels}"
