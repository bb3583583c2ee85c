"""Pictures of series: a few of every class, and the map of their embeddings."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from selftime.data.arrays import number_classes
from selftime.data.principal import principal_coordinates
from selftime.data.series import SeriesSet
from selftime.data.signals import Film, Images, Signal, Sound, Text, Wave
from selftime.data.splits import draw_per_class
from selftime.report.pictures.palette import (
    FAINT,
    SOFT,
    canvas,
    class_style,
    headline,
    show_dates,
    zone_in_words,
)
from selftime.report.pictures.signals import (
    band_ticks,
    draw_series,
    is_curve,
    ranges_of,
)

SOME_EXAMPLES, MOST_EXAMPLES = 18, 40
"""Small example series on a map: so many if there is room, and never more than fit."""
CHIP = (0.065, 0.06)
"""Width and height of one, as shares of the map."""


def embedding_map(
    embeddings: Float[np.ndarray, "N D"], series: SeriesSet, *, title: str, subtitle: str = ""
) -> Figure:
    """Draw two principal directions of the embeddings, and a few series where they lie.

    Each vector is brought to length 1 first, as the probe does. Labels set colours and markers and
    nothing else.

    Raises:
        ValueError: another number of vectors than series.
    """
    if len(embeddings) != len(series):
        raise ValueError(f"got {len(embeddings)} vectors for {len(series)} series: one each")
    points, shares = principal_plane(embeddings)
    with canvas(8.0, 6.2) as figure:
        axes = figure.add_axes((0.02, 0.02, 0.96, 0.85))
        axes.margins(0.08)
        _draw_points(axes, points, *classes_of(series))
        _draw_examples(axes, points, series)
        axes.set_axis_off()
        words = f"{len(series):,} series on the first two principal directions of their embeddings"
        headline(
            figure, title, subtitle or f"{words} ({100 * shares.sum():.0f} % of their variance)"
        )
    return figure


def principal_plane(
    embeddings: Float[np.ndarray, "N D"],
) -> tuple[Float[np.ndarray, "N 2"], Float[np.ndarray, "2"]]:
    """Return two principal coordinates of vectors of length 1, and their shares of variance.

    The largest coordinate of each axis is positive, which settles its side.
    """
    length = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit = (embeddings / np.where(length > 0, length, 1)).astype(np.float64)
    found = principal_coordinates(unit - unit.mean(axis=0))
    points = np.pad(found, ((0, 0), (0, 2)))[:, :2]  # embeddings of size 1 have one direction
    shares = (points**2).sum(axis=0) / max((found**2).sum(), 1e-12)
    furthest = points[np.abs(points).argmax(axis=0), [0, 1]]
    return points * np.where(furthest < 0, -1, 1), shares


UNLABELLED = "unlabelled"
"""Name of series without a label beside those that have one."""


def classes_of(series: SeriesSet) -> tuple[list[str], Int64[np.ndarray, "N"]]:
    """Return the names of classes and the number of each series' class.

    Series without a label stand last; where none has one, in a nameless class.
    """
    if series.labels is None:
        return [""], np.zeros(len(series), np.int64)
    classes, codes = number_classes(series.labels)
    names = [str(name) for name in classes.tolist()]
    rest = [] if series.labelled.all() else [UNLABELLED]
    return names + rest, np.where(codes < 0, len(names), codes)


def examples_of(
    places: Float[np.ndarray, "N 2"], labels: Int64[np.ndarray, "N"] | np.ndarray | None
) -> np.ndarray:
    """Select rows to draw as chips: one from the middle of each class, then in the emptiest spots.

    ``places`` are shares of the map. No chip covers another, so a class in a crowd may get none.
    """
    selected: list[int] = []
    for name in np.unique(labels) if labels is not None else ():
        rows = np.flatnonzero(labels == name)
        from_middle = ((places[rows] - np.median(places[rows], axis=0)) ** 2).sum(axis=1)
        nearest = rows[from_middle.argsort(kind="stable")]
        free = nearest[_is_free(places[nearest], places[selected])]
        selected += free[:1].tolist()
    while len(selected) < SOME_EXAMPLES:
        free = np.flatnonzero(_is_free(places, places[selected]))
        if not len(free):
            break
        apart = (
            ((places[free, None] - places[selected]) ** 2).sum(axis=2).min(axis=1, initial=np.inf)
        )
        selected.append(int(free[apart.argmax()]))
    return np.array(selected[:MOST_EXAMPLES])


def _is_free(places: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Return True where a chip would leave those at ``taken``, and their names, uncovered."""
    apart = np.abs(places[:, None] - taken) > np.multiply(CHIP, (1.1, 1.6))  # (N,M,2)
    return np.asarray(apart.any(axis=2).all(axis=1))


def _draw_points(axes: Axes, points: np.ndarray, names: list[str], codes: np.ndarray) -> None:
    for k, name in enumerate(names):
        colour, marker = (SOFT, ".") if name == UNLABELLED else class_style(k)
        x, y = points[codes == k].T
        axes.scatter(x, y, s=20, c=colour, marker=marker, alpha=0.75, lw=0, zorder=2)


def _draw_examples(axes: Axes, points: np.ndarray, series: SeriesSet) -> None:
    """Draw chips over their points; every class is named once, over a chip if it has one."""
    names, codes = classes_of(series)
    ranges, named = ranges_of(series), set[int]()
    axes.autoscale_view()  # else the limits leave out what was drawn last
    places = axes.transAxes.inverted().transform(axes.transData.transform(points))  # (N,2)
    for i in examples_of(places, None if series.labels is None else codes):
        k = int(codes[i])
        chip = axes.inset_axes((*(places[i] - np.divide(CHIP, 2)), *CHIP), zorder=4)
        colour = class_style(k)[0]
        draw_series(chip, series.series(int(i)), series.kind, ranges, colour=colour, frames=1)
        chip.spines[:].set(visible=True, color=colour, linewidth=1.4)
        if k not in named:
            chip.set_title(names[k], fontsize=9, fontweight="bold", pad=2)
            named.add(k)
    for k in set(range(len(names))) - named:
        _write_name(axes, np.median(places[codes == k], axis=0), names[k])


def _write_name(axes: Axes, place: np.ndarray, name: str) -> None:
    """Write a name with a halo that keeps it readable over points and chips."""
    x, y = place
    text = axes.text(x, y, name, fontsize=9, fontweight="bold", ha="center", va="center", zorder=6)
    text.set_transform(axes.transAxes)
    text.set_path_effects([withStroke(linewidth=3, foreground="white")])


_MAX_CLASS_PANELS = 40
"""Classes that are drawn; the rest are counted in the subtitle."""


def overview(
    series: SeriesSet, *, title: str, channel: int = 0, each: int = 5, seed: int = 0
) -> Figure:
    """Draw a panel per class, ``each`` of its series over one another, all to one scale.

    Pictures, sounds, films and texts stand beside one another. Without labels one panel shows a
    few of all series.

    Raises:
        ValueError: no such channel.
    """
    if not 0 <= channel < series.n_channels:
        raise ValueError(f"got channel {channel}, wanted 0 to {series.n_channels - 1}")
    names, codes = classes_of(series)
    selected = draw_per_class(codes, each, np.random.default_rng(seed))
    drawn, of, shown = series[selected], codes[selected], names[:_MAX_CLASS_PANELS]
    caption = _overview_caption(series, names, channel, each)
    if not is_curve(series.kind):
        return _mosaic(drawn, of, shown, title, caption)
    columns = min(len(shown), 1 if len(shown) == 1 else max(3, math.ceil(math.sqrt(len(shown)))))
    rows = math.ceil(len(shown) / columns)
    with canvas(8.0, 0.95 + 1.25 * rows if columns > 1 else 3.2) as figure:
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for k, (axes, name) in enumerate(zip(grid, shown, strict=False)):
            _draw_class(axes, drawn, np.flatnonzero(of == k), channel, class_style(k)[0])
            axes.set_title(name, fontsize=9, fontweight="bold", loc="left", pad=2)
        for axes in grid[len(shown) :]:
            axes.set_axis_off()
        top = 1 - 0.85 / figure.get_figheight()
        foot = (0.5 if is_simultaneous(drawn) else 0.32) / figure.get_figheight()
        figure.subplots_adjust(0.06, foot, 0.985, top, 0.10, 0.38)
        zone = zone_in_words(series.stamps) if is_simultaneous(drawn) else ""
        headline(figure, title, caption + zone)
    return figure


def _draw_class(axes: Axes, series: SeriesSet, rows: np.ndarray, channel: int, colour: str) -> None:
    for i in rows:
        values = series.series(int(i))[channel]
        x = np.arange(len(values)) / (series.kind.per_second or 1)
        if is_simultaneous(series) and series.times is not None:
            x = series.stamps.wall_clock(series.times[series.offsets[i] : series.offsets[i + 1]])
        axes.plot(
            x, values, color=colour, lw=1.2, alpha=0.8, marker="." if len(values) == 1 else None
        )
        if x.dtype.kind == "M":
            show_dates(axes)
    axes.tick_params(length=0, labelsize=8, labelcolor=SOFT)
    axes.grid(axis="y", color=FAINT, lw=0.6)
    axes.spines["left"].set_visible(False)


class _Tiles(NamedTuple):
    """The places of series that are no curves, in the panel of their class."""

    across: int  # panels side by side, at most
    height: float  # inches of a panel without its name, or of each series below another
    below: bool = False  # the series of a class stand one below the other


_TILES: dict[type[Signal], _Tiles] = {
    Images: _Tiles(3, 0.42),
    Sound: _Tiles(2, 0.9),
    Film: _Tiles(2, 0.38, below=True),
    Text: _Tiles(2, 0.3, below=True),
}


def _mosaic(
    series: SeriesSet, codes: np.ndarray, names: list[str], title: str, caption: str
) -> Figure:
    """Draw a panel per class, its series beside one another as their kind is seen."""
    tiles = _TILES[type(series.kind)]
    columns = min(len(names), tiles.across)
    rows = math.ceil(len(names) / columns)
    each, ranges = int(np.bincount(codes).max()), ranges_of(series)
    height = tiles.height * (1 if columns > 1 else 2) * (each if tiles.below else 1)
    with canvas(8.0, 0.75 + (height + 0.45) * rows) as figure:
        top, tall = 1 - 0.85 / figure.get_figheight(), figure.get_figheight()
        outer = figure.add_gridspec(
            rows, columns, left=0.055, right=0.985, top=top, bottom=0.3 / tall, wspace=0.12,
            hspace=0.45 / height,
        )  # fmt: skip
        for k, name in enumerate(names):
            shape = (each, 1) if tiles.below else (1, each)
            inner = outer[k // columns, k % columns].subgridspec(*shape, hspace=0.12, wspace=0.08)
            for place, i in enumerate(np.flatnonzero(codes == k)):
                axes = figure.add_subplot(inner[place])
                values = series.series(int(i))
                draw_series(axes, values, series.kind, ranges, colour=class_style(k)[0])
                _mark_axes(axes, series.kind, values.shape[1], first=place == 0)
                if place == 0:
                    axes.set_title(name, fontsize=9, fontweight="bold", loc="left", pad=3)
        headline(figure, title, caption)
    return figure


def _mark_axes(axes: Axes, kind: Signal, T: int, *, first: bool) -> None:
    """Write seconds below a spectrogram, and kHz beside the first of a row."""
    axes.spines[:].set_visible(False)
    if not isinstance(kind, Sound):
        return
    axes.set_xticks([-0.5, T - 0.5], ["0", f"{T / (kind.per_second or 1):.2g} s"])
    axes.tick_params(length=2, labelsize=7, labelcolor=SOFT, pad=1)
    left, right = axes.get_xticklabels()
    left.set_horizontalalignment("left")
    right.set_horizontalalignment("right")
    if first:
        at, texts = zip(*band_ticks(kind), strict=True)
        axes.set_yticks([kind.bands - 1 - a for a in at], texts)
        axes.set_ylabel("kHz", fontsize=7, color=SOFT, labelpad=1)


def is_simultaneous(series: SeriesSet) -> bool:
    """Return whether there is a time at which all series were recorded."""
    if series.times is None:
        return False
    first, last = series.times[series.offsets[:-1]], series.times[series.offsets[1:] - 1]
    return bool(first.max() <= last.min())


def _overview_caption(series: SeriesSet, names: list[str], channel: int, each: int) -> str:
    some = f"{min(each, len(series))} of {len(series):,} series"
    if series.labels is not None:
        left_out = len(names) - _MAX_CLASS_PANELS
        more = f", {left_out} more classes" if left_out > 0 else ""
        some = f"{each} series of each class ({len(series):,} in all{more})"
    if isinstance(series.kind, Wave):
        some += "; seconds across"
    if series.n_channels == 1 or not is_curve(series.kind):
        return some
    return f"{some}; channel {series.channels[channel]!r}, one of {series.n_channels}"
