"""The picture of what was filled in: what was observed, the values in holes, and their bands."""

import numpy as np
from jaxtyping import Bool
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from selftime.report.pictures.forecasts import quantile_bands
from selftime.report.pictures.palette import (
    INK,
    SOFT,
    STRONG,
    canvas,
    headline,
    show_dates,
    zone_in_words,
)
from selftime.tasks.imputation.imputations import Imputation

_MOST_PANELS = 6
"""Series and channels that are drawn, those that lack most first."""
_LEAST_SHOWN, _AROUND = 200, 3
"""Steps around the longest gap that are drawn: at least so many, else so many times its length."""


def imputation_picture(found: Imputation, *, title: str) -> Figure:
    """Draw series around their longest gap, the values in their holes, and bands of quantiles."""
    series, owners = found.series, np.repeat(np.arange(len(found.series)), found.series.lengths)
    counts = np.zeros((len(series), series.n_channels), np.int64)
    np.add.at(counts, owners, found.missing)
    order = np.argsort(-counts, axis=None, kind="stable")[:_MOST_PANELS]
    order = order[counts.ravel()[order] > 0] if counts.any() else order[:1]
    places = [divmod(int(k), series.n_channels) for k in order]
    dated = series.times is not None and series.times.dtype.kind == "M"
    each, foot = (1.75, 0.47) if dated else (1.6, 0.28)
    height = 1.0 + each * len(places)
    with canvas(8.0, height) as figure:
        for k, (i, c) in enumerate(places):
            bottom = height - 0.75 - each * (k + 1) + foot
            axes = figure.add_axes((0.09, bottom / height, 0.88, (each - foot - 0.2) / height))
            draw_imputation(axes, found, i, c)
            axes.set_title(_name(found, i, c), fontsize=9, color=SOFT, loc="left", pad=3)
            if dated:
                show_dates(axes)
        headline(figure, title, _subtitle(found))
    return figure


def draw_imputation(axes: Axes, found: Imputation, i: int, c: int) -> None:
    """Draw a channel of a series around its longest gap over its times, else its steps."""
    series = found.series
    begin, end = int(series.offsets[i]), int(series.offsets[i + 1])
    holes = found.missing[begin:end, c]
    first, last = span_around(holes)
    rows = np.arange(begin + first, begin + last)
    x = np.arange(first, last)
    if series.times is not None:
        x = series.stamps.wall_clock(series.times[rows])
    gaps, values = found.missing[rows, c], series.series(i)[c, first:last]
    near = gaps | np.r_[gaps[1:], False] | np.r_[False, gaps[:-1]]  # joined to their neighbours
    for low, high in quantile_bands(found.levels):
        lower, upper = (
            np.where(gaps, found.spread(found.quantiles[:, q], np.nan)[rows, c], values)
            for q in (low, high)
        )
        axes.fill_between(x, lower, upper, where=near.tolist(), color=STRONG, alpha=0.18, lw=0)
    axes.plot(x, np.where(gaps, np.nan, values), color=INK, lw=1.1)
    axes.plot(x, np.where(near, values, np.nan), color=STRONG, lw=1.5)
    alone = gaps & ~np.r_[gaps[1:], False] & ~np.r_[False, gaps[:-1]]
    axes.plot(x[alone], values[alone], ".", color=STRONG, ms=4)
    axes.margins(x=0.01)
    axes.tick_params(labelsize=8)


def span_around(holes: Bool[np.ndarray, "T"]) -> tuple[int, int]:
    """Return the steps that are drawn: those around the longest gap.

    Example:
        >>> span_around(np.arange(1000) // 10 == 50)
        (405, 605)
    """
    edges = np.flatnonzero(np.diff(np.r_[False, holes, False]))
    starts, stops = edges[::2], edges[1::2]
    T = len(holes)
    if not len(starts):
        return 0, min(T, _LEAST_SHOWN)
    k = int((stops - starts).argmax())
    width = min(max(_LEAST_SHOWN, _AROUND * int(stops[k] - starts[k])), T)
    first = int(np.clip((starts[k] + stops[k] - width) // 2, 0, T - width))
    return first, first + width


def _name(found: Imputation, i: int, c: int) -> str:
    series = found.series
    channel = series.channels[c] if series.n_channels > 1 or len(series) == 1 else ""
    return ", ".join(filter(None, [str(series.ids[i]) if len(series) > 1 else "", channel]))


def _subtitle(found: Imputation) -> str:
    levels, count = found.levels, int(found.missing.sum())
    shares = [f"{100 * (levels[high] - levels[low]):.0f} %" for low, high in quantile_bands(levels)]
    bands = f"; bands hold {' and '.join(shares)} of what was there" if shares else ""
    of = f"{count:,} of {found.missing.size:,} values, in blue"
    return f"{of}{bands}{zone_in_words(found.series.stamps)}"
