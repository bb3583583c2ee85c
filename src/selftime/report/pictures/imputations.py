"""The picture of what was filled in: what was observed, the values in holes, and their bands."""

from functools import partial

import numpy as np
from jaxtyping import Bool
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from selftime.report.pictures.palette import INK, STRONG, zone_in_words
from selftime.report.pictures.panels import (
    MOST_PANELS,
    Heading,
    are_dates,
    bands_in_words,
    name_of_place,
    panels_picture,
    quantile_bands,
)
from selftime.tasks.imputation.imputations import Imputation

_LEAST_SHOWN, _AROUND = 200, 3
"""Steps around the longest gap that are drawn: at least so many, else so many times its length."""


def imputation_picture(found: Imputation, *, title: str) -> Figure:
    """Draw series around their longest gap, the values in their holes, and bands of quantiles.

    Those that lack most come first.
    """
    series, owners = found.series, np.repeat(np.arange(len(found.series)), found.series.lengths)
    counts = np.zeros((len(series), series.n_channels), np.int64)
    np.add.at(counts, owners, found.missing)
    order = np.argsort(-counts, axis=None, kind="stable")[:MOST_PANELS]
    order = order[counts.ravel()[order] > 0] if counts.any() else order[:1]
    places = [divmod(int(k), series.n_channels) for k in order]
    return panels_picture(
        places,
        partial(draw_imputation, found),
        partial(name_of_place, series.ids, series.channels),
        Heading(title, _subtitle(found)),
        undated=None if are_dates(series.times) else (1.6, 0.28),
    )


def draw_imputation(found: Imputation, axes: Axes, i: int, c: int) -> None:
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


def _subtitle(found: Imputation) -> str:
    bands = bands_in_words(found.levels, "what was there")
    of = f"{int(found.missing.sum()):,} of {found.missing.size:,} values, in blue"
    return f"{of}{bands}{zone_in_words(found.series.stamps)}"
