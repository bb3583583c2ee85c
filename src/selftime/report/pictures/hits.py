"""Pictures of search: each query above its hits, and where these lie."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from selftime.data.clock import iso_text
from selftime.data.series import SeriesSet
from selftime.report.pictures.palette import SOFT, STRONG, canvas, headline
from selftime.report.pictures.signals import Ranges, draw_series, ranges_of
from selftime.tasks.search.hits import SearchHits

_QUERIES, _HITS, _ACROSS = 4, 20, 5
"""Queries and hits of each that are drawn, and hits side by side."""
_CELL = 1.05
"""Inches of a row."""


def hits_picture(found: SearchHits) -> Figure:
    """Draw the first few queries in blue, each above its hits, nearest first, all to one scale."""
    queries = np.unique(found.queries)[:_QUERIES]
    groups = [np.flatnonzero(found.queries == q)[:_HITS] for q in queries]
    rows = sum((found.asked is not None) + -(-len(group) // _ACROSS) for group in groups)
    ranges = _common_ranges(found)
    with canvas(9.0, 0.95 + _CELL * max(rows, 1)) as figure:
        grid = figure.add_gridspec(
            max(rows, 1), _ACROSS, left=0.02, right=0.98, bottom=0.03, hspace=0.5, wspace=0.08,
            top=1 - 0.85 / figure.get_figheight(),
        )  # fmt: skip
        row = 0
        for q, group in zip(queries, groups, strict=True):
            if found.asked is not None:
                axes = figure.add_subplot(grid[row, :])
                _draw(axes, found.asked, int(q), f"query {found.names[q]}", ranges, STRONG)
                row += 1
            for n, hit in enumerate(group.tolist()):
                axes = figure.add_subplot(grid[row + n // _ACROSS, n % _ACROSS])
                title = f"{found.ranks[hit]}. {entry_in_words(found.series, int(found.rows[hit]))}"
                title += f"  {found.similarities[hit]:.2f}"
                _draw(axes, found.series, int(found.rows[hit]), title, ranges, SOFT)
            row += -(-len(group) // _ACROSS)
        more = len(np.unique(found.queries)) - len(queries)
        words = "nearest first, with the cosine of their vectors; all to one scale"
        words += f"; {more:,} more queries are not drawn" if more else ""
        headline(figure, "What looks alike", words)
    return figure


def entry_in_words(series: SeriesSet, row: int) -> str:
    """Name an entry: its id, or its recording and its beginning, and its label."""
    name = str(series.ids[row])
    if series.recordings is not None and series.starts is not None:
        name = f"{series.recordings[row]} @ {series.starts[row]:,}"
        if series.times is not None:
            at = series.offsets[row : row + 1]
            name = str(iso_text(series.stamps.column(series.times[at])).to_pylist()[0])
    label = None if series.labels is None else series.labels[row]
    return name if label is None else f"{name} ({label})"


def _common_ranges(found: SearchHits) -> Ranges:
    ranges = ranges_of(found.series)
    if found.asked is None or found.asked.n_channels != found.series.n_channels:
        return ranges
    own = ranges_of(found.asked)
    if own.shape != ranges.shape:
        return ranges
    both = np.stack([np.minimum(own, ranges)[:, 0], np.maximum(own, ranges)[:, 1]], axis=1)
    return both.astype(ranges.dtype)


def _draw(  # noqa: PLR0913 - a cell of the picture
    axes: Axes, series: SeriesSet, row: int, title: str, ranges: Ranges, colour: str
) -> None:
    draw_series(axes, series.series(row), series.kind, ranges, colour=colour, frames=3)
    axes.set_title(title if len(title) < 40 else f"…{title[-38:]}", fontsize=8, pad=3, loc="left")
    axes.spines[:].set_visible(False)
