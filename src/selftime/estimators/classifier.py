"""A classifier on top of representations."""

import os
import warnings
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from sklearn.base import ClassifierMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from selftime.data.labels import labelled_part, where_labels_are
from selftime.data.series import SeriesSet
from selftime.engine.model import Model
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.estimators.inputs import TransferEstimator, series_in, target_matrix
from selftime.estimators.keeping import Kept
from selftime.objectives.supervised.targets import AnyClasses, OneClass, TargetType
from selftime.progress import Progress
from selftime.tasks.comparison.leaks import Leaks
from selftime.tasks.evaluation.predictions import Predictions, predictions_of
from selftime.tasks.transfer.strategies import check_transfer


class Classifier(ClassifierMixin, TransferEstimator, Kept):  # type: ignore[misc] # no types there
    """Classifies series on top of a pretrained model; a few labels are enough.

    Example:
        >>> import selftime as st
        >>> train, test = st.sample("JapaneseVowels", "train"), st.sample("JapaneseVowels", "test")
        >>> model = st.pretrain(train, encoder="quantiles")  # labels are not read
        >>> few = train[::30]  # one labelled series of each speaker
        >>> classifier = st.Classifier(model).fit(few, few.labels)
        >>> classifier.predict_proba(test[:5]).shape
        (5, 9)
        >>> classifier.strategy_
        'probe'

    Args:
        model: what :func:`selftime.pretrain` returned, or its folder; it is used as it is. None
            pretrains on all series given to ``fit``, labelled or not.
        strategy: how the model is used: "probe" leaves it as it is, "partial", "full", "staged"
            and "adapter" fine-tune it, "scratch" forgets what it learned
            (:data:`selftime.tasks.transfer.strategies.STRATEGIES`); "auto" chooses by the number
            of labels and, from 1,000 on, by a race on held-out series.
        head: "linear" (with a frozen model the calibrated
            :class:`selftime.tasks.probing.probe.Probe`), "mlp", "deep_mlp", "normed_linear" or
            "attention"; with a frozen model also those of
            :data:`selftime.tasks.probing.heads.HEAD_NAMES`, such as "knn", the labels of the
            nearest vectors by cosine similarity.
        n_neighbors: neighbours of "knn"; None takes 5, or all where there are fewer.
        budget: how long a network is trained, such as "200 steps"; None goes by the number of
            labels.
        config: how it is trained; what it leaves open goes by the number of labels.
        random_state: fixes everything random, an integer.
        progress: a bar for ``fit`` where a person looks when None; else as in
            :func:`selftime.progress.open_progress`.

    Attributes:
        channels_: names of the channels.
        model_: the model in use; after fine-tuning the one that came of it.
        solution_: the fitted backbone and head.
        strategy_: the strategy in use.
        why_: the reason for it.
        classes_: (K,) class labels; with several labels per series their numbers.
        n_features_in_: timepoints of a series, where ``fit`` was given a 2-D array.
    """

    classes_: Shaped[np.ndarray, "K"]

    def __init__(  # noqa: PLR0913 - a front door: each is one thing that people decide
        self,
        model: Model | str | os.PathLike[str] | None = None,
        *,
        strategy: str = "auto",
        head: str = "linear",
        n_neighbors: int | None = None,
        budget: Budget | str | None = None,
        config: TrainingConfig | None = None,
        random_state: int = 0,
        progress: bool | Progress | None = None,
    ) -> None:
        super().__init__(
            model,
            strategy=strategy,
            head=head,
            budget=budget,
            config=config,
            random_state=random_state,
            progress=progress,
        )
        self.n_neighbors = n_neighbors

    def fit(self, X: Any, y: Any = None) -> "Classifier":
        """Learn from labelled series.

        Args:
            X: the series.
            y: (N,) labels, or (N,K) of 0 and 1 where a series has several; those that the series
                carry when None. None, NaN and blanks mark series without a label: these are
                pretrained on where no model is given, and said.

        Raises:
            ValueError: bad input, no labels, a single class, labels that are not classes, an
                unknown strategy or head, or series of other channels than the model's.
        """
        config = self._transfer_config(self.n_neighbors)
        check_transfer(config)
        several = target_matrix(y)
        series = series_in(self, X, y, first=True)
        target_type: TargetType
        if several is None:
            known, labels = series.labelled, _classes_in(series, y)
            self.classes_ = np.unique(labels)
            target_type = OneClass(self.classes_)
        else:
            known, labels = _labels_in(several, series)
            self.classes_ = np.arange(labels.shape[1])
            target_type = AnyClasses(labels.shape[1])
        self._fit_strategy(series, known, labels, target_type, config)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the likeliest class of each series (N,); 0 or 1 for each of several labels (N,K).

        Raises:
            ValueError: bad input, or series of other channels than the model's.
        """
        return np.asarray(self._predict(X))

    def predict_proba(self, X: Any) -> Float[np.ndarray, "N K"]:
        """Return the probability of each class or label; with "knn" its share among the neighbours.

        Raises:
            ValueError: bad input, or series of other channels than the model's.
        """
        return np.asarray(self._probabilities(X))

    def predictions(self, X: Any) -> Predictions:
        """Return classes with all probabilities as a table, which can be a frame of any kind.

        Raises:
            ValueError: as :meth:`predict`.
        """
        series = series_in(self, X)
        probabilities = self.predict_proba(series)
        several = isinstance(self.solution_.target_type, AnyClasses)
        likeliest = self.classes_[probabilities.argmax(axis=1)]
        predicted = self.predict(series) if several else likeliest
        return predictions_of(series, predicted, probabilities, self.classes_)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the share of labelled series that are classified right, by ``y`` or their own.

        A model that was given and had some of them in its pretraining gets a ``UserWarning``:
        such a result is transductive.

        Raises:
            ValueError: as :meth:`predict`.
        """
        check_is_fitted(self)
        series = series_in(self, X, y)
        seen = None if self._given is None else self._given.seen(series)
        if seen is not None:
            for sentence in Leaks(test=len(seen), seen=int(seen.sum())).sentences():
                warnings.warn(sentence, UserWarning, stacklevel=2)
        several = target_matrix(y)
        if several is not None:
            return float(super().score(series, several, sample_weight))
        known = series.labelled
        weight = None if sample_weight is None else np.asarray(sample_weight)[known]
        right = self.predict(series)[known] == labelled_part(series, "the data").labels
        return float(np.average(right, weights=weight))


def _classes_in(series: SeriesSet, y: Any) -> np.ndarray:
    """Return the labels of those that have one, once it is clear that they are classes."""
    if not series.labelled.any():
        none = "the target y is None and the series carry no" if y is None else "it holds no"
        raise ValueError(
            f"Classifier requires y to be passed, but {none} labels: give y, or read a source with "
            f"labels for some of the series at least: {where_labels_are(series)}"
        )
    labels = np.asarray(labelled_part(series, "the data").labels)
    assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    if len(np.unique(labels)) < 2:
        raise ValueError(f"got one class only ({labels[0]}), wanted labels of at least 2 classes")
    return labels


def _labels_in(several: np.ndarray, series: SeriesSet) -> tuple[np.ndarray, np.ndarray]:
    """Return a mask of labelled series, and their labels (n,K) of 0 and 1."""
    if len(several) != len(series):
        raise ValueError(f"got {len(several)} rows of labels for {len(series)} series: one each")
    known = np.asarray(~np.isnan(several.astype(np.float64)).any(axis=1))
    if not known.any() or not np.isin(several[known], (0, 1)).all():
        raise ValueError("got several columns of labels with other values than 0 and 1")
    return known, several[known].astype(np.int64)
