"""The confusion matrix, with classes that are taken for one another side by side."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from selftime.tasks.evaluation.evaluation import Evaluation

MAX_CONFUSION_CLASSES = 40
"""Classes that are drawn; of more, those with most mistakes."""
_MATRIX_SIDE, _MIN_CELL, _MAX_CELL = 560, 22, 56
"""Pixels: of the matrix where cells are neither too small for a count nor too large."""
MOST_LETTERS = 16
"""Letters of a class name that are written; the whole name is in the title of its cells."""
LETTER, MARGIN = 6.6, 8
"""Pixels: width of a letter, and space around the matrix."""
_MAX_OPACITY = 0.5
"""Opacity of the strongest colour: ink on it keeps a contrast above 4.5 on light and dark paper."""


class ConfusionCell(NamedTuple):
    """A cell with series in it."""

    x: float  # its left edge in pixels
    y: float  # its top edge
    kind: str  # "hit" on the diagonal, "miss" elsewhere
    depth: float  # opacity of its colour
    series: str  # how many
    text: str  # the cell in words


class ClassLine(NamedTuple):
    """A row and column of the matrix."""

    middle: float  # of the row from the top, and of the column from the left, of the cells
    name: str  # of the class, cut if it is long
    whole: str  # its whole name
    recall: str  # share of its series that were classified right, and how many there are


@dataclass(frozen=True, kw_only=True)
class ConfusionPicture:
    """The matrix, ready to be drawn."""

    cells: list[ConfusionCell]  # those with series in them
    lines: list[ClassLine]  # a row and column a class, in the order of the picture
    cell: float  # side of a cell in pixels
    left: float  # space for names at the left
    top: float  # space for names above
    slanted: bool  # whether names above stand at an angle
    width: float  # of the picture
    height: float  # of the picture
    caption: str  # what is drawn, and in which order
    alt: str  # the most frequent mistakes in words


def confusion_picture(found: Evaluation) -> ConfusionPicture:
    """The confusion matrix with counts and colour, for 2 to 40 classes and the worst 40 of more."""
    whole = found.confusion
    kept = seriation(whole, _worst_classes(whole))
    names, counts = found.classes[kept], whole[np.ix_(kept, kept)]
    cell = float(np.clip(_MATRIX_SIDE / len(kept), _MIN_CELL, _MAX_CELL))
    letters = min(max(map(len, names.tolist())), MOST_LETTERS) * LETTER
    slanted = letters > cell
    top = 2.0 * MARGIN + (0.72 * letters + 10 if slanted else 14)
    left = letters + 2 * MARGIN
    side = cell * len(kept)
    return ConfusionPicture(
        cells=cells_of(counts, whole[kept].sum(axis=1), names, cell),
        lines=[_class_line(k, kept, whole, str(name), cell) for k, name in enumerate(names)],
        cell=round(cell, 2),
        left=left,
        top=top,
        slanted=slanted,
        width=round(left + side + 96 + (0.72 * letters if slanted else 0), 1),
        height=round(top + side + MARGIN, 1),
        caption=caption_of(whole, kept),
        alt="; ".join(frequent_mistakes(found))
        or "No series was given another class than its own.",
    )


def _mistakes(counts: Int64[np.ndarray, "K K"]) -> Int64[np.ndarray, "K K"]:
    return np.asarray(counts - np.diag(np.diag(counts)))


def _worst_classes(counts: Int64[np.ndarray, "K K"]) -> Int64[np.ndarray, "n"]:
    """Select the classes to draw: all, or those with most mistakes of either kind."""
    mistakes = _mistakes(counts).sum(axis=0) + _mistakes(counts).sum(axis=1)
    return np.sort(np.argsort(-mistakes, kind="stable")[:MAX_CONFUSION_CLASSES])


def seriation(
    counts: Int64[np.ndarray, "K K"], kept: Int64[np.ndarray, "n"]
) -> Int64[np.ndarray, "n"]:
    """Order classes so that those that are taken for one another are neighbours.

    They are joined by the share of their series confused in either direction (average linkage);
    the leaves of that tree are turned to bring the most similar together (Bar-Joseph et al. 2001).
    Without a mistake, and for two classes, the order stays.
    """
    part = counts[np.ix_(kept, kept)]
    mixed = (part + part.T).astype(np.float64)
    np.fill_diagonal(mixed, 0)
    if len(kept) < 3 or not mixed.any():
        return kept
    sizes = counts.sum(axis=1)[kept]
    share = mixed / np.maximum(sizes[:, None] + sizes, 1)
    apart = 1 - share
    np.fill_diagonal(apart, 0)
    order = leaves_list(linkage(squareform(apart), "average", optimal_ordering=True))
    return np.asarray(kept[order if order[0] < order[-1] else order[::-1]])


def cells_of(
    counts: Int64[np.ndarray, "n n"],
    sizes: Int64[np.ndarray, "n"],
    names: np.ndarray,
    cell: float,
) -> list[ConfusionCell]:
    """Draw the cells that hold series, coloured by the root of their share of the row."""
    return [
        ConfusionCell(
            x=round(j * cell, 2),
            y=round(k * cell, 2),
            kind="hit" if k == j else "miss",
            depth=round(_MAX_OPACITY * float(counts[k, j] / sizes[k]) ** 0.5, 3),
            series=f"{counts[k, j]:,}",
            text=f"{counts[k, j]:,} of {sizes[k]:,} series of “{names[k]}” given “{names[j]}”",
        )
        for k, j in np.argwhere(counts).tolist()
    ]


def _class_line(
    k: int, kept: Int64[np.ndarray, "n"], whole: Int64[np.ndarray, "K K"], name: str, cell: float
) -> ClassLine:
    size, right = int(whole[kept[k]].sum()), int(whole[kept[k], kept[k]])
    recall = f"{100 * right / size:.0f} % of {size:,}" if size else "none"
    cut = name if len(name) <= MOST_LETTERS else name[: MOST_LETTERS - 1] + "…"
    return ClassLine(round((k + 0.5) * cell, 2), cut, name, recall)


def caption_of(whole: Int64[np.ndarray, "K K"], kept: Int64[np.ndarray, "n"]) -> str:
    """Say what is drawn, and in which order."""
    text = (
        "Rows are true classes, columns the classes given; at the right the share classified right"
    )
    if not np.array_equal(kept, np.sort(kept)):
        text += ". Classes that are taken for one another stand side by side"
    if len(kept) < len(whole):
        text += f". Of {len(whole)} classes the {len(kept)} with most mistakes are drawn"
    return text + "."


def frequent_mistakes(found: Evaluation, most: int = 5) -> list[str]:
    """Return the most frequent mistakes in words, as shares of their class."""
    off = _mistakes(found.confusion)
    sizes = found.confusion.sum(axis=1)
    order = np.argsort(-off, axis=None, kind="stable")[:most]
    pairs = [divmod(int(place), len(off)) for place in order]
    return [
        f"{off[k, j]:,} of {sizes[k]:,} series of “{found.classes[k]}” were taken for "
        f"“{found.classes[j]}”"
        for k, j in pairs
        if off[k, j]
    ]
