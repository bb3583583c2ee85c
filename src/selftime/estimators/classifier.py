"""A classifier on top of representations."""

import warnings
from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from selftime.data.series import SeriesSet
from selftime.engine.model import Model
from selftime.engine.pretrain import pretrain
from selftime.estimators.series_input import series_in, tags_of_series
from selftime.tasks.heads import check_head, head_of
from selftime.tasks.leaks import Leaks


class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # no types there
    """Classifies series by the vectors of a pretrained model; a few labels are enough.

    Args:
        model: what :func:`selftime.pretrain` returned; it is used as it is. None pretrains on the
            series given to ``fit`` alone, so pretrain first where there are more without labels.
        head: "probe", a calibrated linear classifier (:class:`selftime.tasks.probe.Probe`), or
            "knn", the labels of the nearest vectors by cosine.
        n_neighbors: how many labels "knn" asks.
        random_state: fixes everything random in pretraining, an integer.

    Attributes:
        model_: the model in use.
        head_: the fitted head.
        classes_: (K,) class labels.
        n_features_in_: steps of a series, where ``fit`` was given a 2-D array.
    """

    def __init__(
        self,
        model: Model | None = None,
        *,
        head: str = "probe",
        n_neighbors: int = 1,
        random_state: int = 0,
    ) -> None:
        self.model = model
        self.head = head
        self.n_neighbors = n_neighbors
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "Classifier":
        """Fit the head on labelled series.

        Args:
            X: the series.
            y: (N,) labels; those that the series carry when None.

        Raises:
            ValueError: bad input, no labels, labels that are not classes, an unknown head, or
                series of other channels than the model's.
        """
        check_head(self.head)
        series = series_in(self, X, y, first=True)
        labels = classes_in(series)
        self.model_ = self.model or pretrain(series, seed=self.random_state)
        head = head_of(self.head, self.model_.cohort, neighbours=self.n_neighbors)
        self.head_ = head.fit(self.model_.embed(series), labels)
        self.classes_ = self.head_.classes_
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each series (N,).

        Raises:
            ValueError: bad input, or series of other channels than the model's.
        """
        vectors = self._vectors(X)
        return np.asarray(self.head_.predict(vectors))

    def predict_proba(self, X: Any) -> Float[np.ndarray, "N K"]:
        """Probability of each class; with "knn" its share among the neighbours.

        Raises:
            ValueError: bad input, or series of other channels than the model's.
        """
        vectors = self._vectors(X)
        return np.asarray(self.head_.predict_proba(vectors))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of series that are right.

        A model that was given and had some of them in its pretraining gets a ``UserWarning``:
        such a result is transductive.

        Raises:
            ValueError: as :meth:`predict`.
        """
        check_is_fitted(self)
        seen = None if self.model is None else self.model.seen(series_in(self, X))
        if seen is not None:
            for sentence in Leaks(test=len(seen), seen=int(seen.sum())).sentences():
                warnings.warn(sentence, UserWarning, stacklevel=2)
        return float(super().score(X, y, sample_weight))

    def _vectors(self, X: Any) -> Float32[np.ndarray, "N D"]:
        check_is_fitted(self)
        return self.model_.embed(series_in(self, X))

    def __sklearn_tags__(self) -> Tags:
        return tags_of_series(super().__sklearn_tags__())


def classes_in(series: SeriesSet) -> np.ndarray:
    """The labels, if they are classes."""
    if series.labels is None:
        raise ValueError(
            "Classifier requires y to be passed, but the target y is None and the series carry no "
            "labels: give y, or a source with labels"
        )
    assert_all_finite(series.labels, input_name="y")
    check_classification_targets(series.labels)
    return series.labels
