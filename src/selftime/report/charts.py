"""Charts of the page: axes, lines and bands, measured in shares of the space they are given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.ticker import LogLocator, MaxNLocator

from selftime.report.strokes import SIDE, outline, outline_steps, svg_path

_MAX_CHART_POINTS = 400
"""Points a line is drawn through."""
MOST_READINGS = 150
"""Points of a line that can be read off with the pointer."""
STEEP = 30
"""A positive quantity that changes by more than this factor may get a logarithmic axis."""


class Tick(NamedTuple):
    """A mark on an axis.

    Attributes:
        at: percent of the way from its low to its high end.
        text: what is written there.
    """

    at: float
    text: str


@dataclass(frozen=True)
class Axis:
    """From ``low`` to ``high``, evenly or by factors.

    Attributes:
        low: value at the start.
        high: value at the end, above ``low``.
        log: equal factors take equal space; both ends are positive.
    """

    low: float
    high: float
    log: bool = False

    def shares(self, values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """How far along each value lies, 0 to 1; NaN where it is not finite or not drawable."""
        sound = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
        low, high = self.low, self.high
        if self.log:
            sound = np.log10(np.where(sound > 0, sound, np.nan))
            low, high = np.log10([low, high])
        return np.asarray((sound - low) / (high - low))

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
    """An axis with room for all finite values and what must be seen beside them.

    Args:
        values: what is drawn.
        beside: values that are to be seen too, where they are finite.
        steep: it goes by factors if all are positive and differ by more than :data:`STEEP`.
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
    """A line of a chart.

    Attributes:
        name: what it is; written in the legend where there are several.
        kind: its look, a class of the style sheet.
        path: SVG path in the unit square of strokes.
    """

    name: str
    kind: str
    path: str


class Tooltip(NamedTuple):
    """A point that can be read off: its place in thousandths, and what is said there."""

    x: int
    y: int
    text: str


class Mark(NamedTuple):
    """A step at which something happened: percent of the way, and what it was."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What is drawn, and what is said to those who do not see it.

    Attributes:
        title: what is measured.
        alt: the picture in words.
        across: marks of the horizontal axis.
        up: marks of the vertical axis.
        lines: drawn in this order.
        about: a line on what it means.
        band: lower end and height of the healthy range, percent of the chart; None without one.
        state: where the last value lies, such as "healthy"; empty without a range.
        last: the last value.
        marks: steps with a warning.
        readings: what can be read off.
    """

    title: str
    alt: str
    across: list[Tick]
    up: list[Tick]
    lines: list[Line]
    about: str = ""
    band: tuple[float, float] | None = None
    state: str = ""
    last: str = ""
    marks: tuple[Mark, ...] = ()
    readings: tuple[Tooltip, ...] = ()


def line_through(
    name: str,
    kind: str,
    x: Float[np.ndarray, "S"],
    y: Float[np.ndarray, "S"],
) -> Line:
    """A line through points given as shares, thinned if there are very many."""
    at = outline_steps(len(y), _MAX_CHART_POINTS)
    return Line(name, kind, svg_path(x[at], outline(y[None], _MAX_CHART_POINTS)[0]))


def tooltips_of(
    x: Float[np.ndarray, "S"], y: Float[np.ndarray, "S"], texts: Sequence[str]
) -> tuple[Tooltip, ...]:
    """Points to be read off, evenly chosen if there are very many."""
    there = np.flatnonzero(np.isfinite(y))
    if len(there) > MOST_READINGS:
        there = there[np.linspace(0, len(there) - 1, MOST_READINGS).astype(int)]
    return tuple(
        Tooltip(round(SIDE * float(x[i])), round(SIDE * (1 - float(y[i]))), texts[i])
        for i in there.tolist()
    )
