"""Numbers of labels across a chart: by factors, named, and written where there is room."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from selftime.tasks.compare import Comparison

FIRST, LAST = 0.07, 0.9
"""Shares of the width at which the fewest and the most labels stand."""


class LabelsMark(NamedTuple):
    """A number of labels per class on the axis.

    Attributes:
        at: share of the width.
        name: labels per class, a percentage, or "all".
        labels: how many in all.
        share: what part of all labels that is, such as "17 %"; empty where it is not known.
        written: whether there is room for the name.
    """

    at: float
    name: str
    labels: int
    share: str
    written: bool


def sorted_by_labels(comparison: Comparison) -> Comparison:
    """The same comparison, from the fewest labels to the most."""
    every = tuple(sorted(comparison.labels_per_class, key=lambda shots: comparison.n_labels[shots]))
    return Comparison(every, comparison.hits, comparison.n_labels)


def label_count_ticks(comparison: Comparison, *, gap: float = 0.06) -> list[LabelsMark]:
    """Every number of labels with its place; equal factors of labels take equal space.

    Args:
        comparison: with ascending numbers of labels.
        gap: share of the width that a name takes.
    """
    counts = np.array([comparison.n_labels[shots] for shots in comparison.labels_per_class])
    every = comparison.n_labels[None] if None in comparison.labels_per_class else 0
    places = log_positions(counts)
    return [
        LabelsMark(
            at,
            name := label_count_name(shots),
            count,
            "" if "%" in name else label_share(count, every),
            written,
        )
        for at, shots, count, written in zip(
            places.tolist(),
            comparison.labels_per_class,
            counts.tolist(),
            select_marks(places, gap),
            strict=True,
        )
    ]


def log_positions(counts: Int64[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Shares of the width, by the logarithm of the count; the middle if all are equal."""
    level = np.log(counts)
    span = float(np.ptp(level))
    if not span:
        return np.full(len(counts), 0.5)
    return np.asarray(FIRST + (LAST - FIRST) * (level - level.min()) / span)


def select_marks(places: Float[np.ndarray, "n"], gap: float) -> list[bool]:
    """Which of ascending places to choose: the last, and those a gap from it and one another."""
    chosen, before = list[bool](), -np.inf
    *rest, last = places.tolist()
    for at in rest:
        chosen.append(at - before >= gap and last - at >= gap)
        before = at if chosen[-1] else before
    return [*chosen, True]


def label_count_name(shots: float | int | None) -> str:
    """Labels per class on an axis: a number, a share of all labels (not a whole number), or all."""
    if shots is None:
        return "all"
    return f"{100 * shots:g} %" if isinstance(shots, float) else str(shots)


def label_share(count: int, every: int) -> str:
    """What part of all labels a number of labels is; empty without all, and for all of them."""
    return f"{100 * count / every:.2g} %" if 0 < count < every else ""
