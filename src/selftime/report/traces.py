"""One series, small: lines for a few channels, a strip of colours for many."""

import numpy as np
from jaxtyping import Float, Float32
from matplotlib.axes import Axes

from selftime.data.series import SeriesSet

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
