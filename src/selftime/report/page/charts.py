"""Charts of the page: axes, lines and bands, measured in shares of the space they are given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64
from matplotlib.ticker import LogLocator, MaxNLocator

from selftime.tasks.comparison.compare import Comparison

SIDE = 1000
"""Strokes live in a square of this side, y downwards, and are stretched to wherever they go."""


def outline(values: Float[np.ndarray, "C T"], most: int) -> Float[np.ndarray, "C S"]:
    """Draw a series through at most ``most`` points that keep every peak.

    Each of equal stretches gives its lowest and its highest observed value, in their order; NaN
    where a stretch has none.
    """
    if values.shape[1] <= most:
        return values
    begins, ends = _stretches(values.shape[1], most)
    with np.errstate(invalid="ignore"):  # stretches without a value
        rising = values[:, ends - 1] >= values[:, begins]
        low = np.fmin.reduceat(values, begins, axis=1)
        high = np.fmax.reduceat(values, begins, axis=1)
    pairs = np.stack([np.where(rising, low, high), np.where(rising, high, low)], axis=2)
    return pairs.reshape(len(values), -1)


def outline_steps(T: int, most: int) -> Int64[np.ndarray, "S"]:
    """Return the timepoints of a series of length ``T`` at which its :func:`outline` is drawn."""
    if most >= T:
        return np.arange(T)
    begins, ends = _stretches(T, most)
    return np.stack([begins, ends - 1], axis=1).ravel()


def _stretches(T: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the beginnings and ends of ``most // 2`` equal stretches."""
    edges = np.linspace(0, T, max(most // 2, 1) + 1).astype(np.int64)
    return edges[:-1], edges[1:]


def svg_path(x: Float[np.ndarray, "S"], y: Float[np.ndarray, "S"]) -> str:
    """An SVG path through points given as shares of the square, y upwards.

    A missing value (NaN) lifts the pen; a value between two missing ones is a dot.
    """
    finite = np.flatnonzero(np.isfinite(y))
    runs = np.split(finite, np.flatnonzero(np.diff(finite) > 1) + 1)
    return "".join(_stroke(SIDE * x[run], SIDE * (1 - y[run])) for run in runs if len(run))


def trace_path(heights: Float[np.ndarray, "T"], most: int) -> str:
    """The path of one channel over the whole width, its values given as shares of the height."""
    T = len(heights)
    at = outline_steps(T, most) / (T - 1) if T > 1 else np.array([0.5])
    return svg_path(at, outline(heights[None], most)[0])


def _stroke(x: np.ndarray, y: np.ndarray) -> str:
    points = [f"{round(a)} {round(b)}" for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    return f"M{points[0]}" + ("L" + " ".join(points[1:]) if len(points) > 1 else "h0")


_MAX_CHART_POINTS = 400
"""Points a line is drawn through."""
MOST_READINGS = 150
"""Points of a line that have a tooltip."""
STEEP = 30
"""A positive quantity that changes by more than this factor may get a logarithmic axis."""


class Tick(NamedTuple):
    """A mark on an axis."""

    at: float  # percent of the way from its low to its high end
    text: str  # what is written there


@dataclass(frozen=True)
class Axis:
    """From ``low`` to ``high``, evenly or by factors."""

    low: float  # value at the start
    high: float  # value at the end, above ``low``
    log: bool = False  # equal factors take equal space; both ends are positive

    def shares(self, values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Return each value's share of the axis, 0 to 1; NaN where it cannot be drawn."""
        finite = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
        low, high = self.low, self.high
        if self.log:
            finite = np.log10(np.where(finite > 0, finite, np.nan))
            low, high = np.log10([low, high])
        return np.asarray((finite - low) / (high - low))

    def ticks(self, most: int = 4) -> list[Tick]:
        """A few round values with their places."""
        locator = LogLocator(numticks=most + 2) if self.log else MaxNLocator(most)
        values = np.asarray(locator.tick_values(self.low, self.high), np.float64)
        found = values[(values >= self.low) & (values <= self.high)]
        places = self.shares(found)
        return [
            Tick(round(100 * float(at), 2), short_number(value, log=self.log))
            for at, value in zip(places, found, strict=True)
        ]


def short_number(value: float, *, log: bool = False) -> str:
    """A number as short as it can be said: ``1,200``, ``0.93``, ``3e-05``."""
    if log or not 1000 <= abs(value) < 1e7:
        return f"{value:.3g}".replace("-", "\u2212") if value else "0"
    return f"{value:,.0f}".replace("-", "\u2212")


def axis_over(
    values: Float[np.ndarray, "..."], *, beside: Sequence[float] = (), steep: bool = False
) -> Axis:
    """Make an axis with room for all finite values and those beside them.

    ``steep`` makes it logarithmic if all are positive and differ by more than :data:`STEEP`.
    """
    found = np.concatenate([np.ravel(values), np.asarray(beside, np.float64)])
    found = found[np.isfinite(found)]
    low, high = (float(found.min()), float(found.max())) if len(found) else (0.0, 1.0)
    if steep and low > 0 and high / low > STEEP:
        room = (high / low) ** 0.06
        return Axis(low / room, high * room, log=True)
    room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return Axis(low if low == 0 else low - room, high + room)


class Line(NamedTuple):
    """A line of a chart."""

    name: str  # what it is; written in the legend where there are several
    kind: str  # its look, a class of the style sheet
    path: str  # SVG path in the unit square of strokes


class Tooltip(NamedTuple):
    """A point with a text: its place in thousandths of the chart."""

    x: int
    y: int
    text: str


class Mark(NamedTuple):
    """A step at which something happened: percent of the axis, and a text."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart, ready to be drawn, with its text for those who do not see it."""

    title: str  # what is measured
    alt: str  # the picture in words
    across: list[Tick]  # marks of the horizontal axis
    up: list[Tick]  # marks of the vertical axis
    lines: list[Line]  # drawn in this order
    about: str = ""  # a line on what it means
    band: tuple[float, float] | None = None  # percent: lower end and height of the healthy range
    state: str = ""  # where the last value lies, such as "healthy"; empty without a range
    last: str = ""  # the last value
    marks: tuple[Mark, ...] = ()  # steps with a warning
    readings: tuple[Tooltip, ...] = ()  # what can be read off


def line_through(
    name: str,
    kind: str,
    x: Float[np.ndarray, "S"],
    y: Float[np.ndarray, "S"],
) -> Line:
    """Draw a line through points given as shares, thinned if there are very many."""
    at = outline_steps(len(y), _MAX_CHART_POINTS)
    return Line(name, kind, svg_path(x[at], outline(y[None], _MAX_CHART_POINTS)[0]))


def tooltips_of(
    x: Float[np.ndarray, "S"], y: Float[np.ndarray, "S"], texts: Sequence[str]
) -> tuple[Tooltip, ...]:
    """Return a tooltip for each finite point, evenly selected if there are very many."""
    finite = np.flatnonzero(np.isfinite(y))
    if len(finite) > MOST_READINGS:
        finite = finite[np.linspace(0, len(finite) - 1, MOST_READINGS).astype(int)]
    return tuple(
        Tooltip(round(SIDE * float(x[i])), round(SIDE * (1 - float(y[i]))), texts[i])
        for i in finite.tolist()
    )


FIRST, LAST = 0.07, 0.9
"""Shares of the width at which the fewest and the most labels stand."""


class LabelsMark(NamedTuple):
    """A number of labels per class on the axis."""

    at: float  # share of the width
    name: str  # labels per class, a percentage, or "all"
    labels: int  # how many in all
    share: str  # what part of all labels that is, such as "17 %"; empty where it is not known
    written: bool  # whether there is room for the name


def sorted_by_labels(comparison: Comparison) -> Comparison:
    """The same comparison, from the fewest labels to the most."""
    every = tuple(sorted(comparison.labels_per_class, key=lambda shots: comparison.n_labels[shots]))
    return Comparison(every, comparison.hits, comparison.n_labels)


def label_count_ticks(comparison: Comparison, *, gap: float = 0.06) -> list[LabelsMark]:
    """Place ascending numbers of labels; ``gap`` is the share of the width that a name takes."""
    counts = np.array([comparison.n_labels[shots] for shots in comparison.labels_per_class])
    every = comparison.n_labels[None] if None in comparison.labels_per_class else 0
    places = log_positions(counts)
    rows = zip(places.tolist(), comparison.labels_per_class, select_marks(places, gap), strict=True)
    marks = []
    for at, shots, written in rows:
        name, count = label_count_name(shots), comparison.n_labels[shots]
        share = "" if "%" in name else label_share(count, every)
        marks.append(LabelsMark(at, name, count, share, written))
    return marks


def log_positions(counts: Int64[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Shares of the width, by the logarithm of the count; the middle if all are equal."""
    logs = np.log(counts)
    span = float(np.ptp(logs))
    if not span:
        return np.full(len(counts), 0.5)
    return np.asarray(FIRST + (LAST - FIRST) * (logs - logs.min()) / span)


def select_marks(places: Float[np.ndarray, "n"], gap: float) -> list[bool]:
    """Select of ascending places the last, and those a gap from it and from one another."""
    selected, before = list[bool](), -np.inf
    *rest, last = places.tolist()
    for at in rest:
        selected.append(at - before >= gap and last - at >= gap)
        before = at if selected[-1] else before
    return [*selected, True]


def label_count_name(shots: float | int | None) -> str:
    """Labels per class on an axis: a number, a share of all labels (not a whole number), or all."""
    if shots is None:
        return "all"
    return f"{100 * shots:g} %" if isinstance(shots, float) else str(shots)


def label_share(count: int, every: int) -> str:
    """Return a number of labels as a percentage of all; empty without all, and for all."""
    return f"{100 * count / every:.2g} %" if 0 < count < every else ""
