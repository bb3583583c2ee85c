"""The picture of a recording with its scores and alarms, and the alarms as a table."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

from selftime.report.pictures.palette import (
    CLASSES,
    FAINT,
    SOFT,
    canvas,
    headline,
    show_dates,
    zone_in_words,
)
from selftime.tasks.anomaly.alarms import Episode
from selftime.tasks.anomaly.detection import Detection, DetectionList

_MAX_RECORDING_CHANNELS = 6
"""Channels that are drawn, those with the highest scores in alarms first."""
_LANE = 1.3
"""Inches for a channel: its name, its line, and the room beneath."""
MAX_LINE_POINTS = 4000
"""Points of a line; of longer ones the least and the greatest of each stretch are drawn."""
NORMAL, ALARM = FAINT, CLASSES[2]


def anomaly_picture(every: Detection | DetectionList) -> Figure:
    """Draw channels one above the other, the score beneath, alarms as bands over all of them.

    Of several recordings the one with the highest score after its normal part is drawn.
    """
    found = max(every.parts, key=lambda part: part.scores[part.train_end :].max(initial=0.0))
    rows = channels_to_draw(found.channels, found.train_end)
    lanes, x = len(rows) + 1, _places_of(found)
    words = f"the first {found.train_end:,} steps are taken to be normal; dashes: threshold"
    words += zone_in_words(found.series.stamps)
    if len(every.parts) > 1:
        words = f"recording {found.series.ids[0]}: {words}"
    with canvas(9.0, 1.2 + _LANE * lanes) as figure:
        height = figure.get_figheight()
        for k, row in enumerate([*rows.tolist(), -1]):
            bottom = (height - 0.8 - _LANE * (k + 1) + 0.15) / height
            axes = figure.add_axes((0.07, bottom, 0.91, (_LANE - 0.4) / height))
            _draw_lane(axes, found, row, x)
            _draw_bands(axes, found.alarms, found.train_end, x)
            axes.set_xlim(x[0], x[-1])
            if x.dtype.kind == "M":
                show_dates(axes)
            if k < lanes - 1:
                axes.tick_params(labelbottom=False)
                axes.xaxis.get_offset_text().set_visible(False)
        headline(figure, count_of(every), words)
    return figure


def count_of(found: Detection | DetectionList) -> str:
    """Count the alarms in words."""
    count, recordings = sum(len(part.alarms) for part in found.parts), len(found.parts)
    words = f"{count or 'no'} alarm{'' if count == 1 else 's'}"
    return words if recordings == 1 else f"{words} in {recordings:,} recordings"


def alarms_table(found: Detection | DetectionList) -> Table:
    """List the alarms, the last timepoint of each included."""
    several = len(found.parts) > 1
    columns = ("steps", "peak", "score", "channel", "time of the peak")
    table = Table(*(("id",) if several else ()), *columns, box=None)
    for part in found.parts:
        for alarm in part.alarms:
            facts = part.facts_of(alarm)
            span, score = f"{alarm.start}-{alarm.stop - 1}", f"{alarm.score:.1f}"
            row = (span, str(alarm.peak), score, facts["channel"], facts.get("time", ""))
            table.add_row(*([str(part.series.ids[0])] if several else []), *row)
    return table


def channels_to_draw(scores: Float[np.ndarray, "C T"], train: int) -> np.ndarray:
    """Select the channels that are most anomalous after the normal part, in their own order."""
    after = scores[:, train:] if scores.shape[1] > train else scores
    return np.sort(np.argsort(-after.max(axis=1), kind="stable")[:_MAX_RECORDING_CHANNELS])


def thin_line(y: Float[np.ndarray, "T"]) -> tuple[np.ndarray, np.ndarray]:
    """Thin a line to no more points than can be seen, its extremes kept."""
    stretch = -(-2 * len(y) // MAX_LINE_POINTS)
    if stretch < 2:
        return np.arange(len(y)), y
    padded = np.concatenate([y, np.full(-len(y) % stretch, np.nan)]).reshape(-1, stretch)
    low = np.where(np.isnan(padded), np.inf, padded).argmin(axis=1)
    high = np.where(np.isnan(padded), -np.inf, padded).argmax(axis=1)
    at = np.sort(np.stack([low, high], axis=1), axis=1)
    steps = np.minimum((at + stretch * np.arange(len(padded))[:, None]).ravel(), len(y) - 1)
    return steps, y[steps]


def _places_of(found: Detection) -> np.ndarray:
    """Return the places (T+1,) of the timepoints along the axis: times where there are any."""
    series = found.series
    if series.times is None or len(series.times) < 2:
        return np.arange(len(found.scores) + 1)
    x = series.stamps.wall_clock(series.times)
    return np.append(x, x[-1:] + (x[-1] - x[-2]))


def _draw_lane(axes: Axes, found: Detection, row: int, x: np.ndarray) -> None:
    """Draw a channel; row −1 is the score with its threshold."""
    y = found.scores if row < 0 else found.series.series(0)[row]
    steps, drawn = thin_line(y)
    axes.plot(x[steps], drawn, lw=0.8, color=SOFT if row < 0 else CLASSES[0])
    if row < 0:
        axes.plot(
            x[found.train_end : -1],
            found.thresholds[found.train_end :],
            lw=0.8,
            ls="--",
            color=ALARM,
        )
    name = "score" if row < 0 else found.series.channels[row]
    axes.set_title(name, loc="left", fontsize=9, pad=3)
    axes.tick_params(labelsize=8)


def _draw_bands(axes: Axes, alarms: list[Episode], train: int, x: np.ndarray) -> None:
    axes.axvspan(x[0], x[train], color=NORMAL, alpha=0.35, lw=0, zorder=0)
    for alarm in alarms:
        axes.axvspan(x[alarm.start], x[alarm.stop], color=ALARM, alpha=0.25, lw=0, zorder=0)
