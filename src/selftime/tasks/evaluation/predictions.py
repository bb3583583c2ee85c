"""Predictions as a table: classes with all probabilities, or values, beside what names them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from selftime.data.arrays import are_known
from selftime.data.frames import Tabular, join_columns
from selftime.data.series import SeriesSet


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Predictions(Tabular):
    """Predictions of an estimator for N series, or for N timepoints.

    Example:
        >>> import selftime as st
        >>> series = st.sample("JapaneseVowels", "train")[:60:6]
        >>> classifier = st.Classifier(st.pretrain(series, encoder="quantiles")).fit(series)
        >>> found = classifier.predictions(series[:2])
        >>> list(found.to_columns())
        ['unique_id', 'class', 'probability', 'runner_up', 'p_1', 'p_2', 'label', 'labelled']

    Attributes:
        keys: columns that name the series or timepoints.
        predicted: (N,) classes or values; (N,K) where there are several.
        probabilities: (N,K) of the classes; None of values.
        classes: (K,) in the order of the probabilities.
        labels: (N,) those that the series carry, None where one has none; or None.
    """

    keys: Mapping[str, Any]
    predicted: np.ndarray
    probabilities: Float[np.ndarray, "N K"] | None = None
    classes: np.ndarray | None = None
    labels: np.ndarray | None = None

    def to_columns(self) -> dict[str, Any]:
        """Return keys, ``class``, its ``probability``, ``runner_up``, and ``p_…`` of each class.

        Of values there is ``value``. Where series carry labels, ``label`` is theirs, and
        ``labelled`` says which have one. A name that is taken gets an underscore.
        """
        P, classes = self.probabilities, self.classes
        found: dict[str, Any] = {"value" if P is None else "class": self.predicted}
        if P is not None and classes is not None:
            if self.predicted.ndim == 1 < P.shape[1]:
                second = np.argsort(-P, axis=1, kind="stable")[:, 1]
                found["probability"], found["runner_up"] = P.max(axis=1), classes[second]
            found = join_columns(found, *({f"p_{k}": p} for k, p in zip(classes, P.T, strict=True)))
        given = {}
        if self.labels is not None:
            given = {"label": self.labels, "labelled": are_known(self.labels)}
        return join_columns(self.keys, found, given)


def predictions_of(
    series: SeriesSet,
    predicted: np.ndarray,
    probabilities: np.ndarray | None = None,
    classes: np.ndarray | None = None,
) -> Predictions:
    """Return predictions for series under their names, beside the labels that they carry."""
    return Predictions(
        keys=series.keys(),
        predicted=predicted,
        probabilities=probabilities,
        classes=classes,
        labels=series.labels,
    )
