"""The calibration plot: confidence of a classifier against the share that is right."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.report.page.charts import Tick, short_number
from selftime.tasks.evaluation.evaluation import Evaluation
from selftime.tasks.evaluation.reliability import ReliabilityBin

PLOT_SIDE, _STRIP_HEIGHT, _MAX_DOT_RADIUS = 320, 60, 9.0
"""Pixels: side of the plot, height of the strip of counts beneath it, and the largest dot."""
COLUMNS = 20
"""Equal ranges of confidence in the strip."""
Z = 1.959964
"""The 97.5 % point of the normal law."""


class Dot(NamedTuple):
    """A bin in the plot, places in pixels from its top left corner."""

    x: float  # mean confidence
    y: float  # share that is right
    radius: float  # grows with the root of the number of series
    top: float  # upper end of the 95 % interval of the share
    bottom: float  # its lower end
    text: str  # the bin in words


class CountBar(NamedTuple):
    """The count of series in a range of confidence: place and size in pixels."""

    x: float
    width: float
    height: float
    text: str


@dataclass(frozen=True, kw_only=True)
class CalibrationPicture:
    """The plot, ready to be drawn."""

    dots: list[Dot]  # bins, the least confident first
    bars: list[CountBar]  # counts by confidence
    most: str  # the largest of these counts
    ticks: list[Tick]  # marks of both axes, percent of the way
    table: list[tuple[str, str, str, str]]  # range, series, confidence and share right of each bin
    sentence: str  # what the error says
    alt: str  # the plot in words


def calibration_picture(found: Evaluation) -> CalibrationPicture:
    """The reliability diagram (Niculescu-Mizil & Caruana 2005) over adaptive bins."""
    bins = found.bins
    largest = max(part.series for part in bins)
    bars, most = bars_of(found.confidence)
    return CalibrationPicture(
        dots=[dot_of(part, largest) for part in bins],
        bars=bars,
        most=f"{most:,}",
        ticks=[Tick(at, f"{at:.0f} %") for at in (0.0, 25.0, 50.0, 75.0, 100.0)],
        table=[
            (
                f"{100 * part.low:.1f} to {100 * part.high:.1f} %",
                f"{part.series:,}",
                f"{100 * part.confidence:.1f} %",
                f"{100 * part.accuracy:.1f} %",
            )
            for part in bins
        ],
        sentence=_calibration_sentence(found),
        alt="; ".join(_bin_in_words(part) for part in bins),
    )


def dot_of(part: ReliabilityBin, largest: int) -> Dot:
    """Draw a bin as a dot with its interval."""
    low, high = wilson_interval(part.accuracy, part.series)
    return Dot(
        x=round(PLOT_SIDE * part.confidence, 1),
        y=round(PLOT_SIDE * (1 - part.accuracy), 1),
        radius=round(_MAX_DOT_RADIUS * max(part.series / largest, 0.1) ** 0.5, 1),
        top=round(PLOT_SIDE * (1 - high), 1),
        bottom=round(PLOT_SIDE * (1 - low), 1),
        text=_bin_in_words(part),
    )


def _bin_in_words(part: ReliabilityBin) -> str:
    sure, right = 100 * part.confidence, 100 * part.accuracy
    return f"{part.series:,} series: {sure:.0f} % sure, {right:.0f} % right"


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a share of ``n`` cases, which is one also where none is (Wilson 1927)."""
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * (share * (1 - share) / n + Z**2 / (4 * n**2)) ** 0.5
    return max(centre - half, 0.0), min(centre + half, 1.0)


def bars_of(confidence: Float[np.ndarray, "M"]) -> tuple[list[CountBar], int]:
    """Draw the strip of counts; the second value is the largest of them."""
    counts, edges = np.histogram(confidence, bins=COLUMNS, range=(0, 1))
    most, width = int(counts.max()), PLOT_SIDE / COLUMNS
    bars = [
        CountBar(
            round(PLOT_SIDE * float(low) + 1, 1),
            round(width - 2, 1),
            round(_STRIP_HEIGHT * int(count) / most, 1),
            f"{count:,} series between {100 * low:.0f} and {100 * low + 100 / COLUMNS:.0f} % sure",
        )
        for count, low in zip(counts.tolist(), edges.tolist(), strict=False)
        if count
    ]
    return bars, most


def _calibration_sentence(found: Evaluation) -> str:
    """Say the calibration error, beside the one that luck alone would make."""
    error, luck = 100 * found.calibration_error, 100 * found.calibration_luck
    surplus = 100 * float((found.confidence - found.right).mean())
    text = f"Confidence and share right differ by {error:.1f} points on average over the bins; "
    if found.calibration_error <= found.calibration_luck:
        return text + (
            f"with {len(found.ids):,} series luck alone reaches {luck:.1f}, so nothing speaks "
            "against these probabilities."
        )
    side = f"too sure by {surplus:.1f}" if surplus > 0 else f"too unsure by {-surplus:.1f}"
    return text + (
        f"luck alone would seldom exceed {luck:.1f}. All in all the classifier is {side} points."
    )


def metric_rows(found: Evaluation) -> list[tuple[str, str, str]]:
    """Return the key figures: name, value and meaning."""
    low, high = (f"{100 * end:.1f}" for end in found.accuracy_interval)
    return [
        ("accuracy", f"{100 * found.accuracy:.1f} % ({low} to {high})", "95 % bootstrap interval"),
        ("balanced accuracy", f"{100 * found.balanced_accuracy:.1f} %", "mean over classes"),
        ("macro F1", f"{100 * found.macro_f1:.1f} %", "of recall and precision, over classes"),
        (
            "negative log likelihood",
            short_number(found.negative_log_likelihood),
            f"nats; {short_number(float(np.log(len(found.classes))))} by equal probabilities",
        ),
        ("Brier score", short_number(found.brier_score), "squared error of probabilities, 0 to 2"),
        (
            "calibration error",
            f"{100 * found.calibration_error:.1f} %",
            f"up to {100 * found.calibration_luck:.1f} % by luck alone",
        ),
    ]
