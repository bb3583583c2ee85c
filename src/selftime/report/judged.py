"""A judged classifier for the page and for the card: figures, confusion, calibration, mistakes."""

from typing import NamedTuple

from selftime.data.series import SeriesSet
from selftime.report.calibration import CalibrationPicture, calibration_picture, figure_rows
from selftime.report.confusion import ConfusionPicture, confusion_picture, frequent
from selftime.report.mistakes import MistakeGallery, mistake_gallery
from selftime.report.results import bar_safe
from selftime.tasks.evaluation import Evaluation


class JudgedParts(NamedTuple):
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


def judged(found: Evaluation, shown: tuple[SeriesSet, SeriesSet] | None) -> JudgedParts:
    """Everything the page shows of an evaluation, its series drawn if they are at hand."""
    return JudgedParts(
        lead=lead_of(found),
        figures=figure_rows(found),
        confusion=confusion_picture(found),
        calibration=calibration_picture(found),
        mistakes=mistake_gallery(found, shown),
    )


def lead_of(found: Evaluation) -> str:
    """What was judged on what, and what went wrong most often."""
    often = frequent(found, 1)
    most = f" Most often wrong: {often[0]}." if often else ""
    return (
        f"A classifier fitted on {found.labelled:,} labelled series, judged on {len(found.ids):,} "
        f"others of {len(found.classes)} classes.{most}"
    )


def evaluation_section(found: Evaluation) -> str:
    """The key figures as a part of a model card, under its heading "Results"."""
    rows = [f"| {name} | {value} | {about} |" for name, value, about in figure_rows(found)]
    often = [f"- {bar_safe(text)}" for text in frequent(found)]
    parts = [
        f"### With {found.labelled:,} labelled series",
        lead_of(found),
        "\n".join(["| figure | value | |", "|---|---:|---|", *rows]),
        "\n".join(["Most frequent mistakes:", "", *often]) if often else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
