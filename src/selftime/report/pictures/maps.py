"""The map of embeddings: series that the model finds similar lie side by side."""

import numpy as np
from jaxtyping import Float, Float32
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from selftime.data.principal import principal_coordinates
from selftime.data.series import SeriesSet
from selftime.report.pictures.palette import canvas, class_style, headline

MOST_LINES = 4
"""With more channels than this lines can no longer be told apart, and colours are drawn."""

Ranges = Float[np.ndarray, "C 2"]


def channel_ranges(series: SeriesSet) -> Ranges:
    """Low and high (1st and 99th percentile of the observed values) of every channel."""
    there = series.observed if series.observed is not None else np.ones_like(series.steps, bool)
    ends = [
        np.quantile(column[seen], [0.01, 0.99]) if seen.any() else np.zeros(2)
        for column, seen in zip(series.steps.T, there.T, strict=True)
    ]
    low, high = np.array(ends, np.float64).T
    return np.stack([low, np.where(high > low, high, low + 1)], axis=1)


def draw_trace(
    axes: Axes, values: Float32[np.ndarray, "C T"], ranges: Ranges, *, colour: str
) -> None:
    """Draw a series into axes that hold nothing else; gaps stay empty.

    Every channel is drawn against its own range, so that channels of small values show too.
    """
    level = (values - ranges[:, :1]) / (ranges[:, 1:] - ranges[:, :1])  # (C,T), mostly 0 to 1
    if len(values) > MOST_LINES:
        axes.imshow(level, aspect="auto", cmap="RdYlBu_r", vmin=0, vmax=1, interpolation="nearest")
    else:
        axes.plot(level.T, color=colour, lw=1.1, marker="." if values.shape[1] == 1 else None)
        axes.set_ylim(-0.12, 1.12)
        axes.margins(x=0.06)
    axes.set_xticks([])
    axes.set_yticks([])


SOME_EXAMPLES, MOST_EXAMPLES = 18, 40
"""Small example series on a map: so many if there is room, and never more than fit."""
CHIP = (0.065, 0.06)
"""Width and height of one, as shares of the map."""


def embedding_map(
    embeddings: Float[np.ndarray, "N D"], series: SeriesSet, *, title: str, subtitle: str = ""
) -> Figure:
    """Two principal directions of the embeddings, a few series drawn where they lie.

    Colours and markers tell the classes apart, which the directions know nothing of.

    Args:
        embeddings: one vector a series; each is brought to length 1 first, as the probe does.
        series: the same series, with labels or without.
        title: what the picture says.
        subtitle: how it was made; worked out when left empty.

    Raises:
        ValueError: another number of vectors than series.
    """
    if len(embeddings) != len(series):
        raise ValueError(f"got {len(embeddings)} vectors for {len(series)} series: one each")
    points, shares = principal_plane(embeddings)
    with canvas(8.0, 6.2) as figure:
        axes = figure.add_axes((0.02, 0.02, 0.96, 0.85))
        axes.margins(0.08)
        _draw_points(axes, points, series.labels)
        _draw_examples(axes, points, series)
        axes.set_axis_off()
        words = f"{len(series):,} series on the first two principal directions of their embeddings"
        headline(figure, title, subtitle or f"{words} ({100 * shares.sum():.0f} % of their spread)")
    return figure


def principal_plane(
    embeddings: Float[np.ndarray, "N D"],
) -> tuple[Float[np.ndarray, "N 2"], Float[np.ndarray, "2"]]:
    """The two principal coordinates of vectors of length 1, and their shares of the spread.

    The side of each axis is settled by its largest coordinate, which is positive.
    """
    length = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit = (embeddings / np.where(length > 0, length, 1)).astype(np.float64)
    found = principal_coordinates(unit - unit.mean(axis=0))
    points = np.pad(found, ((0, 0), (0, 2)))[:, :2]  # one number a series has one direction
    shares = (points**2).sum(axis=0) / max((found**2).sum(), 1e-12)
    furthest = points[np.abs(points).argmax(axis=0), [0, 1]]
    return points * np.where(furthest < 0, -1, 1), shares


def examples_of(places: Float[np.ndarray, "N 2"], labels: np.ndarray | None) -> np.ndarray:
    """Rows to draw as chips: one from the middle of each class, then where the map is emptiest.

    No chip covers another, so a class in a crowd may get none.

    Args:
        places: where each series lies, as shares of the map.
        labels: its class; None when classes are not known.
    """
    chosen: list[int] = []
    for name in np.unique(labels) if labels is not None else ():
        rows = np.flatnonzero(labels == name)
        from_middle = ((places[rows] - np.median(places[rows], axis=0)) ** 2).sum(axis=1)
        nearest = rows[from_middle.argsort(kind="stable")]
        free = nearest[_is_free(places[nearest], places[chosen])]
        chosen += free[:1].tolist()
    while len(chosen) < SOME_EXAMPLES and len(free := _free_rows(places, chosen)):
        apart = ((places[free, None] - places[chosen]) ** 2).sum(axis=2).min(axis=1, initial=np.inf)
        chosen.append(int(free[apart.argmax()]))
    return np.array(chosen[:MOST_EXAMPLES])


def _free_rows(places: np.ndarray, chosen: list[int]) -> np.ndarray:
    return np.flatnonzero(_is_free(places, places[chosen]))


def _is_free(places: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Whether a chip at each place would leave those at ``taken``, and their names, uncovered."""
    apart = np.abs(places[:, None] - taken) > np.multiply(CHIP, (1.1, 1.6))  # (N,M,2)
    return np.asarray(apart.any(axis=2).all(axis=1))


def _draw_points(axes: Axes, points: np.ndarray, labels: np.ndarray | None) -> None:
    names = [None] if labels is None else list(np.unique(labels))
    for k, name in enumerate(names):
        rows = slice(None) if labels is None else labels == name
        colour, marker = class_style(k)
        x, y = points[rows].T
        axes.scatter(x, y, s=20, c=colour, marker=marker, alpha=0.75, lw=0, zorder=2)


def _draw_examples(axes: Axes, points: np.ndarray, series: SeriesSet) -> None:
    """Chips over the points they show; every class is named once, over a chip if it has one."""
    labels = np.full(len(series), "") if series.labels is None else series.labels
    names, codes = np.unique(labels, return_inverse=True)
    ranges, named = channel_ranges(series), set[int]()
    places = axes.transAxes.inverted().transform(axes.transData.transform(points))  # (N,2)
    for i in examples_of(places, series.labels):
        k = int(codes[i])
        chip = axes.inset_axes((*(places[i] - np.divide(CHIP, 2)), *CHIP), zorder=4)
        draw_trace(chip, series.series(int(i)), ranges, colour=class_style(k)[0])
        chip.spines[:].set(visible=True, color=class_style(k)[0], linewidth=1.4)
        if k not in named:
            chip.set_title(str(names[k]), fontsize=9, fontweight="bold", pad=2)
            named.add(k)
    for k in set(range(len(names))) - named:
        _write_name(axes, np.median(places[codes == k], axis=0), str(names[k]))


def _write_name(axes: Axes, place: np.ndarray, name: str) -> None:
    """A name alone, with a halo that keeps it readable over points and chips."""
    x, y = place
    text = axes.text(x, y, name, fontsize=9, fontweight="bold", ha="center", va="center", zorder=6)
    text.set_transform(axes.transAxes)
    text.set_path_effects([withStroke(linewidth=3, foreground="white")])
