"""Panels of one channel of one series each, one above the other, with bands between quantiles."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from selftime.report.pictures.palette import SOFT, canvas, headline, show_dates

MOST_PANELS = 6
"""Series and channels that are drawn."""
_DATED = 1.75, 0.47
Spot = tuple[int, int]
"""A series and a channel of it, by their numbers."""


class Heading(NamedTuple):
    """Title and subtitle of a picture."""

    title: str
    subtitle: str


def panels_picture(
    places: Sequence[Spot],
    draw: Callable[[Axes, int, int], None],
    name: Callable[[int, int], str],
    heading: Heading,
    undated: tuple[float, float] | None = None,
) -> Figure:
    """Draw a panel for each place.

    Args:
        places: that are drawn, from the top.
        draw: draws a place.
        name: names a place, above its panel.
        heading: of the picture.
        undated: inches of a panel, and of what stands below its axes; None where that are dates.
    """
    each, foot = undated or _DATED
    height = 1.0 + each * len(places)
    with canvas(8.0, height) as figure:
        for k, (i, c) in enumerate(places):
            bottom = height - 0.75 - each * (k + 1) + foot
            axes = figure.add_axes((0.09, bottom / height, 0.88, (each - foot - 0.2) / height))
            draw(axes, i, c)
            axes.set_title(name(i, c), fontsize=9, color=SOFT, loc="left", pad=3)
            if undated is None:
                show_dates(axes)
        headline(figure, *heading)
    return figure


def are_dates(times: np.ndarray | None) -> bool:
    """Return whether times are there, and are dates rather than numbers."""
    return times is not None and times.dtype.kind == "M"


def name_of_place(ids: np.ndarray, channels: Sequence[str], i: int, c: int) -> str:
    """Return id and channel of a place, each where there are several; of a single one its channel.

    Example:
        >>> ids, channels = np.array(["a", "b"]), ["heat"]
        >>> name_of_place(ids, channels, 1, 0), name_of_place(ids[:1], channels, 0, 0)
        ('b', 'heat')
    """
    channel = channels[c] if len(channels) > 1 or len(ids) == 1 else ""
    return ", ".join(filter(None, [str(ids[i]) if len(ids) > 1 else "", channel]))


def quantile_bands(levels: tuple[float, ...]) -> list[tuple[int, int]]:
    """Return pairs of quantiles that lie opposite to each other, widest first."""
    return [
        (low, levels.index(round(1 - level, 6)))
        for low, level in enumerate(levels)
        if level < 0.5 and round(1 - level, 6) in levels
    ]


def bands_in_words(levels: tuple[float, ...], what: str) -> str:
    """Say which share of something the bands hold; nothing where there are none."""
    shares = [f"{100 * (levels[high] - levels[low]):.0f} %" for low, high in quantile_bands(levels)]
    return f"; bands hold {' and '.join(shares)} of {what}" if shares else ""
