"""Pictures of clusters and of states: medoids in front of a few others, and spans in time."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

from selftime.data.series import SeriesSet
from selftime.report.pictures.palette import (
    FAINT,
    SOFT,
    canvas,
    class_style,
    headline,
    show_dates,
    zone_in_words,
)
from selftime.report.pictures.signals import MOST_LINES, draw_series, is_curve, ranges_of
from selftime.report.tables import plain_table
from selftime.tasks.clusters.cluster import Clusters
from selftime.tasks.clusters.states import StateSpans

_BEHIND, _PANELS, _ACROSS, _RECORDINGS = 8, 24, 4, 6
"""Members behind a medoid; clusters and recordings that are drawn, and clusters side by side."""
_POINTS = 8000
"""Points of a recording that are drawn, about."""


def clusters_picture(found: Clusters) -> Figure:
    """Draw a panel a cluster: its medoid in colour, a few of its members in grey behind."""
    shown = range(min(len(found), _PANELS))
    columns = max(min(len(shown), _ACROSS), 1)
    rows, ranges = -(-max(len(shown), 1) // columns), ranges_of(found.series)
    with canvas(9.0, 1.1 + 1.45 * rows) as figure:
        tall = figure.get_figheight()
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        figure.subplots_adjust(0.02, 0.03, 0.98, 1 - 1.1 / tall, 0.06, 0.32)
        for axes in grid[len(shown) :]:
            axes.set_axis_off()
        for c, axes in zip(shown, grid, strict=False):
            members = np.flatnonzero((found.clusters == c) & ~found.is_medoid)
            near = members[np.argsort(found.distances[members], kind="stable")]
            behind = near[np.linspace(0, len(near) - 1, min(_BEHIND, len(near))).astype(int)]
            if is_curve(found.series.kind) and found.series.n_channels <= MOST_LINES:
                for row in behind:
                    _draw(axes, found.series, int(row), ranges, FAINT)
            _draw(axes, found.series, int(found.medoids[c]), ranges, class_style(c)[0])
            count = len(members) + 1
            axes.set_title(f"{found.name_of(c)}: {count:,}", fontsize=9, loc="left", pad=3)
            axes.spines[:].set_visible(False)
        none = int((found.clusters < 0).sum())
        words = f"; {none:,} series in none" if none else ""
        number = f"{len(found)} cluster{'' if len(found) == 1 else 's'}"
        headline(figure, f"{number} of {len(found.series):,} series{words}", _lines(found.why))
    return figure


def _lines(text: str) -> str:
    """Break a long sentence after its semicolons."""
    return text.replace("; ", ";\n") if len(text) > 110 else text


def _draw(axes: Axes, series: SeriesSet, row: int, ranges: np.ndarray, colour: str) -> None:
    draw_series(axes, series.series(row), series.kind, ranges, colour=colour, frames=3)


def states_picture(found: StateSpans) -> Figure:
    """Draw recordings one below another: the first channel, and beneath it a bar of states."""
    series = found.series
    every = list(dict.fromkeys(np.asarray(series.recordings).tolist()))
    shown = every[:_RECORDINGS]
    with canvas(9.0, 1.35 + 1.5 * len(shown)) as figure:
        tall = figure.get_figheight()
        grid = figure.subplots(len(shown), 1, squeeze=False).ravel()
        figure.subplots_adjust(0.06, 0.3 / tall, 0.98, 1 - 1.25 / tall, 0, 0.45)
        for axes, name in zip(grid, shown, strict=True):
            _draw_recording(axes, found, name)
        _legend(figure, found, 1 - 0.82 / tall)
        changes = int(found.is_change.sum())
        title = f"{len(found.clusters)} states, {changes:,} change{'' if changes == 1 else 's'}"
        if len(every) > len(shown):
            title += f"; {len(shown)} of {len(every):,} recordings"
        zone = zone_in_words(series.stamps) if series.times is not None else ""
        headline(figure, title, f"channel {series.channels[0]}{zone}")
    return figure


def _draw_recording(axes: Axes, found: StateSpans, name: str) -> None:
    series = found.series
    assert series.starts is not None
    rows = np.flatnonzero(np.asarray(series.recordings) == name)
    places, values = [], []
    for row in rows.tolist():
        span = slice(series.offsets[row], series.offsets[row + 1])
        steps = series.starts[row] + np.arange(series.lengths[row])
        places.append(
            steps if series.times is None else series.stamps.wall_clock(series.times[span])
        )
        values.append(series.series(row)[0])
    x, y = np.concatenate(places), np.concatenate(values)
    x, first = np.unique(x, return_index=True)
    every = max(len(x) // _POINTS, 1)
    axes.plot(x[::every], y[first][::every], lw=0.7, color=SOFT)
    start, end = (_plain(part, found) for part in found.bounds())
    owners = np.asarray(series.recordings)[found.spans[:, 0]]
    for m in np.flatnonzero(owners == name):
        state = int(found.states[found.spans[m, 0]])
        colour = class_style(state)[0]
        axes.axvspan(start[m], end[m], color=colour, alpha=0.28, lw=0, zorder=0)
        if end[m] - start[m] > 0.03 * (x[-1] - x[0]):
            where = start[m] + (end[m] - start[m]) / 2
            place = axes.get_xaxis_transform()
            label = found.clusters.name_of(state).removeprefix("cluster ")
            axes.text(where, 0.98, label, fontsize=8, va="top", ha="center", transform=place)
    axes.set_xlim(x[0], x[-1])
    axes.set_title(name, loc="left", fontsize=9, pad=3)
    axes.tick_params(labelsize=8)
    if x.dtype.kind == "M":
        show_dates(axes)


def _plain(part: object, found: StateSpans) -> np.ndarray:
    """Return steps or times as the axis counts them."""
    series = found.series
    if series.times is None or series.times.dtype.kind != "M":
        return np.asarray(part)
    column = part.cast("int64").to_numpy() if hasattr(part, "cast") else np.asarray(part)
    return series.stamps.wall_clock(column.astype("datetime64[ns]"))


def _legend(figure: Figure, found: StateSpans, height: float) -> None:
    for c in range(min(len(found.clusters), 10)):
        share = float((found.states == c).mean())
        place = 0.02 + 0.096 * c
        figure.text(place, height, "■", color=class_style(c)[0], fontsize=10, va="top")
        words = f"{found.clusters.name_of(c).removeprefix('cluster ')[:9]}: {100 * share:.0f} %"
        figure.text(place + 0.015, height, words, fontsize=8, va="top")


def clusters_table(found: Clusters) -> Table:
    """List clusters: number of series, medoid, and how sure they are."""
    facts = found.to_dict()["clusters"]
    head = ("cluster", "series", "medoid", "sure")
    rows = [(f["name"], f"{f['series']:,}", f["medoid"], f"{f['sure']:.2f}") for f in facts]
    return plain_table(head, rows)
