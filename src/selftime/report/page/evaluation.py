"""An evaluated classifier for the page and the card; mistakes beside similar training series."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.data.series import SeriesSet
from selftime.report.page.calibration import CalibrationPicture, calibration_picture, metric_rows
from selftime.report.page.charts import outline, outline_steps, svg_path
from selftime.report.page.confusion import ConfusionPicture, confusion_picture, frequent_mistakes
from selftime.report.page.sights import Sight, sight_of
from selftime.report.pictures.signals import is_curve, ranges_of
from selftime.tasks.evaluation.evaluation import Evaluation
from selftime.tasks.evaluation.lookalikes import Mistake
from selftime.texts import markdown_text

MOST_DRAWN = 8
"""Mistakes that are drawn; the rest are in the table."""
_MAX_MISTAKE_CHANNELS = 3
"""Channels that are drawn, one above the other."""
_MAX_MISTAKE_STEPS = 240
"""Steps in which a series is drawn."""
_BOUNDS = {"pixels": 8000, "symbols": 140}
"""Of a series that is no curve."""
WITHOUT = (
    "The series themselves are not among the files this page was made from, so they are not "
    "drawn here: “selftime report” draws them with --train and --test."
)


class MistakePanel(NamedTuple):
    """One of the three series of a mistake."""

    kind: str  # "own", "given" or "true"
    title: str  # which series it is
    about: str  # its class, and how similar it is
    lanes: list[str]  # of a curve: a path for each channel drawn; empty without such a series
    sight: Sight | None = None  # of other kinds: what is seen


@dataclass(frozen=True, kw_only=True)
class MistakeGallery:
    """Mistakes, ready to be drawn."""

    drawn: list[list[MistakePanel]]  # three panels for each of the first mistakes
    table: list[tuple[str, ...]]  # series, truth, given, confidence, and two lookalikes
    caption: str  # how many there are
    note: str  # what is not drawn, and why


def mistake_gallery(found: Evaluation, shown: tuple[SeriesSet, SeriesSet] | None) -> MistakeGallery:
    """Show the most confident mistakes, drawn if training and test series are at hand.

    Raises:
        ValueError: the series are not those that were judged.
    """
    wrong, note = int((~found.right).sum()), ""
    if not shown and found.mistakes:
        note = WITHOUT
    elif shown and is_curve(shown[1].kind) and shown[1].n_channels > _MAX_MISTAKE_CHANNELS:
        channels = shown[1].n_channels
        note = f" The first {_MAX_MISTAKE_CHANNELS} of {channels} channels are drawn."
    some = f"The {len(found.mistakes):,} most confident of them are listed. "
    return MistakeGallery(
        drawn=[panels_of(it, *shown) for it in found.mistakes[:MOST_DRAWN]] if shown else [],
        table=[mistake_row(it) for it in found.mistakes],
        caption=f"{wrong:,} of {len(found.ids):,} test series were given a wrong class. "
        + (some if len(found.mistakes) < wrong else "")
        + "Similarity is the cosine of embeddings.",
        note=note,
    )


def mistake_row(it: Mistake) -> tuple[str, ...]:
    """Write a mistake as a row of the table."""
    likes = [
        f"{one.id} ({one.similarity:.2f})" if one else "none in training"
        for one in (it.like_predicted, it.like_truth)
    ]
    return (str(it.id), it.truth, it.predicted, f"{100 * it.confidence:.1f} %", *likes)


def panels_of(it: Mistake, train: SeriesSet, test: SeriesSet) -> list[MistakePanel]:
    """Draw the series, its lookalike of the given class and that of its true class."""
    likes = (it.like_predicted, it.like_truth)
    names = [it.id, *(one.id if one else None for one in likes)]
    sure = f"{100 * it.confidence:.0f} % sure"
    titles = [
        (str(it.id), f"is {it.truth}, was given {it.predicted}, {sure}"),
        *(
            (str(one.id), f"training, {name}: similarity {one.similarity:.2f}")
            if one
            else ("none", f"training has no {name}")
            for one, name in zip(likes, (it.predicted, it.truth), strict=True)
        ),
    ]
    seen = drawings_of(names, (test, train, train))
    return [
        MistakePanel(kind, title, about, *drawn)
        for kind, (title, about), drawn in zip(("own", "given", "true"), titles, seen, strict=True)
    ]


def values_of(series: SeriesSet, name: Any) -> Float[np.ndarray, "C T"]:
    """Return the series of that id, NaN where missing."""
    rows = np.flatnonzero(series.ids.astype(str) == str(name))
    if not len(rows):
        raise ValueError(
            f"series {name!r} is not among those given: give the data that were judged"
        )
    return series.series(int(rows[0])).astype(np.float64)


def drawings_of(
    names: Sequence[Any], homes: Sequence[SeriesSet]
) -> list[tuple[list[str], Sight | None]]:
    """Draw series of these ids as their kind is seen: paths or a sight; neither of None."""
    found = [
        None if name is None else (values_of(home, name), home.kind)
        for name, home in zip(names, homes, strict=True)
    ]
    if is_curve(homes[0].kind):
        lanes = channel_paths([one[0][:_MAX_MISTAKE_CHANNELS] for one in found if one])
        return [(lanes.pop(0) if one else [], None) for one in found]
    ranges = ranges_of(homes[0])
    return [
        ([], sight_of(one[0], one[1], ranges, name=str(name), **_BOUNDS) if one else None)
        for name, one in zip(names, found, strict=True)
    ]


def channel_paths(values: list[Float[np.ndarray, "C _"]]) -> list[list[str]]:
    """Draw each channel of each series, all to the same timepoints, a channel to one range."""
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


def _channel_path(heights: Float[np.ndarray, "T"], longest: int) -> str:
    """Draw a channel; a shorter series ends before the right edge."""
    at = outline_steps(len(heights), _MAX_MISTAKE_STEPS) / max(longest - 1, 1)
    return svg_path(at, outline(heights[None], _MAX_MISTAKE_STEPS)[0])


class EvaluationParts(NamedTuple):
    """The parts of the page on an evaluation."""

    lead: str  # the data, and the most frequent mistake
    figures: list[tuple[str, str, str]]  # name, value and meaning of the key figures
    confusion: ConfusionPicture  # the matrix
    calibration: CalibrationPicture  # the calibration plot
    mistakes: MistakeGallery  # wrong predictions beside their lookalikes


def evaluation_parts(
    found: Evaluation, shown: tuple[SeriesSet, SeriesSet] | None
) -> EvaluationParts:
    """Make everything the page shows of an evaluation, its series drawn if they are at hand."""
    return EvaluationParts(
        lead=evaluation_lead(found),
        figures=metric_rows(found),
        confusion=confusion_picture(found),
        calibration=calibration_picture(found),
        mistakes=mistake_gallery(found, shown),
    )


def evaluation_lead(found: Evaluation) -> str:
    """Say what was judged on what, and the most frequent mistake."""
    often = frequent_mistakes(found, 1)
    most = f" Most often wrong: {often[0]}." if often else ""
    return (
        f"A classifier fitted on {found.labelled:,} labelled series, judged on {len(found.ids):,} "
        f"others of {len(found.classes)} classes.{most}"
    )


def evaluation_section(found: Evaluation) -> str:
    """Write the key figures as a part of a model card, under its heading "Results"."""
    rows = [f"| {' | '.join(map(markdown_text, row))} |" for row in metric_rows(found)]
    often = [f"- {markdown_text(text)}" for text in frequent_mistakes(found)]
    parts = [
        f"### With {found.labelled:,} labelled series",
        markdown_text(evaluation_lead(found)),
        "\n".join(["| figure | value | |", "|---|---:|---|", *rows]),
        "\n".join(["Most frequent mistakes:", "", *often]) if often else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
