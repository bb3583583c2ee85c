"""The door for scikit-learn: representations in pipelines, and a classifier on top of them.

Both estimators take whatever :func:`selftime.read` takes. A 2-D array holds one-channel series,
and as everywhere in scikit-learn its width is fixed by ``fit``; series of other lengths come as a
list of arrays or as an array (N,C,T). NaN means missing.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from narwhals.dependencies import is_into_dataframe
from scipy.sparse import issparse
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import Tags, assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from selftime.data.readers import read
from selftime.data.series import SeriesSet
from selftime.encoders.base import Encoder
from selftime.engine.model import Model
from selftime.engine.pretrain import pretrain
from selftime.objectives.base import ClosedForm, Objective
from selftime.tasks.heads import check_head, head_of


class SelfSupervised(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc] # scikit-learn has no types
    TransformerMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """Learns a representation from unlabelled series and turns series into vectors.

    Args:
        objective: a name in ``selftime methods``, "auto", or a ready objective with its encoder
            (then ``encoder="auto"``).
        encoder: a name in ``selftime methods``, "auto", or an encoder, which is copied.
        random_state: fixes everything random, an integer.

    Attributes:
        model_: the learned :class:`selftime.Model`.
        n_features_in_: steps of a series, where ``fit`` was given a 2-D array.
    """

    def __init__(
        self,
        objective: str | ClosedForm | Objective = "spectral",
        encoder: str | Encoder = "rocket",
        random_state: int = 0,
    ) -> None:
        self.objective = objective
        self.encoder = encoder
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "SelfSupervised":  # noqa: ARG002
        """Learn from series; ``y`` and labels that they carry are not read.

        Raises:
            ValueError: bad input, fewer than 2 series, or an unknown name.
        """
        series = _series(self, X, first=True)
        self.model_ = pretrain(
            series,
            objective=self.objective,
            encoder=self.encoder,
            seed=self.random_state,
        )
        return self

    def transform(self, X: Any) -> Float32[np.ndarray, "N D"]:
        """One vector a series.

        Raises:
            ValueError: bad input, or series of other channels than in ``fit``.
        """
        check_is_fitted(self)
        return self.model_.embed(_series(self, X))

    @property
    def _n_features_out(self) -> int:
        """Vectors' length, which names the columns that come out."""
        return self.model_.dim

    def __sklearn_tags__(self) -> Tags:
        tags = _tags_of_series(super().__sklearn_tags__())
        tags.transformer_tags.preserves_dtype = []  # vectors are 32-bit floats, always
        return tags


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
        series = _series(self, X, y, first=True)
        labels = _labels_of(series)
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

    def _vectors(self, X: Any) -> Float32[np.ndarray, "N D"]:
        check_is_fitted(self)
        return self.model_.embed(_series(self, X))

    def __sklearn_tags__(self) -> Tags:
        return _tags_of_series(super().__sklearn_tags__())


def _series(estimator: BaseEstimator, X: Any, y: Any = None, *, first: bool = False) -> SeriesSet:
    """The series in X with labels y; ``first`` in fit, which fixes the width of 2-D arrays."""
    if first:
        vars(estimator).pop("n_features_in_", None)
    if _is_matrix(X):
        X = validate_data(
            estimator,
            X,
            reset=first,
            dtype=np.float32,
            ensure_all_finite="allow-nan",
            ensure_min_samples=2 if first else 1,
        )
    return read(X, labels=None if y is None else column_or_1d(y, warn=True))


def _is_matrix(X: Any) -> bool:
    """Whether X is an array that scikit-learn checks as ever; the reader judges all else."""
    if isinstance(X, list):
        return all(isinstance(row, list) for row in X) and len({len(row) for row in X}) == 1
    if isinstance(X, str) or is_into_dataframe(X) or not (issparse(X) or hasattr(X, "__array__")):
        return False
    array = X if issparse(X) else np.asarray(X)
    return array.ndim < 3 and not (array.ndim == 1 and array.dtype == object)


def _labels_of(series: SeriesSet) -> np.ndarray:
    """The labels, if they are classes."""
    if series.labels is None:
        raise ValueError(
            "Classifier requires y to be passed, but the target y is None and the series carry no "
            "labels: give y, or a source with labels"
        )
    assert_all_finite(series.labels, input_name="y")
    check_classification_targets(series.labels)
    return series.labels


def _tags_of_series(tags: Tags) -> Tags:
    """What scikit-learn should know about input."""
    tags.input_tags.allow_nan = True
    tags.input_tags.three_d_array = True
    return tags
