"""The picture of predictions: how sure each class is, or values beside those that are known."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from selftime.data.arrays import are_known
from selftime.report.pictures.palette import CLASSES, SOFT, STRONG, canvas, headline
from selftime.tasks.evaluation.predictions import Predictions

WRONG = CLASSES[2]
MOST_CLASSES = 40
"""Rows of classes that are drawn, those with most series first."""


def prediction_picture(found: Predictions) -> Figure:
    """Draw a dot for each series: its class and how sure it is, or its value.

    Those that carry another label than they were given are crosses. Of several labels a series,
    and of values, each column is a row.
    """
    if found.classes is None or found.probabilities is None:
        return _picture_of_values(found)
    given, P = found.predicted, found.probabilities
    several = given.ndim > 1
    names, counts = np.unique(given, return_counts=True)
    shown = found.classes if several else names[np.argsort(-counts, kind="stable")]
    shown = shown[:MOST_CLASSES]
    with canvas(7.0, 1.4 + 0.34 * len(shown)) as figure:
        axes = _axes(figure, list(map(str, shown)))
        for row, name in enumerate(shown):
            mine = np.flatnonzero(given[:, row] if several else given == name)
            sure = P[mine, row] if several else P[mine].max(axis=1)
            _dots(axes, sure, row, _are_wrong(found, mine))
        axes.set(xlim=(-0.02, 1.02), xlabel="probability")
        what = f"{len(given):,} predictions, a dot each"
        wrong = int(_are_wrong(found, np.arange(len(given))).sum())
        headline(figure, "How sure each class is", what + _against(wrong, found))
    return figure


def _picture_of_values(found: Predictions) -> Figure:
    values = found.predicted.reshape(len(found.predicted), -1)
    with canvas(7.0, 1.6 + 0.5 * values.shape[1]) as figure:
        rows = [f"value {k}" for k in range(values.shape[1])] if values.shape[1] > 1 else ["value"]
        axes = _axes(figure, rows)
        for row, column in enumerate(values.T):
            _dots(axes, column, row, np.zeros(len(column), bool))
        headline(figure, "Predicted values", f"{len(values):,} predictions, a dot each")
    return figure


def _axes(figure: Figure, names: list[str]) -> Axes:
    height = figure.get_figheight()
    axes = figure.add_axes((0.22, 0.5 / height, 0.74, 1 - 1.3 / height))
    axes.set_yticks(range(len(names)), [name[:24] for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    return axes


def _dots(axes: Axes, x: Float[np.ndarray, "n"], row: int, wrong: np.ndarray) -> None:
    """Draw dots in a row, spread over its height by the golden ratio, so that few cover others."""
    y = row + 0.6 * ((np.arange(len(x)) * 0.618034) % 1 - 0.5)
    axes.scatter(x[~wrong], y[~wrong], s=14, c=STRONG, alpha=0.6, lw=0)
    axes.scatter(x[wrong], y[wrong], s=22, c=WRONG, marker="x", lw=1.4)
    axes.axhline(row + 0.5, color=SOFT, lw=0.3, alpha=0.5)


def _are_wrong(found: Predictions, rows: np.ndarray) -> np.ndarray:
    if found.labels is None or found.predicted.ndim > 1:
        return np.zeros(len(rows), bool)
    labels = found.labels[rows]
    return np.asarray(are_known(labels) & (labels != found.predicted[rows]))


def _against(wrong: int, found: Predictions) -> str:
    if found.labels is None or not are_known(found.labels).any():
        return ""
    known = int(are_known(found.labels).sum())
    return f"; crosses: the {wrong:,} of {known:,} whose label is another"
