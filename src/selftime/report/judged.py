"""A judged classifier for the page and for the card: figures, confusion, calibration, mistakes."""

from typing import NamedTuple

from selftime.data.series import SeriesSet
from selftime.report.calibration import CalibrationPicture, calibration_picture, metric_rows
from selftime.report.confusion import ConfusionPicture, confusion_picture, frequent_mistakes
from selftime.report.mistakes import MistakeGallery, mistake_gallery
from selftime.report.results import bar_safe
from selftime.tasks.evaluation import Evaluation


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


def evaluation_parts(found: Evaluation, shown: tuple[SeriesSet, SeriesSet] | None) -> EvaluationParts:
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
