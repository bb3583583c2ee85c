"""Colours that stay apart for colour-blind eyes, and the plain style of every picture."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.text import Text

from selftime.data.clock import Stamps
from selftime.data.files import place_of, write_file
from selftime.texts import visible

STRONG = "#0b6fb8"
"""The row that the picture is about."""
MUTED = ("#8a8f98", "#b08d57", "#7a9a8b", "#a78bb5")
"""The rows beside it."""
INK, SOFT, FAINT = "#22262b", "#5b616a", "#d9dce1"

CLASSES = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#832db6",
    "#92dadb",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#94a4a2",
)
"""Ten colours that stay apart under colour-vision deficiency (Petroff 2021), greys last."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""After ten classes the colours come again with another marker."""

STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.hashsalt": "selftime",
    "text.parse_math": False,  # a name may hold dollars
}


def class_style(k: int) -> tuple[str, str]:
    """Colour and marker of class ``k``: 80 pairs before any repeats."""
    return CLASSES[k % len(CLASSES)], MARKERS[k // len(CLASSES) % len(MARKERS)]


@contextmanager
def canvas(width: float, height: float) -> Iterator[Figure]:
    """Open a figure of ``width`` × ``height`` inches, in the plain style.

    It never enters pyplot's list of figures, so pictures can be made in any thread, with no
    window system, and nothing has to be closed.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(width, height), facecolor="white")
        FigureCanvasAgg(figure)
        yield figure
        for text in figure.findobj(Text):  # names may hold what no font can draw
            text.set_text(visible(text.get_text(), lines=True))


def headline(figure: Figure, title: str, subtitle: str) -> None:
    """Write title and subtitle at the top left."""
    height = figure.get_figheight()
    figure.text(0.02, 1 - 0.16 / height, title, fontsize=13, fontweight="bold", va="top")
    figure.text(0.02, 1 - 0.44 / height, subtitle, fontsize=9, color=SOFT, va="top")


def show_dates(axes: Axes) -> None:
    """Write dates along an axis of times, no longer than they must be."""
    wide = axes.get_position().width > 0.5
    locator = AutoDateLocator(minticks=3, maxticks=7 if wide else 4)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.xaxis.get_offset_text().set(fontsize=8, color=SOFT)


def zone_in_words(stamps: Stamps) -> str:
    """Name the zone of the times of a picture, for its subtitle."""
    return f"; clock of {stamps.zone}" if stamps.zone else ""


def save_picture(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a picture as PNG (150 dots an inch), SVG or PDF, by suffix; whole or not at all.

    Raises:
        ValueError: another suffix.
    """
    target = place_of(path)
    suffix = target.suffix.lower()
    if suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(f"{target}: wanted a picture ending in .png, .svg or .pdf")
    dated = {".png": "Software", ".svg": "Date", ".pdf": "CreationDate"}[suffix]
    drawn = io.BytesIO()
    with rc_context(STYLE):
        figure.savefig(drawn, dpi=150, format=suffix[1:], metadata={dated: None})
    return write_file(target, drawn.getvalue())


def space_labels(wanted: np.ndarray, gap: float) -> np.ndarray:
    """Return heights for labels: near the wanted ones, in order, at least ``gap`` apart.

    The least-squares answer: pools of labels that would touch sit around their common mean
    (isotonic regression of ``wanted − gap · rank``).
    """
    order = np.argsort(wanted, kind="stable")
    rank = np.arange(len(wanted)) * gap
    pools: list[tuple[float, int]] = []
    for height in wanted[order] - rank:  # pool adjacent violators: a handful of labels
        pools.append((float(height), 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (b, n), (a, m) = pools.pop(), pools.pop()
            pools.append(((a * m + b * n) / (m + n), m + n))
    out = np.empty(len(wanted))
    out[order] = np.repeat([mean for mean, _ in pools], [size for _, size in pools]) + rank
    return out
