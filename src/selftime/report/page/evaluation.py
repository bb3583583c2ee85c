"""An evaluated classifier for the page and for the card; its mistakes beside the training series most like them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.data.series import SeriesSet
from selftime.report.page.calibration import CalibrationPicture, calibration_picture, metric_rows
from selftime.report.page.charts import outline, outline_steps, svg_path
from selftime.report.page.confusion import ConfusionPicture, confusion_picture, frequent_mistakes
from selftime.report.page.results import bar_safe
from selftime.tasks.evaluation.evaluation import Evaluation
from selftime.tasks.evaluation.lookalikes import Lookalike, Mistake

MOST_DRAWN = 8
"""Mistakes that are drawn; the rest are in the table."""
_MAX_MISTAKE_CHANNELS = 3
"""Channels that are drawn, one above the other."""
_MAX_MISTAKE_STEPS = 240
"""Steps in which a series is drawn."""
WITHOUT = (
    "The series themselves are not among the files this page was made from, so they are not "
    "drawn here: “selftime report” draws them with --train and --test."
)


class MistakePanel(NamedTuple):
    """One of the three series of a mistake.

    Attributes:
        kind: "own", "given" or "true".
        title: which series it is.
        about: its class, and how alike it is.
        lanes: a path for each channel drawn; empty where there is no such series.
    """

    kind: str
    title: str
    about: str
    lanes: list[str]


@dataclass(frozen=True, kw_only=True)
class MistakeGallery:
    """Mistakes, ready to be drawn.

    Attributes:
        drawn: three panels for each of the first mistakes; empty without the series.
        table: every kept mistake: series, truth, given, sure, and the two lookalikes.
        caption: how many there are.
        note: what is not drawn, and why.
    """

    drawn: list[list[MistakePanel]]
    table: list[tuple[str, ...]]
    caption: str
    note: str


def mistake_gallery(found: Evaluation, shown: tuple[SeriesSet, SeriesSet] | None) -> MistakeGallery:
    """The most confident mistakes.

    Args:
        found: what is shown.
        shown: training and test series, if they are at hand.

    Raises:
        ValueError: the series are not those that were judged.
    """
    wrong = int((~found.right).sum())
    drawn = [panels_of(it, *shown) for it in found.mistakes[:MOST_DRAWN]] if shown else []
    channels = shown[1].n_channels if shown else 0
    some = f"The {len(found.mistakes):,} surest of them are listed. "
    cut = f" The first {_MAX_MISTAKE_CHANNELS} of {channels} channels are drawn."
    return MistakeGallery(
        drawn=drawn,
        table=[mistake_row(it) for it in found.mistakes],
        caption=f"{wrong:,} of {len(found.ids):,} test series were given a wrong class. "
        + (some if len(found.mistakes) < wrong else "")
        + "Alike is the cosine of embeddings.",
        note=WITHOUT
        if not shown and found.mistakes
        else cut
        if channels > _MAX_MISTAKE_CHANNELS
        else "",
    )


def mistake_row(it: Mistake) -> tuple[str, ...]:
    """A mistake as a row of the table."""
    sure = f"{100 * it.confidence:.1f} %"
    return (
        it.id,
        it.truth,
        it.predicted,
        sure,
        _lookalike_text(it.like_predicted),
        _lookalike_text(it.like_truth),
    )


def _lookalike_text(it: Lookalike | None) -> str:
    """A lookalike in a cell."""
    return f"{it.id} ({it.similarity:.2f})" if it else "none in training"


def panels_of(it: Mistake, train: SeriesSet, test: SeriesSet) -> list[MistakePanel]:
    """The series, its lookalike of the given class and that of its true class."""
    likes = (it.like_predicted, it.like_truth)
    values = [values_of(test, it.id), *(values_of(train, one.id) if one else None for one in likes)]
    lanes = channel_paths([v for v in values if v is not None])
    drawn = [lanes.pop(0) if v is not None else [] for v in values]
    sure = f"{100 * it.confidence:.0f} % sure"
    titles = [
        (it.id, f"is {it.truth}, was given {it.predicted}, {sure}"),
        *(
            (one.id, f"training, {name}: alike {one.similarity:.2f}")
            if one
            else ("none", f"training has no {name}")
            for one, name in zip(likes, (it.predicted, it.truth), strict=True)
        ),
    ]
    return [
        MistakePanel(kind, title, about, lane)
        for kind, (title, about), lane in zip(("own", "given", "true"), titles, drawn, strict=True)
    ]


def values_of(series: SeriesSet, name: str) -> Float[np.ndarray, "C T"]:
    """The first channels of the series of that id, NaN where missing.

    Raises:
        ValueError: there is none.
    """
    rows = np.flatnonzero(series.ids.astype(str) == name)
    if not len(rows):
        raise ValueError(
            f"series {name!r} is not among those given: give the data that were judged"
        )
    return series.series(int(rows[0]))[:_MAX_MISTAKE_CHANNELS].astype(np.float64)


def channel_paths(values: list[Float[np.ndarray, "C _"]]) -> list[list[str]]:
    """A path for each channel of each series; all to the same steps, a channel to one range."""
    longest = max(v.shape[1] for v in values)
    laid = np.concatenate(values, axis=1)  # (C, steps of all)
    with np.errstate(invalid="ignore"):
        low = np.fmin.reduce(laid, axis=1, initial=np.inf)
        high = np.fmax.reduce(laid, axis=1, initial=-np.inf)
    span = np.where(high > low, high - low, 1.0)
    low = np.where(high > low, low, low - 0.5)
    return [
        [
            _channel_path(0.04 + 0.92 * (row - start) / size, longest)
            for row, start, size in zip(v, low, span, strict=True)
        ]
        for v in values
    ]


def _channel_path(level: Float[np.ndarray, "T"], longest: int) -> str:
    """The path of a channel; a shorter series ends before the right edge."""
    T = len(level)
    at = outline_steps(T, _MAX_MISTAKE_STEPS) / max(longest - 1, 1)
    return svg_path(at, outline(level[None], _MAX_MISTAKE_STEPS)[0])


class EvaluationParts(NamedTuple):
    """What the page shows of an evaluation.

    Attributes:
        lead: what was judged on what.
        figures: name, value and meaning of the key figures.
        confusion: the matrix.
        calibration: the calibration plot.
        mistakes: wrong predictions beside their lookalikes.
    """

    lead: str
    figures: list[tuple[str, str, str]]
    confusion: ConfusionPicture
    calibration: CalibrationPicture
    mistakes: MistakeGallery


def evaluation_parts(
    found: Evaluation, shown: tuple[SeriesSet, SeriesSet] | None
) -> EvaluationParts:
    """Everything the page shows of an evaluation, its series drawn if they are at hand."""
    return EvaluationParts(
        lead=evaluation_lead(found),
        figures=metric_rows(found),
        confusion=confusion_picture(found),
        calibration=calibration_picture(found),
        mistakes=mistake_gallery(found, shown),
    )


def evaluation_lead(found: Evaluation) -> str:
    """What was judged on what, and what went wrong most often."""
    often = frequent_mistakes(found, 1)
    most = f" Most often wrong: {often[0]}." if often else ""
    return (
        f"A classifier fitted on {found.labelled:,} labelled series, judged on {len(found.ids):,} "
        f"others of {len(found.classes)} classes.{most}"
    )


def evaluation_section(found: Evaluation) -> str:
    """The key figures as a part of a model card, under its heading "Results"."""
    rows = [f"| {name} | {value} | {about} |" for name, value, about in metric_rows(found)]
    often = [f"- {bar_safe(text)}" for text in frequent_mistakes(found)]
    parts = [
        f"### With {found.labelled:,} labelled series",
        evaluation_lead(found),
        "\n".join(["| figure | value | |", "|---|---:|---|", *rows]),
        "\n".join(["Most frequent mistakes:", "", *often]) if often else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
