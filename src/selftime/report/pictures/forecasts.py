"""Forecasts and their coverage as pictures."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from selftime.data.series import SeriesSet
from selftime.report.pictures.palette import FAINT, INK, SOFT, STRONG, canvas, class_style, headline
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


_MAX_FORECAST_PANELS = 6
"""Series and channels that are drawn, the first ones."""
PAST = 4
"""Past steps that are drawn, in horizons."""


def forecast_picture(series: SeriesSet, forecasts: Forecasts, *, title: str) -> Figure:
    """Draw the end of each series and channel, its forecast, and bands between the quantiles."""
    every = [(i, c) for i in range(len(series)) for c in range(series.n_channels)]
    places = every[:_MAX_FORECAST_PANELS]
    height = 0.8 + 1.5 * len(places)
    with canvas(8.0, height) as figure:
        bottom, top = 0.35 / height, 1 - 0.75 / height
        for k, (i, c) in enumerate(places):
            share = (top - bottom) / len(places)
            box = (0.09, top - (k + 1) * share + 0.12 * share, 0.88, 0.76 * share)
            axes = figure.add_axes(box)
            draw_forecast(axes, series.series(i)[c], forecasts, i, c)
            axes.set_title(_name(series, i, c), fontsize=9, color=SOFT, loc="left", pad=3)
        headline(figure, title, _subtitle(forecasts))
    return figure


def draw_forecast(
    axes: Axes, values: Float[np.ndarray, "T"], forecasts: Forecasts, i: int, c: int
) -> None:
    """Draw one channel of one series; step 0 is the last that was observed."""
    horizon = forecasts.mean.shape[2]
    past = values[-PAST * horizon :]
    axes.plot(np.arange(1 - len(past), 1), past, color=INK, lw=1.1)
    ahead = np.arange(1, horizon + 1)
    for low, high in quantile_bands(forecasts.levels):
        bounds = forecasts.quantiles[i, low, c], forecasts.quantiles[i, high, c]
        axes.fill_between(ahead, *bounds, color=STRONG, alpha=0.16, lw=0)
    axes.plot(ahead, forecasts.mean[i, c], color=STRONG, lw=1.8)
    axes.axvline(0.5, color=FAINT, lw=1)
    axes.margins(x=0.01)
    axes.tick_params(labelsize=8)


def quantile_bands(levels: tuple[float, ...]) -> list[tuple[int, int]]:
    """Return pairs of quantiles that lie opposite to each other, widest first."""
    return [
        (low, levels.index(round(1 - level, 6)))
        for low, level in enumerate(levels)
        if level < 0.5 and round(1 - level, 6) in levels
    ]


def _name(series: SeriesSet, i: int, c: int) -> str:
    channel = series.channels[c] if series.n_channels > 1 or len(series) == 1 else ""
    return ", ".join(filter(None, [str(series.ids[i]) if len(series) > 1 else "", channel]))


def _subtitle(forecasts: Forecasts) -> str:
    levels = forecasts.levels
    shares = [f"{100 * (levels[high] - levels[low]):.0f} %" for low, high in quantile_bands(levels)]
    bands = f"; bands hold {' and '.join(shares)} of what comes" if shares else ""
    return f"{forecasts.mean.shape[2]} steps ahead{bands}"
