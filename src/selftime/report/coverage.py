"""The calibration plot of forecasts: what intervals promised to hold, against what they held."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from selftime.report.palette import FAINT, SOFT, canvas, class_style, headline
from selftime.tasks.forecasting.calibration import Calibration

_COVERAGE_TOLERANCE = 0.02
"""Shaded around what was promised: two points."""


def coverage_picture(found: Mapping[int, Calibration], *, title: str) -> Figure:
    """Share of the truth that each interval held, a line a horizon; on the diagonal all is well.

    Args:
        found: by horizon.
        title: what the picture says.
    """
    with canvas(5.2, 5.4) as figure:
        axes = figure.add_axes((0.12, 0.1, 0.84, 0.74))
        axes.fill_between([0, 1], [-_COVERAGE_TOLERANCE, 1 - _COVERAGE_TOLERANCE], [_COVERAGE_TOLERANCE, 1 + _COVERAGE_TOLERANCE], color=FAINT, alpha=0.5, lw=0)
        axes.plot([0, 1], [0, 1], color=SOFT, lw=1)
        for k, (horizon, one) in enumerate(found.items()):
            draw_coverage(axes, one, horizon, k)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="promised", ylabel="held")
        axes.legend(frameon=False, fontsize=9, loc="upper left")
        headline(figure, title, "Share of the test part in intervals; shaded: within two points")
    return figure


def draw_coverage(axes: Axes, one: Calibration, horizon: int, k: int) -> None:
    """The line of one horizon, the ``k``-th."""
    colour, marker = class_style(k)
    promised, kept = zip(*one.coverage.items(), strict=True)
    axes.plot(promised, kept, color=colour, marker=marker, ms=5, lw=1.4, label=f"{horizon} steps")
