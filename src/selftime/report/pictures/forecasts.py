"""Forecasts and their coverage as pictures."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from selftime.report.pictures.palette import (
    FAINT,
    INK,
    SOFT,
    STRONG,
    canvas,
    class_style,
    headline,
    zone_in_words,
)
from selftime.report.pictures.panels import (
    MOST_PANELS,
    Heading,
    are_dates,
    bands_in_words,
    name_of_place,
    panels_picture,
    quantile_bands,
)
from selftime.tasks.forecasting.calibration import Calibration
from selftime.tasks.forecasting.forecasts import Forecasts

_COVERAGE_TOLERANCE = 0.02
"""Shaded around the promised coverage: two points."""


def coverage_picture(found: Mapping[int, Calibration], *, title: str) -> Figure:
    """Draw the coverage of each interval, a line per horizon; the diagonal is perfect."""
    with canvas(5.2, 5.4) as figure:
        axes = figure.add_axes((0.12, 0.1, 0.84, 0.74))
        axes.fill_between(
            [0, 1],
            [-_COVERAGE_TOLERANCE, 1 - _COVERAGE_TOLERANCE],
            [_COVERAGE_TOLERANCE, 1 + _COVERAGE_TOLERANCE],
            color=FAINT,
            alpha=0.5,
            lw=0,
        )
        axes.plot([0, 1], [0, 1], color=SOFT, lw=1)
        for k, (horizon, one) in enumerate(found.items()):
            colour, marker = class_style(k)
            promised, coverage = zip(*one.coverage.items(), strict=True)
            (line,) = axes.plot(promised, coverage, color=colour, marker=marker, ms=5, lw=1.4)
            line.set_label(f"{horizon} steps")
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="promised", ylabel="held")
        axes.legend(frameon=False, fontsize=9, loc="upper left")
        headline(figure, title, "Share of the test part in intervals; shaded: within two points")
    return figure


PAST = 4
"""Past steps that are drawn, in horizons."""


def forecast_picture(forecasts: Forecasts, *, title: str) -> Figure:
    """Draw the end of each series and channel, its forecast, and bands between the quantiles."""
    N, C, _ = forecasts.mean.shape
    places = [(i, c) for i in range(N) for c in range(C)][:MOST_PANELS]
    return panels_picture(
        places,
        partial(draw_forecast, forecasts),
        partial(name_of_place, forecasts.ids, forecasts.channels),
        Heading(title, _subtitle(forecasts)),
        undated=None if are_dates(forecasts.times) else (1.5, 0.18),
    )


def draw_forecast(forecasts: Forecasts, axes: Axes, i: int, c: int) -> None:
    """Draw one channel of one series over its times; without any, step 0 is the last observed."""
    horizon, histories = forecasts.mean.shape[2], forecasts.histories
    past: np.ndarray = np.empty(0)
    before: np.ndarray = past
    if histories is not None:
        past = histories.series(i)[c][-PAST * horizon :]
        before = np.arange(1 - len(past), 1)
    ahead = np.arange(1, horizon + 1)
    if forecasts.times is not None:
        ahead = forecasts.stamps.wall_clock(forecasts.times[i])
        if histories is not None and histories.times is not None:
            own = histories.times[: histories.offsets[i + 1]]
            before = forecasts.stamps.wall_clock(own[len(own) - len(past) :])
    if len(past):
        axes.plot(before, past, color=INK, lw=1.1)
        axes.axvline(before[-1] + (ahead[0] - before[-1]) / 2, color=FAINT, lw=1)
    for low, high in quantile_bands(forecasts.levels):
        bounds = forecasts.quantiles[i, low, c], forecasts.quantiles[i, high, c]
        axes.fill_between(ahead, *bounds, color=STRONG, alpha=0.16, lw=0)
    axes.plot(ahead, forecasts.mean[i, c], color=STRONG, lw=1.8, marker="." * (horizon == 1))
    axes.margins(x=0.01)
    axes.tick_params(labelsize=8)


def _subtitle(forecasts: Forecasts) -> str:
    bands = bands_in_words(forecasts.levels, "what comes")
    return f"{forecasts.mean.shape[2]} steps ahead{bands}{zone_in_words(forecasts.stamps)}"
